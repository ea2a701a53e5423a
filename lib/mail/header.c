#include "mail/header.h"

#include <string.h>

struct mr_str
mr_header_name(struct mr_str line)
{
	ptrdiff_t colon = mr_str_chr(line, ':');
	struct mr_str name = { line.p, colon < 0 ? 0 : (size_t)colon };

	while (name.n && (name.p[name.n - 1] == ' ' || name.p[name.n - 1] == '\t'))
		name.n--; /* RFC 5322 4.5: blanks before the colon, obsolete but real */
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] > '~')
			name.n = 0;
	return name.n ? name : (struct mr_str){ NULL, 0 };
}

bool
mr_header_is_block(struct mr_str text, struct mr_err *err)
{
	struct mr_str rest = text, line;
	bool has_field = false;

	if (text.n == 0)
		return true;
	if (text.p[text.n - 1] != '\n') {
		mr_err_set(err, MR_PERM, "last header line has no line end");
		return false;
	}
	while (mr_str_split(&rest, '\n', &line) && rest.p) {
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (!mr_str_is_line(line)) {
			mr_err_set(err, MR_PERM, "NUL or lone CR in a header field");
			return false;
		}
		if (line.n && (line.p[0] == ' ' || line.p[0] == '\t') ? !has_field
		                                                      : !mr_header_name(line).p) {
			mr_err_set(err, MR_PERM, "not a header field: '%.*s'",
			    (int)(line.n < 40 ? line.n : 40), line.p);
			return false;
		}
		has_field = true;
	}
	return true;
}

bool
mr_header_skip_cfws(struct mr_str *s, struct mr_str blanks)
{
	unsigned depth = 0;
	size_t i = 0;

	for (; i < s->n; i++) {
		char c = s->p[i];

		if (c == '(')
			depth++;
		else if (depth && c == ')')
			depth--;
		else if (depth && c == '\\')
			i++;
		else if (!depth && mr_str_chr(blanks, c) < 0)
			break;
	}
	if (depth || i > s->n)
		return false;
	*s = mr_str_from(*s, i);
	return true;
}

enum mr_status
mr_header_authserv_id(struct mr_str value, struct mr_buf *out)
{
	bool is_quoted;

	mr_buf_clear(out);
	/* A NUL is a blank, here and below, as for readers that take the field for a C string. */
	if (!mr_header_skip_cfws(&value, MR_STR(" \t\r\n\0")) || value.n == 0)
		return MR_NOTFOUND;
	is_quoted = value.p[0] == '"';
	for (size_t i = is_quoted; i < value.n && !out->is_full; i++) {
		char c = value.p[i];

		if (is_quoted ? c == '"' : strchr(" \t\r\n;(", c) != NULL)
			return out->n ? MR_OK : MR_PERM;
		if (is_quoted && (c == '\r' || c == '\n'))
			continue; /* folded */
		if (is_quoted && c == '\\') {
			if (++i == value.n)
				break;
			c = value.p[i];
		}
		mr_buf_addc(out, c);
	}
	return out->is_full ? MR_PERM : MR_NOTFOUND;
}

void
mr_header_to_crlf(struct mr_str text, struct mr_buf *out)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\n' && (i == 0 || text.p[i - 1] != '\r'))
			mr_buf_addc(out, '\r');
		mr_buf_addc(out, text.p[i]);
	}
}
