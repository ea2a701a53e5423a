#include "check/greylist.h"

#include "base/clock.h"
#include "base/opt.h"
#include "check/greylist_key.h"
#include "check/spf.h"
#include "dns/names.h"
#include "filter/filter.h"
#include "mail/addr.h"
#include "table/table.h"

#include <inttypes.h>

static const char greylisted[] = "4.7.1 Greylisted; try again in %" PRId64 " seconds";

#define LOOKUPS_TIME_S 20u /* -T: for SPF and names */
#define RISKS_MAX      16u
#define SHOWN_MAX      100 /* bytes of one word in a note */

/* -m: only who has earned this much is delayed. */
struct risk {
	struct mr_str name;
	int64_t least;
};

struct greylist {
	const struct mr_filter_conf *conf;
	struct mr_table *table; /* of who is never delayed; NULL: none */
	struct mr_spf_matcher *matcher;
	const struct mr_orgdomain *suffixes;
	struct mr_greylist_policy policy;
	struct risk risk[RISKS_MAX];
	size_t risk_n;
	bool learns; /* -o */
};

/* ---- options and table ----------------------------------------------------------------------------- */

/* A whole number that may be negative. */
static bool
read_score(struct mr_str s, int64_t *score)
{
	bool is_negative = s.n && s.p[0] == '-';
	uint64_t n;

	if (!mr_str_num(mr_str_from(s, is_negative), INT32_MAX, &n))
		return false;
	*score = is_negative ? -(int64_t)n : (int64_t)n;
	return true;
}

static enum mr_status
add_risk(struct greylist *g, const char *arg, struct mr_err *err)
{
	struct mr_str least = mr_str(arg);
	struct risk *r = &g->risk[g->risk_n];

	if (g->risk_n == RISKS_MAX)
		return mr_err_set(err, MR_USAGE, "more than %u -m", RISKS_MAX);
	mr_str_split(&least, '=', &r->name);
	if (!r->name.n || !least.p || !read_score(least, &r->least))
		return mr_err_set(err, MR_USAGE, "-m %s: need name=number", arg);
	g->risk_n++;
	return MR_OK;
}

static enum mr_status
span(int64_t *to_s, const struct mr_filter_opt *opt, uint64_t hi_s, struct mr_err *err)
{
	uint64_t s;
	enum mr_status st = mr_opt_span_s(opt->letter, opt->arg, 1, hi_s, &s, err);

	if (st == MR_OK)
		*to_s = (int64_t)s;
	return st;
}

static enum mr_status
take_option(struct greylist *g, const struct mr_filter_opt *opt, struct mr_err *err)
{
	switch (opt->letter) {
	case 'a':
		return mr_opt_num('a', opt->arg, 0, 1000000, &g->policy.auto_n, err);
	case 'd':
		return span(&g->policy.delay_s, opt, 86400, err);
	case 'k':
		return span(&g->policy.life_s, opt, MR_STORE_TTL_MAX_S, err);
	case 'w':
		return span(&g->policy.window_s, opt, 30 * 86400, err);
	case 'm':
		return add_risk(g, opt->arg, err);
	default:
		g->learns = true;
		return MR_OK;
	}
}

/* An entry names who is never delayed: its only value is "skip". */
static enum mr_status
check_entry(void *ctx, struct mr_str key, struct mr_str value, struct mr_err *err)
{
	(void)ctx;
	(void)key;
	return mr_str_is(value, "skip") ? MR_OK
	                                : mr_err_set(err, MR_USAGE, "the value must be skip");
}

static void
greylist_close(void *state)
{
	struct greylist *g = state;

	mr_table_close(g->table);
	mr_spf_matcher_close(g->matcher);
}

static enum mr_status
open_parts(struct greylist *g, const char *path, struct mr_err *err)
{
	enum mr_status st;

	if (path
	    && (st = mr_table_load(
	            &g->table, g->conf->watch, path, MR_TABLE_MAP, check_entry, NULL, err)))
		return st;
	if ((st = mr_filter_suffixes(g->conf, &g->suffixes, err)))
		return st;
	return mr_spf_matcher_open(&g->matcher, err);
}

static enum mr_status
greylist_open(void **state, const struct mr_filter_conf *conf, struct mr_err *err)
{
	struct greylist *g = mr_arena_alloc(conf->arena, sizeof *g);
	enum mr_status st;

	if (!g)
		return mr_err_set(err, MR_TEMP, "out of memory");
	g->conf = conf;
	g->policy = (struct mr_greylist_policy){ .delay_s = MR_GREYLIST_DELAY_S,
		.window_s = MR_GREYLIST_WINDOW_S,
		.life_s = MR_GREYLIST_LIFE_S,
		.auto_n = MR_GREYLIST_AUTO_N };
	for (size_t i = 0; i < conf->opt_n; i++)
		if ((st = take_option(g, &conf->opt[i], err)))
			return st;
	if (!conf->store)
		return mr_err_set(err, MR_USAGE, "need -S store");
	if (g->policy.window_s <= g->policy.delay_s)
		return mr_err_set(err, MR_USAGE, "-w must be more than -d, or nothing ever passes");
	if (conf->operand_n > 1)
		return mr_err_set(err, MR_USAGE, "more than one table");
	if ((st = open_parts(g, conf->operand_n ? conf->operand[0] : NULL, err))) {
		greylist_close(g);
		return st;
	}
	*state = g;
	return MR_OK;
}

/* ---- who is not delayed ---------------------------------------------------------------------------- */

/* One record. */
struct attempt {
	struct mr_ip ip;
	bool has_ip;
	struct mr_str name; /* the client's, confirmed; n is 0: none */
	bool has_name;      /* somebody has told, also if there is none */
	struct mr_str sender, rcpt;
};

static void
read_env(struct attempt *a, const struct mr_env *env)
{
	struct mr_str name = mr_env_get(env, "client_name");
	bool is_name = name.n && !mr_str_is(name, "unknown");

	*a = (struct attempt){ .sender = mr_env_get(env, "sender"),
		.rcpt = mr_env_get(env, "recipient"),
		.name = is_name ? name : MR_STR(""),
		.has_name = is_name || mr_env_get(env, "reverse_client_name").p };
	a->has_ip = mr_ip_parse(&a->ip, mr_env_get(env, "client_address")) == MR_OK;
}

/* RFC 5321 4.5.1, RFC 2142: whoever has trouble with us must get through. */
static bool
is_for_trouble(struct mr_str rcpt)
{
	struct mr_str local = rcpt;
	ptrdiff_t at = mr_str_rchr(rcpt, '@');

	if (at >= 0)
		local.n = (size_t)at;
	return mr_str_caseis(local, "postmaster") || mr_str_caseis(local, "abuse");
}

/* A callout asks with the null sender, and looks at the answer to RCPT only: bounces wait at DATA. */
static bool
is_other_phase(const struct attempt *a, const struct mr_env *env)
{
	struct mr_str state = mr_env_get(env, "protocol_state");
	bool is_data = mr_str_is(state, "DATA") || mr_str_is(state, "END-OF-MESSAGE");

	return state.n && is_data != (a->sender.n == 0);
}

static bool
is_risk(const struct greylist *g, const struct mr_env *env)
{
	for (size_t i = 0; i < g->risk_n; i++) {
		const struct risk *r = &g->risk[i];
		struct mr_str value = { NULL, 0 };
		int64_t score;

		for (size_t k = 0; k < env->attrs.n; k++)
			if (mr_str_eq(env->attrs.v[k].name, r->name))
				value = env->attrs.v[k].value;
		if (read_score(value, &score) && score >= r->least)
			return true;
	}
	return g->risk_n == 0;
}

/* True if the table has the client's network or name, or the recipient or its domain. */
static enum mr_status
is_in_table(const struct greylist *g, const struct attempt *a, bool *is_there, struct mr_err *err)
{
	ptrdiff_t at = mr_str_rchr(a->rcpt, '@');
	struct mr_str domain = mr_str_from(a->rcpt, (size_t)(at + 1)), value;
	enum mr_status st = MR_NOTFOUND;
	struct mr_net net;

	*is_there = false;
	if (!g->table)
		return MR_OK;
	st = mr_table_get_ip(g->table, &a->ip, &net, &value);
	if (st == MR_NOTFOUND && a->name.n)
		st = mr_table_get_domain(g->table, a->name, NULL, &value);
	if (st == MR_NOTFOUND && a->rcpt.n)
		st = mr_table_get_mailbox(g->table, a->rcpt, &value);
	if (st == MR_NOTFOUND && domain.n)
		st = mr_table_get_domain(g->table, domain, NULL, &value);
	*is_there = st == MR_OK;
	return st == MR_OK || st == MR_NOTFOUND ? MR_OK
	                                        : mr_err_set(err, MR_TEMP, "the table is damaged");
}

/* Why this record is no business of ours; NULL: it is. */
static enum mr_status
find_exemption(const struct greylist *g, const struct attempt *a, const struct mr_env *env,
    const char **why, struct mr_err *err)
{
	bool is_there = false;
	enum mr_status st = a->has_ip ? is_in_table(g, a, &is_there, err) : MR_OK;

	*why = !a->has_ip             ? "no client address"
	    : is_other_phase(a, env)  ? "not in this phase"
	    : is_for_trouble(a->rcpt) ? "postmaster and abuse"
	    : is_there                ? "permitted by the table"
	    : !is_risk(g, env)        ? "no risk"
	                              : NULL;
	return st;
}

/* ---- the client ------------------------------------------------------------------------------------ */

/* The domain that SPF vouches for, n is 0: none.  MR_NOTFOUND: more was asked. */
static enum mr_status
spf_domain(const struct greylist *g, const struct attempt *a, const struct mr_env *env,
    struct mr_arena *arena, struct mr_str *domain, struct mr_err *err)
{
	struct mr_str known = mr_env_get(env, "spf_result");
	struct mr_spf_query query = { .ip = &a->ip,
		.helo = mr_env_get(env, "helo_name"),
		.sender = a->sender,
		.receiver = g->conf->our_name,
		.matcher = g->matcher };
	struct mr_spf spf;
	enum mr_status st;

	*domain = MR_STR("");
	if (known.p) {
		if (mr_str_is(known, "pass"))
			*domain = mr_env_get(env, "spf_domain");
		return MR_OK;
	}
	st = mr_spf_check(&spf, &query, g->conf->dns, arena, err);
	if (st == MR_OK && spf.result == MR_SPF_PASS)
		*domain = spf.domain;
	return st;
}

/* Who the client is, as far as the DNS has answered; MR_NOTFOUND: more was asked. */
static enum mr_status
find_client(const struct greylist *g, struct attempt *a, const struct mr_env *env,
    struct mr_arena *arena, struct mr_str *spf, struct mr_err *err)
{
	enum mr_status st = spf_domain(g, a, env, arena, spf, err);
	struct mr_dns_names names;

	if (spf->n || (st && st != MR_NOTFOUND))
		return st;
	if (!a->has_name && !mr_dns_names(g->conf->dns, &a->ip, &names))
		return MR_NOTFOUND;
	if (!a->has_name && names.client.n)
		a->name = names.client;
	return st;
}

static bool
is_generic(const struct attempt *a, struct mr_str org)
{
	return mr_greylist_is_generic((struct mr_str){ a->name.p, a->name.n - org.n }, &a->ip);
}

/* The client as it stands in keys: the domain that SPF vouches for, else that of a name of its own, else
 * its network. */
static enum mr_status
name_client(const struct greylist *g, const struct attempt *a, struct mr_str spf,
    struct mr_arena *arena, struct mr_greylist_query *q, struct mr_err *err)
{
	struct mr_str org = mr_orgdomain_of(g->suffixes, spf.n ? spf : a->name);
	bool is_own = spf.n || (a->name.n && !is_generic(a, org));
	char text[MR_NET_TEXT_MAX];
	struct mr_net net;

	q->domain = MR_STR("");
	if (is_own) {
		q->domain = mr_arena_lower(arena, org);
		q->client = spf.n ? mr_arena_lower(arena, spf) : q->domain;
	} else {
		net = mr_net_of(&a->ip, a->ip.is_v6 ? MR_GREYLIST_V6_BITS : MR_GREYLIST_V4_BITS);
		q->client = mr_arena_dup(arena, mr_net_text(text, &net));
	}
	q->sender = a->sender.n ? mr_greylist_sender(arena, a->sender) : MR_STR("");
	q->rcpt = a->rcpt.n ? mr_arena_lower(arena, a->rcpt) : MR_STR("");
	return q->domain.p && q->client.p && q->sender.p && q->rcpt.p
	    ? MR_OK
	    : mr_err_set(err, MR_TEMP, "out of memory");
}

static enum mr_status
greylist_ask(void *state, const struct mr_env *env, struct mr_err *err)
{
	const struct greylist *g = state;
	struct mr_arena arena;
	struct attempt a;
	struct mr_str spf;
	const char *why;
	enum mr_status st;

	read_env(&a, env);
	if (g->learns)
		return MR_OK;
	if ((st = find_exemption(g, &a, env, &why, err)) || why)
		return st;
	mr_arena_init(&arena, MR_SPF_MEMORY_MAX);
	st = find_client(g, &a, env, &arena, &spf, err);
	mr_arena_free(&arena);
	return st == MR_NOTFOUND ? MR_OK : st;
}

/* ---- answering ------------------------------------------------------------------------------------- */

static int
shown(struct mr_str s)
{
	return (int)(s.n < SHOWN_MAX ? s.n : SHOWN_MAX);
}

static enum mr_status
say(const struct greylist *g, const struct mr_greylist *found, const struct mr_greylist_query *q,
    struct mr_answer *answer, struct mr_err *err)
{
	answer->note = mr_arena_fmt(answer->arena, "%s: %.*s <%.*s> <%.*s>",
	    mr_greylist_word(found->state), shown(q->client), q->client.p, shown(q->sender),
	    q->sender.p, shown(q->rcpt), q->rcpt.p);
	if (found->state == MR_GREYLIST_NEW || found->state == MR_GREYLIST_EARLY)
		mr_answer_say(answer, MR_DEFER, greylisted, found->left_s);
	if (found->state == MR_GREYLIST_PASSED)
		answer->headers = mr_arena_fmt(answer->arena,
		    "X-Greylist: delayed %" PRId64 " seconds by mr-greylist at %.*s\n",
		    found->waited_s, (int)g->conf->our_name.n, g->conf->our_name.p);
	return answer->note.p && (found->state != MR_GREYLIST_PASSED || answer->headers.p)
	    ? MR_OK
	    : mr_err_set(err, MR_TEMP, "out of memory");
}

/* Outgoing mail: the domains that it goes to. */
static enum mr_status
learn(const struct greylist *g, const struct mr_env *env, struct mr_answer *answer,
    struct mr_err *err)
{
	enum mr_status st = MR_OK;

	for (size_t i = 0; st == MR_OK && i < env->rcpt_n; i++) {
		struct mr_str rcpt = env->rcpt[i].addr, org;
		ptrdiff_t at = mr_str_rchr(rcpt, '@');

		if (at < 0 || g->conf->is_trial)
			continue;
		org = mr_arena_lower(
		    answer->arena, mr_orgdomain_of(g->suffixes, mr_str_from(rcpt, (size_t)at + 1)));
		st = org.p
		    ? mr_greylist_learn(&g->policy, org, g->conf->store, mr_clock_now_s(), err)
		    : mr_err_set(err, MR_TEMP, "out of memory");
	}
	return st;
}

static enum mr_status
greylist_envelope(
    void *state, const struct mr_env *env, struct mr_answer *answer, struct mr_err *err)
{
	const struct greylist *g = state;
	struct mr_greylist_query query;
	struct mr_greylist found;
	struct attempt a;
	struct mr_str spf;
	const char *why;
	enum mr_status st;

	if (g->learns)
		return learn(g, env, answer, err);
	read_env(&a, env);
	if ((st = find_exemption(g, &a, env, &why, err)))
		return st;
	if (why) {
		answer->note = mr_str(why);
		return MR_OK;
	}
	if ((st = find_client(g, &a, env, answer->arena, &spf, err)) == MR_NOTFOUND)
		return mr_err_set(err, MR_TEMP, "the DNS was not asked");
	if (st || (st = name_client(g, &a, spf, answer->arena, &query, err))
	    || (st = mr_greylist_judge(&found, &g->policy, &query, g->conf->is_trial,
	            g->conf->store, mr_clock_now_s(), err)))
		return st;
	return say(g, &found, &query, answer, err);
}

const struct mr_filter mr_filter_greylist = {
	.name = "mr-greylist",
	.purpose = "who is not known must try again",
	.synopsis = "[-o] [-a number] [-d delay] [-k life] [-m name=number]... [-w window] [table]",
	.letters = "a:d:k:m:ow:",
	.time_s = LOOKUPS_TIME_S,
	.uses_store = true,
	.open = greylist_open,
	.ask = greylist_ask,
	.envelope = greylist_envelope,
	.close = greylist_close,
};
