#include "smtp/body.h"

#include "mail/header.h"

#include <string.h>

void
mr_body_init(struct mr_body *b, const char *authserv_id,
    enum mr_status (*put)(void *ctx, struct mr_str bytes), void *ctx)
{
	*b = (struct mr_body){ .authserv_id = authserv_id, .put = put, .ctx = ctx };
	mr_buf_init(&b->held, MR_BODY_HOLD_MAX);
}

void
mr_body_free(struct mr_body *b)
{
	mr_buf_free(&b->held);
}

static void
put(struct mr_body *b, struct mr_str bytes)
{
	b->len += bytes.n;
	if (b->put_failed == MR_OK && bytes.n)
		b->put_failed = b->put(b->ctx, bytes);
}

static bool
has_8bit(struct mr_str s)
{
	size_t i = 0;
	uint64_t word;

	for (; i + sizeof word <= s.n; i += sizeof word) {
		memcpy(&word, s.p + i, sizeof word);
		if (word & 0x8080808080808080u)
			return true;
	}
	for (; i < s.n; i++)
		if ((unsigned char)s.p[i] & 0x80)
			return true;
	return false;
}

/* ---- Authentication-Results ---------------------------------------------------------------------- */

/* Judges the field that is held, of which all (is_whole) or the beginning is there. */
static void
judge_held(struct mr_body *b, bool is_whole)
{
	struct mr_str field = mr_buf_str(&b->held);
	ptrdiff_t colon = mr_str_chr(field, ':');
	enum mr_status st;
	struct mr_buf id;
	bool is_ours;

	if (field.n == 0)
		return;
	if (!mr_header_name(field).p) {
		if (!is_whole && mr_str_chr(field, '\n') < 0)
			return; /* its colon may still come */
		put(b, field);  /* no field after all */
		mr_buf_clear(&b->held);
		return;
	}
	mr_buf_init(&id, 1024);
	st = b->held.is_full ? MR_PERM
	                     : mr_header_authserv_id(mr_str_from(field, (size_t)colon + 1), &id);
	is_ours = st == MR_OK && mr_str_caseis(mr_buf_str(&id), b->authserv_id);
	mr_buf_free(&id);
	if (st == MR_NOTFOUND && !is_whole)
		return;
	/* A field that nobody can read, by mistake or design, says nothing that is worth keeping. */
	b->is_dropping = is_ours || st != MR_OK;
	if (!b->is_dropping)
		put(b, field);
	mr_buf_clear(&b->held);
}

/* A line (or its beginning) in the header block.  True if it was put into `held`. */
static bool
look_at_header(struct mr_body *b, struct mr_str line)
{
	struct mr_str name;

	if (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
		return false; /* belongs to the field before it */
	judge_held(b, true);
	b->is_dropping = false;
	name = mr_header_name(line);
	/* A piece of a line: so many blanks may stand before the colon that it is not there yet. */
	if (!name.p && mr_str_chr(line, ':') < 0)
		name = mr_str_trim(line);
	if (mr_str_is(line, "\r\n") || mr_str_is(line, "\n"))
		b->is_in_body = true;
	else if (mr_str_caseis(name, "Received"))
		b->hops++;
	else if (mr_str_caseis(name, "Authentication-Results")) {
		mr_buf_add(&b->held, line);
		b->is_dropping = b->held.is_full;
		b->held.is_full = false;
	}
	/* A line that is no field passes, and the header goes on: others may read it so. */
	return b->held.n > 0;
}

/* ---- lines ----------------------------------------------------------------------------------------- */

/* A line with its CRLF, or a piece of one, dots undone. */
static void
take(struct mr_body *b, struct mr_str piece, bool is_start)
{
	bool starts_field = false;

	if (!b->has_8bit)
		b->has_8bit = has_8bit(piece);
	if (b->is_in_body) {
		put(b, piece);
		return;
	}
	if (is_start)
		starts_field = look_at_header(b, piece);
	if (b->held.n && !starts_field)
		mr_buf_add(&b->held, piece);
	else if (!b->held.n && !b->is_dropping)
		put(b, piece);
	judge_held(b, false);
}

static bool
has_bare(struct mr_str line)
{
	/* `line` is without its end: any CR or LF in it is bare. */
	return mr_str_chr(line, '\r') >= 0 || mr_str_chr(line, '\n') >= 0;
}

bool
mr_body_feed(struct mr_body *b, struct mr_str window, bool is_full, size_t *used)
{
	struct mr_str rest = window;

	*used = 0;
	while (rest.n) {
		ptrdiff_t lf = mr_str_chr(rest, '\n');
		struct mr_str piece = { rest.p, (size_t)(lf + 1) };
		bool is_start = !b->is_in_line, is_crlf = lf > 0 && rest.p[lf - 1] == '\r';

		if (lf < 0) {
			/* Not the last byte: it may be the CR of a CRLF. */
			if (!is_full || rest.n < 2 || *used > 0)
				return false;
			piece.n = rest.n - 1;
			b->has_bare |= has_bare(piece);
		} else
			b->has_bare |=
			    !is_crlf || has_bare((struct mr_str){ piece.p, (size_t)lf - 1 });
		*used += piece.n;
		rest = mr_str_from(rest, piece.n);
		b->is_in_line =
		    !is_crlf; /* only CRLF ends a line: what follows a bare LF is no start */
		if (is_start && piece.p[0] == '.') {
			if (piece.n == 3 && is_crlf) {
				if (!b->is_in_body)
					judge_held(b, true);
				return true;
			}
			piece = mr_str_from(piece, 1);
		}
		take(b, piece, is_start);
	}
	return false;
}
