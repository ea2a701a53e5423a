#include "ui/json.h"

/* The length of the UTF-8 sequence at the start of `s` (RFC 3629 section 4), or 0. */
static size_t
utf8_len(struct mr_str s)
{
	unsigned char c = (unsigned char)s.p[0], lo = 0x80, hi = 0xbf;
	size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

	if (n > s.n)
		return 0;
	if (c == 0xe0)
		lo = 0xa0;
	else if (c == 0xed)
		hi = 0x9f;
	else if (c == 0xf0)
		lo = 0x90;
	else if (c == 0xf4)
		hi = 0x8f;
	for (size_t i = 1; i < n; i++, lo = 0x80, hi = 0xbf)
		if ((unsigned char)s.p[i] < lo || (unsigned char)s.p[i] > hi)
			return 0;
	return n;
}

void
mr_json_str(struct mr_buf *out, struct mr_str s)
{
	mr_buf_addc(out, '"');
	while (s.n) {
		size_t n = utf8_len(s);
		char c = s.p[0];

		if (n == 0)
			mr_buf_adds(out, "\\ufffd");
		else if (c == '"' || c == '\\')
			mr_buf_addf(out, "\\%c", c);
		else if ((unsigned char)c < 0x20 || c == 0x7f)
			mr_buf_addf(out, "\\u%04x", (unsigned)c);
		else
			mr_buf_add(out, (struct mr_str){ s.p, n });
		s = mr_str_from(s, n ? n : 1);
	}
	mr_buf_addc(out, '"');
}

void
mr_json_name(struct mr_buf *out, const char *name)
{
	if (out->n && out->p[out->n - 1] != '{')
		mr_buf_adds(out, ", ");
	mr_json_str(out, mr_str(name));
	mr_buf_adds(out, ": ");
}
