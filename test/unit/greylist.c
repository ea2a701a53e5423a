/* greylist.c - check/greylist: how long a triplet waits, lives, and what makes a client known. */
#include "check/greylist.h"

#include "../tap.h"

#define NOW 1000000

static const struct mr_greylist_policy policy = {
	.delay_s = 120, .window_s = MR_GREYLIST_WINDOW_S, .life_s = MR_GREYLIST_LIFE_S, .auto_n = 3
};
static const struct mr_greylist_query one = { .client = { "192.0.2.0/24", 12 },
	.sender = { "bob@a.example", 13 },
	.rcpt = { "ann@b.example", 13 } };
static struct mr_stores set;
static struct mr_store *store;
static struct mr_greylist g;
static struct mr_err err;

static void
fresh(void)
{
	mr_stores_close(&set);
	mr_stores_add(&set, &store, "mem:", &err);
}

static enum mr_greylist_state
attempt(const struct mr_greylist_query *q, int64_t now_s)
{
	if (mr_greylist_judge(&g, &policy, q, false, store, now_s, &err))
		printf("# %s\n", err.text);
	return g.state;
}

static enum mr_greylist_state
trial(const struct mr_greylist_query *q, int64_t now_s)
{
	if (mr_greylist_judge(&g, &policy, q, true, store, now_s, &err))
		printf("# %s\n", err.text);
	return g.state;
}

static void
put(const char *key, const char *value, int64_t ttl_s)
{
	struct mr_store_op op = {
		.verb = MR_STORE_PUT, .key = mr_str(key), .value = mr_str(value), .ttl_s = ttl_s
	};

	if (mr_store_run(store, &op, 1, NOW, &err))
		printf("# %s\n", err.text);
}

static void
one_triplet(void)
{
	struct mr_greylist_query other = one;

	fresh();
	ok(trial(&one, NOW) == MR_GREYLIST_NEW && g.left_s == 120, "a trial: new");
	ok(attempt(&one, NOW) == MR_GREYLIST_NEW && g.left_s == 120, "new, though it was tried");
	ok(attempt(&one, NOW + 1) == MR_GREYLIST_EARLY && g.left_s == 119, "early");
	ok(attempt(&one, NOW + 119) == MR_GREYLIST_EARLY && g.left_s == 1, "by a second");
	ok(trial(&one, NOW + 120) == MR_GREYLIST_PASSED, "a trial: it would pass");
	ok(trial(&one, NOW + 120) == MR_GREYLIST_PASSED, "and changes nothing");
	ok(attempt(&one, NOW + 120) == MR_GREYLIST_PASSED && g.waited_s == 120, "passed");
	ok(attempt(&one, NOW + 121) == MR_GREYLIST_KNOWN, "known");
	ok(attempt(&one, NOW + 120 + MR_GREYLIST_LIFE_S - 1) == MR_GREYLIST_KNOWN, "for long");
	ok(attempt(&one, NOW + 120 + 2 * MR_GREYLIST_LIFE_S - 2) == MR_GREYLIST_KNOWN,
	    "and longer if it is used");
	ok(attempt(&one, NOW + 120 + 3 * MR_GREYLIST_LIFE_S) == MR_GREYLIST_NEW, "not for ever");

	fresh();
	attempt(&one, NOW);
	other.client = MR_STR("198.51.100.0/24");
	ok(attempt(&other, NOW + 200) == MR_GREYLIST_NEW, "another client is another triplet");
	other = one;
	other.sender = MR_STR("");
	ok(attempt(&other, NOW + 200) == MR_GREYLIST_NEW, "another sender");
	other = one;
	other.rcpt = MR_STR("x@b.example");
	ok(attempt(&other, NOW + 200) == MR_GREYLIST_NEW, "another recipient");
	ok(attempt(&one, NOW + MR_GREYLIST_WINDOW_S - 1) == MR_GREYLIST_PASSED, "the last second");
	ok(attempt(&other, NOW + 201 + MR_GREYLIST_WINDOW_S) == MR_GREYLIST_NEW, "too late");
}

/* A known triplet is written anew once in a 36th of its life, not before. */
static void
lives_on(void)
{
	struct mr_greylist_policy p = policy;
	static const char key[] = "g1 192.0.2.0/24 bob@a.example ann@b.example";
	struct mr_store_op op = { .verb = MR_STORE_GET, .key = mr_str(key) };

	for (p.life_s = 3600; p.life_s <= MR_GREYLIST_LIFE_S; p.life_s *= 864) {
		int64_t step_s = p.life_s / MR_GREYLIST_REFRESH_N;

		fresh();
		put(key, "999000 passed", p.life_s);
		for (int64_t t = NOW; t <= NOW + step_s; t += step_s)
			mr_greylist_judge(&g, &p, &one, false, store, t, &err);
		mr_store_run(store, &op, 1, NOW + step_s, &err);
		ok(op.left_s == p.life_s - step_s, "a message soon after writes nothing");
		mr_greylist_judge(&g, &p, &one, false, store, NOW + step_s + 1, &err);
		mr_store_run(store, &op, 1, NOW + step_s + 1, &err);
		ok(op.left_s == p.life_s && g.state == MR_GREYLIST_KNOWN, "a later one does");
	}
}

static void
clients(void)
{
	struct mr_greylist_query q = one;
	static const char *const rcpts[] = { "a@b.example", "b@b.example", "c@b.example" };

	fresh();
	for (int i = 0; i < 3; i++) {
		q.rcpt = mr_str(rcpts[i]);
		attempt(&q, NOW);
		ok(attempt(&q, NOW + 120) == MR_GREYLIST_PASSED, "triplet %d of 3", i + 1);
		ok(attempt(&q, NOW + 121) == (i < 2 ? MR_GREYLIST_KNOWN : MR_GREYLIST_CLIENT),
		    "does not count twice");
	}
	q.rcpt = MR_STR("new@b.example");
	ok(attempt(&q, NOW + 200) == MR_GREYLIST_CLIENT, "then the client is known");
	ok(attempt(&q, NOW + MR_GREYLIST_LIFE_S) == MR_GREYLIST_CLIENT, "for long");
	ok(attempt(&q, NOW + 2 * MR_GREYLIST_LIFE_S - 1) == MR_GREYLIST_CLIENT,
	    "and longer if it comes");
	ok(attempt(&q, NOW + 4 * MR_GREYLIST_LIFE_S) == MR_GREYLIST_NEW, "not for ever");
}

static void
written(void)
{
	struct mr_greylist_query q = one;

	fresh();
	q.client = MR_STR("mail.a.example");
	q.domain = MR_STR("a.example");
	ok(attempt(&q, NOW) == MR_GREYLIST_NEW, "a domain nobody writes to");
	ok(mr_greylist_learn(&policy, MR_STR("a.example"), store, NOW, &err) == MR_OK, "learned");
	ok(attempt(&q, NOW) == MR_GREYLIST_WRITTEN_TO, "not delayed");
	ok(attempt(&one, NOW) == MR_GREYLIST_NEW, "a network is nobody's domain");
	mr_greylist_learn(&policy, MR_STR("a.example"), store, NOW + MR_GREYLIST_LIFE_S - 1, &err);
	ok(attempt(&q, NOW + MR_GREYLIST_LIFE_S + 1) == MR_GREYLIST_WRITTEN_TO,
	    "written to again: lives on");
	ok(attempt(&q, NOW + 2 * MR_GREYLIST_LIFE_S) == MR_GREYLIST_NEW, "not for ever");
}

static void
oddities(void)
{
	static const char *const bad[] = { "", "x", "5 ", "5 passe", " passed", "-5",
		"99999999999999999999", "5\n" };
	static const char key[] = "g1 192.0.2.0/24 bob@a.example ann@b.example";
	char longest[300] = "";

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		fresh();
		put(key, bad[i], 1000);
		ok(attempt(&one, NOW) == MR_GREYLIST_NEW
		        && attempt(&one, NOW + 1) == MR_GREYLIST_EARLY,
		    "an entry that is none is replaced: '%s'", bad[i]);
	}
	fresh();
	attempt(&one, NOW);
	ok(attempt(&one, NOW - 5000) == MR_GREYLIST_NEW, "the clock went back: a first attempt");
	ok(attempt(&one, NOW - 5000 + 120) == MR_GREYLIST_PASSED, "and no longer wait");
	ok(attempt(&one, NOW - 9000) == MR_GREYLIST_KNOWN, "what has passed stays known");

	fresh();
	memset(longest, 'l', 254);
	{
		struct mr_greylist_query q = one;

		q.sender = q.rcpt = mr_str(longest);
		ok(attempt(&q, NOW) == MR_GREYLIST_NEW && attempt(&q, NOW + 1) == MR_GREYLIST_EARLY,
		    "addresses at the limit");
		q.rcpt = MR_STR("a\0\xff \n%");
		ok(attempt(&q, NOW) == MR_GREYLIST_NEW && attempt(&q, NOW + 1) == MR_GREYLIST_EARLY,
		    "NUL and 8-bit bytes");
	}
	put("c1 192.0.2.0/24", "x", 1000);
	ok(attempt(&one, NOW) == MR_GREYLIST_NEW, "a count that is none permits nobody");
	ok(mr_greylist_judge(&g, &policy, &one, false, store, NOW + 120, &err) == MR_TEMP,
	    "and cannot be added to: %s", err.text);
}

int
main(void)
{
	one_triplet();
	lives_on();
	clients();
	written();
	oddities();
	mr_stores_close(&set);
	return done_testing();
}
