#include "base/io.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum mr_status
mr_io_wait(int fd, short events, int64_t deadline_ms, struct mr_err *err)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		int left = deadline_ms == MR_NO_DEADLINE ? -1 : mr_clock_left_ms(deadline_ms);
		int n = poll(&p, 1, left);

		if (n > 0)
			return MR_OK;
		if (n == 0)
			return mr_err_set(err, MR_TEMP, "time-out");
		if (errno != EINTR)
			return mr_err_sys(err, MR_TEMP, "poll");
	}
}

/* A write that does not wait, where there is a deadline. */
static ssize_t
write_some(int fd, struct mr_str s, int64_t deadline_ms)
{
	ssize_t n;

	if (deadline_ms == MR_NO_DEADLINE)
		return write(fd, s.p, s.n);
	n = send(fd, s.p, s.n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n >= 0 || errno != ENOTSOCK)
		return n;
	/* A pipe that is ready takes so much; one that is not must be asked first. */
	if (poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, 0) == 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(fd, s.p, s.n < PIPE_BUF ? s.n : PIPE_BUF);
}

enum mr_status
mr_io_write_by(int fd, struct mr_str s, int64_t deadline_ms, struct mr_err *err)
{
	while (s.n) {
		ssize_t n = write_some(fd, s, deadline_ms);

		if (n >= 0)
			s = mr_str_from(s, (size_t)n);
		else if (errno == EAGAIN) {
			if (mr_io_wait(fd, POLLOUT, deadline_ms, err))
				return MR_TEMP;
		} else if (errno != EINTR)
			return mr_err_sys(err, MR_TEMP, "write");
	}
	return MR_OK;
}

enum mr_status
mr_io_write(int fd, struct mr_str s, struct mr_err *err)
{
	return mr_io_write_by(fd, s, MR_NO_DEADLINE, err);
}

#define READ_STEP 4096

enum mr_status
mr_io_read_all(int fd, struct mr_buf *b, struct mr_err *err)
{
	for (;;) {
		size_t want = b->max - b->n < READ_STEP ? b->max - b->n : READ_STEP;
		char extra, *to;
		ssize_t n;

		if (want && !(to = mr_buf_room(b, want)))
			return mr_err_set(err, MR_TEMP, "out of memory");
		n = want ? read(fd, to, want) : read(fd, &extra, 1);
		if (n == 0)
			return MR_OK;
		if (n < 0 && errno != EINTR)
			return mr_err_sys(err, MR_TEMP, "read");
		if (n > 0 && !want)
			return mr_err_set(err, MR_PERM, "more than %zu bytes", b->max);
		if (n > 0)
			b->n += (size_t)n;
	}
}

enum mr_status
mr_io_read_file(const char *path, struct mr_buf *b, struct mr_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct mr_err why;
	enum mr_status st;

	if (fd < 0)
		return mr_err_sys(err, errno == ENOENT ? MR_NOTFOUND : MR_TEMP, "%s", path);
	st = mr_io_read_all(fd, b, &why);
	close(fd);
	return st ? mr_err_set(err, st, "%s: %s", path, why.text) : MR_OK;
}

enum mr_status
mr_reader_init(struct mr_reader *r, int fd, size_t cap, struct mr_err *err)
{
	*r = (struct mr_reader){ .fd = fd, .cap = cap, .p = malloc(cap) };
	return r->p ? MR_OK : mr_err_set(err, MR_TEMP, "out of memory");
}

void
mr_reader_free(struct mr_reader *r)
{
	free(r->p);
	*r = (struct mr_reader){ .fd = -1 };
}

struct mr_str
mr_reader_window(const struct mr_reader *r)
{
	return (struct mr_str){ r->p + r->off, r->end - r->off };
}

void
mr_reader_take(struct mr_reader *r, size_t n)
{
	r->off += n;
	if (r->off == r->end)
		r->off = r->end = 0;
}

enum mr_status
mr_reader_fill(struct mr_reader *r, int64_t deadline_ms, struct mr_err *err)
{
	ssize_t n;

	if (r->end == r->cap && r->off > 0) {
		memmove(r->p, r->p + r->off, r->end - r->off);
		r->end -= r->off;
		r->off = 0;
	}
	if (r->end == r->cap)
		return mr_err_set(err, MR_PERM, "line longer than %zu bytes", r->cap);
	do {
		enum mr_status st = deadline_ms == MR_NO_DEADLINE
		    ? MR_OK
		    : mr_io_wait(r->fd, POLLIN, deadline_ms, err);

		if (st)
			return st;
		n = read(r->fd, r->p + r->end, r->cap - r->end);
		if (n < 0 && errno == EAGAIN && mr_io_wait(r->fd, POLLIN, deadline_ms, err))
			return MR_TEMP;
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n < 0)
		return mr_err_sys(err, MR_TEMP, "read");
	if (n == 0)
		return mr_err_set(err, MR_NOTFOUND, "end of input");
	r->end += (size_t)n;
	r->total += n;
	return MR_OK;
}

enum mr_status
mr_reader_line(struct mr_reader *r, struct mr_str *line, int64_t deadline_ms, struct mr_err *err)
{
	size_t seen = 0;

	for (;;) {
		struct mr_str w = mr_reader_window(r);
		ptrdiff_t lf = mr_str_chr(mr_str_from(w, seen), '\n');
		enum mr_status st;

		if (lf >= 0) {
			*line = (struct mr_str){ w.p, seen + (size_t)lf };
			mr_reader_take(r, line->n + 1);
			return MR_OK;
		}
		seen = w.n;
		st = mr_reader_fill(r, deadline_ms, err);
		if (st == MR_NOTFOUND && seen) {
			*line = mr_reader_window(r);
			mr_reader_take(r, line->n);
			return MR_OK;
		}
		if (st)
			return st;
	}
}

union fd_space {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

enum mr_status
mr_io_send_packet(int sock, struct mr_str packet, int fd, struct mr_err *err)
{
	union fd_space space = { .bytes = { 0 } };
	char *bytes = NULL;
	struct iovec iov = { .iov_len = packet.n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	memcpy(&bytes, &packet.p, sizeof bytes); /* iov_base is not const */
	iov.iov_base = bytes;
	if (fd >= 0) {
		struct cmsghdr *c;

		m.msg_control = space.bytes;
		m.msg_controllen = sizeof space.bytes;
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	do
		n = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN))
		return mr_err_set(err, MR_NOTFOUND, "other side is gone");
	return n < 0 ? mr_err_sys(err, MR_TEMP, "send") : MR_OK;
}

enum mr_status
mr_io_recv_packet(int sock, struct mr_buf *packet, int *fd, struct mr_err *err)
{
	union fd_space space = { .bytes = { 0 } };
	struct iovec iov = { .iov_len = packet->max };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space.bytes,
		/* Not CMSG_SPACE, which has room for a second one that nobody would close. */
		.msg_controllen = CMSG_LEN(sizeof *fd) };
	struct cmsghdr *c;
	ssize_t n;

	*fd = -1;
	mr_buf_clear(packet);
	if (!(iov.iov_base = mr_buf_room(packet, packet->max)))
		return mr_err_set(err, MR_TEMP, "out of memory");
	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return mr_err_sys(err, errno == ECONNRESET ? MR_NOTFOUND : MR_TEMP, "receive");
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof *fd);
	if (n == 0 && *fd < 0)
		return mr_err_set(err, MR_NOTFOUND, "other side is gone");
	if (m.msg_flags & MSG_TRUNC) {
		if (*fd >= 0)
			close(*fd);
		*fd = -1;
		return mr_err_set(err, MR_PERM, "packet over %zu bytes", packet->max);
	}
	packet->n = (size_t)n;
	return MR_OK;
}

enum mr_status
mr_io_std_fds(struct mr_err *err)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd < 0)
		return mr_err_sys(err, MR_TEMP, "/dev/null");
	close(fd);
	return MR_OK;
}
