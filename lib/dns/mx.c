#include "dns/mx.h"

#include "mail/addr.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

static const char no_such_domain[] = "there is no domain %.*s";
static const char no_address[] = "host %.*s has no address";
static const char null_mx[] = "domain %.*s takes no mail (null MX)";
static const char loop[] =
    "mail for %.*s loops back: this host is its best MX, but has no route for it";
static const char not_ascii[] = "'%.*s' is not a domain name in ASCII";
static const char dns_fault[] = "DNS look-up for %.*s failed";

/* In the question; what a record says is ASCII already. */
static bool
is_ascii_domain(struct mr_str name)
{
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] >= 0x80)
			return false;
	return mr_domain_is_valid(name);
}

static enum mr_status
add_host(struct mr_mx *mx, struct mr_arena *arena, unsigned preference, struct mr_str name)
{
	uint16_t chance = 0;

	if (!mr_arena_grow(arena, &mx->host, mx->n, &mx->cap, sizeof *mx->host)
	    || !(name = mr_arena_dup(arena, name)).p)
		return MR_TEMP;
	if (getrandom(&chance, sizeof chance, 0) != sizeof chance)
		return MR_TEMP;
	mx->host[mx->n++] = (struct mr_mx_host){ preference << 16 | chance, name };
	return MR_OK;
}

static int
by_order(const void *a, const void *b)
{
	uint32_t x = ((const struct mr_mx_host *)a)->order;
	uint32_t y = ((const struct mr_mx_host *)b)->order;

	return (x > y) - (x < y);
}

/* All MX records; *has_null: one of them is "." (RFC 7505: it should be alone). */
static enum mr_status
take_records(
    struct mr_mx *mx, struct mr_arena *arena, const struct mr_dns_answer *a, bool *has_null)
{
	for (size_t i = 0; i < a->n; i++) {
		if (a->rec[i].text.n == 0)
			*has_null = true;
		else if (add_host(mx, arena, a->rec[i].preference, a->rec[i].text))
			return MR_TEMP;
	}
	if (mx->n)
		qsort(mx->host, mx->n, sizeof *mx->host, by_order);
	return MR_OK;
}

/* Hosts that are not preferred to us are left out: RFC 5321 5.1. */
static void
cut_at_own_name(struct mr_mx *mx, struct mr_str own_name)
{
	for (size_t i = 0; i < mx->n; i++)
		if (mr_str_caseeq(mx->host[i].name, own_name)) {
			uint32_t preference = mx->host[i].order >> 16;

			while (mx->n && mx->host[mx->n - 1].order >> 16 >= preference)
				mx->n--;
		}
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]": no question. */
static enum mr_status
literal(struct mr_mx *mx, struct mr_arena *arena, struct mr_str domain)
{
	struct mr_str text = { domain.p + 1, domain.n - 2 };

	if (mr_str_casestarts(text, "IPv6:"))
		text = mr_str_from(text, 5);
	mx->is_literal = true;
	return add_host(mx, arena, 0, text);
}

/* The hosts by DNS, or the domain itself.  MR_NOTFOUND: no such domain; MR_PERM: null MX. */
static enum mr_status
find_hosts(struct mr_mx *mx, struct mr_arena *arena, struct mr_dns *dns, struct mr_str domain,
    int64_t deadline_ms)
{
	const struct mr_dns_answer *a = mr_dns_get(dns, domain, MR_DNS_MX, deadline_ms);
	bool has_null = false;

	if (a->result == MR_DNS_NXDOMAIN)
		return MR_NOTFOUND;
	if (a->result >= MR_DNS_SERVFAIL || take_records(mx, arena, a, &has_null))
		return MR_TEMP;
	if (mx->n)
		return MR_OK;
	if (has_null)
		return MR_PERM;
	mx->is_implicit = true;
	return add_host(mx, arena, 0, domain);
}

/* The enhanced code of a status that is not MR_OK; its reason goes to the caller's error. */
static void
fail(struct mr_mx *mx, const char *status)
{
	mx->status = status;
	mx->n = 0;
}

enum mr_status
mr_mx_find(struct mr_mx *mx, struct mr_arena *arena, struct mr_dns *dns, struct mr_str domain,
    struct mr_str own_name, int64_t deadline_ms, struct mr_err *err)
{
	int n = (int)domain.n;
	enum mr_status st;

	*mx = (struct mr_mx){ .status = "" };
	if (mr_domain_is_literal(domain))
		st = literal(mx, arena, domain);
	else if (is_ascii_domain(domain))
		st = find_hosts(mx, arena, dns, domain, deadline_ms);
	else {
		fail(mx, "5.1.3");
		return mr_err_set(err, MR_PERM, not_ascii, n, domain.p);
	}
	if (st == MR_NOTFOUND) {
		fail(mx, "5.1.2");
		return mr_err_set(err, MR_PERM, no_such_domain, n, domain.p);
	}
	if (st == MR_PERM) {
		fail(mx, "5.1.10");
		return mr_err_set(err, MR_PERM, null_mx, n, domain.p);
	}
	if (st != MR_OK) {
		fail(mx, "4.4.3");
		return mr_err_set(err, MR_TEMP, dns_fault, n, domain.p);
	}
	cut_at_own_name(mx, own_name);
	if (mx->n == 0) {
		fail(mx, "5.4.6");
		return mr_err_set(err, MR_PERM, loop, n, domain.p);
	}
	return MR_OK;
}

enum mr_status
mr_mx_addresses(struct mr_ip *ip, size_t *n, struct mr_dns *dns, struct mr_str host,
    int64_t deadline_ms, struct mr_err *err)
{
	static const enum mr_dns_type types[] = { MR_DNS_AAAA, MR_DNS_A };
	bool is_outage = false;

	*n = 0;
	if (!is_ascii_domain(host))
		return mr_err_set(err, MR_NOTFOUND, no_address, (int)host.n, host.p);
	for (size_t t = 0; t < 2; t++)
		mr_dns_add(dns, host, types[t]);
	for (size_t t = 0; t < 2; t++) {
		const struct mr_dns_answer *a = mr_dns_get(dns, host, types[t], deadline_ms);

		is_outage |= a->result >= MR_DNS_SERVFAIL;
		for (size_t i = 0; i < a->n && *n < MR_MX_ADDR_MAX; i++)
			ip[(*n)++] = a->rec[i].ip;
	}
	if (*n)
		return MR_OK;
	return is_outage ? mr_err_set(err, MR_TEMP, dns_fault, (int)host.n, host.p)
	                 : mr_err_set(err, MR_NOTFOUND, no_address, (int)host.n, host.p);
}

static bool
take_address(struct mr_ip *ip, const struct addrinfo *ai)
{
	char text[NI_MAXHOST];

	return getnameinfo(ai->ai_addr, ai->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST)
	    == 0
	    && mr_ip_parse(ip, mr_str(text)) == MR_OK;
}

enum mr_status
mr_host_addresses(struct mr_ip *ip, size_t *n, struct mr_str host, struct mr_err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	char name[MR_DOMAIN_MAX + 1] = "";
	int e;

	*n = 0;
	if (mr_ip_parse(ip, host) == MR_OK) {
		*n = 1;
		return MR_OK;
	}
	if (!is_ascii_domain(host))
		return mr_err_set(err, MR_NOTFOUND, no_address, (int)host.n, host.p);
	memcpy(name, host.p, host.n);
	e = getaddrinfo(name, NULL, &hints, &list);
	if (e == EAI_NONAME || e == EAI_NODATA)
		return mr_err_set(err, MR_NOTFOUND, no_address, (int)host.n, host.p);
	if (e)
		return mr_err_set(
		    err, MR_TEMP, "look-up of host %s failed: %s", name, gai_strerror(e));
	for (const struct addrinfo *ai = list; ai && *n < MR_MX_ADDR_MAX; ai = ai->ai_next)
		if (take_address(&ip[*n], ai))
			++*n;
	freeaddrinfo(list);
	return *n ? MR_OK : mr_err_set(err, MR_NOTFOUND, no_address, (int)host.n, host.p);
}
