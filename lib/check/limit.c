#include "check/limit.h"

#include "base/log.h"
#include "base/opt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KIND        "l1" /* what stands under a key: a count in decimal */
#define SUBJECT_MAX 8u   /* words */
#define WORD_MAX    24u  /* bytes of one side of a rate */

/* ---- rates --------------------------------------------------------------------------------------- */

enum mr_status
mr_limit_add_rate(struct mr_limit_rates *rates, struct mr_str text, struct mr_err *err)
{
	struct mr_limit_rate *rate = &rates->v[rates->n];
	struct mr_str window = text, max;
	char word[WORD_MAX + 1];
	struct mr_err why;
	enum mr_status st;

	if (rates->n == MR_LIMIT_RATES_MAX)
		return mr_err_set(err, MR_USAGE, "more than %u rates", MR_LIMIT_RATES_MAX);
	mr_str_split(&window, '/', &max);
	if (!max.n || max.n > WORD_MAX || !window.n || window.n > WORD_MAX)
		return mr_err_set(err, MR_USAGE, "rate '%.*s': need max/window, like 100/1h",
		    (int)(text.n < 80 ? text.n : 80), text.p);
	snprintf(word, sizeof word, "%.*s", (int)max.n, max.p);
	st = mr_opt_size('a', word, 0, MR_LIMIT_MAX, &rate->max, &why);
	if (st == MR_OK) {
		snprintf(word, sizeof word, "%.*s", (int)window.n, window.p);
		st = mr_opt_span_s('a', word, 1, MR_LIMIT_WINDOW_MAX_S, &rate->window_s, &why);
	}
	if (st)
		return mr_err_set(err, MR_USAGE, "rate '%.*s': %s", (int)text.n, text.p, why.text);
	rates->n++;
	return MR_OK;
}

/* ---- windows ------------------------------------------------------------------------------------- */

/* What of `before` the sliding window still covers, times the window, so that nothing is rounded.  Both
 * factors are small enough: 2^41 and 2^22. */
static uint64_t
covered(const struct mr_limit_rate *rate, uint64_t before, uint64_t at_s)
{
	return before * (rate->window_s - at_s);
}

/* The second of a window from which `before` and `room` fit into a rate together. */
static uint64_t
second_of_room(const struct mr_limit_rate *rate, uint64_t before, uint64_t room)
{
	uint64_t may_cover_s = before ? rate->window_s * room / before : rate->window_s;

	return may_cover_s < rate->window_s ? rate->window_s - may_cover_s : 0;
}

uint64_t
mr_limit_wait_s(const struct mr_limit_rate *rate, uint64_t before, uint64_t count, uint64_t amount,
    uint64_t at_s)
{
	/* An old count may be of a larger rate. */
	before = before < 2 * MR_LIMIT_MAX ? before : 2 * MR_LIMIT_MAX;
	count = count < 2 * MR_LIMIT_MAX ? count : 2 * MR_LIMIT_MAX;
	if (count <= rate->max) {
		if (covered(rate, before, at_s) <= (rate->max - count) * rate->window_s)
			return 0;
		return second_of_room(rate, before, rate->max - count) - at_s;
	}
	/* Not in this window: in the next, where this one is the one before. */
	return rate->window_s - at_s + second_of_room(rate, count - amount, rate->max - amount);
}

/* ---- counting ------------------------------------------------------------------------------------ */

/* The two windows of each rate: ops[2i] adds to the present one, ops[2i + 1] gets the one before. */
struct windows {
	struct mr_store_op ops[2 * MR_LIMIT_RATES_MAX];
	char keys[2 * MR_LIMIT_RATES_MAX][MR_STORE_KEY_MAX];
};

static enum mr_status
make_keys(struct windows *w, const struct mr_limit_rates *rates, const struct mr_str *subject,
    size_t subject_n, int64_t now_s, struct mr_err *err)
{
	struct mr_str part[SUBJECT_MAX + 2];
	char span[MR_NUM_MAX], number[MR_NUM_MAX];
	enum mr_status st = MR_OK;

	if (subject_n > SUBJECT_MAX)
		return mr_err_set(
		    err, MR_TEMP, "limit: a subject has at most %u words", SUBJECT_MAX);
	memcpy(part, subject, subject_n * sizeof *subject);
	for (size_t i = 0; st == MR_OK && i < 2 * rates->n; i++) {
		const struct mr_limit_rate *rate = &rates->v[i / 2];

		part[subject_n] = mr_log_num(span, (int64_t)rate->window_s);
		part[subject_n + 1] =
		    mr_log_num(number, now_s / (int64_t)rate->window_s - (int64_t)(i % 2));
		st = mr_store_key(w->keys[i], &w->ops[i].key, KIND, part, subject_n + 2, err);
	}
	return st;
}

static uint64_t
number_of(const struct mr_store_op *get)
{
	uint64_t n;

	return get->is_found && mr_str_num(get->got, INT64_MAX, &n) ? n : 0;
}

static void
judge(struct mr_limit *limit, const struct mr_limit_rates *rates, const struct windows *w,
    uint64_t amount, bool is_trial, int64_t now_s)
{
	double most = -1;

	*limit = (struct mr_limit){ .over = NULL };
	for (size_t i = 0; i < rates->n; i++) {
		const struct mr_limit_rate *rate = &rates->v[i];
		uint64_t at_s = (uint64_t)(now_s % (int64_t)rate->window_s),
		         before = number_of(&w->ops[2 * i + 1]), count, wait_s, used;

		if (is_trial)
			count = number_of(&w->ops[2 * i]) + amount;
		else
			count = w->ops[2 * i].count > 0 ? (uint64_t)w->ops[2 * i].count : 0;
		wait_s = mr_limit_wait_s(rate, before, count, amount, at_s);
		used = count
		    + (uint64_t)((double)before * (double)(rate->window_s - at_s)
		        / (double)rate->window_s);
		if (!limit->fullest || (double)used / (double)(rate->max + 1) > most) {
			most = (double)used / (double)(rate->max + 1);
			limit->fullest = rate;
			limit->used = used;
		}
		if (wait_s && (!limit->over || wait_s > limit->wait_s)) {
			limit->over = rate;
			limit->wait_s = wait_s;
		}
	}
}

enum mr_status
mr_limit_count(struct mr_limit *limit, const struct mr_limit_rates *rates,
    const struct mr_str *subject, size_t subject_n, uint64_t amount, bool is_trial,
    struct mr_store *store, int64_t now_s, struct mr_err *err)
{
	struct windows w = { .keys = { "" } };
	enum mr_status st;

	*limit = (struct mr_limit){ .over = NULL };
	for (size_t i = 0; i < rates->n; i++)
		if (amount > rates->v[i].max)
			limit->over = limit->fullest = &rates->v[i];
	limit->used = amount;
	if (limit->over || rates->n == 0)
		return MR_OK;
	if ((st = make_keys(&w, rates, subject, subject_n, now_s, err)))
		return st;
	for (size_t i = 0; i < 2 * rates->n; i++) {
		w.ops[i].verb = i % 2 || is_trial ? MR_STORE_GET : MR_STORE_INCR;
		w.ops[i].by = (int64_t)amount;
		w.ops[i].ttl_s = 2 * (int64_t)rates->v[i / 2].window_s;
	}
	if ((st = mr_store_run(store, w.ops, 2 * rates->n, now_s, err)))
		return st;
	judge(limit, rates, &w, amount, is_trial, now_s);
	if (!limit->over || is_trial)
		return MR_OK;
	for (size_t i = 0; i < rates->n; i++) {
		w.ops[i] = w.ops[2 * i];
		w.ops[i].by = -(int64_t)amount;
	}
	return mr_store_run(store, w.ops, rates->n, now_s, err);
}

enum mr_status
mr_limit_add(const struct mr_limit_rates *rates, const struct mr_str *subject, size_t subject_n,
    uint64_t amount, struct mr_store *store, int64_t now_s, struct mr_err *err)
{
	struct windows w = { .keys = { "" } };
	enum mr_status st = make_keys(&w, rates, subject, subject_n, now_s, err);

	for (size_t i = 0; i < rates->n; i++) {
		w.ops[i] = w.ops[2 * i];
		w.ops[i].verb = MR_STORE_INCR;
		w.ops[i].by = (int64_t)amount;
		w.ops[i].ttl_s = 2 * (int64_t)rates->v[i].window_s;
	}
	return st || !rates->n ? st : mr_store_run(store, w.ops, rates->n, now_s, err);
}
