/* routes.h - where a domain's mail goes, and whether the domain is ours (mr-table(5)). */
#ifndef MR_TABLE_ROUTES_H
#define MR_TABLE_ROUTES_H

#include "table/table.h"

enum mr_route_kind {
	MR_ROUTE_NONE,     /* not ours, no smarthost: MX */
	MR_ROUTE_RELAY,    /* ours, kept on another host */
	MR_ROUTE_LOCAL,    /* ours, mailboxes here */
	MR_ROUTE_SMARTHOST /* not ours, and the table has "* host" */
};

struct mr_route {
	enum mr_route_kind kind;
	struct mr_str hosts; /* "host[:port] ..." of relay and smarthost, a view into the table */
};

/* `routes` may be NULL (no table: everything is MR_ROUTE_NONE).  `domain` in any case.
 * MR_OK, or MR_TEMP for a damaged table. */
enum mr_status mr_route_find(const struct mr_table *routes, struct mr_str domain,
    struct mr_route *route, struct mr_err *err);

/* True for the kinds that make a domain ours: relay control asks this and nothing else. */
bool mr_route_is_ours(const struct mr_route *route);

/* One next hop "host", "host:port", "[2001:db8::1]:port", "192.0.2.1": the host without brackets and
 * the port (25 if none).  MR_PERM with a reason. */
enum mr_status
mr_nexthop_parse(struct mr_str text, struct mr_str *host, unsigned *port, struct mr_err *err);

#endif
