/* job.c - lib/mail/job. */
#include "mail/job.h"

#include "../tap.h"

static struct mr_arena arena;
static struct mr_buf out;
static struct mr_err err;

static struct mr_job
example(const struct mr_str *rcpt, size_t rcpt_n)
{
	return (struct mr_job){ .id = MR_STR("abc.1"),
		.sender = MR_STR(""),
		.nexthop = MR_STR("mx.example:25 192.0.2.1"),
		.is_8bit = true,
		.message_len = 100,
		.front_off = 100,
		.front_len = 7,
		.rcpt = rcpt,
		.rcpt_n = rcpt_n };
}

static void
jobs(void)
{
	struct mr_str rcpt[MR_JOB_RCPT_MAX + 1];
	struct mr_job job = example(rcpt, 2), back;

	for (size_t i = 0; i <= MR_JOB_RCPT_MAX; i++)
		rcpt[i] = mr_arena_fmt(&arena, "a%zu@x", i);
	ok(mr_job_write(&job, &out, &err) == MR_OK, "a job");
	is(mr_buf_str(&out),
	    "queue_id=abc.1\nsender=\nnexthop=mx.example:25 192.0.2.1\nbody=8BITMIME\n"
	    "message_length=100\nfront_offset=100\nfront_length=7\nrecipient=a0@x\nrecipient=a1@"
	    "x\n\n",
	    "its packet");
	ok(mr_job_parse(&back, &arena, mr_buf_str(&out), &err) == MR_OK, "read again");
	mr_buf_clear(&out);
	is(back.id, "abc.1", "id");
	is(back.sender, "", "null sender");
	is(back.nexthop, "mx.example:25 192.0.2.1", "next hop");
	ok(back.is_8bit && back.message_len == 100 && back.front_off == 100 && back.front_len == 7
	        && back.rcpt_n == 2,
	    "numbers");
	is(back.rcpt[1], "a1@x", "recipients");
	job.rcpt_n = MR_JOB_RCPT_MAX;
	ok(mr_job_write(&job, &out, &err) == MR_OK
	        && mr_job_parse(&back, &arena, mr_buf_str(&out), &err) == MR_OK
	        && back.rcpt_n == MR_JOB_RCPT_MAX,
	    "as many recipients as there may be");
	mr_buf_clear(&out);
	job.rcpt_n = MR_JOB_RCPT_MAX + 1;
	ok(mr_job_write(&job, &out, &err) == MR_PERM, "one more: %s", err.text);
	job.rcpt_n = 0;
	ok(mr_job_write(&job, &out, &err) == MR_PERM, "none: %s", err.text);
	job.rcpt_n = 1;
	job.sender = MR_STR("a\nrecipient=b@x");
	ok(mr_job_write(&job, &out, &err) == MR_PERM && out.n == 0, "no LF gets in");
	job.sender = MR_STR("a@x");
	out.max = 50;
	ok(mr_job_write(&job, &out, &err) == MR_TEMP, "a packet over the ceiling: %s", err.text);
	mr_buf_clear(&out);
	out.max = MR_JOB_MAX;
}

static void
bad_jobs(void)
{
	static const char *const lines[] = { "queue_id=a", "sender=", "nexthop=x",
		"message_length=1", "front_offset=1", "front_length=0", "recipient=a@x" };
	struct mr_job job;

	for (size_t without = 0; without <= sizeof lines / sizeof *lines; without++) {
		mr_buf_clear(&out);
		for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
			if (i != without)
				mr_buf_addf(&out, "%s\n", lines[i]);
		ok((mr_job_parse(&job, &arena, mr_buf_str(&out), &err) == MR_OK)
		        == (without == sizeof lines / sizeof *lines),
		    "needed: %s", without < 7 ? lines[without] : "no more");
	}
	mr_buf_addf(&out, "message_length=-1\n");
	ok(mr_job_parse(&job, &arena, mr_buf_str(&out), &err) == MR_PERM, "a bad number");
	mr_buf_addf(&out, "message_length=9223372036854775808\n");
	ok(mr_job_parse(&job, &arena, mr_buf_str(&out), &err) == MR_PERM,
	    "a number over an offset");
	mr_buf_addf(&out, "message_length=9223372036854775807\n");
	ok(mr_job_parse(&job, &arena, mr_buf_str(&out), &err) == MR_OK, "the largest");
	for (size_t i = 0; i < MR_JOB_RCPT_MAX; i++)
		mr_buf_addf(&out, "recipient=a@x\n");
	ok(mr_job_parse(&job, &arena, mr_buf_str(&out), &err) == MR_PERM, "too many recipients");
	mr_buf_clear(&out);
	ok(mr_job_parse(&job, &arena, MR_STR(""), &err) == MR_PERM, "nothing");
	ok(mr_job_parse(&job, &arena, MR_STR("word"), &err) == MR_PERM, "a word");
}

static void
results(void)
{
	struct mr_job_result r = { .rcpt = 7,
		.outcome = MR_FAILED,
		.host = MR_STR("mx.example[192.0.2.1]:25"),
		.reply = MR_STR("550 5.1.1 \"no\"\r\nsuch user"),
		.status = MR_STR("5.1.1") },
	                     back;
	static char big[10000];

	mr_job_result_write(&r, &out);
	is(mr_buf_str(&out),
	    "rcpt=7 outcome=failed status=5.1.1 host=mx.example[192.0.2.1]:25 "
	    "reply=\"550 5.1.1 \\\"no\\\"\\x0d\\x0asuch user\"",
	    "a result");
	ok(mr_job_result_parse(&back, &arena, mr_buf_str(&out), &err) == MR_OK && back.rcpt == 7
	        && back.outcome == MR_FAILED && !back.is_done && mr_str_eq(back.host, r.host)
	        && mr_str_eq(back.reply, r.reply) && mr_str_eq(back.status, r.status),
	    "read again");
	/* A packet that was cut anywhere is no result, or the same but for its last words. */
	for (size_t n = 0; n < out.n; n++) {
		struct mr_str part = { out.p, n };

		if (mr_job_result_parse(&back, &arena, part, &err) == MR_OK
		    && (back.rcpt != 7 || back.outcome != MR_FAILED))
			ok(false, "cut at %zu", n);
	}
	mr_buf_clear(&out);
	r = (struct mr_job_result){ .is_done = true, .host_down = true };
	mr_job_result_write(&r, &out);
	is(mr_buf_str(&out), "done=1 host_down=1", "the end of a job");
	ok(mr_job_result_parse(&back, &arena, mr_buf_str(&out), &err) == MR_OK && back.is_done
	        && back.host_down,
	    "read again");
	mr_buf_clear(&out);

	memset(big, '\xff', sizeof big);
	r = (struct mr_job_result){ .rcpt = MR_JOB_RCPT_MAX - 1,
		.outcome = MR_DELIVERED,
		.host = { big, sizeof big },
		.reply = { big, sizeof big },
		.status = { big, sizeof big } };
	mr_job_result_write(&r, &out);
	ok(out.n <= MR_JOB_RESULT_MAX && !out.is_full
	        && mr_job_result_parse(&back, &arena, mr_buf_str(&out), &err) == MR_OK
	        && back.reply.n == MR_JOB_REPLY_MAX,
	    "the worst words fit into a packet: %zu", out.n);
	mr_buf_clear(&out);
}

static void
bad_results(void)
{
	static const char *const t[] = { "", " ", "rcpt=1", "outcome=delivered", "host=x reply=y",
		"rcpt=1 status=2.0.0", "rcpt=1 outcome=lost",
		"rcpt=1 outcome=", "rcpt=x outcome=failed", "rcpt=-1 outcome=failed",
		"rcpt=100 outcome=failed", "rcpt=1 outcome=failed word",
		"rcpt=1 outcome=failed reply=\"", "rcpt=1 outcome=failed reply=\"x",
		"done=1 rcpt=1 outcome=failed", "done=0", "host_down=1",
		"rcpt=1 outcome=delivered\n" };
	struct mr_job_result r;

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		ok(mr_job_result_parse(&r, &arena, mr_str(t[i]), &err) == MR_PERM,
		    "no result: case %zu", i);
	ok(mr_job_result_parse(&r, &arena, MR_STR("rcpt=99 outcome=deferred x=1"), &err) == MR_OK,
	    "words that we do not know");
	is(r.reply, "", "what is left out is empty");
}

int
main(void)
{
	mr_arena_init(&arena, 16 << 20);
	mr_buf_init(&out, MR_JOB_MAX);
	jobs();
	bad_jobs();
	results();
	bad_results();
	is(mr_str(mr_outcome_word(MR_DEFERRED)), "deferred", "a word");
	mr_arena_free(&arena);
	mr_buf_free(&out);
	return done_testing();
}
