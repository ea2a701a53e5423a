/* body_plain.h - what mr_body must find, the plain way: the whole input at once, line by line, nothing
 * cut.  The oracle of test/unit/body.c and test/fuzz/body.c. */
#ifndef MR_TEST_BODY_PLAIN_H
#define MR_TEST_BODY_PLAIN_H

#include "mail/header.h"
#include "smtp/body.h"

#include <string.h>

struct plain {
	struct mr_buf out;
	size_t used; /* bytes up to and with the final dot, if it is there */
	unsigned hops;
	bool is_end, has_bare, has_8bit;
};

/* Where the final dot begins: "." CRLF at the start or behind a CRLF; -1 if there is none. */
static inline ptrdiff_t
plain_end(struct mr_str s)
{
	for (size_t i = 0; i + 3 <= s.n; i++)
		if (memcmp(s.p + i, ".\r\n", 3) == 0
		    && (i == 0 || (i >= 2 && memcmp(s.p + i - 2, "\r\n", 2) == 0)))
			return (ptrdiff_t)i;
	return -1;
}

/* The lines ended by LF: dots undone where a line follows a CRLF. */
static inline void
plain_undot(struct mr_str s, struct mr_buf *out)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '.' || !(i == 0 || (i >= 2 && memcmp(s.p + i - 2, "\r\n", 2) == 0)))
			mr_buf_addc(out, s.p[i]);
}

/* The end of the field (with its folded lines) or line at the start of `s`. */
static inline size_t
plain_field(struct mr_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\n' && (i == 0 || s.p[i - 1] == '\r')
		    && (i + 1 == s.n || (s.p[i + 1] != ' ' && s.p[i + 1] != '\t')))
			return i + 1;
	return s.n;
}

static inline bool
plain_is_dropped(struct mr_str field, const char *authserv_id)
{
	ptrdiff_t colon = mr_str_chr(field, ':');
	struct mr_buf id;
	bool drops;

	if (!mr_str_caseis(mr_header_name(field), "Authentication-Results"))
		return false;
	mr_buf_init(&id, 1024);
	drops = mr_header_authserv_id(mr_str_from(field, (size_t)colon + 1), &id) != MR_OK
	    || mr_str_caseis(mr_buf_str(&id), authserv_id);
	mr_buf_free(&id);
	return drops;
}

static inline void
plain_run(struct plain *r, struct mr_str in, const char *authserv_id, size_t max)
{
	ptrdiff_t end = plain_end(in);
	struct mr_buf text;
	struct mr_str rest;

	*r = (struct plain){ .is_end = end >= 0, .used = end < 0 ? in.n : (size_t)end + 3 };
	mr_buf_init(&r->out, max);
	mr_buf_init(&text, max);
	if (end >= 0)
		in.n = (size_t)end;
	for (size_t i = 0; i < in.n; i++) {
		r->has_8bit |= ((unsigned char)in.p[i] & 0x80) != 0;
		r->has_bare |= in.p[i] == '\n'
		    ? i == 0 || in.p[i - 1] != '\r'
		    : in.p[i] == '\r' && (i + 1 == in.n || in.p[i + 1] != '\n');
	}
	plain_undot(in, &text);
	rest = mr_buf_str(&text);
	while (rest.n && !mr_str_starts(rest, "\r\n")) {
		struct mr_str field = { rest.p, plain_field(rest) };

		r->hops += mr_str_caseis(mr_header_name(field), "Received");
		if (!plain_is_dropped(field, authserv_id))
			mr_buf_add(&r->out, field);
		rest = mr_str_from(rest, field.n);
	}
	mr_buf_add(&r->out, rest);
	mr_buf_free(&text);
}

static inline enum mr_status
plain_put(void *ctx, struct mr_str bytes)
{
	mr_buf_add(ctx, bytes);
	return MR_OK;
}

/* The parser under test over `in`, which comes in steps of `step` bytes into a window of `cap`.
 * *used is what it took.  True at the final dot. */
static inline bool
plain_feed(struct mr_body *b, struct mr_str in, size_t step, size_t cap, size_t *used)
{
	size_t off = 0, end = 0, n;
	bool is_end = false;

	while (!is_end) {
		is_end =
		    mr_body_feed(b, (struct mr_str){ in.p + off, end - off }, end - off == cap, &n);
		off += n;
		if (is_end || end == in.n)
			break;
		end += step < in.n - end ? step : in.n - end;
		if (end - off > cap)
			end = off + cap;
	}
	*used = off;
	return is_end;
}

#endif
