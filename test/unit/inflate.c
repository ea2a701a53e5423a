/* inflate.c - lib/base/inflate: streams whole and in pieces, their end, damage. */
#include "base/inflate.h"

#include "../tap.h"
#include "base/buf.h"

/* gzip and bare deflate of "hello hello hello hello", by Python's zlib. */
static const unsigned char gzip[] = { 0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
	0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8, 0x40, 0x27, 0x01, 0xe3, 0x51, 0x3d, 0x8d, 0x17,
	0x00, 0x00, 0x00, 0x78 };
static const unsigned char raw[] = { 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8, 0x40, 0x27, 0x01,
	0x78 };

static bool
add(void *ctx, struct mr_str s)
{
	mr_buf_add(ctx, s);
	return !((struct mr_buf *)ctx)->is_full;
}

static void
stream(struct mr_str in, bool is_gzip, size_t step)
{
	struct mr_inflate *z = mr_inflate_new(is_gzip);
	enum mr_status st = MR_OK;
	struct mr_buf out;
	size_t used = 0, all = 0;

	mr_buf_init(&out, 100);
	for (size_t i = 0; i < in.n && st == MR_OK; i += step) {
		st = mr_inflate(z, (struct mr_str){ in.p + i, in.n - i < step ? in.n - i : step },
		    &used, add, &out);
		all = i + used;
	}
	ok(st == MR_NOTFOUND, "the end is found");
	ok(all == in.n - 1, "and what is behind it is left");
	is(mr_buf_str(&out), "hello hello hello hello", "the bytes");
	mr_inflate_free(z);
	mr_buf_free(&out);
}

static void
faults(void)
{
	struct mr_str gzip_in = { (const char *)gzip, sizeof gzip };
	struct mr_inflate *z = mr_inflate_new(false);
	struct mr_buf out;
	size_t used;

	mr_buf_init(&out, 4);
	ok(mr_inflate(z, gzip_in, &used, add, &out) == MR_PERM, "no such stream");
	mr_inflate_free(z);
	z = mr_inflate_new(true);
	ok(mr_inflate(z, gzip_in, &used, add, &out) == MR_PERM, "the taker wants no more");
	mr_inflate_free(z);
	mr_inflate_free(NULL);
	mr_buf_free(&out);
}

int
main(void)
{
	struct mr_str gzip_in = { (const char *)gzip, sizeof gzip },
	              raw_in = { (const char *)raw, sizeof raw };

	for (size_t step = 1; step < 200; step += 99) {
		stream(gzip_in, true, step);
		stream(raw_in, false, step);
	}
	faults();
	return done_testing();
}
