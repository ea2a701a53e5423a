/* rcpt - how long the answer to RCPT waits for the DNS: SPEC, asked by SERVER, about a stranger from
 * 192.0.2.1 who says h.example and bob@a.example.
 *
 *	rcpt SPEC SERVER */
#include "base/clock.h"
#include "base/io.h"
#include "pipe/run.h"

#include <stdio.h>

static int
fail(const char *what, const struct mr_err *why)
{
	fprintf(stderr, "rcpt: %s: %s\n", what, why->text);
	return 111;
}

int
main(int argc, char **argv)
{
	static const struct mr_log log = { .prog = "rcpt", .fd = 2 };
	static const struct mr_pipe_conf conf = { .log = &log, .host = "mx.example" };
	struct mr_err err = { "need a spec and a server" };
	struct mr_dns_stats stats;
	struct mr_pipeline pl;
	struct mr_result r;
	struct mr_run run;
	int64_t start_us;

	if (argc != 3)
		return fail("usage", &err);
	if (mr_pipeline_open(&pl, argv[1], &conf, &err)
	    || mr_dns_conf_parse(&pl.resolver, argv[2], &err))
		return fail(argv[1], &err);
	mr_run_init(&run, &pl);
	if (mr_run_set(&run, MR_CONNECT, "client_address", MR_STR("192.0.2.1"), &err)
	    || mr_run_set(&run, MR_HELO, "helo_name", MR_STR("h.example"), &err)
	    || mr_run_set(&run, MR_MAIL, "sender", MR_STR("bob@a.example"), &err))
		return fail("record", &err);
	start_us = mr_clock_now_us();
	mr_run_upto(&run, MR_MAIL, &r);
	if (r.verdict == MR_DUNNO)
		mr_run_rcpt(&run, MR_STR("x@y.example"), &r);
	stats = mr_dns_stats(pl.dns);
	printf("%lld ms, %llu round trips, %llu questions, %s\n",
	    (long long)(mr_clock_now_us() - start_us) / 1000, (unsigned long long)stats.batches,
	    (unsigned long long)stats.questions, r.verdict == MR_DUNNO ? "accepted" : "refused");
	mr_run_free(&run);
	mr_pipeline_close(&pl);
	return 0;
}
