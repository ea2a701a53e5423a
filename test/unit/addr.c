/* addr.c - lib/mail/addr. */
#include "mail/addr.h"

#include "../tap.h"

static struct mr_arena arena;
static struct mr_err err;
static struct mr_addr a;

static const struct {
	const char *text, *want; /* NULL: refused */
} mailbox[] = {
	{ "a@b", "a@b" },
	{ "Bob@EXAMPLE.org", "Bob@example.org" },
	{ "a.b.c@x.example", "a.b.c@x.example" },
	{ "!#$%&'*+-/=?^_`{|}~@x", "!#$%&'*+-/=?^_`{|}~@x" },
	{ "a@x_y.example", "a@x_y.example" },
	{ "a@1.2.3.4", "a@1.2.3.4" },
	/* quoted local parts: canonical is without quotes where none are needed */
	{ "\"bob\"@x", "bob@x" },
	{ "\"b\\ob\"@x", "bob@x" },
	{ "\"a.b\"@x", "a.b@x" },
	{ "\"a b\"@x", "\"a b\"@x" },
	{ "\"a\\ b\"@x", "\"a b\"@x" },
	{ "\"a@b\"@x", "\"a@b\"@x" },
	{ "\"a\\@b\"@x", "\"a@b\"@x" },
	{ "\"a\\\"b\"@x", "\"a\\\"b\"@x" },
	{ "\"a\\\\b\"@x", "\"a\\\\b\"@x" },
	{ "\"a\\\\\"@x", "\"a\\\\\"@x" },
	{ "\"\"@x", "\"\"@x" },
	{ "\" \"@x", "\" \"@x" },
	{ "\".a\"@x", "\".a\"@x" },
	{ "\"a.\"@x", "\"a.\"@x" },
	{ "\"a..b\"@x", "\"a..b\"@x" },
	{ "\"<>()[]:;,\"@x", "\"<>()[]:;,\"@x" },
	/* literals */
	{ "a@[192.0.2.1]", "a@[192.0.2.1]" },
	{ "a@[IPv6:2001:DB8::1]", "a@[ipv6:2001:db8::1]" },
	{ "a@[ipv6:::]", "a@[ipv6:::]" },
	{ "a@[IPv6:::ffff:192.0.2.1]", "a@[ipv6:::ffff:192.0.2.1]" },
	{ "a@[192.0.2.256]", NULL },
	{ "a@[192.0.2.1", NULL },
	{ "a@192.0.2.1]", NULL },
	{ "a@[2001:db8::1]", NULL },
	{ "a@[IPv6:192.0.2.1]", NULL },
	{ "a@[]", NULL },
	{ "a@[IPv6:]", NULL },
	{ "a@[IPv6:1::2::3]", NULL },
	{ "a@[x:y]", NULL },
	/* UTF-8 (RFC 6531) */
	{ "m\xc3\xbcller@x", "m\xc3\xbcller@x" },
	{ "a@m\xc3\xbcller.de", "a@m\xc3\xbcller.de" },
	{ "\"\xe2\x82\xac\"@x", "\xe2\x82\xac@x" },
	{ "\xf0\x9f\x98\x80@x", "\xf0\x9f\x98\x80@x" },
	{ "\xf4\x8f\xbf\xbf@x", "\xf4\x8f\xbf\xbf@x" },
	{ "\xc3@x", NULL }, /* cut off */
	{ "\xe2\x82@x", NULL },
	{ "a@x\xc3", NULL },
	{ "\"\xe2\x82\"@x", NULL },
	{ "\"\\\xc3\"@x", NULL },
	{ "\xbc@x", NULL },     /* a tail alone */
	{ "\xc0\xaf@x", NULL }, /* overlong */
	{ "\xc1\xbf@x", NULL },
	{ "\xe0\x9f\xbf@x", NULL },
	{ "\xf0\x8f\xbf\xbf@x", NULL },
	{ "\xed\xa0\x80@x", NULL },     /* surrogate */
	{ "\xf4\x90\x80\x80@x", NULL }, /* over U+10FFFF */
	{ "\xf5\x80\x80\x80@x", NULL },
	{ "\xff@x", NULL },
	{ "M\xfcller@x", NULL },
	/* no address */
	{ "", NULL },
	{ "a", NULL },
	{ "@", NULL },
	{ "a@", NULL },
	{ "@x", NULL },
	{ ".a@x", NULL },
	{ "a.@x", NULL },
	{ "a..b@x", NULL },
	{ "a b@x", NULL },
	{ "a@b@c", NULL },
	{ "a@x.", NULL },
	{ "a@.x", NULL },
	{ "a@x..y", NULL },
	{ "a@-x", NULL },
	{ "a@x-", NULL },
	{ "a@x y", NULL },
	{ " a@x", NULL },
	{ "a@x ", NULL },
	{ "<a@x>", NULL },
	{ "a(c)@x", NULL },
	{ "a@x(c)", NULL },
	{ "a,b@x", NULL },
	{ "a@x,b@y", NULL },
	{ "a:b@x", NULL },
	{ "a;@x", NULL },
	{ "a\\b@x", NULL },
	{ "a\"b\"@x", NULL },
	{ "\"a\"b@x", NULL },
	{ "\"a\".b@x", NULL },
	{ "\"a@x", NULL },
	{ "\"a\\\"@x", NULL },
	{ "\"a\"", NULL },
	{ "\"", NULL },
	{ "\"\\", NULL },
	{ "\"a\"b\"@x", NULL },
	{ "\"\t\"@x", NULL },
	{ "\"\\\t\"@x", NULL },
	{ "\"\x7f\"@x", NULL },
	{ "\x7f@x", NULL },
	{ "a\r\n@x", NULL },
	{ "a@x\r\n", NULL },
	{ "\"\r\n\"@x", NULL },
	{ "postmaster", NULL },
	{ "-a@x", "-a@x" },
};

static void
mailboxes(void)
{
	for (size_t i = 0; i < sizeof mailbox / sizeof *mailbox; i++) {
		enum mr_status st = mr_addr_parse(&a, &arena, mr_str(mailbox[i].text), &err);

		if (mailbox[i].want)
			is(st == MR_OK ? a.text : mr_str(NULL), mailbox[i].want, mailbox[i].text);
		else
			ok(st == MR_PERM && err.text[0], "refused: case %zu", i);
		if (st == MR_OK) {
			struct mr_addr again;

			ok(mr_addr_parse(&again, &arena, a.text, &err) == MR_OK
			        && mr_str_eq(a.text, again.text) && mr_str_eq(a.local, again.local)
			        && mr_str_eq(a.domain, again.domain),
			    "its canonical form is its own");
		}
	}
	ok(mr_addr_parse(&a, &arena, MR_STR("a\0b@x"), &err) == MR_PERM, "NUL");
	ok(mr_addr_parse(&a, &arena, MR_STR("\"\0\"@x"), &err) == MR_PERM, "NUL in quotes");
	ok(mr_addr_parse(&a, &arena, MR_STR("\"\\\0\"@x"), &err) == MR_PERM, "NUL behind \\");
	ok(mr_addr_parse(&a, &arena, MR_STR("a@x\0"), &err) == MR_PERM, "NUL at the end");
	ok(mr_addr_parse(&a, &arena, MR_STR("a@x\0y"), &err) == MR_PERM, "NUL in the domain");
	ok(mr_addr_parse(&a, &arena, mr_str(NULL), &err) == MR_PERM, "not there");
}

static void
fields(void)
{
	mr_addr_parse(&a, &arena, MR_STR("\"a b\"@[192.0.2.1]"), &err);
	ok(a.is_literal && !a.has_utf8 && !a.is_null && !a.is_postmaster, "flags of a literal");
	is(a.local, "\"a b\"", "local part keeps the quotes that it needs");
	is(a.domain, "[192.0.2.1]", "domain of a literal");
	mr_addr_parse(&a, &arena, MR_STR("a@m\xc3\xbcller.de"), &err);
	ok(a.has_utf8 && !a.is_literal, "a domain in UTF-8 needs SMTPUTF8");
	mr_addr_parse(&a, &arena, MR_STR("\xc3\xbc@x"), &err);
	ok(a.has_utf8, "so does a local part");
	is(mr_arena_lower(&arena, MR_STR("A\xc3\x9cZ[")), "a\xc3\x9cz[", "lower: ASCII only");
}

/* "aaaa...@bbb" of n octets, the domain made of labels of 50. */
static struct mr_str
long_addr(char *mem, size_t local_n, size_t n)
{
	memset(mem, 'a', n);
	mem[local_n] = '@';
	for (size_t i = local_n + 51; i + 1 < n; i += 51)
		mem[i] = '.';
	return (struct mr_str){ mem, n };
}

static void
limits(void)
{
	char mem[1024];
	struct mr_arena small;
	struct mr_str s;
	size_t max, fails = 0;

	ok(mr_addr_parse(&a, &arena, long_addr(mem, 64, MR_ADDR_MAX), &err) == MR_OK
	        && a.text.n == MR_ADDR_MAX,
	    "as long as it may be");
	ok(mr_addr_parse(&a, &arena, long_addr(mem, 64, MR_ADDR_MAX + 1), &err) == MR_PERM,
	    "one more: %s", err.text);
	ok(mr_addr_parse(&a, &arena, long_addr(mem, 65, 100), &err) == MR_OK,
	    "a local part over 64 octets (RFC 5321 4.5.3.1.1 lets us take more: VERP, SRS)");
	memset(mem, '\\', sizeof mem);
	mem[0] = mem[MR_ADDR_MAX - 3] = '"';
	mem[MR_ADDR_MAX - 2] = '@';
	mem[MR_ADDR_MAX - 1] = 'x';
	s = (struct mr_str){ mem, MR_ADDR_MAX };
	ok(mr_addr_parse(&a, &arena, s, &err) == MR_OK && mr_str_eq(a.text, s),
	    "backslashes, even");
	memmove(mem + 1, mem + 2, MR_ADDR_MAX - 2);
	s.n--;
	ok(mr_addr_parse(&a, &arena, s, &err) == MR_PERM, "and odd");

	memset(mem, 'a', sizeof mem);
	ok(mr_domain_is_valid((struct mr_str){ mem, 63 }), "a label of 63 octets");
	ok(!mr_domain_is_valid((struct mr_str){ mem, 64 }), "of 64");
	for (size_t i = 63; i < sizeof mem; i += 64)
		mem[i] = '.';
	ok(mr_domain_is_valid((struct mr_str){ mem, MR_DOMAIN_MAX }), "a domain of 255 octets");
	mem[63 + 64 * 3] = 'a';
	mem[200] = '.';
	ok(!mr_domain_is_valid((struct mr_str){ mem, MR_DOMAIN_MAX + 1 }), "of 256");

	for (max = 0; max < 4096; max += 16) {
		mr_arena_init(&small, max);
		if (mr_addr_parse(&a, &small, MR_STR("\"a b\"@x.example"), &err) == MR_OK)
			break;
		fails += mr_addr_parse(&a, &small, MR_STR("\"a b\"@x.example"), &err) == MR_TEMP;
		mr_arena_free(&small);
	}
	ok(fails > 3 && fails == max / 16, "without memory it is temporary, at each step: %zu",
	    fails);
	mr_arena_free(&small);
}

static void
paths(void)
{
	static const struct {
		const char *text, *want, *rest; /* want NULL: refused */
	} t[] = { { "<a@x>", "a@x", "" }, { "<a@x> SIZE=1", "a@x", " SIZE=1" }, { "<>", "", "" },
		{ "<> BODY=8BITMIME", "", " BODY=8BITMIME" }, { "<Postmaster>", "postmaster", "" },
		{ "<postmaster@x>", "postmaster@x", "" }, { "<\"a>b\"@x>y", "\"a>b\"@x", "y" },
		{ "<\"a\\\">b\"@x>y", "\"a\\\">b\"@x", "y" }, { "<a@x>>", "a@x", ">" },
		{ "<@r.example:a@x>", "a@x", "" }, { "<@r.example,@s.example:a@x>", "a@x", "" },
		{ "<@r:\"a:b\"@x>", "\"a:b\"@x", "" }, { "<@r:>", NULL, 0 }, { "<@:a@x>", NULL, 0 },
		{ "<@r,:a@x>", NULL, 0 }, { "<@r,s:a@x>", NULL, 0 }, { "<@r,@:a@x>", NULL, 0 },
		{ "<@r a@x>", NULL, 0 }, { "<@r:postmaster>", NULL, 0 }, { "<r:a@x>", NULL, 0 },
		{ "<@[192.0.2.1]:a@x>", NULL, 0 }, { "<@a@x>", NULL, 0 }, { "", NULL, 0 },
		{ "<", NULL, 0 }, { "<a@x", NULL, 0 }, { "a@x>", NULL, 0 }, { " <a@x>", NULL, 0 },
		{ "<a@x >", NULL, 0 }, { "< >", NULL, 0 }, { "<<>>", NULL, 0 },
		{ "<\"a@x>", NULL, 0 }, { "<\"a\\", NULL, 0 }, { "<\"a\\\">", NULL, 0 },
		{ "<a@x\r\n>", NULL, 0 }, { "<\xc3>", NULL, 0 } };

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct mr_str rest = mr_str(t[i].text);
		enum mr_status st = mr_addr_parse_path(&a, &arena, &rest, &err);

		if (t[i].want) {
			is(st == MR_OK ? a.text : mr_str(NULL), t[i].want, t[i].text);
			is(rest, t[i].rest, "what is left");
		} else {
			ok(st == MR_PERM && rest.n == strlen(t[i].text), "refused path: case %zu",
			    i);
		}
	}
	struct mr_str rest = MR_STR("<>");

	mr_addr_parse_path(&a, &arena, &rest, &err);
	ok(a.is_null && !a.is_postmaster && a.domain.n == 0, "null");
	rest = MR_STR("<pOSTMASTER>");
	mr_addr_parse_path(&a, &arena, &rest, &err);
	ok(!a.is_null && a.is_postmaster && a.domain.n == 0, "postmaster in any case");
	rest = MR_STR("<postmaster\0>");
	ok(mr_addr_parse_path(&a, &arena, &rest, &err) == MR_PERM, "postmaster and NUL");
}

static void
unquoted(void)
{
	static const char *const t[][2] = { { "john doe@X.example", "\"john doe\"@x.example" },
		{ "a@b@x", "\"a@b\"@x" }, { "a\"b\\@x", "\"a\\\"b\\\\\"@x" },
		{ "\"a b\"@x", "\"a b\"@x" }, { "bob@x", "bob@x" }, { "@x", "\"\"@x" },
		{ "john doe", NULL }, { "a b@-x", NULL }, { "a\x01@x", NULL } };
	char mem[512];

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		enum mr_status st = mr_addr_parse_unquoted(&a, &arena, mr_str(t[i][0]), &err);

		is(st == MR_OK ? a.text : mr_str(NULL), t[i][1], t[i][0]);
	}
	ok(mr_addr_parse_unquoted(&a, &arena, long_addr(mem, 64, MR_ADDR_MAX + 1), &err) == MR_PERM,
	    "too long stays too long");
}

int
main(void)
{
	mr_arena_init(&arena, 1 << 20);
	mailboxes();
	fields();
	limits();
	paths();
	unquoted();
	mr_arena_free(&arena);
	return done_testing();
}
