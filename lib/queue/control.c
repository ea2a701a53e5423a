/* The scheduler's two sockets: wake (ids of new messages) and control (an operator's commands). */
#include "queue/ask.h"
#include "queue/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define WAKE_AT_ONCE 256u /* datagrams taken in one turn of the loop */

static enum mr_status
open_socket(
    struct mr_sched *s, const char *name, int type, mode_t mode, int *fd, struct mr_err *err)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	*fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Through our descriptor: the spool's path may be longer than a socket's address. */
	snprintf(at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d/%s", s->spool->dir_fd, name);
	unlinkat(s->spool->dir_fd, name, 0); /* of a scheduler that was killed; we hold the lock */
	if (*fd < 0 || bind(*fd, (struct sockaddr *)&at, sizeof at) < 0
	    || fchmodat(s->spool->dir_fd, name, mode, 0) < 0
	    || (type == SOCK_SEQPACKET && listen(*fd, MR_CONTROL_CLIENTS) < 0))
		return mr_err_sys(err, MR_TEMP, "%s/%s", s->spool->path, name);
	return MR_OK;
}

enum mr_status
mr_control_init(struct mr_sched *s, struct mr_err *err)
{
	enum mr_status st;

	s->wake_fd = s->control_fd = -1;
	for (size_t i = 0; i < MR_CONTROL_CLIENTS; i++)
		s->client[i] = -1;
	/* The group may wake us; only our own user (and root) may retry and delete. */
	if ((st = open_socket(s, "wake", SOCK_DGRAM, 0660, &s->wake_fd, err)) == MR_OK)
		st = open_socket(s, "control", SOCK_SEQPACKET, 0600, &s->control_fd, err);
	return st;
}

void
mr_control_free(struct mr_sched *s)
{
	if (s->wake_fd >= 0) {
		unlinkat(s->spool->dir_fd, "wake", 0);
		close(s->wake_fd);
	}
	if (s->control_fd >= 0) {
		unlinkat(s->spool->dir_fd, "control", 0);
		close(s->control_fd);
	}
	for (size_t i = 0; i < MR_CONTROL_CLIENTS; i++)
		if (s->client[i] >= 0)
			close(s->client[i]);
}

void
mr_control_wake(struct mr_sched *s)
{
	char id[MR_ID_MAX];

	for (unsigned i = 0; i < WAKE_AT_ONCE; i++) {
		ssize_t n = recv(s->wake_fd, id, sizeof id, 0);
		struct mr_str word = { id, n > 0 ? (size_t)n : 0 };

		if (n < 0)
			return;
		/* If the name is not in incoming/, loading it will say so, and that is all. */
		if (mr_spool_is_id(word) && !mr_msg_find(s, word))
			mr_msg_add(s, word, false, s->now_s);
	}
}

void
mr_control_accept(struct mr_sched *s)
{
	int fd = accept4(s->control_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	for (size_t i = 0; i < MR_CONTROL_CLIENTS && fd >= 0; i++)
		if (s->client[i] < 0) {
			s->client[i] = fd;
			fd = -1;
		}
	if (fd >= 0) /* too many at a time */
		close(fd);
}

static void
retry_one(struct mr_sched *s, struct mr_msg *m)
{
	struct mr_piece *piece;

	if (m->is_over)
		return;
	LIST_FOREACH(piece, &m->queued, msg_link)
	mr_hops_retry(s, piece->hop);
	if (m->running_n || !LIST_EMPTY(&m->queued))
		return;
	mr_msg_at(s, m, s->now_s);
	if (m->has_log)
		mr_record_set_next(s->spool, m->id, s->now_s, NULL);
}

static size_t
act_on_all(struct mr_sched *s, enum mr_ask ask)
{
	size_t n = 0;

	if (ask == MR_ASK_RETRY) {
		mr_hops_retry(s, NULL);
		for (size_t i = 0; i < s->msg_n; i++) {
			struct mr_msg *m = s->heap[i];

			/* It can only move up, among those that were looked at. */
			if (m->at_s > s->now_s && m->running_n == 0 && LIST_EMPTY(&m->queued)
			    && !m->is_over)
				mr_msg_at(s, m, s->now_s);
			n++;
		}
		return n;
	}
	while (n < s->msg_n) {
		struct mr_msg *m = s->heap[n];
		size_t before = s->msg_n;

		mr_msg_remove(s, m);
		/* What a worker still has, or what cannot be removed, stays in the heap. */
		if (s->msg_n == before)
			n++;
	}
	return n;
}

static void
answer(struct mr_sched *s, int fd, struct mr_str request)
{
	struct mr_str verb = mr_str_word(&request), what = mr_str_word(&request);
	bool is_retry = mr_str_is(verb, mr_ask_word(MR_ASK_RETRY));
	enum mr_ask ask = is_retry ? MR_ASK_RETRY : MR_ASK_DELETE;
	bool is_all = mr_str_is(what, "all"), is_bad = false;
	char text[MR_ASK_MAX];
	struct mr_msg *m = NULL;
	size_t n = 0;

	if (!is_retry && !mr_str_is(verb, mr_ask_word(MR_ASK_DELETE)))
		is_bad = true;
	else if (is_all)
		n = act_on_all(s, ask);
	else if (mr_spool_is_id(what) && (m = mr_msg_find(s, what)) && !m->is_over) {
		n = 1;
		if (is_retry)
			retry_one(s, m);
		else
			mr_msg_remove(s, m);
	}
	snprintf(text, sizeof text, "ok %zu", n);
	mr_io_send_packet(fd,
	    is_bad                  ? MR_STR("bad request")
	        : n == 0 && !is_all ? MR_STR("none")
	                            : mr_str(text),
	    -1, NULL);
	MR_LOG(
	    s->log, MR_LOG_INFO, "control", { "do", verb }, { "what", what }, { "n", MR_NUM(n) });
}

void
mr_control_client(struct mr_sched *s, size_t i)
{
	struct mr_buf request;
	struct mr_err err;
	int fd = -1;

	mr_buf_init(&request, MR_ASK_MAX);
	if (mr_io_recv_packet(s->client[i], &request, &fd, &err) == MR_OK)
		answer(s, s->client[i], mr_buf_str(&request));
	if (fd >= 0)
		close(fd);
	close(s->client[i]);
	s->client[i] = -1;
	mr_buf_free(&request);
}
