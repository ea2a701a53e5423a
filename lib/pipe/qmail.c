#include "pipe/serve.h"

#include "base/clock.h"
#include "mail/intake.h"
#include "mail/received.h"

#include <unistd.h>

/* qmail-queue(8).  11 to 40 are permanent, all others temporary. */
enum {
	QQ_OK = 0,
	QQ_ADDRESS_TOO_LONG = 11,
	QQ_REFUSED = 31,
	QQ_NO_MEMORY = 51,
	QQ_WRITE = 53,
	QQ_READ = 54,
	QQ_DEFERRED = 71,
	QQ_ENVELOPE = 91
};

#define JOB_MEMORY_MAX (64u << 20)

static int
fail(const struct mr_pipeline *pl, const char *id, int code, const char *what, const char *why)
{
	MR_LOG(pl->conf.log, code == QQ_REFUSED ? MR_LOG_INFO : MR_LOG_FAULT, "qmail-queue",
	    { "id", mr_str(id) }, { "code", MR_NUM(code) }, { "what", mr_str(what) },
	    { "why", mr_str(why) });
	return code;
}

/* One address of the envelope, canonical in the arena of a scope. */
static int
take_address(struct mr_run *run, enum mr_phase phase, struct mr_str text, struct mr_str *out,
    struct mr_err *err)
{
	struct mr_addr a = { .is_null = false };
	enum mr_status st;

	if (text.n > MR_ADDR_MAX) {
		mr_err_set(err, MR_PERM, "address over %u octets", MR_ADDR_MAX);
		return QQ_ADDRESS_TOO_LONG;
	}
	st = mr_serve_address(&a, &run->scope[phase].arena, text, run->pl->conf.host, err);
	*out = a.text;
	return st == MR_OK ? QQ_OK : st == MR_PERM ? QQ_ENVELOPE : QQ_NO_MEMORY;
}

static int
take_rcpt(struct mr_run *run, struct mr_str text, struct mr_err *err)
{
	struct mr_scope *all = &run->scope[MR_DATA];
	struct mr_str addr;
	int code = take_address(run, MR_DATA, text, &addr, err);

	if (code)
		return code;
	switch (mr_env_add_rcpt(&all->env, addr, err)) {
	case MR_OK:
		return QQ_OK;
	case MR_PERM:
		return QQ_REFUSED; /* too many */
	default:
		return QQ_NO_MEMORY;
	}
}

/* "Fsender\0Trecipient\0...\0" */
static int
take_envelope(struct mr_run *run, struct mr_str text, struct mr_err *err)
{
	struct mr_str item, sender = MR_STR("");
	int code = QQ_OK;

	mr_err_set(err, MR_PERM, "not of the form F...\\0T...\\0\\0");
	if (!mr_str_split(&text, '\0', &item) || item.n == 0 || item.p[0] != 'F')
		return QQ_ENVELOPE;
	item = mr_str_from(item, 1);
	if (item.n && !mr_str_is(item, "#@[]")
	    && (code = take_address(run, MR_MAIL, item, &sender, err)))
		return code;
	if (mr_run_set(run, MR_MAIL, "sender", sender, err))
		return QQ_NO_MEMORY;
	if (sender.n == 0)
		mr_run_give(run, MR_MAIL, MR_BOUNCE);
	run->all_rcpt_classes = 0;
	while (mr_str_split(&text, '\0', &item) && item.n) {
		if (item.p[0] != 'T')
			return QQ_ENVELOPE;
		if ((code = take_rcpt(run, mr_str_from(item, 1), err)))
			return code;
	}
	/* The empty item must have been there, and at least one recipient. */
	return text.p && run->scope[MR_DATA].env.rcpt_n ? QQ_OK : QQ_ENVELOPE;
}

static int
read_envelope(struct mr_run *run, const struct mr_qmail_job *job, struct mr_err *err)
{
	struct mr_buf text;
	enum mr_status st;
	int code;

	mr_buf_init(&text, MR_ENV_MAX);
	st = mr_io_read_all(job->envelope_fd, &text, err);
	code = st == MR_OK  ? take_envelope(run, mr_buf_str(&text), err)
	    : st == MR_PERM ? QQ_REFUSED
	                    : QQ_READ;
	mr_buf_free(&text);
	return code;
}

/* The record, the front of the message, and the commit. */
static int
queue_it(struct mr_run *run, struct mr_spool *spool, struct mr_spool_msg *msg, const char *id,
    struct mr_err *err)
{
	struct mr_env env, received;
	struct mr_arena arena;
	struct mr_buf front;
	int code = QQ_NO_MEMORY;

	mr_arena_init(&arena, JOB_MEMORY_MAX);
	mr_buf_init(&front, 2 * MR_FIELDS_MAX);
	mr_run_front(run, &front);
	/* The front end has said where the message came from. */
	mr_env_init(&received, &arena);
	if (mr_env_set(&received, MR_STR("queue_id"), mr_str(id), err) == MR_OK
	    && mr_run_record(run, &arena, &env, err) == MR_OK) {
		mr_received_write(&front, &received, mr_str(run->pl->conf.host), mr_clock_now_s());
		if (!front.is_full)
			code =
			    mr_spool_commit(spool, msg, id, mr_buf_str(&front), &env, err) == MR_OK
			    ? QQ_OK
			    : QQ_WRITE;
	}
	mr_buf_free(&front);
	mr_arena_free(&arena);
	return code;
}

static int
accept_message(struct mr_run *run, const struct mr_qmail_job *job, struct mr_spool *spool,
    struct mr_spool_msg *msg, const char *id)
{
	const struct mr_pipeline *pl = run->pl;
	struct mr_result r;
	struct mr_err err;
	enum mr_status st;
	int code;

	st = mr_spool_copy_in(msg, job->message_fd, job->message_max, pl->conf.host, &err);
	if (st == MR_OK && msg->hops > MR_HOPS_MAX)
		st = mr_err_set(&err, MR_PERM, "over %u Received fields: a mail loop", MR_HOPS_MAX);
	if (st)
		return fail(pl, id, st == MR_PERM ? QQ_REFUSED : QQ_READ, "message", err.text);
	if (mr_run_set(run, MR_MAIL, "queue_id", mr_str(id), &err)
	    || mr_run_set(run, MR_MAIL, "instance", mr_str(id), &err)
	    || mr_run_set(run, MR_MAIL, "size", MR_NUM(msg->len), &err)
	    || mr_run_set(
	        run, MR_MAIL, "body", msg->has_8bit ? MR_STR("8BITMIME") : MR_STR("7BIT"), &err))
		return fail(pl, id, QQ_NO_MEMORY, "record", err.text);
	if ((code = read_envelope(run, job, &err)))
		return fail(pl, id, code, "envelope", err.text);
	if (mr_spool_flush(msg, &err))
		return fail(pl, id, QQ_WRITE, "spool", err.text);
	mr_run_data(run, msg, spool, &r);
	if (r.verdict != MR_DUNNO) {
		struct mr_str text = mr_arena_dup(&run->scope[MR_MAIL].arena, r.text);

		return fail(pl, id, r.verdict == MR_REFUSE ? QQ_REFUSED : QQ_DEFERRED, r.stage,
		    text.p ? text.p : "");
	}
	if ((code = queue_it(run, spool, msg, id, &err)))
		return fail(pl, id, code, "spool", err.text);
	MR_LOG(pl->conf.log, MR_LOG_INFO, "queued", { "id", mr_str(id) },
	    { "sender", mr_run_get(run, "sender") },
	    { "rcpt", run->scope[MR_DATA].env.rcpt[0].addr },
	    { "rcpts", MR_NUM(run->scope[MR_DATA].env.rcpt_n) },
	    { "size", mr_run_get(run, "size") });
	return QQ_OK;
}

int
mr_qmail_queue(struct mr_pipeline *pl, const struct mr_qmail_job *job)
{
	char id[MR_ID_MAX];
	struct mr_spool spool;
	struct mr_spool_msg msg;
	struct mr_run run;
	struct mr_err err;
	int code;

	mr_spool_new_id(id);
	if (mr_spool_open(&spool, job->spool, &err))
		return fail(pl, id, QQ_WRITE, "spool", err.text);
	mr_run_init(&run, pl);
	mr_run_give(&run, MR_CONNECT, job->classes);
	if (mr_env_join(&run.scope[MR_CONNECT].env, job->known, &err))
		code = fail(pl, id, QQ_NO_MEMORY, "record", err.text);
	else if (mr_spool_begin(&spool, &msg, &err))
		code = fail(pl, id, QQ_WRITE, "spool", err.text);
	else {
		code = accept_message(&run, job, &spool, &msg, id);
		mr_run_end(&run);
		mr_spool_abort(&msg);
	}
	mr_run_free(&run);
	mr_spool_close(&spool);
	return code;
}
