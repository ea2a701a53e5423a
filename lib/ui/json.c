#include "ui/json.h"

#include <inttypes.h>

void
mr_json_str(struct mr_buf *out, struct mr_str s)
{
	mr_buf_addc(out, '"');
	while (s.n) {
		unsigned char c = (unsigned char)s.p[0];
		size_t n = 1;

		if (c >= 0x80 && (n = mr_utf8_len(s)) == 0) {
			mr_buf_adds(out, "\\ufffd");
			n = 1;
		} else if (c == '"' || c == '\\')
			mr_buf_addf(out, "\\%c", c);
		else if (c < ' ' || c == 0x7f)
			mr_buf_addf(out, "\\u%04x", c);
		else
			mr_buf_add(out, (struct mr_str){ s.p, n });
		s = mr_str_from(s, n);
	}
	mr_buf_addc(out, '"');
}

static void
add_name(struct mr_buf *out, const char *name)
{
	if (out->n && out->p[out->n - 1] != '{')
		mr_buf_addc(out, ',');
	mr_json_str(out, mr_str(name));
	mr_buf_addc(out, ':');
}

void
mr_json_field(struct mr_buf *out, const char *name, struct mr_str value)
{
	add_name(out, name);
	mr_json_str(out, value);
}

void
mr_json_num(struct mr_buf *out, const char *name, int64_t n)
{
	add_name(out, name);
	mr_buf_addf(out, "%" PRId64, n);
}
