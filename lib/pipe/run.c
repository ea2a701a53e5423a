#include "pipe/run.h"

#include "base/clock.h"
#include "dns/names.h"
#include "mail/authres.h"
#include "mail/header.h"
#include "pipe/stage.h"

#define SCOPE_MEMORY_MAX (32u << 20)
#define LOOK_AHEAD_MAX   12u /* batches of DNS questions that go out for all stages together */

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
	}
	run->all_rcpt_classes = ~0u;
	mr_pipeline_begin(pl);
}

static void
empty_scope(struct mr_scope *s)
{
	mr_arena_free(&s->arena);
	*s = (struct mr_scope){ .arena = s->arena };
	mr_env_init(&s->env, &s->arena);
}

void
mr_run_reset(struct mr_run *run, enum mr_phase phase)
{
	for (unsigned i = phase; i < MR_PHASE_N; i++)
		empty_scope(&run->scope[i]);
	run->all_rcpt_classes = ~0u;
	run->rcpt_unknown = 0;
	mr_pipeline_begin(run->pl);
}

void
mr_run_free(struct mr_run *run)
{
	for (unsigned i = 0; i < MR_PHASE_N; i++)
		mr_arena_free(&run->scope[i].arena);
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

/* The classes that a stage of `phase` is judged by: those of its own and wider scopes. */
static uint32_t
classes_for(const struct mr_run *run, enum mr_phase phase)
{
	uint32_t mask = 0;

	for (unsigned i = MR_CONNECT; i <= phase; i++)
		if (i != MR_RCPT || phase == MR_RCPT) /* a recipient's classes are its own */
			mask |= run->scope[i].classes;
	if (phase >= MR_DATA && run->scope[MR_DATA].env.rcpt_n)
		mask |= run->all_rcpt_classes;
	return mask;
}

uint32_t
mr_run_classes(const struct mr_run *run)
{
	return classes_for(run, MR_RCPT);
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

/* The classes that hold, as class=a+b; without any there is no such attribute. */
static enum mr_status
set_class(const struct mr_run *run, uint32_t classes, struct mr_env *env, struct mr_err *err)
{
	enum mr_status st = MR_OK;
	struct mr_buf names;

	mr_buf_init(&names, MR_CLASS_MAX * (MR_SPEC_NAME_MAX + 1));
	mr_spec_class_names(&run->pl->spec, classes, &names);
	if (names.is_full)
		st = mr_err_set(err, MR_TEMP, "out of memory");
	else if (names.n) /* an empty spec has no names */
		st = mr_env_set(env, MR_STR("class"), mr_buf_str(&names), err);
	mr_buf_free(&names);
	return st;
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
	if (st == MR_OK)
		st = set_class(run, classes_for(run, phase), env, err);
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

static void
tell(const struct mr_run *run, const struct mr_trace *t)
{
	if (run->trace)
		run->trace(run->trace_ctx, t);
}

static void
tell_skipped(const struct mr_run *run, const struct mr_stage *st, uint32_t against)
{
	struct mr_buf why;

	mr_buf_init(&why, MR_CLASS_MAX * (MR_SPEC_NAME_MAX + 1) + 16);
	mr_buf_adds(&why, against ? "unless=" : "only=");
	mr_spec_class_names(&run->pl->spec, against ? against : st->only, &why);
	mr_buf_addc(&why, '\0');
	tell(run,
	    &(const struct mr_trace){
	        .stage = st, .skipped = why.is_full ? "its classes" : why.p, .code = -1 });
	mr_buf_free(&why);
}

/* True if the classes that hold now let it run. */
static bool
is_let(const struct mr_run *run, const struct mr_stage *st)
{
	uint32_t mask = classes_for(run, st->phase);

	return !(st->unless & mask) && (!st->only || st->only & mask);
}

static bool
may_run(const struct mr_run *run, const struct mr_stage *st)
{
	if (is_let(run, st))
		return true;
	if (run->trace)
		tell_skipped(run, st, st->unless & classes_for(run, st->phase));
	return false;
}

static enum mr_status
add_value(struct mr_attrs *list, struct mr_arena *arena, struct mr_str value, struct mr_err *err)
{
	value = mr_arena_dup(arena, value);
	if (!value.p || !mr_arena_grow(arena, &list->v, list->n, &list->cap, sizeof *list->v))
		return mr_err_set(err, MR_TEMP, "out of memory");
	list->v[list->n++] = (struct mr_attr){ .value = value };
	return MR_OK;
}

/* Puts what the stage said besides its verdict into the scope. */
static enum mr_status
keep_answer(struct mr_scope *s, const struct mr_answer *a, struct mr_err *err)
{
	enum mr_status st = MR_OK;

	for (size_t i = 0; i < a->attrs.n && st == MR_OK; i++)
		st = mr_env_set(&s->env, a->attrs.v[i].name, a->attrs.v[i].value, err);
	for (size_t i = 0; i < a->ar.n && st == MR_OK; i++)
		st = add_value(&s->ar, &s->arena, a->ar.v[i].value, err);
	if (st == MR_OK && a->headers.n)
		st = add_value(&s->fields, &s->arena, a->headers, err);
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

/* Lets the filters of `phase` that will run, as it looks now, add to the batch.  The time that the most
 * impatient of them has comes out in *time_s. */
static void
look_at_phase(struct mr_run *run, enum mr_phase phase, uint64_t *time_s)
{
	struct mr_env env = { .attrs = { .n = 0 } };
	struct mr_arena arena;

	mr_arena_init(&arena, SCOPE_MEMORY_MAX);
	for (size_t i = 0; i < run->pl->n; i++) {
		struct mr_step *step = &run->pl->step[i];

		if (step->stage->phase != phase || step->stage->is_now || !step->filter
		    || !step->filter->ask || step->argv || !is_let(run, step->stage))
			continue;
		/* All of the phase see the same. */
		if (env.attrs.n == 0 && make_record(run, phase, &arena, &env, NULL))
			break;
		mr_filter_look_ahead(&step->own, &env);
		if (step->own.conf.time_s < *time_s)
			*time_s = step->own.conf.time_s;
	}
	mr_arena_free(&arena);
}

/* The client's names, once a connection, unless whoever runs us has told: client_name is confirmed (RFC
 * 8601 2.7.3), reverse_client_name is what it says of itself.  To be called before each batch. */
static void
find_names(struct mr_run *run)
{
	struct mr_env *env = &run->scope[MR_CONNECT].env;
	struct mr_str name = mr_run_get(run, "client_name");
	struct mr_dns_names names;
	struct mr_ip ip;

	if ((name.n && !mr_str_is(name, "unknown")) || mr_run_get(run, "reverse_client_name").p
	    || mr_ip_parse(&ip, mr_run_get(run, "client_address")) != MR_OK
	    || !mr_dns_names(run->pl->dns, &ip, &names))
		return;
	/* Without memory it stays unknown. */
	if (names.client.n)
		mr_env_set(env, MR_STR("client_name"), names.client, NULL);
	mr_env_set(env, MR_STR("reverse_client_name"),
	    names.reverse.n ? names.reverse : MR_STR("unknown"), NULL);
}

/* Stages that are about to run: their DNS questions go out at once, then those that follow from the
 * answers.  With the sender known, the phases up to rcpt will follow within the same RCPT; what a stage asks
 * about the recipient itself it asks when it runs. */
static void
look_ahead(struct mr_run *run, enum mr_phase last)
{
	if (mr_run_get(run, "sender").p)
		last = MR_RCPT;
	for (unsigned n = 0; run->pl->dns && n < LOOK_AHEAD_MAX; n++) {
		uint64_t time_s = MR_STAGE_TIME_S;

		find_names(run);
		for (unsigned i = MR_CONNECT; i <= last; i++)
			if (!run->scope[i].has_run)
				look_at_phase(run, (enum mr_phase)i, &time_s);
		if (!mr_dns_waiting(run->pl->dns))
			return;
		mr_dns_run(run->pl->dns, mr_clock_mono_ms() + (int64_t)time_s * 1000);
	}
}

/* Runs the stages of one phase, `now` ones or the others, until the first refusal; those of `end`
 * cannot refuse anything and run all. */
static void
run_phase(struct mr_run *run, enum mr_phase phase, bool is_now, struct mr_result *r)
{
	struct mr_scope *scope = &run->scope[phase];
	struct mr_arena arena;
	struct mr_err err;

	*r = no_objection;
	mr_arena_init(&arena, SCOPE_MEMORY_MAX);
	for (size_t i = 0; i < run->pl->n && (r->verdict == MR_DUNNO || phase == MR_END); i++) {
		struct mr_step *step = &run->pl->step[i];
		struct mr_env env;

		if (step->stage->phase != phase || step->stage->is_now != is_now
		    || !may_run(run, step->stage))
			continue;
		if (make_record(run, phase, &arena, &env, &err))
			own_fault(run, phase, &err, r);
		else
			run_step(run, step, scope,
			    &(const struct mr_stage_io){ .env = &env, .message_fd = -1 }, r);
	}
	mr_arena_free(&arena);
}

void
mr_run_now(struct mr_run *run, struct mr_result *result)
{
	struct mr_scope *s = &run->scope[MR_CONNECT];

	if (!s->now_has_run)
		run_phase(run, MR_CONNECT, true, &s->result);
	s->now_has_run = true;
	*result = s->result;
}

void
mr_run_upto(struct mr_run *run, enum mr_phase last, struct mr_result *result)
{
	mr_run_now(run, result);
	if (result->verdict == MR_DUNNO)
		look_ahead(run, last);
	for (unsigned i = MR_CONNECT; i <= last && result->verdict == MR_DUNNO; i++) {
		struct mr_scope *s = &run->scope[i];

		if (!s->has_run)
			run_phase(run, (enum mr_phase)i, false, &s->result);
		s->has_run = true;
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
	char number[MR_NUM_MAX];

	if (run->rcpt_unknown) /* without memory they are not counted */
		mr_run_set(run, MR_DATA, "rcpt_unknown",
		    mr_log_num(number, (int64_t)run->rcpt_unknown), NULL);
	run_phase(run, MR_END, false, &ignored);
}

/* ---- recipients ---------------------------------------------------------------------------------- */

/* Runs the edit or plain stages of rcpt over `now`, the recipients at this point. */
static void
run_rcpt_step(struct mr_run *run, struct mr_step *step, struct mr_arena *arena, struct mr_env *now,
    struct mr_result *r)
{
	struct mr_env env, edited;
	struct mr_stage_io io = { .env = &env, .message_fd = -1, .edited = &edited };
	struct mr_err err;

	if (make_record(run, MR_RCPT, arena, &env, &err)) {
		own_fault(run, MR_RCPT, &err, r);
		return;
	}
	env.rcpt = now->rcpt;
	env.rcpt_n = now->rcpt_n;
	mr_env_init(&edited, arena);
	if (run_step(run, step, &run->scope[MR_RCPT], &io, r))
		*now = edited;
}

/* Joins the values that are not there yet. */
static enum mr_status
add_new(
    struct mr_attrs *to, struct mr_arena *arena, const struct mr_attrs *from, struct mr_err *err)
{
	enum mr_status st = MR_OK;

	for (size_t i = 0; i < from->n && st == MR_OK; i++) {
		size_t k = 0;

		while (k < to->n && !mr_str_eq(to->v[k].value, from->v[i].value))
			k++;
		if (k == to->n)
			st = add_value(to, arena, from->v[i].value, err);
	}
	return st;
}

static enum mr_status
accept_rcpt(struct mr_env *all, struct mr_str addr, const struct mr_rcpt *from, struct mr_err *err)
{
	struct mr_attrs *attrs;
	enum mr_status st;

	if (mr_env_has_rcpt(all, from->addr))
		return MR_OK;
	if ((st = mr_env_copy_rcpt(all, from->addr, from, err)))
		return st;
	attrs = &all->rcpt[all->rcpt_n - 1].attrs;
	if (!mr_str_eq(from->addr, addr) && !mr_attrs_get(attrs, "original_recipient").p)
		st = mr_attrs_set(attrs, all->arena, MR_STR("original_recipient"), addr, err);
	return st;
}

/* Joins what the stages made of one recipient, and what they said for it, to the message: all or
 * nothing, for a client that is told "later" comes again with this recipient. */
static enum mr_status
accept_rcpts(struct mr_run *run, struct mr_str addr, const struct mr_env *now, struct mr_err *err)
{
	struct mr_scope *all = &run->scope[MR_DATA];
	const struct mr_scope *one = &run->scope[MR_RCPT];
	size_t rcpt_n = all->env.rcpt_n, ar_n = all->ar.n, field_n = all->fields.n;
	enum mr_status st = add_new(&all->ar, &all->arena, &one->ar, err);

	if (st == MR_OK)
		st = add_new(&all->fields, &all->arena, &one->fields, err);
	for (size_t i = 0; i < now->rcpt_n && st == MR_OK; i++)
		st = accept_rcpt(&all->env, addr, &now->rcpt[i], err);
	if (st == MR_OK)
		run->all_rcpt_classes &= one->classes;
	else {
		all->env.rcpt_n = rcpt_n;
		all->ar.n = ar_n;
		all->fields.n = field_n;
	}
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

/* What an edit stage made is the message from now on, and the record says so. */
static enum mr_status
replace_message(
    struct mr_run *run, struct mr_spool_msg *msg, struct mr_spool_msg *edited, struct mr_err *err)
{
	enum mr_status st = mr_run_set(run, MR_MAIL, "size", MR_NUM(edited->len), err);

	if (st == MR_OK && edited->has_8bit)
		st = mr_run_set(run, MR_MAIL, "body", MR_STR("8BITMIME"), err);
	if (st)
		return st;
	mr_spool_abort(msg);
	*msg = *edited;
	*edited = (struct mr_spool_msg){ .fd = -1 };
	mr_confined_next(&run->pl->confined);
	return MR_OK;
}

static void
run_data_step(struct mr_run *run, struct mr_step *step, struct mr_spool_msg *msg,
    struct mr_spool *spool, struct mr_result *r)
{
	struct mr_spool_msg edited = { .fd = -1 };
	struct mr_arena arena;
	struct mr_env env;
	struct mr_stage_io io = { .env = &env,
		.message_fd = msg->fd,
		.confined = &run->pl->confined,
		.spool = spool,
		.edited_msg = &edited };
	struct mr_err err;
	enum mr_status st;

	mr_arena_init(&arena, SCOPE_MEMORY_MAX);
	st = make_record(run, MR_DATA, &arena, &env, &err);
	if (st == MR_OK && run_step(run, step, &run->scope[MR_DATA], &io, r))
		st = replace_message(run, msg, &edited, &err);
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
	mr_confined_next(&run->pl->confined);
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
			mr_authres_add(
			    out, mr_str(run->pl->conf.host), ar->v[k].value, !has_results);
			has_results = true;
		}
	}
	if (has_results)
		mr_buf_adds(out, "\r\n");
	for (unsigned i = MR_CONNECT; i <= MR_DATA; i++)
		for (size_t k = 0; i != MR_RCPT && k < run->scope[i].fields.n; k++)
			mr_header_to_crlf(run->scope[i].fields.v[k].value, out);
}
