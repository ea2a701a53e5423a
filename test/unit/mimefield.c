/* mimefield.c - lib/mail/mimefield and mimeword: the names, boundaries, types and encodings that one field
 * may be read as. */
#include "mail/mimefield.h"

#include "../tap.h"
#include "base/buf.h"

static struct mr_buf all; /* readings, each in brackets */

static void
add(void *ctx, struct mr_str s)
{
	(void)ctx;
	mr_buf_addc(&all, '[');
	mr_buf_add(&all, s);
	mr_buf_addc(&all, ']');
}

static const struct mr_mime_taker taker = { add, NULL };

static bool
has(const char *want)
{
	char room[2048];
	int n = snprintf(room, sizeof room, "[%s]", want);

	return all.n && memmem(all.p, all.n, room, (size_t)n) != NULL;
}

static void
names(void)
{
	static const char *const t[][2] = {
		{ "x; name=a.exe", "a.exe" },
		{ "x; filename=\"a b.exe\"", "a b.exe" },
		{ "x; FileName = a b.exe", "a b.exe" },
		{ "x; filename(c (d))=(e)\"a.exe\"", "a.exe" },
		{ "x; filename=\"a.exe", "a.exe" },
		{ "x; filename='a.exe'", "a.exe" },
		{ "x filename=a.exe", "a.exe" },
		{ "; filename=a.pdf; filename=a.exe", "a.exe" },
		{ "x; filename=\"a.\\e\\x\\e\"", "a.exe" },
		{ "x; filename=\"a\".exe", "a.exe" },
		{ "x; filename=\"a;b.exe\"", "a;b.exe" },
		{ "x; filename=\"a.\n exe\"", "a.exe" },
		{ "x; filename*=utf-8''a%2eex%65", "a.exe" },
		{ "x; filename=a%2eexe", "a.exe" },
		{ "x; filename*1=xe; filename*0=\"a.e\"", "a.exe" },
		{ "x; filename*0*=utf-8''a%2E; filename*1=exe", "a.exe" },
		{ "x; filename*2=e; filename*10=f; filename*1=\".x\"; filename*0=a", "a.xef" },
		{ "x; filename==?utf-8?B?YS5leGU=?=", "a.exe" },
		{ "x; filename=\"=?utf-8?q?a=2E?= =?x*en?Q?exe?=\"", "a.exe" },
		{ "x; filename=\"=?utf-8?q?a.e?=\n =?utf-8?q?xe\"", "a.exe" },
		{ "x; filename=\"=?utf-7?Q?a+AC4-exe?=\"", "a.exe" },
		{ "x; filename=\"=?utf-16?B?AGEALgBlAHgAZQ==?=\"", "a.exe" },
		{ "x; filename=\"=?utf-16le?B?YQAuAGUAeABlAA==?=\"", "a.exe" },
		{ "x; filename*=utf-7''a+AC4-exe", "a.exe" },
		{ "x; filename=\"=?iso-2022-jp?B?GyRCQEEbKEIuZXhl?=\"", "??.exe" },
		{ "=?utf-8?Q?x;_filename=3D=22a.exe=22?=", "a.exe" },
		{ "x; filename=\xe2\x80\x9c"
		  "a.exe\xe2\x80\x9d",
		    "\xe2\x80\x9c"
		    "a.exe" },
		{ "x; filename=\"a.exe. .\"", "a.exe" },
		{ "x; filename=\"a.exe::$DATA\"", "a.exe" },
		{ "x; filename=\"..\\\\b/a.exe\"", "a.exe" },
		{ "x; filename=\"C:a.exe\"", "a.exe" },
		{ "x; filename*=utf-8''a.exe%00.pdf", "a.exe" },
		{ "x; filename*=utf-8''a.pdf%00.exe", "a.pdf.exe" },
		{ "x; filename=\"a\xe2\x80\xae"
		  "fdp.exe\"",
		    "afdp.exe" },
		{ "x; filename=\"a.\xe2\x80\x8b"
		  "exe\xc2\xa0\"",
		    "a.exe" },
	};
	static const char *const none[] = { "", "x", "x; name", "x; name=", "x; name=\"\"", "name*",
		"name*1*", "x; name=\"///\"" };

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		mr_buf_clear(&all);
		ok(mr_mime_names(mr_str(t[i][0]), &taker) && has(t[i][1]), "a name: case %zu", i);
	}
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		mr_buf_clear(&all);
		ok(mr_mime_names(mr_str(none[i]), &taker) && all.n <= 4, "none: case %zu", i);
	}
}

static void
limits(void)
{
	struct mr_buf field;

	for (unsigned over = 0; over <= 1; over++) {
		mr_buf_init(&field, 1 << 16);
		for (unsigned i = 0; i < MR_MIME_PARAM_MAX + over; i++)
			mr_buf_adds(&field, "; name=a");
		ok(mr_mime_names(mr_buf_str(&field), &taker) == !over, "parameters: %u over", over);
		mr_buf_clear(&field);
		for (unsigned i = 0; i < MR_MIME_PARAM_SECTIONS + over; i++)
			mr_buf_addf(&field, "; name*%u=a", i);
		ok(mr_mime_names(mr_buf_str(&field), &taker) == !over, "sections: %u over", over);
		mr_buf_free(&field);
	}
	for (unsigned over = 0; over <= 1; over++) {
		mr_buf_init(&field, 1 << 16);
		mr_buf_adds(&field, "name=");
		for (unsigned i = 0; i < MR_MIME_PARAM_LONG + over; i++)
			mr_buf_addc(&field, 'a');
		ok(mr_mime_names(mr_buf_str(&field), &taker) == !over, "a value: %u over", over);
		mr_buf_free(&field);
	}
	mr_buf_init(&field, 1 << 16);
	mr_buf_adds(&field, "x; name=\"");
	for (unsigned i = 0; i < 2 * MR_MIME_PARAM_BYTES; i++)
		mr_buf_addc(&field, 'a');
	mr_buf_adds(&field, ".exe\"");
	mr_buf_clear(&all);
	mr_mime_names(mr_buf_str(&field), &taker);
	ok(all.n && memmem(all.p, all.n, "a.exe]", 6), "of a long name the end counts");
	mr_buf_free(&field);
}

static void
others(void)
{
	mr_buf_clear(&all);
	mr_mime_boundaries(
	    MR_STR("multipart/x (boundary=c); boundary=\"a b \"; boundary=d=e"), &taker);
	ok(has("a b") && has("c)") && has("d=e"), "every boundary");
	mr_buf_clear(&all);
	mr_mime_boundaries(MR_STR("multipart/x; boundary=\"\""), &taker);
	ok(has(""), "an empty boundary");
	mr_buf_clear(&all);
	mr_mime_types(MR_STR(" (c) \"Text\" / (d) Plain; name=x/y"), &taker);
	is(mr_buf_str(&all), "[text/plain]", "a type");
	mr_buf_clear(&all);
	mr_mime_types(MR_STR("text/plain, application/x"), &taker);
	is(mr_buf_str(&all), "[text/plain][application/x]", "two types");
	mr_buf_clear(&all);
	mr_mime_types(MR_STR("(text/plain; "), &taker);
	is(mr_buf_str(&all), "[(text/plain]", "a comment without end");
	ok(mr_mime_may_be_base64(MR_STR(" (7bit) \"Base64\""))
	        && !mr_mime_may_be_base64(MR_STR("8bit")),
	    "base64");
	ok(mr_mime_may_be_qp(MR_STR("x-Quoted-Printable")) && !mr_mime_may_be_qp(MR_STR("binary")),
	    "qp");
	is(mr_mime_extension(MR_STR("a.b. exe ")), "exe", "an extension");
	is(mr_mime_extension(MR_STR("exe")), NULL, "none");
}

int
main(void)
{
	mr_buf_init(&all, 1 << 20);
	names();
	limits();
	others();
	mr_buf_free(&all);
	return done_testing();
}
