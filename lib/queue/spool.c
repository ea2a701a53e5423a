#include "queue/spool.h"

#include "base/clock.h"
#include "base/crc.h"
#include "mail/intake.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define FOLDER_MODE 0770 /* smtpd and queue share a group, not a user */
#define FILE_MODE   0640
#define BUFFER_MAX  (64u << 10) /* bytes between two writes */

/* The trailer: fixed width, so that it is found from the end of the file.  Lengths are decimal,
 * checksums hexadecimal; the last one covers the trailer before it. */
#define TRAILER_BODY \
	"mr-queue 1 %020" PRIu64 " %010" PRIu64 " %010" PRIu64 " %08" PRIx32 " %08" PRIx32
#define TRAILER_LEN 81u
#define CRC_LEN     10u /* blank, 8 digits, LF */

/* One read that covers trailer, record and front fields of nearly every message. */
#define TAIL_LEN 8192u

#define ID_TIME_LEN   11u /* microseconds since 1970 in base 36: enough until the year 6140 */
#define ID_RANDOM_LEN 8u
#define ID_LEN        (ID_TIME_LEN + 1 + ID_RANDOM_LEN)
_Static_assert(ID_LEN < MR_ID_MAX, "an id fits");

/* ---- folders and ids ---- */

static enum mr_status
open_folder(const struct mr_spool *spool, const char *name, int *fd, struct mr_err *err)
{
	bool is_new = mkdirat(spool->dir_fd, name, FOLDER_MODE) == 0;
	struct stat st;

	if (!is_new && errno != EEXIST && errno != EACCES && errno != EROFS)
		return mr_err_sys(err, MR_TEMP, "%s/%s", spool->path, name);
	*fd = openat(spool->dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*fd < 0)
		return mr_err_sys(err, MR_TEMP, "%s/%s", spool->path, name);
	/* Whatever the umask is; a set-group-ID bit that came from DIR stays. */
	if (is_new
	    && (fstat(*fd, &st) < 0 || fchmod(*fd, (st.st_mode & 07000) | FOLDER_MODE) < 0
	        || fsync(spool->dir_fd) < 0))
		return mr_err_sys(err, MR_TEMP, "%s/%s", spool->path, name);
	return MR_OK;
}

enum mr_status
mr_spool_open(struct mr_spool *spool, const char *path, struct mr_err *err)
{
	enum mr_status st;

	*spool = (struct mr_spool){ .path = path, .incoming_fd = -1, .deferred_fd = -1 };
	spool->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (spool->dir_fd < 0)
		return mr_err_sys(err, MR_TEMP, "%s", path);
	if ((st = open_folder(spool, "incoming", &spool->incoming_fd, err))
	    || (st = open_folder(spool, "deferred", &spool->deferred_fd, err)))
		mr_spool_close(spool);
	return st;
}

void
mr_spool_close(struct mr_spool *spool)
{
	int *fds[] = { &spool->dir_fd, &spool->incoming_fd, &spool->deferred_fd };

	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

static void
base36(char *to, size_t n, uint64_t v)
{
	while (n--) {
		to[n] = "0123456789abcdefghijklmnopqrstuvwxyz"[v % 36];
		v /= 36;
	}
}

void
mr_spool_new_id(char id[MR_ID_MAX])
{
	uint64_t noise = 0;

	/* Without random bytes (early boot) the clock's nanoseconds and the pid must do. */
	if (getrandom(&noise, sizeof noise, GRND_NONBLOCK) != sizeof noise)
		noise = (uint64_t)getpid() << 20 ^ (uint64_t)mr_clock_now_us();
	base36(id, ID_TIME_LEN, (uint64_t)mr_clock_now_us());
	id[ID_TIME_LEN] = '.';
	base36(id + ID_TIME_LEN + 1, ID_RANDOM_LEN, noise);
	id[ID_LEN] = '\0';
}

static int
digit36(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'z' ? c - 'a' + 10 : -1;
}

bool
mr_spool_is_id(struct mr_str s)
{
	if (s.n != ID_LEN)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (i == ID_TIME_LEN ? s.p[i] != '.' : digit36(s.p[i]) < 0)
			return false;
	return true;
}

int64_t
mr_spool_id_time_s(struct mr_str id)
{
	uint64_t us = 0;

	if (!mr_spool_is_id(id))
		return 0;
	for (size_t i = 0; i < ID_TIME_LEN; i++)
		us = us * 36 + (uint64_t)digit36(id.p[i]);
	return (int64_t)(us / 1000000);
}

enum mr_status
mr_spool_each(int folder_fd, struct mr_str (*id_of)(struct mr_str name),
    void (*fn)(void *ctx, struct mr_str id), void *ctx, struct mr_err *err)
{
	int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return mr_err_sys(err, MR_TEMP, "cannot read the queue's folder");
	}
	while ((errno = 0, e = readdir(dir))) {
		struct mr_str id = id_of ? id_of(mr_str(e->d_name)) : mr_str(e->d_name);

		if (mr_spool_is_id(id))
			fn(ctx, id);
	}
	if (errno) {
		mr_err_sys(err, MR_TEMP, "cannot read the queue's folder");
		closedir(dir);
		return MR_TEMP;
	}
	closedir(dir);
	return MR_OK;
}

/* ---- writing ---- */

enum mr_status
mr_spool_begin(struct mr_spool *spool, struct mr_spool_msg *msg, struct mr_err *err)
{
	*msg = (struct mr_spool_msg){ .len = 0 };
	mr_buf_init(&msg->buf, BUFFER_MAX);
	msg->fd = openat(spool->incoming_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, FILE_MODE);
	/* A umask of 077 would keep it from the scheduler's user. */
	if (msg->fd < 0 || fchmod(msg->fd, FILE_MODE) < 0) {
		enum mr_status st =
		    mr_err_sys(err, MR_TEMP, "new file in %s/incoming", spool->path);

		mr_spool_abort(msg);
		return st;
	}
	return MR_OK;
}

void
mr_spool_abort(struct mr_spool_msg *msg)
{
	if (msg->fd >= 0)
		close(msg->fd);
	msg->fd = -1;
	mr_buf_free(&msg->buf);
}

enum mr_status
mr_spool_flush(struct mr_spool_msg *msg, struct mr_err *err)
{
	enum mr_status st = mr_io_write(msg->fd, mr_buf_str(&msg->buf), err);

	mr_buf_clear(&msg->buf);
	return st;
}

enum mr_status
mr_spool_append(struct mr_spool_msg *msg, struct mr_str bytes, struct mr_err *err)
{
	enum mr_status st;

	msg->crc = mr_crc32(msg->crc, bytes);
	msg->len += bytes.n;
	if (bytes.n > BUFFER_MAX - msg->buf.n && (st = mr_spool_flush(msg, err)))
		return st;
	if (bytes.n >= BUFFER_MAX)
		return mr_io_write(msg->fd, bytes, err);
	mr_buf_add(&msg->buf, bytes);
	return msg->buf.is_full ? mr_err_set(err, MR_TEMP, "out of memory") : MR_OK;
}

/* A message on its way from a descriptor into the spool. */
struct copy {
	struct mr_spool_msg *msg;
	struct mr_err *err;
	struct mr_intake intake;
	bool is_in_line;
};

static enum mr_status
put(void *ctx, struct mr_str bytes)
{
	struct copy *c = ctx;

	return mr_spool_append(c->msg, bytes, c->err);
}

/* Takes `s` with each LF made CRLF. */
static enum mr_status
copy_lines(struct copy *c, struct mr_str s)
{
	while (s.n && c->intake.put_failed == MR_OK) {
		ptrdiff_t lf = mr_str_chr(s, '\n');
		struct mr_str line = { s.p, lf < 0 ? s.n : (size_t)lf };

		s = mr_str_from(s, lf < 0 ? s.n : line.n + 1);
		if (lf >= 0 && line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (mr_str_chr(line, '\r') >= 0)
			return mr_err_set(c->err, MR_PERM, "bare CR in the message");
		if (line.n)
			mr_intake_take(&c->intake, line, !c->is_in_line);
		if (lf >= 0)
			mr_intake_take(&c->intake, MR_STR("\r\n"), !c->is_in_line && !line.n);
		c->is_in_line = lf < 0;
	}
	return c->intake.put_failed;
}

enum mr_status
mr_spool_copy_in(
    struct mr_spool_msg *msg, int fd, uint64_t max, const char *authserv_id, struct mr_err *err)
{
	struct copy c = { .msg = msg, .err = err };
	struct mr_reader r;
	enum mr_status st = mr_reader_init(&r, fd, BUFFER_MAX, err);

	if (st)
		return st;
	mr_intake_init(&c.intake, authserv_id, put, &c);
	while (st == MR_OK && (st = mr_reader_fill(&r, MR_NO_DEADLINE, err)) == MR_OK) {
		struct mr_str w = mr_reader_window(&r);

		/* Whole lines, or a piece of one that is longer than the window, whose last byte may
		 * be the CR of a CRLF. */
		ptrdiff_t lf = mr_str_rchr(w, '\n');

		w.n = lf >= 0 ? (size_t)lf + 1 : w.n == r.cap ? w.n - 1 : 0;
		st = copy_lines(&c, w);
		mr_reader_take(&r, w.n);
		if (st == MR_OK && c.intake.len > max)
			st = mr_err_set(err, MR_PERM, "message over %" PRIu64 " bytes", max);
	}
	if (st == MR_NOTFOUND) {
		st = copy_lines(&c, mr_reader_window(&r));
		if (st == MR_OK && c.is_in_line)
			st = copy_lines(&c, MR_STR("\n"));
		mr_intake_end(&c.intake);
		st = st ? st : c.intake.put_failed;
	}
	msg->has_8bit = c.intake.has_8bit;
	msg->hops = c.intake.hops;
	mr_intake_free(&c.intake);
	mr_reader_free(&r);
	return st;
}

static enum mr_status
write_all_v(int fd, struct iovec *iov, int n, struct mr_err *err)
{
	while (n > 0) {
		ssize_t done = writev(fd, iov, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return mr_err_sys(err, MR_TEMP, "write");
		for (; n > 0 && (size_t)done >= iov->iov_len; iov++, n--)
			done -= (ssize_t)iov->iov_len;
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
	return MR_OK;
}

/* Buffer, front fields, record and trailer in one write. */
static enum mr_status
write_end(
    struct mr_spool_msg *msg, struct mr_str front, const struct mr_env *env, struct mr_err *err)
{
	char trailer[TRAILER_LEN + 1];
	struct mr_buf tail;
	enum mr_status st;
	size_t record_len;
	uint32_t crc;

	mr_buf_init(&tail, MR_SPOOL_FRONT_MAX + MR_ENV_MAX + sizeof trailer);
	mr_buf_add(&tail, front);
	mr_env_write(env, &tail);
	record_len = tail.n - front.n;
	if (tail.is_full || front.n > MR_SPOOL_FRONT_MAX || record_len > MR_ENV_MAX) {
		mr_buf_free(&tail);
		return mr_err_set(err, MR_TEMP, "record or front fields too large");
	}
	crc = mr_crc32(0, mr_buf_str(&tail));
	snprintf(trailer, sizeof trailer, TRAILER_BODY, msg->len, (uint64_t)front.n,
	    (uint64_t)record_len, msg->crc, crc);
	crc = mr_crc32(0, mr_str(trailer));
	mr_buf_adds(&tail, trailer);
	mr_buf_addf(&tail, " %08" PRIx32 "\n", crc);
	if (tail.is_full)
		st = mr_err_set(err, MR_TEMP, "out of memory");
	else
		st = write_all_v(msg->fd,
		    (struct iovec[]){ { msg->buf.p, msg->buf.n }, { tail.p, tail.n } }, 2, err);
	mr_buf_free(&tail);
	return st;
}

/* A hint only: when it is lost, the scheduler finds the file within a second. */
static void
wake(const struct mr_spool *spool, const char *id)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (sock < 0)
		return;
	snprintf(to.sun_path, sizeof to.sun_path, "/proc/self/fd/%d/wake", spool->dir_fd);
	sendto(sock, id, strlen(id), MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof to);
	close(sock);
}

enum mr_status
mr_spool_commit(struct mr_spool *spool, struct mr_spool_msg *msg, const char *id,
    struct mr_str front, const struct mr_env *env, struct mr_err *err)
{
	char name[40];
	enum mr_status st = write_end(msg, front, env, err);

	snprintf(name, sizeof name, "/proc/self/fd/%d", msg->fd);
	if (st == MR_OK && fsync(msg->fd) < 0)
		st = mr_err_sys(err, MR_TEMP, "fsync");
	else if (st == MR_OK
	    && linkat(AT_FDCWD, name, spool->incoming_fd, id, AT_SYMLINK_FOLLOW) < 0)
		st = mr_err_sys(err, MR_TEMP, "%s/incoming/%s", spool->path, id);
	else if (st == MR_OK && fsync(spool->incoming_fd) < 0) {
		st = mr_err_sys(err, MR_TEMP, "%s/incoming", spool->path);
		unlinkat(spool->incoming_fd, id, 0); /* the caller will say "try later" */
	}
	if (st == MR_OK)
		wake(spool, id);
	mr_spool_abort(msg);
	return st;
}

/* ---- reading ---- */

enum mr_status
mr_spool_open_file(int folder_fd, const char *id, int *fd, struct mr_err *err)
{
	/* O_NONBLOCK: a FIFO must not hold us; mr_spool_read refuses it. */
	*fd = openat(folder_fd, id, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (*fd >= 0)
		return MR_OK;
	if (errno == ENOENT)
		return mr_err_sys(err, MR_NOTFOUND, "%s", id);
	return mr_err_sys(err, errno == ELOOP || errno == ENXIO ? MR_PERM : MR_TEMP, "%s", id);
}

/* `n` bytes at `off`.  MR_PERM if the file ends before. */
static enum mr_status
read_at(int fd, char *to, size_t n, uint64_t off, struct mr_err *err)
{
	while (n) {
		ssize_t got = pread(fd, to, n, (off_t)off);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return mr_err_sys(err, errno == EISDIR ? MR_PERM : MR_TEMP, "read");
		if (got == 0)
			return mr_err_set(err, MR_PERM, "file was cut while being read");
		to += got;
		off += (uint64_t)got;
		n -= (size_t)got;
	}
	return MR_OK;
}

static bool
take_hex(struct mr_str *s, uint32_t *out)
{
	uint32_t v = 0;

	for (size_t i = 0; i < 8; i++) {
		int d = digit36(s->p[i]);

		if (d < 0 || d > 15)
			return false;
		v = v << 4 | (uint32_t)d;
	}
	*out = v;
	*s = mr_str_from(*s, 8);
	return true;
}

static bool
take_blank(struct mr_str *s)
{
	bool is_blank = s->p[0] == ' ';

	*s = mr_str_from(*s, 1);
	return is_blank;
}

static bool
take_num(struct mr_str *s, size_t width, uint64_t max, uint64_t *out)
{
	bool is_num = mr_str_num((struct mr_str){ s->p, width }, max, out);

	*s = mr_str_from(*s, width);
	return is_num && take_blank(s);
}

/* `t`: the last TRAILER_LEN bytes of a file of `size` bytes; *crc: of front fields and record. */
static enum mr_status
parse_trailer(
    struct mr_spool_file *file, struct mr_str t, uint64_t size, uint32_t *crc, struct mr_err *err)
{
	struct mr_str rest = mr_str_from(t, 11);
	uint32_t own;

	if (!mr_str_starts(t, "mr-queue ") || t.p[TRAILER_LEN - 1] != '\n')
		return mr_err_set(err, MR_PERM, "no trailer: not a message file, or cut");
	if (!mr_str_starts(t, "mr-queue 1 "))
		return mr_err_set(err, MR_PERM, "message file of another version");
	if (!take_num(&rest, 20, INT64_MAX, &file->message_len)
	    || !take_num(&rest, 10, MR_SPOOL_FRONT_MAX, &file->front_len)
	    || !take_num(&rest, 10, MR_ENV_MAX, &file->record_len)
	    || !take_hex(&rest, &file->message_crc) || !take_blank(&rest) || !take_hex(&rest, crc)
	    || !take_blank(&rest) || !take_hex(&rest, &own)
	    || own != mr_crc32(0, (struct mr_str){ t.p, TRAILER_LEN - CRC_LEN }))
		return mr_err_set(err, MR_PERM, "damaged trailer");
	file->front_off = file->message_len;
	if (size - TRAILER_LEN < file->front_len + file->record_len
	    || size - TRAILER_LEN - file->front_len - file->record_len != file->message_len)
		return mr_err_set(err, MR_PERM, "length differs from the trailer");
	return MR_OK;
}

enum mr_status
mr_spool_read(int fd, struct mr_spool_file *file, struct mr_arena *arena, struct mr_err *err)
{
	char tail[TAIL_LEN], *big = NULL;
	struct mr_str end, record;
	enum mr_status st;
	struct stat info;
	uint32_t crc;
	size_t used;

	*file = (struct mr_spool_file){ .message_len = 0 };
	mr_env_init(&file->env, arena);
	if (fstat(fd, &info) < 0)
		return mr_err_sys(err, MR_TEMP, "fstat");
	if (!S_ISREG(info.st_mode) || info.st_size < (off_t)TRAILER_LEN)
		return mr_err_set(err, MR_PERM, "not a message file, or cut");
	end.n = info.st_size < (off_t)sizeof tail ? (size_t)info.st_size : sizeof tail;
	end.p = tail;
	if ((st = read_at(fd, tail, end.n, (uint64_t)info.st_size - end.n, err))
	    || (st = parse_trailer(file, mr_str_from(end, end.n - TRAILER_LEN),
	            (uint64_t)info.st_size, &crc, err)))
		return st;
	end.n -= TRAILER_LEN;
	used = (size_t)(file->front_len + file->record_len);
	if (used > end.n) {
		if (!(big = malloc(used)))
			return mr_err_set(err, MR_TEMP, "out of memory");
		end = (struct mr_str){ big, used };
		if ((st = read_at(fd, big, used, file->front_off, err)))
			goto out;
	}
	end = mr_str_from(end, end.n - used);
	record = mr_str_from(end, (size_t)file->front_len);
	if (mr_crc32(0, end) != crc)
		st = mr_err_set(err, MR_PERM, "checksum of front fields and record differs");
	else if ((st = mr_env_parse(&file->env, record, &used, err)) == MR_OK && used != record.n)
		st = mr_err_set(err, MR_PERM, "bytes behind the record");
	else if (st == MR_OK && (!file->env.rcpt_n || !mr_env_get(&file->env, "sender").p))
		st = mr_err_set(err, MR_PERM, "record without sender or recipient");
out:
	free(big);
	return st;
}

enum mr_status
mr_spool_verify(int fd, const struct mr_spool_file *file, struct mr_err *err)
{
	char window[TAIL_LEN];
	uint32_t crc = 0;

	for (uint64_t off = 0; off < file->message_len;) {
		uint64_t left = file->message_len - off;
		size_t n = left < sizeof window ? (size_t)left : sizeof window;
		enum mr_status st = read_at(fd, window, n, off, err);

		if (st)
			return st;
		crc = mr_crc32(crc, (struct mr_str){ window, n });
		off += n;
	}
	return crc == file->message_crc
	    ? MR_OK
	    : mr_err_set(err, MR_PERM, "checksum of the message differs");
}
