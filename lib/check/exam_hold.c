/* exam_hold.c - files that hold files: zip, gzip, what libarchive reads. */
#include "base/child.h"
#include "base/inflate.h"
#include "base/io.h"
#include "check/archive.h"
#include "check/exam_object.h"
#include "check/zipscan.h"
#include "mail/mimefield.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- zip ------------------------------------------------------------------------------------------------ */

static bool
ends_with(struct mr_str s, const char *end)
{
	size_t n = strlen(end);

	return s.n >= n && mr_str_caseis(mr_str_from(s, s.n - n), end);
}

/* Some members tell what the whole is. */
static void
zip_name(void *ctx, struct mr_str name, bool is_encrypted)
{
	struct mr_object *o = ctx;
	const char *word = NULL;
	struct mr_object *m;

	if (!mr_object_count_member(o) || name.p[name.n - 1] == '/')
		return;
	o->has_manifest |= mr_str_caseis(name, "META-INF/MANIFEST.MF");
	o->has_class |= ends_with(name, ".class");
	if (mr_str_is(name, "AndroidManifest.xml") || mr_str_is(name, "classes.dex"))
		word = "android";
	else if (mr_str_caseis(name, "AppxManifest.xml")
	    || ends_with(name, "AppxBundleManifest.xml"))
		word = "installer";
	else if (ends_with(name, "vbaProject.bin") || ends_with(name, "xlmacros.xml")
	    || memmem(name.p, name.n, "xl/macrosheets/", 15))
		word = "macro";
	else if (o->has_manifest && o->has_class)
		word = "java";
	if (word)
		mr_object_found(o, MR_RULE_CONTENT, mr_str(word), mr_str(o->name));
	if (o->x->is_over)
		return;
	m = is_encrypted ? mr_object_new(o, MR_IN_ARCHIVE, name, name, "zip, encrypted")
	                 : mr_object_ask(o, MR_IN_ARCHIVE, name, name, "zip");
	if (m)
		mr_object_named(m, name);
	mr_object_end(m);
}

static void *
zip_member(void *ctx, struct mr_str name)
{
	return mr_object_new(ctx, MR_IN_ARCHIVE, name, name, "zip");
}

static bool
zip_body(void *ctx, void *member, struct mr_str bytes)
{
	struct mr_object *o = ctx;

	mr_object_feed(member, bytes);
	return !o->x->is_over;
}

static void
zip_member_end(void *ctx, void *member)
{
	(void)ctx;
	mr_object_end(member);
}

static void
zip_fault(void *ctx, enum mr_zip_fault fault)
{
	struct mr_object *o = ctx;

	if (fault == MR_ZIP_MEMORY)
		mr_exam_fault(o->x, "out of memory");
	else if (fault == MR_ZIP_METHOD)
		o->has_odd_method = true;
	else
		mr_object_limit(o, fault == MR_ZIP_OVERLAP ? "overlap" : "encrypted");
}

/* A zip may stand behind anything. */
static bool
wants_zip(const struct mr_object *o)
{
	return !o->is_raw || o->holds != MR_HOLDS_TEXT;
}

static void *
begin_zip(struct mr_object *o)
{
	static const struct mr_zip_ops ops = { .name = zip_name,
		.member = zip_member,
		.body = zip_body,
		.end = zip_member_end,
		.fault = zip_fault };

	return mr_zip_new(&ops, o);
}

static void
feed_zip(struct mr_object *o, void *state, struct mr_str bytes)
{
	(void)o;
	mr_zip_feed(state, bytes);
}

static void
end_zip(struct mr_object *o, void *state)
{
	(void)o;
	mr_zip_end(state);
}

const struct mr_consumer mr_consume_zip = { false, wants_zip, begin_zip, feed_zip, end_zip };

/* ---- gzip ------------------------------------------------------------------------------------------------- */

struct gzip {
	struct mr_object *o;
	struct mr_inflate *inflate;
};

/* The name without the packer's extension: what unpacking makes of it. */
static struct mr_str
unpacked_name(struct mr_str name)
{
	static const char *const exts[] = { "gz", "z", "bz2", "bz", "xz", "lzma", "zst", "lz4",
		"lz" };
	struct mr_str ext = mr_mime_extension(name);

	for (size_t i = 0; i < sizeof exts / sizeof *exts; i++)
		if (mr_str_caseis(ext, exts[i]))
			name.n = (size_t)mr_str_rchr(name, '.');
	return name;
}

/* RFC 1952 2.3: flags, time, extra field, name. */
static struct mr_str
gzip_name(struct mr_str head)
{
	size_t at = 10, n = 0;

	if (head.n < 12 || !(head.p[3] & 8))
		return MR_STR("");
	if (head.p[3] & 4)
		at += 2 + (unsigned char)head.p[10] + 256u * (unsigned char)head.p[11];
	while (at + n < head.n && head.p[at + n])
		n++;
	return at < head.n ? (struct mr_str){ head.p + at, n } : MR_STR("");
}

static bool
wants_gzip(const struct mr_object *o)
{
	const unsigned char *p = (const unsigned char *)o->head.p;

	if (o->holds == MR_HOLDS_GZIP)
		return true;
	/* S/MIME's compressed data is zlib's (RFC 3274; RFC 1950 2.2). */
	return o->holds == MR_HOLDS_NOTHING && strcmp(o->reading, "S/MIME") == 0 && o->head.n > 2
	    && p[0] == 0x78 && (p[0] << 8 | p[1]) % 31 == 0;
}

static void *
begin_gzip(struct mr_object *o)
{
	struct mr_str outer = unpacked_name(mr_str(o->name)),
	              inner = gzip_name(mr_buf_str(&o->head));
	struct gzip *g = calloc(1, sizeof *g);

	if (!g || !(g->inflate = mr_inflate_new(true))) {
		free(g);
		return NULL;
	}
	if (!mr_object_count_member(o))
		return g;
	g->o = mr_object_new(
	    o, MR_IN_ARCHIVE, inner.n ? inner : outer, inner.n ? inner : outer, "gzip");
	if (g->o) {
		mr_object_named(g->o, outer);
		mr_object_named(g->o, inner);
	}
	return g;
}

static bool
feed_unpacked(void *ctx, struct mr_str bytes)
{
	struct mr_object *o = ctx;

	mr_object_feed(o, bytes);
	return o && !o->x->is_over;
}

/* Several streams, one behind the other, are one file. */
static void
feed_gzip(struct mr_object *o, void *state, struct mr_str bytes)
{
	struct gzip *g = state;

	while (g->inflate && bytes.n) {
		size_t used;
		enum mr_status st = mr_inflate(g->inflate, bytes, &used, feed_unpacked, g->o);

		if (st == MR_OK)
			return;
		mr_inflate_free(g->inflate);
		g->inflate = st == MR_NOTFOUND ? mr_inflate_new(true) : NULL;
		if (st == MR_TEMP || (st == MR_NOTFOUND && !g->inflate))
			mr_exam_fault(o->x, "out of memory");
		bytes = mr_str_from(bytes, used);
	}
}

static void
end_gzip(struct mr_object *o, void *state)
{
	struct gzip *g = state;

	(void)o;
	mr_inflate_free(g->inflate);
	mr_object_end(g->o);
	free(g);
}

const struct mr_consumer mr_consume_gzip = { true, wants_gzip, begin_gzip, feed_gzip, end_gzip };

/* ---- what libarchive reads ---------------------------------------------------------------------------------- */

struct spool {
	int fd;
	struct mr_object *o, *member;
};

/* A zip is read once more only for members that are packed in a way that zipscan does not know. */
static bool
wants_archive(const struct mr_object *o)
{
	return o->holds == MR_HOLDS_UNIX_ARCHIVE || o->holds == MR_HOLDS_PACKED
	    || o->holds == MR_HOLDS_ARCHIVE || o->holds == MR_HOLDS_ZIP;
}

static void *
begin_archive(struct mr_object *o)
{
	struct spool *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->o = o;
	s->fd = mr_child_memfile(MR_STR(""));
	if (s->fd < 0) {
		free(s);
		return NULL;
	}
	return s;
}

static void
feed_archive(struct mr_object *o, void *state, struct mr_str bytes)
{
	struct spool *s = state;
	struct mr_err err;

	if (s->fd < 0)
		return;
	o->x->spooled += bytes.n;
	if (o->x->spooled > MR_EXAM_SPOOL_MAX) {
		mr_object_limit(o, "expansion");
		close(s->fd);
		s->fd = -1;
	} else if (mr_io_write(s->fd, bytes, &err))
		mr_exam_fault(o->x, err.text);
}

static bool
archive_member(void *ctx, struct mr_str name, bool is_encrypted)
{
	struct spool *s = ctx;
	struct mr_object *o = s->o;
	enum mr_rule_scope scope = o->holds == MR_HOLDS_UNIX_ARCHIVE ? MR_IN_TAR : MR_IN_ARCHIVE;

	if (!mr_object_count_member(o))
		return false;
	if (name.n == 0)
		name = unpacked_name(mr_str(o->name));
	s->member =
	    mr_object_new(o, scope, name, name, is_encrypted ? "archive, encrypted" : "archive");
	if (!s->member)
		return false;
	mr_object_named(s->member, name);
	if (!is_encrypted)
		return true;
	mr_object_end(s->member);
	return false;
}

static bool
archive_body(void *ctx, struct mr_str bytes)
{
	struct spool *s = ctx;

	return feed_unpacked(s->member, bytes);
}

static void
archive_member_end(void *ctx)
{
	struct spool *s = ctx;

	mr_object_end(s->member);
}

static bool
archive_go_on(void *ctx)
{
	struct spool *s = ctx;

	return !s->o->x->is_over && s->o->x->member_n < MR_EXAM_MEMBER_MAX;
}

static void
end_archive(struct mr_object *o, void *state)
{
	static const struct mr_archive_ops ops = { .member = archive_member,
		.body = archive_body,
		.end = archive_member_end,
		.go_on = archive_go_on };
	struct spool *s = state;
	struct mr_err err;

	if (s->fd >= 0 && !o->x->is_over && (o->holds != MR_HOLDS_ZIP || o->has_odd_method))
		switch (mr_archive_read(s->fd, o->holds == MR_HOLDS_PACKED, &ops, s, &err)) {
		case MR_NOTFOUND:
			mr_object_limit(o, "encrypted");
			break;
		case MR_PERM:
			mr_object_limit(o, "unreadable");
			break;
		case MR_TEMP:
			mr_exam_fault(o->x, err.text);
			break;
		default:
			break;
		}
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

const struct mr_consumer mr_consume_archive = { true, wants_archive, begin_archive, feed_archive,
	end_archive };
