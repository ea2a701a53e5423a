#include "mail/mimefield.h"

#include "mail/mimeword.h"

#include <string.h>

#define VALUE_MAX (2 * MR_MIME_PARAM_BYTES) /* room for a value and for what it becomes */
#define UNFOLD_MAX \
	4096u /* bytes of a field that is read without its folds and encoded words, too */

struct section {
	unsigned at; /* its number */
	struct mr_str value;
};

/* One look through a field for the parameters called *name. */
struct search {
	const char *key; /* in lower case; what is before it does not matter: filename is a name */
	void (*value)(const struct search *s, struct mr_str rest, bool is_extended);
	const struct mr_mime_taker *taker;
	struct section section[MR_MIME_PARAM_SECTIONS];
	unsigned section_n, param_n;
	bool is_over;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct mr_str
tail(struct mr_str s)
{
	return s.n > MR_MIME_PARAM_BYTES ? mr_str_from(s, s.n - MR_MIME_PARAM_BYTES) : s;
}

/* Blanks and comments; a comment that does not end is none. */
static size_t
skip_cfws(struct mr_str s, size_t i)
{
	for (; i < s.n; i++) {
		unsigned depth = 0;
		size_t k = i;

		if (is_blank(s.p[i]))
			continue;
		if (s.p[i] != '(')
			break;
		for (; k < s.n && k - i < MR_MIME_PARAM_BYTES; k++) {
			depth += s.p[k] == '(';
			if (s.p[k] == ')' && --depth == 0)
				break;
			if (s.p[k] == '\\')
				k++;
		}
		if (depth || k >= s.n)
			break;
		i = k;
	}
	return i;
}

/* ---- where a value ends ------------------------------------------------------------------------- */

/* To the quote that is not escaped, escapes undone. */
static struct mr_str
quoted(char *out, struct mr_str s)
{
	size_t n = 0;

	for (size_t i = 1; i < s.n && s.p[i] != s.p[0] && n < MR_MIME_PARAM_BYTES; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		out[n++] = s.p[i];
	}
	return (struct mr_str){ out, n };
}

/* To the semicolon, without quotes and, if so wanted, backslashes. */
static struct mr_str
unquoted(char *out, struct mr_str s, bool keep_backslash)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n && s.p[i] != ';' && n < MR_MIME_PARAM_BYTES; i++)
		if (s.p[i] != '"' && (keep_backslash || s.p[i] != '\\'))
			out[n++] = s.p[i];
	return (struct mr_str){ out, n };
}

static struct mr_str
upto(struct mr_str s, const char *ends)
{
	size_t i = 0;

	while (i < s.n && !(s.p[i] && strchr(ends, s.p[i])))
		i++;
	return (struct mr_str){ s.p, i };
}

/* Hands out the value at the start of `rest` for each end that it may have. */
static void
each_end(struct mr_str rest, void (*take)(void *ctx, struct mr_str value), void *ctx)
{
	char room[VALUE_MAX];

	if (rest.n == 0)
		return;
	if (rest.p[0] == '"' || rest.p[0] == '\'') {
		const char quote[] = { rest.p[0], '\0' };

		take(ctx, quoted(room, rest));
		take(ctx, tail(upto(mr_str_from(rest, 1), quote)));
	} else
		take(ctx, tail(upto(rest, "; \t\r\n")));
	take(ctx, unquoted(room, rest, true));
	if (memchr(rest.p, '\\', rest.n))
		take(ctx, unquoted(room, rest, false));
	if (rest.n > MR_MIME_PARAM_BYTES)
		take(ctx, tail(upto(rest, ";")));
}

/* ---- parameters ------------------------------------------------------------------------------------ */

static void
keep_section(struct search *s, unsigned at, struct mr_str rest)
{
	unsigned i = s->section_n;

	if (i == MR_MIME_PARAM_SECTIONS) {
		s->is_over = true;
		return;
	}
	for (; i && s->section[i - 1].at > at; i--)
		s->section[i] = s->section[i - 1];
	s->section[i] = (struct section){ at, rest };
	s->section_n++;
}

/* What stands behind the name: "*3*", blanks and comments, "=". */
static size_t
read_param(struct search *s, struct mr_str field, size_t i)
{
	bool is_section = false, is_extended = false;
	unsigned at = 0;
	struct mr_str rest;

	if (i < field.n && field.p[i] == '*') {
		for (i++; i < field.n && field.p[i] >= '0' && field.p[i] <= '9'; i++) {
			is_section = true;
			at = at < 100000 ? at * 10 + (unsigned)(field.p[i] - '0') : at;
		}
		is_extended = !is_section || (i < field.n && field.p[i] == '*');
		i += is_section && is_extended;
	}
	i = skip_cfws(field, i);
	if (i == field.n || field.p[i] != '=')
		return i;
	if (s->param_n++ == MR_MIME_PARAM_MAX) {
		s->is_over = true;
		return field.n;
	}
	i = skip_cfws(field, i + 1);
	rest = mr_str_from(field, i);
	if (rest.n > MR_MIME_PARAM_LONG) {
		rest.n = MR_MIME_PARAM_LONG;
		s->is_over |= mr_str_chr(rest, ';') < 0;
	}
	s->value(s, rest, is_extended);
	if (is_section)
		keep_section(s, at, rest);
	return i;
}

/* The first reading of each section counts: quotes undone, or to the semicolon. */
static void
join_sections(const struct search *s)
{
	char joined[VALUE_MAX], room[VALUE_MAX];
	size_t n = 0;

	for (unsigned i = 0; i < s->section_n; i++) {
		struct mr_str rest = s->section[i].value, v;

		v = rest.n && rest.p[0] == '"' ? quoted(room, rest) : upto(rest, "; \t\r\n");
		if (v.n > VALUE_MAX - n)
			v.n = VALUE_MAX - n;
		memcpy(joined + n, v.p, v.n);
		n += v.n;
	}
	/* As a quoted string, so that nothing in it ends it. */
	if (s->section_n > 1)
		s->value(s, (struct mr_str){ joined, n }, true);
}

static bool
search(struct search *s, struct mr_str field)
{
	size_t key_n = strlen(s->key);

	for (size_t i = 0; i + key_n < field.n;) {
		const char first = s->key[0];
		size_t k = i;

		while (k + key_n < field.n && mr_lower((unsigned char)field.p[k]) != first)
			k++;
		i = k + 1;
		if (mr_str_casestarts(mr_str_from(field, k), s->key))
			i = read_param(s, field, k + key_n);
	}
	join_sections(s);
	return !s->is_over;
}

/* The field without what folding put into it. */
static struct mr_str
unfold(char *out, struct mr_str field)
{
	size_t n = 0;

	while (field.n) {
		if (field.p[0] == '\n' || field.p[0] == '\r') {
			while (field.n && is_blank(field.p[0]))
				field = mr_str_from(field, 1);
			continue;
		}
		out[n++] = field.p[0];
		field = mr_str_from(field, 1);
	}
	return (struct mr_str){ out, n };
}

/* The field as it is, with nothing where a line was folded, and with its encoded words undone. */
static bool
search_all(const char *key,
    void (*value)(const struct search *s, struct mr_str rest, bool is_extended),
    struct mr_str field, const struct mr_mime_taker *taker)
{
	const struct search fresh = { .key = key, .value = value, .taker = taker };
	struct search s = fresh;
	char room[UNFOLD_MAX];
	bool is_whole = search(&s, field);

	if (field.n <= sizeof room && memchr(field.p, '\n', field.n)) {
		s = fresh;
		is_whole &= search(&s, unfold(room, field));
	}
	if (field.n > 4 && field.n <= UNFOLD_MAX && memmem(field.p, field.n, "=?", 2)) {
		s = fresh;
		is_whole &= search(&s, mr_mime_unword(room, field));
	}
	return is_whole;
}

static void
take_name(void *ctx, struct mr_str value)
{
	mr_mime_word_readings(value, ctx);
}

static void
name_value(const struct search *s, struct mr_str rest, bool is_extended)
{
	struct mr_mime_taker taker = *s->taker;

	(void)is_extended; /* programs decode %xx and encoded words anywhere */
	each_end(rest, take_name, &taker);
}

bool
mr_mime_names(struct mr_str value, const struct mr_mime_taker *taker)
{
	return search_all("name", name_value, value, taker);
}

static void
take_boundary(void *ctx, struct mr_str value)
{
	const struct mr_mime_taker *taker = ctx;
	char room[VALUE_MAX];

	while (value.n && is_blank(value.p[value.n - 1]))
		value.n--;
	taker->take(taker->ctx, value);
	if (mr_str_chr(value, '%') >= 0)
		taker->take(taker->ctx, mr_mime_unpercent(room, value));
}

static void
boundary_value(const struct search *s, struct mr_str rest, bool is_extended)
{
	struct mr_mime_taker taker = *s->taker;

	(void)is_extended;
	if (rest.n == 0)
		take_boundary(&taker, rest);
	each_end(rest, take_boundary, &taker);
}

bool
mr_mime_boundaries(struct mr_str value, const struct mr_mime_taker *taker)
{
	return search_all("boundary", boundary_value, value, taker);
}

/* ---- types and encodings --------------------------------------------------------------------------- */

void
mr_mime_types(struct mr_str value, const struct mr_mime_taker *taker)
{
	char type[MR_MIME_PARAM_BYTES];
	size_t n = 0;

	for (size_t i = skip_cfws(value, 0);; i = skip_cfws(value, i + 1)) {
		char c = i < value.n ? value.p[i] : ';';
		bool is_end = c == ';' || c == ',';

		if (!is_end && c != '"' && n < sizeof type)
			type[n++] = (char)mr_lower((unsigned char)c);
		if (is_end && n)
			taker->take(taker->ctx, (struct mr_str){ type, n });
		if (is_end)
			n = 0;
		if (c == ';')
			return;
	}
}

static bool
holds(struct mr_str value, const char *word)
{
	for (size_t i = 0; i < value.n && i < MR_MIME_PARAM_BYTES; i++)
		if (mr_str_casestarts(mr_str_from(value, i), word))
			return true;
	return false;
}

bool
mr_mime_may_be_base64(struct mr_str value)
{
	return holds(value, "64");
}

bool
mr_mime_may_be_qp(struct mr_str value)
{
	return holds(value, "quoted") || holds(value, "printable");
}
