#include "mail/addr.h"

#include "base/buf.h"
#include "base/ip.h"

#include <string.h>

#define LABEL_MAX 63

static bool
is_atext(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
	    || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* Length of one character that may stand in an unquoted local part or a U-label; 0 if none. */
static size_t
char_len(struct mr_str s, bool (*is_ascii_ok)(unsigned char))
{
	unsigned char c = (unsigned char)s.p[0];

	return c >= 0x80 ? mr_utf8_len(s) : is_ascii_ok(c) ? 1 : 0;
}

static bool
is_ldh(unsigned char c)
{
	/* The underscore is no host name, but it is in the DNS and in real addresses. */
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
	    || c == '-' || c == '_';
}

static bool
is_label(struct mr_str s)
{
	if (s.n == 0 || s.n > LABEL_MAX || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	while (s.n) {
		size_t n = char_len(s, is_ldh);

		if (n == 0)
			return false;
		s = mr_str_from(s, n);
	}
	return true;
}

bool
mr_domain_is_valid(struct mr_str s)
{
	struct mr_str label;

	if (s.n == 0 || s.n > MR_DOMAIN_MAX)
		return false;
	while (mr_str_split(&s, '.', &label))
		if (!is_label(label))
			return false;
	return true;
}

bool
mr_domain_is_below(struct mr_str name, struct mr_str domain)
{
	return name.n >= domain.n && (name.n == domain.n || name.p[name.n - domain.n - 1] == '.')
	    && mr_str_caseeq(mr_str_from(name, name.n - domain.n), domain);
}

bool
mr_domain_literal(struct mr_ip *ip, struct mr_str s)
{
	if (s.n < 3 || s.p[0] != '[' || s.p[s.n - 1] != ']')
		return false;
	s = (struct mr_str){ s.p + 1, s.n - 2 };
	if (mr_str_casestarts(s, "IPv6:")) {
		s = mr_str_from(s, 5);
		return mr_str_chr(s, ':') >= 0 && mr_ip_parse(ip, s) == MR_OK;
	}
	return mr_str_chr(s, ':') < 0 && mr_ip_parse(ip, s) == MR_OK;
}

bool
mr_domain_is_literal(struct mr_str s)
{
	struct mr_ip ip;

	return mr_domain_literal(&ip, s);
}

struct mr_str
mr_arena_lower(struct mr_arena *arena, struct mr_str s)
{
	char *p = mr_arena_alloc(arena, s.n + 1);

	if (!p)
		return (struct mr_str){ NULL, 0 };
	for (size_t i = 0; i < s.n; i++)
		p[i] = (char)mr_lower((unsigned char)s.p[i]);
	return (struct mr_str){ p, s.n };
}

static bool
is_dot_string(struct mr_str s)
{
	bool is_atom_open = false;

	while (s.n) {
		size_t n = 1;

		if (s.p[0] == '.' ? !is_atom_open : !(n = char_len(s, is_atext)))
			return false;
		is_atom_open = s.p[0] != '.';
		s = mr_str_from(s, n);
	}
	return is_atom_open;
}

/* The quoted string at the start of `s`: its length with quotes, its content unescaped to `out`
 * (room for s.n bytes) and *out_n.  0 if it is none. */
static size_t
quoted_string(struct mr_str s, char *out, size_t *out_n)
{
	size_t i = 1, n = 0;

	while (i < s.n && s.p[i] != '"') {
		struct mr_str at = mr_str_from(s, i);
		unsigned char c;
		size_t len = 1;

		if (s.p[i] == '\\' && i + 1 < s.n)
			at = mr_str_from(s, ++i);
		c = (unsigned char)at.p[0];
		if (c < ' ' || c == 0x7f || (c >= 0x80 && !(len = mr_utf8_len(at))))
			return 0;
		memcpy(out + n, at.p, len);
		n += len;
		i += len;
	}
	*out_n = n;
	return i < s.n ? i + 1 : 0;
}

/* The end of the local part in `s`, and its canonical form into a->local. */
static enum mr_status
parse_local(
    struct mr_addr *a, struct mr_arena *arena, struct mr_str s, size_t *end, struct mr_err *err)
{
	char *plain = mr_arena_alloc(arena, 2 * s.n + 3), *quoted;
	size_t n = 0;
	struct mr_str bare;

	if (!plain)
		return mr_err_set(err, MR_TEMP, "out of memory");
	if (s.n == 0 || s.p[0] != '"') {
		ptrdiff_t at = mr_str_chr(s, '@');

		*end = at < 0 ? s.n : (size_t)at;
		a->local = (struct mr_str){ s.p, *end };
		if (!is_dot_string(a->local))
			return mr_err_set(err, MR_PERM, "bad local part");
		a->local = mr_arena_dup(arena, a->local);
		return a->local.p ? MR_OK : mr_err_set(err, MR_TEMP, "out of memory");
	}
	if (!(*end = quoted_string(s, plain, &n)))
		return mr_err_set(err, MR_PERM, "bad quoted local part");
	bare = (struct mr_str){ plain, n };
	if (is_dot_string(bare)) {
		a->local = bare;
		return MR_OK;
	}
	/* It needs its quotes: only " and \ get a backslash. */
	if (!(quoted = mr_arena_alloc(arena, 2 * n + 3)))
		return mr_err_set(err, MR_TEMP, "out of memory");
	a->local = (struct mr_str){ quoted, 0 };
	quoted[a->local.n++] = '"';
	for (size_t i = 0; i < n; i++) {
		if (plain[i] == '"' || plain[i] == '\\')
			quoted[a->local.n++] = '\\';
		quoted[a->local.n++] = plain[i];
	}
	quoted[a->local.n++] = '"';
	return MR_OK;
}

static bool
has_utf8(struct mr_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return true;
	return false;
}

enum mr_status
mr_addr_parse(struct mr_addr *a, struct mr_arena *arena, struct mr_str text, struct mr_err *err)
{
	struct mr_str domain;
	enum mr_status st;
	size_t end = 0;

	*a = (struct mr_addr){ .domain = MR_STR("") };
	if (text.n > MR_ADDR_MAX)
		return mr_err_set(err, MR_PERM, "address over %u octets", MR_ADDR_MAX);
	if ((st = parse_local(a, arena, text, &end, err)))
		return st;
	if (end >= text.n || text.p[end] != '@')
		return mr_err_set(err, MR_PERM, "address without a domain");
	domain = mr_str_from(text, end + 1);
	a->is_literal = mr_domain_is_literal(domain);
	if (!a->is_literal && !mr_domain_is_valid(domain))
		return mr_err_set(err, MR_PERM, "bad domain");
	a->domain = mr_arena_lower(arena, domain);
	a->text = mr_arena_fmt(arena, "%.*s@%.*s", (int)a->local.n, a->local.p, (int)a->domain.n,
	    a->domain.p ? a->domain.p : "");
	if (!a->domain.p || !a->text.p)
		return mr_err_set(err, MR_TEMP, "out of memory");
	a->has_utf8 = has_utf8(text);
	return MR_OK;
}

/* Moves `s` behind a source route "@a.example,@b.example:" if one stands there. */
static enum mr_status
skip_route(struct mr_str *s, struct mr_err *err)
{
	ptrdiff_t colon;
	struct mr_str hops, hop;

	if (s->n == 0 || s->p[0] != '@')
		return MR_OK;
	colon = mr_str_chr(*s, ':');
	if (colon < 0)
		return mr_err_set(err, MR_PERM, "bad source route");
	hops = (struct mr_str){ s->p, (size_t)colon };
	while (mr_str_split(&hops, ',', &hop))
		if (hop.n < 2 || hop.p[0] != '@' || !mr_domain_is_valid(mr_str_from(hop, 1)))
			return mr_err_set(err, MR_PERM, "bad source route");
	*s = mr_str_from(*s, (size_t)colon + 1);
	return MR_OK;
}

/* Index of the '>' that ends the path at the start of s, quoted strings skipped; -1 if none. */
static ptrdiff_t
path_end(struct mr_str s)
{
	bool is_quoted = false;

	for (size_t i = 1; i < s.n; i++) {
		if (is_quoted && s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			is_quoted = !is_quoted;
		else if (s.p[i] == '>' && !is_quoted)
			return (ptrdiff_t)i;
	}
	return -1;
}

enum mr_status
mr_addr_parse_unquoted(
    struct mr_addr *a, struct mr_arena *arena, struct mr_str text, struct mr_err *err)
{
	enum mr_status st = mr_addr_parse(a, arena, text, err);
	ptrdiff_t at = mr_str_rchr(text, '@');
	struct mr_buf quoted;

	if (st != MR_PERM || at < 0 || text.n > MR_ADDR_MAX)
		return st;
	mr_buf_init(&quoted, 2 * MR_ADDR_MAX + 2);
	mr_buf_addc(&quoted, '"');
	for (ptrdiff_t i = 0; i < at; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			mr_buf_addc(&quoted, '\\');
		mr_buf_addc(&quoted, text.p[i]);
	}
	mr_buf_addc(&quoted, '"');
	mr_buf_add(&quoted, mr_str_from(text, (size_t)at));
	st = quoted.is_full ? mr_err_set(err, MR_TEMP, "out of memory")
	                    : mr_addr_parse(a, arena, mr_buf_str(&quoted), err);
	mr_buf_free(&quoted);
	return st;
}

enum mr_status
mr_addr_parse_path(
    struct mr_addr *a, struct mr_arena *arena, struct mr_str *rest, struct mr_err *err)
{
	ptrdiff_t end;
	struct mr_str s;
	enum mr_status st;

	*a = (struct mr_addr){ .text = MR_STR(""), .local = MR_STR(""), .domain = MR_STR("") };
	if (rest->n == 0 || rest->p[0] != '<' || (end = path_end(*rest)) < 0)
		return mr_err_set(err, MR_PERM, "address not in <>");
	s = (struct mr_str){ rest->p + 1, (size_t)end - 1 };
	if (s.n == 0) {
		a->is_null = true;
	} else if (mr_str_caseis(s, "postmaster")) {
		a->is_postmaster = true;
		a->local = a->text = MR_STR("postmaster");
	} else if ((st = skip_route(&s, err)) || (st = mr_addr_parse(a, arena, s, err))) {
		return st;
	}
	*rest = mr_str_from(*rest, (size_t)end + 1);
	return MR_OK;
}
