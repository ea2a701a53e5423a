#include "dns/names.h"

#include "mail/addr.h"

#include <stdio.h>

struct mr_str
mr_dns_reverse(char *storage, const struct mr_ip *ip)
{
	static const char digit[] = "0123456789abcdef";
	char *p = storage;

	if (!ip->is_v6) {
		snprintf(storage, MR_DNS_REVERSE_MAX, "%u.%u.%u.%u", ip->b[3], ip->b[2], ip->b[1],
		    ip->b[0]);
		return mr_str(storage);
	}
	for (size_t i = 16; i-- > 0;) {
		*p++ = digit[ip->b[i] & 15];
		*p++ = '.';
		*p++ = digit[ip->b[i] >> 4];
		*p++ = '.';
	}
	p[-1] = '\0';
	return mr_str(storage);
}

struct mr_str
mr_dns_ptr_name(char *storage, const struct mr_ip *ip)
{
	size_t n = mr_dns_reverse(storage, ip).n;

	snprintf(storage + n, MR_DNS_PTR_NAME_MAX - n, ip->is_v6 ? ".ip6.arpa" : ".in-addr.arpa");
	return mr_str(storage);
}

/* Anybody can write anything into his own reverse zone. */
static bool
is_host_name(struct mr_str name)
{
	struct mr_ip ip;

	return mr_domain_is_valid(name) && mr_ip_parse(&ip, name) != MR_OK;
}

bool
mr_dns_has_address(const struct mr_dns_answer *answer, const struct mr_ip *ip)
{
	for (size_t i = 0; i < answer->n; i++)
		if (mr_ip_eq(&answer->rec[i].ip, ip))
			return true;
	return false;
}

bool
mr_dns_names(struct mr_dns *dns, const struct mr_ip *ip, struct mr_dns_names *names)
{
	char storage[MR_DNS_PTR_NAME_MAX];
	const struct mr_dns_answer *ptr;
	bool is_missing = false, is_outage = false;
	size_t n = 0;

	*names = (struct mr_dns_names){ .iprev = MR_IPREV_PERMERROR };
	if (!(ptr = mr_dns_want(dns, mr_dns_ptr_name(storage, ip), MR_DNS_PTR)))
		return false;
	if (ptr->result >= MR_DNS_SERVFAIL)
		names->iprev = MR_IPREV_TEMPERROR;
	for (size_t i = 0; i < ptr->n && n < MR_DNS_PTR_MAX; i++) {
		struct mr_str name = ptr->rec[i].text;
		const struct mr_dns_answer *a;

		if (!is_host_name(name))
			continue;
		if (n++ == 0)
			names->reverse = name;
		a = mr_dns_want(dns, name, ip->is_v6 ? MR_DNS_AAAA : MR_DNS_A);
		is_missing |= !a;
		is_outage |= a && a->result >= MR_DNS_SERVFAIL;
		if (a && names->client.n == 0 && mr_dns_has_address(a, ip))
			names->client = name;
	}
	if (n)
		names->iprev = names->client.n ? MR_IPREV_PASS
		    : is_outage                ? MR_IPREV_TEMPERROR
		                               : MR_IPREV_FAIL;
	return !is_missing;
}
