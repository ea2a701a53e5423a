#include "table/table_text.h"

#include "mail/addr.h"
#include "table/aliases.h"
#include "table/attach.h"
#include "table/routes.h"

#include <string.h>

static enum mr_status
no_memory(struct mr_err *err)
{
	return mr_err_set(err, MR_TEMP, "out of memory");
}

/* ---- keys ------------------------------------------------------------------------------------ */

static bool
is_digits(struct mr_str s)
{
	uint64_t n;

	return mr_str_num(s, UINT64_MAX, &n);
}

/* Its last label is a number, as no top-level domain is: meant as an address. */
static bool
is_like_ip(struct mr_str s)
{
	ptrdiff_t dot;

	if (mr_str_chr(s, '/') >= 0 || mr_str_chr(s, ':') >= 0)
		return true;
	while (s.n && s.p[s.n - 1] == '.')
		s.n--;
	dot = mr_str_rchr(s, '.');
	return is_digits(mr_str_from(s, dot < 0 ? 0 : (size_t)dot + 1));
}

static enum mr_status
parse_net(struct mr_key *key, struct mr_arena *arena, struct mr_str text, struct mr_err *err)
{
	char storage[MR_NET_TEXT_MAX];
	struct mr_err why = { "" };

	if (mr_net_parse(&key->net, text, &why))
		return mr_err_set(err, MR_PERM, "%s%s", why.text,
		    strchr(why.text, '?')
		        ? ""
		        : "; write an address like 192.0.2.1 or a network like 192.0.2.0/24");
	key->kind = MR_KEY_NET;
	key->text = mr_arena_dup(arena, mr_net_text(storage, &key->net));
	return key->text.p ? MR_OK : no_memory(err);
}

static enum mr_status
parse_mailbox(struct mr_key *key, struct mr_arena *arena, struct mr_str text, struct mr_err *err)
{
	struct mr_err why = { "" };
	struct mr_addr addr;
	enum mr_status st = mr_addr_parse(&addr, arena, text, &why);

	if (st == MR_TEMP)
		return no_memory(err);
	if (st)
		return mr_err_set(err, MR_PERM,
		    "'%.*s' is not a mailbox (%s); write local@domain, or a domain alone for all "
		    "its mailboxes",
		    (int)text.n, text.p, why.text);
	key->kind = MR_KEY_MAILBOX;
	key->text = mr_arena_lower(arena, addr.text);
	return key->text.p ? MR_OK : no_memory(err);
}

static enum mr_status
parse_domain(struct mr_key *key, struct mr_arena *arena, struct mr_str text, struct mr_err *err)
{
	bool is_below = text.p[0] == '.';
	struct mr_str domain = mr_str_from(text, is_below);

	if (domain.n && domain.p[domain.n - 1] == '.')
		return mr_err_set(err, MR_PERM, "'%.*s' ends in a dot; write the domain without it",
		    (int)text.n, text.p);
	if (!mr_domain_is_valid(domain) && (is_below || !mr_domain_is_literal(domain)))
		return mr_err_set(err, MR_PERM,
		    "'%.*s' is not a key; write an address, network, local@domain, domain or "
		    ".domain",
		    (int)text.n, text.p);
	key->kind = is_below ? MR_KEY_BELOW : MR_KEY_DOMAIN;
	key->text = mr_arena_lower(arena, text);
	return key->text.p ? MR_OK : no_memory(err);
}

enum mr_status
mr_key_parse(struct mr_key *key, struct mr_arena *arena, struct mr_str text, struct mr_err *err)
{
	*key = (struct mr_key){ .kind = MR_KEY_DEFAULT, .text = MR_STR("*") };
	if (text.n == 0)
		return mr_err_set(err, MR_PERM, "a key is missing");
	if (mr_str_is(text, "*"))
		return MR_OK;
	if (mr_str_chr(text, '@') >= 0 || text.p[0] == '"')
		return parse_mailbox(key, arena, text, err);
	if (text.p[0] != '[' && is_like_ip(text))
		return parse_net(key, arena, text, err);
	return parse_domain(key, arena, text, err);
}

/* ---- lines ----------------------------------------------------------------------------------- */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Takes a key off `rest`: up to a blank or `sep` that does not stand in quotes. */
static struct mr_str
take_key(struct mr_str *rest, char sep)
{
	struct mr_str s = mr_str_trim(*rest);
	bool is_quoted = false;
	size_t i = 0;

	for (; i < s.n; i++) {
		if (is_quoted && s.p[i] == '\\' && i + 1 < s.n)
			i++;
		else if (s.p[i] == '"')
			is_quoted = !is_quoted;
		else if (!is_quoted && (is_blank(s.p[i]) || s.p[i] == sep))
			break;
	}
	*rest = mr_str_from(s, i);
	return (struct mr_str){ s.p, i };
}

/* Without a comment (that begins with '#' behind blanks) and the blanks at both ends. */
static struct mr_str
without_comment(struct mr_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '#' && i > 0 && is_blank(s.p[i - 1]))
			s.n = i;
	return mr_str_trim(s);
}

static enum mr_status
parse_map(struct mr_table_line *l, struct mr_arena *arena, struct mr_str line, struct mr_err *err)
{
	struct mr_str key = take_key(&line, '\0');

	l->value = without_comment(line);
	return mr_key_parse(&l->key, arena, key, err);
}

static enum mr_status
parse_access(
    struct mr_table_line *l, struct mr_arena *arena, struct mr_str line, struct mr_err *err)
{
	struct mr_str verb = mr_str_word(&line), key, comment;
	bool is_permit = mr_str_caseis(verb, "permit");
	enum mr_status st;

	if (!is_permit && !mr_str_caseis(verb, "forbid"))
		return mr_err_set(err, MR_PERM,
		    "'%.*s' is neither permit nor forbid; write 'permit X' or 'forbid X'",
		    (int)verb.n, verb.p);
	key = take_key(&line, '\0');
	if (key.n == 0 || key.p[0] == '#')
		return mr_err_set(err, MR_PERM,
		    "nothing behind '%.*s'; write an address, network, local@domain, domain or "
		    ".domain",
		    (int)verb.n, verb.p);
	if ((st = mr_key_parse(&l->key, arena, key, err)))
		return st;
	if (l->key.kind == MR_KEY_DEFAULT)
		return mr_err_set(err, MR_PERM,
		    "'*' is not a key here; for every client write 0.0.0.0/0 and ::/0");
	comment = without_comment(line);
	l->value = mr_arena_fmt(arena, "%s%s%.*s", is_permit ? "permit" : "forbid",
	    comment.n ? " " : "", (int)comment.n, comment.p);
	return l->value.p ? MR_OK : no_memory(err);
}

/* "host[:port] ..." with one blank between, or "local". */
static enum mr_status
parse_hosts(struct mr_table_line *l, struct mr_arena *arena, struct mr_str line, struct mr_str key,
    struct mr_err *err)
{
	bool is_default = l->key.kind == MR_KEY_DEFAULT, has_local = false;
	struct mr_str rest = line, word, host;
	size_t word_n = 0;
	unsigned port;
	char *to;

	if (!(to = mr_arena_alloc(arena, line.n + 1)))
		return no_memory(err);
	l->value = (struct mr_str){ to, 0 };
	for (; (word = mr_str_word(&rest)).n; word_n++) {
		bool is_local = mr_str_caseis(word, "local");
		enum mr_status st = is_local ? MR_OK : mr_nexthop_parse(word, &host, &port, err);

		if (st)
			return st;
		has_local |= is_local;
		if (word_n)
			to[l->value.n++] = ' ';
		for (size_t i = 0; i < word.n; i++)
			to[l->value.n++] = (char)mr_lower((unsigned char)word.p[i]);
	}
	if (word_n == 0)
		return mr_err_set(err, MR_PERM, "no host behind '%.*s'; write '%.*s host%s",
		    (int)key.n, key.p, (int)key.n, key.p,
		    is_default ? "'" : "', or 'local' for mailboxes on this host");
	if (has_local && is_default)
		return mr_err_set(err, MR_PERM,
		    "'* local' would make every domain ours; name the domains that are local");
	if (has_local && word_n > 1)
		return mr_err_set(
		    err, MR_PERM, "'local' stands alone; for a host of that name write local:25");
	return MR_OK;
}

static enum mr_status
parse_route(struct mr_table_line *l, struct mr_arena *arena, struct mr_str line, struct mr_err *err)
{
	struct mr_str key = take_key(&line, '|');
	enum mr_status st = mr_key_parse(&l->key, arena, key, err);

	if (st)
		return st;
	if (l->key.kind == MR_KEY_NET || l->key.kind == MR_KEY_MAILBOX)
		return mr_err_set(err, MR_PERM,
		    "'%.*s' is %s; a route begins with a domain, .domain or *", (int)key.n, key.p,
		    l->key.kind == MR_KEY_NET ? "an address or network" : "a mailbox");
	line = without_comment(line);
	if (line.n && line.p[0] == '|')
		line = mr_str_from(line, 1);
	return parse_hosts(l, arena, line, key, err);
}

/* The key is for who counts the lines. */
static enum mr_status
parse_attach(struct mr_table_line *l, struct mr_str line, struct mr_err *err)
{
	struct mr_attach_line parsed;

	l->value = without_comment(line);
	return mr_attach_line_parse(&parsed, l->value, err);
}

static enum mr_status
check_bytes(struct mr_str line, struct mr_err *err)
{
	for (size_t i = 0; i < line.n; i++) {
		unsigned char c = (unsigned char)line.p[i];

		if (c == '\r')
			return mr_err_set(
			    err, MR_PERM, "a CR within the line; end lines with LF or CRLF");
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return mr_err_set(
			    err, MR_PERM, "control character 0x%02x; write plain text", c);
	}
	return MR_OK;
}

enum mr_status
mr_table_line_parse(struct mr_table_line *l, struct mr_arena *arena, enum mr_table_kind kind,
    struct mr_str line, struct mr_err *err)
{
	enum mr_status st;

	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n > MR_TABLE_LINE_MAX)
		return mr_err_set(
		    err, MR_PERM, "line over %u bytes; make it shorter", MR_TABLE_LINE_MAX);
	if ((st = check_bytes(line, err)))
		return st;
	line = mr_str_trim(line);
	if (mr_str_starts(line, "\xef\xbb\xbf"))
		return mr_err_set(
		    err, MR_PERM, "a byte order mark; save the file as UTF-8 without one");
	if (line.n == 0 || line.p[0] == '#')
		return MR_NOTFOUND;
	*l = (struct mr_table_line){ .value = { NULL, 0 } };
	return kind == MR_TABLE_ATTACH ? parse_attach(l, line, err)
	    : kind == MR_TABLE_ALIAS   ? mr_alias_line_parse(&l->key, &l->value, arena, line, err)
	    : kind == MR_TABLE_ACCESS  ? parse_access(l, arena, line, err)
	    : kind == MR_TABLE_ROUTES  ? parse_route(l, arena, line, err)
	                               : parse_map(l, arena, line, err);
}
