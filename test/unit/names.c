#include "dns/names.h"

#include "../open_dns.h"
#include "../tap.h"

static const char world[] = "1.2.0.192.in-addr.arpa PTR good.example\n"
                            "good.example A 192.0.2.1\n"
                            "2.2.0.192.in-addr.arpa PTR liar.example\n"
                            "liar.example A 192.0.2.99\n"
                            "3.2.0.192.in-addr.arpa PTR gone.example\n"
                            "4.2.0.192.in-addr.arpa PTR down.example\n"
                            "down.example ! servfail\n"
                            "5.2.0.192.in-addr.arpa ! timeout\n"
                            /* the second of two */
                            "6.2.0.192.in-addr.arpa PTR liar.example\n"
                            "6.2.0.192.in-addr.arpa PTR six.example\n"
                            "six.example A 192.0.2.6\n"
                            /* what is no host name */
                            "7.2.0.192.in-addr.arpa PTR 192.0.2.7\n"
                            "7.2.0.192.in-addr.arpa PTR a\\032b.example\n"
                            "7.2.0.192.in-addr.arpa PTR a\\010b.example\n"
                            "8.2.0.192.in-addr.arpa PTR a\\@b.example\n"
                            "8.2.0.192.in-addr.arpa PTR eight.example\n"
                            "eight.example A 192.0.2.8\n"
                            /* an outage of one, another is confirmed */
                            "9.2.0.192.in-addr.arpa PTR down.example\n"
                            "9.2.0.192.in-addr.arpa PTR nine.example\n"
                            "nine.example A 192.0.2.9\n"
                            /* RFC 2317 */
                            "10.2.0.192.in-addr.arpa CNAME 10.0/25.2.0.192.in-addr.arpa\n"
                            "10.0/25.2.0.192.in-addr.arpa PTR ten.example\n"
                            "ten.example A 192.0.2.10\n";

static const char six_reversed[] =
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2";

static const struct {
	const char *ip;
	enum mr_iprev iprev;
	const char *reverse, *client;
} cases[] = {
	{ "192.0.2.1", MR_IPREV_PASS, "good.example", "good.example" },
	{ "192.0.2.2", MR_IPREV_FAIL, "liar.example", NULL },
	{ "192.0.2.3", MR_IPREV_FAIL, "gone.example", NULL },
	{ "192.0.2.4", MR_IPREV_TEMPERROR, "down.example", NULL },
	{ "192.0.2.5", MR_IPREV_TEMPERROR, NULL, NULL },
	{ "192.0.2.6", MR_IPREV_PASS, "liar.example", "six.example" },
	{ "192.0.2.7", MR_IPREV_PERMERROR, NULL, NULL },
	{ "192.0.2.8", MR_IPREV_PASS, "eight.example", "eight.example" },
	{ "192.0.2.9", MR_IPREV_PASS, "down.example", "nine.example" },
	{ "192.0.2.10", MR_IPREV_PASS, "ten.example", "ten.example" },
	{ "192.0.2.77", MR_IPREV_PERMERROR, NULL, NULL },
	{ "2001:db8::1", MR_IPREV_PASS, "v6.example", "v6.example" },
};

static void
test_cases(struct mr_dns *dns)
{
	size_t n = sizeof cases / sizeof *cases, done = 0;
	struct mr_dns_names names[sizeof cases / sizeof *cases];

	/* All clients in the same batches. */
	while (done < n) {
		done = 0;
		for (size_t i = 0; i < n; i++) {
			struct mr_ip ip;

			mr_ip_parse(&ip, mr_str(cases[i].ip));
			done += mr_dns_names(dns, &ip, &names[i]);
		}
		mr_dns_run(dns, INT64_MAX);
	}
	ok(mr_dns_stats(dns).batches == 2, "two round trips for all");
	for (size_t i = 0; i < n; i++) {
		ok(names[i].iprev == cases[i].iprev, "iprev of %s", cases[i].ip);
		is(names[i].reverse, cases[i].reverse, "its name");
		is(names[i].client, cases[i].client, "its confirmed name");
	}
}

/* A client with a thousand names costs no more questions than one with MR_DNS_PTR_MAX. */
static void
test_many(void)
{
	struct mr_ip ip = { .b = { 192, 0, 2, 1 } };
	struct mr_dns_names names;
	struct mr_dns *dns;
	static char lines[40 * 200];
	size_t n = 0;

	for (int i = 0; i < 100; i++)
		n += (size_t)snprintf(
		    lines + n, sizeof lines - n, "1.2.0.192.in-addr.arpa PTR n%d.example\n", i);
	snprintf(lines + n, sizeof lines - n, "n%u.example A 192.0.2.1\n", MR_DNS_PTR_MAX);
	dns = open_dns(lines, 0, NULL);
	while (!mr_dns_names(dns, &ip, &names))
		mr_dns_run(dns, INT64_MAX);
	ok(mr_dns_stats(dns).questions == 1 + MR_DNS_PTR_MAX, "names of one client are bounded");
	ok(names.iprev == MR_IPREV_FAIL, "a name beyond the bound is not looked at");
	mr_dns_close(dns);
}

int
main(void)
{
	char storage[MR_DNS_REVERSE_MAX], all[sizeof world + 256];
	struct mr_dns *dns;
	struct mr_ip ip;
	struct mr_err err;

	snprintf(all, sizeof all, "%s%s.ip6.arpa PTR v6.example\nv6.example AAAA 2001:db8::1\n",
	    world, six_reversed);
	if (!ok((dns = open_dns(all, 0, &err)), "the world is read")) {
		printf("# %s\n", err.text);
		return 1;
	}
	test_cases(dns);
	mr_dns_close(dns);
	test_many();
	mr_ip_parse(&ip, MR_STR("192.0.2.1"));
	is(mr_dns_reverse(storage, &ip), "1.2.0.192", "an IPv4 address reversed");
	mr_ip_parse(&ip, MR_STR("2001:db8::1"));
	is(mr_dns_reverse(storage, &ip), six_reversed, "an IPv6 address reversed");
	return done_testing();
}
