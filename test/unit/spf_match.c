#include "check/spf_match.h"

#include "../tap.h"

#include <stdlib.h>

#define NETS_MAX 200u

static struct mr_spf_matcher *matcher;

/* The same by masks: the judge of the judge. */
static bool
holds(const struct mr_net *net, const struct mr_ip *ip)
{
	struct mr_net want = mr_net_of(&net->ip, net->bits), got = mr_net_of(ip, net->bits);

	return net->ip.is_v6 == ip->is_v6 && mr_ip_eq(&want.ip, &got.ip);
}

/* True if both name the same of n networks. */
static bool
agree(const struct mr_ip *ip, const struct mr_net *net, size_t n)
{
	size_t want = 0, at = 0;
	struct mr_err err;
	enum mr_status st = mr_spf_match(matcher, ip, net, n, &at, &err);

	while (want < n && !holds(&net[want], ip))
		want++;
	return want < n ? st == MR_OK && at == want : st == MR_NOTFOUND;
}

static struct mr_net
net_of(const char *ip, unsigned bits)
{
	struct mr_net net = { .bits = bits };

	if (mr_ip_parse(&net.ip, mr_str(ip)))
		abort();
	return net;
}

/* Every prefix length against the address itself and it with each bit flipped. */
static void
test_prefixes(const char *text)
{
	struct mr_net net = net_of(text, 0);
	unsigned most = mr_ip_bits(&net.ip);

	for (; net.bits <= most; net.bits++) {
		struct mr_ip ip = net.ip;
		bool is_same = agree(&ip, &net, 1);

		for (unsigned i = 0; i < most; i++) {
			ip.b[i / 8] ^= (uint8_t)(0x80 >> i % 8);
			is_same = is_same && agree(&ip, &net, 1);
			ip.b[i / 8] ^= (uint8_t)(0x80 >> i % 8);
		}
		ok(is_same, "%s/%u", text, net.bits);
	}
}

/* Many networks, some of them the client's. */
static void
test_many(void)
{
	struct mr_net net[NETS_MAX];
	struct mr_ip ip;
	unsigned seed = 1, found_n = 0;
	bool is_same = true;

	mr_ip_parse(&ip, MR_STR("192.0.2.1"));
	for (int round = 0; round < 2000; round++) {
		size_t n = (size_t)round % NETS_MAX;

		for (size_t i = 0; i < n; i++) {
			seed = seed * 1103515245u + 12345u;
			net[i] =
			    net_of(seed >> 30 ? "192.0.2.7" : "2001:db8::1", 29 + (seed >> 8) % 4);
			net[i].ip.b[1] = seed >> 16 & 3 || !(seed >> 20 & 31) ? 9 : 0;
		}
		is_same = is_same && agree(&ip, net, n);
		for (size_t i = 0; i < n; i++)
			found_n += holds(&net[i], &ip);
	}
	ok(is_same, "up to %u networks of both families, %u of them with the client", NETS_MAX,
	    found_n);
}

/* What it remembers is of this client and these networks. */
static void
test_again(void)
{
	bool is_same = true;

	for (unsigned i = 0; i < 400; i++) {
		unsigned host_bits = i % 7 % 3;
		struct mr_net net = net_of("192.0.2.0", 32 - host_bits);
		struct mr_ip client;
		struct mr_err err;
		size_t at;

		mr_ip_parse(&client, MR_STR("192.0.2.0"));
		client.b[3] = (uint8_t)(i % 5);
		is_same &= mr_spf_match(matcher, &client, &net, 1, &at, &err)
		    == (client.b[3] >> host_bits ? MR_NOTFOUND : MR_OK);
	}
	ok(is_same, "few clients and few networks, again and again");
}

int
main(void)
{
	struct mr_net mapped = net_of("::1", 128), zero = net_of("2001:db8::1", 0);
	struct mr_ip client;
	struct mr_err err;
	size_t at;

	if (mr_spf_matcher_open(&matcher, &err))
		return 1;
	test_prefixes("192.0.2.129");
	test_prefixes("127.0.0.1");
	test_prefixes("0.0.0.0");
	test_prefixes("255.255.255.255");
	test_prefixes("2001:db8:ffff:eeee:dddd:cccc:bbbb:aaaa");
	test_prefixes("::1");
	test_prefixes("::");
	test_many();
	/* As it may stand in a record: ip6:::ffff:192.0.2.1 */
	mr_ip_parse(&client, MR_STR("192.0.2.1"));
	memset(mapped.ip.b + 10, 0xff, 2);
	memcpy(mapped.ip.b + 12, client.b, 4);
	ok(mr_spf_match(matcher, &client, &mapped, 1, &at, &err) == MR_NOTFOUND,
	    "a v4-mapped network is none of an IPv4 client");
	mr_ip_parse(&client, MR_STR("2001:db8::2"));
	ok(mr_spf_match(matcher, &client, &mapped, 1, &at, &err) == MR_NOTFOUND,
	    "nor of an IPv6 client, and libspf2 can read it");
	mapped.bits = 1;
	ok(mr_spf_match(matcher, &client, &mapped, 1, &at, &err) == MR_OK && at == 0,
	    "but for its first bits");
	ok(mr_spf_match(matcher, &client, &zero, 1, &at, &err) == MR_OK, "all of IPv6");
	ok(mr_spf_match(matcher, &client, NULL, 0, &at, &err) == MR_NOTFOUND, "no network");
	test_again();
	mr_spf_matcher_close(matcher);
	mr_spf_matcher_close(NULL);
	return done_testing();
}
