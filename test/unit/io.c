/* io.c - lib/base/io. */
#include "base/io.h"

#include "base/clock.h"

#include "../tap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static struct mr_err err;

static void
fall(int sig)
{
	(void)sig;
}

static void
put(int fd, const char *s)
{
	if (write(fd, s, strlen(s)) < 0)
		printf("# %s\n", strerror(errno));
}

/* A full pipe or socket must give up at the deadline, not before; a signal is no end. */
static void
deadlines(void)
{
	static char big[1 << 20];
	struct itimerval often = { { 0, 10000 }, { 0, 10000 } }, never = { { 0, 0 }, { 0, 0 } };
	int64_t start;
	int p[2], s[2];

	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = fall }, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	if (pipe(p) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0)
		return;
	start = mr_clock_mono_ms();
	ok(mr_io_write_by(p[1], (struct mr_str){ big, sizeof big }, start + 200, &err) == MR_TEMP
	        && mr_clock_mono_ms() - start >= 200,
	    "a blocking pipe that nobody reads: %s", err.text);
	start = mr_clock_mono_ms();
	ok(mr_io_write_by(s[1], (struct mr_str){ big, sizeof big }, start + 200, &err) == MR_TEMP
	        && mr_clock_mono_ms() - start >= 200,
	    "a blocking socket that nobody reads");
	start = mr_clock_mono_ms();
	ok(mr_io_wait(s[1], POLLIN, start + 100, &err) == MR_TEMP
	        && mr_clock_mono_ms() - start >= 100,
	    "waiting for nothing");
	setitimer(ITIMER_REAL, &never, NULL);
	ok(mr_io_wait(s[0], POLLIN, 0, &err) == MR_OK,
	    "a deadline that has passed, but it is ready");
	close(s[0]);
	ok(mr_io_write_by(s[1], MR_STR("x"), mr_clock_mono_ms() + 9999, &err) == MR_TEMP,
	    "a peer that is gone is a status, no signal");
	close(s[1]);
	close(p[0]);
	close(p[1]);
}

/* A megabyte through a pipe, both ways of writing, with signals and a slow reader. */
static void
whole_writes(bool is_nonblocking, int64_t deadline_ms)
{
	static char big[1 << 20];
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct mr_buf b;
	pid_t pid;
	int p[2], status = -1;

	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (char)(i * 7 + i / 1000);
	if (pipe2(p, is_nonblocking ? O_NONBLOCK : 0) < 0)
		return;
	fcntl(p[0], F_SETFL, 0);
	if ((pid = fork()) == 0) {
		close(p[1]);
		mr_buf_init(&b, sizeof big);
		_exit(mr_io_read_all(p[0], &b, NULL) || b.n != sizeof big
		    || memcmp(b.p, big, sizeof big) != 0);
	}
	close(p[0]);
	setitimer(ITIMER_REAL, &often, NULL);
	ok(mr_io_write_by(p[1], (struct mr_str){ big, sizeof big }, deadline_ms, &err) == MR_OK,
	    "a megabyte is written");
	close(p[1]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	setitimer(ITIMER_REAL, &never, NULL);
	ok(status == 0, "and arrives");
}

static void
files(void)
{
	char path[] = "/tmp/mr-io.XXXXXX";
	struct mr_buf b;
	int fd = mkstemp(path);

	put(fd, "12345");
	mr_buf_init(&b, 5);
	ok(mr_io_read_file(path, &b, &err) == MR_OK, "a file as large as the ceiling");
	is(mr_buf_str(&b), "12345", "its bytes");
	mr_buf_clear(&b);
	put(fd, "6");
	ok(mr_io_read_file(path, &b, &err) == MR_PERM, "one byte more");
	ok(strstr(err.text, path) && strstr(err.text, ": more than 5 bytes"), "why: %s", err.text);
	mr_buf_clear(&b);
	ok(mr_io_read_file(path, &b, NULL) == MR_PERM, "err may be NULL");
	mr_buf_clear(&b);
	unlink(path);
	ok(mr_io_read_file(path, &b, &err) == MR_NOTFOUND, "no file");
	ok(mr_io_read_file("/tmp", &b, &err) == MR_TEMP, "a folder: %s", err.text);
	ok(mr_io_write(fd, MR_STR(""), &err) == MR_OK, "nothing to write");
	close(fd);
	ok(mr_io_write(fd, MR_STR("x"), &err) == MR_TEMP, "a closed descriptor: %s", err.text);
	mr_buf_free(&b);
}

static void
lines(void)
{
	struct mr_reader r;
	struct mr_str line;
	int p[2];

	if (pipe(p) < 0)
		return;
	put(p[1], "one\n\ntwo\r\n1234567\n");
	mr_reader_init(&r, p[0], 8, &err);
	ok(mr_reader_line(&r, &line, MR_NO_DEADLINE, &err) == MR_OK, "a line");
	is(line, "one", "without its LF");
	ok(mr_reader_line(&r, &line, MR_NO_DEADLINE, &err) == MR_OK && line.n == 0,
	    "an empty line");
	ok(mr_reader_line(&r, &line, MR_NO_DEADLINE, &err) == MR_OK, "a line with CRLF");
	is(line, "two\r", "its CR stays");
	ok(mr_reader_line(&r, &line, MR_NO_DEADLINE, &err) == MR_OK, "as long as the window");
	is(line, "1234567", "its bytes");
	ok(r.total == 18, "bytes are counted");
	put(p[1], "ab");
	ok(mr_reader_line(&r, &line, mr_clock_mono_ms() + 50, &err) == MR_TEMP, "time-out");
	put(p[1], "c\n12345678");
	ok(mr_reader_line(&r, &line, MR_NO_DEADLINE, &err) == MR_OK, "goes on after it");
	is(line, "abc", "nothing is lost");
	ok(mr_reader_line(&r, &line, MR_NO_DEADLINE, &err) == MR_PERM, "too long: %s", err.text);
	is(mr_reader_window(&r), "12345678", "the window holds it");
	mr_reader_take(&r, 6);
	close(p[1]);
	ok(mr_reader_line(&r, &line, MR_NO_DEADLINE, &err) == MR_OK, "the last line has no LF");
	is(line, "78", "its bytes");
	ok(mr_reader_line(&r, &line, MR_NO_DEADLINE, &err) == MR_NOTFOUND, "the end");
	ok(mr_reader_line(&r, &line, MR_NO_DEADLINE, &err) == MR_NOTFOUND, "stays the end");
	mr_reader_free(&r);
	close(p[0]);
	mr_reader_init(&r, p[0], 8, &err);
	ok(mr_reader_fill(&r, MR_NO_DEADLINE, &err) == MR_TEMP, "a closed descriptor");
	mr_reader_free(&r);
}

static int
count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* What no function of ours sends: two descriptors in one packet. */
static void
send_two_fds(int sock)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} space = { .bytes = { 0 } };
	char byte = 'x';
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space.bytes,
		.msg_controllen = sizeof space.bytes };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int fds[2] = { 0, 1 };

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fds);
	memcpy(CMSG_DATA(c), fds, sizeof fds);
	if (sendmsg(sock, &m, 0) < 0)
		printf("# %s\n", strerror(errno));
}

static void
packets(void)
{
	int s[2], p[2], fd, before;
	struct mr_buf b;
	char c;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s) < 0 || pipe(p) < 0)
		return;
	mr_buf_init(&b, 4);
	before = count_fds();
	ok(mr_io_send_packet(s[0], MR_STR("a\0bc"), p[1], &err) == MR_OK,
	    "a packet and a descriptor");
	ok(mr_io_recv_packet(s[1], &b, &fd, &err) == MR_OK && b.n == 4
	        && memcmp(b.p, "a\0bc", 4) == 0,
	    "arrives, as long as the ceiling");
	ok(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC, "close-on-exec");
	put(fd, "!");
	ok(read(p[0], &c, 1) == 1 && c == '!', "it is the pipe");
	close(fd);
	ok(mr_io_send_packet(s[0], MR_STR("x"), -1, &err) == MR_OK
	        && mr_io_recv_packet(s[1], &b, &fd, &err) == MR_OK && fd == -1,
	    "a packet without one");
	is(mr_buf_str(&b), "x", "its bytes");
	ok(mr_io_send_packet(s[0], MR_STR("12345"), p[1], &err) == MR_OK
	        && mr_io_recv_packet(s[1], &b, &fd, &err) == MR_PERM && fd == -1,
	    "a packet over the ceiling: %s", err.text);
	send_two_fds(s[0]);
	ok(mr_io_recv_packet(s[1], &b, &fd, &err) == MR_OK && fd >= 0, "two descriptors");
	close(fd);
	ok(count_fds() == before, "no descriptor is left over");
	close(s[0]);
	ok(mr_io_recv_packet(s[1], &b, &fd, &err) == MR_NOTFOUND, "other side gone: %s", err.text);
	ok(mr_io_send_packet(s[1], MR_STR("x"), -1, &err) == MR_NOTFOUND, "for sending, too");
	ok(mr_io_send_packet(p[0], MR_STR("x"), -1, &err) == MR_TEMP, "no socket: %s", err.text);
	ok(mr_io_recv_packet(p[0], &b, &fd, &err) == MR_TEMP, "no socket for receiving");
	close(s[1]);
	close(p[0]);
	close(p[1]);
	mr_buf_free(&b);
}

static void
std_fds(void)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		close(0);
		close(2);
		_exit(mr_io_std_fds(NULL) || fcntl(0, F_GETFD) || fcntl(2, F_GETFD)
		    || open("/dev/null", O_RDONLY) <= 2);
	}
	waitpid(pid, &status, 0);
	ok(status == 0, "0 and 2 are open again");
}

int
main(void)
{
	deadlines();
	whole_writes(false, MR_NO_DEADLINE);
	whole_writes(true, MR_NO_DEADLINE);
	whole_writes(false, mr_clock_mono_ms() + 60000);
	whole_writes(true, mr_clock_mono_ms() + 60000);
	files();
	lines();
	packets();
	std_fds();
	return done_testing();
}
