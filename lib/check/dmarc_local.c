#include "check/dmarc_local.h"

#include "mail/addr.h"

static const char *const action_words[] = { "accept", "quarantine", "defer", "reject" };
static const char *const case_words[] = { "reject", "quarantine", "permerror", "temperror" };

#define ACTION_N (sizeof action_words / sizeof *action_words)

const char *
mr_dmarc_action_word(enum mr_dmarc_action action)
{
	return action_words[action];
}

/* ---- words and entries ------------------------------------------------------------------------------- */

enum mr_status
mr_dmarc_local_set(struct mr_dmarc_local *local, struct mr_str word, struct mr_err *err)
{
	struct mr_str action = word, name;
	size_t c = 0, a = 0;

	mr_str_split(&action, '=', &name);
	while (c < MR_DMARC_CASE_N && !mr_str_is(name, case_words[c]))
		c++;
	while (a < ACTION_N && !mr_str_is(action, action_words[a]))
		a++;
	if (c == MR_DMARC_CASE_N || a == ACTION_N)
		return mr_err_set(err, MR_USAGE,
		    "'%.*s': need reject, quarantine, permerror or temperror, '=', and accept, "
		    "quarantine, defer or reject",
		    (int)(word.n < 80 ? word.n : 80), word.p);
	if (c == MR_DMARC_ON_TEMPERROR && a == MR_DMARC_DO_REJECT)
		return mr_err_set(
		    err, MR_USAGE, "temperror=reject would bounce mail on an outage of the DNS");
	local->on[c] = (enum mr_dmarc_action)a;
	return MR_OK;
}

/* The reason that an entry for who sends gives; NULL: it is one for authors. */
static const char *
sender_reason(struct mr_str value)
{
	static const char *const reasons[] = { "forwarded", "trusted_forwarder", "mailing_list" };
	struct mr_str word = mr_str_word(&value);

	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (mr_str_is(word, reasons[i]))
			return reasons[i];
	return NULL;
}

/* The value of an entry for authors. */
static enum mr_status
apply(struct mr_dmarc_local *local, struct mr_str value, struct mr_err *err)
{
	struct mr_str word;
	enum mr_status st = MR_OK;

	while (st == MR_OK && (word = mr_str_word(&value)).n)
		st = mr_dmarc_local_set(local, word, err);
	return st;
}

enum mr_status
mr_dmarc_local_check(void *ctx, struct mr_str key, struct mr_str value, struct mr_err *err)
{
	struct mr_dmarc_local local;
	struct mr_err why;

	(void)ctx;
	(void)key;
	if (sender_reason(value) || apply(&local, value, &why) == MR_OK)
		return MR_OK;
	return mr_err_set(
	    err, MR_USAGE, "%s; or forwarded, trusted_forwarder, mailing_list", why.text);
}

/* ---- what the table has ------------------------------------------------------------------------------ */

/* MR_NOTFOUND also for an entry that is for authors. */
static enum mr_status
only_sender(enum mr_status st, struct mr_str value)
{
	return st == MR_OK && !sender_reason(value) ? MR_NOTFOUND : st;
}

/* The entry for who sends: the client's network, or a domain that SPF or DKIM vouches for.  What anybody can
 * write (List-Id, an envelope without SPF) opens nothing. */
static enum mr_status
find_sender(const struct mr_table *table, const struct mr_dmarc_query *q, struct mr_str client,
    struct mr_arena *arena, struct mr_str *value)
{
	enum mr_status st = MR_NOTFOUND;
	struct mr_net net;
	struct mr_ip ip;

	if (mr_ip_parse(&ip, client) == MR_OK)
		st = only_sender(mr_table_get_ip(table, &ip, &net, value), *value);
	for (size_t i = 0; st == MR_NOTFOUND && i <= q->signature_n; i++) {
		bool is_spf = i == q->signature_n;
		struct mr_str result = is_spf ? q->spf_result : q->signature[i].result,
		              domain = is_spf ? q->spf_domain : q->signature[i].domain;

		if (!mr_str_is(result, "pass") || domain.n == 0)
			continue;
		domain = mr_arena_lower(arena, domain);
		if (!domain.p)
			return MR_TEMP;
		st = only_sender(mr_table_get_domain(table, domain, NULL, value), *value);
	}
	return st;
}

/* What the table has for the author's domain, else for "*", over what `local` has. */
static enum mr_status
find_author(const struct mr_table *table, struct mr_str author, struct mr_dmarc_local *local)
{
	struct mr_str value;
	enum mr_status st = mr_table_get_domain(table, author, NULL, &value);

	if (st == MR_OK && sender_reason(value))
		st = MR_NOTFOUND;
	if (st == MR_NOTFOUND)
		st = mr_table_get_default(table, &value);
	if (st == MR_OK && !sender_reason(value))
		return apply(local, value, NULL);
	return st == MR_NOTFOUND ? MR_OK : st;
}

/* ---- judging ----------------------------------------------------------------------------------------- */

/* True if the message is one of the pct in a hundred.  By its id here, which no sender chooses; the same
 * message is always the same. */
static bool
is_sampled(struct mr_str id, unsigned pct)
{
	return id.n == 0 || mr_str_hash(id) % 100 < pct;
}

/* The policy, one step milder for a message that is not to feel it (RFC 7489 6.6.4, RFC 9989 4.7 t). */
static void
weaken(struct mr_dmarc_verdict *v, const struct mr_dmarc *d, bool has_pct, struct mr_str id)
{
	v->policy = d->policy;
	if (d->result != MR_DMARC_RESULT_FAIL || v->policy == MR_DMARC_NONE)
		return;
	if (d->record.is_test)
		v->reason = "policy_test_mode";
	else if (has_pct && !is_sampled(id, d->record.pct))
		v->reason = "sampled_out";
	if (v->reason)
		v->policy = (enum mr_dmarc_policy)(v->policy - 1);
}

static enum mr_dmarc_action
action_of(
    const struct mr_dmarc_verdict *v, const struct mr_dmarc *d, const struct mr_dmarc_local *local)
{
	switch (d->result) {
	case MR_DMARC_RESULT_FAIL:
		return v->policy == MR_DMARC_REJECT    ? local->on[MR_DMARC_ON_REJECT]
		    : v->policy == MR_DMARC_QUARANTINE ? local->on[MR_DMARC_ON_QUARANTINE]
		                                       : MR_DMARC_DO_ACCEPT;
	case MR_DMARC_RESULT_PERMERROR:
		return local->on[MR_DMARC_ON_PERMERROR];
	case MR_DMARC_RESULT_TEMPERROR:
		return local->on[MR_DMARC_ON_TEMPERROR];
	default:
		return MR_DMARC_DO_ACCEPT;
	}
}

enum mr_status
mr_dmarc_local_judge(struct mr_dmarc_verdict *v, const struct mr_dmarc_local *local,
    const struct mr_table *table, const struct mr_dmarc *d, const struct mr_dmarc_query *query,
    struct mr_str client, struct mr_str id, struct mr_arena *arena, struct mr_err *err)
{
	static const enum mr_dmarc_action wanted[] = { MR_DMARC_DO_ACCEPT, MR_DMARC_DO_QUARANTINE,
		MR_DMARC_DO_REJECT };
	struct mr_dmarc_local mine = *local;
	struct mr_str value;
	enum mr_status st = MR_OK;

	*v = (struct mr_dmarc_verdict){ .reason = NULL };
	weaken(v, d, query->list != NULL, id);
	if (table && query->author.n)
		st = find_author(table, query->author, &mine);
	v->action = action_of(v, d, &mine);
	if (d->result == MR_DMARC_RESULT_FAIL && v->action != wanted[v->policy])
		v->reason = "local_policy";
	if (st == MR_OK && table && v->action != MR_DMARC_DO_ACCEPT
	    && (st = find_sender(table, query, client, arena, &value)) == MR_OK) {
		v->action = MR_DMARC_DO_ACCEPT;
		v->reason = sender_reason(value);
		mr_str_word(&value);
		value = mr_str_trim(value);
		v->comment = value.n ? value : (struct mr_str){ NULL, 0 };
	}
	return st && st != MR_NOTFOUND
	    ? mr_err_set(err, MR_TEMP, "the table is damaged, or no memory")
	    : MR_OK;
}
