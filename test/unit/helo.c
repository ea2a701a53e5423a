/* What is wrong with a name in HELO: one table of cases, level by level. */
#include "check/helo.h"

#include "../open_dns.h"
#include "../tap.h"

static const char world[] = "good.example A 192.0.2.1\n"
                            "six.example AAAA 2001:db8::1\n"
                            "mailonly.example MX 10 good.example\n"
                            "text.example TXT \"x\"\n"
                            "down.example ! servfail\n"
                            "half.example ! timeout A\n"
                            "half.example MX 10 good.example\n"
                            "xn--bcher-kva.example A 192.0.2.9\n"
                            "1.2.0.192.in-addr.arpa PTR good.example\n"
                            "2.2.0.192.in-addr.arpa PTR good.example\n"
                            "4.2.0.192.in-addr.arpa ! timeout\n";

static const struct {
	const char *helo, *ip;
	unsigned level;
	enum mr_helo_fault want;
} cases[] = {
	/* level 0 */
	{ "good.example", "192.0.2.1", 0, MR_HELO_OK },
	{ "my_pc", "192.0.2.1", 0, MR_HELO_OK },
	{ "192.0.2.77", "192.0.2.1", 0, MR_HELO_OK },
	{ "[192.0.2.77]", "192.0.2.1", 0, MR_HELO_OK },
	{ "[", "192.0.2.1", 0, MR_HELO_OK },
	{ "a b", "192.0.2.1", 0, MR_HELO_MALFORMED },
	{ "a\001b", "192.0.2.1", 0, MR_HELO_MALFORMED },
	{ "a@b", "192.0.2.1", 0, MR_HELO_MALFORMED },
	{ "mx.ours.example", "192.0.2.1", 0, MR_HELO_OURS },
	{ "MX.Ours.Example.", "192.0.2.1", 0, MR_HELO_OURS },
	{ "sub.mx.ours.example", "192.0.2.1", 0, MR_HELO_OK },
	{ "[192.0.2.25]", "192.0.2.1", 0, MR_HELO_OURS },
	{ "192.0.2.25", "192.0.2.1", 0, MR_HELO_OURS },
	{ "[IPv6:::ffff:192.0.2.25]", "192.0.2.1", 0, MR_HELO_OURS },
	{ "[127.0.0.1]", "192.0.2.1", 0, MR_HELO_OURS },
	{ "[IPv6:::1]", "192.0.2.1", 0, MR_HELO_OURS },
	{ "mx.ours.example", "192.0.2.25", 0, MR_HELO_OK },
	{ "mx.ours.example", "127.0.0.1", 0, MR_HELO_OK },
	{ "mx.ours.example", "::1", 0, MR_HELO_OK },
	{ "mx.ours.example", NULL, 3, MR_HELO_UNKNOWN },
	/* level 1 */
	{ "good.example", "192.0.2.1", 1, MR_HELO_OK },
	{ "nothing.example", "192.0.2.1", 1, MR_HELO_OK },
	{ "my_pc.example", "192.0.2.1", 1, MR_HELO_OK },
	{ "localhost", "192.0.2.1", 1, MR_HELO_NO_NAME },
	{ "a..example", "192.0.2.1", 1, MR_HELO_NO_NAME },
	{ "-a.example", "192.0.2.1", 1, MR_HELO_NO_NAME },
	{ "192.0.2.1", "192.0.2.1", 1, MR_HELO_NO_NAME },
	{ "[192.0.2.1", "192.0.2.1", 1, MR_HELO_NO_NAME },
	{ ".", "192.0.2.1", 1, MR_HELO_NO_NAME },
	{ "[192.0.2.1]", "192.0.2.1", 3, MR_HELO_OK },
	{ "[192.0.2.2]", "192.0.2.1", 1, MR_HELO_OTHER_ADDRESS },
	{ "[IPv6:2001:db8::1]", "2001:db8::1", 1, MR_HELO_OK },
	{ "[2001:db8::1]", "2001:db8::1", 1, MR_HELO_NO_NAME },
	{ "[IPv6:2001:db8::2]", "2001:db8::1", 1, MR_HELO_OTHER_ADDRESS },
	{ "[192.0.2.2]", NULL, 3, MR_HELO_OK },
	/* level 2 */
	{ "good.example", "192.0.2.99", 2, MR_HELO_OK },
	{ "six.example", "192.0.2.99", 2, MR_HELO_OK },
	{ "mailonly.example.", "192.0.2.99", 2, MR_HELO_OK },
	{ "half.example", "192.0.2.99", 2, MR_HELO_OK },
	{ "text.example", "192.0.2.99", 2, MR_HELO_UNKNOWN },
	{ "nothing.example", "192.0.2.99", 2, MR_HELO_UNKNOWN },
	{ "down.example", "192.0.2.99", 2, MR_HELO_OUTAGE },
	{ "b\303\274cher.example", "192.0.2.99", 2, MR_HELO_OK },
	{ "[192.0.2.99]", "192.0.2.99", 2, MR_HELO_OK },
	/* level 3: the client's name need not be that of HELO */
	{ "six.example", "192.0.2.1", 3, MR_HELO_OK },
	{ "good.example", "192.0.2.2", 3, MR_HELO_NO_REVERSE },
	{ "good.example", "192.0.2.3", 3, MR_HELO_NO_REVERSE },
	{ "good.example", "192.0.2.4", 3, MR_HELO_OUTAGE },
	{ "down.example", "192.0.2.3", 3, MR_HELO_NO_REVERSE },
	{ "down.example", "192.0.2.1", 3, MR_HELO_OUTAGE },
	{ "nothing.example", "192.0.2.4", 3, MR_HELO_UNKNOWN },
	{ "[192.0.2.2]", "192.0.2.2", 3, MR_HELO_NO_REVERSE },
	{ "good.example", NULL, 3, MR_HELO_OK },
};

/* The fault, with as many runs as it wants; *runs counts them. */
static enum mr_helo_fault
check(struct mr_helo_query *q, struct mr_dns *dns, struct mr_arena *arena, unsigned *runs)
{
	enum mr_helo_fault fault;

	for (*runs = 0; !mr_helo_check(&fault, q, dns, arena) && *runs < 9; ++*runs)
		mr_dns_run(dns, INT64_MAX);
	return fault;
}

static void
test_cases(struct mr_dns *dns, struct mr_arena *arena)
{
	const struct mr_str own[] = { MR_STR("mx.ours.example"), MR_STR("192.0.2.25"),
		{ NULL, 0 } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mr_helo_query q = { .helo = mr_str(cases[i].helo),
			.own = own,
			.own_n = 3,
			.level = cases[i].level };
		enum mr_helo_fault got;
		struct mr_ip ip;
		unsigned runs;

		if (cases[i].ip && mr_ip_parse(&ip, mr_str(cases[i].ip)) == MR_OK)
			q.ip = &ip;
		mr_dns_forget(dns);
		got = check(&q, dns, arena, &runs);
		ok(got == cases[i].want && runs <= 2 && (runs == 0 || cases[i].level >= 2),
		    "%u %s from %s: %s, %u runs", cases[i].level, cases[i].helo,
		    cases[i].ip ? cases[i].ip : "nobody", mr_helo_word(got), runs);
	}
}

static void
test_limits(struct mr_dns *dns, struct mr_arena *arena)
{
	struct mr_helo_query q = { .level = 3, .client_name = MR_STR("told.example") };
	char long_name[256];
	struct mr_ip ip;
	unsigned runs;

	memset(long_name, 'a', sizeof long_name);
	q.helo = (struct mr_str){ long_name, 255 };
	q.level = 0;
	ok(check(&q, dns, arena, &runs) == MR_HELO_OK, "255 octets");
	q.helo.n = 256;
	ok(check(&q, dns, arena, &runs) == MR_HELO_MALFORMED, "256 octets");
	mr_ip_parse(&ip, MR_STR("192.0.2.3"));
	q.ip = &ip;
	q.level = 3;
	q.helo = MR_STR("good.example");
	mr_dns_forget(dns);
	ok(check(&q, dns, arena, &runs) == MR_HELO_OK && runs == 1,
	    "a name that is known to be confirmed is not looked up");
}

int
main(void)
{
	struct mr_arena arena;
	struct mr_err err;
	struct mr_dns *dns = open_dns(world, 0, &err);

	if (!ok(dns, "the fixture is read"))
		return 1;
	mr_arena_init(&arena, 1 << 20);
	test_cases(dns, &arena);
	test_limits(dns, &arena);
	mr_arena_free(&arena);
	mr_dns_close(dns);
	return done_testing();
}
