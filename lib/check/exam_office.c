/* exam_office.c - TNEF, S/MIME and compound files: each read as it comes, without a tree. */
#include "check/exam_object.h"
#include "mail/mimefield.h"

#include <stdlib.h>
#include <string.h>

static uint32_t
le32(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* ---- TNEF: MS-OXTNEF 2.1 ------------------------------------------------------------------------------- */

#define TNEF_HEAD  6u /* signature, key */
#define ATTR_HEAD  9u /* level, id, length */
#define ATTR_SUM   2u
#define TITLE      0x00018010u
#define DATA       0x0006800fu
#define ATTACHMENT 0x00069005u /* MAPI properties */
#define KEPT_MAX   8192u       /* bytes of an attribute that are looked at as one */

struct tnef {
	unsigned char head[ATTR_HEAD];
	unsigned head_n;
	uint64_t skip; /* bytes that nobody wants */
	uint32_t id;
	uint64_t left; /* of the attribute */
	struct mr_object *file;
	struct mr_buf kept, name;
};

static bool
wants_tnef(const struct mr_object *o)
{
	return o->holds == MR_HOLDS_TNEF;
}

static void *
begin_tnef(struct mr_object *o)
{
	struct tnef *t = calloc(1, sizeof *t);

	(void)o;
	if (!t)
		return NULL;
	t->skip = TNEF_HEAD;
	mr_buf_init(&t->kept, KEPT_MAX);
	mr_buf_init(&t->name, KEPT_MAX);
	return t;
}

static void
tnef_named(struct mr_object *o, struct mr_str name)
{
	struct mr_object *m;

	if (name.n && name.p[name.n - 1] == '\0')
		name.n--;
	if (!(m = mr_object_ask(o, MR_IN_ARCHIVE, name, name, "TNEF")))
		return;
	mr_object_named(m, name);
	mr_object_end(m);
}

/* The file's names among MAPI properties: tag, count, length, value. */
static void
tnef_properties(struct mr_object *o, struct mr_str s)
{
	static const unsigned char ids[] = { 0x04, 0x07, 0x0b }; /* PR_ATTACH_FILENAME, ... */

	for (size_t i = 0; i + 12 < s.n; i++) {
		const unsigned char *p = (const unsigned char *)s.p + i;
		char narrow[KEPT_MAX / 2];
		struct mr_str name;
		uint32_t n;

		if ((p[0] != 0x1e && p[0] != 0x1f) || p[1] != 0 || p[3] != 0x37
		    || !memchr(ids, p[2], sizeof ids))
			continue;
		n = le32(p + 8);
		name = mr_str_from(s, i + 12);
		if (n > name.n)
			continue;
		name.n = n;
		if (p[0] == 0x1f)
			name = (struct mr_str){ narrow, mr_mime_narrow(narrow, name, false) };
		tnef_named(o, name);
	}
}

static void
tnef_begin_attr(struct mr_object *o, struct tnef *t)
{
	t->id = le32(t->head + 1);
	t->left = le32(t->head + 5);
	t->head_n = 0;
	mr_buf_clear(&t->kept);
	if (t->id == DATA && mr_object_count_member(o))
		t->file = mr_object_new(
		    o, MR_IN_ARCHIVE, mr_buf_str(&t->name), mr_buf_str(&t->name), "TNEF");
}

static void
tnef_end_attr(struct mr_object *o, struct tnef *t)
{
	if (t->id == TITLE) {
		tnef_named(o, mr_buf_str(&t->kept));
		mr_buf_clear(&t->name);
		mr_buf_add(&t->name, mr_buf_str(&t->kept));
		if (t->name.n && t->name.p[t->name.n - 1] == '\0')
			t->name.n--;
	} else if (t->id == ATTACHMENT)
		tnef_properties(o, mr_buf_str(&t->kept));
	mr_object_end(t->file);
	t->file = NULL;
	t->id = 0;
	t->skip = ATTR_SUM;
}

static void
feed_tnef(struct mr_object *o, void *state, struct mr_str s)
{
	struct tnef *t = state;

	while (s.n) {
		size_t n = 1;

		if (t->skip) {
			n = t->skip < s.n ? (size_t)t->skip : s.n;
			t->skip -= n;
		} else if (t->id) {
			struct mr_str piece = { s.p, t->left < s.n ? (size_t)t->left : s.n };

			n = piece.n;
			t->left -= n;
			mr_object_feed(t->file, piece);
			if (piece.n > KEPT_MAX - t->kept.n)
				piece.n = KEPT_MAX - t->kept.n;
			mr_buf_add(&t->kept, piece);
			if (t->left == 0)
				tnef_end_attr(o, t);
		} else {
			t->head[t->head_n++] = (unsigned char)s.p[0];
			if (t->head_n == ATTR_HEAD)
				tnef_begin_attr(o, t);
			if (t->id && t->left == 0)
				tnef_end_attr(o, t);
			if (!t->id && t->head_n == 0 && !t->skip)
				t->skip = ATTR_SUM;
		}
		s = mr_str_from(s, n);
	}
}

static void
end_tnef(struct mr_object *o, void *state)
{
	struct tnef *t = state;

	(void)o;
	mr_object_end(t->file);
	mr_buf_free(&t->kept);
	mr_buf_free(&t->name);
	free(t);
}

const struct mr_consumer mr_consume_tnef = { true, wants_tnef, begin_tnef, feed_tnef, end_tnef };

/* ---- CMS (RFC 5652), in DER or BER ------------------------------------------------------------------------ */

#define OCTET_STRING 0x04
#define IS_LONG_TAG  0x1f
#define CONSTRUCTED  0x20

/* The elements are walked flat: what is constructed is just entered.  All octet strings in a row are the
 * content, whether it comes in one or in many; what is behind them does no harm. */
struct cms {
	struct mr_object *content;
	unsigned char tag;
	bool has_tag, in_long_tag, in_octets;
	unsigned len_n; /* bytes of the length still to come */
	uint64_t left;
};

static bool
wants_cms(const struct mr_object *o)
{
	return o->holds == MR_HOLDS_CMS;
}

static void *
begin_cms(struct mr_object *o)
{
	struct cms *c = calloc(1, sizeof *c);

	if (c && mr_object_count_member(o))
		c->content = mr_object_new(o, MR_IN_PART, MR_STR(""), MR_STR(""), "S/MIME");
	return c;
}

static void
cms_begin_value(struct cms *c)
{
	c->has_tag = false;
	c->in_octets = c->tag == OCTET_STRING;
	if (c->tag & CONSTRUCTED)
		c->left = 0; /* its elements follow */
}

static void
cms_byte(struct cms *c, unsigned char b)
{
	if (c->in_long_tag)
		c->in_long_tag = b & 0x80;
	else if (c->len_n) {
		c->left = c->left << 8 | b;
		if (--c->len_n == 0)
			cms_begin_value(c);
	} else if (!c->has_tag) {
		c->tag = b;
		c->has_tag = true;
		c->in_long_tag = (b & IS_LONG_TAG) == IS_LONG_TAG;
		c->left = 0;
	} else if (b > 0x80 && b <= 0x88)
		c->len_n = b & 0x7fu;
	else {
		c->left =
		    b < 0x80 ? b : 0; /* 0x80: until an element of zeros, which is an element */
		cms_begin_value(c);
	}
}

static void
feed_cms(struct mr_object *o, void *state, struct mr_str s)
{
	struct cms *c = state;

	(void)o;
	while (s.n) {
		struct mr_str piece = { s.p, 1 };

		if (c->left && !c->has_tag) {
			piece.n = c->left < s.n ? (size_t)c->left : s.n;
			if (c->in_octets)
				mr_object_feed(c->content, piece);
			c->left -= piece.n;
		} else
			cms_byte(c, (unsigned char)s.p[0]);
		s = mr_str_from(s, piece.n);
	}
}

static void
end_cms(struct mr_object *o, void *state)
{
	struct cms *c = state;

	(void)o;
	mr_object_end(c->content);
	free(c);
}

const struct mr_consumer mr_consume_cms = { true, wants_cms, begin_cms, feed_cms, end_cms };

/* ---- compound files: MS-CFB 2.6 ------------------------------------------------------------------------------ */

#define ENTRY_LEN 128u

/* Entries of the directory stand at multiples of their length, wherever its sectors are. */
struct ole {
	unsigned char entry[ENTRY_LEN];
	size_t n;
	bool is_installer, has_macro, has_package;
};

static bool
wants_ole(const struct mr_object *o)
{
	return o->holds == MR_HOLDS_OLE;
}

static void *
begin_ole(struct mr_object *o)
{
	(void)o;
	return calloc(1, sizeof(struct ole));
}

static void
ole_entry(struct ole *e, const unsigned char *p)
{
	/* {000C1084-...} and {000C1086-...}: a package and a patch of the Windows Installer */
	static const unsigned char clsid[] = { 0x10, 0x0c, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0,
		0x46 };
	unsigned n = p[64] | (unsigned)p[65] << 8, type = p[66];
	char name[32];
	struct mr_str s;

	if (n < 2 || n > 64 || n & 1 || (type != 1 && type != 2 && type != 5) || p[67] > 1)
		return;
	s = (struct mr_str){ name,
		mr_mime_narrow(name, (struct mr_str){ (const char *)p, n - 2 }, false) };
	if (type == 5 && (p[80] == 0x84 || p[80] == 0x86 || p[80] == 0x82)
	    && memcmp(p + 81, clsid, sizeof clsid) == 0)
		e->is_installer = true;
	e->has_macro |= mr_str_caseis(s, "_VBA_PROJECT") || mr_str_caseis(s, "_VBA_PROJECT_CUR")
	    || (type == 1 && mr_str_caseis(s, "VBA"));
	e->has_package |= mr_str_caseis(s, "\1Ole10Native");
}

static void
feed_ole(struct mr_object *o, void *state, struct mr_str s)
{
	struct ole *e = state;

	(void)o;
	while (s.n) {
		size_t n = ENTRY_LEN - e->n < s.n ? ENTRY_LEN - e->n : s.n;

		memcpy(e->entry + e->n, s.p, n);
		e->n += n;
		s = mr_str_from(s, n);
		if (e->n == ENTRY_LEN) {
			ole_entry(e, e->entry);
			e->n = 0;
		}
	}
}

static void
end_ole(struct mr_object *o, void *state)
{
	const struct ole *e = state;

	if (e->is_installer)
		mr_object_found(o, MR_RULE_CONTENT, MR_STR("installer"), mr_str(o->name));
	if (e->has_macro)
		mr_object_found(o, MR_RULE_CONTENT, MR_STR("macro"), mr_str(o->name));
	if (e->has_package)
		mr_object_found(o, MR_RULE_CONTENT, MR_STR("package"), mr_str(o->name));
	free(state);
}

const struct mr_consumer mr_consume_ole = { true, wants_ole, begin_ole, feed_ole, end_ole };
