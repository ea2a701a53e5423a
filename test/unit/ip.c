/* ip.c - lib/base/ip. */
#include "base/ip.h"

#include "../tap.h"

static const struct mr_str none;

static void
addresses(void)
{
	static const struct {
		const char *text, *want; /* NULL: no address */
	} t[] = { { "192.0.2.1", "192.0.2.1" }, { "0.0.0.0", "0.0.0.0" },
		{ "255.255.255.255", "255.255.255.255" }, { "2001:DB8::1", "2001:db8::1" },
		{ "2001:db8:0:0:0:0:0:1", "2001:db8::1" }, { "::", "::" }, { "::1", "::1" },
		{ "::ffff:192.0.2.1", "192.0.2.1" }, { "::ffff:c000:201", "192.0.2.1" },
		{ "::192.0.2.1", "::192.0.2.1" },
		{ "1111:2222:3333:4444:5555:6666:7777:8888",
		    "1111:2222:3333:4444:5555:6666:7777:8888" },
		{ "1111:2222:3333:4444:5555:6666:192.168.100.200",
		    "1111:2222:3333:4444:5555:6666:c0a8:64c8" },
		{ "", NULL }, { "192.0.2", NULL }, { "192.0.2.256", NULL }, { "192.0.2.1.", NULL },
		{ "192.0.2.01", NULL }, { "0x7f.1", NULL }, { "127.1", NULL },
		{ " 192.0.2.1", NULL }, { "192.0.2.1 ", NULL }, { "[192.0.2.1]", NULL },
		{ "fe80::1%lo", NULL }, { "1::2::3", NULL }, { "12345::", NULL }, { ":1", NULL },
		{ "example.org", NULL },
		{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa", NULL } };

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct mr_ip ip;
		char z[MR_IP_TEXT_MAX];
		enum mr_status st = mr_ip_parse(&ip, mr_str(t[i].text));

		if (t[i].want)
			is(st == MR_OK ? mr_ip_text(z, &ip) : none, t[i].want, t[i].text);
		else
			ok(st == MR_PERM, "no address: '%s'", t[i].text);
	}
	struct mr_ip ip;

	ok(mr_ip_parse(&ip, MR_STR("192.0.2.1\0")) == MR_PERM, "NUL behind");
	ok(mr_ip_parse(&ip, MR_STR("192.0.2.1\0003")) == MR_PERM, "NUL inside");
	ok(mr_ip_parse(&ip, none) == MR_PERM, "not there");
}

static void
networks(void)
{
	static const struct {
		const char *text, *want; /* NULL: no network */
	} t[] = { { "10.0.0.0/8", "10.0.0.0/8" }, { "10.0.0.5", "10.0.0.5/32" },
		{ "10.0.0.5/255.255.255.255", "10.0.0.5/32" },
		{ "10.0.0.0/255.255.254.0", "10.0.0.0/23" }, { "0.0.0.0/0", "0.0.0.0/0" },
		{ "0.0.0.0/0.0.0.0", "0.0.0.0/0" }, { "128.0.0.0/1", "128.0.0.0/1" },
		{ "2001:db8::/32", "2001:db8::/32" }, { "2001:db8::1", "2001:db8::1/128" },
		{ "2001:db8::/127", "2001:db8::/127" }, { "::/0", "::/0" },
		{ "::ffff:10.0.0.0/104", "10.0.0.0/8" }, { "::ffff:10.0.0.1", "10.0.0.1/32" },
		{ "::ffff:0:0/96", "0.0.0.0/0" }, { "::ffff:0:0/95", NULL }, { "10.0.0.1/8", NULL },
		{ "2001:db8::1/64", NULL }, { "10.0.0.0/33", NULL }, { "2001:db8::/129", NULL },
		{ "10.0.0.0/", NULL }, { "10.0.0.0/-1", NULL }, { "10.0.0.0/8/8", NULL },
		{ "/8", NULL }, { "", NULL }, { "10.0.0.0/255.0.255.0", NULL },
		{ "10.0.0.0/0.0.0.255", NULL }, { "2001:db8::/255.255.255.0", NULL },
		{ "10.0.0.0/ffff::", NULL }, { "10.0.0.0/8 ", NULL },
		{ "10.0.0.0/99999999999999999999", NULL } };
	struct mr_err err;

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct mr_net net;
		char z[MR_NET_TEXT_MAX];
		enum mr_status st = mr_net_parse(&net, mr_str(t[i].text), &err);

		if (t[i].want)
			is(st == MR_OK ? mr_net_text(z, &net) : none, t[i].want, t[i].text);
		else
			ok(st == MR_PERM, "no network: '%s'", t[i].text);
	}
	struct mr_net net;

	mr_net_parse(&net, MR_STR("10.0.0.1/8"), &err);
	is(mr_str(err.text), "'10.0.0.1/8' has bits behind its prefix; did you mean 10.0.0.0/8?",
	    "the reason names the network meant");
}

int
main(void)
{
	struct mr_ip a, b;
	struct mr_net net;
	char z[MR_NET_TEXT_MAX];

	addresses();
	networks();
	mr_ip_parse(&a, MR_STR("192.0.2.1"));
	mr_ip_parse(&b, MR_STR("::ffff:192.0.2.1"));
	ok(mr_ip_eq(&a, &b), "a v4-mapped address is the IPv4 one");
	mr_ip_parse(&b, MR_STR("c000:201::"));
	ok(!mr_ip_eq(&a, &b), "the same bytes of the other family are not");
	ok(mr_ip_bits(&a) == 32 && mr_ip_bits(&b) == 128, "bits of the families");
	net = mr_net_of(&a, 25);
	is(mr_net_text(z, &net), "192.0.2.0/25", "the network of an address");
	net = mr_net_of(&a, 0);
	is(mr_net_text(z, &net), "0.0.0.0/0", "of no bits");
	mr_ip_parse(&b, MR_STR("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"));
	net = mr_net_of(&b, 128);
	is(mr_net_text(z, &net), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/128", "the longest text");
	net = mr_net_of(&b, 61);
	is(mr_net_text(z, &net), "ffff:ffff:ffff:fff8::/61", "not at a byte's edge");
	return done_testing();
}
