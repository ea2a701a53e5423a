#include "check/spf_record.h"

#include <arpa/inet.h>
#include <string.h>

const char *
mr_spf_result_word(enum mr_spf_result result)
{
	static const char *const words[] = { "none", "neutral", "pass", "fail", "softfail",
		"temperror", "permerror" };

	return words[result];
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alpha(char c)
{
	c = (char)mr_lower((unsigned char)c);
	return c >= 'a' && c <= 'z';
}

static bool
is_alnum(char c)
{
	return is_digit(c) || is_alpha(c);
}

/* ---- macros (section 7) ----------------------------------------------------------------------- */

/* One piece of a macro-string: a macro, or literal text. */
struct piece {
	char letter; /* of the macro, in lower case; '\0': `literal` stands as it is */
	struct mr_str literal;
	bool is_escaped, is_reversed; /* upper case letter; "r" */
	unsigned keep_n;              /* right-hand parts to keep; 0: all */
	struct mr_str delimiters;
};

/* Takes "%..." off *rest (7.1). */
static bool
macro_next(struct mr_str *rest, struct piece *p)
{
	static const struct {
		char c;
		struct mr_str is;
	} fixed[] = { { '%', { "%", 1 } }, { '_', { " ", 1 } }, { '-', { "%20", 3 } } };
	struct mr_str s = *rest;
	size_t i = 3, from;

	for (size_t f = 0; f < sizeof fixed / sizeof *fixed; f++)
		if (s.n >= 2 && s.p[1] == fixed[f].c) {
			p->literal = fixed[f].is;
			*rest = mr_str_from(s, 2);
			return true;
		}
	if (s.n < 4 || s.p[1] != '{')
		return false;
	p->letter = (char)mr_lower((unsigned char)s.p[2]);
	p->is_escaped = p->letter != s.p[2];
	if (mr_str_chr(MR_STR("slodiphcrtv"), p->letter) < 0)
		return false;
	for (from = i; i < s.n && is_digit(s.p[i]); i++)
		/* More parts than a name has are all of them. */
		p->keep_n = p->keep_n > 999 ? 999 : 10 * p->keep_n + (unsigned)(s.p[i] - '0');
	if (i > from && p->keep_n == 0)
		return false;
	p->is_reversed = i < s.n && mr_lower((unsigned char)s.p[i]) == 'r';
	i += p->is_reversed;
	for (from = i; i < s.n && mr_str_chr(MR_STR(".-+,/_="), s.p[i]) >= 0; i++)
		;
	p->delimiters = i > from ? (struct mr_str){ s.p + from, i - from } : MR_STR(".");
	if (i >= s.n || s.p[i] != '}')
		return false;
	*rest = mr_str_from(s, i + 1);
	return true;
}

/* Takes the next piece off *rest (not empty); false: wrong syntax. */
static bool
piece_next(struct mr_str *rest, struct piece *p)
{
	size_t n = 0;

	*p = (struct piece){ .letter = '\0' };
	if (rest->p[0] == '%')
		return macro_next(rest, p);
	while (n < rest->n && rest->p[n] != '%') {
		if (rest->p[n] < ' ' || rest->p[n] > '~')
			return false;
		n++;
	}
	p->literal = (struct mr_str){ rest->p, n };
	*rest = mr_str_from(*rest, n);
	return true;
}

bool
mr_spf_is_explanation(struct mr_str text)
{
	struct piece p;

	while (text.n)
		if (!piece_next(&text, &p))
			return false;
	return true;
}

bool
mr_spf_uses(struct mr_str text, char letter)
{
	struct piece p;

	while (text.n && piece_next(&text, &p))
		if (p.letter == letter)
			return true;
	return false;
}

/* Adds octets as they are, or as in a URI (7.3: all but RFC 3986's unreserved are escaped). */
static void
add(struct mr_buf *out, struct mr_str s, bool is_escaped)
{
	if (!is_escaped) {
		mr_buf_add(out, s);
		return;
	}
	for (size_t i = 0; i < s.n; i++)
		if (is_alnum(s.p[i]) || (s.p[i] && strchr("-._~", s.p[i])))
			mr_buf_addc(out, s.p[i]);
		else
			mr_buf_addf(out, "%%%02X", (unsigned char)s.p[i]);
}

/* The client's address with dots between the parts that reversal and truncation count (7.3). */
static struct mr_str
dotted(char *storage, const struct mr_ip *ip)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;

	if (!ip->is_v6)
		return mr_ip_text(storage, ip);
	for (size_t i = 0; i < sizeof ip->b; i++) {
		storage[n++] = hex[ip->b[i] >> 4];
		storage[n++] = '.';
		storage[n++] = hex[ip->b[i] & 15];
		storage[n++] = '.';
	}
	return (struct mr_str){ storage, n - 1 };
}

#define DOTTED_MAX 64u /* octets of an IPv6 address as 32 hexadecimal digits, each with a dot */

static struct mr_str
value_of(char letter, char *storage, const struct mr_spf_macros *m)
{
	switch (letter) {
	case 's':
		return m->sender;
	case 'l':
		return m->local;
	case 'o':
		return m->sender_domain;
	case 'd':
		return m->domain;
	case 'h':
		return m->helo;
	case 'p':
		return m->validated;
	case 'r':
		return m->receiver;
	case 'i':
		return dotted(storage, m->ip);
	case 'c':
		return mr_ip_text(storage, m->ip);
	case 'v':
		return m->ip->is_v6 ? MR_STR("ip6") : MR_STR("in-addr");
	default: { /* 't' */
		uint64_t left = m->now_s > 0 ? (uint64_t)m->now_s : 0;
		size_t at = DOTTED_MAX;

		do
			storage[--at] = (char)('0' + left % 10);
		while (left /= 10);
		return (struct mr_str){ storage + at, DOTTED_MAX - at };
	}
	}
}

/* Takes the part up to the next delimiter off *rest; false when none is left. */
static bool
part_next(struct mr_str *rest, struct mr_str delimiters, struct mr_str *part)
{
	size_t n = 0;

	if (!rest->p)
		return false;
	while (n < rest->n && mr_str_chr(delimiters, rest->p[n]) < 0)
		n++;
	*part = (struct mr_str){ rest->p, n };
	*rest = n < rest->n ? mr_str_from(*rest, n + 1) : (struct mr_str){ NULL, 0 };
	return true;
}

/* The same from the other end. */
static bool
part_last(struct mr_str *rest, struct mr_str delimiters, struct mr_str *part)
{
	size_t n = rest->n;

	if (!rest->p)
		return false;
	while (n && mr_str_chr(delimiters, rest->p[n - 1]) < 0)
		n--;
	*part = mr_str_from(*rest, n);
	*rest = n ? (struct mr_str){ rest->p, n - 1 } : (struct mr_str){ NULL, 0 };
	return true;
}

/* Split, reverse, keep the right-hand parts, join with dots (7.3). */
static void
add_macro(struct mr_buf *out, const struct piece *p, const struct mr_spf_macros *m)
{
	char storage[DOTTED_MAX];
	struct mr_str value = value_of(p->letter, storage, m), rest = value, part;
	bool (*next)(struct mr_str *, struct mr_str, struct mr_str *) =
	    p->is_reversed ? part_last : part_next;
	size_t n = 0, skip = 0, i = 0;

	while (part_next(&rest, p->delimiters, &part))
		n++;
	if (p->keep_n && p->keep_n < n)
		skip = n - p->keep_n;
	for (rest = value; next(&rest, p->delimiters, &part); i++) {
		if (i < skip)
			continue;
		if (i > skip)
			mr_buf_addc(out, '.');
		add(out, part, p->is_escaped);
	}
}

void
mr_spf_expand(struct mr_buf *out, struct mr_str text, const struct mr_spf_macros *m)
{
	struct piece p;

	while (text.n && !out->is_full && piece_next(&text, &p)) {
		if (p.letter)
			add_macro(out, &p, m);
		else
			mr_buf_add(out, p.literal);
	}
}

/* ---- terms (section 12) ----------------------------------------------------------------------- */

/* toplabel: letters, digits and inner hyphens, not all digits. */
static bool
is_toplabel(struct mr_str s)
{
	bool has_other = false;

	for (size_t i = 0; i < s.n; i++) {
		if (!is_alnum(s.p[i]) && s.p[i] != '-')
			return false;
		has_other |= !is_digit(s.p[i]);
	}
	return has_other && s.p[0] != '-' && s.p[s.n - 1] != '-';
}

/* A macro-string; in `is_spec` one that c r t must not stand in and that ends as a domain-spec must:
 * with a macro, or with "." toplabel ["."]. */
static bool
is_macro_string(struct mr_str s, bool is_spec)
{
	struct mr_str last = { NULL, 0 };
	struct piece p = { .letter = '\0' };
	ptrdiff_t dot;

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == ' ')
			return false;
	while (s.n) {
		last = s;
		if (!piece_next(&s, &p))
			return false;
		if (is_spec && p.letter && strchr("crt", p.letter))
			return false;
	}
	if (!is_spec)
		return true;
	if (!last.p)
		return false;
	if (last.p[0] == '%')
		return true;
	if (last.p[last.n - 1] == '.')
		last.n--;
	dot = mr_str_rchr(last, '.');
	return dot >= 0 && is_toplabel(mr_str_from(last, (size_t)dot + 1));
}

/* Takes `lead` and a prefix length (no needless zeros) off the end of *s, if they stand there.
 * False: there is one, and it is over `max`, or written wrong. */
static bool
take_prefix_length(struct mr_str *s, const char *lead, unsigned max, unsigned *bits)
{
	size_t lead_n = strlen(lead), n = 0;
	uint64_t value;

	while (n < s->n && is_digit(s->p[s->n - 1 - n]))
		n++;
	if (n == 0 || s->n < n + lead_n || memcmp(s->p + s->n - n - lead_n, lead, lead_n) != 0)
		return true;
	if ((n > 1 && s->p[s->n - n] == '0')
	    || !mr_str_num((struct mr_str){ s->p + s->n - n, n }, max, &value))
		return false;
	*bits = (unsigned)value;
	s->n -= n + lead_n;
	return true;
}

/* What follows the name of include, exists (needs_spec), a, mx (has_cidr), ptr. */
static bool
take_domain(struct mr_spf_term *t, struct mr_str s, bool needs_spec, bool has_cidr)
{
	if (has_cidr
	    && (!take_prefix_length(&s, "//", 128, &t->bits6)
	        || !take_prefix_length(&s, "/", 32, &t->bits4)))
		return false;
	if (s.n == 0)
		return !needs_spec;
	t->spec = mr_str_from(s, 1);
	return s.p[0] == ':' && is_macro_string(t->spec, true);
}

/* What follows the name of ip4, ip6.  The address is read here and not by mr_ip_parse, since a
 * v4-mapped address is no IPv4 one in a record: no client has it (section 5). */
static bool
take_network(struct mr_spf_term *t, struct mr_str s, bool is_v6)
{
	char z[MR_IP_TEXT_MAX];

	if (!take_prefix_length(&s, "/", is_v6 ? 128 : 32, is_v6 ? &t->bits6 : &t->bits4))
		return false;
	if (s.n < 2 || s.p[0] != ':' || s.n > sizeof z || memchr(s.p, '\0', s.n))
		return false;
	memcpy(z, s.p + 1, s.n - 1);
	z[s.n - 1] = '\0';
	t->ip.is_v6 = is_v6;
	return inet_pton(is_v6 ? AF_INET6 : AF_INET, z, t->ip.b) == 1;
}

static bool
take_mechanism(struct mr_spf_term *t, struct mr_str s)
{
	static const struct {
		const char *name;
		enum mr_spf_kind kind;
		bool needs_spec, has_cidr;
	} known[] = { { "all", MR_SPF_ALL, false, false },
		{ "include", MR_SPF_INCLUDE, true, false }, { "a", MR_SPF_A, false, true },
		{ "mx", MR_SPF_MX, false, true }, { "ptr", MR_SPF_PTR, false, false },
		{ "ip4", MR_SPF_IP4, false, false }, { "ip6", MR_SPF_IP6, false, false },
		{ "exists", MR_SPF_EXISTS, true, false } };
	static const char qualifiers[] = "+-~?";
	static const enum mr_spf_result results[] = { MR_SPF_PASS, MR_SPF_FAIL, MR_SPF_SOFTFAIL,
		MR_SPF_NEUTRAL };
	const char *q = s.n && s.p[0] ? strchr(qualifiers, s.p[0]) : NULL;
	size_t n = 0, i = 0;
	struct mr_str name, rest;

	t->qualifier = results[q ? q - qualifiers : 0];
	s = mr_str_from(s, q != NULL);
	while (n < s.n && s.p[n] != ':' && s.p[n] != '/')
		n++;
	name = (struct mr_str){ s.p, n };
	rest = mr_str_from(s, n);
	while (i < sizeof known / sizeof *known && !mr_str_caseis(name, known[i].name))
		i++;
	if (i == sizeof known / sizeof *known)
		return false;
	t->kind = known[i].kind;
	switch (t->kind) {
	case MR_SPF_ALL:
		return rest.n == 0;
	case MR_SPF_IP4:
	case MR_SPF_IP6:
		return take_network(t, rest, t->kind == MR_SPF_IP6);
	default:
		return take_domain(t, rest, known[i].needs_spec, known[i].has_cidr);
	}
}

/* `eq`: where the '=' stands. */
static bool
take_modifier(struct mr_spf_term *t, struct mr_str s, size_t eq)
{
	struct mr_str name = { s.p, eq };

	t->spec = mr_str_from(s, eq + 1);
	t->kind = mr_str_caseis(name, "redirect") ? MR_SPF_REDIRECT
	    : mr_str_caseis(name, "exp")          ? MR_SPF_EXP
	                                          : MR_SPF_UNKNOWN;
	return is_macro_string(t->spec, t->kind != MR_SPF_UNKNOWN);
}

/* Length of the modifier's name (ALPHA, then letters, digits, "-", "_", ".") before an '='; 0 if the
 * term begins with none. */
static size_t
modifier_name_len(struct mr_str s)
{
	size_t n = 0;

	if (s.n == 0 || !is_alpha(s.p[0]))
		return 0;
	while (n < s.n && (is_alnum(s.p[n]) || (s.p[n] && strchr("-_.", s.p[n]))))
		n++;
	return n < s.n && s.p[n] == '=' ? n : 0;
}

bool
mr_spf_term_is_counted(const struct mr_spf_term *t)
{
	return t->kind == MR_SPF_INCLUDE || t->kind == MR_SPF_A || t->kind == MR_SPF_MX
	    || t->kind == MR_SPF_PTR || t->kind == MR_SPF_EXISTS || t->kind == MR_SPF_REDIRECT;
}

bool
mr_spf_is_record(struct mr_str text)
{
	return mr_str_casestarts(text, "v=spf1") && (text.n == 6 || text.p[6] == ' ');
}

enum mr_status
mr_spf_term_next(struct mr_str *rest, struct mr_spf_term *t, struct mr_err *err)
{
	struct mr_str s = *rest;
	size_t eq;

	while (s.n && s.p[0] == ' ')
		s = mr_str_from(s, 1);
	if (s.n == 0)
		return MR_NOTFOUND;
	*t = (struct mr_spf_term){ .bits4 = 32, .bits6 = 128 };
	*rest = s;
	mr_str_split(rest, ' ', &s);
	t->text = s;
	eq = modifier_name_len(s);
	if (!(eq ? take_modifier(t, s, eq) : take_mechanism(t, s)))
		return mr_err_set(
		    err, MR_PERM, "wrong term '%.*s'", (int)(s.n < 80 ? s.n : 80), s.p);
	return MR_OK;
}

enum mr_status
mr_spf_record_parse(struct mr_spf_record *record, struct mr_str text, struct mr_err *err)
{
	struct mr_spf_term t;
	struct mr_str rest;
	enum mr_status st;

	*record = (struct mr_spf_record){ .terms = mr_str_from(text, 6) };
	if (text.n > MR_SPF_RECORD_MAX)
		return mr_err_set(err, MR_PERM, "record over %u octets", MR_SPF_RECORD_MAX);
	rest = record->terms;
	while ((st = mr_spf_term_next(&rest, &t, err)) == MR_OK) {
		struct mr_str *once = t.kind == MR_SPF_REDIRECT ? &record->redirect
		    : t.kind == MR_SPF_EXP                      ? &record->exp
		                                                : NULL;

		if (once && once->p)
			return mr_err_set(err, MR_PERM, "redirect or exp twice (RFC 7208 6)");
		if (once)
			*once = t.spec;
		record->counted_n += mr_spf_term_is_counted(&t);
	}
	return st == MR_NOTFOUND ? MR_OK : st;
}
