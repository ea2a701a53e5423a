#include "base/ip.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const uint8_t v4_mapped[12] = { [10] = 0xff, [11] = 0xff };

unsigned
mr_ip_bits(const struct mr_ip *ip)
{
	return ip->is_v6 ? 128 : 32;
}

/* 4 or 6, or 0: an address as it is written, not yet unmapped. */
static int
parse(uint8_t b[16], struct mr_str text)
{
	char z[MR_IP_TEXT_MAX];

	memset(b, 0, 16);
	if (text.n == 0 || text.n >= sizeof z || memchr(text.p, '\0', text.n))
		return 0;
	memcpy(z, text.p, text.n);
	z[text.n] = '\0';
	return inet_pton(AF_INET, z, b) == 1 ? 4 : inet_pton(AF_INET6, z, b) == 1 ? 6 : 0;
}

static void
set(struct mr_ip *ip, const uint8_t b[16], int version)
{
	bool is_mapped = version == 6 && memcmp(b, v4_mapped, sizeof v4_mapped) == 0;

	*ip = (struct mr_ip){ .is_v6 = version == 6 && !is_mapped };
	if (is_mapped)
		memcpy(ip->b, b + 12, 4);
	else
		memcpy(ip->b, b, version == 6 ? 16 : 4);
}

enum mr_status
mr_ip_parse(struct mr_ip *ip, struct mr_str text)
{
	uint8_t b[16];
	int version = parse(b, text);

	if (!version)
		return MR_PERM;
	set(ip, b, version);
	return MR_OK;
}

struct mr_str
mr_ip_text(char *storage, const struct mr_ip *ip)
{
	inet_ntop(ip->is_v6 ? AF_INET6 : AF_INET, ip->b, storage, MR_IP_TEXT_MAX);
	return mr_str(storage);
}

bool
mr_ip_eq(const struct mr_ip *a, const struct mr_ip *b)
{
	return a->is_v6 == b->is_v6 && memcmp(a->b, b->b, sizeof a->b) == 0;
}

struct mr_net
mr_net_of(const struct mr_ip *ip, unsigned bits)
{
	struct mr_net net = { .ip = *ip, .bits = bits };

	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = bits > i * 8 ? bits - i * 8 : 0;

		if (keep < 8)
			net.ip.b[i] &= (uint8_t)(0xff00u >> keep);
	}
	return net;
}

/* Bits of a netmask, or -1 if its ones are not all at the front. */
static int
mask_bits(struct mr_str text)
{
	uint8_t m[16];
	int bits = 0;

	if (parse(m, text) != 4)
		return -1;
	while (bits < 32 && m[bits / 8] & 0x80 >> bits % 8)
		bits++;
	for (int i = bits; i < 32; i++)
		if (m[i / 8] & 0x80 >> i % 8)
			return -1;
	return bits;
}

enum mr_status
mr_net_parse(struct mr_net *net, struct mr_str text, struct mr_err *err)
{
	ptrdiff_t slash = mr_str_chr(text, '/');
	struct mr_str addr = slash < 0 ? text : (struct mr_str){ text.p, (size_t)slash };
	struct mr_str len = slash < 0 ? MR_STR("") : mr_str_from(text, (size_t)slash + 1);
	char z[MR_NET_TEXT_MAX];
	uint64_t bits;
	uint8_t b[16];
	int version = parse(b, addr), masked;
	struct mr_ip ip;

	if (!version)
		return mr_err_set(err, MR_PERM, "'%.*s' is not an IP address", (int)addr.n, addr.p);
	set(&ip, b, version);
	if (slash < 0)
		bits = mr_ip_bits(&ip);
	else if (mr_str_num(len, version == 4 ? 32 : 128, &bits)) {
		if (version == 6 && !ip.is_v6) { /* v4-mapped network */
			if (bits < 96)
				return mr_err_set(err, MR_PERM, "'%.*s' mixes IPv4 and IPv6",
				    (int)text.n, text.p);
			bits -= 96;
		}
	} else if (version == 4 && (masked = mask_bits(len)) >= 0)
		bits = (uint64_t)masked;
	else
		return mr_err_set(
		    err, MR_PERM, "'%.*s' is not a prefix length or netmask", (int)len.n, len.p);
	*net = mr_net_of(&ip, (unsigned)bits);
	if (!mr_ip_eq(&net->ip, &ip))
		return mr_err_set(err, MR_PERM,
		    "'%.*s' has bits behind its prefix; did you mean %s?", (int)text.n, text.p,
		    mr_net_text(z, net).p);
	return MR_OK;
}

struct mr_str
mr_net_text(char *storage, const struct mr_net *net)
{
	char z[MR_IP_TEXT_MAX];

	snprintf(storage, MR_NET_TEXT_MAX, "%s/%u", mr_ip_text(z, &net->ip).p, net->bits);
	return mr_str(storage);
}
