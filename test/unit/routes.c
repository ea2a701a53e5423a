#include "table/routes.h"

#include "../open_table.h"
#include "../tap.h"

static const char table[] = "# routes\r\n"
                            "ours.example mx1.ours.example mx2.ours.example:2525 # two\r\n"
                            "MyDomain.com|10.20.30.40\r\n"
                            "piped.example | 10.20.30.40:26\r\n"
                            "six.example [2001:db8::1]:2525 2001:db8::2\r\n"
                            "here.example LOCAL\r\n"
                            ".below.example Host.Example\r\n"
                            "[192.0.2.1] local\r\n";

static const struct {
	const char *domain;
	enum mr_route_kind kind;
	const char *hosts;
} routes[] = {
	{ "ours.example", MR_ROUTE_RELAY, "mx1.ours.example mx2.ours.example:2525" },
	{ "OURS.example", MR_ROUTE_RELAY, "mx1.ours.example mx2.ours.example:2525" },
	{ "mydomain.com", MR_ROUTE_RELAY, "10.20.30.40" },
	{ "piped.example", MR_ROUTE_RELAY, "10.20.30.40:26" },
	{ "six.example", MR_ROUTE_RELAY, "[2001:db8::1]:2525 2001:db8::2" },
	{ "here.example", MR_ROUTE_LOCAL, "" },
	{ "a.b.below.example", MR_ROUTE_RELAY, "host.example" },
	{ "[192.0.2.1]", MR_ROUTE_LOCAL, "" },
};

static const struct {
	const char *domain;
} foreign[] = { { "below.example" }, { "sub.ours.example" }, { "example" }, { "" }, { "*" } };

static void
check_foreign(const struct mr_table *t, enum mr_route_kind kind, const char *hosts)
{
	for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
		struct mr_route r;

		ok(mr_route_find(t, mr_str(foreign[i].domain), &r, NULL) == MR_OK && r.kind == kind
		        && !mr_route_is_ours(&r) && mr_str_is(r.hosts, hosts),
		    "'%s' is not ours%s", foreign[i].domain, t ? "" : " (no table)");
	}
}

static void
test_find(void)
{
	struct mr_table *t = open_text(table, MR_TABLE_ROUTES);
	struct mr_route r;
	char with_default[sizeof table + 64];

	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
		ok(mr_route_find(t, mr_str(routes[i].domain), &r, NULL) == MR_OK
		        && r.kind == routes[i].kind && mr_route_is_ours(&r),
		    "%s is ours", routes[i].domain);
		is(r.hosts, routes[i].hosts, "its hosts");
	}
	check_foreign(t, MR_ROUTE_NONE, "");
	check_foreign(NULL, MR_ROUTE_NONE, "");
	mr_table_close(t);

	snprintf(with_default, sizeof with_default, "%s* smart.example:587\n", table);
	t = open_text(with_default, MR_TABLE_ROUTES);
	check_foreign(t, MR_ROUTE_SMARTHOST, "smart.example:587");
	ok(mr_route_find(t, MR_STR("here.example"), &r, NULL) == MR_OK && r.kind == MR_ROUTE_LOCAL,
	    "a smarthost does not change what is ours");
	mr_table_close(t);
}

static const struct {
	const char *text, *why;
} refused[] = {
	{ "10.0.0.0/8 host.example", "an address or network; a route begins" },
	{ "192.0.2.1 host.example", "an address or network; a route begins" },
	{ "bob@a.example host.example", "a mailbox; a route begins" },
	{ "a.example", "no host behind 'a.example'; write 'a.example host'" },
	{ "a.example|", "no host behind" },
	{ "a.example # x", "no host behind" },
	{ "*", "no host behind '*'; write '* host'" },
	{ "* local", "'* local' would make every domain ours" },
	{ "a.example local b.example", "'local' stands alone" },
	{ "a.example b.example local", "'local' stands alone" },
	{ "a.example b.example:0", "'0' is not a port" },
	{ "a.example b.example:65536", "'65536' is not a port" },
	{ "a.example b.example:smtp", "'smtp' is not a port" },
	{ "a.example b.example:", "'' is not a port" },
	{ "a.example b_.-.example", "neither a host name nor an address" },
	{ "a.example 10.20.30", "neither a host name nor an address" },
	{ "a.example 10.20.30.400", "neither a host name nor an address" },
	{ "a.example b.example\na.example|c.example", ":2: the same key as in line 1" },
};

static void
test_refused(void)
{
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct mr_err err = { "" };
		struct mr_table *t;
		enum mr_status st =
		    open_bytes(&t, mr_str(refused[i].text), "", MR_TABLE_ROUTES, &err);

		ok(st == MR_PERM && strstr(err.text, refused[i].why), "refused: %s",
		    refused[i].why);
		if (st != MR_PERM)
			mr_table_close(t);
		printf("# %s\n", err.text);
	}
}

static const struct {
	const char *text, *host; /* host NULL: refused */
	unsigned port;
} hops[] = {
	{ "mx.example", "mx.example", 25 },
	{ "mx.example:2525", "mx.example", 2525 },
	{ "mx.example:65535", "mx.example", 65535 },
	{ "localhost:1", "localhost", 1 },
	{ "192.0.2.1", "192.0.2.1", 25 },
	{ "192.0.2.1:26", "192.0.2.1", 26 },
	{ "[192.0.2.1]:26", "192.0.2.1", 26 },
	{ "2001:db8::1", "2001:db8::1", 25 },
	{ "[2001:db8::1]", "2001:db8::1", 25 },
	{ "[2001:db8::1]:26", "2001:db8::1", 26 },
	{ "[mx.example]:26", "mx.example", 26 },
	{ "", NULL, 0 },
	{ ":25", NULL, 0 },
	{ "[]:25", NULL, 0 },
	{ "[", NULL, 0 },
	{ "[2001:db8::1", NULL, 0 },
	{ "[2001:db8::1]25", NULL, 0 },
	{ "[2001:db8::1]:", NULL, 0 },
	{ "2001:db8::1:x", NULL, 0 },
	{ "mx.example:0", NULL, 0 },
	{ "mx.example:-1", NULL, 0 },
	{ "mx.example:65536", NULL, 0 },
	{ "mx.example:99999999999999999999", NULL, 0 },
	{ "mx example", NULL, 0 },
	{ "-mx.example", NULL, 0 },
	{ "mx.example.", NULL, 0 },
	{ "10.1", NULL, 0 },
};

static void
test_nexthop(void)
{
	for (size_t i = 0; i < sizeof hops / sizeof *hops; i++) {
		struct mr_err err = { "" };
		struct mr_str host;
		unsigned port = 0;
		enum mr_status st = mr_nexthop_parse(mr_str(hops[i].text), &host, &port, &err);

		if (!hops[i].host) {
			ok(st == MR_PERM && err.text[0], "refused: '%s'", hops[i].text);
			continue;
		}
		ok(st == MR_OK && port == hops[i].port, "%s: port %u", hops[i].text, port);
		is(host, hops[i].host, "its host");
	}
}

int
main(void)
{
	test_find();
	test_refused();
	test_nexthop();
	return done_testing();
}
