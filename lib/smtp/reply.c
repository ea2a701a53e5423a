#include "smtp/reply.h"

#include <stdio.h>
#include <string.h>

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* 1 to 3 digits at s[*at]. */
static bool
take_number(struct mr_str s, size_t *at)
{
	size_t from = *at;

	while (*at < s.n && *at - from < 3 && is_digit(s.p[*at]))
		++*at;
	return *at > from;
}

/* Length of an enhanced code of this class at the start of `s` (RFC 3463 section 2), or 0. */
static size_t
status_len(struct mr_str s, char class)
{
	size_t at = 2;

	if (s.n < 5 || s.p[0] != class || s.p[1] != '.' || !take_number(s, &at) || at == s.n
	    || s.p[at++] != '.' || !take_number(s, &at))
		return 0;
	return at == s.n || s.p[at] == ' ' || s.p[at] == '\t' ? at : 0;
}

static void
add_text(struct mr_reply *r, struct mr_str s)
{
	if (s.n && r->text_n && r->text_n < sizeof r->text)
		r->text[r->text_n++] = ' ';
	for (; s.n && r->text_n < sizeof r->text; s = mr_str_from(s, 1))
		r->text[r->text_n++] = s.p[0] >= ' ' && s.p[0] <= '~' ? s.p[0] : '?';
}

enum mr_status
mr_reply_add(struct mr_reply *r, struct mr_str line, struct mr_str *words, struct mr_err *err)
{
	unsigned code = 0;
	bool is_last;
	size_t n;

	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	for (n = 0; n < 3 && n < line.n && is_digit(line.p[n]); n++)
		code = code * 10 + (unsigned)(line.p[n] - '0');
	is_last = line.n == 3 || (line.n > 3 && line.p[3] == ' ');
	if (n < 3 || code < 200 || code > 599 || (!is_last && line.p[3] != '-'))
		return mr_err_set(err, MR_PERM, "not an SMTP reply: %.*s",
		    (int)(line.n < 80 ? line.n : 80), line.n ? line.p : "");
	if (r->code == 0)
		*r = (struct mr_reply){ .code = code };
	if (code != r->code)
		return mr_err_set(
		    err, MR_PERM, "lines of one reply say both %u and %u", r->code, code);
	if (r->line_n++ == MR_REPLY_LINES_MAX)
		return mr_err_set(err, MR_PERM, "reply of more than %u lines", MR_REPLY_LINES_MAX);
	if (r->line_n == 1)
		add_text(r, (struct mr_str){ line.p, 3 });
	line = mr_str_from(line, line.n > 3 ? 4 : 3);
	if (words)
		*words = line;
	line = mr_str_trim(line);
	n = status_len(line, (char)('0' + code / 100));
	if (n && !r->status[0]) {
		memcpy(r->status, line.p, n);
		r->status[n] = '\0';
		add_text(r, (struct mr_str){ line.p, n });
	}
	add_text(r, mr_str_trim(mr_str_from(line, n)));
	return is_last ? MR_OK : MR_NOTFOUND;
}

/* As mr_reader_line, but a line that the connection's end has cut is no answer: "250" may have been
 * the start of anything. */
static enum mr_status
whole_line(struct mr_reader *r, struct mr_str *line, int64_t deadline_ms, struct mr_err *err)
{
	for (;;) {
		struct mr_str w = mr_reader_window(r);
		ptrdiff_t lf = mr_str_chr(w, '\n');
		enum mr_status st;

		if (lf >= 0) {
			*line = (struct mr_str){ w.p, (size_t)lf };
			mr_reader_take(r, line->n + 1);
			return MR_OK;
		}
		if ((st = mr_reader_fill(r, deadline_ms, err)))
			return st;
	}
}

enum mr_status
mr_reply_read(struct mr_reply *reply, struct mr_reader *r, int64_t deadline_ms,
    void (*each)(void *ctx, unsigned line, struct mr_str words), void *ctx, struct mr_err *err)
{
	enum mr_status st;

	reply->code = 0;
	do {
		struct mr_str line, words;

		if ((st = whole_line(r, &line, deadline_ms, err)))
			return st == MR_NOTFOUND ? mr_err_set(err, st, "connection closed") : st;
		st = mr_reply_add(reply, line, &words, err);
		if (each && st != MR_PERM)
			each(ctx, reply->line_n, words);
	} while (st == MR_NOTFOUND);
	return st;
}

unsigned
mr_reply_class(const struct mr_reply *reply)
{
	return reply->code / 100;
}

struct mr_str
mr_reply_text(const struct mr_reply *reply)
{
	return (struct mr_str){ reply->text, reply->text_n };
}
