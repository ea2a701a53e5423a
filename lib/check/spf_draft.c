#include "check/spf_draft.h"

#include <string.h>

#define TERM_MAX   512u /* bytes of a term that is mended */
#define STRING_MAX 255u

/* True if `c` is one of `set`; NUL, which may be data, never is. */
static bool
is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

static bool
parses(struct mr_str term, struct mr_spf_term *t)
{
	struct mr_str rest = term;

	return mr_spf_term_next(&rest, t, NULL) == MR_OK && rest.n == 0;
}

/* ---- versions ----------------------------------------------------------------------------------- */

static struct mr_str
skip(struct mr_str s, const char *set)
{
	while (s.n && is_one_of(s.p[0], set))
		s = mr_str_from(s, 1);
	return s;
}

/* What follows "v=spf1", or what was meant to be that; false: nothing like it. */
static bool
skip_version(struct mr_str *rest)
{
	struct mr_str s = skip(*rest, " \t\"'\\");
	bool has_v = false;

	if (mr_str_casestarts(s, "v")) {
		struct mr_str after = skip(mr_str_from(s, 1), " ");

		if (after.n && (after.p[0] == '=' || after.p[0] == ':')) {
			s = skip(mr_str_from(after, 1), " ");
			has_v = true;
		}
	}
	if (!mr_str_casestarts(s, "spf") && !(has_v && mr_str_casestarts(s, "sfp")))
		return false;
	s = skip(mr_str_from(s, 3), " ");
	if (mr_str_starts(s, "2.0"))
		return false; /* Sender ID (RFC 4406), another thing */
	if (s.n && is_one_of(s.p[0], "1lI!"))
		s = mr_str_from(s, 1);
	else if (!has_v)
		return false;
	if (!has_v && s.n && s.p[0] != ' ')
		return false;
	*rest = skip(s, ".0,;");
	return true;
}

bool
mr_spf_has_quotes(struct mr_str text)
{
	return mr_str_chr(text, '"') >= 0 || mr_str_chr(text, '\\') >= 0;
}

bool
mr_spf_is_like(struct mr_str text)
{
	struct mr_str rest = text;

	if (mr_spf_is_record(text))
		return mr_spf_has_quotes(text);
	return skip_version(&rest);
}

/* ---- terms that are misspelt ---------------------------------------------------------------------- */

/* How many letters are wrong, lacking, too many, or changed places; more than 2 is 3. */
static unsigned
distance(struct mr_str a, const char *word)
{
	unsigned row[3][16] = { { 0 } };
	size_t n = strlen(word);

	if (a.n > 14 || n > 14)
		return 3;
	for (size_t k = 0; k <= n; k++)
		row[0][k] = (unsigned)k;
	for (size_t i = 1; i <= a.n; i++) {
		unsigned *now = row[i % 3], *above = row[(i + 2) % 3], *two = row[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (size_t k = 1; k <= n; k++) {
			int c = mr_lower((unsigned char)a.p[i - 1]);
			unsigned d = above[k - 1] + (c != word[k - 1]);

			d = above[k] + 1 < d ? above[k] + 1 : d;
			d = now[k - 1] + 1 < d ? now[k - 1] + 1 : d;
			if (i > 1 && k > 1 && c == word[k - 2]
			    && mr_lower((unsigned char)a.p[i - 2]) == word[k - 1]
			    && two[k - 2] + 1 < d)
				d = two[k - 2] + 1;
			now[k] = d;
		}
	}
	return row[a.n % 3][n] > 2 ? 3 : row[a.n % 3][n];
}

/* The parts of a term as it stands: "-", "ipv4", "192.0.2.0/24". */
struct parts {
	struct mr_str qualifier, name, value;
};

static struct parts
take_apart(struct mr_str term)
{
	struct parts parts = { .qualifier = { term.p, 0 } };
	size_t n = 0;

	if (term.n && is_one_of(term.p[0], "+-~?"))
		parts.qualifier.n = 1;
	term = mr_str_from(term, parts.qualifier.n);
	while (n < term.n && term.p[n] != ':' && term.p[n] != '=' && term.p[n] != '/')
		n++;
	parts.name = (struct mr_str){ term.p, n };
	parts.value = mr_str_from(term, n);
	if (parts.value.n && parts.value.p[0] != '/')
		parts.value = skip(parts.value, ":=");
	while (parts.value.n && parts.value.p[parts.value.n - 1] == '/')
		parts.value.n--;
	return parts;
}

/* A mechanism with '=' where ':' belongs. */
static bool
is_mechanism(struct mr_str term)
{
	static const char *const names[] = { "include", "a", "mx", "ip4", "ip6", "exists" };
	struct mr_str name = take_apart(term).name;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (mr_str_caseis(name, names[i]))
			return true;
	return false;
}

static struct mr_str
put_together(const struct parts *parts, const char *name, struct mr_arena *arena)
{
	const char *sep = parts->value.n == 0 || parts->value.p[0] == '/' ? ""
	    : strcmp(name, "redirect") == 0 || strcmp(name, "exp") == 0   ? "="
	                                                                  : ":";

	return mr_arena_fmt(arena, "%.*s%s%s%.*s", (int)parts->qualifier.n, parts->qualifier.p,
	    name, sep, (int)parts->value.n, parts->value.p);
}

/* "192.0.2.1", "192.0.2.0/24", alone or behind a mechanism that takes none. */
static struct mr_str
as_network(const struct parts *parts, struct mr_str value, struct mr_arena *arena)
{
	struct mr_str address = value;
	ptrdiff_t slash = mr_str_chr(value, '/');
	struct mr_ip ip;

	if (slash >= 0)
		address.n = (size_t)slash;
	if (mr_ip_parse(&ip, address) != MR_OK)
		return (struct mr_str){ NULL, 0 };
	return mr_arena_fmt(arena, "%.*s%s:%.*s", (int)parts->qualifier.n, parts->qualifier.p,
	    ip.is_v6 ? "ip6" : "ip4", (int)value.n, value.p);
}

/* A term that parses instead of `term`; p NULL: nobody knows. */
static struct mr_str
mend(struct mr_str term, struct mr_arena *arena)
{
	static const char *const names[] = { "all", "include", "a", "mx", "ptr", "ip4", "ip6",
		"exists", "redirect", "exp" };
	struct parts parts = take_apart(term);
	struct mr_str whole = mr_str_from(term, parts.qualifier.n), best = { NULL, 0 }, try;
	struct mr_spf_term t;
	unsigned nearest = 3;

	if ((try = as_network(&parts, whole, arena)).p && parses(try, &t))
		return try;
	if ((try = as_network(&parts, parts.value, arena)).p && parses(try, &t))
		return try;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		unsigned d = distance(parts.name, names[i]);

		if (d >= nearest || d >= strlen(names[i]))
			continue;
		try = put_together(&parts, names[i], arena);
		if (try.p && parses(try, &t)) {
			best = try;
			nearest = d;
		}
	}
	return best;
}

/* ---- drafts --------------------------------------------------------------------------------------- */

void
mr_spf_draft_term(struct mr_spf_draft *draft, struct mr_str term)
{
	for (size_t i = 0; i < draft->n; i++)
		if (mr_str_caseeq(draft->term[i], term))
			return;
	if (draft->n < MR_SPF_DRAFT_MAX)
		draft->term[draft->n++] = term;
}

void
mr_spf_draft_drop(struct mr_spf_draft *draft, size_t i)
{
	memmove(&draft->term[i], &draft->term[i + 1], (--draft->n - i) * sizeof *draft->term);
}

bool
mr_spf_draft_insert(struct mr_spf_draft *draft, size_t at, struct mr_str term)
{
	for (size_t i = 0; i < draft->n; i++)
		if (mr_str_caseeq(draft->term[i], term)) {
			if (i < at)
				return false;
			mr_spf_draft_drop(draft, i);
			break;
		}
	if (draft->n == MR_SPF_DRAFT_MAX)
		return false;
	memmove(&draft->term[at + 1], &draft->term[at], (draft->n++ - at) * sizeof *draft->term);
	draft->term[at] = term;
	return true;
}

/* Quotes and backslashes out; `" "` joins the strings that were pasted. */
static struct mr_str
unquote(struct mr_str text, struct mr_arena *arena)
{
	struct mr_str out = mr_arena_dup(arena, text);
	size_t n = 0;
	char *p;

	memcpy(&p, &out.p, sizeof p);
	for (size_t i = 0; p && i < text.n; i++) {
		size_t k = i + 1;

		if (text.p[i] == '\\')
			continue;
		if (i + 1 < text.n && text.p[i] == '\xc2' && text.p[i + 1] == '\xa0') {
			p[n++] = ' '; /* a blank that does not break, of a web page */
			i++;
			continue;
		}
		if (text.p[i] != '"') {
			p[n++] = text.p[i];
			continue;
		}
		while (k < text.n && (text.p[k] == ' ' || text.p[k] == '\\'))
			k++;
		if (k > i + 1 && k < text.n && text.p[k] == '"')
			i = k;
	}
	out.n = n;
	return out;
}

/* The next term off *rest as a blank ends it, with what was torn off: "ip4: 192.0.2.1", "- all". */
static struct mr_str
next_word(struct mr_str *rest, struct mr_arena *arena)
{
	struct mr_str word = mr_str_word(rest), more;
	struct mr_spf_term t;

	while (word.n && !(parses(word, &t) && t.kind != MR_SPF_UNKNOWN)
	    && (word.p[word.n - 1] == ':' || word.p[word.n - 1] == '='
	        || (word.n == 1 && is_one_of(word.p[0], "+-~?")))
	    && (more = mr_str_word(rest)).n)
		word = mr_arena_fmt(arena, "%.*s%.*s", (int)word.n, word.p, (int)more.n, more.p);
	if (mr_str_starts(word, "\xe2\x80\x93")) /* an en dash, of a word processor */
		word = mr_arena_fmt(arena, "-%.*s", (int)word.n - 3, word.p + 3);
	while (word.n && is_one_of(word.p[word.n - 1], ",;"))
		word.n--;
	return word;
}

static bool
is_stricter(char a, char than)
{
	static const char order[] = "+?~-";

	return than == '\0' || strchr(order, a) > strchr(order, than);
}

/* The mechanism "all": its qualifier. */
static char
qualifier_of(struct mr_str all)
{
	return is_one_of(all.p[0], "+-~?") ? all.p[0] : '+';
}

enum mr_status
mr_spf_draft_add(
    struct mr_spf_draft *draft, struct mr_str text, struct mr_arena *arena, struct mr_err *err)
{
	struct mr_str rest = unquote(text, arena), redirect = { NULL, 0 }, word;
	bool has_all = false;
	struct mr_spf_term t;

	if (!rest.p)
		return mr_err_set(err, MR_TEMP, "out of memory");
	skip_version(&rest);
	while (!has_all && (word = next_word(&rest, arena)).n) {
		if (word.n > TERM_MAX)
			return mr_err_set(err, MR_PERM, "a term is too long");
		if (mr_str_casestarts(word, "v=spf"))
			continue;
		/* "include=a.example" is a modifier that says nothing: nobody means that. */
		if (!parses(word, &t) || (t.kind == MR_SPF_UNKNOWN && is_mechanism(word))) {
			struct mr_str good = mend(word, arena);

			if (!good.p || !parses(good, &t))
				return mr_err_set(err, MR_PERM, "'%.*s' cannot be guessed",
				    (int)(word.n < 80 ? word.n : 80), word.p);
		}
		if (t.kind == MR_SPF_ALL) {
			has_all = true;
			if (is_stricter(qualifier_of(t.text), draft->all))
				draft->all = qualifier_of(t.text);
		} else if (t.kind == MR_SPF_UNKNOWN && is_one_of(t.text.p[t.text.n - 1], ":="))
			continue; /* says nothing, and would join the next word */
		else if (t.kind == MR_SPF_REDIRECT)
			redirect = t.text;
		else
			mr_spf_draft_term(draft, t.text);
	}
	if (!has_all && redirect.p)
		draft->redirect = redirect;
	return MR_OK;
}

struct mr_str
mr_spf_draft_text(const struct mr_spf_draft *draft, struct mr_arena *arena)
{
	struct mr_str out = { NULL, 0 };
	struct mr_buf b;

	mr_buf_init(&b, MR_SPF_RECORD_MAX);
	mr_buf_adds(&b, "v=spf1");
	for (size_t i = 0; i < draft->n; i++) {
		mr_buf_addc(&b, ' ');
		mr_buf_add(&b, draft->term[i]);
	}
	if (draft->redirect.p) { /* beside an "all" of another record it is one domain more */
		struct parts parts = take_apart(draft->redirect);

		mr_buf_addf(&b, draft->all ? " include:%.*s" : " redirect=%.*s", (int)parts.value.n,
		    parts.value.p);
	}
	if (draft->all)
		mr_buf_addf(&b, " %call", draft->all);
	if (!b.is_full)
		out = mr_arena_dup(arena, mr_buf_str(&b));
	mr_buf_free(&b);
	return out;
}

/* ---- strings that were joined ------------------------------------------------------------------------ */

/* The words left and right of `at` in `text` parse, and what they join to does not, or a string that is
 * short of 255 octets ends there: then nobody's program cut it. */
static bool
is_lost(struct mr_str text, size_t at, bool is_short, struct mr_str *joined)
{
	size_t from = at, to = at;
	struct mr_spf_term t;
	bool is_version;

	if (at == 0 || at == text.n || text.p[at - 1] == ' ' || text.p[at] == ' ')
		return false;
	while (from > 0 && text.p[from - 1] != ' ')
		from--;
	while (to < text.n && text.p[to] != ' ')
		to++;
	is_version = from == 0 && mr_str_caseis((struct mr_str){ text.p, at }, "v=spf1");
	*joined = (struct mr_str){ text.p + from, to - from };
	return (is_version || parses((struct mr_str){ text.p + from, at - from }, &t))
	    && parses((struct mr_str){ text.p + at, to - at }, &t)
	    && (is_short || !parses(*joined, &t));
}

enum mr_status
mr_spf_join(struct mr_str *text, struct mr_str *joined, struct mr_str strings,
    struct mr_arena *arena, struct mr_err *err)
{
	struct mr_str rest = strings, whole, term;
	struct mr_buf b;
	enum mr_status st = MR_OK;
	size_t at = 0;

	*joined = (struct mr_str){ NULL, 0 };
	mr_buf_init(&b, 65536);
	for (; rest.n; rest = mr_str_from(rest, 1 + (size_t)(unsigned char)rest.p[0]))
		mr_buf_add(&b, (struct mr_str){ rest.p + 1, (size_t)(unsigned char)rest.p[0] });
	whole = mr_arena_dup(arena, mr_buf_str(&b));
	mr_buf_clear(&b);
	for (rest = strings; whole.p && rest.n;
	     rest = mr_str_from(rest, 1 + (size_t)(unsigned char)rest.p[0])) {
		size_t n = (unsigned char)rest.p[0];

		mr_buf_add(&b, (struct mr_str){ rest.p + 1, n });
		at += n;
		if (n && is_lost(whole, at, n < STRING_MAX, &term)) {
			mr_buf_addc(&b, ' ');
			if (!joined->p)
				*joined = term;
		}
	}
	*text = mr_arena_dup(arena, mr_buf_str(&b));
	if (!whole.p || !text->p || b.is_full)
		st = mr_err_set(err, MR_TEMP, "out of memory");
	mr_buf_free(&b);
	return st;
}
