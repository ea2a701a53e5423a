#include "queue/spool.h"

#include "../tap.h"
#include "base/child.h"
#include "base/crc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char dir[] = "/tmp/mr-spool.XXXXXX";
static struct mr_spool spool;
static struct mr_err err;

static void
make_env(struct mr_env *env, struct mr_arena *arena)
{
	mr_arena_init(arena, MR_SPOOL_ARENA_MAX);
	mr_env_init(env, arena);
	mr_env_set(env, MR_STR("sender"), MR_STR("a@a.example"), &err);
	mr_env_add_rcpt(env, MR_STR("b@b.example"), &err);
	mr_env_add_rcpt(env, MR_STR("c@c.example"), &err);
	mr_attrs_set(&env->rcpt[1].attrs, arena, MR_STR("dsn_notify"), MR_STR("NEVER"), &err);
}

static int
open_id(const char *id)
{
	int fd = -1;

	mr_spool_open_file(spool.incoming_fd, id, &fd, &err);
	return fd;
}

static size_t
count_incoming(void)
{
	DIR *d = fdopendir(openat(spool.dir_fd, "incoming", O_RDONLY | O_DIRECTORY));
	size_t n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void
test_ids(void)
{
	char a[MR_ID_MAX], b[MR_ID_MAX];

	mr_spool_new_id(a);
	usleep(2);
	mr_spool_new_id(b);
	ok(mr_spool_is_id(mr_str(a)), "a new id is an id: %s", a);
	ok(strcmp(a, b) < 0, "ids sort by time");
	ok(llabs(mr_spool_id_time_s(mr_str(a)) - (long long)time(NULL)) <= 1, "an id says when");
	ok(!mr_spool_is_id(MR_STR("")) && !mr_spool_is_id(MR_STR("../../etc/passwd.abc"))
	        && !mr_spool_is_id(MR_STR("0123456789a.ABCDEFGH"))
	        && !mr_spool_is_id(MR_STR("0123456789a.abcdefgh.log")),
	    "other names are no ids");
}

static int
write_message(char *id, size_t body_n, struct mr_str front)
{
	struct mr_spool_msg msg;
	struct mr_arena arena;
	struct mr_env env;

	make_env(&env, &arena);
	mr_spool_new_id(id);
	mr_spool_begin(&spool, &msg, &err);
	mr_spool_append(&msg, MR_STR("Subject: x\r\n\r\n"), &err);
	for (size_t i = 0; i < body_n; i++)
		mr_spool_append(&msg, MR_STR("line of the body, with CRLF\r\n"), &err);
	ok(count_incoming() == 0, "no name before the commit");
	ok(mr_spool_commit(&spool, &msg, id, front, &env, &err) == MR_OK, "commit");
	mr_spool_abort(&msg);
	mr_arena_free(&arena);
	return open_id(id);
}

static void
test_round_trip(size_t body_n, size_t front_n)
{
	char id[MR_ID_MAX], *front = calloc(1, front_n + 1);
	struct mr_spool_file file;
	struct mr_arena arena;
	struct stat st;
	int fd;

	memset(front, 'f', front_n);
	mr_arena_init(&arena, MR_SPOOL_ARENA_MAX);
	fd = write_message(id, body_n, (struct mr_str){ front, front_n });
	ok(fd >= 0 && mr_spool_read(fd, &file, &arena, &err) == MR_OK, "read back");
	ok(file.message_len == 14 + 29 * body_n && file.front_off == file.message_len
	        && file.front_len == front_n,
	    "lengths (%zu lines, front of %zu)", body_n, front_n);
	is(mr_env_get(&file.env, "sender"), "a@a.example", "sender");
	ok(file.env.rcpt_n == 2, "two recipients");
	is(mr_attrs_get(&file.env.rcpt[1].attrs, "dsn_notify"), "NEVER", "recipient's attribute");
	ok(mr_spool_verify(fd, &file, &err) == MR_OK, "checksum of the message");
	fstat(fd, &st);
	ok((st.st_mode & 07777) == 0640, "mode of the file");
	unlinkat(spool.incoming_fd, id, 0);
	close(fd);
	mr_arena_free(&arena);
	free(front);
}

/* Every byte of a file matters: change each in turn, cut at each length. */
static void
test_damage(void)
{
	char id[MR_ID_MAX], bytes[2048];
	int fd = write_message(id, 1, MR_STR("X: y\r\n"));
	ssize_t n = pread(fd, bytes, sizeof bytes, 0);
	size_t undetected = 0, uncut = 0;

	for (ssize_t i = 0; i < 2 * n; i++) {
		struct mr_spool_file file;
		struct mr_arena arena;
		size_t len = i < n ? (size_t)n : (size_t)(i - n);
		int bad;

		mr_arena_init(&arena, MR_SPOOL_ARENA_MAX);
		if (i < n)
			bytes[i] ^= 1;
		bad = mr_child_memfile((struct mr_str){ bytes, len });
		if (i < n)
			bytes[i] ^= 1;
		if (mr_spool_read(bad, &file, &arena, &err) == MR_OK
		    && mr_spool_verify(bad, &file, &err) == MR_OK) {
			undetected += i < n;
			uncut += i >= n;
		}
		close(bad);
		mr_arena_free(&arena);
	}
	ok(n > 100 && undetected == 0, "each changed byte of %zd is detected", n);
	ok(uncut == 0, "each cut is detected");
	unlinkat(spool.incoming_fd, id, 0);
	close(fd);
}

static void
test_refused(void)
{
	char id[MR_ID_MAX];
	struct mr_spool_msg msg;
	struct mr_arena arena;
	struct mr_spool_file file;
	struct mr_env env;
	int fd;

	mr_arena_init(&arena, MR_SPOOL_ARENA_MAX);
	fd = open(dir, O_RDONLY);
	ok(mr_spool_read(fd, &file, &arena, &err) == MR_PERM, "a folder is no message");
	close(fd);
	ok(symlinkat("/etc/passwd", spool.incoming_fd, "link") == 0
	        && mr_spool_open_file(spool.incoming_fd, "link", &fd, &err) == MR_PERM,
	    "a symbolic link is not followed: %s", err.text);
	ok(mkfifoat(spool.incoming_fd, "fifo", 0600) == 0
	        && mr_spool_open_file(spool.incoming_fd, "fifo", &fd, &err) == MR_OK
	        && mr_spool_read(fd, &file, &arena, &err) == MR_PERM,
	    "a FIFO is refused and does not hold us");
	close(fd);
	ok(mr_spool_open_file(spool.incoming_fd, "none", &fd, &err) == MR_NOTFOUND, "no such file");
	unlinkat(spool.incoming_fd, "link", 0);
	unlinkat(spool.incoming_fd, "fifo", 0);
	mr_arena_free(&arena);

	make_env(&env, &arena);
	mr_spool_new_id(id);
	mr_spool_begin(&spool, &msg, &err);
	close(openat(spool.incoming_fd, id, O_CREAT | O_WRONLY, 0600));
	ok(mr_spool_commit(&spool, &msg, id, MR_STR(""), &env, &err) == MR_TEMP,
	    "a name that exists is never replaced: %s", err.text);
	unlinkat(spool.incoming_fd, id, 0);
	{
		char *front = calloc(1, MR_SPOOL_FRONT_MAX + 1);

		memset(front, 'x', MR_SPOOL_FRONT_MAX + 1);
		mr_spool_begin(&spool, &msg, &err);
		ok(mr_spool_commit(&spool, &msg, id,
		       (struct mr_str){ front, MR_SPOOL_FRONT_MAX + 1 }, &env, &err)
		        == MR_TEMP,
		    "front fields over MR_SPOOL_FRONT_MAX");
		free(front);
	}
	ok(count_incoming() == 0, "nothing is left behind");
	mr_arena_free(&arena);
}

static enum mr_status
copy_in(struct mr_str in, uint64_t max, struct mr_buf *out, bool *has_8bit)
{
	struct mr_spool_msg msg;
	enum mr_status st;
	int fd = mr_child_memfile(in);

	mr_buf_clear(out);
	mr_spool_begin(&spool, &msg, &err);
	st = mr_spool_copy_in(&msg, fd, max, "mx.example", &err);
	mr_spool_flush(&msg, NULL);
	lseek(msg.fd, 0, SEEK_SET);
	mr_io_read_all(msg.fd, out, NULL);
	ok(st || (msg.len == out->n && msg.crc == mr_crc32(0, mr_buf_str(out))), "length and crc");
	*has_8bit = msg.has_8bit;
	mr_spool_abort(&msg);
	close(fd);
	return st;
}

static void
test_copy_in(void)
{
	struct mr_buf out, big;
	bool has_8bit;

	mr_buf_init(&out, 1 << 20);
	mr_buf_init(&big, 1 << 20);
	ok(copy_in(MR_STR("a: b\n\n.x\r\ny"), 100, &out, &has_8bit) == MR_OK, "LF, CRLF, no end");
	is(mr_buf_str(&out), "a: b\r\n\r\n.x\r\ny\r\n", "in wire form");
	ok(!has_8bit, "7bit");
	ok(copy_in(MR_STR("\xc3\xa9\n"), 100, &out, &has_8bit) == MR_OK && has_8bit, "8bit");
	ok(copy_in(MR_STR(""), 100, &out, &has_8bit) == MR_OK && out.n == 0, "nothing at all");
	ok(copy_in(MR_STR("a\rb\n"), 100, &out, &has_8bit) == MR_PERM, "bare CR: %s", err.text);
	ok(copy_in(MR_STR("a\r\r\n"), 100, &out, &has_8bit) == MR_PERM, "CR CR LF");
	ok(copy_in(MR_STR("a\r"), 100, &out, &has_8bit) == MR_PERM, "CR at the end");
	ok(copy_in(MR_STR("12345\n"), 6, &out, &has_8bit) == MR_PERM, "over max: %s", err.text);
	ok(copy_in(MR_STR("1234\n"), 6, &out, &has_8bit) == MR_OK, "just max");
	for (size_t i = 0; i < 65535; i++)
		mr_buf_addc(&big, 'x');
	mr_buf_adds(&big, "\r\nend\n");
	ok(copy_in(mr_buf_str(&big), 1 << 20, &out, &has_8bit) == MR_OK,
	    "CRLF over a window's end");
	ok(out.n == 65535 + 2 + 5 && memcmp(out.p + 65535, "\r\nend\r\n", 7) == 0, "is one CRLF");
	ok(copy_in(MR_STR("A: b\nauthentication-results: mx.example; a\n b\nC: d\n"), 100, &out,
	       &has_8bit)
	        == MR_OK,
	    "results of ours");
	is(mr_buf_str(&out), "A: b\r\nC: d\r\n", "are dropped");
	mr_buf_free(&out);
	mr_buf_free(&big);
}

/* A message that comes byte by byte: no field is overlooked. */
static void
test_copy_in_pieces(void)
{
	static const char text[] =
	    "Received: a\r\nreceived: b\nAuthentication-Results: mx.example; x\n"
	    "Subject: x\n\nReceived: no\n";
	struct mr_spool_msg msg;
	int fd[2];
	pid_t child;

	ok(pipe(fd) == 0, "a pipe");
	fflush(stdout);
	if ((child = fork()) == 0) {
		for (size_t i = 0; text[i]; i++)
			if (write(fd[1], text + i, 1) != 1)
				_exit(1);
		_exit(0);
	}
	close(fd[1]);
	mr_spool_begin(&spool, &msg, &err);
	ok(mr_spool_copy_in(&msg, fd[0], 1000, "mx.example", &err) == MR_OK, "byte by byte");
	ok(msg.hops == 2, "hops %u", msg.hops);
	ok(msg.len == 13 + 13 + 12 + 2 + 14, "length %zu", (size_t)msg.len);
	mr_spool_abort(&msg);
	close(fd[0]);
	waitpid(child, NULL, 0);
}

static void
test_wake(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char id[MR_ID_MAX], got[64];
	int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ssize_t n;

	snprintf(at.sun_path, sizeof at.sun_path, "%s/wake", dir);
	ok(bind(sock, (struct sockaddr *)&at, sizeof at) == 0, "a scheduler that listens");
	close(write_message(id, 0, MR_STR("")));
	n = recv(sock, got, sizeof got, 0);
	is(((struct mr_str){ got, n < 0 ? 0 : (size_t)n }), id, "is told the id");
	unlinkat(spool.incoming_fd, id, 0);
	close(sock);
	unlink(at.sun_path);
}

int
main(void)
{
	struct stat st;

	umask(077);
	if (!mkdtemp(dir))
		return 1;
	ok(mr_spool_open(&spool, "/nonexistent/spool", &err) == MR_TEMP, "%s", err.text);
	ok(mr_spool_open(&spool, dir, &err) == MR_OK, "open makes the folders");
	ok(fstat(spool.incoming_fd, &st) == 0 && (st.st_mode & 0777) == 0770, "mode of a folder");
	test_ids();
	test_round_trip(0, 0);
	test_round_trip(10, 300);
	test_round_trip(10, 20000);
	test_round_trip(10000, 7);
	test_damage();
	test_refused();
	test_copy_in();
	test_copy_in_pieces();
	test_wake();
	unlinkat(spool.dir_fd, "incoming", AT_REMOVEDIR);
	unlinkat(spool.dir_fd, "deferred", AT_REMOVEDIR);
	mr_spool_close(&spool);
	ok(rmdir(dir) == 0, "nothing is left in the spool");
	return done_testing();
}
