/* names.h - the names of a client's address: by its PTR records, and confirmed by their addresses. */
#ifndef MR_DNS_NAMES_H
#define MR_DNS_NAMES_H

#include "dns/dns.h"

#define MR_DNS_PTR_MAX      10u /* names of one address that are looked up; RFC 7208 4.6.4's figure */
#define MR_DNS_REVERSE_MAX  64u
#define MR_DNS_PTR_NAME_MAX (MR_DNS_REVERSE_MAX + sizeof ".in-addr.arpa")

/* "1.2.0.192", and the 32 digits of an IPv6 address (RFC 5782 2.1, 2.4): in front of a zone's name.  Into
 * storage of at least MR_DNS_REVERSE_MAX bytes; a view of it. */
struct mr_str mr_dns_reverse(char *storage, const struct mr_ip *ip);

/* The same as the name of the address's PTR records, into storage of at least MR_DNS_PTR_NAME_MAX bytes. */
struct mr_str mr_dns_ptr_name(char *storage, const struct mr_ip *ip);

/* True if an A or AAAA record of the answer is `ip`. */
bool mr_dns_has_address(const struct mr_dns_answer *answer, const struct mr_ip *ip);

/* RFC 8601 2.7.3. */
enum mr_iprev {
	MR_IPREV_PASS,
	MR_IPREV_FAIL,      /* no name has this address */
	MR_IPREV_TEMPERROR, /* an outage, and no name is confirmed */
	MR_IPREV_PERMERROR  /* no PTR record, or none that is a host name */
};

struct mr_dns_names {
	enum mr_iprev iprev;
	struct mr_str
	    reverse;          /* first name of the PTR records: reverse_client_name; n is 0: none */
	struct mr_str client; /* first name that has this address: client_name; n is 0: none */
};

/* False: adds what is missing, to be called again after the next run; true: *names is final, in the
 * memory of `dns`.  Two runs at most. */
bool mr_dns_names(struct mr_dns *dns, const struct mr_ip *ip, struct mr_dns_names *names);

#endif
