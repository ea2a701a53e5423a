/* authres.c - lib/mail/authres: what may stand in Authentication-Results. */
#include "mail/authres.h"

#include "../tap.h"

static void
values(void)
{
	static const struct {
		const char *value, *want;
	} t[] = { { "example.org", "example.org" }, { "a_b-c.d:1", "a_b-c.d:1" }, { "", "\"\"" },
		{ "a b", "\"a b\"" }, { "a;b", "\"a;b\"" }, { "a\"b\\c", "\"a\\\"b\\\\c\"" },
		{ "a\r\nb\t", "\"a??b?\"" }, { "\xc3\xa9", "\"??\"" }, { "a/b+c=", "\"a/b+c=\"" },
		{ "(", "\"(\"" } };

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct mr_buf b;

		mr_buf_init(&b, 100);
		mr_authres_add_value(&b, mr_str(t[i].value), 50);
		is(mr_buf_str(&b), t[i].want, t[i].want);
		mr_buf_clear(&b);
		mr_authres_add_value(&b, mr_str(t[i].value), 1);
		ok(b.n <= 4, "cut: %s", t[i].want);
		mr_buf_free(&b);
	}
}

static void
results(void)
{
	static const char *const good[] = { "x=pass", "spf=pass smtp.mailfrom=a.example",
		"dkim=pass (1024-bit key) header.d=a header.b=\"a/b;(\"", "x/1=pass",
		"x-y=fail reason=\"a\\\"b\"", "x=pass (a (b) \\) c;)", "x=pass\theader.d=\"a\\\\\"",
		"x=pass (\")" };
	static const char *const bad[] = { "", "none", "=pass", "x=", "x= pass", "x=;", "-x=pass",
		"/x=pass", "x y=pass", "x=pass; dkim=pass", "x=pass;", "x=pass \"",
		"x=pass \"a\\\"", "x=pass (", "x=pass )", "x=pass (a\\", "x=pass \"a\\\n\"",
		"x=pass\r\n", "x=pass\nDKIM: y", "x=pass \xc3\xa9", "x=pass \x7f",
		"x=pass ((((((((((()))))))))))" };
	char long_one[MR_AUTHRES_RESULT_MAX + 2] = "x=";
	struct mr_err err;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		ok(mr_authres_check(mr_str(good[i]), &err) == MR_OK, "a result: %s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ok(mr_authres_check(mr_str(bad[i]), &err) == MR_PERM, "none, case %zu: %s", i,
		    err.text);
	ok(mr_authres_check(MR_STR("x=a\0b"), &err) == MR_PERM, "none: NUL");
	memset(long_one + 2, 'a', MR_AUTHRES_RESULT_MAX - 2);
	ok(mr_authres_check(mr_str(long_one), &err) == MR_OK, "as long as may be");
	long_one[MR_AUTHRES_RESULT_MAX] = 'a';
	ok(mr_authres_check(mr_str(long_one), &err) == MR_PERM, "longer");
}

static void
names(void)
{
	static const struct {
		const char *id, *ours;
		bool is_ours;
	} t[] = { { "mx.example", "mx.example", true }, { "MX.Example", "mx.example", true },
		{ "mx.example.", "mx.example", false }, { "xmx.example", "mx.example", false },
		{ "b\xc3\xbc"
		  "cher.example",
		    "xn--bcher-kva.example", true },
		{ "B\xc3\x9c"
		  "CHER.example",
		    "XN--BCHER-KVA.EXAMPLE", true },
		{ "b\xc3\xbc"
		  "cher.example",
		    "xn--bcher-kvb.example", false },
		{ "b\xc3\xbc"
		  "cher.example",
		    "b\xc3\xbc"
		    "cher.example",
		    true },
		{ "\xff.example", "mx.example", false } };

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		ok(mr_authres_is_ours(mr_str(t[i].id), t[i].ours) == t[i].is_ours, "%s is %s: %d",
		    t[i].id, t[i].ours, t[i].is_ours);
}

static void
field(void)
{
	struct mr_buf b;

	mr_buf_init(&b, 200);
	mr_authres_add(&b, MR_STR("mx.example"), MR_STR("x=pass"), true);
	mr_authres_add(&b, MR_STR("mx.example"), MR_STR("y=fail"), false);
	is(mr_buf_str(&b), "Authentication-Results: mx.example;\r\n\tx=pass;\r\n\ty=fail",
	    "the field");
	mr_buf_free(&b);
}

int
main(void)
{
	values();
	results();
	names();
	field();
	return done_testing();
}
