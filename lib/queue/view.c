#include "queue/view.h"

#include "mail/date.h"
#include "ui/json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define HEADER_MAX (64u << 10) /* bytes of a header that are shown */

enum mr_status
mr_view_open(const struct mr_spool *spool, struct mr_viewed *m, const char *id, struct mr_err *err)
{
	enum mr_status st;

	*m = (struct mr_viewed){ .id = id, .fd = -1 };
	mr_arena_init(&m->arena, 2 * MR_SPOOL_ARENA_MAX);
	if (!mr_spool_is_id(mr_str(id)))
		return mr_err_set(err, MR_NOTFOUND, "no such message");
	st = mr_spool_open_file(spool->incoming_fd, id, &m->fd, err);
	if (st == MR_NOTFOUND) {
		m->is_deferred = true;
		st = mr_spool_open_file(spool->deferred_fd, id, &m->fd, err);
	}
	if (st == MR_NOTFOUND)
		return mr_err_set(err, MR_NOTFOUND, "no such message");
	if (st || (st = mr_spool_read(m->fd, &m->file, &m->arena, err))
	    || (st = mr_record_init(&m->record, &m->arena, m->file.env.rcpt_n, err)))
		return st;
	st = mr_record_read(&m->record, spool, id, err);
	return st == MR_NOTFOUND ? MR_OK : st;
}

void
mr_view_close(struct mr_viewed *m)
{
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
	mr_arena_free(&m->arena);
}

/* ---- list ---- */

/* "45s", "12m", "3h", "2d" */
static struct mr_str
span(char storage[MR_NUM_MAX], int64_t s)
{
	int64_t v = s < 0 ? 0 : s;
	const char *unit = "s";

	if (v >= 2 * 86400) {
		v /= 86400;
		unit = "d";
	} else if (v >= 2 * 3600) {
		v /= 3600;
		unit = "h";
	} else if (v >= 120) {
		v /= 60;
		unit = "m";
	}
	snprintf(storage, MR_NUM_MAX, "%" PRId64 "%s", v, unit);
	return mr_str(storage);
}

/* "812", "4.1K", "25M" */
static void
size_text(char storage[MR_NUM_MAX], uint64_t n)
{
	static const char units[] = "KMGT";
	size_t u = 0;

	if (n < 1000) {
		snprintf(storage, MR_NUM_MAX, "%" PRIu64, n);
		return;
	}
	while (n >= 1000 * 1024 && u + 2 < sizeof units) {
		n /= 1024;
		u++;
	}
	if (n < 10 * 1024)
		snprintf(storage, MR_NUM_MAX, "%" PRIu64 ".%" PRIu64 "%c", n / 1024,
		    n % 1024 * 10 / 1024, units[u]);
	else
		snprintf(storage, MR_NUM_MAX, "%" PRIu64 "%c", n / 1024, units[u]);
}

/* Strangers' text for a terminal: control characters become '?'. */
static void
add_safe(struct mr_buf *out, struct mr_str s, bool may_have_lines)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool is_line = may_have_lines && (c == '\n' || c == '\t');

		if (c == '\r' && may_have_lines && i + 1 < s.n && s.p[i + 1] == '\n')
			continue;
		mr_buf_addc(out, (c < ' ' && !is_line) || c == 0x7f ? '?' : (char)c);
	}
}

static void
colour(const struct mr_view *v, struct mr_buf *out, const char *code)
{
	if (v->has_colour)
		mr_buf_addf(out, "\033[%sm", code);
}

static uint64_t
size_of(const struct mr_viewed *m)
{
	return m->file.message_len + m->file.front_len;
}

static const char *
state_word(const struct mr_rcpt_state *state)
{
	return state->tries ? "deferred" : "new";
}

void
mr_view_heading(const struct mr_view *v, struct mr_buf *out)
{
	if (!v->is_json)
		mr_buf_addf(out, "%-20s  %4s  %5s  %s\n", "ID", "AGE", "SIZE", "SENDER");
}

static void
list_rcpt(const struct mr_view *v, const struct mr_viewed *m, size_t i, struct mr_buf *out)
{
	const struct mr_rcpt_state *state = &m->record.rcpt[i];
	char next[MR_NUM_MAX] = "now";

	if (m->record.next_s > v->now_s)
		span(next, m->record.next_s - v->now_s);
	colour(v, out, state->tries ? "33" : "32");
	mr_buf_addf(out, "    %-8s", state_word(state));
	colour(v, out, "0");
	mr_buf_addf(out, "  %3u %-5s  next %-4s  ", state->tries,
	    state->tries == 1 ? "try" : "tries", next);
	add_safe(out, m->file.env.rcpt[i].addr, false);
	if (state->tries) {
		mr_buf_adds(out, "\n        ");
		add_safe(out, state->last.host, false);
		mr_buf_adds(out, state->last.host.n ? ": " : "");
		add_safe(out, state->last.reply, false);
	}
	mr_buf_addc(out, '\n');
}

static void
add_time(struct mr_buf *out, int64_t s)
{
	char date[MR_DATE_MAX];

	mr_json_str(out, mr_date_iso(date, s));
}

static void
json_rcpt(const struct mr_viewed *m, size_t i, struct mr_buf *out)
{
	const struct mr_rcpt_state *state = &m->record.rcpt[i];

	mr_buf_addc(out, '{');
	mr_json_name(out, "address");
	mr_json_str(out, m->file.env.rcpt[i].addr);
	mr_json_name(out, "state");
	mr_json_str(out, mr_str(state_word(state)));
	mr_json_name(out, "tries");
	mr_buf_addf(out, "%u", state->tries);
	if (m->record.next_s) {
		mr_json_name(out, "next");
		add_time(out, m->record.next_s);
	}
	if (state->tries) {
		mr_json_name(out, "last");
		add_time(out, state->last.time_s);
		mr_json_name(out, "status");
		mr_json_str(out, state->last.status);
		mr_json_name(out, "host");
		mr_json_str(out, state->last.host);
		mr_json_name(out, "reply");
		mr_json_str(out, state->last.reply);
	}
	mr_buf_addc(out, '}');
}

static void
json_message(const struct mr_viewed *m, struct mr_buf *out)
{
	bool is_first = true;

	mr_buf_addc(out, '{');
	mr_json_name(out, "id");
	mr_json_str(out, mr_str(m->id));
	mr_json_name(out, "arrived");
	add_time(out, mr_spool_id_time_s(mr_str(m->id)));
	mr_json_name(out, "size");
	mr_buf_addf(out, "%" PRIu64, size_of(m));
	mr_json_name(out, "sender");
	mr_json_str(out, mr_env_get(&m->file.env, "sender"));
	mr_json_name(out, "recipients");
	mr_buf_addc(out, '[');
	for (size_t i = 0; i < m->record.rcpt_n; i++) {
		if (m->record.rcpt[i].is_done)
			continue;
		mr_buf_adds(out, is_first ? "" : ", ");
		json_rcpt(m, i, out);
		is_first = false;
	}
	mr_buf_adds(out, "]}\n");
}

void
mr_view_message(const struct mr_view *v, const struct mr_viewed *m, struct mr_buf *out)
{
	struct mr_str sender = mr_env_get(&m->file.env, "sender");
	char age[MR_NUM_MAX], size[MR_NUM_MAX];

	if (v->is_json) {
		json_message(m, out);
		return;
	}
	span(age, v->now_s - mr_spool_id_time_s(mr_str(m->id)));
	size_text(size, size_of(m));
	colour(v, out, "1");
	mr_buf_addf(out, "%-20s", m->id);
	colour(v, out, "0");
	mr_buf_addf(out, "  %4s  %5s  ", age, size);
	add_safe(out, sender.n ? sender : MR_STR("<>"), false);
	mr_buf_addc(out, '\n');
	for (size_t i = 0; i < m->record.rcpt_n; i++)
		if (!m->record.rcpt[i].is_done)
			list_rcpt(v, m, i, out);
}

/* ---- show ---- */

static enum mr_status
add_bytes(int fd, uint64_t off, uint64_t n, struct mr_buf *out, struct mr_err *err)
{
	while (n) {
		char *to = mr_buf_room(out, (size_t)n);
		ssize_t got = to ? pread(fd, to, (size_t)n, (off_t)off) : -1;

		if (got < 0 && errno == EINTR && to)
			continue;
		if (got <= 0)
			return mr_err_set(err, MR_TEMP, "cannot read the header");
		out->n += (size_t)got;
		off += (uint64_t)got;
		n -= (uint64_t)got;
	}
	return MR_OK;
}

/* The message up to its empty line, without it. */
static struct mr_str
header_of(struct mr_str text)
{
	struct mr_str rest = text, line;
	size_t n = 0;

	while (mr_str_split(&rest, '\n', &line)) {
		if (mr_str_is(line, "\r"))
			break;
		n += line.n + (rest.p ? 1 : 0);
	}
	return (struct mr_str){ text.p, n };
}

static void
title(const struct mr_view *v, struct mr_buf *out, const char *text)
{
	colour(v, out, "1");
	mr_buf_addf(out, "-- %s", text);
	colour(v, out, "0");
	mr_buf_addc(out, '\n');
}

static enum mr_status
show_events(
    const struct mr_view *v, const struct mr_viewed *m, struct mr_buf *out, struct mr_err *err)
{
	char name[MR_ID_MAX + 4];
	struct mr_reader r;
	struct mr_str line;
	enum mr_status st;
	int fd;

	snprintf(name, sizeof name, "%s.log", m->id);
	fd = openat(v->spool->deferred_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? MR_OK : mr_err_sys(err, MR_TEMP, "%s", name);
	title(v, out, "events");
	st = mr_reader_init(&r, fd, HEADER_MAX, err);
	while (st == MR_OK && (st = mr_reader_line(&r, &line, MR_NO_DEADLINE, err)) == MR_OK) {
		add_safe(out, line, false);
		mr_buf_addc(out, '\n');
	}
	mr_reader_free(&r);
	close(fd);
	return st == MR_NOTFOUND ? MR_OK : st;
}

enum mr_status
mr_view_show(
    const struct mr_view *v, const struct mr_viewed *m, struct mr_buf *out, struct mr_err *err)
{
	const struct mr_spool_file *f = &m->file;
	uint64_t n = f->message_len < HEADER_MAX ? f->message_len : HEADER_MAX;
	struct mr_buf text;
	enum mr_status st;

	mr_view_message(v, m, out);
	mr_buf_init(&text, MR_ENV_MAX + MR_SPOOL_FRONT_MAX);
	title(v, out, "record");
	mr_env_write(&f->env, &text);
	add_safe(out, (struct mr_str){ text.p, text.n ? text.n - 1 : 0 }, true);
	if ((st = show_events(v, m, out, err)))
		goto out;
	title(v, out, "header");
	mr_buf_clear(&text);
	if ((st = add_bytes(m->fd, f->front_off, f->front_len, &text, err)))
		goto out;
	add_safe(out, mr_buf_str(&text), true);
	mr_buf_clear(&text);
	if ((st = add_bytes(m->fd, 0, n, &text, err)))
		goto out;
	add_safe(out, header_of(mr_buf_str(&text)), true);
	if (out->is_full)
		st = mr_err_set(err, MR_TEMP, "out of memory");
out:
	mr_buf_free(&text);
	return st;
}
