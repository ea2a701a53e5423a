/* job.c - jobs of the scheduler and results of a worker that may have been taken over: what is
 * accepted is written and read as the same. */
#include "mail/job.h"

#include "fuzz.h"

static void
jobs(struct mr_arena *arena, struct mr_str s)
{
	struct mr_job job, again;
	struct mr_buf out;

	mr_buf_init(&out, MR_JOB_MAX);
	if (mr_job_parse(&job, arena, s, NULL) == MR_OK
	    && mr_job_write(&job, &out, NULL) == MR_OK) {
		must(mr_job_parse(&again, arena, mr_buf_str(&out), NULL) == MR_OK);
		must(mr_str_eq(job.id, again.id) && mr_str_eq(job.sender, again.sender)
		    && mr_str_eq(job.nexthop, again.nexthop) && job.is_8bit == again.is_8bit
		    && job.message_len == again.message_len && job.front_off == again.front_off
		    && job.front_len == again.front_len && job.rcpt_n == again.rcpt_n);
		must(job.rcpt_n > 0 && job.rcpt_n <= MR_JOB_RCPT_MAX);
		for (size_t i = 0; i < job.rcpt_n; i++)
			must(mr_str_eq(job.rcpt[i], again.rcpt[i]) && mr_str_is_line(job.rcpt[i]));
		must(mr_str_is_line(job.id) && mr_str_is_line(job.sender)
		    && mr_str_is_line(job.nexthop));
	}
	mr_buf_free(&out);
}

static struct mr_str
at_most(struct mr_str s, size_t max)
{
	return (struct mr_str){ s.p, s.n < max ? s.n : max };
}

static void
results(struct mr_arena *arena, struct mr_str s)
{
	struct mr_job_result r, again;
	struct mr_buf out;

	mr_buf_init(&out, MR_JOB_RESULT_MAX);
	if (mr_job_result_parse(&r, arena, s, NULL) == MR_OK) {
		mr_job_result_write(&r, &out);
		must(!out.is_full && mr_str_is_line(mr_buf_str(&out)));
		must(mr_job_result_parse(&again, arena, mr_buf_str(&out), NULL) == MR_OK);
		must(r.is_done == again.is_done);
		if (r.is_done)
			must(r.host_down == again.host_down);
		else
			must(r.rcpt == again.rcpt && r.rcpt < MR_JOB_RCPT_MAX
			    && r.outcome == again.outcome && mr_outcome_word(r.outcome)
			    && mr_str_eq(at_most(r.reply, MR_JOB_REPLY_MAX), again.reply)
			    && mr_str_starts(again.host, "") && again.host.n <= r.host.n);
	}
	mr_buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str s = fuzz_copy(data, size);
	struct mr_arena arena;

	mr_arena_init(&arena, 16 << 20);
	jobs(&arena, s);
	results(&arena, s);
	mr_arena_free(&arena);
	fuzz_free(s);
	return 0;
}
