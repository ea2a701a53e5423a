#include "check/zipscan.h"

#include "base/inflate.h"

#include <stdlib.h>
#include <string.h>

/* APPNOTE.TXT 4.3.7, 4.3.12 */
#define LOCAL_LEN   30u
#define CENTRAL_LEN 46u
#define EXTRA_MAX   256u /* bytes of extra fields that are looked at */
#define HEADER_MAX  (CENTRAL_LEN + MR_ZIP_NAME_MAX + EXTRA_MAX)
#define WINDOW      16384u

enum method { STORED = 0, DEFLATED = 8 };

struct member {
	void *of; /* the caller's; NULL: free */
	uint64_t start, end;
	bool end_is_open; /* a stored member that does not say how long it is */
	struct mr_inflate *inflate;
};

struct mr_zip {
	const struct mr_zip_ops *ops;
	void *ctx;
	uint64_t at; /* of the window's start */
	size_t n;
	struct member member[MR_ZIP_OPEN_MAX], *now;
	char window[WINDOW];
};

static unsigned
le16(const char *p)
{
	return (unsigned char)p[0] | (unsigned)(unsigned char)p[1] << 8;
}

static uint32_t
le32(const char *p)
{
	return le16(p) | (uint32_t)le16(p + 2) << 16;
}

static uint64_t
le64(const char *p)
{
	return le32(p) | (uint64_t)le32(p + 4) << 32;
}

/* ---- members --------------------------------------------------------------------------------------- */

static void
end_member(struct mr_zip *z, struct member *m)
{
	if (m->of)
		z->ops->end(z->ctx, m->of);
	mr_inflate_free(m->inflate);
	*m = (struct member){ .of = NULL };
}

static bool
emit(void *ctx, struct mr_str bytes)
{
	struct mr_zip *z = ctx;

	return z->ops->body(z->ctx, z->now->of, bytes);
}

static void
feed_member(struct mr_zip *z, struct member *m, struct mr_str bytes)
{
	size_t used;

	z->now = m;
	if (m->inflate ? mr_inflate(m->inflate, bytes, &used, emit, z) != MR_OK : !emit(z, bytes))
		end_member(z, m);
}

/* The first `n` bytes of the window go to the members whose bytes they are. */
static void
feed_members(struct mr_zip *z, size_t n)
{
	for (size_t i = 0; i < MR_ZIP_OPEN_MAX; i++) {
		struct member *m = &z->member[i];
		uint64_t from = m->start > z->at ? m->start - z->at : 0, to = n;

		if (!m->of)
			continue;
		if (m->end - z->at < to)
			to = m->end > z->at ? m->end - z->at : 0;
		if (from < to)
			feed_member(z, m, (struct mr_str){ z->window + from, (size_t)(to - from) });
		if (m->of && m->end <= z->at + n)
			end_member(z, m);
	}
}

static void
close_open_ends(struct mr_zip *z, uint64_t at)
{
	for (size_t i = 0; i < MR_ZIP_OPEN_MAX; i++) {
		struct member *m = &z->member[i];

		if (m->of && m->end_is_open && m->start <= at && at < m->end)
			m->end = at;
	}
}

static void
begin_member(struct mr_zip *z, struct mr_str name, unsigned method, uint64_t start, uint64_t size)
{
	struct member *m = z->member;

	while (m < z->member + MR_ZIP_OPEN_MAX && m->of)
		m++;
	if (m == z->member + MR_ZIP_OPEN_MAX) {
		z->ops->fault(z->ctx, MR_ZIP_OVERLAP);
		return;
	}
	m->inflate = method == DEFLATED ? mr_inflate_new(false) : NULL;
	if (method == DEFLATED && !m->inflate) {
		z->ops->fault(z->ctx, MR_ZIP_MEMORY);
		return;
	}
	m->of = z->ops->member(z->ctx, name);
	m->start = start;
	m->end_is_open = method == STORED && size == 0;
	m->end = method == STORED && size && size < UINT64_MAX - start ? start + size : UINT64_MAX;
	if (!m->of)
		end_member(z, m);
}

/* ---- headers ---------------------------------------------------------------------------------------- */

/* The data of extra field `id`, without its head; p NULL: it is not there. */
static struct mr_str
extra_field(struct mr_str extra, unsigned id)
{
	while (extra.n >= 4) {
		size_t n = le16(extra.p + 2);

		if (n > extra.n - 4)
			break;
		if (le16(extra.p) == id)
			return (struct mr_str){ extra.p + 4, n };
		extra = mr_str_from(extra, 4 + n);
	}
	return (struct mr_str){ NULL, 0 };
}

/* Bytes that look like this by chance are rare, and no reader would take them either. */
static bool
is_header(const char *common, unsigned name_n)
{
	unsigned version = (unsigned char)common[0], method = le16(common + 4);

	return version <= 99 && (method <= 20 || (method >= 92 && method <= 99)) && name_n > 0;
}

/* What both headers have in common begins with the version at `common`; the name is at `name_at`. */
static void
take_header(struct mr_zip *z, size_t at, size_t common_at, size_t name_at)
{
	const char *p = z->window + at, *common = p + common_at;
	unsigned name_n = le16(common + 22), extra_n = le16(common + 24), flags = le16(common + 2),
	         method = le16(common + 4);
	bool is_local = name_at == LOCAL_LEN, is_encrypted = flags & 1;
	size_t there = z->n - at - name_at;
	struct mr_str name = { p + name_at, name_n }, extra = { NULL, 0 }, other;
	uint64_t size = le32(common + 14);

	if (!is_header(common, name_n))
		return;
	close_open_ends(z, z->at + at);
	if (name.n > there)
		name.n = there;
	else {
		extra = mr_str_from((struct mr_str){ p + name_at, there }, name_n);
		if (extra.n > extra_n)
			extra.n = extra_n;
	}
	if (name.n > MR_ZIP_NAME_MAX)
		name = mr_str_from(name, name.n - MR_ZIP_NAME_MAX);
	z->ops->name(z->ctx, name, is_encrypted);
	other = extra_field(extra, 0x7075); /* Info-ZIP Unicode Path: version, CRC, name */
	if (other.n > 5)
		z->ops->name(z->ctx, mr_str_from(other, 5), is_encrypted);
	if (flags & 1u << 13)
		z->ops->fault(z->ctx, MR_ZIP_LIST_ENCRYPTED);
	other = extra_field(extra, 0x0001); /* zip64: both sizes */
	if (size == UINT32_MAX && other.n >= 16)
		size = le64(other.p + 8);
	if (!is_local || is_encrypted)
		return;
	if (method == STORED || method == DEFLATED)
		begin_member(z, name, method, z->at + at + LOCAL_LEN + name_n + extra_n, size);
	else
		z->ops->fault(z->ctx, MR_ZIP_METHOD);
}

/* Looks for headers that begin in the first `n` bytes of the window. */
static void
scan(struct mr_zip *z, size_t n)
{
	for (size_t at = 0; at < n; at++) {
		const char *p = memchr(z->window + at, 'P', n - at);

		if (!p)
			return;
		at = (size_t)(p - z->window);
		if (z->n - at < 4 || p[1] != 'K')
			continue;
		if (p[2] == 3 && p[3] == 4 && z->n - at > LOCAL_LEN)
			take_header(z, at, 4, LOCAL_LEN);
		else if (p[2] == 1 && p[3] == 2 && z->n - at > CENTRAL_LEN)
			take_header(z, at, 6, CENTRAL_LEN);
		else if (p[2] == 5 && p[3] == 6)
			close_open_ends(z, z->at + at);
	}
}

/* Is done with the first `n` bytes of the window. */
static void
advance(struct mr_zip *z, size_t n)
{
	scan(z, n);
	feed_members(z, n);
	z->n -= n;
	z->at += n;
	memmove(z->window, z->window + n, z->n);
}

struct mr_zip *
mr_zip_new(const struct mr_zip_ops *ops, void *ctx)
{
	struct mr_zip *z = calloc(1, sizeof *z);

	if (z) {
		z->ops = ops;
		z->ctx = ctx;
	}
	return z;
}

void
mr_zip_feed(struct mr_zip *z, struct mr_str bytes)
{
	while (bytes.n) {
		size_t n = sizeof z->window - z->n;

		if (n > bytes.n)
			n = bytes.n;
		memcpy(z->window + z->n, bytes.p, n);
		z->n += n;
		bytes = mr_str_from(bytes, n);
		if (z->n == sizeof z->window)
			advance(z, sizeof z->window - HEADER_MAX);
	}
}

void
mr_zip_end(struct mr_zip *z)
{
	if (!z)
		return;
	advance(z, z->n);
	for (size_t i = 0; i < MR_ZIP_OPEN_MAX; i++)
		end_member(z, &z->member[i]);
	free(z);
}
