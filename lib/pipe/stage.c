#include "pipe/stage.h"

#include "base/child.h"
#include "base/clock.h"
#include "base/io.h"
#include "mail/addr.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define OWN_GRACE_MS 1000 /* for an own filter of the envelope to end, behind time= */

bool
mr_stage_verdict(enum mr_codes codes, int c, enum mr_verdict *verdict)
{
	*verdict = MR_DUNNO;
	if (c == 0)
		return true;
	if (codes == MR_CODES_QMAIL) {
		/* qmail-command(8), and qmail-queue(8) for 11 to 40 */
		bool is_hard = c == 100 || c == 112 || c == 64 || c == 65 || c == 70 || c == 76
		    || c == 77 || c == 78 || (c >= 11 && c <= 40);

		*verdict = c == 99 ? MR_MEMBER : is_hard ? MR_REFUSE : MR_DEFER;
		return c > 0;
	}
	if (codes == MR_CODES_SYSEXITS) {
		/* What speaks of the mail refuses it; what speaks of the program is a fault. */
		*verdict = c == EX_DATAERR || c == EX_NOUSER || c == EX_NOHOST
		        || c == EX_UNAVAILABLE || c == EX_NOPERM
		    ? MR_REFUSE
		    : MR_DEFER;
		return *verdict == MR_REFUSE || c == EX_TEMPFAIL;
	}
	*verdict = (enum mr_verdict)c;
	return c == MR_MEMBER || c == MR_REFUSE || c == MR_DEFER;
}

/* A descriptor of its own (own offset, not writable) on the same file. */
static int
reopen(int fd)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* ---- what a program printed ---------------------------------------------------------------------- */

/* The record of an edit stage: its recipients count, each a proper address. */
static enum mr_status
take_record(struct mr_env *edited, struct mr_str text, struct mr_err *err)
{
	size_t used;
	enum mr_status st = mr_env_parse(edited, text, &used, err);

	for (size_t i = 0; i < edited->rcpt_n && st == MR_OK; i++) {
		struct mr_addr a;
		struct mr_err why;

		if ((st = mr_addr_parse(&a, edited->arena, edited->rcpt[i].addr, &why)))
			return mr_err_set(
			    err, st, "edit stage printed a bad recipient: %s", why.text);
		edited->rcpt[i].addr = a.text;
	}
	if (st == MR_OK && !edited->rcpt_n)
		st = mr_err_set(err, MR_PERM, "edit stage printed no recipient");
	return st;
}

/* The message of an edit stage, from the file that it wrote. */
static enum mr_status
take_message(const struct mr_stage_io *io, int fd, struct mr_err *err)
{
	struct mr_spool_msg *msg = io->edited_msg;
	enum mr_status st = mr_spool_begin(io->spool, msg, err);

	if (st == MR_OK)
		st = mr_spool_copy_in(msg, fd, UINT64_MAX, NULL, err);
	if (st == MR_OK && msg->len == 0)
		st = mr_err_set(err, MR_PERM, "edit stage printed no message");
	return st ? st : mr_spool_flush(msg, err);
}

/* What a program that ended with `verdict` wrote to `fd`. */
static void
take_output(struct mr_step *step, const struct mr_stage_io *io, int fd, enum mr_verdict verdict,
    struct mr_answer *answer, struct mr_stage_end *end)
{
	bool is_edit = step->stage->is_edit && verdict == MR_DUNNO;
	struct mr_err why;
	enum mr_status st;
	struct mr_buf b;

	answer->verdict = verdict;
	if (fd < 0)
		return;
	mr_buf_init(&b, is_edit ? MR_ENV_MAX : MR_ANSWER_MAX);
	if (lseek(fd, 0, SEEK_SET) < 0)
		st = mr_err_sys(&why, MR_TEMP, "seek");
	else if (is_edit && io->message_fd >= 0)
		st = take_message(io, fd, &why);
	else if ((st = mr_io_read_all(fd, &b, &why)) == MR_OK)
		st = is_edit ? take_record(io->edited, mr_buf_str(&b), &why)
		             : mr_answer_parse(answer, verdict, mr_buf_str(&b), &why);
	/* An answer of wrong form is ignored, its verdict stands. */
	end->is_broken = is_edit ? st != MR_OK : st == MR_TEMP;
	if (st)
		end->why = why;
	mr_buf_free(&b);
}

/* ---- running it ------------------------------------------------------------------------------------- */

/* Where it writes to: memory, a file for a whole message, or nowhere (-1) if its output means nothing;
 * false if that cannot be made. */
static bool
open_output(const struct mr_step *step, const struct mr_stage_io *io, int *fd)
{
	struct mr_spool_msg file;

	*fd = -1;
	if (!step->stage->is_edit && step->stage->codes != MR_CODES_MR)
		return true;
	if (!step->stage->is_edit || io->message_fd < 0)
		*fd = mr_child_memfile(MR_STR(""));
	else if (mr_spool_begin(io->spool, &file, NULL) == MR_OK)
		*fd = file.fd;
	return *fd >= 0;
}

static uint64_t
size_of(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void
run_program(struct mr_step *step, const struct mr_stage_io *io, struct mr_answer *answer,
    struct mr_stage_end *end)
{
	bool wants_message = io->message_fd >= 0 && (!step->filter || step->filter->message);
	int64_t deadline = mr_clock_mono_ms() + (int64_t)step->stage->time_s * 1000;
	int record = -1, message = -1, out = -1;
	enum mr_verdict verdict;
	struct mr_exit ended;
	uint64_t out_max = 2 * size_of(io->message_fd) + MR_STAGE_OUT_MAX;
	struct mr_buf text;

	if (step->filter && !step->filter->message) /* its lookups may last all the time it has */
		deadline += OWN_GRACE_MS;
	end->is_broken = true;
	mr_buf_init(&text, 2 * MR_ENV_MAX);
	mr_env_write(io->env, &text);
	record = text.is_full ? -1 : mr_child_memfile(mr_buf_str(&text));
	message = wants_message ? reopen(io->message_fd) : -1;
	if (record < 0 || (wants_message && message < 0) || !open_output(step, io, &out)) {
		mr_err_set(&end->why, MR_TEMP, "cannot make a file for the stage's %s",
		    record < 0                         ? "record"
		        : wants_message && message < 0 ? "input"
		                                       : "output");
		goto out;
	}
	if (mr_child_run(step->argv,
	        (const int[]){ wants_message ? message : record, out, 2, record },
	        wants_message ? 4 : 3, out_max, deadline, &ended, &end->why))
		goto out;
	end->code = ended.code;
	if (ended.timed_out)
		mr_err_set(&end->why, MR_TEMP, "killed after %llu s",
		    (unsigned long long)step->stage->time_s);
	else if (ended.is_over)
		mr_err_set(&end->why, MR_TEMP, "it wrote over %" PRIu64 " bytes", out_max);
	else if (ended.signal)
		mr_err_set(&end->why, MR_TEMP, "ended by signal %d", ended.signal);
	else if (!mr_stage_verdict(step->stage->codes, ended.code, &verdict))
		mr_err_set(&end->why, MR_TEMP, "exit code %d has no meaning here", ended.code);
	else {
		end->is_broken = false;
		take_output(step, io, out, verdict, answer, end);
	}
out:
	if (record >= 0)
		close(record);
	if (message >= 0)
		close(message);
	if (out >= 0)
		close(out);
	mr_buf_free(&text);
}

void
mr_stage_run(struct mr_step *step, const struct mr_stage_io *io, struct mr_answer *answer,
    struct mr_stage_end *end)
{
	const struct mr_stage *stage = step->stage;
	struct mr_arena *arena = answer->arena;

	*end = (struct mr_stage_end){ .code = -1 };
	if (stage->codes == MR_CODES_POLICY)
		end->is_broken =
		    mr_policy_ask(stage->argv[0], io->env,
		        mr_clock_mono_ms() + (int64_t)stage->time_s * 1000, answer, &end->why)
		    != MR_OK;
	else if (step->argv)
		run_program(step, io, answer, end);
	else if (step->filter->message) {
		if (mr_confined_ask(io->confined, step, io->message_fd, stage->time_s, io->env,
		        answer, &end->why))
			end->is_broken = true;
	} else {
		mr_filter_ask(&step->own, io->env, answer);
		if (answer->edited)
			*io->edited = *answer->edited;
		else if (stage->is_edit && answer->verdict == MR_DUNNO) {
			end->is_broken = true; /* nobody may get lost */
			mr_err_set(&end->why, MR_TEMP, "it gave no record");
		}
	}
	if (end->is_broken)
		mr_answer_init(answer, arena);
	else if (end->code < 0)
		end->code = (int)answer->verdict;
}
