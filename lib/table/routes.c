#include "table/routes.h"

#include "mail/addr.h"

#define SMTP_PORT 25u

enum mr_status
mr_route_find(
    const struct mr_table *routes, struct mr_str domain, struct mr_route *route, struct mr_err *err)
{
	enum mr_status st;
	struct mr_str value;

	*route = (struct mr_route){ .kind = MR_ROUTE_NONE };
	if (!routes)
		return MR_OK;
	st = mr_table_get_domain(routes, domain, NULL, &value);
	if (st == MR_OK) {
		bool is_local = mr_str_is(value, "local");

		route->kind = is_local ? MR_ROUTE_LOCAL : MR_ROUTE_RELAY;
		route->hosts = is_local ? MR_STR("") : value;
		return MR_OK;
	}
	if (st == MR_NOTFOUND && (st = mr_table_get_default(routes, &value)) == MR_OK)
		*route = (struct mr_route){ MR_ROUTE_SMARTHOST, value };
	if (st == MR_TEMP)
		return mr_err_set(err, MR_TEMP, "route table is damaged; compile it again");
	return MR_OK;
}

bool
mr_route_is_ours(const struct mr_route *route)
{
	return route->kind == MR_ROUTE_RELAY || route->kind == MR_ROUTE_LOCAL;
}

/* A name or an address; a last label of digits is an address that went wrong. */
static bool
is_host(struct mr_str s)
{
	ptrdiff_t dot = mr_str_rchr(s, '.');
	struct mr_ip ip;
	uint64_t n;

	if (mr_ip_parse(&ip, s) == MR_OK)
		return true;
	return mr_domain_is_valid(s)
	    && !mr_str_num(mr_str_from(s, dot < 0 ? 0 : (size_t)dot + 1), UINT64_MAX, &n);
}

enum mr_status
mr_nexthop_parse(struct mr_str text, struct mr_str *host, unsigned *port, struct mr_err *err)
{
	ptrdiff_t colon = mr_str_rchr(text, ':');
	struct mr_str digits = MR_STR("25");
	uint64_t n = SMTP_PORT;

	*host = text;
	if (text.n && text.p[0] == '[') {
		ptrdiff_t end = mr_str_chr(text, ']');

		if (end < 0 || ((size_t)end + 1 < text.n && text.p[end + 1] != ':'))
			return mr_err_set(err, MR_PERM,
			    "'%.*s' is not a next hop; write [address] or [address]:port",
			    (int)text.n, text.p);
		*host = (struct mr_str){ text.p + 1, (size_t)end - 1 };
		if ((size_t)end + 1 < text.n)
			digits = mr_str_from(text, (size_t)end + 2);
	} else if (colon >= 0 && mr_str_chr(text, ':') == colon) {
		/* One colon: a port.  More: an IPv6 address alone. */
		*host = (struct mr_str){ text.p, (size_t)colon };
		digits = mr_str_from(text, (size_t)colon + 1);
	}
	if (!is_host(*host))
		return mr_err_set(err, MR_PERM,
		    "'%.*s' is neither a host name nor an address; write host[:port]", (int)text.n,
		    text.p);
	if (!mr_str_num(digits, 65535, &n) || n == 0)
		return mr_err_set(err, MR_PERM,
		    "'%.*s' is not a port; write a number from 1 to 65535", (int)digits.n,
		    digits.p);
	*port = (unsigned)n;
	return MR_OK;
}
