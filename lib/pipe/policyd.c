#include "pipe/serve.h"

#define REQUEST_MEMORY_MAX (16u << 20)

enum mr_status
mr_serve_tell(struct mr_run *run, const struct mr_env *env, struct mr_err *err)
{
	struct mr_str sender = mr_env_get(env, "sender");
	enum mr_status st = MR_OK;

	for (size_t i = 0; i < env->attrs.n && st == MR_OK; i++) {
		const struct mr_attr *a = &env->attrs.v[i];

		if (!mr_str_is(a->name, "request") && !mr_str_is(a->name, "protocol_state"))
			st = mr_env_set(&run->scope[MR_MAIL].env, a->name, a->value, err);
	}
	if (mr_env_get(env, "sasl_username").n)
		mr_run_give(run, MR_CONNECT, MR_AUTH);
	if (mr_env_get(env, "encryption_protocol").n)
		mr_run_give(run, MR_CONNECT, MR_TLS);
	if (sender.p && sender.n == 0)
		mr_run_give(run, MR_MAIL, MR_BOUNCE);
	return st;
}

enum mr_status
mr_serve_address(struct mr_addr *a, struct mr_arena *arena, struct mr_str text, const char *host,
    struct mr_err *err)
{
	struct mr_str whole = text;

	if (mr_str_chr(text, '@') < 0)
		whole = mr_arena_fmt(arena, "%.*s@%s", (int)text.n, text.p, host);
	return whole.p ? mr_addr_parse_unquoted(a, arena, whole, err)
	               : mr_err_set(err, MR_TEMP, "out of memory");
}

enum mr_status
mr_serve_is_local(
    const struct mr_table *routes, struct mr_str rcpt, bool *is_local, struct mr_err *err)
{
	ptrdiff_t at = mr_str_rchr(rcpt, '@');
	struct mr_route route;
	enum mr_status st;

	*is_local = false;
	if (at < 0)
		return MR_OK;
	st = mr_route_find(routes, mr_str_from(rcpt, (size_t)at + 1), &route, err);
	if (st == MR_OK)
		*is_local = mr_route_is_ours(&route);
	return st;
}

/* How far a request of this protocol_state lets us go; false: nothing to say there.  The recipient of
 * a request that comes after DATA has been through its phase, if any has. */
static bool
last_phase(const struct mr_run *run, struct mr_str state, struct mr_str rcpt, enum mr_phase *last)
{
	static const struct {
		const char *state;
		enum mr_phase last;
	} states[] = { { "CONNECT", MR_CONNECT }, { "HELO", MR_HELO }, { "EHLO", MR_HELO },
		{ "MAIL", MR_MAIL }, { "RCPT", MR_RCPT }, { "DATA", MR_RCPT },
		{ "END-OF-MESSAGE", MR_RCPT } };

	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (mr_str_is(state, states[i].state)) {
			bool is_again = !mr_str_is(state, "RCPT") && run->scope[MR_DATA].env.rcpt_n;

			*last = states[i].last == MR_RCPT && (!rcpt.n || is_again) ? MR_MAIL
			                                                           : states[i].last;
			return true;
		}
	return false;
}

static enum mr_status
judge_rcpt(struct mr_run *run, const struct mr_table *routes, struct mr_str rcpt,
    struct mr_result *r, struct mr_err *err)
{
	struct mr_addr a;
	bool is_local;
	enum mr_status st;

	mr_run_begin_rcpt(run);
	st = mr_serve_address(&a, &run->scope[MR_RCPT].arena, rcpt, run->pl->conf.host, err);
	if (st == MR_OK)
		rcpt = a.text;
	else if (st != MR_PERM) /* what is no address for us, Postfix has taken: its business */
		return st;
	if ((st = mr_serve_is_local(routes, rcpt, &is_local, err)))
		return st;
	mr_run_give(run, MR_RCPT, is_local ? MR_LOCAL : 0);
	mr_run_rcpt(run, rcpt, r);
	return MR_OK;
}

/* One request, answered by an action.  `instance` is that of the request before. */
static enum mr_status
answer(struct mr_run *run, const struct mr_table *routes, const struct mr_env *env,
    struct mr_buf *instance, struct mr_buf *out, struct mr_err *err)
{
	struct mr_str now = mr_env_get(env, "instance"), rcpt = mr_env_get(env, "recipient");
	struct mr_answer a = { .verdict = MR_DUNNO };
	struct mr_result r = { .verdict = MR_DUNNO };
	struct mr_buf fields;
	enum mr_status st;
	enum mr_phase last;

	if (!now.n || !mr_str_eq(now, mr_buf_str(instance)))
		mr_run_reset(run, MR_CONNECT);
	mr_buf_clear(instance);
	mr_buf_add(instance, now);
	if ((st = mr_serve_tell(run, env, err)))
		return st;
	mr_buf_init(&fields, MR_FIELDS_MAX);
	if (last_phase(run, mr_env_get(env, "protocol_state"), rcpt, &last)) {
		bool is_first = run->scope[MR_DATA].env.rcpt_n == 0;

		mr_run_upto(run, last < MR_MAIL ? last : MR_MAIL, &r);
		if (r.verdict == MR_DUNNO && last == MR_RCPT)
			st = judge_rcpt(run, routes, rcpt, &r, err);
		if (is_first && last == MR_RCPT) /* once a message */
			mr_run_front(run, &fields);
	}
	a.verdict = r.verdict;
	a.hang_up = r.hang_up;
	a.text = r.text;
	a.headers = mr_buf_str(&fields);
	mr_buf_adds(out, "action=");
	mr_answer_to_policy(&a, out);
	mr_buf_adds(out, "\n\n");
	if (st == MR_OK && (out->is_full || fields.is_full || instance->is_full))
		st = mr_err_set(err, MR_TEMP, "out of memory, or too many header fields");
	if (r.verdict != MR_DUNNO)
		MR_LOG(run->pl->conf.log, MR_LOG_INFO, "policy",
		    { "client", mr_env_get(env, "client_address") },
		    { "sender", mr_env_get(env, "sender") }, { "rcpt", rcpt },
		    { "stage", mr_str(r.stage) },
		    { "verdict", r.verdict == MR_REFUSE ? MR_STR("reject") : MR_STR("defer") },
		    { "text", r.text });
	mr_buf_free(&fields);
	return st;
}

enum mr_status
mr_serve_policy(struct mr_pipeline *pl, const struct mr_table *routes, int in_fd, int out_fd,
    struct mr_err *err)
{
	struct mr_buf instance, out;
	struct mr_reader in;
	struct mr_run run;
	enum mr_status st = mr_reader_init(&in, in_fd, MR_ENV_LINE_MAX + 2, err);

	if (st)
		return st;
	mr_run_init(&run, pl);
	mr_buf_init(&instance, MR_ENV_LINE_MAX);
	mr_buf_init(&out, 2 * MR_FIELDS_MAX);
	while (st == MR_OK) {
		struct mr_arena arena;
		struct mr_env env;

		mr_arena_init(&arena, REQUEST_MEMORY_MAX);
		mr_env_init(&env, &arena);
		mr_buf_clear(&out);
		st = mr_env_read(&env, &in, MR_NO_DEADLINE, err);
		if (st == MR_OK)
			st = answer(&run, routes, &env, &instance, &out, err);
		if (st == MR_OK)
			st = mr_io_write(out_fd, mr_buf_str(&out), err);
		mr_arena_free(&arena);
	}
	mr_run_free(&run);
	mr_buf_free(&instance);
	mr_buf_free(&out);
	mr_reader_free(&in);
	return st == MR_NOTFOUND ? MR_OK : st;
}
