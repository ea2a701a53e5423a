#include "check/dkim_canon.h"

#include <stdlib.h>
#include <string.h>

#define OUT_MAX 16384u /* canonical bytes that are gathered for one call of the hash */

struct mr_dkim_body {
	enum mr_dkim_canon canon;
	struct mr_digest *digest;
	uint64_t length;    /* canonical bytes that came here ... */
	uint64_t unhashed;  /* ... and how many may still be hashed */
	uint64_t line_ends; /* seen and not hashed yet: they count if anything follows */
	bool is_empty;      /* nothing has been hashed */
	bool has_blank;     /* relaxed: white space of this line, likewise */
	size_t n;
	char out[OUT_MAX];
};

const char *
mr_dkim_canon_word(enum mr_dkim_canon canon)
{
	return canon == MR_DKIM_RELAXED ? "relaxed" : "simple";
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_space(char c)
{
	return is_blank(c) || c == '\r' || c == '\n';
}

/* ---- header ------------------------------------------------------------------------------------- */

static void
add_relaxed(struct mr_buf *out, struct mr_str field)
{
	bool is_value = false, has_space = false, is_start = true;

	for (size_t i = 0; i < field.n; i++) {
		char c = field.p[i];

		if (is_space(c)) {
			has_space = true;
		} else if (c == ':' && !is_value) {
			/* White space on both sides of the colon goes. */
			mr_buf_addc(out, c);
			is_value = is_start = true;
			has_space = false;
		} else {
			if (has_space && !is_start)
				mr_buf_addc(out, ' ');
			has_space = is_start = false;
			mr_buf_addc(out, is_value ? c : (char)mr_lower((unsigned char)c));
		}
	}
}

void
mr_dkim_canon_field(struct mr_buf *out, enum mr_dkim_canon canon, struct mr_str field)
{
	if (canon == MR_DKIM_SIMPLE)
		mr_buf_add(out, field);
	else
		add_relaxed(out, field);
}

/* ---- body --------------------------------------------------------------------------------------- */

enum mr_status
mr_dkim_body_new(
    struct mr_dkim_body **body, enum mr_dkim_canon canon, uint64_t octets, struct mr_err *err)
{
	struct mr_dkim_body *b = calloc(1, sizeof *b);
	enum mr_status st =
	    b ? mr_digest_new(&b->digest, err) : mr_err_set(err, MR_TEMP, "out of memory");

	if (st) {
		free(b);
		b = NULL;
	} else {
		b->canon = canon;
		b->unhashed = octets;
		b->is_empty = true;
	}
	*body = b;
	return st;
}

void
mr_dkim_body_free(struct mr_dkim_body *body)
{
	if (body)
		mr_digest_free(body->digest);
	free(body);
}

static enum mr_status
add(struct mr_dkim_body *b, struct mr_str s, struct mr_err *err)
{
	b->length += s.n;
	if (s.n > b->unhashed)
		s.n = (size_t)b->unhashed;
	b->unhashed -= s.n;
	return mr_digest_add(b->digest, s, err);
}

static enum mr_status
flush(struct mr_dkim_body *b, struct mr_err *err)
{
	struct mr_str s = { b->out, b->n };

	b->n = 0;
	return add(b, s, err);
}

static enum mr_status
put(struct mr_dkim_body *b, struct mr_str s, struct mr_err *err)
{
	enum mr_status st = MR_OK;

	if (s.n > OUT_MAX - b->n)
		st = flush(b, err);
	if (s.n > OUT_MAX)
		return st ? st : add(b, s, err);
	if (st == MR_OK && s.n) {
		memcpy(b->out + b->n, s.p, s.n);
		b->n += s.n;
	}
	return st;
}

/* Something follows: what came before it counts. */
static enum mr_status
put_held(struct mr_dkim_body *b, struct mr_err *err)
{
	enum mr_status st = MR_OK;

	b->is_empty = false;
	for (; st == MR_OK && b->line_ends; b->line_ends--)
		st = put(b, MR_STR("\r\n"), err);
	if (st == MR_OK && b->has_blank)
		st = put(b, MR_STR(" "), err);
	b->has_blank = false;
	return st;
}

/* A piece of a line, without line end. */
static enum mr_status
add_text(struct mr_dkim_body *b, struct mr_str s, struct mr_err *err)
{
	enum mr_status st = MR_OK;

	if (b->canon == MR_DKIM_SIMPLE)
		return s.n == 0 || (st = put_held(b, err)) ? st : put(b, s, err);
	for (size_t i = 0; i < s.n && st == MR_OK;) {
		size_t from = i;

		while (i < s.n && is_blank(s.p[i]))
			i++;
		if (i > from)
			b->has_blank = true;
		from = i;
		/* Single spaces between words stay as they are. */
		while (i < s.n
		    && (!is_blank(s.p[i])
		        || (s.p[i] == ' ' && i + 1 < s.n && !is_blank(s.p[i + 1]))))
			i++;
		if (i > from && (st = put_held(b, err)) == MR_OK)
			st = put(b, (struct mr_str){ s.p + from, i - from }, err);
	}
	return st;
}

enum mr_status
mr_dkim_body_add(struct mr_dkim_body *body, struct mr_str piece, struct mr_err *err)
{
	enum mr_status st = MR_OK;

	while (piece.n && st == MR_OK) {
		const char *lf = memchr(piece.p, '\n', piece.n);
		size_t n = lf ? (size_t)(lf - piece.p) : piece.n;
		bool is_crlf = lf && n && piece.p[n - 1] == '\r';

		/* A lone LF is a byte like others: mail/message.h gives none. */
		st = add_text(
		    body, (struct mr_str){ piece.p, is_crlf ? n - 1 : n + (lf != NULL) }, err);
		piece = mr_str_from(piece, n + (lf != NULL));
		if (is_crlf) {
			body->line_ends++;
			body->has_blank = false;
		}
	}
	return st;
}

enum mr_status
mr_dkim_body_end(struct mr_dkim_body *body, uint8_t *out, struct mr_err *err)
{
	enum mr_status st = MR_OK;

	/* One line end at the end; the relaxed form of a body without any text is empty. */
	if (body->canon == MR_DKIM_SIMPLE || !body->is_empty)
		st = put(body, MR_STR("\r\n"), err);
	if (st == MR_OK)
		st = flush(body, err);
	return st ? st : mr_digest_end(body->digest, out, err);
}

uint64_t
mr_dkim_body_length(const struct mr_dkim_body *body)
{
	return body->length;
}
