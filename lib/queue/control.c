#include "base/clock.h"
#include "queue/state.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* One packet each way over DIR/control: "retry ID", "delete all", ... and "ok N", "none", or
 * "error WORDS". */

#define PACKET_MAX 1024u

/* ---- the scheduler's side ----------------------------------------------------------------------------- */

void
mr_control_accept(struct mr_sched *s)
{
	s->client_fd = accept4(s->control_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

/* False: it could not be done, and *err says why. */
static bool
retry_one(struct mr_sched *s, struct mr_message *msg, struct mr_err *err)
{
	(void)err;
	if (msg->at != MR_NOT_WAITING)
		mr_messages_wait(&s->messages, msg, 0);
	return true;
}

static bool
delete_one(struct mr_sched *s, struct mr_message *msg, struct mr_err *err)
{
	enum mr_status st;

	if (msg->active) { /* a delivery that has begun cannot be called back */
		msg->is_deleted = true;
		return true;
	}
	st = mr_queue_remove(&s->spool, msg->id, err);
	if (st && st != MR_NOTFOUND)
		return false;
	MR_LOG(s->conf->log, MR_LOG_INFO, "deleted", { "id", mr_str(msg->id) });
	mr_messages_remove(&s->messages, msg);
	return true;
}

struct all {
	struct mr_sched *sched;
	bool (*one)(struct mr_sched *s, struct mr_message *msg, struct mr_err *err);
	struct mr_err *err;
	bool is_ok;
	uint64_t n;
};

static void
one_of_all(void *ctx, struct mr_message *msg)
{
	struct all *all = ctx;

	if (all->one(all->sched, msg, all->err))
		all->n++;
	else
		all->is_ok = false;
}

static void
carry_out(struct mr_sched *s, struct mr_str command, struct mr_buf *answer)
{
	struct mr_str verb = mr_str_word(&command), id = mr_str_word(&command);
	bool (*one)(struct mr_sched *, struct mr_message *, struct mr_err *) =
	    mr_str_is(verb, "retry")    ? retry_one
	    : mr_str_is(verb, "delete") ? delete_one
	                                : NULL;
	struct mr_message *msg;
	struct mr_err err;
	uint64_t n = 0;

	mr_err_set(&err, MR_PERM, "unknown command");
	if (one == retry_one)
		mr_pool_forget_down(&s->pool);
	if (one && mr_str_is(id, "all")) {
		struct all all = { .sched = s, .one = one, .err = &err, .is_ok = true };

		mr_messages_each(&s->messages, one_of_all, &all);
		n = all.n;
		if (all.is_ok)
			mr_buf_addf(answer, "ok %llu", (unsigned long long)n);
	} else if (one && !(msg = mr_messages_find(&s->messages, id)))
		mr_buf_adds(answer, "none");
	else if (one && one(s, msg, &err))
		mr_buf_adds(answer, "ok 1");
	if (answer->n == 0)
		mr_buf_addf(answer, "error %s", err.text);
}

void
mr_control_answer(struct mr_sched *s)
{
	struct mr_buf packet, answer;
	int fd = -1;

	mr_buf_init(&packet, PACKET_MAX);
	mr_buf_init(&answer, PACKET_MAX);
	if (mr_io_recv_packet(s->client_fd, &packet, &fd, NULL) == MR_OK) {
		carry_out(s, mr_buf_str(&packet), &answer);
		mr_io_send_packet(s->client_fd, mr_buf_str(&answer), -1, NULL);
	}
	if (fd >= 0)
		close(fd);
	mr_buf_free(&packet);
	mr_buf_free(&answer);
	close(s->client_fd);
	s->client_fd = -1;
}

/* ---- the operator's side ------------------------------------------------------------------------------- */

static enum mr_status
parse_answer(struct mr_str s, uint64_t *n, struct mr_err *err)
{
	struct mr_str word = mr_str_word(&s);

	if (mr_str_is(word, "ok") && mr_str_num(mr_str_trim(s), UINT64_MAX, n))
		return MR_OK;
	if (mr_str_is(word, "none"))
		return MR_NOTFOUND;
	return mr_err_set(err, MR_TEMP, "the scheduler says: %.*s", (int)s.n, s.p ? s.p : "");
}

/* Asks a running scheduler.  MR_USAGE: none runs. */
static enum mr_status
ask(const struct mr_spool *spool, const char *verb, const char *id, uint64_t *n, struct mr_err *err)
{
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), fd = -1;
	struct sockaddr_un un;
	struct mr_buf b;
	enum mr_status st;

	mr_queue_socket_name(spool, "control", &un);
	if (sock < 0)
		return mr_err_sys(err, MR_TEMP, "socket");
	if (connect(sock, (struct sockaddr *)&un, sizeof un) < 0) {
		st = errno == ENOENT || errno == ECONNREFUSED ? MR_USAGE : MR_TEMP;
		mr_err_sys(err, st, "%s/control", spool->path);
		close(sock);
		return st;
	}
	mr_buf_init(&b, PACKET_MAX);
	mr_buf_addf(&b, "%s %s", verb, id);
	st = mr_io_send_packet(sock, mr_buf_str(&b), -1, err);
	if (st == MR_OK)
		st = mr_io_recv_packet(sock, &b, &fd, err);
	if (st == MR_OK)
		st = parse_answer(mr_buf_str(&b), n, err);
	else
		mr_err_set(err, MR_TEMP, "the scheduler does not answer");
	mr_buf_free(&b);
	close(sock);
	return st == MR_OK || st == MR_NOTFOUND ? st : MR_TEMP;
}

struct offline {
	const struct mr_spool *spool;
	bool is_delete;
	uint64_t n;
	enum mr_status st;
	struct mr_err *err;
};

static void
offline_one(void *ctx, struct mr_str id)
{
	struct offline *o = ctx;
	char name[MR_ID_MAX];
	enum mr_status st;

	memcpy(name, id.p, id.n);
	name[id.n] = '\0';
	st = o->is_delete ? mr_queue_remove(o->spool, name, o->err)
	                  : mr_record_set_next(o->spool, name, mr_clock_now_s(), o->err);
	/* Without events it is due anyway. */
	if (st == MR_NOTFOUND && !o->is_delete
	    && (faccessat(o->spool->incoming_fd, name, F_OK, 0) == 0
	        || faccessat(o->spool->deferred_fd, name, F_OK, 0) == 0))
		st = MR_OK;
	if (st == MR_OK)
		o->n++;
	else if (o->st == MR_OK)
		o->st = st;
}

static enum mr_status
act_offline(
    const struct mr_spool *spool, const char *verb, const char *id, uint64_t *n, struct mr_err *err)
{
	struct offline o = { .spool = spool, .is_delete = strcmp(verb, "delete") == 0, .err = err };
	enum mr_status st;
	int lock;

	if (mr_queue_lock(spool, &lock, err))
		return MR_TEMP;
	if (strcmp(id, "all") == 0) {
		st = mr_spool_each(spool->deferred_fd, NULL, offline_one, &o, err);
		if (st == MR_OK)
			st = mr_spool_each(spool->incoming_fd, NULL, offline_one, &o, err);
	} else {
		offline_one(&o, mr_str(id));
		st = MR_OK;
	}
	close(lock);
	*n = o.n;
	return st ? st : o.st;
}

enum mr_status
mr_sched_command(
    const char *path, const char *verb, const char *id, uint64_t *n, struct mr_err *err)
{
	struct mr_spool spool;
	enum mr_status st;

	*n = 0;
	if (strcmp(id, "all") != 0 && !mr_spool_is_id(mr_str(id)))
		return mr_err_set(err, MR_NOTFOUND, "'%s' is not a queue id", id);
	if ((st = mr_spool_open(&spool, path, err)))
		return st;
	st = ask(&spool, verb, id, n, err);
	if (st == MR_USAGE)
		st = act_offline(&spool, verb, id, n, err);
	if (st == MR_NOTFOUND)
		mr_err_set(err, MR_NOTFOUND, "no message %s in the queue", id);
	mr_spool_close(&spool);
	return st;
}
