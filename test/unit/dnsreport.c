/* The report: what it costs, and its limits.  What each check finds is tested over whole worlds in
 * test/e2e/dnscheck.t. */
#include "check/dnsreport.h"

#include "base/clock.h"
#include "check/dnsreport_pass.h"
#include "check/dnsreport_show.h"

#include "../open_dns.h"
#include "../tap.h"

static struct mr_orgdomain *org;
static struct mr_spf_matcher *matcher;

static const char good[] = "d.example SOA ns.d.example h.d.example 1 7200 3600 1209600 3600\n"
                           "d.example NS ns1.d.example\nd.example NS ns2.d.example\n"
                           "d.example MX 10 mx1.d.example\nd.example MX 20 mx2.d.example\n"
                           "mx1.d.example A 192.0.2.1\nmx2.d.example A 192.0.2.2\n"
                           "1.2.0.192.in-addr.arpa PTR mx1.d.example\n"
                           "2.2.0.192.in-addr.arpa PTR mx2.d.example\n";
static const char spf[] = "d.example TXT \"v=spf1 mx -all\"\n";
static const char dmarc[] = "_dmarc.d.example TXT \"v=DMARC1; p=reject\"\n";

/* The report on d.example with these lines; its findings from warn on are in `said`. */
static const struct mr_dnsbl_site *lists;
static size_t list_n;

static unsigned
report(const char *lines, struct mr_dnsreport *r, struct mr_arena *arena, struct mr_buf *said)
{
	struct mr_dnsreport_query q = { .domain = MR_STR("d.example"),
		.org = org,
		.matcher = matcher,
		.chance = MR_STR("chance"),
		.list = lists,
		.list_n = list_n };
	struct mr_err err = { "" };
	struct mr_dns *dns = open_dns(lines, 0, &err);
	unsigned rounds = 0;
	enum mr_status st;

	if (!dns)
		printf("# %s\n", err.text);
	do {
		mr_arena_free(arena);
		st = mr_dnsreport_check(r, &q, dns, arena, &err);
		mr_dns_run(dns, mr_clock_mono_ms() + 1000);
	} while (st == MR_NOTFOUND && ++rounds < MR_DNSREPORT_ROUNDS_MAX);
	ok(st == MR_OK, "a report after %u rounds", rounds);
	mr_buf_clear(said);
	for (size_t i = 0; st == MR_OK && i < r->n; i++)
		if (r->finding[i].level >= MR_LEVEL_WARN)
			mr_buf_addf(said, "%s %s;", mr_dnsreport_id(r->finding[i].check),
			    mr_dnsreport_level_word(r->finding[i].level));
	mr_dns_close(dns);
	return rounds;
}

/* Lines beside the good ones: what is said, the score in hundredths, the exit code. */
static const struct {
	const char *lines[3];
	const char *said;
	unsigned score;
	int code;
} cases[] = {
	{ { good, spf, dmarc }, "", 1000, 0 },
	{ { good, spf, "" }, "dmarc-present fail;", 900, 2 },
	{ { good, "", dmarc }, "spf-present fail;spf-sender fail;spf-sender fail;", 800, 2 },
	{ { good, "d.example TXT \"v=spf1 mx ?all\"\n", dmarc }, "spf-all warn;", 950, 1 },
	{ { good, spf, "_dmarc.d.example ! servfail\n" }, "dmarc-present error;", 900, 111 },
	{ { good, "", "_dmarc.d.example ! timeout\n" },
	    "spf-present fail;spf-sender fail;spf-sender fail;dmarc-present error;", 700, 2 },
	/* 1 + 0.5 + 0.5 + 0.25 of a group that costs no more than 1 */
	{ { good, spf,
	      "_dmarc.d.example TXT \"v=DMARC1; rua=x\"\n"
	      "_mta-sts.d.example TXT \"v=STSv1\"\n" },
	    "dmarc-syntax fail;dmarc-rua warn;mtasts-host warn;mtasts-txt warn;", 850, 2 },
	{ { "d.example ! nxdomain\n", "", "" }, "dom-exists fail;", 0, 2 },
	{ { "d.example ! refused\n", "", "" }, "dns-answer error;", 0, 111 },
	{ { good, "d.example ! timeout TXT\n", dmarc }, "dns-answer error;", 0, 111 },
	{ { "d.example ! servfail\n", "", "" }, "dns-answer error;", 0, 111 },
	{ { "d.example SOA ns.d.example h.d.example 1 2 3 4 5\nd.example MX 0 .\n",
	      "d.example TXT \"v=spf1 -all\"\n", dmarc },
	    "", 1000, 0 },
};

static void
test_cases(void)
{
	struct mr_dnsreport r;
	struct mr_arena arena;
	struct mr_buf lines, said;

	mr_arena_init(&arena, MR_DNSREPORT_MEMORY_MAX);
	mr_buf_init(&lines, 100000);
	mr_buf_init(&said, 100000);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		mr_buf_clear(&lines);
		for (int k = 0; k < 3; k++)
			mr_buf_adds(&lines, cases[i].lines[k]);
		mr_buf_addc(&lines, '\0');
		report(lines.p, &r, &arena, &said);
		is(said.n ? mr_buf_str(&said) : MR_STR(""), cases[i].said, "what is said");
		ok(r.score == cases[i].score, "score %u, want %u", r.score, cases[i].score);
		ok(mr_dnsreport_exit(&r) == cases[i].code, "exit %d", cases[i].code);
	}
	mr_arena_free(&arena);
	mr_buf_free(&lines);
	mr_buf_free(&said);
}

/* More questions than a batch takes: none of them is lost. */
static void
test_lists(const char *lines, struct mr_arena *arena, struct mr_buf *said)
{
	struct mr_dnsbl_site site[20];
	char zone[20][32];
	struct mr_dnsreport r;
	size_t broken = 0, clear = 0;

	for (int i = 0; i < 20; i++) {
		snprintf(zone[i], sizeof zone[i], "l%d.example", i);
		mr_dnsbl_site_parse(&site[i], mr_str(zone[i]), NULL);
	}
	lists = site;
	list_n = 20;
	report(lines, &r, arena, said);
	list_n = 0;
	for (size_t i = 0; i < r.n; i++) {
		broken += r.finding[i].level == MR_LEVEL_ERROR;
		clear += r.finding[i].check == MR_CHECK_DNSBL_WORKS;
	}
	ok(broken == 0 && clear == 20, "32 addresses in 20 lists: %zu outages, %zu lists", broken,
	    clear);
}

/* More exchanges, each with more addresses, than are looked at. */
static void
test_limits(void)
{
	static char lines[200000];
	size_t n = (size_t)snprintf(lines, sizeof lines, "d.example TXT \"v=spf1 -all\"\n");
	struct mr_dnsreport r;
	struct mr_arena arena;
	struct mr_buf said, out;
	size_t senders = 0;
	unsigned rounds;

	for (int h = 0; h < 200; h++) {
		n += (size_t)snprintf(
		    lines + n, sizeof lines - n, "d.example MX %d h%d.d.example\n", h, h);
		for (int i = 0; i < 3; i++)
			n += (size_t)snprintf(
			    lines + n, sizeof lines - n, "h%d.d.example A 198.51.%d.%d\n", h, h, i);
	}
	mr_arena_init(&arena, MR_DNSREPORT_MEMORY_MAX);
	mr_buf_init(&said, 1 << 20);
	mr_buf_init(&out, 1 << 20);
	rounds = report(lines, &r, &arena, &said);
	ok(rounds <= 6, "a domain of 200 exchanges takes few rounds: %u", rounds);
	for (size_t i = 0; i < r.n; i++)
		senders += r.finding[i].check == MR_CHECK_SPF_SENDER;
	ok(senders == MR_DNSREPORT_IP_MAX, "MR_DNSREPORT_IP_MAX addresses are looked at");
	mr_dnsreport_json(&out, &r, MR_STR("d.example"));
	ok(!out.is_full, "it can be written");
	test_lists(lines, &arena, &said);
	mr_arena_free(&arena);
	mr_buf_free(&said);
	mr_buf_free(&out);
}

static const struct {
	const char *name;
	bool is_ldh;
} names[] = { { "a", true }, { "a.b", true }, { "xn--bcher-kva.example", true },
	{ "1.example", true }, { "", false }, { ".", false }, { "a.", false }, { ".a", false },
	{ "a..b", false }, { "a_b.example", false }, { "-a.example", false },
	{ "a-.example", false }, { "a b", false }, { "192.0.2.1", false }, { "b\xc3\xbc", false },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b", true },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b", false } };

/* Whatever stands in a record, lines of ours are lines. */
static void
test_lines(void)
{
	char raw[600], strings[] = "\003a\"b\002\\\n";
	struct mr_dns_record rec = { .strings = { strings, sizeof strings - 1 } };
	struct mr_dnsreport r = { .n = 0 };
	struct mr_dnsreport_pass p = { .report = &r };
	struct mr_arena arena;
	struct mr_str line;

	mr_arena_init(&arena, 1 << 20);
	p.arena = &arena;
	memset(raw, 'x', sizeof raw);
	is(mr_dnsreport_strings(&p, MR_STR("d"), "TXT", &rec),
	    "d. 3600 IN TXT \"a\\\"b\" \"\\\\\\010\"", "strings as they are published");
	line = mr_dnsreport_txt(&p, MR_STR("d"), (struct mr_str){ raw, 600 });
	ok(line.n == strlen("d. 3600 IN TXT \"\" \"\" \"\"") + 600
	        && line.p[strlen("d. 3600 IN TXT \"") + 255] == '"',
	    "text is split at 255 octets");
	is(mr_dnsreport_txt(&p, MR_STR("d"), MR_STR("")), "d. 3600 IN TXT \"\"", "no text");
	mr_dnsreport_say(&p, MR_CHECK_SPF_ALL, MR_LEVEL_WARN, MR_STR("d"), NULL, "a\nb\033c");
	mr_dnsreport_say(&p, MR_CHECK_SPF_ALL, MR_LEVEL_WARN, MR_STR("d"), NULL, "a?b?c");
	ok(r.n == 1, "a finding is there once");
	is(r.finding[0].message, "a?b?c", "on one line");
	mr_arena_free(&arena);
}

int
main(void)
{
	struct mr_err err = { "" };

	ok(mr_orgdomain_open(&org, &err) == MR_OK && mr_spf_matcher_open(&matcher, &err) == MR_OK,
	    "libraries %s", err.text);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		ok(mr_dnsreport_is_ldh(mr_str(names[i].name)) == names[i].is_ldh, "name '%s'",
		    names[i].name);
	test_cases();
	test_limits();
	test_lines();
	mr_orgdomain_close(org);
	mr_spf_matcher_close(matcher);
	return done_testing();
}
