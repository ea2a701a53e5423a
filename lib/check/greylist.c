#include "check/greylist.h"

#include <inttypes.h>
#include <stdio.h>

/* Kinds of keys.  Under KIND_TRIPLET stands the second of the first attempt, and PASSED behind it when one has
 * passed; under KIND_CLIENT how many triplets have; under KIND_WRITTEN nothing of interest. */
#define KIND_TRIPLET "g1"
#define KIND_CLIENT  "c1"
#define KIND_WRITTEN "w1"
#define PASSED       " passed"

enum { TRIPLET, CLIENT, WRITTEN, OPS_N };

struct attempt {
	const struct mr_greylist_policy *policy;
	struct mr_store *store;
	int64_t now_s;
	bool is_trial;
	struct mr_store_op ops[OPS_N];
	char keys[OPS_N][MR_STORE_KEY_MAX];
	size_t n;
	char value[MR_NUM_MAX + sizeof PASSED];
};

const char *
mr_greylist_word(enum mr_greylist_state state)
{
	static const char *const words[] = { "new", "early", "passed", "known", "client is known",
		"domain is written to" };

	return words[state];
}

/* ---- writing ------------------------------------------------------------------------------------- */

static enum mr_status
put(struct attempt *a, size_t which, struct mr_str value, int64_t ttl_s, struct mr_err *err)
{
	struct mr_store_op op = {
		.verb = MR_STORE_PUT, .key = a->ops[which].key, .value = value, .ttl_s = ttl_s
	};

	return a->is_trial ? MR_OK : mr_store_run(a->store, &op, 1, a->now_s, err);
}

/* What was used lives on. */
static enum mr_status
refresh(struct attempt *a, size_t which, struct mr_err *err)
{
	const struct mr_store_op *was = &a->ops[which];

	if (was->left_s >= a->policy->life_s - a->policy->life_s / MR_GREYLIST_REFRESH_N)
		return MR_OK;
	return put(a, which, was->got, a->policy->life_s, err);
}

/* ---- the triplet --------------------------------------------------------------------------------- */

/* Reads a triplet's entry; false: it is not one, or of the future. */
static bool
read_entry(const struct attempt *a, struct mr_str entry, int64_t *first_s, bool *has_passed)
{
	struct mr_str seconds = entry;
	ptrdiff_t blank = mr_str_chr(entry, ' ');
	uint64_t n;

	*has_passed = blank >= 0 && mr_str_is(mr_str_from(entry, (size_t)blank), PASSED);
	if (*has_passed)
		seconds.n = (size_t)blank;
	if (!mr_str_num(seconds, INT64_MAX, &n))
		return false;
	*first_s = (int64_t)n;
	return *has_passed || *first_s <= a->now_s;
}

static void
wait_from(struct mr_greylist *g, const struct attempt *a, int64_t first_s)
{
	g->waited_s = a->now_s - first_s;
	g->left_s = a->policy->delay_s - g->waited_s;
	g->state = MR_GREYLIST_EARLY;
}

/* Of two that come first at once, one is told of the other. */
static enum mr_status
begin(struct mr_greylist *g, struct attempt *a, bool is_replaced, struct mr_err *err)
{
	struct mr_store_op op = { .verb = is_replaced ? MR_STORE_PUT : MR_STORE_ADD,
		.key = a->ops[TRIPLET].key,
		.ttl_s = a->policy->window_s };
	bool has_passed;
	int64_t first_s;
	enum mr_status st;

	*g = (struct mr_greylist){ .state = MR_GREYLIST_NEW, .left_s = a->policy->delay_s };
	if (a->is_trial)
		return MR_OK;
	op.value = mr_log_num(a->value, a->now_s);
	if ((st = mr_store_run(a->store, &op, 1, a->now_s, err)))
		return st;
	if (op.is_found && read_entry(a, op.got, &first_s, &has_passed)
	    && a->now_s - first_s < a->policy->delay_s)
		wait_from(g, a, first_s);
	return MR_OK;
}

/* The first attempt that passes counts for the client. */
static enum mr_status
pass(struct mr_greylist *g, struct attempt *a, int64_t first_s, struct mr_err *err)
{
	struct mr_store_op ops[] = {
		{ .verb = MR_STORE_PUT, .key = a->ops[TRIPLET].key, .ttl_s = a->policy->life_s },
		{ .verb = MR_STORE_INCR,
		    .key = a->ops[CLIENT].key,
		    .by = 1,
		    .ttl_s = a->policy->life_s }
	};
	int n = snprintf(a->value, sizeof a->value, "%" PRId64 PASSED, first_s);

	g->state = MR_GREYLIST_PASSED;
	g->left_s = 0;
	ops[0].value = (struct mr_str){ a->value, (size_t)n };
	return a->is_trial ? MR_OK
	                   : mr_store_run(a->store, ops, a->policy->auto_n ? 2 : 1, a->now_s, err);
}

static enum mr_status
judge_triplet(struct mr_greylist *g, struct attempt *a, struct mr_err *err)
{
	const struct mr_store_op *was = &a->ops[TRIPLET];
	bool has_passed;
	int64_t first_s;

	if (!was->is_found || !read_entry(a, was->got, &first_s, &has_passed))
		return begin(g, a, was->is_found, err);
	if (has_passed) {
		g->state = MR_GREYLIST_KNOWN;
		return refresh(a, TRIPLET, err);
	}
	wait_from(g, a, first_s);
	return g->left_s > 0 ? MR_OK : pass(g, a, first_s, err);
}

/* ---- the attempt --------------------------------------------------------------------------------- */

static enum mr_status
read_all(struct attempt *a, const struct mr_greylist_query *q, struct mr_err *err)
{
	const struct mr_str triplet[] = { q->client, q->sender, q->rcpt };
	enum mr_status st;

	a->n = q->domain.n ? OPS_N : WRITTEN;
	if ((st = mr_store_key(
	         a->keys[TRIPLET], &a->ops[TRIPLET].key, KIND_TRIPLET, triplet, 3, err))
	    || (st = mr_store_key(
	            a->keys[CLIENT], &a->ops[CLIENT].key, KIND_CLIENT, &q->client, 1, err))
	    || (a->n > WRITTEN
	        && (st = mr_store_key(
	                a->keys[WRITTEN], &a->ops[WRITTEN].key, KIND_WRITTEN, &q->domain, 1, err))))
		return st;
	return mr_store_run(a->store, a->ops, a->n, a->now_s, err);
}

enum mr_status
mr_greylist_judge(struct mr_greylist *g, const struct mr_greylist_policy *policy,
    const struct mr_greylist_query *query, bool is_trial, struct mr_store *store, int64_t now_s,
    struct mr_err *err)
{
	struct attempt a = {
		.policy = policy, .store = store, .now_s = now_s, .is_trial = is_trial
	};
	enum mr_status st = read_all(&a, query, err);
	uint64_t passed_n;

	*g = (struct mr_greylist){ .state = MR_GREYLIST_WRITTEN_TO };
	if (st || a.ops[WRITTEN].is_found)
		return st;
	if (policy->auto_n && a.ops[CLIENT].is_found
	    && mr_str_num(a.ops[CLIENT].got, INT64_MAX, &passed_n) && passed_n >= policy->auto_n) {
		g->state = MR_GREYLIST_CLIENT;
		return refresh(&a, CLIENT, err);
	}
	return judge_triplet(g, &a, err);
}

enum mr_status
mr_greylist_learn(const struct mr_greylist_policy *policy, struct mr_str domain,
    struct mr_store *store, int64_t now_s, struct mr_err *err)
{
	struct attempt a = { .policy = policy, .store = store, .now_s = now_s };
	enum mr_status st =
	    mr_store_key(a.keys[WRITTEN], &a.ops[WRITTEN].key, KIND_WRITTEN, &domain, 1, err);

	if (st || (st = mr_store_run(store, &a.ops[WRITTEN], 1, now_s, err)))
		return st;
	if (a.ops[WRITTEN].is_found)
		return refresh(&a, WRITTEN, err);
	return put(&a, WRITTEN, MR_STR("1"), policy->life_s, err);
}
