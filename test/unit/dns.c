#include "dns/dns.h"

#include "base/clock.h"

#include "../open_dns.h"
#include "../tap.h"

static const char records[] = "# a world\n"
                              "a.example A 192.0.2.1\n"
                              "A.Example 60 IN A 192.0.2.2\n"
                              "a.example AAAA 2001:db8::1\n"
                              "a.example TXT \"one \" \"two;\\255\"\n"
                              "a.example MX 10 Mx.a.example.\n"
                              "\n"
                              "null.example MX 0 .\n"
                              "x.mid.example A 192.0.2.3\n"
                              "c1.example CNAME c2.example\n"
                              "c2.example CNAME a.example\n"
                              "dangling.example CNAME nowhere.example\n"
                              "loop.example CNAME loop.example\n"
                              "behind.example CNAME down.example\n"
                              "down.example ! servfail\n"
                              "half.example ! timeout MX\n"
                              "half.example A 192.0.2.4\n"
                              "gone.example ! NXDOMAIN\n"
                              "1.2.0.192.in-addr.arpa PTR a.example\n"
                              "zone.example SOA ns.zone.example h.zone.example 1 2 3 4 5\n";

static const struct {
	const char *name;
	enum mr_dns_type type;
	enum mr_dns_result result;
	size_t n;
	const char *canonical;
} answers[] = {
	{ "a.example", MR_DNS_A, MR_DNS_FOUND, 2, "a.example" },
	{ "A.EXAMPLE.", MR_DNS_A, MR_DNS_FOUND, 2, "a.example" },
	{ "\\065.example", MR_DNS_A, MR_DNS_FOUND, 2, "a.example" },
	{ "a.example", MR_DNS_NS, MR_DNS_NODATA, 0, "a.example" },
	{ "mid.example", MR_DNS_A, MR_DNS_NODATA, 0, "mid.example" },
	{ "id.example", MR_DNS_A, MR_DNS_NXDOMAIN, 0, "id.example" },
	{ "b.a.example", MR_DNS_A, MR_DNS_NXDOMAIN, 0, "b.a.example" },
	{ "c1.example", MR_DNS_A, MR_DNS_FOUND, 2, "a.example" },
	{ "c1.example", MR_DNS_NS, MR_DNS_NODATA, 0, "a.example" },
	{ "c1.example", MR_DNS_CNAME, MR_DNS_FOUND, 1, "c1.example" },
	{ "dangling.example", MR_DNS_A, MR_DNS_NXDOMAIN, 0, "nowhere.example" },
	{ "loop.example", MR_DNS_A, MR_DNS_BROKEN, 0, NULL },
	{ "behind.example", MR_DNS_A, MR_DNS_SERVFAIL, 0, NULL },
	{ "half.example", MR_DNS_MX, MR_DNS_TIMEOUT, 0, NULL },
	{ "half.example", MR_DNS_A, MR_DNS_FOUND, 1, "half.example" },
	{ "gone.example", MR_DNS_A, MR_DNS_NXDOMAIN, 0, "gone.example" },
	{ "", MR_DNS_A, MR_DNS_BROKEN, 0, NULL },
	{ "a..example", MR_DNS_A, MR_DNS_BROKEN, 0, NULL },
	{ ".example", MR_DNS_A, MR_DNS_BROKEN, 0, NULL },
	{ "a b.example", MR_DNS_A, MR_DNS_BROKEN, 0, NULL },
	{ "\303\244.example", MR_DNS_A, MR_DNS_BROKEN, 0, NULL },
	{ "a\\", MR_DNS_A, MR_DNS_BROKEN, 0, NULL },
	{ "a\\25", MR_DNS_A, MR_DNS_BROKEN, 0, NULL },
	{ "a\\256", MR_DNS_A, MR_DNS_BROKEN, 0, NULL },
};

static void
test_answers(struct mr_dns *dns)
{
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
		mr_dns_add(dns, mr_str(answers[i].name), answers[i].type);
	ok(mr_dns_stats(dns).batches == 0 && mr_dns_waiting(dns) == 14,
	    "questions that differ wait; those that cannot be asked do not");
	ok(!mr_dns_peek(dns, MR_STR("a.example"), MR_DNS_A), "no answer before the run");
	mr_dns_run(dns, mr_clock_mono_ms() + 1000);
	ok(mr_dns_waiting(dns) == 0, "none waits after it");
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		const struct mr_dns_answer *a =
		    mr_dns_peek(dns, mr_str(answers[i].name), answers[i].type);

		if (!ok(a && a->result == answers[i].result && a->n == answers[i].n, "'%s' type %d",
		        answers[i].name, answers[i].type))
			printf("# got %d, %zu records\n", a ? (int)a->result : -1, a ? a->n : 0);
		is(a->canonical, answers[i].canonical, "its canonical name");
	}
	mr_dns_add(dns, MR_STR("A.example"), MR_DNS_A);
	ok(mr_dns_waiting(dns) == 0, "what is answered is not asked again");
	ok(mr_dns_stats(dns).batches == 1, "one round trip for all");
}

static struct mr_dns_record
get(struct mr_dns *dns, const char *name, enum mr_dns_type type)
{
	const struct mr_dns_answer *a = mr_dns_get(dns, mr_str(name), type, INT64_MAX);

	return a->n ? a->rec[0] : (struct mr_dns_record){ .ttl_s = 0 };
}

static void
test_records(struct mr_dns *dns)
{
	char storage[MR_IP_TEXT_MAX];
	struct mr_dns_record r = get(dns, "a.example", MR_DNS_AAAA);

	is(mr_ip_text(storage, &r.ip), "2001:db8::1", "an IPv6 address");
	is(get(dns, "a.example", MR_DNS_TXT).text, "one two;\377", "strings of a TXT are joined");
	r = get(dns, "a.example", MR_DNS_MX);
	ok(r.preference == 10, "preference of an MX");
	is(r.text, "mx.a.example", "its name is in lower case, without final dot");
	is(get(dns, "null.example", MR_DNS_MX).text, "", "null MX");
	is(get(dns, "1.2.0.192.in-addr.arpa", MR_DNS_PTR).text, "a.example", "a PTR");
	is(get(dns, "zone.example", MR_DNS_SOA).text, "ns.zone.example h.zone.example 1 2 3 4 5",
	    "other types in presentation form");
	ok(mr_dns_get(dns, MR_STR("a.example"), MR_DNS_A, 0)->rec[1].ttl_s == 60, "a TTL");
}

int
main(void)
{
	struct mr_err err;
	struct mr_dns *dns = open_dns(records, 0, &err);

	if (!ok(dns, "the fixture is read")) {
		printf("# %s\n", err.text);
		return 1;
	}
	test_answers(dns);
	test_records(dns);
	mr_dns_close(dns);
	return done_testing();
}
