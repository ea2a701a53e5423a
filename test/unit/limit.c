/* limit.c - check/limit: what a rate may be, when there is room again, and what the store is told. */
#include "check/limit.h"

#include "../tap.h"

#define WINDOW_S 10u

static struct mr_stores set;
static struct mr_store *store;

static void
rates(void)
{
	static const char *const bad[] = { "", "/", "5", "5/", "/5", "5/0", "5/32d", "x/5", "-1/5",
		"5/5/5", "1025g/1h", "11111111111111111111111111/1h" };
	static const struct {
		const char *text;
		uint64_t max, window_s;
	} good[] = { { "60/60", 60, 60 }, { "100/1h", 100, 3600 }, { "50m/1d", 50u << 20, 86400 },
		{ "0/1s", 0, 1 }, { "1024g/31d", MR_LIMIT_MAX, MR_LIMIT_WINDOW_MAX_S } };
	struct mr_limit_rates r = { .n = 0 };
	struct mr_err err;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ok(mr_limit_add_rate(&r, mr_str(bad[i]), &err) == MR_USAGE && !r.n, "no rate: %s",
		    err.text);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		r.n = 0;
		ok(mr_limit_add_rate(&r, mr_str(good[i].text), &err) == MR_OK && r.n == 1
		        && r.v[0].max == good[i].max && r.v[0].window_s == good[i].window_s,
		    "a rate: %s", good[i].text);
	}
	for (r.n = 0; r.n < MR_LIMIT_RATES_MAX;)
		if (mr_limit_add_rate(&r, MR_STR("1/1"), &err))
			break;
	ok(r.n == MR_LIMIT_RATES_MAX && mr_limit_add_rate(&r, MR_STR("1/1"), &err) == MR_USAGE,
	    "one too many: %s", err.text);
}

/* True if there is room at second `then` of the present window, or of the next. */
static bool
has_room(uint64_t max, uint64_t before, uint64_t count, uint64_t amount, uint64_t then)
{
	if (then < WINDOW_S)
		return before * (WINDOW_S - then) + count * WINDOW_S <= max * WINDOW_S;
	return (count - amount) * (2 * WINDOW_S - then) + amount * WINDOW_S <= max * WINDOW_S;
}

static bool
is_right(uint64_t max, uint64_t before, uint64_t count, uint64_t amount, uint64_t at_s)
{
	const struct mr_limit_rate rate = { max, WINDOW_S };
	uint64_t wait_s = mr_limit_wait_s(&rate, before, count, amount, at_s);

	if (wait_s && has_room(max, before, count, amount, at_s + wait_s - 1))
		return false;
	return has_room(max, before, count, amount, at_s + wait_s);
}

/* Whatever the counts, there is room at the second that was told, and none a second earlier. */
static void
waits(void)
{
	unsigned wrong = 0, n = 0;

	for (uint64_t max = 0; max <= 5; max++)
		for (uint64_t before = 0; before <= 7; before++)
			for (uint64_t count = 0; count <= 7; count++)
				for (uint64_t at_s = 0; at_s < WINDOW_S; at_s++)
					for (uint64_t amount = 0; amount <= max && amount <= count;
					     amount++, n++)
						wrong +=
						    !is_right(max, before, count, amount, at_s);
	ok(!wrong && n > 5000, "%u of %u waits are wrong", wrong, n);
	ok(mr_limit_wait_s(&(struct mr_limit_rate){ MR_LIMIT_MAX, MR_LIMIT_WINDOW_MAX_S },
	       UINT64_MAX, MR_LIMIT_MAX, MR_LIMIT_MAX, 0)
	        == MR_LIMIT_WINDOW_MAX_S,
	    "the largest figures");
}

/* The wait; 0: let in. */
static uint64_t
count(struct mr_limit *l, const char *rate, const char *who, uint64_t amount, int64_t now_s)
{
	const struct mr_str subject[] = { MR_STR("t"), mr_str(who) };
	struct mr_limit_rates r = { .n = 0 };
	struct mr_str rest = mr_str(rate), word;
	struct mr_err err;

	while ((word = mr_str_word(&rest)).n)
		mr_limit_add_rate(&r, word, &err);
	if (mr_limit_count(l, &r, subject, 2, amount, false, store, now_s, &err)) {
		printf("# %s\n", err.text);
		return 9999;
	}
	return l->wait_s;
}

static void
counts(void)
{
	static const char two[] = "10/60 20/3600";
	struct mr_limit l;
	int let_in = 0;

	for (int i = 0; i < 5; i++)
		ok(count(&l, "5/60", "a", 1, 600) == 0 && !l.over && l.used == (uint64_t)i + 1,
		    "%d of 5", i + 1);
	ok(count(&l, "5/60", "a", 1, 600) == 72 && l.over, "the sixth waits");
	for (int i = 0; i < 20; i++)
		count(&l, "5/60", "a", 1, 600);
	ok(count(&l, "5/60", "a", 1, 671) > 0, "who was sent away is not counted: a second early");
	ok(count(&l, "5/60", "a", 1, 672) == 0, "and in time");
	ok(count(&l, "5/60", "b", 1, 600) == 0, "another subject");
	ok(count(&l, "5/60", "a", 5, 100000) == 0, "much later");

	ok(count(&l, two, "c", 10, 3600) == 0, "two rates");
	ok(count(&l, two, "c", 1, 3601) > 0 && l.over->window_s == 60, "the first is full");
	ok(count(&l, two, "c", 10, 3720) == 0, "then not");
	ok(count(&l, two, "c", 1, 3840) > 0 && l.over->window_s == 3600, "the second is full");
	ok(count(&l, "10/60", "d", 11, 0) == 0 && l.over, "more than can ever be let in");
	ok(count(&l, "0/60", "d", 1, 0) == 0 && l.over, "a rate of nothing");

	/* Two come each second, one may: over an hour about one a second gets in. */
	for (int64_t t = 7200; t < 10800; t++)
		for (int i = 0; i < 2; i++)
			let_in += count(&l, "60/60", "e", 1, t) == 0;
	ok(let_in >= 3500 && let_in <= 3660, "a long stream: %d of 7200, 3600 may", let_in);

	ok(count(&l, "5/60", "f", 5, 6000) == 0 && count(&l, "5/60", "f", 1, 5000) == 0
	        && count(&l, "5/60", "f", 1, 6000) > 0,
	    "the clock goes back and forth");
}

static bool
lets_in(const struct mr_str *subject, size_t n, bool is_trial)
{
	struct mr_limit_rates r = { .n = 1, .v = { { 1, 60 } } };
	struct mr_limit l;

	return mr_limit_count(&l, &r, subject, n, 1, is_trial, store, 600, NULL) == MR_OK
	    && !l.over;
}

static void
subjects(void)
{
	const struct mr_str many[9] = { { "", 0 } }, bytes = MR_STR("x\0\xff y"),
	                    z[] = { MR_STR("t"), MR_STR("z") };
	struct mr_limit_rates r = { .n = 1, .v = { { 1, 60 } } };
	struct mr_store_op op = { .verb = MR_STORE_PUT,
		.key = MR_STR("l1 t z 60 10"),
		.value = MR_STR("junk"),
		.ttl_s = 60 };
	struct mr_limit l;
	struct mr_err err;

	ok(mr_limit_count(&l, &r, many, 9, 1, false, store, 600, &err) == MR_TEMP, "%s", err.text);
	ok(lets_in(&bytes, 1, true) && lets_in(&bytes, 1, false) && !lets_in(&bytes, 1, false),
	    "any bytes are a subject; a trial counts nothing");
	ok(!lets_in(&bytes, 1, true), "but tells");
	mr_store_run(store, &op, 1, 600, &err);
	ok(mr_limit_count(&l, &r, z, 2, 1, false, store, 600, &err) == MR_TEMP,
	    "an entry that is no number: %s", err.text);
}

int
main(void)
{
	if (mr_stores_add(&set, &store, "mem:", NULL))
		return 1;
	rates();
	waits();
	counts();
	subjects();
	mr_stores_close(&set);
	return done_testing();
}
