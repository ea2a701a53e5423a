/* What to publish: lines of a zone file (RFC 1035 section 5.1), each whole in itself. */
#include "check/dnsreport_pass.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_MAX   65536u /* bytes */
#define STRING_MAX 255u   /* octets of a character-string (RFC 1035 3.3) */

struct mr_dnsreport_fix *
mr_dnsreport_fix(struct mr_dnsreport_pass *p)
{
	struct mr_dnsreport_fix *fix = mr_arena_alloc(p->arena, sizeof *fix);

	if (!fix)
		p->fault = mr_err_set(p->err, MR_TEMP, "out of memory");
	return fix;
}

void
mr_dnsreport_line(struct mr_dnsreport_pass *p, struct mr_dnsreport_lines *lines, struct mr_str line)
{
	for (size_t i = 0; i < lines->n; i++)
		if (mr_str_eq(lines->line[i], line))
			return;
	if (!line.p || !mr_arena_grow(p->arena, &lines->line, lines->n, &lines->cap, sizeof line))
		p->fault = mr_err_set(p->err, MR_TEMP, "out of memory");
	else
		lines->line[lines->n++] = line;
}

/* "owner. 3600 IN TYPE " */
static void
begin(struct mr_buf *b, struct mr_str owner, const char *type)
{
	mr_buf_init(b, LINE_MAX);
	mr_buf_add(b, owner);
	mr_buf_addf(b, ". %u IN %s ", MR_DNSREPORT_TTL_S, type);
}

static struct mr_str
end(struct mr_dnsreport_pass *p, struct mr_buf *b)
{
	struct mr_str line = { NULL, 0 };

	if (!b->is_full)
		line = mr_arena_dup(p->arena, mr_buf_str(b));
	mr_buf_free(b);
	return line;
}

static void
add_string(struct mr_buf *b, struct mr_str s)
{
	mr_buf_addc(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			mr_buf_addf(b, "\\%c", c);
		else if (c < ' ' || c > '~')
			mr_buf_addf(b, "\\%03u", c);
		else
			mr_buf_addc(b, (char)c);
	}
	mr_buf_addc(b, '"');
}

struct mr_str
mr_dnsreport_txt(struct mr_dnsreport_pass *p, struct mr_str owner, struct mr_str text)
{
	struct mr_buf b;

	begin(&b, owner, "TXT");
	do {
		size_t n = text.n < STRING_MAX ? text.n : STRING_MAX;

		add_string(&b, (struct mr_str){ text.p, n });
		text = mr_str_from(text, n);
		if (text.n)
			mr_buf_addc(&b, ' ');
	} while (text.n);
	return end(p, &b);
}

struct mr_str
mr_dnsreport_strings(struct mr_dnsreport_pass *p, struct mr_str owner, const char *type,
    const struct mr_dns_record *rec)
{
	struct mr_str rest = rec->strings;
	struct mr_buf b;

	begin(&b, owner, type);
	while (rest.n) {
		size_t n = (unsigned char)rest.p[0];

		add_string(&b, (struct mr_str){ rest.p + 1, n });
		rest = mr_str_from(rest, n + 1);
		if (rest.n)
			mr_buf_addc(&b, ' ');
	}
	return end(p, &b);
}

struct mr_str
mr_dnsreport_address(struct mr_dnsreport_pass *p, struct mr_str owner, const struct mr_ip *ip)
{
	char storage[MR_IP_TEXT_MAX];
	struct mr_str text = mr_ip_text(storage, ip);

	return mr_dnsreport_rr(p, owner, ip->is_v6 ? "AAAA" : "A", "%.*s", (int)text.n, text.p);
}

struct mr_str
mr_dnsreport_rr(
    struct mr_dnsreport_pass *p, struct mr_str owner, const char *type, const char *fmt, ...)
{
	char data[1024];
	struct mr_buf b;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(data, sizeof data, fmt, ap);
	va_end(ap);
	begin(&b, owner, type);
	mr_buf_adds(&b, data);
	return end(p, &b);
}

struct mr_str
mr_dnsreport_mx_line(struct mr_dnsreport_pass *p, unsigned preference, struct mr_str host)
{
	return mr_dnsreport_rr(p, p->domain, "MX", "%u %.*s.", preference, (int)host.n, host.p);
}
