/* header.c - lib/mail/header. */
#include "mail/header.h"

#include "../tap.h"

static struct mr_err err;

static void
blocks(void)
{
	static const char *const good[] = { "", "A: b\n", "A: b\r\n", "A: b\r\nC: d\n", "A:\n",
		"A: b\n c\n\td\nE: f\n", "A: b\n \n", "A : b\n", "a!#$~: \xff\n" };
	static const char *const bad[] = { "A: b", "\n", "A: b\n\n", "\r\n", "A: b\r", "A: b\rc\n",
		"A: b\r\r\n", " a: b\n", "A\n", ": b\n", "A b: c\n", "\xc3\xbc: c\n",
		"A: b\nword\n", "A\t\x01: b\n", "A: b\n\r\n c\n" };

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		ok(mr_header_is_block(mr_str(good[i]), &err), "fields: case %zu", i);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ok(!mr_header_is_block(mr_str(bad[i]), &err), "no fields: %s", err.text);
	ok(!mr_header_is_block(MR_STR("A: \0\n"), NULL), "NUL; err may be NULL");
	is(mr_header_name(MR_STR("Subject: x")), "Subject", "a name");
	is(mr_header_name(MR_STR("Subject \t: x")), "Subject", "blanks before the colon");
	is(mr_header_name(MR_STR("a:b:c")), "a", "the first colon");
	is(mr_header_name(MR_STR(" a: b")), NULL, "a folded line");
	is(mr_header_name(MR_STR("a")), NULL, "no colon");
	is(mr_header_name(MR_STR("")), NULL, "nothing");
	is(mr_header_name(MR_STR("a\0b: c")), NULL, "NUL");
}

static void
authserv_ids(void)
{
	static const struct {
		const char *value, *want; /* want NULL: MR_PERM; "": MR_NOTFOUND */
	} t[] = { { " a.example; spf=pass", "a.example" }, { "a.example\r\n", "a.example" },
		{ "a.example 1; none", "a.example" }, { "a.example(x); none", "a.example" },
		{ "\r\n\t(c (d\\) \\( e) f)\r\n a.example;", "a.example" },
		{ "\"a.example\"; none", "a.example" }, { "\"a.ex\\ample\"", "a.example" },
		{ "\"a.example\" 1;", "a.example" }, { "\"a\\\"b\";", "a\"b" },
		{ "\"a\r\n .example\";", "a .example" }, { "\"a b\"", "a b" }, { " ; none", NULL },
		{ "\"\"; none", NULL }, { ")", "" }, { "a.example", "" }, { "", "" },
		{ " \r\n\t", "" }, { "(a.example;", "" }, { "(a\\", "" }, { "(a\\)", "" },
		{ "\"a.example", "" }, { "\"a\\", "" }, { "\"a\\\"", "" }, { "\"", "" },
		{ "12345678901234567890;", "12345678901234567890" },
		{ "123456789012345678901;", NULL }, { "123456789012345678901", NULL },
		{ "\"123456789012345678901\"", NULL },
		{ "(no)()(more)\"123456789012345678901", NULL } };
	struct mr_buf out;

	mr_buf_init(&out, 20);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		enum mr_status st = mr_header_authserv_id(mr_str(t[i].value), &out);

		if (t[i].want && t[i].want[0])
			is(st == MR_OK ? mr_buf_str(&out) : mr_str(NULL), t[i].want, t[i].want);
		else
			ok(st == (t[i].want ? MR_NOTFOUND : MR_PERM), "none: case %zu", i);
	}
	ok(mr_header_authserv_id(MR_STR("\0a.example\0;"), &out) == MR_OK, "NUL around it");
	is(mr_buf_str(&out), "a.example", "is what a C string would end at");
	ok(mr_header_authserv_id(mr_str(NULL), &out) == MR_NOTFOUND, "not there");
	mr_buf_free(&out);
}

int
main(void)
{
	struct mr_buf out;

	blocks();
	authserv_ids();
	mr_buf_init(&out, 100);
	mr_header_to_crlf(MR_STR("\na\nb\r\n\n\r"), &out);
	is(mr_buf_str(&out), "\r\na\r\nb\r\n\r\n\r", "LF to CRLF");
	mr_buf_free(&out);
	return done_testing();
}
