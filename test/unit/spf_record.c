#include "check/spf_record.h"

#include "../tap.h"

#include <stdlib.h>

/* Terms that are right: what is read out of them. */
static const struct {
	const char *text;
	enum mr_spf_kind kind;
	enum mr_spf_result qualifier;
	const char *spec;
	unsigned bits4, bits6;
} good[] = {
	{ "all", MR_SPF_ALL, MR_SPF_PASS, NULL, 32, 128 },
	{ "-ALL", MR_SPF_ALL, MR_SPF_FAIL, NULL, 32, 128 },
	{ "~all", MR_SPF_ALL, MR_SPF_SOFTFAIL, NULL, 32, 128 },
	{ "?all", MR_SPF_ALL, MR_SPF_NEUTRAL, NULL, 32, 128 },
	{ "+a", MR_SPF_A, MR_SPF_PASS, NULL, 32, 128 },
	{ "a/24", MR_SPF_A, MR_SPF_PASS, NULL, 24, 128 },
	{ "a//64", MR_SPF_A, MR_SPF_PASS, NULL, 32, 64 },
	{ "a/0//0", MR_SPF_A, MR_SPF_PASS, NULL, 0, 0 },
	{ "a:b.example/24//64", MR_SPF_A, MR_SPF_PASS, "b.example", 24, 64 },
	{ "a:b/c.example", MR_SPF_A, MR_SPF_PASS, "b/c.example", 32, 128 },
	{ "a:%{d}/24", MR_SPF_A, MR_SPF_PASS, "%{d}", 24, 128 },
	{ "a:a.b-c.d2-d.", MR_SPF_A, MR_SPF_PASS, "a.b-c.d2-d.", 32, 128 },
	{ "mx", MR_SPF_MX, MR_SPF_PASS, NULL, 32, 128 },
	{ "-mx:%{l1r+-}._spf.%{d2}", MR_SPF_MX, MR_SPF_FAIL, "%{l1r+-}._spf.%{d2}", 32, 128 },
	{ "ptr", MR_SPF_PTR, MR_SPF_PASS, NULL, 32, 128 },
	{ "ptr:b.example", MR_SPF_PTR, MR_SPF_PASS, "b.example", 32, 128 },
	{ "include:.example", MR_SPF_INCLUDE, MR_SPF_PASS, ".example", 32, 128 },
	{ "exists:%{ir}.%{v}.%{h}.x%%%_%-.example", MR_SPF_EXISTS, MR_SPF_PASS,
	    "%{ir}.%{v}.%{h}.x%%%_%-.example", 32, 128 },
	{ "ip4:192.0.2.1", MR_SPF_IP4, MR_SPF_PASS, NULL, 32, 128 },
	{ "IP4:192.0.2.1/0", MR_SPF_IP4, MR_SPF_PASS, NULL, 0, 128 },
	{ "ip6:2001:db8::1/127", MR_SPF_IP6, MR_SPF_PASS, NULL, 32, 127 },
	{ "ip6:::ffff:192.0.2.1", MR_SPF_IP6, MR_SPF_PASS, NULL, 32, 128 },
	{ "redirect=b.example", MR_SPF_REDIRECT, MR_SPF_NONE, "b.example", 32, 128 },
	{ "EXP=b.example", MR_SPF_EXP, MR_SPF_NONE, "b.example", 32, 128 },
	{ "a=b", MR_SPF_UNKNOWN, MR_SPF_NONE, "b", 32, 128 },
	{ "x-._9=", MR_SPF_UNKNOWN, MR_SPF_NONE, "", 32, 128 },
	{ "m=%{c}%{R}%{t}/:=", MR_SPF_UNKNOWN, MR_SPF_NONE, "%{c}%{R}%{t}/:=", 32, 128 },
};

static const char *const bad[] = { "al", "all.", "all:x.example", "all/8", "-", "--all",
	"+redirect=b.example", "a:", "a:example", "a:b.1", "a:b.-c", "a:b.c-", "a:b._c", "a:b.c..",
	"a:/24", "a/33", "a/032", "a/", "a//129", "a///64", "a/24/64", "a//64/24", "a/x",
	"a:b.example/x", "ab", "mx:b.%{c}", "mx/24//", "ptr/24", "ptr:b.example/24",
	"ptr:", "include", "include:", "include/24", "include:b.example/24", "exists", "exists:%",
	"exists:%{", "exists:%{d", "exists:%{d}x", "exists:%{x}", "exists:%{d0}", "exists:%{d.x}",
	"exists:%{dr2}", "exists:%{}", "exists:%d.example", "exists:%{d}.example%", "exists:%{t}",
	"exists:a\tb.example", "exists:\xc3\xa4.example", "ip4", "ip4:", "ip4:192.0.2",
	"ip4:192.0.2.1.1", "ip4:192.0.2.256", "ip4:192.0.02.1", "ip4:192.0.2.1/33",
	"ip4:192.0.2.1/08", "ip4:192.0.2.1//32", "ip4:2001:db8::1", "ip4/24", "ip4:%{i}",
	"ip6:192.0.2.1", "ip6:2001:db8::/129", "ip6:2001:db8::1%lo", "ip6:1:2:3:4:5:6:7:8:9",
	"ip6:0000000000000000000000000000000000000000000000::1", "redirect=", "redirect=example",
	"redirect:b.example", "exp=", "m=%", "m=%{z}", "m=\x7f", "9=x", "=x", "_x=y",
	"v=spf1\x01" };

static void
test_terms(void)
{
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct mr_str rest = mr_str(good[i].text);
		struct mr_spf_term t;

		ok(mr_spf_term_next(&rest, &t, NULL) == MR_OK && t.kind == good[i].kind
		        && (t.kind >= MR_SPF_REDIRECT || t.qualifier == good[i].qualifier)
		        && t.bits4 == good[i].bits4 && t.bits6 == good[i].bits6,
		    "%s", good[i].text);
		is(t.spec, good[i].spec, "its domain-spec");
		is(t.text, good[i].text, "its text");
		ok(mr_spf_term_next(&rest, &t, NULL) == MR_NOTFOUND, "and nothing behind it");
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct mr_str rest = mr_str(bad[i]);
		struct mr_spf_term t;
		struct mr_err err = { "" };

		ok(mr_spf_term_next(&rest, &t, &err) == MR_PERM && err.text[0], "wrong: %s",
		    err.text);
	}
}

static void
test_records(void)
{
	static const struct {
		const char *text;
		bool is_record;
		enum mr_status st;
	} v[] = {
		{ "v=spf1", true, MR_OK },
		{ "V=SPF1 ", true, MR_OK },
		{ "v=spf1  a   mx  ", true, MR_OK },
		{ "v=spf1 redirect=b.example -all exp=c.example x=1 x=2", true, MR_OK },
		{ "v=spf1 exp=b.example a exp=c.example", true, MR_PERM },
		{ "v=spf1 redirect=b.example redirect=b.example", true, MR_PERM },
		{ "v=spf1 all bad", true, MR_PERM },
		{ "v=spf1\ta", false, MR_OK },
		{ "v=spf10", false, MR_OK },
		{ "v=spf2.0/mfrom", false, MR_OK },
		{ " v=spf1", false, MR_OK },
		{ "v=spf", false, MR_OK },
		{ "", false, MR_OK },
	};
	static char longest[MR_SPF_RECORD_MAX + 1];
	struct mr_spf_record r;
	struct mr_err err;

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct mr_str text = mr_str(v[i].text);

		ok(mr_spf_is_record(text) == v[i].is_record
		        && (!v[i].is_record || mr_spf_record_parse(&r, text, &err) == v[i].st),
		    "record '%s'", v[i].text);
	}
	mr_spf_record_parse(&r,
	    MR_STR("v=spf1 a mx ptr ip4:192.0.2.1 ip6:::1 include:a.example exists:a.example "
	           "redirect=b.example exp=c.example all x=y"),
	    &err);
	ok(r.counted_n == 6, "a mx ptr include exists redirect are counted");
	is(r.redirect, "b.example", "redirect");
	is(r.exp, "c.example", "exp");
	memset(longest, ' ', sizeof longest);
	memcpy(longest, "v=spf1", 6);
	ok(mr_spf_record_parse(&r, (struct mr_str){ longest, MR_SPF_RECORD_MAX }, &err) == MR_OK,
	    "the longest record");
	ok(mr_spf_record_parse(&r, (struct mr_str){ longest, MR_SPF_RECORD_MAX + 1 }, &err)
	        == MR_PERM,
	    "one octet too many");
}

/* Section 7.4's sender and addresses, and our own edges. */
static const struct {
	const char *text, *want, *want6;
} expansions[] = {
	{ "%{s}", "strong-bad@email.example.com", NULL },
	{ "%{o}", "email.example.com", NULL },
	{ "%{d}", "email.example.com", NULL },
	{ "%{d4}", "email.example.com", NULL },
	{ "%{d3}", "email.example.com", NULL },
	{ "%{d2}", "example.com", NULL },
	{ "%{d1}", "com", NULL },
	{ "%{d99999999999999999999}", "email.example.com", NULL },
	{ "%{dr}", "com.example.email", NULL },
	{ "%{d2r}", "example.email", NULL },
	{ "%{DR}", "com.example.email", NULL },
	{ "%{l}", "strong-bad", NULL },
	{ "%{l-}", "strong.bad", NULL },
	{ "%{lr}", "strong-bad", NULL },
	{ "%{lr-}", "bad.strong", NULL },
	{ "%{l1r-}", "strong", NULL },
	{ "%{l1r-+,/_=.}", "strong", NULL },
	{ "%{S}", "strong-bad%40email.example.com", NULL },
	{ "%{h}", "a..b/c", NULL },
	{ "%{H}", "a..b%2Fc", NULL },
	{ "%{hr}", "b/c..a", NULL },
	{ "%{h2}", ".b/c", NULL },
	{ "%{h/}", "a..b.c", NULL },
	{ "%{p}", "mx.example.org", NULL },
	{ "%{r}", "receiver.example", NULL },
	{ "%{t}", "1700000000", NULL },
	{ "%{c}", "192.0.2.3", "2001:db8::cb01" },
	{ "%{C}", "192.0.2.3", "2001%3Adb8%3A%3Acb01" },
	{ "%%%_%-%{v}", "% %20in-addr", "% %20ip6" },
	{ "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com",
	    "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf."
	    "example.com" },
	{ "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com", NULL },
	{ "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com",
	    "bad.strong.lp.1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2."
	    "ip6._spf.example.com" },
	{ "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com",
	    "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6.strong.lp."
	    "_spf.example.com" },
	{ "%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net", NULL },
};

static void
test_macros(void)
{
	struct mr_spf_macros m = { .sender = MR_STR("strong-bad@email.example.com"),
		.local = MR_STR("strong-bad"),
		.sender_domain = MR_STR("email.example.com"),
		.domain = MR_STR("email.example.com"),
		.helo = MR_STR("a..b/c"),
		.validated = MR_STR("mx.example.org"),
		.receiver = MR_STR("receiver.example"),
		.now_s = 1700000000 };
	struct mr_ip ip4, ip6;
	struct mr_buf b;

	mr_ip_parse(&ip4, MR_STR("192.0.2.3"));
	mr_ip_parse(&ip6, MR_STR("2001:db8::cb01"));
	for (size_t i = 0; i < sizeof expansions / sizeof *expansions; i++)
		for (int is_v6 = 0; is_v6 < 2; is_v6++) {
			m.ip = is_v6 ? &ip6 : &ip4;
			mr_buf_init(&b, 1000);
			mr_spf_expand(&b, mr_str(expansions[i].text), &m);
			is(mr_buf_str(&b),
			    is_v6 && expansions[i].want6 ? expansions[i].want6 : expansions[i].want,
			    expansions[i].text);
			mr_buf_free(&b);
		}
	mr_buf_init(&b, 27);
	mr_spf_expand(&b, MR_STR("%{s}"), &m);
	ok(b.is_full, "an expansion that does not fit");
	mr_buf_free(&b);
	m.local = MR_STR("");
	mr_buf_init(&b, 27);
	mr_spf_expand(&b, MR_STR("a%{l}%{lr-}b"), &m);
	is(mr_buf_str(&b), "ab", "an empty value");
	mr_buf_free(&b);
	ok(mr_spf_uses(MR_STR("x%%{l}%{S}"), 's') && !mr_spf_uses(MR_STR("x%%{l}%{S}"), 'l'),
	    "uses s in upper case, not the l behind a literal %%");
	ok(mr_spf_is_explanation(MR_STR("by %{c} at %{t}: 100%% ~")), "an explain-string");
	ok(!mr_spf_is_explanation(MR_STR("a\nb")) && !mr_spf_is_explanation(MR_STR("na\xc3\xafve"))
	        && !mr_spf_is_explanation(MR_STR("100%")),
	    "none");
}

int
main(void)
{
	test_terms();
	test_records();
	test_macros();
	return done_testing();
}
