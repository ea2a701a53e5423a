#include "pipe/run.h"

#include "base/clock.h"
#include "mail/addr.h"
#include "mail/header.h"
#include "pipe/stage.h"

#include <string.h>
#include <unistd.h>

#define SCOPE_MEMORY_MAX (32u << 20)

static const struct mr_result no_objection = { .verdict = MR_DUNNO };

/* ---- scopes ------------------------------------------------------------------------------------- */

void
mr_run_init(struct mr_run *run, struct mr_pipeline *pl)
{
	*run = (struct mr_run){ .pl = pl };
	for (unsigned i = 0; i < MR_PHASE_N; i++) {
		struct mr_scope *s = &run->scope[i];

		mr_arena_init(&s->arena, SCOPE_MEMORY_MAX);
		mr_env_init(&s->env, &s->arena);
		mr_buf_init(&s->fields, MR_FIELDS_MAX);
	}
	run->all_rcpt_classes = ~0u;
}

static void
empty_scope(struct mr_scope *s)
{
	mr_arena_free(&s->arena);
	mr_buf_clear(&s->fields);
	mr_env_init(&s->env, &s->arena);
	s->ar = (struct mr_attrs){ .n = 0 };
	s->classes = 0;
	s->has_run = false;
	s->result = no_objection;
}

void
mr_run_reset(struct mr_run *run, enum mr_phase phase)
{
	for (unsigned i = phase; i < MR_PHASE_N; i++)
		empty_scope(&run->scope[i]);
	run->all_rcpt_classes = ~0u;
}

void
mr_run_free(struct mr_run *run)
{
	for (unsigned i = 0; i < MR_PHASE_N; i++) {
		mr_arena_free(&run->scope[i].arena);
		mr_buf_free(&run->scope[i].fields);
	}
}

enum mr_status
mr_run_set(struct mr_run *run, enum mr_phase phase, const char *name, struct mr_str value,
    struct mr_err *err)
{
	return mr_env_set(&run->scope[phase].env, mr_str(name), value, err);
}

void
mr_run_give(struct mr_run *run, enum mr_phase phase, uint32_t class_bit)
{
	run->scope[phase].classes |= class_bit;
}

uint32_t
mr_run_classes(const struct mr_run *run)
{
	uint32_t mask = 0;

	for (unsigned i = MR_CONNECT; i <= MR_RCPT; i++)
		mask |= run->scope[i].classes;
	return mask;
}

/* The classes that a stage of `phase` is judged by. */
static uint32_t
classes_for(const struct mr_run *run, enum mr_phase phase)
{
	uint32_t mask = 0;

	if (phase < MR_RCPT) /* a recipient's classes are its own */
		for (unsigned i = MR_CONNECT; i <= MR_MAIL; i++)
			mask |= run->scope[i].classes;
	else if (phase == MR_RCPT)
		mask = mr_run_classes(run);
	else {
		for (unsigned i = MR_CONNECT; i <= MR_MAIL; i++)
			mask |= run->scope[i].classes;
		mask |= run->scope[MR_DATA].classes;
		if (run->scope[MR_DATA].env.rcpt_n)
			mask |= run->all_rcpt_classes;
	}
	return mask;
}

/* ---- the record that a stage gets ---------------------------------------------------------------- */

struct mr_str
mr_run_get(const struct mr_run *run, const char *name)
{
	struct mr_str value = { NULL, 0 };

	for (unsigned i = MR_CONNECT; i <= MR_MAIL && !value.p; i++)
		value = mr_env_get(&run->scope[i].env, name);
	return value;
}

static struct mr_str
protocol_state(const struct mr_run *run, enum mr_phase phase)
{
	static const char *const states[] = { "CONNECT", "HELO", "MAIL", "RCPT", "END-OF-MESSAGE",
		"END" };

	if (phase == MR_HELO && !mr_str_is(mr_run_get(run, "protocol_name"), "SMTP"))
		return MR_STR("EHLO");
	return mr_str(states[phase]);
}

/* What is known up to and in `phase`; recipients are set by the caller. */
static enum mr_status
make_record(const struct mr_run *run, enum mr_phase phase, struct mr_arena *arena,
    struct mr_env *env, struct mr_err *err)
{
	enum mr_status st;

	mr_env_init(env, arena);
	st = mr_env_set(env, MR_STR("request"), MR_STR("smtpd_access_policy"), err);
	if (st == MR_OK)
		st = mr_env_set(env, MR_STR("protocol_state"), protocol_state(run, phase), err);
	for (unsigned i = MR_CONNECT; i <= MR_MAIL && st == MR_OK; i++)
		st = mr_env_join(env, &run->scope[i].env, err);
	if (st == MR_OK && phase == MR_RCPT)
		st = mr_env_join(env, &run->scope[MR_RCPT].env, err);
	if (st == MR_OK && phase >= MR_DATA) {
		st = mr_env_join(env, &run->scope[MR_DATA].env, err);
		env->rcpt = run->scope[MR_DATA].env.rcpt;
		env->rcpt_n = run->scope[MR_DATA].env.rcpt_n;
		env->rcpt_cap = 0; /* a view: nothing is added to it */
	}
	return st;
}

enum mr_status
mr_run_record(
    const struct mr_run *run, struct mr_arena *arena, struct mr_env *env, struct mr_err *err)
{
	return make_record(run, MR_DATA, arena, env, err);
}

/* ---- one stage ------------------------------------------------------------------------------------ */

static bool
is_wanted(const struct mr_run *run, const struct mr_stage *st, struct mr_buf *why)
{
	uint32_t mask = classes_for(run, st->phase);
	uint32_t against = st->unless & mask;

	if (against) {
		mr_buf_adds(why, "unless=");
		mr_spec_class_names(&run->pl->spec, against, why);
	} else if (st->only && !(st->only & mask)) {
		mr_buf_adds(why, "only=");
		mr_spec_class_names(&run->pl->spec, st->only, why);
	}
	mr_buf_addc(why, '\0');
	return why->n == 1;
}

static void
tell(const struct mr_run *run, const struct mr_trace *t)
{
	if (run->trace)
		run->trace(run->trace_ctx, t);
}

/* Puts what the stage said besides its verdict into the scope. */
static enum mr_status
keep_answer(struct mr_scope *s, const struct mr_answer *a, struct mr_err *err)
{
	enum mr_status st = MR_OK;

	for (size_t i = 0; i < a->attrs.n && st == MR_OK; i++)
		st = mr_env_set(&s->env, a->attrs.v[i].name, a->attrs.v[i].value, err);
	for (size_t i = 0; i < a->ar.n && st == MR_OK; i++) {
		if (!mr_arena_grow(&s->arena, &s->ar.v, s->ar.n, &s->ar.cap, sizeof *s->ar.v))
			return mr_err_set(err, MR_TEMP, "out of memory");
		s->ar.v[s->ar.n++] = a->ar.v[i];
	}
	if (st == MR_OK && a->headers.n) {
		mr_header_to_crlf(a->headers, &s->fields);
		if (s->fields.is_full)
			st = mr_err_set(err, MR_TEMP, "header fields of all stages over %u bytes",
			    MR_FIELDS_MAX);
	}
	return st;
}

static void
set_result(struct mr_result *r, const struct mr_stage *st, const struct mr_answer *a)
{
	*r = (struct mr_result){
		.verdict = a->verdict, .hang_up = a->hang_up, .text = a->text, .stage = st->name
	};
}

/* Runs one stage and lets its answer work on `scope`.  *r stays at no objection unless it refuses.
 * True if it is an edit stage whose output is to be used. */
static bool
run_step(struct mr_run *run, struct mr_step *step, struct mr_scope *scope,
    const struct mr_stage_io *io, struct mr_result *r)
{
	const struct mr_stage *stage = step->stage;
	const struct mr_log *log = run->pl->conf.log;
	int64_t start = mr_clock_now_us();
	struct mr_stage_end end;
	struct mr_answer a;

	mr_answer_init(&a, &scope->arena);
	mr_stage_run(step, io, &a, &end);
	if (!end.is_broken && keep_answer(scope, &a, &end.why))
		end.is_broken = true;
	if (end.is_broken && !stage->fail_open)
		mr_answer_say(&a, MR_DEFER, "4.3.0 Temporary problem of this host");
	tell(run,
	    &(const struct mr_trace){ .stage = stage,
	        .code = end.code,
	        .is_broken = end.is_broken,
	        .us = mr_clock_now_us() - start,
	        .answer = &a,
	        .why = end.why.text });
	if (end.why.text[0])
		MR_LOG(log, MR_LOG_FAULT, "stage", { "stage", mr_str(stage->name) },
		    { "id", mr_run_get(run, "queue_id") }, { "code", MR_NUM(end.code) },
		    { "why", mr_str(end.why.text) },
		    { "then",
		        end.is_broken ? mr_str(stage->fail_open ? "open" : "defer")
		                      : MR_STR("answer-ignored") });
	if (stage->is_warn && a.verdict != MR_DUNNO) {
		MR_LOG(log, MR_LOG_WARN, "warn", { "stage", mr_str(stage->name) },
		    { "id", mr_run_get(run, "queue_id") }, { "code", MR_NUM(end.code) },
		    { "would_say", a.text }, { "note", a.note });
		return false;
	}
	if (a.verdict == MR_MEMBER)
		scope->classes |= stage->gives;
	else if (a.verdict != MR_DUNNO)
		set_result(r, stage, &a);
	return stage->is_edit && !stage->is_warn && !end.is_broken && a.verdict == MR_DUNNO;
}

static bool
may_run(const struct mr_run *run, const struct mr_stage *stage)
{
	struct mr_buf why;
	bool wanted;

	mr_buf_init(&why, 1024);
	wanted = is_wanted(run, stage, &why);
	if (!wanted)
		tell(run, &(const struct mr_trace){ .stage = stage, .skipped = why.p, .code = -1 });
	mr_buf_free(&why);
	return wanted;
}

/* A fault of ours that no stage can be blamed for. */
static void
own_fault(struct mr_run *run, enum mr_phase phase, const struct mr_err *err, struct mr_result *r)
{
	MR_LOG(run->pl->conf.log, MR_LOG_FAULT, "pipeline",
	    { "phase", mr_str(mr_phase_name(phase)) }, { "id", mr_run_get(run, "queue_id") },
	    { "why", mr_str(err->text) });
	*r = (struct mr_result){ .verdict = MR_DEFER,
		.text = MR_STR("4.3.0 Temporary problem of this host"),
		.stage = "pipeline" };
}

/* ---- phases before data -------------------------------------------------------------------------- */

/* Runs the stages of one phase, `now` ones or the others, until the first refusal. */
static void
run_phase(struct mr_run *run, enum mr_phase phase, bool is_now, struct mr_result *r)
{
	struct mr_scope *scope = &run->scope[phase];
	struct mr_arena arena;
	struct mr_err err;

	*r = no_objection;
	mr_arena_init(&arena, SCOPE_MEMORY_MAX);
	for (size_t i = 0; i < run->pl->n && r->verdict == MR_DUNNO; i++) {
		struct mr_step *step = &run->pl->step[i];
		struct mr_env env;

		if (step->stage->phase != phase || step->stage->is_now != is_now
		    || !may_run(run, step->stage))
			continue;
		if (make_record(run, phase, &arena, &env, &err))
			own_fault(run, phase, &err, r);
		else
			run_step(run, step, scope,
			    &(const struct mr_stage_io){
			        .env = &env, .message_fd = -1, .edited_fd = -1 },
			    r);
	}
	mr_arena_free(&arena);
}

void
mr_run_now(struct mr_run *run, struct mr_result *result)
{
	run_phase(run, MR_CONNECT, true, result);
}

void
mr_run_upto(struct mr_run *run, enum mr_phase last, struct mr_result *result)
{
	*result = no_objection;
	for (unsigned i = MR_CONNECT; i <= last && result->verdict == MR_DUNNO; i++) {
		struct mr_scope *s = &run->scope[i];

		if (!s->has_run) {
			run_phase(run, (enum mr_phase)i, false, &s->result);
			s->has_run = true;
		}
		*result = s->result;
	}
}

void
mr_run_begin_rcpt(struct mr_run *run)
{
	empty_scope(&run->scope[MR_RCPT]);
}

void
mr_run_end(struct mr_run *run)
{
	struct mr_result ignored;

	run_phase(run, MR_END, false, &ignored);
}

/* ---- recipients ---------------------------------------------------------------------------------- */

/* What the edit stage made of the recipients, each a proper address. */
static enum mr_status
check_edited(struct mr_arena *arena, const struct mr_env *edited, struct mr_err *err)
{
	struct mr_addr a;
	struct mr_err why;

	if (!edited->rcpt_n)
		return mr_err_set(err, MR_PERM, "edit stage printed no recipient");
	for (size_t i = 0; i < edited->rcpt_n; i++)
		if (mr_addr_parse(&a, arena, edited->rcpt[i].addr, &why))
			return mr_err_set(
			    err, MR_PERM, "edit stage printed a bad recipient: %s", why.text);
	return MR_OK;
}

/* Runs the edit or plain stages of rcpt over `now`, the recipients at this point. */
static void
run_rcpt_step(struct mr_run *run, struct mr_step *step, struct mr_arena *arena, struct mr_env *now,
    struct mr_result *r)
{
	struct mr_stage_io io = { .message_fd = -1, .edited_fd = -1 };
	struct mr_env env, edited;
	struct mr_err err;

	if (make_record(run, MR_RCPT, arena, &env, &err)) {
		own_fault(run, MR_RCPT, &err, r);
		return;
	}
	env.rcpt = now->rcpt;
	env.rcpt_n = now->rcpt_n;
	io.env = &env;
	mr_env_init(&edited, arena);
	if (step->stage->is_edit)
		io.edited = &edited;
	if (!run_step(run, step, &run->scope[MR_RCPT], &io, r))
		return;
	if (check_edited(arena, &edited, &err))
		own_fault(run, MR_RCPT, &err, r);
	else
		*now = edited;
}

static bool
has_rcpt(const struct mr_env *env, struct mr_str addr)
{
	for (size_t i = 0; i < env->rcpt_n; i++)
		if (mr_str_eq(env->rcpt[i].addr, addr))
			return true;
	return false;
}

static bool
has_ar(const struct mr_attrs *ar, struct mr_str result)
{
	for (size_t i = 0; i < ar->n; i++)
		if (mr_str_eq(ar->v[i].value, result))
			return true;
	return false;
}

/* Joins what was said for this recipient to the message, each thing once. */
static enum mr_status
accept_fields(struct mr_scope *all, const struct mr_scope *one, struct mr_err *err)
{
	struct mr_str fields = mr_buf_str(&one->fields);

	for (size_t i = 0; i < one->ar.n; i++) {
		struct mr_attr copy = { .name = MR_STR("ar") };

		if (has_ar(&all->ar, one->ar.v[i].value))
			continue;
		copy.value = mr_arena_dup(&all->arena, one->ar.v[i].value);
		if (!copy.value.p
		    || !mr_arena_grow(
		        &all->arena, &all->ar.v, all->ar.n, &all->ar.cap, sizeof copy))
			return mr_err_set(err, MR_TEMP, "out of memory");
		all->ar.v[all->ar.n++] = copy;
	}
	if (fields.n
	    && (!all->fields.n || !memmem(all->fields.p, all->fields.n, fields.p, fields.n)))
		mr_buf_add(&all->fields, fields);
	return all->fields.is_full ? mr_err_set(err, MR_TEMP, "too many header fields") : MR_OK;
}

static enum mr_status
accept_rcpts(struct mr_run *run, struct mr_str addr, const struct mr_env *now, struct mr_err *err)
{
	struct mr_scope *all = &run->scope[MR_DATA];
	enum mr_status st = accept_fields(all, &run->scope[MR_RCPT], err);

	for (size_t i = 0; i < now->rcpt_n && st == MR_OK; i++) {
		const struct mr_rcpt *from = &now->rcpt[i];
		struct mr_rcpt *to;

		if (has_rcpt(&all->env, from->addr))
			continue;
		if ((st = mr_env_add_rcpt(&all->env, from->addr, err)))
			break;
		to = &all->env.rcpt[all->env.rcpt_n - 1];
		for (size_t k = 0; k < from->attrs.n && st == MR_OK; k++)
			st = mr_attrs_set(&to->attrs, &all->arena, from->attrs.v[k].name,
			    from->attrs.v[k].value, err);
		if (st == MR_OK && !mr_str_eq(from->addr, addr)
		    && !mr_attrs_get(&to->attrs, "original_recipient").p)
			st = mr_attrs_set(
			    &to->attrs, &all->arena, MR_STR("original_recipient"), addr, err);
	}
	if (st == MR_OK)
		run->all_rcpt_classes &= run->scope[MR_RCPT].classes;
	return st;
}

void
mr_run_rcpt(struct mr_run *run, struct mr_str addr, struct mr_result *r)
{
	struct mr_arena arena;
	struct mr_err err;
	struct mr_env now;

	*r = no_objection;
	mr_arena_init(&arena, SCOPE_MEMORY_MAX);
	mr_env_init(&now, &arena);
	if (mr_env_add_rcpt(&now, addr, &err))
		own_fault(run, MR_RCPT, &err, r);
	for (size_t i = 0; i < run->pl->n && r->verdict == MR_DUNNO; i++)
		if (run->pl->step[i].stage->phase == MR_RCPT
		    && may_run(run, run->pl->step[i].stage))
			run_rcpt_step(run, &run->pl->step[i], &arena, &now, r);
	if (r->verdict == MR_DUNNO && accept_rcpts(run, addr, &now, &err))
		own_fault(run, MR_RCPT, &err, r);
	mr_arena_free(&arena);
}

/* ---- data ------------------------------------------------------------------------------------------ */

/* Takes what the edit stage printed as the message from now on. */
static enum mr_status
replace_message(struct mr_spool_msg *msg, int edited_fd, struct mr_spool *spool, struct mr_err *err)
{
	struct mr_spool_msg new;
	enum mr_status st;

	if (lseek(edited_fd, 0, SEEK_END) <= 0 || lseek(edited_fd, 0, SEEK_SET) < 0)
		return mr_err_set(err, MR_TEMP, "edit stage printed no message");
	if ((st = mr_spool_begin(spool, &new, err)))
		return st;
	st = mr_spool_copy_in(&new, edited_fd, UINT64_MAX, err);
	if (st == MR_OK)
		st = mr_spool_flush(&new, err);
	if (st) {
		mr_spool_abort(&new);
		return st;
	}
	mr_spool_abort(msg);
	*msg = new;
	return MR_OK;
}

static void
run_data_step(struct mr_run *run, struct mr_step *step, struct mr_spool_msg *msg,
    struct mr_spool *spool, struct mr_result *r)
{
	struct mr_stage_io io = { .message_fd = msg->fd, .edited_fd = -1 };
	struct mr_spool_msg edited = { .fd = -1 };
	struct mr_arena arena;
	struct mr_env env;
	struct mr_err err;
	enum mr_status st;

	mr_arena_init(&arena, SCOPE_MEMORY_MAX);
	st = make_record(run, MR_DATA, &arena, &env, &err);
	if (st == MR_OK && step->stage->is_edit)
		st = mr_spool_begin(spool, &edited, &err);
	if (st == MR_OK) {
		io.env = &env;
		io.edited_fd = edited.fd;
		if (run_step(run, step, &run->scope[MR_DATA], &io, r))
			st = replace_message(msg, edited.fd, spool, &err);
	}
	if (st)
		own_fault(run, MR_DATA, &err, r);
	mr_spool_abort(&edited);
	mr_arena_free(&arena);
}

void
mr_run_data(
    struct mr_run *run, struct mr_spool_msg *msg, struct mr_spool *spool, struct mr_result *r)
{
	*r = no_objection;
	for (size_t i = 0; i < run->pl->n && r->verdict == MR_DUNNO; i++)
		if (run->pl->step[i].stage->phase == MR_DATA
		    && may_run(run, run->pl->step[i].stage))
			run_data_step(run, &run->pl->step[i], msg, spool, r);
}

/* ---- the front of the message ---------------------------------------------------------------------- */

void
mr_run_front(const struct mr_run *run, struct mr_buf *out)
{
	bool has_results = false;

	for (unsigned i = MR_CONNECT; i <= MR_DATA; i++) {
		const struct mr_attrs *ar = &run->scope[i].ar;

		if (i == MR_RCPT) /* in MR_DATA, if it was accepted */
			continue;
		for (size_t k = 0; k < ar->n; k++) {
			if (!has_results)
				mr_buf_addf(out, "Authentication-Results: %s", run->pl->conf.host);
			has_results = true;
			mr_buf_adds(out, ";\r\n\t");
			mr_buf_add(out, ar->v[k].value);
		}
	}
	if (has_results)
		mr_buf_adds(out, "\r\n");
	for (unsigned i = MR_CONNECT; i <= MR_DATA; i++)
		if (i != MR_RCPT)
			mr_buf_add(out, mr_buf_str(&run->scope[i].fields));
}
