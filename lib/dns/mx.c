#include "dns/mx.h"

#include "mail/addr.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

static const char no_such_domain[] = "there is no domain %s";
static const char no_address[] = "host %.*s has no address";
static const char null_mx[] = "domain %s takes no mail (null MX)";
static const char loop[] =
    "mail for %s loops back: this host is its best MX, but has no route for it";
static const char dns_fault[] = "DNS look-up for %.*s failed";

#define DNS_PORT 53

enum mr_status
mr_resolver_parse(struct mr_resolver *r, struct mr_str text, struct mr_err *err)
{
	ptrdiff_t colon = mr_str_rchr(text, ':');
	struct mr_str host = colon < 0 ? text : (struct mr_str){ text.p, (size_t)colon };
	uint64_t port = DNS_PORT;

	*r = (struct mr_resolver){ .is_set = true };
	if (mr_ip_parse(&r->ip, host) || r->ip.is_v6
	    || (colon >= 0 && !mr_str_num(mr_str_from(text, (size_t)colon + 1), 65535, &port))
	    || port == 0)
		return mr_err_set(err, MR_USAGE, "'%.*s' is not a resolver; write IPv4[:port]",
		    (int)text.n, text.p);
	r->port = (unsigned)port;
	return MR_OK;
}

/* Records of one type, handed out one by one. */
struct walk {
	ns_msg msg;
	int at, type;
};

/* The next record of the answer section: of any owner, for behind a CNAME it is another's. */
static bool
next_record(struct walk *w, ns_rr *rr)
{
	while (w->at < ns_msg_count(w->msg, ns_s_an)) {
		if (ns_parserr(&w->msg, ns_s_an, w->at++, rr))
			return false;
		if ((int)ns_rr_type(*rr) == w->type && ns_rr_class(*rr) == ns_c_in)
			return true;
	}
	return false;
}

/* One question.  MR_OK: records may follow (none is possible: a CNAME to nothing); MR_NOTFOUND: no
 * such name, or *is_name: the name has no such record; MR_TEMP.  `answer` has NS_MAXMSG bytes. */
static enum mr_status
ask(struct walk *w, unsigned char *answer, const struct mr_resolver *r, const char *name, int type,
    bool *is_name)
{
	struct __res_state state = { .options = 0 };
	enum mr_status st = MR_TEMP;
	int n;

	*is_name = false;
	*w = (struct walk){ .type = type };
	if (res_ninit(&state))
		return MR_TEMP;
	state.retrans = r->wait_s && r->wait_s < MR_MX_WAIT_S ? r->wait_s : MR_MX_WAIT_S;
	state.retry = 2;
	if (r->is_set) {
		state.nscount = 1;
		state.nsaddr_list[0] = (struct sockaddr_in){ .sin_family = AF_INET,
			.sin_port = htons((uint16_t)r->port) };
		memcpy(&state.nsaddr_list[0].sin_addr, r->ip.b, 4);
	}
	n = res_nquery(&state, name, ns_c_in, type, answer, NS_MAXMSG);
	if (n < 0) {
		*is_name = state.res_h_errno == NO_DATA;
		if (*is_name || state.res_h_errno == HOST_NOT_FOUND)
			st = MR_NOTFOUND;
	} else if (ns_initparse(answer, n < NS_MAXMSG ? n : NS_MAXMSG, &w->msg) == 0) {
		*is_name = true;
		st = MR_OK;
	}
	res_nclose(&state);
	return st;
}

/* A name as C wants it; false if it is no domain name. */
static bool
c_name(char z[MR_DOMAIN_MAX + 1], struct mr_str name)
{
	if (name.n == 0 || name.n > MR_DOMAIN_MAX || !mr_domain_is_valid(name))
		return false;
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] >= 0x80)
			return false;
	memcpy(z, name.p, name.n);
	z[name.n] = '\0';
	return true;
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
read_records(struct mr_mx *mx, struct mr_arena *arena, struct walk *w, bool *has_null)
{
	ns_rr rr;

	*has_null = false;
	while (next_record(w, &rr)) {
		char name[NS_MAXDNAME];

		if (ns_rr_rdlen(rr) < 3
		    || ns_name_uncompress(ns_msg_base(w->msg), ns_msg_end(w->msg),
		           ns_rr_rdata(rr) + 2, name, sizeof name)
		        < 0)
			return MR_TEMP;
		if (name[0] == '\0' || strcmp(name, ".") == 0)
			*has_null = true;
		else if (add_host(mx, arena, ns_get16(ns_rr_rdata(rr)), mr_str(name)))
			return MR_TEMP;
	}
	if (mx->n)
		qsort(mx->host, mx->n, sizeof *mx->host, by_order);
	return w->at < ns_msg_count(w->msg, ns_s_an) ? MR_TEMP : MR_OK;
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

/* The enhanced code of a status that is not MR_OK; its reason goes to the caller's error. */
static void
fail(struct mr_mx *mx, const char *status)
{
	mx->status = status;
	mx->n = 0;
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

/* MR_OK: hosts, or *has_null, or nothing at all. */
static enum mr_status
find_records(struct mr_mx *mx, struct mr_arena *arena, const struct mr_resolver *r,
    const char *name, bool *has_null)
{
	unsigned char answer[NS_MAXMSG];
	bool is_name;
	struct walk w;
	enum mr_status st = ask(&w, answer, r, name, ns_t_mx, &is_name);

	*has_null = false;
	if (st == MR_OK)
		return read_records(mx, arena, &w, has_null);
	return st == MR_NOTFOUND && is_name ? MR_OK : st;
}

enum mr_status
mr_mx_find(struct mr_mx *mx, struct mr_arena *arena, const struct mr_resolver *r,
    struct mr_str domain, struct mr_str own_name, struct mr_err *err)
{
	char name[MR_DOMAIN_MAX + 1];
	enum mr_status st;
	bool has_null;

	*mx = (struct mr_mx){ .status = "" };
	if (mr_domain_is_literal(domain))
		st = literal(mx, arena, domain);
	else if (!c_name(name, domain)) {
		fail(mx, "5.1.3");
		return mr_err_set(
		    err, MR_PERM, "'%.*s' is not a domain name in ASCII", (int)domain.n, domain.p);
	} else {
		st = find_records(mx, arena, r, name, &has_null);
		if (st == MR_OK && mx->n == 0 && has_null) {
			fail(mx, "5.1.10");
			return mr_err_set(err, MR_PERM, null_mx, name);
		}
		if (st == MR_OK && mx->n == 0) {
			mx->is_implicit = true;
			st = add_host(mx, arena, 0, domain);
		}
	}
	if (st == MR_NOTFOUND) {
		fail(mx, "5.1.2");
		return mr_err_set(err, MR_PERM, no_such_domain, name);
	}
	if (st != MR_OK) {
		fail(mx, "4.4.3");
		return mr_err_set(err, MR_TEMP, dns_fault, (int)domain.n, domain.p);
	}
	cut_at_own_name(mx, own_name);
	if (mx->n == 0) {
		fail(mx, "5.4.6");
		return mr_err_set(err, MR_PERM, loop, name);
	}
	return MR_OK;
}

/* Adds the addresses of one type. */
static enum mr_status
add_addresses(struct mr_ip *ip, size_t *n, const struct mr_resolver *r, const char *name, int type)
{
	unsigned char answer[NS_MAXMSG];
	struct walk w;
	bool is_name;
	ns_rr rr;
	enum mr_status st = ask(&w, answer, r, name, type, &is_name);

	while (st == MR_OK && *n < MR_MX_ADDR_MAX && next_record(&w, &rr)) {
		size_t len = type == ns_t_aaaa ? 16 : 4;

		if (ns_rr_rdlen(rr) != len)
			return MR_TEMP;
		ip[*n] = (struct mr_ip){ .is_v6 = type == ns_t_aaaa };
		memcpy(ip[(*n)++].b, ns_rr_rdata(rr), len);
	}
	return st;
}

enum mr_status
mr_mx_addresses(struct mr_ip *ip, size_t *n, const struct mr_resolver *r, struct mr_str host,
    struct mr_err *err)
{
	char name[MR_DOMAIN_MAX + 1];
	enum mr_status v6, v4;

	*n = 0;
	if (!c_name(name, host))
		return mr_err_set(err, MR_NOTFOUND, no_address, (int)host.n, host.p);
	v6 = add_addresses(ip, n, r, name, ns_t_aaaa);
	v4 = add_addresses(ip, n, r, name, ns_t_a);
	if (*n)
		return MR_OK;
	if (v6 == MR_TEMP || v4 == MR_TEMP)
		return mr_err_set(err, MR_TEMP, dns_fault, (int)host.n, host.p);
	return mr_err_set(err, MR_NOTFOUND, no_address, (int)host.n, host.p);
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
	char name[MR_DOMAIN_MAX + 1];
	int e;

	*n = 0;
	if (mr_ip_parse(ip, host) == MR_OK) {
		*n = 1;
		return MR_OK;
	}
	if (!c_name(name, host))
		return mr_err_set(err, MR_NOTFOUND, no_address, (int)host.n, host.p);
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
