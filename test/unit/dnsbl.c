/* Sites and their filters, and what one list says, with its test. */
#include "check/dnsbl.h"

#include "../open_dns.h"
#include "../tap.h"

static const struct {
	const char *site, *zone;
	int weight;
	const char *yes, *no; /* answers that count, and that do not; blank between */
} good[] = {
	{ "a.example", "a.example", 1, "127.0.0.1 127.0.0.2 127.254.0.255", NULL },
	{ "a.example*3", "a.example", 3, "127.0.0.2", NULL },
	{ "a.example*-3", "a.example", -3, "127.0.0.2", NULL },
	{ "a.example*1000", "a.example", 1000, "127.0.0.2", NULL },
	{ "a.example=127.0.0.2", "a.example", 1, "127.0.0.2", "127.0.0.3 127.1.0.2" },
	{ "a.example=127.0.0.[2..11]*3", "a.example", 3, "127.0.0.2 127.0.0.11",
	    "127.0.0.1 127.0.0.12" },
	{ "a.example=127.0.[0..255].[1;3;8..9]", "a.example", 1, "127.0.7.1 127.0.255.9",
	    "127.0.7.2 127.1.7.1" },
	{ "a.example=[127].0.0.[2]", "a.example", 1, "127.0.0.2", "127.0.0.1" },
};

static const char *const bad[] = { "", "*1", "a.example*", "a.example*x", "a.example*1001",
	"a.example*-1001", "a.example=", "a.example=127.0.0", "a.example=127.0.0.2.3",
	"a.example=127.0.0.256", "a.example=127.0.0.[3..2]", "a.example=127.0.0.[2",
	"a.example=127.0.0.[]", "a.example=127.0.0.[2;]", "a.example=127.0.0.2..3",
	"a.example=127.0.0.[2.3]", "a.example=128.0.0.2", "a.example=[126..127].0.0.2",
	"a b.example", "192.0.2.1", ".a.example", "a.example=127.0.0.2*1*2" };

static const char zone[] = /* all tests pass */
    "2.0.0.127.ok.example A 127.0.0.2\n"
    "7.2.0.192.ok.example A 127.0.0.2\n"
    "8.2.0.192.ok.example A 127.0.0.99\n"
    "8.2.0.192.ok.example A 127.0.0.2\n"
    "9.2.0.192.ok.example A 127.0.0.99\n"
    "6.2.0.192.ok.example A 127.0.0.2\n"
    "6.2.0.192.ok.example A 192.0.2.1\n"
    "5.2.0.192.ok.example ! servfail\n"
    "4.2.0.192.ok.example A 127.255.255.254\n"
    "4.2.0.192.ok.example A 127.0.0.2\n"
    "3.2.0.192.ok.example A 127.255.254.255\n"
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ok.example A 127.0.0.2\n"
    /* IPv6 alone */
    "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.six.example A 127.0.0.2\n"
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.six.example A 127.0.0.2\n"
    "1.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.all6.example A 127.0.0.2\n"
    "2.0.0.127.all6.example A 127.0.0.2\n"
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.all6.example A 127.0.0.2\n"
    /* broken */
    "2.0.0.127.all.example A 127.0.0.2\n"
    "1.0.0.127.all.example A 127.0.0.2\n"
    "7.2.0.192.all.example A 127.0.0.2\n"
    "7.2.0.192.nobody.example A 127.0.0.2\n"
    "2.0.0.127.away.example ! timeout\n"
    "1.0.0.127.away.example ! timeout\n"
    "7.2.0.192.away.example A 127.0.0.2\n"
    "2.0.0.127.half.example A 127.255.255.255\n"
    "7.2.0.192.half.example A 127.0.0.2\n"
    /* of names */
    "test.names.example A 127.0.1.2\n"
    "bad.example.names.example A 127.0.1.2\n"
    "down.example.names.example ! servfail\n"
    "invalid.wide.example A 127.0.1.2\n"
    "test.wide.example A 127.0.1.2\n"
    "bad.example.wide.example A 127.0.1.2\n";

static const struct {
	const char *site, *ip, *name[2];
	bool wants_test;
	enum mr_dnsbl_said want;
	unsigned runs;
} cases[] = {
	{ "ok.example", "192.0.2.7", { NULL }, false, MR_DNSBL_LISTED, 2 },
	{ "ok.example=127.0.0.3", "192.0.2.7", { NULL }, false, MR_DNSBL_OTHER, 1 },
	{ "ok.example=127.0.0.2", "192.0.2.8", { NULL }, false, MR_DNSBL_LISTED, 2 },
	{ "ok.example=127.0.0.2", "192.0.2.9", { NULL }, false, MR_DNSBL_OTHER, 1 },
	{ "ok.example", "192.0.2.1", { NULL }, false, MR_DNSBL_CLEAR, 1 },
	{ "ok.example", "192.0.2.1", { NULL }, true, MR_DNSBL_CLEAR, 1 },
	{ "ok.example", NULL, { NULL }, false, MR_DNSBL_CLEAR, 0 },
	{ "ok.example", "192.0.2.6", { NULL }, false, MR_DNSBL_NO_LIST, 1 },
	{ "ok.example", "192.0.2.5", { NULL }, false, MR_DNSBL_LATE, 1 },
	{ "ok.example", "192.0.2.4", { NULL }, false, MR_DNSBL_REFUSES, 1 },
	{ "ok.example", "192.0.2.3", { NULL }, false, MR_DNSBL_LISTED, 2 },
	{ "ok.example", "2001:db8::1", { NULL }, false, MR_DNSBL_LISTED, 2 },
	{ "six.example", "2001:db8::1", { NULL }, false, MR_DNSBL_LISTED, 2 },
	{ "all6.example", "2001:db8::1", { NULL }, false, MR_DNSBL_LISTS_ALL, 2 },
	{ "all.example", "192.0.2.7", { NULL }, false, MR_DNSBL_LISTS_ALL, 2 },
	{ "all.example", "192.0.2.1", { NULL }, true, MR_DNSBL_LISTS_ALL, 1 },
	{ "all.example=127.0.0.9", "192.0.2.7", { NULL }, true, MR_DNSBL_LISTS_ALL, 1 },
	{ "nobody.example", "192.0.2.7", { NULL }, false, MR_DNSBL_LISTS_NOBODY, 2 },
	{ "nobody.example", "192.0.2.1", { NULL }, false, MR_DNSBL_CLEAR, 1 },
	{ "nobody.example", "192.0.2.1", { NULL }, true, MR_DNSBL_LISTS_NOBODY, 1 },
	{ "away.example", "192.0.2.7", { NULL }, false, MR_DNSBL_LISTED, 2 },
	{ "half.example", "192.0.2.7", { NULL }, false, MR_DNSBL_REFUSES, 2 },
	{ "names.example", "192.0.2.7", { "good.example", "bad.example" }, false, MR_DNSBL_LISTED,
	    2 },
	{ "names.example", "192.0.2.7", { "down.example", "bad.example" }, false, MR_DNSBL_LISTED,
	    2 },
	{ "names.example", NULL, { "down.example", "good.example" }, false, MR_DNSBL_LATE, 1 },
	{ "wide.example", NULL, { "bad.example", NULL }, false, MR_DNSBL_LISTS_ALL, 2 },
};

static void
test_site(size_t i)
{
	struct mr_dnsbl_site site;
	struct mr_err err = { "" };

	ok(mr_dnsbl_site_parse(&site, mr_str(good[i].site), &err) == MR_OK, "'%s' %s", good[i].site,
	    err.text);
	is(site.zone, good[i].zone, "its zone");
	ok(site.weight == good[i].weight, "its weight");
	for (int is_no = 0; is_no < 2; is_no++) {
		struct mr_str list = mr_str(is_no ? good[i].no : good[i].yes), word;

		while ((word = mr_str_word(&list)).n) {
			bool counts = true;
			struct mr_ip ip;

			mr_ip_parse(&ip, word);
			for (size_t k = 0; k < 4; k++)
				counts &= site.octet[k][ip.b[k] / 8] >> ip.b[k] % 8 & 1;
			ok(counts != is_no, "%.*s", (int)word.n, word.p);
		}
	}
}

static void
test_case(size_t i, struct mr_dns *dns, struct mr_arena *arena)
{
	struct mr_dnsbl_subject subject = { .ip = NULL };
	struct mr_dnsbl_finding f;
	struct mr_dnsbl_site site;
	struct mr_ip ip;
	unsigned runs = 0;

	if (cases[i].ip && mr_ip_parse(&ip, mr_str(cases[i].ip)) == MR_OK)
		subject.ip = &ip;
	for (size_t k = 0; k < 2 && cases[i].name[k]; k++)
		subject.name[subject.name_n++] = mr_str(cases[i].name[k]);
	mr_dnsbl_site_parse(&site, mr_str(cases[i].site), NULL);
	mr_dns_forget(dns);
	while (!mr_dnsbl_check(&f, &site, subject.name_n, &subject, cases[i].wants_test, dns, arena)
	    && runs++ < 9)
		mr_dns_run(dns, INT64_MAX);
	ok(f.said == cases[i].want && runs == cases[i].runs, "%s of %s%s: %s in %u runs",
	    cases[i].site, cases[i].ip ? cases[i].ip : "names",
	    cases[i].wants_test ? ", tested" : "", mr_dnsbl_word(f.said), runs);
	if (f.said == MR_DNSBL_LISTED && subject.name_n)
		is(f.about, "bad.example", "it was this name");
}

int
main(void)
{
	struct mr_arena arena;
	struct mr_err err;
	struct mr_dns *dns = open_dns(zone, 0, &err);

	if (!ok(dns, "the fixture is read"))
		return 1;
	mr_arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		test_site(i);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct mr_dnsbl_site site;

		ok(mr_dnsbl_site_parse(&site, mr_str(bad[i]), &err) == MR_USAGE,
		    "no site: '%s' (%s)", bad[i], err.text);
	}
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		test_case(i, dns, &arena);
	mr_arena_free(&arena);
	mr_dns_close(dns);
	return done_testing();
}
