/* spf - what an SPF check costs when all answers are in memory: microseconds of one check, for records
 * of several shapes. */
#include "check/spf.h"

#include "../open_dns.h"
#include "base/clock.h"
#include "base/io.h"

#define CHECKS 20000

static const char world[] =
    "all.example TXT \"v=spf1 -all\"\n"
    "ip.example TXT \"v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.0/24 ip6:2001:db8::/32 -all\"\n"
    "host.example TXT \"v=spf1 a mx -all\"\n"
    "host.example A 198.51.100.1\n"
    "host.example MX 10 host.example\n"
    "typical.example TXT \"v=spf1 mx include:one.example include:two.example ~all\"\n"
    "typical.example MX 10 host.example\n"
    "one.example TXT \"v=spf1 include:ip.example include:ip2.example ~all\"\n"
    "ip2.example TXT \"v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.0/24 -all\"\n"
    "two.example TXT \"v=spf1 ip4:198.51.100.0/24 ip4:192.0.2.0/24 -all\"\n";

int
main(void)
{
	static const char *const domains[] = { "none", "all", "ip", "host", "typical", "many" };
	struct mr_spf_query query = { .helo = MR_STR("h.example") };
	struct mr_arena arena;
	struct mr_dns *dns;
	struct mr_buf zone;
	struct mr_err err;
	struct mr_ip ip;

	mr_buf_init(&zone, 65536);
	mr_buf_adds(&zone, world);
	mr_buf_adds(&zone, "many.example TXT \"v=spf1\"");
	for (int i = 0; i < 200; i++)
		mr_buf_addf(&zone, " \" ip4:203.0.113.%d\"", i);
	mr_buf_adds(&zone, " \" -all\"\n");
	mr_buf_addc(&zone, '\0');
	if (zone.is_full || !(dns = open_dns(zone.p, 0, &err))
	    || mr_spf_matcher_open(&query.matcher, &err) || mr_ip_parse(&ip, MR_STR("192.0.2.1")))
		return 111;
	query.ip = &ip;
	mr_arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < sizeof domains / sizeof *domains; i++) {
		char sender[64];
		struct mr_spf spf;
		int64_t start_us;

		snprintf(sender, sizeof sender, "bob@%s.example", domains[i]);
		query.sender = mr_str(sender);
		while (mr_spf_check(&spf, &query, dns, &arena, &err) == MR_NOTFOUND)
			mr_dns_run(dns, MR_NO_DEADLINE);
		start_us = mr_clock_now_us();
		for (int n = 0; n < CHECKS; n++) {
			if (mr_spf_check(&spf, &query, dns, &arena, &err))
				return 111;
			mr_arena_free(&arena);
		}
		printf("%-8s %6.2f us a check: %s\n", domains[i],
		    (double)(mr_clock_now_us() - start_us) / CHECKS,
		    mr_spf_result_word(spf.result));
	}
	mr_spf_matcher_close(query.matcher);
	mr_dns_close(dns);
	mr_buf_free(&zone);
	return 0;
}
