/* ip.h - IP addresses and networks.  A v4-mapped IPv6 address is the IPv4 one. */
#ifndef MR_BASE_IP_H
#define MR_BASE_IP_H

#include "base/err.h"
#include "base/str.h"

struct mr_ip {
	bool is_v6;
	uint8_t b[16]; /* network order; IPv4 uses the first 4, the rest is 0 */
};

struct mr_net {
	struct mr_ip ip; /* host bits are 0 */
	unsigned bits;   /* 0..32 or 0..128 */
};

#define MR_IP_TEXT_MAX  46 /* INET6_ADDRSTRLEN */
#define MR_NET_TEXT_MAX 50

/* "192.0.2.1", "2001:db8::1"; no brackets, no zone.  MR_PERM if it is none. */
enum mr_status mr_ip_parse(struct mr_ip *ip, struct mr_str text);

/* RFC 5952 form into storage of at least MR_IP_TEXT_MAX bytes; a view of it. */
struct mr_str mr_ip_text(char *storage, const struct mr_ip *ip);

bool mr_ip_eq(const struct mr_ip *a, const struct mr_ip *b);

/* "10.0.0.0/8", "10.0.0.5/255.255.255.255", "2001:db8::/32", or an address alone (all bits).
 * Host bits must be 0, or it is MR_PERM with a reason that names the network meant. */
enum mr_status mr_net_parse(struct mr_net *net, struct mr_str text, struct mr_err *err);

/* The network of `bits` bits that `ip` lies in. */
struct mr_net mr_net_of(const struct mr_ip *ip, unsigned bits);

/* "10.0.0.0/8" into storage of at least MR_NET_TEXT_MAX bytes; a view of it. */
struct mr_str mr_net_text(char *storage, const struct mr_net *net);

/* The most bits that an address of this family has: 32 or 128. */
unsigned mr_ip_bits(const struct mr_ip *ip);

#endif
