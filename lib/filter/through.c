#include "filter/through.h"

#include "base/io.h"
#include "mail/intake.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_MAX  (64u << 10) /* bytes that are copied at once */
#define FIELDS_MAX (1u << 20)

/* Copies what is left of `in`. */
static enum mr_status
copy(int out, int in, struct mr_err *err)
{
	struct mr_reader r;
	enum mr_status st = mr_reader_init(&r, in, PIECE_MAX, err);

	if (st)
		return st;
	while ((st = mr_reader_fill(&r, MR_NO_DEADLINE, err)) == MR_OK) {
		struct mr_str piece = mr_reader_window(&r);

		if ((st = mr_io_write(out, piece, err)))
			break;
		mr_reader_take(&r, piece.n);
	}
	mr_reader_free(&r);
	return st == MR_NOTFOUND ? MR_OK : st;
}

enum mr_status
mr_through_take(int fd, const char *dir, struct mr_err *err)
{
	struct stat s;
	enum mr_status st;
	int file;

	if (fstat(fd, &s) < 0)
		return mr_err_sys(err, MR_TEMP, "message");
	if (S_ISREG(s.st_mode) || S_ISDIR(s.st_mode)) /* a folder tells so when it is read */
		return MR_OK;
	file = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (file < 0)
		return mr_err_sys(err, MR_TEMP, "a file in %s for the message", dir);
	st = copy(file, fd, err);
	if (st == MR_OK && (lseek(file, 0, SEEK_SET) < 0 || dup2(file, fd) < 0))
		st = mr_err_sys(err, MR_TEMP, "a file in %s for the message", dir);
	close(file);
	return st;
}

/* Whether the first line of the file ends in CRLF. */
static enum mr_status
has_crlf(int in, int64_t start, bool *is_crlf, struct mr_err *err)
{
	char piece[4096];
	int64_t at = start;
	char last = '\0';
	ssize_t n;

	*is_crlf = false;
	while ((n = pread(in, piece, sizeof piece, at)) > 0) {
		struct mr_str s = { piece, (size_t)n };
		ptrdiff_t lf = mr_str_chr(s, '\n');

		if (lf >= 0) {
			*is_crlf = (lf ? piece[lf - 1] : last) == '\r';
			return MR_OK;
		}
		last = piece[n - 1];
		at += n;
	}
	return n < 0 ? mr_err_sys(err, MR_TEMP, "read") : MR_OK;
}

struct sink {
	int fd;
	struct mr_err *err;
};

static enum mr_status
put(void *ctx, struct mr_str bytes)
{
	const struct sink *sink = ctx;

	return mr_io_write(sink->fd, bytes, sink->err);
}

/* Gives all that is in the window, line by line as long as it is header; the last line in pieces only if it
 * does not fit. */
static void
take_window(struct mr_intake *intake, struct mr_reader *r, bool is_end, bool *is_start)
{
	struct mr_str s = mr_reader_window(r), piece;

	while (s.n && intake->put_failed == MR_OK) {
		ptrdiff_t lf = intake->is_in_body ? (ptrdiff_t)s.n - 1 : mr_str_chr(s, '\n');

		if (lf < 0 && !is_end && s.n < PIECE_MAX)
			return;
		piece = (struct mr_str){ s.p, lf < 0 ? s.n : (size_t)lf + 1 };
		mr_intake_take(intake, piece, *is_start);
		*is_start = lf >= 0;
		mr_reader_take(r, piece.n);
		s = mr_reader_window(r);
	}
}

/* Copies what is left of `in`, without fields under our name. */
static enum mr_status
copy_without(int out, int in, const char *authserv_id, struct mr_err *err)
{
	struct sink sink = { out, err };
	struct mr_intake intake;
	struct mr_reader r;
	bool is_start = true;
	enum mr_status st = mr_reader_init(&r, in, PIECE_MAX, err);

	if (st)
		return st;
	mr_intake_init(&intake, authserv_id, put, &sink);
	while (
	    intake.put_failed == MR_OK && (st = mr_reader_fill(&r, MR_NO_DEADLINE, err)) == MR_OK)
		take_window(&intake, &r, false, &is_start);
	if (st == MR_NOTFOUND) {
		take_window(&intake, &r, true, &is_start);
		mr_intake_end(&intake);
		st = MR_OK;
	}
	st = st ? st : intake.put_failed;
	mr_intake_free(&intake);
	mr_reader_free(&r);
	return st;
}

enum mr_status
mr_through_give(int out, struct mr_str fields, const char *authserv_id, int in, int64_t start,
    struct mr_err *err)
{
	bool is_crlf;
	enum mr_status st = has_crlf(in, start, &is_crlf, err);
	struct mr_str line;
	struct mr_buf b;

	if (st)
		return st;
	mr_buf_init(&b, FIELDS_MAX);
	while (mr_str_split(&fields, '\n', &line) && fields.p) {
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		mr_buf_add(&b, line);
		mr_buf_adds(&b, is_crlf ? "\r\n" : "\n");
	}
	st = b.is_full ? mr_err_set(err, MR_TEMP, "out of memory")
	               : mr_io_write(out, mr_buf_str(&b), err);
	mr_buf_free(&b);
	if (st == MR_OK && lseek(in, start, SEEK_SET) < 0)
		st = mr_err_sys(err, MR_TEMP, "read");
	if (st)
		return st;
	return authserv_id ? copy_without(out, in, authserv_id, err) : copy(out, in, err);
}
