#include "mail/taglist.h"

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct mr_str
trim(struct mr_str s)
{
	while (s.n && is_space(s.p[0]))
		s = mr_str_from(s, 1);
	while (s.n && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

static bool
is_name(struct mr_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		int c = mr_lower((unsigned char)s.p[i]);

		if ((c < 'a' || c > 'z') && (i == 0 || ((c < '0' || c > '9') && c != '_')))
			return false;
	}
	return s.n > 0;
}

/* RFC 6376 3.2: VALCHAR and FWS, where a line end must be followed by a blank. */
static bool
is_text(struct mr_str s)
{
	while (s.n) {
		unsigned char c = (unsigned char)s.p[0];
		size_t n = 1;

		if (c == '\r' && (s.n < 2 || s.p[1] != '\n'))
			return false;
		if (c == '\n' && (s.n < 2 || (s.p[1] != ' ' && s.p[1] != '\t')))
			return false;
		if ((c < ' ' && !is_space((char)c)) || c == 0x7f)
			return false;
		if (c >= 0x80 && (n = mr_utf8_len(s)) == 0)
			return false;
		s = mr_str_from(s, n);
	}
	return true;
}

/* What is wrong with one piece; else the tag is added. */
static enum mr_taglist_fault
add_tag(struct mr_taglist *list, struct mr_str piece)
{
	struct mr_tag tag = { .value = piece };

	if (!mr_str_split(&tag.value, '=', &tag.name) || !tag.value.p)
		return MR_TAGLIST_NO_EQUALS;
	tag.name = trim(tag.name);
	tag.value = trim(tag.value);
	if (!is_name(tag.name))
		return MR_TAGLIST_NAME;
	for (size_t i = 0; i < list->n; i++)
		if (mr_str_eq(list->tag[i].name, tag.name))
			return MR_TAGLIST_TWICE;
	if (list->n == MR_TAGS_MAX)
		return MR_TAGLIST_MANY;
	list->tag[list->n++] = tag;
	return MR_TAGLIST_OK;
}

enum mr_status
mr_taglist_parse(
    struct mr_taglist *list, struct mr_str text, enum mr_taglist_fault *fault, struct mr_err *err)
{
	static const char *const words[] = { "", "not name=value", "not a tag's name",
		"characters that may not stand in a value", "the same tag twice", "too many tags" };
	enum mr_taglist_fault f = is_text(text) ? MR_TAGLIST_OK : MR_TAGLIST_VALUE;
	struct mr_str rest = text.p ? text : MR_STR(""), piece = rest;

	list->n = 0;
	while (f == MR_TAGLIST_OK && mr_str_split(&rest, ';', &piece)) {
		/* The last ';' may end the list. */
		if (list->n && !rest.p && trim(piece).n == 0)
			break;
		f = add_tag(list, piece);
	}
	if (fault)
		*fault = f;
	piece = trim(piece);
	return f == MR_TAGLIST_OK ? MR_OK
	                          : mr_err_set(err, MR_PERM, "%s: '%.*s'", words[f],
	                              (int)(piece.n < 40 ? piece.n : 40), piece.n ? piece.p : "");
}

struct mr_str
mr_taglist_get(const struct mr_taglist *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (mr_str_is(list->tag[i].name, name))
			return list->tag[i].value;
	return (struct mr_str){ NULL, 0 };
}

bool
mr_taglist_next(struct mr_str *rest, char sep, struct mr_str *piece)
{
	if (!mr_str_split(rest, sep, piece))
		return false;
	*piece = trim(*piece);
	return true;
}

void
mr_taglist_join(struct mr_buf *out, struct mr_str value)
{
	for (size_t i = 0, n = 0; i < value.n; i += n + 1) {
		for (n = 0; i + n < value.n && !is_space(value.p[i + n]); n++)
			;
		mr_buf_add(out, (struct mr_str){ value.p + i, n });
	}
}
