#include "queue/record.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MODE 0640
#define LINE_MAX_ ((size_t)MR_JOB_RESULT_MAX * 4 + MR_ENV_LINE_MAX * 4) /* every byte as \xHH */
#define NAME_MAX_ (MR_ID_MAX + 4)
#define SLOT_MIN  256u

static const char suffix[] = ".log";

static void
file_name(char name[NAME_MAX_], const char *id)
{
	snprintf(name, NAME_MAX_, "%s%s", id, suffix);
}

struct mr_str
mr_record_id(struct mr_str name)
{
	size_t n = sizeof suffix - 1;

	if (name.n > n && mr_str_is(mr_str_from(name, name.n - n), suffix)
	    && mr_spool_is_id((struct mr_str){ name.p, name.n - n }))
		return (struct mr_str){ name.p, name.n - n };
	return (struct mr_str){ NULL, 0 };
}

void
mr_event_write(const struct mr_event *e, struct mr_buf *lines)
{
	struct mr_buf b;

	/* mr_kv_add puts no blank at the start of its buffer, so each line has its own. */
	mr_buf_init(&b, LINE_MAX_);
	mr_kv_add(&b, "time", MR_NUM(e->time_s));
	mr_kv_add(&b, "rcpt", MR_NUM(e->rcpt));
	mr_kv_add(&b, "to", e->addr);
	mr_kv_add(&b, "outcome", mr_str(mr_outcome_word(e->outcome)));
	mr_kv_add(&b, "status", e->status);
	mr_kv_add(&b, "host", e->host);
	mr_kv_add(&b, "reply", e->reply);
	mr_buf_addc(&b, '\n');
	if (b.is_full)
		lines->is_full = true;
	else
		mr_buf_add(lines, mr_buf_str(&b));
	mr_buf_free(&b);
}

static bool
take_outcome(enum mr_outcome *outcome, struct mr_str word)
{
	for (int i = MR_DELIVERED; i <= MR_FAILED; i++)
		if (mr_str_is(word, mr_outcome_word((enum mr_outcome)i))) {
			*outcome = (enum mr_outcome)i;
			return true;
		}
	return false;
}

/* The words that count: bits of `seen`. */
enum { SEEN_TIME = 1, SEEN_RCPT = 2, SEEN_OUTCOME = 4, SEEN_ALL = 7 };

static bool
take_word(struct mr_event *e, struct mr_str name, struct mr_str value, unsigned *seen)
{
	uint64_t n = 0;

	if (mr_str_is(name, "time")) {
		*seen |= SEEN_TIME;
		if (!mr_str_num(value, INT64_MAX, &n))
			return false;
		e->time_s = (int64_t)n;
	} else if (mr_str_is(name, "rcpt")) {
		*seen |= SEEN_RCPT;
		if (!mr_str_num(value, MR_ENV_RCPT_MAX - 1, &n))
			return false;
		e->rcpt = (size_t)n;
	} else if (mr_str_is(name, "outcome")) {
		*seen |= SEEN_OUTCOME;
		return take_outcome(&e->outcome, value);
	} else if (mr_str_is(name, "to"))
		e->addr = value;
	else if (mr_str_is(name, "status"))
		e->status = value;
	else if (mr_str_is(name, "host"))
		e->host = value;
	else if (mr_str_is(name, "reply"))
		e->reply = value;
	return true;
}

/* `arena` NULL: the texts are not wanted. */
static enum mr_status
parse_line(struct mr_event *e, struct mr_arena *arena, struct mr_str line, struct mr_err *err)
{
	enum mr_status st = MR_OK;
	struct mr_str name, none = MR_STR("");
	struct mr_buf value;
	unsigned seen = 0;

	*e = (struct mr_event){ .addr = none, .status = none, .host = none, .reply = none };
	mr_buf_init(&value, LINE_MAX_);
	while (st == MR_OK && mr_kv_next(&line, &name, &value)) {
		struct mr_str v = mr_buf_str(&value);

		if (arena && !(v = mr_arena_dup(arena, v)).p)
			st = mr_err_set(err, MR_TEMP, "out of memory");
		else if (!take_word(e, name, v, &seen))
			st = mr_err_set(err, MR_PERM, "not an event");
	}
	mr_buf_free(&value);
	if (!arena)
		e->addr = e->status = e->host = e->reply = none;
	if (st == MR_OK && (line.n || seen != SEEN_ALL))
		st = mr_err_set(err, MR_PERM, "not an event");
	return st;
}

enum mr_status
mr_event_parse(
    struct mr_event *event, struct mr_arena *arena, struct mr_str line, struct mr_err *err)
{
	return parse_line(event, arena, line, err);
}

enum mr_status
mr_record_init(struct mr_record *r, struct mr_arena *arena, size_t rcpt_n, struct mr_err *err)
{
	*r = (struct mr_record){ .arena = arena, .rcpt_n = rcpt_n, .undone_n = rcpt_n };
	r->rcpt = mr_arena_alloc(arena, rcpt_n * sizeof *r->rcpt);
	return r->rcpt ? MR_OK : mr_err_set(err, MR_TEMP, "out of memory");
}

/* Keeps only the newest line of a recipient, in a slot that is used again: a file of any length
 * takes memory for one line a recipient. */
static bool
keep_line(struct mr_record *r, struct mr_rcpt_state *state, struct mr_str line)
{
	char *slot;

	if (line.n > state->line_cap) {
		size_t cap = state->line_cap ? state->line_cap : SLOT_MIN;

		while (cap < line.n)
			cap *= 2;
		if (!(state->last_line.p = mr_arena_alloc(r->arena, cap)))
			return false;
		state->line_cap = cap;
	}
	memcpy(&slot, &state->last_line.p, sizeof slot); /* ours, so not const */
	memcpy(slot, line.p, line.n);
	state->last_line.n = line.n;
	return true;
}

static enum mr_status
apply_line(struct mr_record *r, struct mr_str line, struct mr_err *err)
{
	struct mr_rcpt_state *state;
	struct mr_event e;
	enum mr_status st = parse_line(&e, NULL, line, err);

	if (st == MR_PERM || (st == MR_OK && e.rcpt >= r->rcpt_n))
		return MR_OK; /* torn, or of a message that is not this one */
	if (st)
		return st;
	state = &r->rcpt[e.rcpt];
	if (e.outcome != MR_DEFERRED && !state->is_done) {
		state->is_done = true;
		r->undone_n--;
	}
	state->tries++;
	if (state->tries > r->tries)
		r->tries = state->tries;
	if (e.time_s > r->last_s)
		r->last_s = e.time_s;
	return keep_line(r, state, line) ? MR_OK : mr_err_set(err, MR_TEMP, "out of memory");
}

/* Once, at the end: the newest events with their texts. */
static enum mr_status
parse_kept(struct mr_record *r, struct mr_err *err)
{
	for (size_t i = 0; i < r->rcpt_n; i++) {
		struct mr_rcpt_state *state = &r->rcpt[i];
		enum mr_status st;

		if (state->last_line.p
		    && (st = parse_line(&state->last, r->arena, state->last_line, err)))
			return st;
	}
	return MR_OK;
}

enum mr_status
mr_record_apply(struct mr_record *r, struct mr_str lines, struct mr_err *err)
{
	ptrdiff_t lf;

	while ((lf = mr_str_chr(lines, '\n')) >= 0) {
		enum mr_status st = apply_line(r, (struct mr_str){ lines.p, (size_t)lf }, err);

		if (st)
			return st;
		lines = mr_str_from(lines, (size_t)lf + 1);
	}
	return parse_kept(r, err);
}

enum mr_status
mr_record_read(
    struct mr_record *r, const struct mr_spool *spool, const char *id, struct mr_err *err)
{
	char name[NAME_MAX_];
	struct mr_reader reader;
	struct mr_str line;
	struct stat info;
	enum mr_status st;
	int64_t taken = 0;
	int fd;

	file_name(name, id);
	fd = openat(spool->deferred_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return mr_err_sys(err, errno == ENOENT ? MR_NOTFOUND : MR_TEMP, "%s", name);
	if (fstat(fd, &info) == 0)
		r->next_s = info.st_mtim.tv_sec;
	st = mr_reader_init(&reader, fd, LINE_MAX_, err);
	while (st == MR_OK && (st = mr_reader_line(&reader, &line, MR_NO_DEADLINE, err)) == MR_OK) {
		/* mr_reader_line gives a last line without LF, too; that one was torn. */
		taken += (int64_t)line.n + 1;
		if (taken <= reader.total)
			st = apply_line(r, line, err);
	}
	mr_reader_free(&reader);
	close(fd);
	return st == MR_NOTFOUND || st == MR_OK ? parse_kept(r, err) : st;
}

static enum mr_status
set_next(int fd, int64_t next_s, struct mr_err *err)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = (time_t)next_s } };

	return futimens(fd, times) < 0 ? mr_err_sys(err, MR_TEMP, "time of the events") : MR_OK;
}

/* A torn line at the end is closed, so that ours begins a new one. */
static bool
is_torn(int fd)
{
	struct stat info;
	char last;

	return fstat(fd, &info) == 0 && info.st_size > 0
	    && pread(fd, &last, 1, info.st_size - 1) == 1 && last != '\n';
}

enum mr_status
mr_record_append(const struct mr_spool *spool, const char *id, struct mr_str lines, bool is_durable,
    int64_t next_s, struct mr_err *err)
{
	const int flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC;
	char name[NAME_MAX_];
	bool is_new = false;
	enum mr_status st;
	int fd;

	file_name(name, id);
	fd = openat(spool->deferred_fd, name, flags);
	if (fd < 0 && errno == ENOENT) {
		is_new = true;
		fd = openat(spool->deferred_fd, name, flags | O_CREAT | O_EXCL, FILE_MODE);
	}
	if (fd < 0)
		return mr_err_sys(err, MR_TEMP, "%s/deferred/%s", spool->path, name);
	st = is_torn(fd) ? mr_io_write(fd, MR_STR("\n"), err) : MR_OK;
	if (st == MR_OK)
		st = mr_io_write(fd, lines, err);
	if (st == MR_OK && is_durable
	    && (fdatasync(fd) < 0 || (is_new && fsync(spool->deferred_fd) < 0)))
		st = mr_err_sys(err, MR_TEMP, "%s/deferred/%s", spool->path, name);
	if (st == MR_OK)
		st = set_next(fd, next_s, err);
	close(fd);
	return st;
}

enum mr_status
mr_record_set_next(const struct mr_spool *spool, const char *id, int64_t next_s, struct mr_err *err)
{
	char name[NAME_MAX_];
	enum mr_status st;
	int fd;

	file_name(name, id);
	fd = openat(spool->deferred_fd, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return mr_err_sys(err, errno == ENOENT ? MR_NOTFOUND : MR_TEMP, "%s", name);
	st = set_next(fd, next_s, err);
	close(fd);
	return st;
}

enum mr_status
mr_record_get_next(
    const struct mr_spool *spool, const char *id, int64_t *next_s, struct mr_err *err)
{
	char name[NAME_MAX_];
	struct stat info;

	file_name(name, id);
	if (fstatat(spool->deferred_fd, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
		return mr_err_sys(err, errno == ENOENT ? MR_NOTFOUND : MR_TEMP, "%s", name);
	*next_s = info.st_mtim.tv_sec;
	return MR_OK;
}

enum mr_status
mr_record_remove(const struct mr_spool *spool, const char *id, struct mr_err *err)
{
	char name[NAME_MAX_];

	file_name(name, id);
	if (unlinkat(spool->deferred_fd, name, 0) < 0 && errno != ENOENT)
		return mr_err_sys(err, MR_TEMP, "%s/deferred/%s", spool->path, name);
	return MR_OK;
}
