/* mx.h - the hosts that take a domain's mail (RFC 5321 section 5.1, RFC 7505). */
#ifndef MR_DNS_MX_H
#define MR_DNS_MX_H

#include "dns/dns.h"

#define MR_MX_ADDR_MAX 16u /* addresses of one host; the rest is not tried */

struct mr_mx_host {
	uint32_t order; /* preference, then chance among equals */
	struct mr_str name;
};

struct mr_mx {
	struct mr_mx_host *host; /* best first; in the arena */
	size_t n, cap;
	bool is_literal;    /* the domain is an address literal: host[0].name is an address */
	bool is_implicit;   /* no MX: host[0] is the domain itself (RFC 5321 5.1) */
	const char *status; /* enhanced code where the status is not MR_OK */
};

/* Finds the hosts of `domain`; if we are one of them (`own_name`), only those that are preferred to
 * us.  `deadline_ms`: as of mr_dns_get.  MR_OK; MR_PERM: there is no such domain (5.1.2), it takes no
 * mail (null MX, 5.1.10), or we are the best of its hosts and have no route for it (5.4.6); MR_TEMP
 * (4.4.3): any fault of the DNS: never taken for "no such domain". */
enum mr_status mr_mx_find(struct mr_mx *mx, struct mr_arena *arena, struct mr_dns *dns,
    struct mr_str domain, struct mr_str own_name, int64_t deadline_ms, struct mr_err *err);

/* Addresses, at most MR_MX_ADDR_MAX, IPv6 first, of a host that an MX record named: a whole domain
 * name, asked of the DNS alone, without search list.  MR_NOTFOUND: it has none; MR_TEMP. */
enum mr_status mr_mx_addresses(struct mr_ip *ip, size_t *n, struct mr_dns *dns, struct mr_str host,
    int64_t deadline_ms, struct mr_err *err);

/* The same for a name that an administrator wrote, or an address: /etc/hosts counts, too. */
enum mr_status
mr_host_addresses(struct mr_ip *ip, size_t *n, struct mr_str host, struct mr_err *err);

#endif
