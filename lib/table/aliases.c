#include "table/aliases.h"

#include "mail/addr.h"

#include <string.h>

static enum mr_status
no_memory(struct mr_err *err)
{
	return mr_err_set(err, MR_TEMP, "out of memory");
}

/* ---- a line of text ---------------------------------------------------------------------------- */

/* "2026-12-31", a day that there is. */
static bool
is_date(struct mr_str s)
{
	static const unsigned char days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	struct mr_str year, month;
	uint64_t y, m, d;

	if (s.n != MR_ALIAS_DATE_N || !mr_str_split(&s, '-', &year) || year.n != 4
	    || !mr_str_split(&s, '-', &month) || month.n != 2 || !mr_str_num(year, 9999, &y)
	    || !mr_str_num(month, 12, &m) || !mr_str_num(s, 31, &d) || m == 0 || d == 0)
		return false;
	return d <= days[m - 1] && (m != 2 || d < 29 || (y % 4 == 0 && (y % 100 || y % 400 == 0)));
}

/* Reads "local@domain", or "local" of a domain to be named later: *text is then the local part. */
static enum mr_status
parse_address(struct mr_str *text, struct mr_arena *arena, struct mr_str word, struct mr_err *err)
{
	ptrdiff_t at = mr_str_rchr(word, '@');
	bool is_bare = at < 0 || (word.p[0] == '"' && word.p[word.n - 1] == '"');
	struct mr_str whole = is_bare ? mr_arena_fmt(arena, "%.*s@x", (int)word.n, word.p) : word;
	struct mr_addr addr;
	struct mr_err why;
	enum mr_status st = whole.p ? mr_addr_parse(&addr, arena, whole, &why) : no_memory(&why);

	if (st == MR_TEMP)
		return no_memory(err);
	if (st)
		return mr_err_set(err, MR_PERM,
		    "'%.*s' is not an address (%s); write local@domain, or the local part alone",
		    (int)word.n, word.p, why.text);
	*text = is_bare ? addr.local : addr.text;
	return MR_OK;
}

/* A comment or a date would stand there, were it not in quotes. */
static bool
needs_quotes(struct mr_str text)
{
	return mr_str_starts(text, "#") || mr_str_starts(text, "until=");
}

/* "@domain", and in a key "@.domain". */
static enum mr_status
check_domain(struct mr_str word, bool is_key, struct mr_err *err)
{
	struct mr_str domain = mr_str_from(word, 1);

	if (is_key && domain.n && domain.p[0] == '.')
		domain = mr_str_from(domain, 1);
	if (mr_domain_is_valid(domain) || (domain.p == word.p + 1 && mr_domain_is_literal(domain)))
		return MR_OK;
	return mr_err_set(err, MR_PERM, "'%.*s' is not @domain%s", (int)word.n, word.p,
	    is_key ? " or @.domain; write @example.org for all its mailboxes that have no entry"
	           : "; write @example.org for the same mailbox there");
}

enum mr_status
mr_alias_key_parse(
    struct mr_key *key, struct mr_arena *arena, struct mr_str word, struct mr_err *err)
{
	struct mr_str text;
	enum mr_status st;

	if (word.n == 0)
		return mr_err_set(err, MR_PERM, "a key is missing");
	if (mr_str_is(word, "*"))
		return mr_err_set(err, MR_PERM,
		    "'*' is no key here; write @domain for all mailboxes of a domain that have no "
		    "entry");
	if (word.n && word.p[0] == '@') {
		if ((st = check_domain(word, true, err)))
			return st;
		text = mr_str_from(word, 1);
		key->kind = text.p[0] == '.' ? MR_KEY_BELOW : MR_KEY_DOMAIN;
	} else {
		if ((st = parse_address(&text, arena, word, err)))
			return st;
		key->kind = MR_KEY_MAILBOX;
		if (mr_str_rchr(text, '@') < 0 || text.p[text.n - 1] == '"')
			text = mr_arena_fmt(arena, "%.*s@", (int)text.n, text.p);
	}
	key->text = text.p ? mr_arena_lower(arena, text) : text;
	return key->text.p ? MR_OK : no_memory(err);
}

/* Takes a word off `rest`: up to a blank or comma that does not stand in quotes.  n 0: the end, or a
 * comment. */
static struct mr_str
take_word(struct mr_str *rest)
{
	struct mr_str s = *rest, word;
	bool is_quoted = false;
	size_t from = 0, i;

	while (from < s.n && (s.p[from] == ' ' || s.p[from] == '\t' || s.p[from] == ','))
		from++;
	for (i = from; i < s.n; i++) {
		if (is_quoted && s.p[i] == '\\' && i + 1 < s.n)
			i++;
		else if (s.p[i] == '"')
			is_quoted = !is_quoted;
		else if (!is_quoted && (s.p[i] == ' ' || s.p[i] == '\t' || s.p[i] == ','))
			break;
	}
	if (from < s.n && s.p[from] == '#')
		i = from;
	word = (struct mr_str){ s.p + from, i - from };
	*rest = mr_str_from(s, i);
	return word;
}

static enum mr_status
parse_target(struct mr_str *text, struct mr_arena *arena, const struct mr_key *key,
    struct mr_str word, struct mr_err *err)
{
	enum mr_status st;
	ptrdiff_t at;

	if (word.p[0] != '@') {
		if ((st = parse_address(text, arena, word, err)) || !needs_quotes(*text))
			return st;
		at = mr_str_rchr(*text, '@');
		at = at < 0 ? (ptrdiff_t)text->n : at;
		*text = mr_arena_fmt(
		    arena, "\"%.*s\"%.*s", (int)at, text->p, (int)text->n - (int)at, text->p + at);
		return text->p ? MR_OK : no_memory(err);
	}
	if (key->kind == MR_KEY_MAILBOX)
		return mr_err_set(err, MR_PERM,
		    "'%.*s' stands for the same mailbox there, which is for keys like @domain; "
		    "write local@domain",
		    (int)word.n, word.p);
	*text = mr_arena_lower(arena, word);
	return text->p ? check_domain(word, false, err) : no_memory(err);
}

enum mr_status
mr_alias_line_parse(struct mr_key *key, struct mr_str *value, struct mr_arena *arena,
    struct mr_str line, struct mr_err *err)
{
	struct mr_str word = take_word(&line), until = { NULL, 0 }, text;
	struct mr_buf out;
	enum mr_status st = mr_alias_key_parse(key, arena, word, err);
	struct mr_str name = word;
	size_t n = 0;

	mr_buf_init(&out, 2 * MR_TABLE_LINE_MAX);
	while (st == MR_OK && (word = take_word(&line)).n) {
		if (!mr_str_starts(word, "until=")) {
			if ((st = parse_target(&text, arena, key, word, err)) == MR_OK)
				mr_buf_addf(&out, "%s%.*s", n++ ? " " : "", (int)text.n, text.p);
		} else if (until.p || !is_date(mr_str_from(word, 6)))
			st = mr_err_set(err, MR_PERM,
			    "'%.*s': need one date, the last day of the entry, as in "
			    "until=2026-12-31",
			    (int)word.n, word.p);
		else
			until = word;
	}
	if (st == MR_OK && n == 0)
		st = mr_err_set(err, MR_PERM, "no address behind '%.*s'; write where its mail goes",
		    (int)name.n, name.p);
	if (st == MR_OK) {
		text = mr_buf_str(&out);
		*value = mr_arena_fmt(arena, "%.*s%s%.*s", (int)until.n, until.p,
		    until.n ? " " : "", (int)text.n, text.p);
		if (out.is_full || !value->p)
			st = no_memory(err);
	}
	mr_buf_free(&out);
	return st;
}

/* ---- a value ----------------------------------------------------------------------------------- */

struct mr_str
mr_alias_until(struct mr_str *value)
{
	struct mr_str until = { NULL, 0 };

	if (mr_str_starts(*value, "until="))
		until = mr_str_from(take_word(value), 6);
	return until;
}

struct mr_str
mr_alias_next(struct mr_str *value)
{
	return take_word(value);
}

struct mr_str
mr_alias_without_tag(struct mr_str local)
{
	ptrdiff_t tag = mr_str_chr(local, MR_ALIAS_TAG);

	if (tag > 0 && local.p[0] != '"')
		local.n = (size_t)tag;
	return local;
}

/* ---- looking up -------------------------------------------------------------------------------- */

/* MR_NOTFOUND: it is over. */
static enum mr_status
take_value(struct mr_alias *alias, struct mr_str value, struct mr_str today)
{
	alias->until = mr_alias_until(&value);
	if (alias->until.p
	    && (alias->until.n != today.n || memcmp(alias->until.p, today.p, today.n) < 0))
		return MR_NOTFOUND;
	alias->target = value;
	return MR_OK;
}

/* The entry of local@domain, or of `local` without its tag; `domain` empty: of the local part alone. */
static enum mr_status
find_mailbox(const struct mr_table *table, struct mr_arena *arena, struct mr_str local,
    struct mr_str domain, struct mr_str today, struct mr_alias *alias)
{
	struct mr_str short_local = mr_alias_without_tag(local), value;
	struct mr_str key =
	    mr_arena_fmt(arena, "%.*s@%.*s", (int)local.n, local.p, (int)domain.n, domain.p);
	enum mr_status st = key.p ? mr_table_get_mailbox(table, key, &value) : MR_TEMP;

	if (st == MR_OK)
		st = take_value(alias, value, today);
	alias->key = key;
	alias->key.n -= domain.n == 0;
	return st == MR_NOTFOUND && short_local.n < local.n
	    ? find_mailbox(table, arena, short_local, domain, today, alias)
	    : st;
}

static enum mr_status
find_domain(const struct mr_table *table, struct mr_arena *arena, struct mr_str domain,
    struct mr_str today, struct mr_alias *alias)
{
	struct mr_str key, value;
	enum mr_status st = mr_table_get_domain(table, domain, &key, &value);

	if (st || (st = take_value(alias, value, today)))
		return st;
	alias->key = mr_arena_fmt(arena, "@%.*s", (int)key.n, key.p);
	return alias->key.p ? MR_OK : MR_TEMP;
}

enum mr_status
mr_alias_find(const struct mr_table *table, struct mr_arena *arena, struct mr_str local,
    struct mr_str domain, bool is_ours, bool is_named, struct mr_str today, struct mr_alias *alias,
    struct mr_err *err)
{
	struct mr_alias of_domain = { .until = { NULL, 0 } };
	struct mr_str target;
	enum mr_status st = find_mailbox(table, arena, local, domain, today, alias), catches;
	bool is_synonym = false;

	if (st == MR_NOTFOUND) {
		catches = find_domain(table, arena, domain, today, &of_domain);
		if (catches == MR_OK) {
			target = of_domain.target;
			is_synonym = mr_str_starts(mr_alias_next(&target), "@");
		}
		if (is_ours && !is_synonym)
			st = find_mailbox(table, arena, local, MR_STR(""), today, alias);
		if (st == MR_NOTFOUND && (is_synonym || is_named)) {
			*alias = of_domain;
			st = catches;
		}
	}
	return st == MR_TEMP
	    ? mr_err_set(err, st, "the table of aliases is damaged, or out of memory")
	    : st;
}
