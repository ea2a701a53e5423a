#include "filter/filter.h"

#include "check/access.h"

static const char client_forbidden[] = "5.7.1 Client is forbidden here";
static const char sender_forbidden[] = "5.7.1 Sender is forbidden here";

struct access {
	struct mr_table *table;
	bool client_only;   /* -c */
	bool needs_spf;     /* -s */
	bool wants_comment; /* -v */
};

static enum mr_status
read_options(struct access *a, const struct mr_filter_conf *conf, struct mr_err *err)
{
	for (size_t i = 0; i < conf->opt_n; i++) {
		a->client_only |= conf->opt[i].letter == 'c';
		a->needs_spf |= conf->opt[i].letter == 's';
	}
	if (a->client_only && a->needs_spf)
		return mr_err_set(
		    err, MR_USAGE, "-c and -s do not go together: with -c no sender is looked at");
	if (conf->operand_n != 1)
		return mr_err_set(err, MR_USAGE, "need exactly one table");
	a->wants_comment = conf->is_verbose;
	return MR_OK;
}

/* Whoever passes -c becomes trusted: that must never be everybody. */
static enum mr_status
check_trust(const struct access *a, const char *path, struct mr_err *err)
{
	bool trusts_all;
	struct mr_str key;

	if (!a->client_only)
		return MR_OK;
	if (mr_access_trusts_all(a->table, &trusts_all, &key))
		return mr_err_set(err, MR_TEMP, "%s: damaged; compile it again", path);
	if (trusts_all)
		return mr_err_set(err, MR_USAGE,
		    "%s: permits '%.*s', thus every client, which would make this host an open "
		    "relay; permit your own networks only",
		    path, (int)key.n, key.p);
	return MR_OK;
}

static void
access_close(void *state)
{
	struct access *a = state;

	mr_table_close(a->table);
}

static enum mr_status
access_open(void **state, const struct mr_filter_conf *conf, struct mr_err *err)
{
	struct access *a = mr_arena_alloc(conf->arena, sizeof *a);
	enum mr_status st;

	if (!a)
		return mr_err_set(err, MR_TEMP, "out of memory");
	if ((st = read_options(a, conf, err))
	    || (st = mr_table_load(
	            &a->table, conf->watch, conf->operand[0], MR_TABLE_ACCESS, NULL, NULL, err)))
		return st;
	if ((st = check_trust(a, conf->operand[0], err))) {
		access_close(a);
		return st;
	}
	*state = a;
	return MR_OK;
}

/* Which entry decided. */
static struct mr_str
note_of(const struct access *a, const struct mr_access *found, struct mr_arena *arena)
{
	bool has_comment = a->wants_comment && found->comment.n;

	if (found->unproven.p)
		return mr_arena_fmt(arena, "permit %.*s does not count without spf_result=pass",
		    (int)found->unproven.n, found->unproven.p);
	if (found->verdict == MR_ACCESS_NONE)
		return MR_STR("no entry");
	return mr_arena_fmt(arena, "%s %.*s%s%s%.*s",
	    found->verdict == MR_ACCESS_FORBID ? "forbid" : "permit", (int)found->key.n,
	    found->key.p, found->is_both ? " (forbidden, too)" : "", has_comment ? ": " : "",
	    has_comment ? (int)found->comment.n : 0, has_comment ? found->comment.p : "");
}

static enum mr_status
access_envelope(void *state, const struct mr_env *env, struct mr_answer *answer, struct mr_err *err)
{
	const struct access *a = state;
	struct mr_str name = mr_env_get(env, "client_name");
	struct mr_access_query query = { .sender_is_proven = true };
	struct mr_access found;
	struct mr_ip ip;
	enum mr_status st;

	if (mr_ip_parse(&ip, mr_env_get(env, "client_address")) == MR_OK)
		query.ip = &ip;
	if (!mr_str_is(name, "unknown")) /* Postfix's word for a client without a name */
		query.client_name = name;
	if (!a->client_only)
		query.sender = mr_env_get(env, "sender");
	if (a->needs_spf)
		query.sender_is_proven = mr_str_is(mr_env_get(env, "spf_result"), "pass");
	if ((st = mr_access_judge(a->table, &query, answer->arena, &found, err)))
		return st;
	if (found.verdict == MR_ACCESS_FORBID)
		mr_answer_say(answer, MR_REFUSE, "%s",
		    found.by == MR_ACCESS_BY_IP ? client_forbidden : sender_forbidden);
	else if (found.verdict == MR_ACCESS_PERMIT)
		answer->verdict = MR_MEMBER;
	answer->note = note_of(a, &found, answer->arena);
	return MR_OK;
}

const struct mr_filter mr_filter_access = {
	.name = "mr-access",
	.purpose = "permit or forbid clients and senders by a table",
	.synopsis = "[-c | -s] table",
	.letters = "cs",
	.open = access_open,
	.envelope = access_envelope,
	.close = access_close,
};
