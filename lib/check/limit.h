/* limit.h - rates over sliding windows, in a store that can only get and add. */
#ifndef MR_CHECK_LIMIT_H
#define MR_CHECK_LIMIT_H

#include "store/store.h"

#define MR_LIMIT_RATES_MAX    4u           /* rates that hold at the same time */
#define MR_LIMIT_MAX          (1ull << 40) /* of a rate, and what is counted at once */
#define MR_LIMIT_WINDOW_MAX_S (31 * 86400u)

/* `max` in any window_s seconds. */
struct mr_limit_rate {
	uint64_t max;
	uint64_t window_s;
};

struct mr_limit_rates {
	struct mr_limit_rate v[MR_LIMIT_RATES_MAX];
	size_t n;
};

/* Adds "MAX/WINDOW" ("100/1h", "50m/1d"; letters as in mr_opt_size and mr_opt_span_s).  MR_USAGE with a
 * reason. */
enum mr_status
mr_limit_add_rate(struct mr_limit_rates *rates, struct mr_str text, struct mr_err *err);

/* Time is cut into fixed windows, and a sliding one has what is in the present one and, of the one
 * before, the part that it still covers, as if that had come in evenly.
 * Seconds until `count` (of the present window, with the amount that wants in) and `before` fit; 0: they do.
 * at_s: seconds since the present window began.  amount is at most rate->max. */
uint64_t mr_limit_wait_s(const struct mr_limit_rate *rate, uint64_t before, uint64_t count,
    uint64_t amount, uint64_t at_s);

struct mr_limit {
	const struct mr_limit_rate
	    *over;       /* the rate that is passed, whose wait is the longest; NULL: none */
	uint64_t wait_s; /* 0: never, the amount is more than the whole rate */
	uint64_t used;   /* of the fullest rate, with the amount if it was counted, ... */
	const struct mr_limit_rate *fullest;
};

/* Counts `amount` under `subject` (any words that tell what is counted) against all rates in one step.
 * What is over a rate is taken out again: who is sent away does not use up what is left.  is_trial: counts
 * nothing.  now_s: wall clock.  MR_TEMP: the store. */
enum mr_status mr_limit_count(struct mr_limit *limit, const struct mr_limit_rates *rates,
    const struct mr_str *subject, size_t subject_n, uint64_t amount, bool is_trial,
    struct mr_store *store, int64_t now_s, struct mr_err *err);

/* Counts what has happened, however much: nothing is judged and nothing taken out again. */
enum mr_status mr_limit_add(const struct mr_limit_rates *rates, const struct mr_str *subject,
    size_t subject_n, uint64_t amount, struct mr_store *store, int64_t now_s, struct mr_err *err);

#endif
