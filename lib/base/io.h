/* io.h - descriptors: whole writes, bounded reads, lines, descriptors over sockets. */
#ifndef MR_BASE_IO_H
#define MR_BASE_IO_H

#include "base/buf.h"
#include "base/err.h"

#define MR_NO_DEADLINE INT64_MAX

/* Writes all `s`.  MR_TEMP with errno's words if it cannot. */
enum mr_status mr_io_write(int fd, struct mr_str s, struct mr_err *err);

/* The same for a non-blocking or blocking socket or pipe; MR_TEMP at `deadline_ms` (monotonic) if it
 * takes no more. */
enum mr_status mr_io_write_by(int fd, struct mr_str s, int64_t deadline_ms, struct mr_err *err);

/* Adds all that `fd` gives until its end.  MR_PERM when it is more than the buffer's ceiling. */
enum mr_status mr_io_read_all(int fd, struct mr_buf *b, struct mr_err *err);

/* The whole of a file by name.  MR_NOTFOUND if there is none, MR_PERM if it is too large. */
enum mr_status mr_io_read_file(const char *path, struct mr_buf *b, struct mr_err *err);

/* Waits until `fd` is ready for `events` (poll(2)).  MR_TEMP after `deadline_ms`. */
enum mr_status mr_io_wait(int fd, short events, int64_t deadline_ms, struct mr_err *err);

/* A window on what a descriptor gives. */
struct mr_reader {
	int fd;
	char *p; /* the window: p[off .. end) has not been taken yet */
	size_t off, end, cap;
	int64_t total; /* bytes read from fd so far */
};

/* `cap`: bytes of the window, thus of the longest line with its LF.  Memory is the reader's until _free. */
enum mr_status mr_reader_init(struct mr_reader *r, int fd, size_t cap, struct mr_err *err);
void mr_reader_free(struct mr_reader *r);

/* What is in the window, not taken yet. */
struct mr_str mr_reader_window(const struct mr_reader *r);
void mr_reader_take(struct mr_reader *r, size_t n);

/* Reads once into the free part of the window (what was not taken moves to its front).
 * MR_NOTFOUND at the end of input, MR_TEMP after the deadline or on an error, MR_PERM when the
 * window is full. */
enum mr_status mr_reader_fill(struct mr_reader *r, int64_t deadline_ms, struct mr_err *err);

/* The next line without its LF (a CR before it stays), valid until the next call; a last line
 * without LF counts as a line.  Statuses as of mr_reader_fill; MR_PERM: no LF in cap bytes. */
enum mr_status
mr_reader_line(struct mr_reader *r, struct mr_str *line, int64_t deadline_ms, struct mr_err *err);

/* One packet with at most one descriptor over a SOCK_SEQPACKET or SOCK_DGRAM socket; fd -1: none.
 * Received descriptors are close-on-exec and the caller's.  MR_NOTFOUND: the other side is gone. */
enum mr_status mr_io_send_packet(int sock, struct mr_str packet, int fd, struct mr_err *err);
enum mr_status mr_io_recv_packet(int sock, struct mr_buf *packet, int *fd, struct mr_err *err);

/* Opens /dev/null on each of 0, 1, 2 that is closed, so that no file ever gets those numbers. */
enum mr_status mr_io_std_fds(struct mr_err *err);

#endif
