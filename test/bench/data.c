/* data - what the data stages of SPEC cost for the message in FILE, asked N times: CPU of this process and of
 * the children without rights that it makes for each, and what a fork alone costs.
 *
 *	data SPEC FILE N */
#include "base/clock.h"
#include "pipe/run.h"
#include "queue/spool.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int
fail(const char *what, const struct mr_err *why)
{
	fprintf(stderr, "data: %s: %s\n", what, why->text);
	return 111;
}

/* CPU of this process and its children so far. */
static long
cpu_us(void)
{
	static const int whose[] = { RUSAGE_SELF, RUSAGE_CHILDREN };
	struct rusage u;
	long us = 0;

	for (int i = 0; i < 2; i++) {
		getrusage(whose[i], &u);
		us += (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec
		    + u.ru_stime.tv_usec;
	}
	return us;
}

static long
fork_us(int n)
{
	long start_us = cpu_us();

	for (int i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	return cpu_us() - start_us;
}

int
main(int argc, char **argv)
{
	static const struct mr_log log = { .prog = "data", .fd = 2 };
	static const struct mr_pipe_conf conf = {
		.log = &log, .host = "mx.example", .will_fork = true
	};
	struct mr_err err = { "need a spec, a file and a number" };
	struct mr_spool_msg msg = { .fd = -1 };
	struct mr_pipeline pl;
	struct mr_result r;
	struct mr_run run;
	long start_us;
	int n;

	if (argc != 4 || (n = (int)strtol(argv[3], NULL, 10)) < 1)
		return fail("usage", &err);
	if ((msg.fd = open(argv[2], O_RDONLY)) < 0 || mr_pipeline_open(&pl, argv[1], &conf, &err))
		return fail(argv[2], &err);
	mr_run_init(&run, &pl);
	if (mr_run_set(&run, MR_CONNECT, "client_address", MR_STR("192.0.2.1"), &err)
	    || mr_run_set(&run, MR_MAIL, "sender", MR_STR("bob@a.example"), &err))
		return fail("record", &err);
	mr_run_data(&run, &msg, NULL, &r);
	start_us = cpu_us();
	for (int i = 0; i < n; i++) {
		mr_run_reset(&run, MR_DATA);
		mr_run_data(&run, &msg, NULL, &r);
	}
	printf("%s: %.3f ms of CPU a message; a fork alone %.3f ms\n",
	    r.verdict == MR_DUNNO ? "accepted" : r.text.p, (double)(cpu_us() - start_us) / n / 1000,
	    (double)fork_us(n) / n / 1000);
	mr_run_free(&run);
	mr_pipeline_close(&pl);
	close(msg.fd);
	return 0;
}
