#include "pipe/stage.h"

#include "base/clock.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define REPLY_MAX 8192u /* bytes of a policy server's reply */

/* Connects, without waiting longer than the deadline; -1 and a reason. */
static int
connect_by(const struct sockaddr *sa, socklen_t len, int64_t deadline_ms, struct mr_err *err)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), problem = 0;
	socklen_t problem_len = sizeof problem;

	if (fd < 0) {
		mr_err_sys(err, MR_TEMP, "socket");
		return -1;
	}
	if (connect(fd, sa, len) < 0 && errno != EINPROGRESS)
		problem = errno;
	else if (mr_io_wait(fd, POLLOUT, deadline_ms, NULL))
		problem = ETIMEDOUT;
	else
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &problem_len);
	if (problem == 0)
		return fd;
	errno = problem;
	mr_err_sys(err, MR_TEMP, "connect");
	close(fd);
	return -1;
}

static int
open_unix(struct mr_str path, int64_t deadline_ms, struct mr_err *err)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (path.n >= sizeof un.sun_path) {
		mr_err_set(err, MR_PERM, "path too long");
		return -1;
	}
	memcpy(un.sun_path, path.p, path.n);
	return connect_by((const struct sockaddr *)&un, sizeof un, deadline_ms, err);
}

static int
open_inet(struct mr_arena *arena, struct mr_str host_port, int64_t deadline_ms, struct mr_err *err)
{
	ptrdiff_t colon = mr_str_rchr(host_port, ':');
	bool has_brackets = colon > 1 && host_port.p[0] == '[' && host_port.p[colon - 1] == ']';
	struct mr_str host = mr_arena_dup(arena,
	                  (struct mr_str){ host_port.p + has_brackets,
	                      (size_t)colon - 2 * (size_t)has_brackets }),
	              port = mr_arena_dup(arena, mr_str_from(host_port, (size_t)colon + 1));
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all = NULL;
	int fd = -1, rc;

	if (!host.p || !port.p) {
		mr_err_set(err, MR_TEMP, "out of memory");
		return -1;
	}
	if ((rc = getaddrinfo(host.p, port.p, &hints, &all))) {
		mr_err_set(err, MR_TEMP, "%s: %s", host.p, gai_strerror(rc));
		return -1;
	}
	for (struct addrinfo *a = all; a && fd < 0; a = a->ai_next)
		fd = connect_by(a->ai_addr, a->ai_addrlen, deadline_ms, err);
	freeaddrinfo(all);
	return fd;
}

/* The action= line of the reply, up to the empty line. */
static enum mr_status
read_action(int fd, int64_t deadline_ms, struct mr_answer *answer, struct mr_err *err)
{
	struct mr_reader in;
	enum mr_status st = mr_reader_init(&in, fd, REPLY_MAX, err);
	bool has_action = false;
	struct mr_str line;

	while (st == MR_OK && (st = mr_reader_line(&in, &line, deadline_ms, err)) == MR_OK
	    && line.n > 0) {
		if (!has_action && mr_str_starts(line, "action=")) {
			has_action = true;
			st = mr_answer_from_policy(answer, mr_str_from(line, 7), err);
		}
	}
	mr_reader_free(&in);
	if (st == MR_NOTFOUND)
		return mr_err_set(err, MR_TEMP, "connection closed without an answer");
	if (st == MR_OK && !has_action)
		return mr_err_set(err, MR_TEMP, "no action= in the answer");
	return st;
}

enum mr_status
mr_policy_ask(const char *address, const struct mr_env *env, int64_t deadline_ms,
    struct mr_answer *answer, struct mr_err *err)
{
	struct mr_str where = mr_str_from(mr_str(address), 5); /* "inet:" and "unix:" alike */
	struct mr_env told = *env;
	struct mr_buf request;
	struct mr_err why;
	enum mr_status st;
	int fd = mr_str_starts(mr_str(address), "unix:")
	    ? open_unix(where, deadline_ms, &why)
	    : open_inet(answer->arena, where, deadline_ms, &why);

	if (fd < 0)
		return mr_err_set(err, MR_TEMP, "%s: %s", address, why.text);
	mr_buf_init(&request, MR_ENV_MAX);
	if (told.rcpt_n > 1) {
		mr_buf_addf(&request, "recipient=\nrecipient_count=%zu\n", told.rcpt_n);
		told.rcpt_n = 0;
	}
	mr_env_write(&told, &request);
	st = request.is_full ? mr_err_set(&why, MR_TEMP, "out of memory")
	                     : mr_io_write_by(fd, mr_buf_str(&request), deadline_ms, &why);
	if (st == MR_OK)
		st = read_action(fd, deadline_ms, answer, &why);
	mr_buf_free(&request);
	close(fd);
	return st ? mr_err_set(err, MR_TEMP, "%s: %s", address, why.text) : MR_OK;
}
