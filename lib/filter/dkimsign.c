#include "base/clock.h"
#include "base/opt.h"
#include "check/dkim_keys.h"
#include "filter/filter.h"
#include "mail/from.h"
#include "table/table.h"

static const char cannot_sign[] = "5.6.0 Message cannot be signed: %s";

struct dkimsign {
	const struct mr_filter_conf *conf;
	struct mr_table *table;   /* -t; NULL: none */
	struct mr_dkim_plan plan; /* by hand */
};

/* ---- options ------------------------------------------------------------------------------------ */

/* The values of one letter, in order. */
struct values {
	const char *v[MR_DKIM_SIGN_MAX];
	size_t n;
};

static enum mr_status
gather(const struct mr_filter_conf *conf, char letter, struct values *values, struct mr_err *err)
{
	values->n = 0;
	for (size_t i = 0; i < conf->opt_n; i++) {
		if (conf->opt[i].letter != letter)
			continue;
		if (values->n == MR_DKIM_SIGN_MAX)
			return mr_err_set(err, MR_USAGE, "-%c: more than %u signatures", letter,
			    MR_DKIM_SIGN_MAX);
		values->v[values->n++] = conf->opt[i].arg;
	}
	return MR_OK;
}

/* The value for signature `i`: its own, or the one for all. */
static const char *
value_of(const struct values *values, size_t i)
{
	return values->n == 0 ? NULL : values->v[values->n == 1 ? 0 : i];
}

static enum mr_status
plan_by_hand(struct dkimsign *d, struct mr_err *err)
{
	static const char letters[] = { 'k', 's', 'd', 'c', 'x' };
	struct values of[sizeof letters];
	size_t n;
	enum mr_status st = MR_OK;

	for (size_t l = 0; l < sizeof letters && st == MR_OK; l++)
		st = gather(d->conf, letters[l], &of[l], err);
	n = of[0].n;
	for (size_t l = 0; l < sizeof letters && st == MR_OK; l++)
		if (of[l].n != n && (l < 2 || of[l].n > 1))
			st = mr_err_set(err, MR_USAGE, "-k is there %zu times, -%c %zu times", n,
			    letters[l], of[l].n);
	if (st == MR_OK && (n == 0) != (d->table != NULL))
		st = mr_err_set(err, MR_USAGE, "need -t, or -d, -s and -k");
	if (st == MR_OK && (n ? !of[2].n : of[2].n + of[3].n + of[4].n))
		st = mr_err_set(err, MR_USAGE, n ? "-d is missing" : "need -s and -k");
	for (size_t i = 0; i < n && st == MR_OK; i++) {
		struct mr_dkim_signer *s = &d->plan.signer[i];
		const char *canon = value_of(&of[3], i), *lifetime = value_of(&of[4], i);

		st = mr_dkim_plan_add(&d->plan, d->conf->arena, mr_str(value_of(&of[2], i)),
		    mr_str(of[1].v[i]), of[0].v[i], err);
		if (st == MR_OK && canon)
			st = mr_dkim_plan_canon(s, mr_str(canon), err);
		if (st == MR_OK && lifetime)
			st =
			    mr_opt_num('x', lifetime, 1, MR_DKIM_LIFETIME_MAX, &s->lifetime_s, err);
	}
	return st;
}

/* What can be known of keys before one is needed. */
static enum mr_status
check_plan(const struct mr_dkim_plan *plan, struct mr_err *err)
{
	for (size_t i = 0; i < plan->n; i++)
		if (mr_dkim_key_stat(plan->path[i], err))
			return MR_USAGE;
	return MR_OK;
}

static enum mr_status
check_entry(void *ctx, struct mr_str key, struct mr_str value, struct mr_err *err)
{
	struct mr_dkim_plan plan;
	struct mr_arena arena;
	enum mr_status st;

	(void)ctx;
	mr_arena_init(&arena, 1 << 16);
	if ((st = mr_dkim_plan_read(&plan, &arena, key, value, err)) == MR_OK)
		st = check_plan(&plan, err);
	mr_arena_free(&arena);
	return st;
}

static void
dkimsign_close(void *state)
{
	struct dkimsign *d = state;

	mr_table_close(d->table);
}

static enum mr_status
open_table(struct dkimsign *d, const struct mr_filter_conf *conf, struct mr_err *err)
{
	struct values paths;
	enum mr_status st = gather(conf, 't', &paths, err);

	if (st || paths.n == 0)
		return st;
	if (paths.n > 1)
		return mr_err_set(err, MR_USAGE, "more than one table");
	return mr_table_load(
	    &d->table, conf->watch, paths.v[0], MR_TABLE_MAP, check_entry, NULL, err);
}

static enum mr_status
dkimsign_open(void **state, const struct mr_filter_conf *conf, struct mr_err *err)
{
	struct dkimsign *d = mr_arena_alloc(conf->arena, sizeof *d);
	enum mr_status st;

	if (!d)
		return mr_err_set(err, MR_TEMP, "out of memory");
	d->conf = conf;
	*state = d;
	if (conf->operand_n)
		return mr_err_set(err, MR_USAGE, "no operand is needed");
	if ((st = open_table(d, conf, err)) || (st = plan_by_hand(d, err))
	    || (st = check_plan(&d->plan, err)))
		dkimsign_close(d);
	return st;
}

/* OpenSSL, but no key: that is for the child that signs. */
static enum mr_status
dkimsign_preload(void *state, struct mr_err *err)
{
	(void)state;
	return mr_crypto_load(err);
}

/* ---- signing ------------------------------------------------------------------------------------ */

/* The entry of the first author's domain that has one; MR_NOTFOUND: none has. */
static enum mr_status
look_up(const struct dkimsign *d, const struct mr_from *from, struct mr_dkim_plan *plan,
    struct mr_arena *arena, struct mr_err *err)
{
	enum mr_status st = MR_NOTFOUND;
	struct mr_str key, value;

	for (size_t i = 0; i < from->n && st == MR_NOTFOUND; i++)
		st = mr_table_get_domain(d->table, from->domain[i], &key, &value);
	if (st == MR_NOTFOUND) {
		key = MR_STR("*");
		st = mr_table_get_default(d->table, &value);
	}
	if (st == MR_TEMP)
		return mr_err_set(err, MR_TEMP, "the table is damaged");
	return st ? st : mr_dkim_plan_read(plan, arena, key, value, err);
}

/* Who signs this message. */
static enum mr_status
choose(const struct dkimsign *d, const struct mr_dkim_draft *draft, struct mr_dkim_plan *plan,
    struct mr_answer *answer, struct mr_err *err)
{
	struct mr_from from = { .n = 0 };
	struct mr_err why;
	enum mr_status st;

	*plan = d->plan;
	if (!d->table)
		return MR_OK;
	if ((st = mr_from_add(&from, answer->arena, mr_dkim_draft_from(draft), &why)))
		return mr_err_set(err, st, "From: %s", why.text);
	if (from.n == 0)
		return mr_err_set(err, MR_PERM, "From: no address");
	st = look_up(d, &from, plan, answer->arena, err);
	if (st == MR_NOTFOUND)
		answer->note = mr_arena_fmt(
		    answer->arena, "no key for %.*s", (int)from.domain[0].n, from.domain[0].p);
	return st;
}

/* Tells what was done, for people and in the log. */
static void
tell(const struct dkimsign *d, const struct mr_env *env, const struct mr_dkim_plan *plan,
    struct mr_answer *answer)
{
	struct mr_buf b;

	mr_buf_init(&b, MR_ANSWER_MAX);
	for (size_t i = 0; i < plan->n; i++) {
		const struct mr_dkim_signer *s = &plan->signer[i];

		mr_buf_addf(&b, "%s%.*s/%.*s", i ? " " : "", (int)s->domain.n, s->domain.p,
		    (int)s->selector.n, s->selector.p);
	}
	if (env->attrs.n)
		MR_LOG(d->conf->log, MR_LOG_INFO, "signed", { "id", mr_env_get(env, "queue_id") },
		    { "by", mr_buf_str(&b) });
	answer->note = mr_arena_fmt(answer->arena, "signed by %.*s", (int)b.n, b.p);
	mr_buf_free(&b);
}

/* All signatures of the message, or none. */
static enum mr_status
sign(const struct dkimsign *d, int fd, const struct mr_env *env, struct mr_answer *answer,
    struct mr_err *err)
{
	struct mr_dkim_draft *draft = NULL;
	struct mr_dkim_plan plan = { .n = 0 };
	enum mr_status st = mr_crypto_load(err);

	if (st == MR_OK)
		st = mr_dkim_draft_begin(&draft, answer->arena, fd, err);
	if (st == MR_OK && (st = choose(d, draft, &plan, answer, err)) == MR_OK
	    && (st = mr_dkim_plan_load(&plan, err)) == MR_OK) {
		st = mr_dkim_draft_sign(
		    draft, plan.signer, plan.n, mr_clock_now_s(), &answer->headers, err);
		mr_dkim_plan_unload(&plan);
	}
	mr_dkim_draft_end(draft);
	if (st == MR_OK)
		tell(d, env, &plan, answer);
	return st;
}

static enum mr_status
dkimsign_message(
    void *state, int fd, const struct mr_env *env, struct mr_answer *answer, struct mr_err *err)
{
	struct mr_err why;
	enum mr_status st = sign(state, fd, env, answer, &why);

	if (st == MR_PERM)
		mr_answer_say(answer, MR_REFUSE, cannot_sign, why.text);
	else if (st == MR_TEMP || st == MR_USAGE)
		return mr_err_set(err, MR_TEMP, "%s", why.text);
	return MR_OK; /* also if it is none of ours */
}

const struct mr_filter mr_filter_dkimsign = {
	.name = "mr-dkimsign",
	.purpose = "signs messages by DKIM",
	.synopsis =
	    "-t table | {-d domain -s selector -k keyfile}... [-c header/body] [-x seconds]",
	.letters = "t:d:s:k:c:x:",
	.prints_message = true,
	.has_secrets = true,
	.open = dkimsign_open,
	.preload = dkimsign_preload,
	.message = dkimsign_message,
	.close = dkimsign_close,
};
