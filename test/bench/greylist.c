/* greylist.c - figures of greylist and limits: greylist URL [triplets [processes]].
 * Many processes try the same triplets for the first time, then too early, then in time, then again; and count
 * against a rate.  The clock is the bench's own. */
#include "check/greylist.h"
#include "check/limit.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNTS 200 /* of each process */

static const struct mr_greylist_policy policy = { MR_GREYLIST_DELAY_S, MR_GREYLIST_WINDOW_S,
	MR_GREYLIST_LIFE_S, 0 };
static struct mr_stores set;
static struct mr_store *store;
static long triplets;

/* What came out, of all processes. */
static struct tally {
	long state[MR_GREYLIST_WRITTEN_TO + 1], let_in, fault;
} * all;

static enum mr_greylist_state
attempt(long i, int64_t now_s)
{
	char client[32], sender[48];
	const struct mr_greylist_query q = { .client = { client,
		                                 (size_t)snprintf(client, sizeof client,
		                                     "10.%ld.%ld.0/24", i >> 8 & 255, i & 255) },
		.domain = MR_STR(""),
		.sender = { sender,
		    (size_t)snprintf(
		        sender, sizeof sender, "sender%ld@domain%ld.example", i, i % 1000) },
		.rcpt = MR_STR("office@mydomain.example") };
	struct mr_greylist g = { .state = MR_GREYLIST_NEW };
	struct mr_err err;

	if (mr_greylist_judge(&g, &policy, &q, false, store, now_s, &err)) {
		__atomic_add_fetch(&all->fault, 1, __ATOMIC_RELAXED);
		fprintf(stderr, "bench: %s\n", err.text);
	}
	return g.state;
}

static void
count(int64_t now_s)
{
	const struct mr_str subject = MR_STR("bench");
	struct mr_limit_rates rates = { .n = 2, .v = { { 1000, 3600 }, { 5000, 86400 } } };
	struct mr_limit l;
	struct mr_err err;

	for (int k = 0; k < COUNTS; k++)
		if (mr_limit_count(&l, &rates, &subject, 1, 1, false, store, now_s, &err))
			__atomic_add_fetch(&all->fault, 1, __ATOMIC_RELAXED);
		else
			__atomic_add_fetch(&all->let_in, !l.over, __ATOMIC_RELAXED);
}

/* Each process takes its part of the triplets (`share`), or all of the first `n`. */
static double
run(int processes, long n, bool shares, int64_t now_s)
{
	int64_t begin_us = mr_clock_now_us();

	for (int p = 0; p < processes; p++)
		if (fork() == 0) {
			if (n == 0)
				count(now_s);
			for (long i = shares ? p : 0; i < n; i += shares ? processes : 1)
				__atomic_add_fetch(
				    &all->state[attempt(i, now_s)], 1, __ATOMIC_RELAXED);
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
	return (double)(mr_clock_now_us() - begin_us) / 1e6;
}

static void
show(const char *what, long n, double s)
{
	printf("%-28s %10.0f a second: %ld new, %ld early, %ld passed, %ld known, %ld faults\n",
	    what, (double)n / s, all->state[MR_GREYLIST_NEW], all->state[MR_GREYLIST_EARLY],
	    all->state[MR_GREYLIST_PASSED], all->state[MR_GREYLIST_KNOWN], all->fault);
	*all = (struct tally){ .fault = 0 };
}

int
main(int argc, char **argv)
{
	int processes = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 50;
	int64_t now_s = mr_clock_now_s(), begin_us;
	uint64_t used, max;
	struct mr_err err;
	long few;

	triplets = argc > 2 ? strtol(argv[2], NULL, 10) : 1000000;
	few = triplets < 200 ? triplets : 200;
	all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (argc < 2 || triplets < 1 || processes < 1 || all == MAP_FAILED
	    || mr_stores_add(&set, &store, argv[1], &err))
		return 111;
	printf("%s: %ld triplets, %d processes\n", mr_store_name(store), triplets, processes);
	show("the same, all at once", few * processes, run(processes, few, false, now_s));
	show("a second too early", few * processes,
	    run(processes, few, false, now_s + MR_GREYLIST_DELAY_S - 1));
	show("first attempts", triplets, run(processes, triplets, true, now_s));
	now_s += MR_GREYLIST_DELAY_S;
	show("in time", triplets, run(processes, triplets, true, now_s));
	show("known", triplets, run(processes, triplets, true, now_s + 1));
	begin_us = mr_clock_now_us();
	for (int i = 0; i < 100000; i++)
		attempt(lrand48() % triplets, now_s + 2);
	printf("%-28s %10.1f us, one process\n", "known",
	    (double)(mr_clock_now_us() - begin_us) / 1e5);
	if (mr_store_size(store, &used, &max, &err) == MR_OK)
		printf("%-28s %10.1f MB\n", "size", (double)used / 1e6);
	printf("%-28s %10.0f a second", "counted (2 rates)",
	    processes * COUNTS / run(processes, 0, false, now_s));
	printf(": %ld let in, 1000 may\n", all->let_in);
	mr_stores_close(&set);
	return 0;
}
