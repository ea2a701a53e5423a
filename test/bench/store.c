/* store.c - figures of the state store: store URL [entries [processes]].
 * Fills it, looks entries up, counts from many processes at once, expires and fills again.  The clock is
 * the bench's own (but Redis's own clock is Redis's). */
#include "store/store.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOKUPS 200000
#define COUNTS  200 /* of each process */

static struct mr_stores set;
static struct mr_store *store;
static struct mr_err err;
static int64_t now_s;

static void
must(enum mr_status st)
{
	if (st == MR_OK)
		return;
	fprintf(stderr, "bench: %s\n", err.text);
	exit(1);
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A triplet of a greylist. */
static struct mr_str
key_of(char *storage, long i)
{
	char net[32], sender[48];
	struct mr_str key;
	const struct mr_str part[] = {
		{ net,
		    (size_t)snprintf(net, sizeof net, "10.%ld.%ld.0/24", i >> 8 & 255, i & 255) },
		{ sender,
		    (size_t)snprintf(
		        sender, sizeof sender, "sender%ld@domain%ld.example", i, i % 1000) },
		MR_STR("office@mydomain.example")
	};

	must(mr_store_key(storage, &key, "g1", part, 3, &err));
	return key;
}

static void
size(const char *when)
{
	uint64_t used, max;

	must(mr_store_size(store, &used, &max, &err));
	printf("%-28s %10.1f MB\n", when, (double)used / 1e6);
}

static void
fill(long n)
{
	double begin = seconds();

	for (long i = 0; i < n;) {
		static char keys[MR_STORE_OPS_MAX][MR_STORE_KEY_MAX];
		struct mr_store_op ops[MR_STORE_OPS_MAX];
		size_t m = 0;

		for (; m < MR_STORE_OPS_MAX && i < n; m++, i++)
			ops[m] = (struct mr_store_op){ .verb = MR_STORE_ADD,
				.key = key_of(keys[m], i),
				.value = MR_STR("1795510139 1795510439 2"),
				.ttl_s = 36 * 86400 };
		must(mr_store_run(store, ops, m, now_s, &err));
	}
	printf("%-28s %10.0f a second\n", "entries added, 32 a batch",
	    (double)n / (seconds() - begin));
}

static int
by_time(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return (d > 0) - (d < 0);
}

static void
look_up(long n)
{
	double *t = calloc(LOOKUPS, sizeof *t), sum = 0;
	char storage[MR_STORE_KEY_MAX];

	for (long i = 0; t && i < LOOKUPS; i++) {
		struct mr_store_op op = { .verb = MR_STORE_GET,
			.key = key_of(storage, lrand48() % n) };
		double begin = seconds();

		must(mr_store_run(store, &op, 1, now_s, &err));
		sum += t[i] = (seconds() - begin) * 1e6;
		if (!op.is_found)
			puts("bench: an entry is lost");
	}
	if (t)
		qsort(t, LOOKUPS, sizeof *t, by_time);
	if (t)
		printf("%-28s %10.1f us mean, %.1f median, %.1f of 99 %%\n", "a look-up",
		    sum / LOOKUPS, t[LOOKUPS / 2], t[LOOKUPS / 100 * 99]);
	free(t);
}

/* What mr-limit asks for a message: 6 counters, and the 6 of the window before. */
static void
limits(void)
{
	for (int k = 0; k < COUNTS; k++) {
		char keys[12][32];
		struct mr_store_op ops[12];

		for (int i = 0; i < 12; i++) {
			snprintf(keys[i], sizeof keys[i], "l1 %d %d", i % 6, i < 6);
			ops[i] = (struct mr_store_op){ .verb = i < 6 ? MR_STORE_INCR : MR_STORE_GET,
				.key = mr_str(keys[i]),
				.by = 1,
				.ttl_s = 7200 };
		}
		must(mr_store_run(store, ops, 12, now_s, &err));
	}
}

static void
count(int processes)
{
	struct mr_store_op op = { .verb = MR_STORE_GET, .key = MR_STR("l1 3 1") };
	double begin = seconds();
	char want[24];

	for (int i = 0; i < processes; i++)
		if (fork() == 0) {
			limits();
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
	printf("%-28s %10.0f a second, by %d processes\n", "messages counted (6 + 6)",
	    processes * COUNTS / (seconds() - begin), processes);
	must(mr_store_run(store, &op, 1, now_s, &err));
	snprintf(want, sizeof want, "%d", processes * COUNTS);
	printf("%-28s %10.*s of %s\n", "counted", (int)op.got.n, op.got.p, want);
}

int
main(int argc, char **argv)
{
	long n = argc > 2 ? strtol(argv[2], NULL, 10) : 1000000;
	int processes = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 50;
	uint64_t removed;
	double begin;

	if (argc < 2 || n < 1 || processes < 1)
		return 111;
	must(mr_stores_add(&set, &store, argv[1], &err));
	printf("%s: %ld entries\n", mr_store_name(store), n);
	now_s = mr_clock_now_s();
	fill(n);
	size("size");
	look_up(n);
	count(processes);
	now_s += 40 * 86400;
	begin = seconds();
	must(mr_store_expire(store, now_s, &removed, &err));
	printf("%-28s %10" PRIu64 " in %.1f s\n", "expired", removed, seconds() - begin);
	if (removed) {
		fill(n);
		size("size, filled again");
	}
	mr_stores_close(&set);
	return 0;
}
