#include "base/clock.h"
#include "check/dkim_verify.h"
#include "filter/filter.h"
#include "mail/addr.h"
#include "mail/authres.h"
#include "mail/from.h"
#include "table/table.h"

#include <stdio.h>

/* RFC 7372 has the enhanced codes. */
static const char no_good_signature[] = "%c.7.20 No good DKIM signature%s%.*s: %s%s%.*s";

#define SHOWN_MAX   255u /* octets of names */
#define WHY_MAX     200u /* octets of a reason */
#define B_SHOWN_MIN 8u   /* characters of b= that tell signatures apart (RFC 6008 section 4) */
#define TIME_S      10u  /* for all lookups together */

/* What the results mean here. */
struct policy {
	enum mr_verdict on[MR_DKIM_NONE + 1];
};

struct dkimverify {
	const struct mr_filter_conf *conf;
	struct mr_opendkim_lib *lib;
	struct mr_table *table; /* NULL: none */
	struct policy policy;
};

/* ---- options and table ------------------------------------------------------------------------ */

/* "fail=reject" and the like. */
static enum mr_status
set_action(struct policy *policy, struct mr_str word, struct mr_err *err)
{
	static const struct {
		const char *word;
		enum mr_verdict verdict;
	} actions[] = { { "accept", MR_DUNNO }, { "defer", MR_DEFER }, { "reject", MR_REFUSE } };
	struct mr_str rest = word, name;
	size_t r = MR_DKIM_TEMPERROR, a = 0;

	mr_str_split(&rest, '=', &name);
	while (r <= MR_DKIM_NONE && !mr_str_is(name, mr_dkim_word((enum mr_dkim_word)r)))
		r++;
	while (a < sizeof actions / sizeof *actions && !mr_str_is(rest, actions[a].word))
		a++;
	if (r > MR_DKIM_NONE || a == sizeof actions / sizeof *actions)
		return mr_err_set(err, MR_USAGE,
		    "'%.*s': need fail, policy, neutral, none, permerror or temperror, '=', and "
		    "accept, defer or reject",
		    (int)(word.n < 80 ? word.n : 80), word.n ? word.p : "");
	if (r == MR_DKIM_TEMPERROR && actions[a].verdict == MR_REFUSE)
		return mr_err_set(
		    err, MR_USAGE, "temperror=reject would bounce mail on an outage of the DNS");
	policy->on[r] = actions[a].verdict;
	return MR_OK;
}

static enum mr_status
apply(struct policy *policy, struct mr_str value, struct mr_err *err)
{
	struct mr_str word;
	enum mr_status st = MR_OK;

	while (st == MR_OK && (word = mr_str_word(&value)).n)
		st = set_action(policy, word, err);
	return st;
}

static enum mr_status
check_entry(void *ctx, struct mr_str key, struct mr_str value, struct mr_err *err)
{
	struct policy policy = { .on = { MR_DUNNO } };

	(void)ctx;
	(void)key;
	return apply(&policy, value, err) ? MR_USAGE : MR_OK;
}

static void
dkimverify_close(void *state)
{
	struct dkimverify *v = state;

	mr_table_close(v->table);
	mr_opendkim_unload(v->lib);
}

static enum mr_status
dkimverify_open(void **state, const struct mr_filter_conf *conf, struct mr_err *err)
{
	struct dkimverify *v = mr_arena_alloc(conf->arena, sizeof *v);
	enum mr_status st = MR_OK;

	if (!v)
		return mr_err_set(err, MR_TEMP, "out of memory");
	*state = v;
	v->conf = conf;
	for (size_t i = 0; i < conf->opt_n && st == MR_OK; i++) /* -a is the only one */
		st = set_action(&v->policy, mr_str(conf->opt[i].arg), err);
	if (st == MR_OK && conf->operand_n > 1)
		st = mr_err_set(err, MR_USAGE, "more than one table");
	if (st == MR_OK && conf->operand_n)
		st = mr_table_load(
		    &v->table, conf->watch, conf->operand[0], MR_TABLE_MAP, check_entry, NULL, err);
	return st;
}

static enum mr_status
load_library(struct dkimverify *v, struct mr_err *err)
{
	return v->lib ? MR_OK : mr_opendkim_load(&v->lib, err);
}

static enum mr_status
dkimverify_preload(void *state, struct mr_err *err)
{
	enum mr_status st = load_library(state, err);

	return st ? st : mr_dkim_warm_up(err);
}

/* ---- verdict ------------------------------------------------------------------------------------ */

/* What counts for mail of `domain` (n 0: for any): its own signatures, or those of a domain above or below
 * it.  NULL: there is none.  A signature of a signer who is trying things out counts if it is good only
 * (RFC 6376 3.6.1). */
static const struct mr_dkim_result *
best_for(const struct mr_dkim *dkim, struct mr_str domain)
{
	const struct mr_dkim_result *best = NULL;

	for (size_t i = 0; i < dkim->n; i++) {
		const struct mr_dkim_result *r = &dkim->sig[i];

		if ((r->is_test && r->word != MR_DKIM_PASS)
		    || (domain.n
		        && (!r->domain.p
		            || (!mr_domain_is_below(r->domain, domain)
		                && !mr_domain_is_below(domain, r->domain)))))
			continue;
		if (!best || r->word < best->word)
			best = r;
	}
	return best;
}

/* Says the verdict of `policy` if it is stricter than what was said. */
static void
say(struct mr_answer *answer, const struct policy *policy, const struct mr_dkim *dkim,
    struct mr_str domain)
{
	const struct mr_dkim_result *best = best_for(dkim, domain);
	enum mr_dkim_word word = best ? best->word : MR_DKIM_NONE;
	enum mr_verdict verdict = policy->on[word];
	struct mr_str why = best && best->why.p ? best->why : MR_STR("");

	if (verdict == MR_DUNNO || answer->verdict == MR_REFUSE || answer->verdict == verdict)
		return;
	mr_answer_say(answer, verdict, no_good_signature, verdict == MR_REFUSE ? '5' : '4',
	    domain.n ? " of " : "", (int)domain.n, domain.n ? domain.p : "", mr_dkim_word(word),
	    why.n ? ", " : "", (int)(why.n < WHY_MAX ? why.n : WHY_MAX), why.p);
}

/* Each author's domain by its entry; without any the options count. */
static enum mr_status
decide(const struct dkimverify *v, const struct mr_dkim *dkim, struct mr_answer *answer,
    struct mr_err *err)
{
	struct mr_from from = { .n = 0 };
	bool has_entry = false;
	struct mr_err why;

	if (v->table && dkim->from.p
	    && mr_from_add(&from, answer->arena, dkim->from, &why) == MR_TEMP)
		return mr_err_set(err, MR_TEMP, "%s", why.text);
	for (size_t i = 0; i < from.n; i++) {
		struct policy policy = v->policy;
		struct mr_str value;
		enum mr_status st = mr_table_get_domain(v->table, from.domain[i], NULL, &value);

		if (st == MR_NOTFOUND)
			st = mr_table_get_default(v->table, &value);
		if (st == MR_NOTFOUND)
			continue;
		if (st || apply(&policy, value, err))
			return mr_err_set(err, MR_TEMP, "the table is damaged");
		has_entry = true;
		say(answer, &policy, dkim, from.domain[i]);
	}
	if (!has_entry)
		say(answer, &v->policy, dkim, MR_STR(""));
	return MR_OK;
}

/* ---- answering ---------------------------------------------------------------------------------- */

/* How much of b= tells this signature from the others (RFC 6008 4). */
static size_t
b_len(const struct mr_dkim *dkim, size_t i)
{
	struct mr_str b = dkim->sig[i].b;
	size_t len = b.n < B_SHOWN_MIN ? b.n : B_SHOWN_MIN;

	for (size_t k = 0; k < dkim->n; k++) {
		struct mr_str other = dkim->sig[k].b;
		size_t same = 0;

		while (same < b.n && same < other.n && b.p[same] == other.p[same])
			same++;
		if (same >= len && same < b.n)
			len = same + 1;
	}
	return len < 64 ? len : 64;
}

static void
add_property(struct mr_buf *b, const char *name, struct mr_str value)
{
	if (value.n) {
		mr_buf_addf(b, " %s=", name);
		mr_authres_add_value(b, value, SHOWN_MAX);
	}
}

static void
add_reason(struct mr_buf *b, struct mr_str why)
{
	if (why.p) {
		mr_buf_adds(b, " reason=");
		mr_authres_add_value(b, why, WHY_MAX);
	}
}

/* RFC 8601 2.7.1. */
static void
add_result(struct mr_buf *b, const struct mr_dkim *dkim, size_t i)
{
	const struct mr_dkim_result *r = &dkim->sig[i];

	mr_buf_addf(b, "dkim=%s", mr_dkim_word(r->word));
	if (r->is_test)
		mr_buf_adds(b, " (test key)");
	add_reason(b, r->why);
	add_property(b, "header.d", r->domain);
	add_property(b, "header.s", r->selector);
	add_property(b, "header.a", r->algorithm);
	add_property(b, "header.b", (struct mr_str){ r->b.p, b_len(dkim, i) });
}

static void
add_ignored(struct mr_buf *b, const struct mr_dkim *dkim, struct mr_arena *arena)
{
	mr_buf_adds(b, "dkim=neutral");
	add_reason(b,
	    mr_arena_fmt(arena, "%zu more ignored: %.*s", dkim->ignored_n, (int)dkim->ignored.n,
	        dkim->ignored.n ? dkim->ignored.p : ""));
}

/* The results, one a signature, and the same for people. */
static enum mr_status
add_results(struct mr_answer *answer, const struct mr_dkim *dkim, struct mr_err *err)
{
	size_t n = dkim->n + (dkim->ignored_n > 0);
	struct mr_buf b, report;
	enum mr_status st = MR_OK;

	mr_buf_init(&b, MR_ANSWER_MAX);
	mr_buf_init(&report, MR_ANSWER_MAX);
	for (size_t i = 0; i < n && st == MR_OK; i++) {
		mr_buf_clear(&b);
		if (i < dkim->n)
			add_result(&b, dkim, i);
		else
			add_ignored(&b, dkim, answer->arena);
		st = b.is_full ? mr_err_set(err, MR_TEMP, "out of memory")
		               : mr_answer_add_ar(answer, mr_buf_str(&b), err);
		mr_buf_add(&report, mr_buf_str(&b));
		mr_buf_addc(&report, '\n');
	}
	if (n == 0) {
		st = mr_answer_add_ar(answer, MR_STR("dkim=none"), err);
		mr_buf_adds(&report, "dkim=none\n");
	}
	answer->report = mr_arena_dup(answer->arena, mr_buf_str(&report));
	if (st == MR_OK && (report.is_full || !answer->report.p))
		st = mr_err_set(err, MR_TEMP, "out of memory");
	mr_buf_free(&b);
	mr_buf_free(&report);
	return st;
}

/* For later stages: the best result, and DOMAIN/SELECTOR/RESULT of each. */
static enum mr_status
add_attributes(struct mr_answer *answer, const struct mr_dkim *dkim, struct mr_err *err)
{
	enum mr_status st = mr_attrs_set(&answer->attrs, answer->arena, MR_STR("dkim_result"),
	    mr_str(mr_dkim_word(mr_dkim_best(dkim))), err);
	struct mr_buf b;

	mr_buf_init(&b, MR_ENV_LINE_MAX);
	for (size_t i = 0; i < dkim->n; i++) {
		const struct mr_dkim_result *r = &dkim->sig[i];

		if (r->domain.p)
			mr_buf_addf(&b, "%s%.*s/%.*s/%s", b.n ? " " : "", (int)r->domain.n,
			    r->domain.p, (int)r->selector.n, r->selector.p, mr_dkim_word(r->word));
	}
	if (b.is_full && st == MR_OK)
		st = mr_err_set(err, MR_TEMP, "out of memory");
	if (b.n && st == MR_OK)
		st = mr_attrs_set(
		    &answer->attrs, answer->arena, MR_STR("dkim_signatures"), mr_buf_str(&b), err);
	mr_buf_free(&b);
	return st;
}

static void
tell_log(const struct dkimverify *v, const struct mr_env *env, const struct mr_dkim *dkim)
{
	bool tells = env->attrs.n || v->conf->is_verbose;

	for (size_t i = 0; tells && i < dkim->n; i++) {
		const struct mr_dkim_result *r = &dkim->sig[i];

		MR_LOG(v->conf->log, MR_LOG_INFO, "dkim", { "id", mr_env_get(env, "queue_id") },
		    { "result", mr_str(mr_dkim_word(r->word)) }, { "domain", r->domain },
		    { "selector", r->selector }, { "algorithm", r->algorithm }, { "why", r->why },
		    { "test", r->is_test ? MR_STR("1") : (struct mr_str){ NULL, 0 } });
	}
	if (tells && dkim->ignored_n)
		MR_LOG(v->conf->log, MR_LOG_WARN, "dkim", { "id", mr_env_get(env, "queue_id") },
		    { "ignored", MR_NUM(dkim->ignored_n) }, { "why", dkim->ignored });
}

static enum mr_status
dkimverify_message(
    void *state, int fd, const struct mr_env *env, struct mr_answer *answer, struct mr_err *err)
{
	struct dkimverify *v = state;
	struct mr_dkim_conf conf = { .dns = v->conf->dns,
		.deadline_ms = v->conf->dns_deadline_ms,
		.now_s = mr_clock_now_s() };
	struct mr_dkim dkim;
	enum mr_status st;

	if ((st = load_library(v, err)))
		return st;
	conf.lib = v->lib;
	if ((st = mr_dkim_verify(&dkim, &conf, fd, answer->arena, err)))
		return st;
	tell_log(v, env, &dkim);
	st = add_results(answer, &dkim, err);
	if (st == MR_OK)
		st = add_attributes(answer, &dkim, err);
	return st ? st : decide(v, &dkim, answer, err);
}

const struct mr_filter mr_filter_dkimverify = {
	.name = "mr-dkimverify",
	.purpose = "whether a message's DKIM signatures are good",
	.synopsis = "[-a result=action] [table]",
	.letters = "a:",
	.uses_dns = true,
	.prints_message = true,
	.time_s = TIME_S,
	.open = dkimverify_open,
	.preload = dkimverify_preload,
	.message = dkimverify_message,
	.close = dkimverify_close,
};
