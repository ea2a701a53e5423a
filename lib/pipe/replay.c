#include "pipe/relay.h"
#include "pipe/serve.h"

#include <inttypes.h>

/* Columns of the table that -v prints. */
#define ROW_FMT "%-8s %-12s %5s %8s  "

static const char *
verdict_word(enum mr_verdict v)
{
	return v == MR_REFUSE ? "refuse"
	    : v == MR_DEFER   ? "try later"
	    : v == MR_MEMBER  ? "member"
	                      : "no objection";
}

struct table {
	const struct mr_spec *spec;
	struct mr_buf *out;
};

static void
add_row(void *ctx, const struct mr_trace *t)
{
	const struct table *table = ctx;
	struct mr_buf *out = table->out;
	char code[MR_NUM_MAX] = "-";

	if (t->code >= 0)
		mr_log_num(code, t->code);
	if (t->skipped) {
		mr_buf_addf(out, ROW_FMT "skipped: %s\n", mr_phase_name(t->stage->phase),
		    t->stage->name, "-", "-", t->skipped);
		return;
	}
	mr_buf_addf(out, "%-8s %-12s %5s %4" PRId64 ".%03" PRId64 "  ",
	    mr_phase_name(t->stage->phase), t->stage->name, code, t->us / 1000, t->us % 1000);
	if (t->is_broken)
		mr_buf_addf(
		    out, "broken (%s), fail=%s: ", t->why, t->stage->fail_open ? "open" : "defer");
	mr_buf_addf(
	    out, "%s%s", t->stage->is_warn ? "would be: " : "", verdict_word(t->answer->verdict));
	if (t->answer->verdict == MR_MEMBER) {
		mr_buf_adds(out, ", gives ");
		mr_spec_class_names(table->spec, t->stage->gives, out);
	}
	if (t->answer->text.n)
		mr_buf_addf(out, ": %.*s", (int)t->answer->text.n, t->answer->text.p);
	if (t->answer->note.n)
		mr_buf_addf(out, " (%.*s)", (int)t->answer->note.n, t->answer->note.p);
	if (!t->is_broken && t->why[0])
		mr_buf_addf(out, " [answer ignored: %s]", t->why);
	mr_buf_addc(out, '\n');
}

static bool
is_stricter(enum mr_verdict a, enum mr_verdict b)
{
	return a == MR_REFUSE ? b != MR_REFUSE : a == MR_DEFER && b != MR_REFUSE && b != MR_DEFER;
}

static void
say_result(
    const struct mr_replay *what, const char *whom, const struct mr_result *r, struct mr_buf *out)
{
	if (!what->is_verbose)
		return;
	mr_buf_addf(out, "%s: %s", whom, verdict_word(r->verdict));
	if (r->text.n)
		mr_buf_addf(out, ": %.*s", (int)r->text.n, r->text.p);
	if (r->stage)
		mr_buf_addf(out, " (stage %s)", r->stage);
	mr_buf_addc(out, '\n');
}

/* Each recipient by itself; *worst gets the strictest result. */
static enum mr_status
judge_rcpts(struct mr_run *run, const struct mr_replay *what, struct mr_result *worst,
    struct mr_buf *out, struct mr_err *err)
{
	for (size_t i = 0; i < what->env->rcpt_n; i++) {
		struct mr_str rcpt = what->env->rcpt[i].addr;
		struct mr_result r;
		struct mr_addr a;
		struct mr_err why;
		enum mr_status st;

		if ((st = mr_addr_parse(&a, what->env->arena, rcpt, &why)))
			return mr_err_set(
			    err, st, "recipient '%.*s': %s", (int)rcpt.n, rcpt.p, why.text);
		if (what->routes)
			mr_relay_rcpt(run, what->routes, &a, &r);
		else {
			mr_run_begin_rcpt(run);
			mr_run_rcpt(run, a.text, &r);
		}
		say_result(what, a.text.p, &r, out);
		if (is_stricter(r.verdict, worst->verdict)) {
			*worst = r;
			worst->text = mr_arena_dup(what->env->arena, r.text);
		}
	}
	return MR_OK;
}

/* The data phase over a copy of the message, which may come from a pipe. */
static enum mr_status
judge_message(
    struct mr_run *run, const struct mr_replay *what, struct mr_result *r, struct mr_err *err)
{
	struct mr_spool folder = { .incoming_fd = what->folder_fd };
	struct mr_spool_msg msg;
	enum mr_status st = mr_spool_begin(&folder, &msg, err);

	if (st)
		return st;
	st = mr_spool_copy_in(&msg, what->message_fd, UINT64_MAX, run->pl->conf.host, err);
	if (st == MR_OK)
		st = mr_spool_flush(&msg, err);
	if (st == MR_OK && msg.len)
		mr_run_data(run, &msg, &folder, r);
	mr_spool_abort(&msg);
	return st;
}

static enum mr_status
write_answer(struct mr_run *run, const struct mr_replay *what, const struct mr_result *r,
    struct mr_replay_result *result, struct mr_buf *out, struct mr_err *err)
{
	struct mr_answer a = { .verdict = r->verdict, .text = r->text, .hang_up = r->hang_up };
	struct mr_arena *arena = what->env->arena;
	struct mr_buf fields;

	mr_buf_init(&fields, MR_FIELDS_MAX);
	mr_run_front(run, &fields);
	a.headers = mr_buf_str(&fields);
	if (!what->is_verbose)
		mr_answer_write(&a, out);
	else {
		say_result(what, "message", r, out);
		mr_buf_add(out, a.headers);
	}
	*result = (struct mr_replay_result){ .verdict = r->verdict,
		.text = mr_arena_dup(arena, r->text),
		.stage = r->stage,
		.fields = mr_arena_dup(arena, a.headers) };
	mr_buf_free(&fields);
	if (out->is_full)
		return mr_err_set(err, MR_TEMP, "answer too large");
	return result->text.p && result->fields.p ? MR_OK
	                                          : mr_err_set(err, MR_TEMP, "out of memory");
}

enum mr_status
mr_replay_run(struct mr_pipeline *pl, const struct mr_replay *what, struct mr_replay_result *result,
    struct mr_buf *out, struct mr_err *err)
{
	struct table table = { .spec = &pl->spec, .out = out };
	struct mr_result r;
	struct mr_run run;
	enum mr_status st;

	mr_run_init(&run, pl);
	if (what->is_verbose) {
		run.trace = add_row;
		run.trace_ctx = &table;
		mr_buf_addf(out, ROW_FMT "%s\n", "phase", "stage", "code", "ms", "what");
	}
	if ((st = mr_serve_tell(&run, what->env, err)))
		goto out;
	/* Relay control comes between connect and helo, and for each recipient. */
	mr_run_upto(&run, what->routes && what->env->rcpt_n ? MR_CONNECT : MR_MAIL, &r);
	if (r.verdict == MR_DUNNO)
		st = judge_rcpts(&run, what, &r, out, err);
	if (st == MR_OK && what->message_fd >= 0
	    && (r.verdict == MR_DUNNO || run.scope[MR_DATA].env.rcpt_n)) {
		struct mr_result data = { .verdict = MR_DUNNO };

		st = judge_message(&run, what, &data, err);
		if (st == MR_OK && is_stricter(data.verdict, r.verdict))
			r = data;
	}
	if (st == MR_OK) {
		st = write_answer(&run, what, &r, result, out, err);
		mr_run_end(&run);
	}
out:
	mr_run_free(&run);
	return st;
}
