#include "mail/message.h"

#include "mail/header.h"

#include <string.h>

#define WINDOW_MAX (64u << 10) /* bytes that are read at once */

enum mr_status
mr_message_open(struct mr_message *m, int fd, size_t field_max, struct mr_err *err)
{
	*m = (struct mr_message){ .has_lone_cr = false };
	mr_buf_init(&m->field, field_max);
	return mr_reader_init(&m->in, fd, WINDOW_MAX, err);
}

void
mr_message_close(struct mr_message *m)
{
	mr_reader_free(&m->in);
	mr_buf_free(&m->field);
}

/* What can be looked at: at least one byte, and a CR only together with what follows it.  MR_NOTFOUND: the
 * end of the file. */
static enum mr_status
look(struct mr_message *m, struct mr_str *s, struct mr_err *err)
{
	enum mr_status st = MR_OK;

	*s = mr_reader_window(&m->in);
	while (st == MR_OK && (s->n == 0 || (s->n == 1 && s->p[0] == '\r'))) {
		st = mr_reader_fill(&m->in, MR_NO_DEADLINE, err);
		*s = mr_reader_window(&m->in);
	}
	if (st == MR_NOTFOUND)
		return s->n ? MR_OK : MR_NOTFOUND; /* the last byte is a CR */
	if (st)
		return mr_err_set(err, MR_TEMP, "the message cannot be read");
	if (s->n > 1 && s->p[s->n - 1] == '\r')
		s->n--;
	return MR_OK;
}

/* True if a CR of `s` is not followed by LF; if its last byte is one, nothing follows. */
static bool
has_lone_cr(struct mr_str s)
{
	const char *p = s.p, *end = s.p + s.n;

	while ((p = memchr(p, '\r', (size_t)(end - p))))
		if (++p == end || *p != '\n')
			return true;
	return false;
}

/* ---- header ------------------------------------------------------------------------------------------ */

/* Takes the next piece of a line, without its line end; *is_end: the line ends with it. */
static enum mr_status
line_piece(struct mr_message *m, struct mr_str *piece, bool *is_end, struct mr_err *err)
{
	enum mr_status st = look(m, piece, err);
	ptrdiff_t lf;
	size_t n;

	if (st)
		return st;
	lf = mr_str_chr(*piece, '\n');
	*is_end = lf >= 0;
	n = piece->n;
	if (lf >= 0) {
		n = (size_t)lf + 1;
		piece->n = (size_t)lf;
		if (lf && piece->p[lf - 1] == '\r')
			piece->n--;
	}
	m->has_lone_cr |= has_lone_cr(*piece);
	mr_reader_take(&m->in, n);
	return MR_OK;
}

/* Adds what fits. */
static void
add(struct mr_message *m, struct mr_str s, bool *is_cut)
{
	size_t room = m->field.max - m->field.n;

	if (s.n > room) {
		s.n = room;
		*is_cut = true;
	}
	mr_buf_add(&m->field, s);
}

/* Takes a line of the header behind what `field` has. */
static enum mr_status
take_line(struct mr_message *m, bool *is_cut, struct mr_err *err)
{
	struct mr_str piece;
	bool is_end = false;
	enum mr_status st;

	do {
		if ((st = line_piece(m, &piece, &is_end, err)))
			return st == MR_NOTFOUND ? MR_OK : st; /* the file ends within the line */
		add(m, piece, is_cut);
	} while (!is_end);
	return MR_OK;
}

static bool
is_folded(struct mr_message *m, enum mr_status *st, struct mr_err *err)
{
	struct mr_str s;

	*st = look(m, &s, err);
	return *st == MR_OK && (s.p[0] == ' ' || s.p[0] == '\t');
}

static enum mr_status
take_field(struct mr_message *m, struct mr_message_field *f, struct mr_err *err)
{
	enum mr_status st;

	mr_buf_clear(&m->field);
	m->field.is_full = false;
	*f = (struct mr_message_field){ .is_cut = false };
	if ((st = take_line(m, &f->is_cut, err)))
		return st;
	while (is_folded(m, &st, err)) {
		add(m, MR_STR("\r\n"), &f->is_cut);
		if ((st = take_line(m, &f->is_cut, err)))
			return st;
	}
	if (st == MR_TEMP)
		return st;
	if (m->field.is_full)
		return mr_err_set(err, MR_TEMP, "out of memory");
	f->text = mr_buf_str(&m->field);
	f->name = mr_header_name(f->text);
	return MR_OK;
}

enum mr_status
mr_message_next(struct mr_message *m, struct mr_message_field *field, struct mr_err *err)
{
	bool is_first = !m->is_begun;
	enum mr_status st;
	struct mr_str s;

	m->is_begun = true;
	if (m->is_body)
		return MR_NOTFOUND;
	if ((st = look(m, &s, err)))
		return st;
	if (s.p[0] == '\n' || mr_str_starts(s, "\r\n")) {
		mr_reader_take(&m->in, s.p[0] == '\n' ? 1 : 2);
		m->is_body = true;
		return MR_NOTFOUND;
	}
	if ((st = take_field(m, field, err)))
		return st;
	/* "From : a@example.org" is a field (RFC 5322 4.5). */
	if (is_first && !field->name.p && mr_str_starts(field->text, "From ")) {
		m->has_from_line = true;
		return mr_message_next(m, field, err);
	}
	m->has_bad_line |= !field->name.p;
	return MR_OK;
}

/* ---- body -------------------------------------------------------------------------------------------- */

/* How much of `s` has no line end but CRLF. */
static size_t
wire_len(struct mr_str s)
{
	const char *p = s.p, *end = s.p + s.n, *lf;

	while ((lf = memchr(p, '\n', (size_t)(end - p)))) {
		if (lf == s.p || lf[-1] != '\r')
			return (size_t)(lf - s.p);
		p = lf + 1;
	}
	return s.n;
}

enum mr_status
mr_message_body(struct mr_message *m, struct mr_str *piece, struct mr_err *err)
{
	struct mr_message_field ignored;
	enum mr_status st = MR_OK;

	while (!m->is_body && (st = mr_message_next(m, &ignored, err)) == MR_OK)
		;
	if (!m->is_body)
		return st;
	st = look(m, piece, err);
	if (st == MR_NOTFOUND && m->is_line_open) {
		m->is_line_open = false;
		*piece = MR_STR("\r\n");
		return MR_OK;
	}
	if (st)
		return st;
	piece->n = wire_len(*piece);
	if (piece->n == 0) {
		mr_reader_take(&m->in, 1);
		m->is_line_open = false;
		*piece = MR_STR("\r\n");
		return MR_OK;
	}
	m->has_lone_cr |= has_lone_cr(*piece);
	m->is_line_open = piece->p[piece->n - 1] != '\n';
	mr_reader_take(&m->in, piece->n);
	return MR_OK;
}
