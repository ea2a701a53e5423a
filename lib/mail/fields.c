#include "mail/fields.h"

#include "base/io.h"
#include "mail/header.h"

struct scan {
	struct mr_fields *fields;
	struct mr_arena *arena;
	const char *name;
	struct mr_buf value; /* of the field that is open */
	size_t bytes;        /* of all values */
	bool is_open;
	bool is_within_line; /* the piece before did not end its line */
};

static enum mr_status
end_field(struct scan *s, struct mr_err *err)
{
	struct mr_str v = mr_buf_str(&s->value);

	if (!s->is_open)
		return MR_OK;
	s->is_open = false;
	if (s->fields->n == MR_FIELDS_MAX)
		return mr_err_set(err, MR_PERM, "more than %u %s fields", MR_FIELDS_MAX, s->name);
	while (v.n && (v.p[v.n - 1] == '\n' || v.p[v.n - 1] == '\r'))
		v.n--;
	s->bytes += v.n;
	if (s->value.is_full || s->bytes > MR_FIELDS_BYTES_MAX)
		return mr_err_set(err, MR_PERM, "%s over %u bytes", s->name, MR_FIELDS_BYTES_MAX);
	v = mr_arena_dup(s->arena, v);
	if (!v.p)
		return mr_err_set(err, MR_TEMP, "out of memory");
	s->fields->value[s->fields->n++] = v;
	mr_buf_clear(&s->value);
	return MR_OK;
}

/* A line with its LF, or a piece of one.  MR_NOTFOUND: the header is over. */
static enum mr_status
take(struct scan *s, struct mr_str piece, struct mr_err *err)
{
	bool is_start = !s->is_within_line;
	enum mr_status st;

	s->is_within_line = piece.p[piece.n - 1] != '\n';
	if (is_start && (mr_str_is(piece, "\n") || mr_str_is(piece, "\r\n")))
		return MR_NOTFOUND;
	if (is_start && piece.p[0] != ' ' && piece.p[0] != '\t') {
		struct mr_str name = mr_header_name(piece);

		if ((st = end_field(s, err)))
			return st;
		s->is_open = mr_str_caseis(name, s->name);
		piece = mr_str_from(piece, s->is_open ? (size_t)mr_str_chr(piece, ':') + 1 : 0);
	}
	if (s->is_open)
		mr_buf_add(&s->value, piece);
	return MR_OK;
}

enum mr_status
mr_fields_read(
    struct mr_fields *fields, struct mr_arena *arena, int fd, const char *name, struct mr_err *err)
{
	struct scan s = { .fields = fields, .arena = arena, .name = name };
	struct mr_reader in;
	enum mr_status st, read_st = MR_OK;

	fields->n = 0;
	if ((st = mr_reader_init(&in, fd, MR_FIELDS_WINDOW, err)))
		return st;
	mr_buf_init(&s.value, MR_FIELDS_BYTES_MAX + sizeof "\r\n");
	while (st == MR_OK) {
		struct mr_str w = mr_reader_window(&in);
		ptrdiff_t lf = mr_str_chr(w, '\n');

		if (lf < 0 && read_st == MR_OK) {
			read_st = mr_reader_fill(&in, MR_NO_DEADLINE, err);
			continue;
		}
		if (w.n == 0 || read_st == MR_TEMP)
			break;
		/* A full window without LF is a piece of a line, and there is more. */
		if (read_st == MR_PERM)
			read_st = MR_OK;
		w.n = lf < 0 ? w.n : (size_t)lf + 1;
		st = take(&s, w, err);
		mr_reader_take(&in, w.n);
	}
	if (read_st == MR_TEMP)
		st = MR_TEMP;
	else if (st == MR_OK || st == MR_NOTFOUND)
		st = end_field(&s, err);
	mr_buf_free(&s.value);
	mr_reader_free(&in);
	return st;
}
