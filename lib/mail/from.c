#include "mail/from.h"

#include "base/buf.h"
#include "mail/addr.h"
#include "mail/header.h"
#include "mail/idn.h"
#include "mail/message.h"

#include <string.h>

/* One mailbox, or what may become one. */
struct mailbox {
	struct mr_buf bare; /* words outside <>: no comments, no blanks but between words */
	bool is_word;       /* the last of it was a word */
	bool has_at;        /* an unquoted '@' was in it */
	bool has_angle;     /* <address> was there */
};

struct list {
	struct mr_from *from;
	struct mr_arena *arena;
	struct mr_str rest;
	bool is_group;
	struct mailbox box;
};

static enum mr_status
skip_cfws(struct mr_str *s, struct mr_err *err)
{
	return mr_header_skip_cfws(s, MR_STR(" \t\r\n"))
	    ? MR_OK
	    : mr_err_set(err, MR_PERM, "a comment does not end");
}

/* Length of what begins with `s.p[0]`, " or [, and ends with `end`; 0 if it does not end. */
static size_t
enclosed(struct mr_str s, char end)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == end)
			return i + 1;
	}
	return 0;
}

/* Length of the word at the start of `s`: an atom (any bytes beyond ASCII are part of one), a quoted string,
 * a domain literal; 0 if it is none. */
static size_t
word_len(struct mr_str s)
{
	size_t n = 0;

	if (s.p[0] == '"')
		return enclosed(s, '"');
	if (s.p[0] == '[')
		return enclosed(s, ']');
	while (n < s.n && (unsigned char)s.p[n] > ' ' && s.p[n] != 0x7f
	    && !memchr("()<>[]:;@\\,.\"", s.p[n], 13))
		n++;
	return n;
}

/* Takes one token off l->rest into `out`: a word, or one of the characters in `specials`. */
static enum mr_status
take_token(
    struct list *l, struct mr_buf *out, bool *is_word, const char *specials, struct mr_err *err)
{
	struct mr_str *s = &l->rest;
	bool is_special = s->p[0] && strchr(specials, s->p[0]);
	size_t n = is_special ? 1 : word_len(*s);

	if (n == 0)
		return mr_err_set(err, MR_PERM, "wrong syntax");
	/* Two words side by side are a phrase, never part of an address. */
	if (!is_special && *is_word)
		mr_buf_addc(out, ' ');
	for (size_t i = 0; i < n; i++)
		if (s->p[i] != '\r' && s->p[i] != '\n')
			mr_buf_addc(out, s->p[i]);
	*is_word = !is_special;
	*s = mr_str_from(*s, n);
	return out->is_full ? mr_err_set(err, MR_TEMP, "out of memory") : MR_OK;
}

static enum mr_status
add_domain(struct list *l, const struct mr_addr *a, struct mr_err *err)
{
	struct mr_from *from = l->from;
	struct mr_str domain;
	enum mr_status st;

	if (a->is_literal || a->domain.n == 0)
		return mr_err_set(err, MR_PERM, "an address without a domain name");
	if ((st = mr_domain_to_ascii(&domain, l->arena, a->domain, err)))
		return st;
	domain = mr_arena_lower(l->arena, domain);
	if (!domain.p)
		return mr_err_set(err, MR_TEMP, "out of memory");
	if (!mr_domain_is_valid(domain))
		return mr_err_set(err, MR_PERM, "an address without a domain name");
	for (size_t i = 0; i < from->n; i++)
		if (mr_str_eq(from->domain[i], domain))
			return MR_OK;
	if (from->n == MR_FROM_DOMAIN_MAX)
		return mr_err_set(err, MR_PERM, "more than %u domains", MR_FROM_DOMAIN_MAX);
	from->domain[from->n++] = domain;
	return MR_OK;
}

/* <address> at the start of l->rest. */
static enum mr_status
take_angle(struct list *l, struct mr_err *err)
{
	struct mr_buf text;
	struct mr_str path;
	struct mr_addr addr;
	bool is_word = false;
	enum mr_status st = MR_OK;

	if (l->box.has_angle)
		return mr_err_set(err, MR_PERM, "two addresses in one mailbox");
	l->box.has_angle = true;
	mr_buf_init(&text, 2 * l->rest.n + 2);
	mr_buf_addc(&text, '<');
	l->rest = mr_str_from(l->rest, 1);
	while ((st = skip_cfws(&l->rest, err)) == MR_OK && l->rest.n && l->rest.p[0] != '>')
		if ((st = take_token(l, &text, &is_word, "@.,:", err)))
			break;
	if (st == MR_OK && l->rest.n == 0)
		st = mr_err_set(err, MR_PERM, "'<' without '>'");
	if (st == MR_OK) {
		mr_buf_addc(&text, '>');
		l->rest = mr_str_from(l->rest, 1);
		path = mr_buf_str(&text);
		st = mr_addr_parse_path(&addr, l->arena, &path, err);
	}
	if (st == MR_OK)
		st = add_domain(l, &addr, err);
	mr_buf_free(&text);
	return st;
}

static void
clear_mailbox(struct mailbox *box)
{
	mr_buf_clear(&box->bare);
	box->is_word = box->has_at = box->has_angle = false;
}

static enum mr_status
end_mailbox(struct list *l, struct mr_err *err)
{
	struct mr_addr addr;
	enum mr_status st = MR_OK;

	if (l->box.has_at
	    && (st = mr_addr_parse(&addr, l->arena, mr_buf_str(&l->box.bare), err)) == MR_OK)
		st = add_domain(l, &addr, err);
	clear_mailbox(&l->box);
	return st;
}

/* What may stand in a list, by its first character. */
static enum mr_status
take_part(struct list *l, struct mr_err *err)
{
	struct mailbox *box = &l->box;
	char c = l->rest.p[0];
	enum mr_status st;

	if (c == '<')
		return take_angle(l, err);
	if (c == ',' || c == ';') {
		l->rest = mr_str_from(l->rest, 1);
		l->is_group = l->is_group && c == ',';
		return end_mailbox(l, err);
	}
	if (box->has_angle)
		return mr_err_set(err, MR_PERM, "words behind '>'");
	if (c == ':') {
		if (l->is_group || box->has_at)
			return mr_err_set(err, MR_PERM, "wrong syntax of a group");
		l->is_group = true;
		l->rest = mr_str_from(l->rest, 1);
		clear_mailbox(box);
		return MR_OK;
	}
	st = take_token(l, &box->bare, &box->is_word, "@.", err);
	box->has_at = box->has_at || c == '@';
	return st;
}

enum mr_status
mr_from_add(struct mr_from *from, struct mr_arena *arena, struct mr_str value, struct mr_err *err)
{
	struct list l = { .from = from, .arena = arena, .rest = value };
	enum mr_status st;

	mr_buf_init(&l.box.bare, 2 * value.n + 1);
	while ((st = skip_cfws(&l.rest, err)) == MR_OK && l.rest.n)
		if ((st = take_part(&l, err)))
			break;
	if (st == MR_OK)
		st = end_mailbox(&l, err);
	mr_buf_free(&l.box.bare);
	return st;
}

/* Keeps the first reason. */
static void
keep(enum mr_status *st, struct mr_err *err, enum mr_status now, const char *why)
{
	if (now && (*st == MR_OK || now == MR_TEMP))
		*st = mr_err_set(err, now, "From: %s", why);
}

static enum mr_status
add_field(struct mr_from *from, struct mr_arena *arena, const struct mr_message_field *f,
    struct mr_err *err)
{
	if (f->is_cut)
		return mr_err_set(err, MR_PERM, "over %u bytes", MR_FROM_BYTES_MAX);
	return mr_from_add(
	    from, arena, mr_str_from(f->text, (size_t)mr_str_chr(f->text, ':') + 1), err);
}

enum mr_status
mr_from_read(struct mr_from *from, struct mr_arena *arena, int fd, struct mr_err *err)
{
	struct mr_message_field f;
	struct mr_message m;
	struct mr_err why;
	unsigned field_n = 0;
	enum mr_status st, found = MR_OK;

	from->n = 0;
	if ((st = mr_message_open(&m, fd, MR_FROM_BYTES_MAX, err)))
		return st;
	while (found != MR_TEMP && (st = mr_message_next(&m, &f, err)) == MR_OK) {
		if (!mr_str_caseis(f.name, "From"))
			continue;
		if (field_n++ < MR_FROM_FIELD_MAX)
			keep(&found, err, add_field(from, arena, &f, &why), why.text);
		else
			keep(&found, err, MR_PERM, "too many fields");
	}
	mr_message_close(&m);
	if (st == MR_TEMP || found)
		return st == MR_TEMP ? st : found;
	if (field_n == 0)
		return mr_err_set(err, MR_PERM, "no From field");
	return from->n ? MR_OK : mr_err_set(err, MR_PERM, "From: no address");
}
