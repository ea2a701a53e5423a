/* The pool of delivery workers: started when needed, kept, each with one job at a time. */
#include "queue/parts.h"

#include "base/child.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEEP_MS       5000          /* a worker idle for longer has closed its connection */
#define SILENT_MS     (3600 * 1000) /* a worker that says nothing for so long is ended */
#define BURST_MAX     20u           /* jobs for one hop in a row while others wait */
#define START_WAIT_MS 1000          /* after a worker that died at once; doubles ... */
#define START_MAX_MS  60000         /* ... up to this */
#define YOUNG_MS      1000          /* "at once" */

static const char worker_reply[] = "delivery worker ended without an answer";

enum mr_status
mr_workers_init(struct mr_sched *s, struct mr_err *err)
{
	s->worker_n = s->conf->workers_max;
	s->worker = calloc(s->worker_n, sizeof *s->worker);
	mr_buf_init(&s->packet, MR_JOB_MAX);
	mr_buf_init(&s->answer, MR_JOB_RESULT_MAX);
	return s->worker ? MR_OK : mr_err_set(err, MR_TEMP, "out of memory");
}

static enum mr_status
start(struct mr_sched *s, struct mr_worker *w, struct mr_err *err)
{
	int pair[2];
	enum mr_status st;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return mr_err_sys(err, MR_TEMP, "socketpair");
	st = fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0
	    ? mr_err_sys(err, MR_TEMP, "socketpair")
	    : mr_child_start(&w->pid, s->conf->worker, (const int[]){ pair[1], -1, 2 }, 3, err);
	close(pair[1]);
	if (st) {
		close(pair[0]);
		w->pid = 0;
		return st;
	}
	w->sock = pair[0];
	w->piece = NULL;
	w->last_hop = NULL;
	w->has_answered = false;
	w->started_ms = w->idle_ms = s->now_ms;
	s->idle_n++;
	return MR_OK;
}

/* No more starts for a while. */
static void
wait_to_start(struct mr_sched *s)
{
	s->start_wait_ms = s->start_wait_ms ? s->start_wait_ms * 2 : START_WAIT_MS;
	if (s->start_wait_ms > START_MAX_MS)
		s->start_wait_ms = START_MAX_MS;
	s->start_after_ms = s->now_ms + s->start_wait_ms;
}

/* ---- the end of jobs and workers ---- */

static void
end_job(struct mr_sched *s, struct mr_worker *w, bool is_down, bool is_up)
{
	struct mr_piece *piece = w->piece;
	struct mr_msg *m = piece->msg;

	w->piece = NULL;
	w->idle_ms = s->now_ms;
	s->idle_n++;
	mr_hop_done(s, piece->hop, is_down, is_up);
	mr_piece_free(piece);
	if (--m->running_n)
		return;
	if (m->is_over)
		mr_msg_remove(s, m);
	else
		mr_round_settle(s, m);
}

/* Recipients without an answer: we do not know, so they are tried again. */
static void
give_up_job(struct mr_sched *s, struct mr_worker *w, const char *why)
{
	struct mr_piece *piece = w->piece;

	for (size_t i = 0; i < piece->n && !piece->msg->is_over; i++)
		if (!w->answered[i])
			mr_round_result(s, piece->msg,
			    &(struct mr_event){ .time_s = s->now_s,
			        .rcpt = piece->rcpt[i],
			        .outcome = MR_DEFERRED,
			        .status = MR_STR("4.3.0"),
			        .host = MR_STR(""),
			        .reply = mr_str(why) });
	end_job(s, w, false, false);
}

void
mr_worker_end(struct mr_sched *s, struct mr_worker *w, const char *why)
{
	int status = 0;

	close(w->sock);
	kill(-w->pid, SIGKILL);
	while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
		;
	MR_LOG(s->log, MR_LOG_FAULT, "worker", { "pid", MR_NUM(w->pid) }, { "why", mr_str(why) },
	    { "code", MR_NUM(WIFEXITED(status) ? WEXITSTATUS(status) : -1) },
	    { "signal", MR_NUM(WIFSIGNALED(status) ? WTERMSIG(status) : 0) });
	if (!w->has_answered && s->now_ms - w->started_ms < YOUNG_MS)
		wait_to_start(s);
	if (w->piece)
		give_up_job(s, w, worker_reply);
	s->idle_n--;
	w->pid = 0;
}

/* ---- results ---- */

static bool
take_result(struct mr_sched *s, struct mr_worker *w, const struct mr_job_result *r)
{
	struct mr_piece *piece = w->piece;

	if (r->rcpt >= piece->n || w->answered[r->rcpt])
		return false;
	w->answered[r->rcpt] = true;
	if (!piece->msg->is_over)
		mr_round_result(s, piece->msg,
		    &(struct mr_event){ .time_s = s->now_s,
		        .rcpt = piece->rcpt[r->rcpt],
		        .outcome = r->outcome,
		        .status = r->status,
		        .host = r->host,
		        .reply = r->reply });
	return true;
}

static void
take_done(struct mr_sched *s, struct mr_worker *w, bool is_down)
{
	bool is_whole = true;

	w->has_answered = true;
	s->start_wait_ms = 0;
	for (size_t i = 0; i < w->piece->n; i++)
		is_whole &= w->answered[i];
	if (is_whole)
		end_job(s, w, is_down, !is_down);
	else
		give_up_job(s, w, "delivery worker gave no result");
}

void
mr_worker_read(struct mr_sched *s, struct mr_worker *w)
{
	struct mr_job_result result;
	struct mr_arena arena;
	struct mr_err err;
	bool is_done = false;

	mr_arena_init(&arena, 4 * MR_JOB_RESULT_MAX);
	while (!is_done) {
		int fd;
		enum mr_status st = mr_io_recv_packet(w->sock, &s->answer, &fd, &err);

		if (fd >= 0)
			close(fd);
		if (st == MR_TEMP && errno == EAGAIN)
			break;
		w->silent_ms = s->now_ms + SILENT_MS;
		if (st == MR_OK)
			st = mr_job_result_parse(&result, &arena, mr_buf_str(&s->answer), &err);
		if (st == MR_OK && !w->piece)
			st = mr_err_set(&err, MR_PERM, "answer without a job");
		is_done = st != MR_OK || result.is_done;
		if (st == MR_OK && result.is_done)
			take_done(s, w, result.host_down);
		else if (st == MR_OK && !take_result(s, w, &result))
			st = mr_err_set(&err, MR_PERM, "answer for no recipient of the job");
		if (st) {
			mr_worker_end(s, w, err.text);
			break;
		}
		mr_arena_free(&arena);
	}
	mr_arena_free(&arena);
}

/* ---- jobs ---- */

/* The one that was at this hop last; a new one; the one that has been idle longest. */
static struct mr_worker *
pick(struct mr_sched *s, const struct mr_hop *hop)
{
	struct mr_worker *oldest = NULL, *none = NULL;
	struct mr_err err;

	for (size_t i = 0; i < s->worker_n; i++) {
		struct mr_worker *w = &s->worker[i];

		if (w->pid == 0)
			none = none ? none : w;
		else if (!w->piece && w->last_hop == hop)
			return w;
		else if (!w->piece && (!oldest || w->idle_ms < oldest->idle_ms))
			oldest = w;
	}
	if (oldest && s->now_ms - oldest->idle_ms > KEEP_MS)
		return oldest;
	if (none && s->now_ms >= s->start_after_ms) {
		if (start(s, none, &err) == MR_OK)
			return none;
		MR_LOG(s->log, MR_LOG_FAULT, "worker", { "why", mr_str(err.text) });
		wait_to_start(s);
	}
	return oldest;
}

static enum mr_status
write_job(struct mr_sched *s, const struct mr_piece *piece, struct mr_err *err)
{
	struct mr_loaded *l = piece->msg->loaded;
	struct mr_str rcpt[MR_JOB_RCPT_MAX];

	for (size_t i = 0; i < piece->n; i++)
		rcpt[i] = l->file.env.rcpt[piece->rcpt[i]].addr;
	mr_buf_clear(&s->packet);
	return mr_job_write(
	    &(struct mr_job){ .id = mr_str(piece->msg->id),
	        .sender = mr_env_get(&l->file.env, "sender"),
	        .nexthop = { piece->hop->name, piece->hop->name_len },
	        .is_8bit = mr_str_caseis(mr_env_get(&l->file.env, "body"), "8BITMIME"),
	        .message_len = l->file.message_len,
	        .front_off = l->file.front_off,
	        .front_len = l->file.front_len,
	        .rcpt = rcpt,
	        .rcpt_n = piece->n },
	    &s->packet, err);
}

/* Gives the first piece of `hop` to a worker.  False: not now. */
static bool
hand_out(struct mr_sched *s, struct mr_worker *w, struct mr_hop *hop)
{
	struct mr_piece *piece = TAILQ_FIRST(&hop->queue);
	struct mr_err err;
	enum mr_status st;

	if (mr_msg_load(s, piece->msg) != MR_OK)
		return true; /* it has left the queue; the next one, please */
	mr_hop_take(s, piece);
	w->burst = w->last_hop == hop ? w->burst + 1 : 0;
	w->piece = piece;
	w->last_hop = hop;
	w->silent_ms = s->now_ms + SILENT_MS;
	memset(w->answered, 0, sizeof w->answered);
	s->idle_n--;
	piece->msg->running_n++;
	mr_hop_running(s, hop);
	if ((st = write_job(s, piece, &err))) {
		give_up_job(s, w, err.text);
		return true;
	}
	st = mr_io_send_packet(w->sock, mr_buf_str(&s->packet), piece->msg->loaded->fd, &err);
	if (st == MR_OK)
		return true;
	/* It never got the job: nobody's try. */
	w->piece = NULL;
	s->idle_n++;
	piece->msg->running_n--;
	mr_hop_done(s, hop, false, false);
	mr_hop_put_back(s, piece);
	mr_worker_end(s, w, err.text);
	return false;
}

void
mr_workers_dispatch(struct mr_sched *s)
{
	struct mr_hop *hop;
	struct mr_worker *w;

	if (s->is_stopping)
		return;
	/* A connection that is open is worth more than the strict order of turns. */
	for (size_t i = 0; s->idle_n && i < s->worker_n; i++) {
		w = &s->worker[i];
		while (w->pid && !w->piece && w->last_hop && w->last_hop->in_ring
		    && w->burst < BURST_MAX)
			if (!hand_out(s, w, w->last_hop))
				break;
	}
	while ((hop = TAILQ_FIRST(&s->ring)) && (w = pick(s, hop)))
		hand_out(s, w, hop);
}
