/* zipscan.c - lib/check/zipscan: names of every header, bytes behind every local one. */
#include "check/zipscan.h"

#include "../tap.h"
#include "base/buf.h"

/* By test/mime/mimekit.py: a deflated member called a.txt, b.txt in the directory, and a stored c.exe. */
static const unsigned char zip[] = { 0x50, 0x4b, 0x03, 0x04, 0x14, 0x00, 0x00, 0x00, 0x08, 0x00,
	0xc0, 0x4b, 0x65, 0x58, 0x3b, 0xce, 0xe2, 0xea, 0x10, 0x00, 0x00, 0x00, 0x17, 0x00, 0x00,
	0x00, 0x05, 0x00, 0x00, 0x00, 0x61, 0x2e, 0x74, 0x78, 0x74, 0xcb, 0x48, 0xcd, 0xc9, 0xc9,
	0x57, 0x28, 0xcf, 0x2f, 0xca, 0x49, 0x51, 0xc8, 0x40, 0xb0, 0x01, 0x50, 0x4b, 0x03, 0x04,
	0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc0, 0x4b, 0x65, 0x58, 0x0b, 0xf9, 0x43, 0x56, 0x06,
	0x00, 0x00, 0x00, 0x06, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x63, 0x2e, 0x65, 0x78,
	0x65, 0x73, 0x74, 0x6f, 0x72, 0x65, 0x64, 0x50, 0x4b, 0x01, 0x02, 0x14, 0x00, 0x14, 0x00,
	0x00, 0x00, 0x08, 0x00, 0xc0, 0x4b, 0x65, 0x58, 0x3b, 0xce, 0xe2, 0xea, 0x10, 0x00, 0x00,
	0x00, 0x17, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0xa4, 0x01, 0x00, 0x00, 0x00, 0x00, 0x62, 0x2e, 0x74, 0x78, 0x74, 0x50, 0x4b,
	0x01, 0x02, 0x14, 0x00, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc0, 0x4b, 0x65, 0x58, 0x0b,
	0xf9, 0x43, 0x56, 0x06, 0x00, 0x00, 0x00, 0x06, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xa4, 0x01, 0x33, 0x00, 0x00, 0x00, 0x63,
	0x2e, 0x65, 0x78, 0x65, 0x50, 0x4b, 0x05, 0x06, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x02,
	0x00, 0x66, 0x00, 0x00, 0x00, 0x5c, 0x00, 0x00, 0x00, 0x00, 0x00 };

struct seen {
	struct mr_buf names, bytes;
	size_t begun, ended, faults;
	enum mr_zip_fault fault;
};

static void
name(void *ctx, struct mr_str s, bool is_encrypted)
{
	struct seen *seen = ctx;

	mr_buf_add(&seen->names, s);
	mr_buf_addc(&seen->names, is_encrypted ? '*' : ' ');
}

static void *
member(void *ctx, struct mr_str s)
{
	struct seen *seen = ctx;

	(void)s;
	seen->begun++;
	return seen;
}

static bool
body(void *ctx, void *m, struct mr_str bytes)
{
	struct seen *seen = ctx;

	(void)m;
	mr_buf_add(&seen->bytes, bytes);
	return true;
}

static void
end(void *ctx, void *m)
{
	struct seen *seen = ctx;

	(void)m;
	seen->ended++;
	mr_buf_addc(&seen->bytes, '|');
}

static void
fault(void *ctx, enum mr_zip_fault which)
{
	struct seen *seen = ctx;

	seen->faults++;
	seen->fault = which;
}

static void
scan(struct seen *seen, struct mr_str in, size_t step)
{
	static const struct mr_zip_ops ops = { name, member, body, end, fault };
	struct mr_zip *z = mr_zip_new(&ops, seen);

	*seen = (struct seen){ .begun = 0 };
	mr_buf_init(&seen->names, 10000);
	mr_buf_init(&seen->bytes, 10000);
	for (size_t i = 0; i < in.n; i += step)
		mr_zip_feed(z, (struct mr_str){ in.p + i, in.n - i < step ? in.n - i : step });
	mr_zip_end(z);
}

static void
drop(struct seen *seen)
{
	mr_buf_free(&seen->names);
	mr_buf_free(&seen->bytes);
}

static void
whole(void)
{
	struct mr_str in = { (const char *)zip, sizeof zip };
	struct seen seen;

	for (size_t step = 1; step <= sizeof zip; step += sizeof zip - 1) {
		scan(&seen, in, step);
		is(mr_buf_str(&seen.names), "a.txt c.exe b.txt c.exe ", "names of all headers");
		is(mr_buf_str(&seen.bytes), "hello world hello world|stored|", "their bytes");
		drop(&seen);
	}
	scan(&seen, (struct mr_str){ in.p, 100 }, 100);
	ok(seen.begun == 2 && seen.ended == 2, "cut: members end");
	drop(&seen);
}

/* A change of one byte at `off` of the first header. */
static void
changed(size_t off, unsigned char to, const char *names, size_t faults, const char *what)
{
	unsigned char copy[sizeof zip];
	struct seen seen;

	memcpy(copy, zip, sizeof zip);
	copy[off] = to;
	scan(&seen, (struct mr_str){ (const char *)copy, sizeof copy }, sizeof copy);
	is(mr_buf_str(&seen.names), names, what);
	ok(seen.faults == faults, "%s: its faults", what);
	drop(&seen);
}

static void
overlap(void)
{
	struct mr_buf in;
	struct seen seen;

	for (unsigned over = 0; over <= 1; over++) {
		mr_buf_init(&in, 10000);
		for (unsigned i = 0; i < MR_ZIP_OPEN_MAX + over; i++) /* long stored members */
			mr_buf_add(&in,
			    MR_STR("PK\3\4\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\0\0\0\x10\0\0\1\0\0"
			           "\0a"));
		scan(&seen, mr_buf_str(&in), in.n);
		ok(seen.faults == over && seen.begun == MR_ZIP_OPEN_MAX, "%u members overlap",
		    MR_ZIP_OPEN_MAX + over);
		ok(!over || seen.fault == MR_ZIP_OVERLAP, "that is said");
		drop(&seen);
		mr_buf_free(&in);
	}
}

int
main(void)
{
	whole();
	changed(6, 1, "a.txt*c.exe b.txt c.exe ", 0, "an encrypted member");
	changed(7, 0x20, "a.txt c.exe b.txt c.exe ", 1, "an encrypted list");
	changed(8, 14, "a.txt c.exe b.txt c.exe ", 1, "a method not known");
	changed(8, 77, "c.exe b.txt c.exe ", 0, "bytes that only look like a header");
	overlap();
	return done_testing();
}
