#include "base/kv.h"

static bool
is_plain(struct mr_str v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] <= ' ' || v.p[i] > '~' || v.p[i] == '"' || v.p[i] == '\\')
			return false;
	return v.n > 0;
}

void
mr_kv_add(struct mr_buf *b, const char *name, struct mr_str value)
{
	if (b->n)
		mr_buf_addc(b, ' ');
	mr_buf_adds(b, name);
	mr_buf_addc(b, '=');
	if (is_plain(value)) {
		mr_buf_add(b, value);
		return;
	}
	mr_buf_addc(b, '"');
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if (c == '"' || c == '\\')
			mr_buf_addc(b, '\\');
		if (c < ' ' || c > '~')
			mr_buf_addf(b, "\\x%02x", c);
		else
			mr_buf_addc(b, (char)c);
	}
	mr_buf_addc(b, '"');
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)mr_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `line` stands behind the opening quote; leaves it behind the closing one. */
static bool
unquote(struct mr_str *line, struct mr_buf *value)
{
	size_t i = 0;

	while (i < line->n && line->p[i] != '"') {
		char c = line->p[i++];

		if (c == '\\') {
			if (i >= line->n)
				return false;
			c = line->p[i++];
			if (c == 'x') {
				if (line->n - i < 2 || hex(line->p[i]) < 0
				    || hex(line->p[i + 1]) < 0)
					return false;
				c = (char)(hex(line->p[i]) << 4 | hex(line->p[i + 1]));
				i += 2;
			} else if (c != '"' && c != '\\')
				return false;
		}
		mr_buf_addc(value, c);
	}
	if (i >= line->n || (i + 1 < line->n && !is_blank(line->p[i + 1])))
		return false;
	*line = mr_str_from(*line, i + 1);
	return true;
}

bool
mr_kv_next(struct mr_str *line, struct mr_str *name, struct mr_buf *value)
{
	struct mr_str rest = *line = mr_str_trim(*line);
	ptrdiff_t eq = mr_str_chr(rest, '=');

	mr_buf_clear(value);
	if (eq <= 0)
		return false;
	*name = (struct mr_str){ rest.p, (size_t)eq };
	if (mr_str_chr(*name, ' ') >= 0 || mr_str_chr(*name, '\t') >= 0)
		return false;
	rest = mr_str_from(rest, (size_t)eq + 1);
	if (rest.n && rest.p[0] == '"') {
		rest = mr_str_from(rest, 1);
		if (!unquote(&rest, value))
			return false;
	} else if (rest.n && !is_blank(rest.p[0]))
		mr_buf_add(value, mr_str_word(&rest));
	if (value->is_full)
		return false;
	*line = rest;
	return true;
}
