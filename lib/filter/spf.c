#include "check/spf.h"
#include "filter/filter.h"
#include "mail/addr.h"
#include "mail/authres.h"
#include "table/table.h"

#include <stdio.h>

/* RFC 7372 has the enhanced codes, RFC 7208 section 8 what each result means. */
static const char not_allowed[] = "%c.7.23 SPF %s: %s may not %s %.*s%s%.*s";
static const char domain_explains[] = "; the domain %.*s explains: ";
static const char not_checked[] = "%c.7.24 SPF %s: %.*s";

#define SHOWN_MAX 200 /* octets of what others wrote, in header fields and replies */

/* What the results mean here; an entry of a table changes it for a client or a sender. */
struct policy {
	enum mr_verdict on[MR_SPF_PERMERROR + 1];
	enum mr_verdict on_helo_fail;
	bool is_skipped;      /* no check at all */
	struct mr_str record; /* instead of what the DNS has; p NULL: the DNS */
};

struct spf {
	const struct mr_filter_conf *conf;
	struct mr_table *table; /* NULL: none */
	struct mr_spf_matcher *matcher;
	struct policy policy;
	struct mr_str explanation; /* -x; p NULL: none */
};

/* One message's checks. */
struct checks {
	struct mr_spf mailfrom, helo;
	bool has_helo;        /* HELO is checked, besides */
	struct policy policy; /* for this client and sender */
	struct mr_ip ip;
	char ip_text[MR_IP_TEXT_MAX];
	bool has_ip;
	struct mr_str sender, helo_name;
};

/* ---- options and table ------------------------------------------------------------------------ */

/* "fail=accept" and the like. */
static enum mr_status
set_action(struct policy *policy, struct mr_str word, struct mr_err *err)
{
	static const struct {
		const char *word;
		enum mr_verdict verdict;
	} actions[] = { { "accept", MR_DUNNO }, { "defer", MR_DEFER }, { "reject", MR_REFUSE } };
	static const enum mr_spf_result results[] = { MR_SPF_FAIL, MR_SPF_SOFTFAIL, MR_SPF_NEUTRAL,
		MR_SPF_NONE, MR_SPF_PERMERROR, MR_SPF_TEMPERROR };
	enum mr_verdict *on = NULL;
	struct mr_str rest = word, name;
	size_t a = 0;

	mr_str_split(&rest, '=', &name);
	for (size_t i = 0; i < sizeof results / sizeof *results; i++)
		if (mr_str_is(name, mr_spf_result_word(results[i])))
			on = &policy->on[results[i]];
	if (mr_str_is(name, "helo"))
		on = &policy->on_helo_fail;
	while (a < sizeof actions / sizeof *actions && !mr_str_is(rest, actions[a].word))
		a++;
	if (!on || a == sizeof actions / sizeof *actions)
		return mr_err_set(err, MR_USAGE,
		    "'%.*s': need fail, softfail, neutral, none, permerror, temperror or helo, "
		    "'=', and accept, defer or reject",
		    (int)word.n, word.p);
	if (on == &policy->on[MR_SPF_TEMPERROR] && actions[a].verdict == MR_REFUSE)
		return mr_err_set(
		    err, MR_USAGE, "temperror=reject would bounce mail on an outage of the DNS");
	*on = actions[a].verdict;
	return MR_OK;
}

static enum mr_status
set_record(struct policy *policy, struct mr_str text, struct mr_err *err)
{
	struct mr_spf_record record;
	struct mr_err why;

	if (!mr_spf_is_record(text))
		return mr_err_set(err, MR_USAGE, "'%.*s': a record begins with v=spf1",
		    (int)(text.n < 80 ? text.n : 80), text.p);
	if (mr_spf_record_parse(&record, text, &why))
		return mr_err_set(err, MR_USAGE, "%s", why.text);
	policy->record = text;
	return MR_OK;
}

/* The value of a table's entry: "skip", a record, or words as of -a. */
static enum mr_status
apply(struct policy *policy, struct mr_str value, struct mr_err *err)
{
	struct mr_str word;
	enum mr_status st = MR_OK;

	if (mr_str_is(value, "skip")) {
		policy->is_skipped = true;
		return MR_OK;
	}
	if (mr_str_casestarts(value, "v="))
		return set_record(policy, value, err);
	while (st == MR_OK && (word = mr_str_word(&value)).n)
		st = set_action(policy, word, err);
	return st;
}

static enum mr_status
check_entry(void *ctx, struct mr_str key, struct mr_str value, struct mr_err *err)
{
	struct policy policy = { .is_skipped = false };

	(void)ctx;
	(void)key;
	return apply(&policy, value, err) ? MR_USAGE : MR_OK;
}

static enum mr_status
read_options(struct spf *s, const struct mr_filter_conf *conf, struct mr_err *err)
{
	enum mr_status st = MR_OK;

	s->conf = conf;
	s->policy.on[MR_SPF_FAIL] = MR_REFUSE;
	s->policy.on[MR_SPF_TEMPERROR] = conf->outage_is_open ? MR_DUNNO : MR_DEFER;
	for (size_t i = 0; st == MR_OK && i < conf->opt_n; i++) {
		struct mr_str arg = mr_str(conf->opt[i].arg);

		switch (conf->opt[i].letter) {
		case 'a':
			st = set_action(&s->policy, arg, err);
			break;
		case 's':
			st = set_record(&s->policy, arg, err);
			break;
		default: /* 'x' */
			if (!mr_spf_is_explanation(arg))
				return mr_err_set(err, MR_USAGE, "-x: wrong syntax (RFC 7208 6.2)");
			s->explanation = arg;
		}
	}
	if (st == MR_OK && conf->operand_n > 1)
		return mr_err_set(err, MR_USAGE, "more than one table");
	return st;
}

static void
spf_close(void *state)
{
	struct spf *s = state;

	mr_table_close(s->table);
	mr_spf_matcher_close(s->matcher);
}

static enum mr_status
spf_open(void **state, const struct mr_filter_conf *conf, struct mr_err *err)
{
	struct spf *s = mr_arena_alloc(conf->arena, sizeof *s);
	enum mr_status st;

	if (!s)
		return mr_err_set(err, MR_TEMP, "out of memory");
	st = read_options(s, conf, err);
	if (st == MR_OK && conf->operand_n)
		st = mr_table_load(
		    &s->table, conf->watch, conf->operand[0], MR_TABLE_MAP, check_entry, NULL, err);
	if (st == MR_OK)
		st = mr_spf_matcher_open(&s->matcher, err);
	if (st)
		spf_close(s);
	*state = s;
	return st;
}

/* ---- checking --------------------------------------------------------------------------------- */

/* What the table says of the client, then of the sender (mailbox, domain, else "*"). */
static enum mr_status
look_up_policy(
    const struct mr_table *table, struct checks *c, struct mr_arena *arena, struct mr_err *err)
{
	struct mr_str value;
	struct mr_addr addr;
	struct mr_net net;
	enum mr_status st = mr_table_get_ip(table, &c->ip, &net, &value);

	if (st == MR_OK)
		st = apply(&c->policy, value, err);
	if (st && st != MR_NOTFOUND)
		return st;
	st = mr_addr_parse_unquoted(&addr, arena,
	    c->sender.n ? c->sender
	                : mr_arena_fmt(arena, "postmaster@%.*s", (int)c->helo_name.n,
	                    c->helo_name.n ? c->helo_name.p : ""),
	    err);
	if (st == MR_TEMP)
		return st;
	if (st == MR_OK && (st = mr_table_get_mailbox(table, addr.text, &value)) == MR_NOTFOUND)
		st = mr_table_get_domain(table, addr.domain, NULL, &value);
	if (st == MR_NOTFOUND || st == MR_PERM)
		st = mr_table_get_default(table, &value);
	if (st == MR_OK)
		return apply(&c->policy, value, err);
	return st == MR_NOTFOUND ? MR_OK : st;
}

static enum mr_status
read_env(const struct spf *s, struct checks *c, const struct mr_env *env, struct mr_arena *arena,
    struct mr_err *err)
{
	enum mr_status st;

	*c = (struct checks){ .policy = s->policy };
	c->sender = mr_env_get(env, "sender");
	c->helo_name = mr_env_get(env, "helo_name");
	c->has_ip = mr_ip_parse(&c->ip, mr_env_get(env, "client_address")) == MR_OK;
	if (!c->has_ip)
		return MR_OK;
	mr_ip_text(c->ip_text, &c->ip);
	c->has_helo = c->sender.n && c->helo_name.n;
	if (s->table && (st = look_up_policy(s->table, c, arena, err)))
		return mr_err_set(err, MR_TEMP, "the table is damaged");
	return MR_OK;
}

/* One walk for each identity, with what the DNS has answered so far; MR_NOTFOUND: more was asked. */
static enum mr_status
walk(const struct spf *s, struct checks *c, const struct mr_log *trace, struct mr_arena *arena,
    struct mr_err *err)
{
	struct mr_spf_query query = { .ip = &c->ip,
		.helo = c->helo_name,
		.sender = c->sender,
		.receiver = s->conf->our_name,
		.record = c->policy.record,
		.explanation = s->explanation,
		.matcher = s->matcher,
		.trace = trace };
	enum mr_status st = mr_spf_check(&c->mailfrom, &query, s->conf->dns, arena, err), helo;

	if ((st && st != MR_NOTFOUND) || !c->has_helo)
		return st;
	query.sender = MR_STR("");
	query.record = (struct mr_str){ NULL, 0 };
	helo = mr_spf_check(&c->helo, &query, s->conf->dns, arena, err);
	return helo ? helo : st;
}

static enum mr_status
spf_ask(void *state, const struct mr_env *env, struct mr_err *err)
{
	const struct spf *s = state;
	struct mr_arena arena;
	struct checks c;
	enum mr_status st;

	mr_arena_init(&arena, MR_SPF_MEMORY_MAX);
	st = read_env(s, &c, env, &arena, err);
	if (st == MR_OK && c.has_ip && !c.policy.is_skipped)
		st = walk(s, &c, NULL, &arena, err);
	mr_arena_free(&arena);
	return st == MR_NOTFOUND ? MR_OK : st;
}

/* ---- answering -------------------------------------------------------------------------------- */

static enum mr_status
add_result(
    struct mr_answer *answer, const struct mr_spf *spf, const char *property, struct mr_err *err)
{
	enum mr_status st;
	struct mr_buf b;

	mr_buf_init(&b, MR_ANSWER_MAX);
	mr_buf_addf(&b, "spf=%s smtp.%s=", mr_spf_result_word(spf->result), property);
	mr_authres_add_value(&b, spf->domain, SHOWN_MAX);
	st = b.is_full ? mr_err_set(err, MR_TEMP, "out of memory")
	               : mr_answer_add_ar(answer, mr_buf_str(&b), err);
	mr_buf_free(&b);
	return st;
}

/* Received-SPF (RFC 7208 section 9.1), each pair on a line of its own. */
static enum mr_status
add_header(
    struct mr_answer *answer, const struct spf *s, const struct checks *c, struct mr_err *err)
{
	const struct mr_spf *spf = &c->mailfrom;
	const struct {
		const char *key;
		struct mr_str value;
	} pairs[] = {
		{ "client-ip", mr_str(c->ip_text) },
		{ "envelope-from", c->sender.p ? c->sender : MR_STR("") },
		{ "helo", c->helo_name.p ? c->helo_name : MR_STR("") },
		{ "identity", c->sender.n ? MR_STR("mailfrom") : MR_STR("helo") },
		{ "receiver", s->conf->our_name },
		{ "mechanism", spf->term },
		{ "problem", spf->problem },
	};
	struct mr_buf b;

	mr_buf_init(&b, MR_ANSWER_MAX);
	mr_buf_addf(&b, "Received-SPF: %s", mr_spf_result_word(spf->result));
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		if (!pairs[i].value.p)
			continue;
		mr_buf_addf(&b, "%s\n\t%s=", i ? ";" : "", pairs[i].key);
		mr_authres_add_value(&b, pairs[i].value, SHOWN_MAX);
	}
	mr_buf_addc(&b, '\n');
	answer->headers = mr_arena_dup(answer->arena, mr_buf_str(&b));
	if (b.is_full || !answer->headers.p)
		return mr_err_set(err, MR_TEMP, "out of memory");
	mr_buf_free(&b);
	return MR_OK;
}

/* The verdict and its reply, if the policy has one for the result. */
static void
say(struct mr_answer *answer, const struct checks *c)
{
	const struct mr_spf *spf = &c->mailfrom;
	enum mr_verdict verdict = c->policy.on[spf->result];
	bool is_error = spf->result == MR_SPF_TEMPERROR || spf->result == MR_SPF_PERMERROR;
	const char *what = c->sender.n ? "send mail for" : "use the HELO name";
	struct mr_str domain, why, more;
	char class;

	if (verdict == MR_DUNNO && c->has_helo && c->helo.result == MR_SPF_FAIL) {
		spf = &c->helo;
		verdict = c->policy.on_helo_fail;
		what = "use the HELO name";
		is_error = false;
	}
	if (verdict == MR_DUNNO)
		return;
	class = verdict == MR_REFUSE ? '5' : '4';
	domain = mr_arena_shown(answer->arena, spf->domain, SHOWN_MAX, "");
	why = mr_arena_shown(answer->arena, spf->problem, SHOWN_MAX, "");
	more = spf->is_explained_by_domain
	    ? mr_arena_fmt(answer->arena, domain_explains, (int)domain.n, domain.p)
	    : MR_STR("; ");
	if (is_error)
		mr_answer_say(answer, verdict, not_checked, class, mr_spf_result_word(spf->result),
		    (int)why.n, why.p);
	else
		mr_answer_say(answer, verdict, not_allowed, class, mr_spf_result_word(spf->result),
		    c->ip_text, what, (int)domain.n, domain.p,
		    spf->explanation.p && more.p ? more.p : "", (int)spf->explanation.n,
		    spf->explanation.p);
}

/* "fail for example.org by -all" */
static void
add_words(struct mr_buf *b, const struct mr_spf *spf, struct mr_arena *arena)
{
	struct mr_str domain = mr_arena_shown(arena, spf->domain, SHOWN_MAX, ""),
	              by = mr_arena_shown(
	                  arena, spf->problem.p ? spf->problem : spf->term, SHOWN_MAX, "");

	mr_buf_addf(b, "%s for %.*s", mr_spf_result_word(spf->result), (int)domain.n, domain.p);
	if (by.n)
		mr_buf_addf(b, "%s %.*s", spf->problem.p ? ":" : " by", (int)by.n, by.p);
}

/* For people: the result stands first. */
static enum mr_status
add_report(struct mr_answer *answer, const struct checks *c, struct mr_err *err)
{
	struct mr_buf b;

	mr_buf_init(&b, MR_ANSWER_MAX);
	add_words(&b, &c->mailfrom, answer->arena);
	answer->note = mr_arena_dup(answer->arena, mr_buf_str(&b));
	if (c->has_helo) {
		mr_buf_adds(&b, "\nhelo: ");
		add_words(&b, &c->helo, answer->arena);
	}
	if (c->mailfrom.explanation.p) {
		mr_buf_adds(&b, "\nexplanation=");
		mr_buf_add(&b, c->mailfrom.explanation);
	}
	mr_buf_addc(&b, '\n');
	answer->report = mr_arena_dup(answer->arena, mr_buf_str(&b));
	mr_buf_free(&b);
	return answer->note.p && answer->report.p ? MR_OK
	                                          : mr_err_set(err, MR_TEMP, "out of memory");
}

static enum mr_status
no_check(struct mr_answer *answer, const char *why)
{
	answer->note = mr_str(why);
	answer->report = mr_arena_fmt(answer->arena, "none (%s)\n", why);
	return MR_OK;
}

static enum mr_status
spf_envelope(void *state, const struct mr_env *env, struct mr_answer *answer, struct mr_err *err)
{
	const struct spf *s = state;
	struct checks c;
	enum mr_status st;

	if ((st = read_env(s, &c, env, answer->arena, err)))
		return st;
	if (!c.has_ip)
		return no_check(answer, "no client address");
	if (c.policy.is_skipped)
		return no_check(answer, "skipped by the table");
	st = walk(s, &c, s->conf->is_verbose ? s->conf->log : NULL, answer->arena, err);
	if (st)
		return st == MR_NOTFOUND ? mr_err_set(err, MR_TEMP, "the DNS was not asked") : st;
	if ((st = add_result(answer, &c.mailfrom, c.sender.n ? "mailfrom" : "helo", err))
	    || (c.has_helo && (st = add_result(answer, &c.helo, "helo", err)))
	    || (st = mr_attrs_set(&answer->attrs, answer->arena, MR_STR("spf_result"),
	            mr_str(mr_spf_result_word(c.mailfrom.result)), err))
	    || (st = mr_attrs_set(&answer->attrs, answer->arena, MR_STR("spf_domain"),
	            mr_arena_shown(answer->arena, c.mailfrom.domain, SHOWN_MAX, ""), err))
	    || (st = add_header(answer, s, &c, err)) || (st = add_report(answer, &c, err)))
		return st;
	say(answer, &c);
	return MR_OK;
}

const struct mr_filter mr_filter_spf = {
	.name = "mr-spf",
	.purpose = "whether the sender's domain lets the client send",
	.synopsis = "[-a result=action]... [-s record] [-x explanation] [table]",
	.letters = "a:s:x:",
	.time_s = MR_SPF_TIME_S,
	.open = spf_open,
	.ask = spf_ask,
	.envelope = spf_envelope,
	.close = spf_close,
};
