#include "mail/job.h"

#include "base/log.h"

#include <inttypes.h>

static enum mr_status
set_num(struct mr_env *env, const char *name, uint64_t n, struct mr_err *err)
{
	struct mr_str text = mr_arena_fmt(env->arena, "%" PRIu64, n);

	return text.p ? mr_env_set(env, mr_str(name), text, err)
	              : mr_err_set(err, MR_TEMP, "out of memory");
}

enum mr_status
mr_job_write(const struct mr_job *job, struct mr_buf *out, struct mr_err *err)
{
	struct mr_arena arena;
	struct mr_env env;
	enum mr_status st;

	mr_arena_init(&arena, 4 * MR_JOB_MAX);
	mr_env_init(&env, &arena);
	if ((st = mr_env_set(&env, MR_STR("queue_id"), job->id, err))
	    || (st = mr_env_set(&env, MR_STR("sender"), job->sender, err))
	    || (st = mr_env_set(&env, MR_STR("nexthop"), job->nexthop, err))
	    || (st = mr_env_set(
	            &env, MR_STR("body"), job->is_8bit ? MR_STR("8BITMIME") : MR_STR("7BIT"), err))
	    || (st = set_num(&env, "message_length", job->message_len, err))
	    || (st = set_num(&env, "front_offset", job->front_off, err))
	    || (st = set_num(&env, "front_length", job->front_len, err)))
		goto out;
	if (job->rcpt_n == 0 || job->rcpt_n > MR_JOB_RCPT_MAX)
		st = mr_err_set(err, MR_PERM, "a job has 1 to %u recipients, not %zu",
		    MR_JOB_RCPT_MAX, job->rcpt_n);
	for (size_t i = 0; i < job->rcpt_n && st == MR_OK; i++)
		st = mr_env_add_rcpt(&env, job->rcpt[i], err);
	if (st == MR_OK) {
		mr_env_write(&env, out);
		if (out->is_full)
			st = mr_err_set(err, MR_TEMP, "job over %zu bytes", out->max);
	}
out:
	mr_arena_free(&arena);
	return st;
}

static bool
get_num(const struct mr_env *env, const char *name, uint64_t *out)
{
	return mr_str_num(mr_env_get(env, name), INT64_MAX, out);
}

enum mr_status
mr_job_parse(struct mr_job *job, struct mr_arena *arena, struct mr_str packet, struct mr_err *err)
{
	struct mr_env env;
	enum mr_status st;
	struct mr_str *rcpt;
	size_t used;

	mr_env_init(&env, arena);
	if ((st = mr_env_parse(&env, packet, &used, err)))
		return st;
	*job = (struct mr_job){ .id = mr_env_get(&env, "queue_id"),
		.sender = mr_env_get(&env, "sender"),
		.nexthop = mr_env_get(&env, "nexthop"),
		.is_8bit = mr_str_is(mr_env_get(&env, "body"), "8BITMIME"),
		.rcpt_n = env.rcpt_n };
	if (!job->id.p || !job->sender.p || !job->nexthop.p || !env.rcpt_n
	    || env.rcpt_n > MR_JOB_RCPT_MAX || !get_num(&env, "message_length", &job->message_len)
	    || !get_num(&env, "front_offset", &job->front_off)
	    || !get_num(&env, "front_length", &job->front_len))
		return mr_err_set(err, MR_PERM, "not a job");
	if (!(rcpt = mr_arena_alloc(arena, env.rcpt_n * sizeof *rcpt)))
		return mr_err_set(err, MR_TEMP, "out of memory");
	for (size_t i = 0; i < env.rcpt_n; i++)
		rcpt[i] = env.rcpt[i].addr;
	job->rcpt = rcpt;
	return MR_OK;
}

static const char *const outcome_words[] = { "delivered", "deferred", "failed" };

const char *
mr_outcome_word(enum mr_outcome outcome)
{
	return outcome_words[outcome];
}

/* Each byte may need four (\xHH), and all must fit into MR_JOB_RESULT_MAX. */
#define STATUS_MAX 16
#define HOST_MAX   320

static struct mr_str
cut(struct mr_str s, size_t max)
{
	return (struct mr_str){ s.p, s.n < max ? s.n : max };
}

void
mr_job_result_write(const struct mr_job_result *r, struct mr_buf *out)
{
	if (r->is_done) {
		mr_kv_add(out, "done", MR_STR("1"));
		mr_kv_add(out, "host_down", r->host_down ? MR_STR("1") : MR_STR("0"));
		return;
	}
	mr_kv_add(out, "rcpt", MR_NUM(r->rcpt));
	mr_kv_add(out, "outcome", mr_str(outcome_words[r->outcome]));
	mr_kv_add(out, "status", cut(r->status, STATUS_MAX));
	mr_kv_add(out, "host", cut(r->host, HOST_MAX));
	mr_kv_add(out, "reply", cut(r->reply, MR_JOB_REPLY_MAX));
}

/* Which words there were: without these a line says nothing, or half of it. */
#define HAS_RCPT    1u
#define HAS_OUTCOME 2u
#define HAS_DONE    4u

static bool
take_word(struct mr_job_result *r, unsigned *has, struct mr_str name, struct mr_str value)
{
	uint64_t n;

	if (mr_str_is(name, "rcpt")) {
		if (!mr_str_num(value, MR_JOB_RCPT_MAX - 1, &n))
			return false;
		r->rcpt = (size_t)n;
		*has |= HAS_RCPT;
	} else if (mr_str_is(name, "outcome")) {
		for (n = 0; n < 3 && !mr_str_is(value, outcome_words[n]); n++)
			;
		if (n == 3)
			return false;
		r->outcome = (enum mr_outcome)n;
		*has |= HAS_OUTCOME;
	} else if (mr_str_is(name, "done")) {
		if (!mr_str_is(value, "1"))
			return false;
		r->is_done = true;
		*has |= HAS_DONE;
	} else if (mr_str_is(name, "host_down"))
		r->host_down = mr_str_is(value, "1");
	else if (mr_str_is(name, "status"))
		r->status = value;
	else if (mr_str_is(name, "host"))
		r->host = value;
	else if (mr_str_is(name, "reply"))
		r->reply = value;
	return true;
}

enum mr_status
mr_job_result_parse(
    struct mr_job_result *r, struct mr_arena *arena, struct mr_str packet, struct mr_err *err)
{
	enum mr_status st = MR_OK;
	struct mr_buf value;
	struct mr_str name;
	unsigned has = 0;

	*r =
	    (struct mr_job_result){ .host = MR_STR(""), .reply = MR_STR(""), .status = MR_STR("") };
	mr_buf_init(&value, MR_JOB_RESULT_MAX);
	while (st == MR_OK && mr_kv_next(&packet, &name, &value)) {
		struct mr_str copy = mr_arena_dup(arena, mr_buf_str(&value));

		if (!copy.p)
			st = mr_err_set(err, MR_TEMP, "out of memory");
		else if (!take_word(r, &has, name, copy))
			st = mr_err_set(err, MR_PERM, "not a result of a job");
	}
	mr_buf_free(&value);
	if (st == MR_OK && (packet.n || (has != HAS_DONE && has != (HAS_RCPT | HAS_OUTCOME))))
		st = mr_err_set(err, MR_PERM, "not a result of a job");
	return st;
}
