/* The exchanges of the domain (RFC 5321 section 5.1, RFC 7505), and who sends. */
#include "check/dnsreport_pass.h"
#include "dns/names.h"

#include <string.h>

#define COUNT_GOOD 10u /* exchanges; RFC 7208 4.6.4 reads no more */
#define PREFERENCE 10u /* of a new MX record */
#define LABELS_MAX 128u

/* What is to become of an MX record. */
struct plan {
	bool is_dropped;
	struct mr_str host; /* instead; p NULL: as it is */
};

/* ---- addresses ------------------------------------------------------------------------------------ */

/* Whom nobody outside can reach (RFC 6890); networks for documentation count as public. */
static bool
is_private(const struct mr_ip *ip)
{
	static const struct {
		const char *net;
	} nets[] = { { "0.0.0.0/8" }, { "10.0.0.0/8" }, { "100.64.0.0/10" }, { "127.0.0.0/8" },
		{ "169.254.0.0/16" }, { "172.16.0.0/12" }, { "192.168.0.0/16" }, { "224.0.0.0/4" },
		{ "240.0.0.0/4" }, { "::/128" }, { "::1/128" }, { "fc00::/7" }, { "fe80::/10" },
		{ "ff00::/8" } };

	for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
		struct mr_net net, of;

		if (mr_net_parse(&net, mr_str(nets[i].net), NULL) || net.ip.is_v6 != ip->is_v6)
			continue;
		of = mr_net_of(ip, net.bits);
		if (mr_ip_eq(&of.ip, &net.ip))
			return true;
	}
	return false;
}

static bool
has_address(const struct mr_dnsreport_host *h)
{
	return mr_is_found(h->a) || mr_is_found(h->aaaa);
}

/* Known to have none. */
static bool
is_dangling(const struct mr_dnsreport_host *h)
{
	return mr_is_none(h->a) && mr_is_none(h->aaaa);
}

static bool
is_usable(const struct mr_dnsreport_host *h)
{
	struct mr_ip ip;

	return has_address(h) && mr_ip_parse(&ip, h->name) != MR_OK;
}

static bool
has_ip(struct mr_dnsreport_pass *p, struct mr_str host, const struct mr_ip *ip)
{
	const struct mr_dns_answer *a =
	    mr_dnsreport_ask(p, host, ip->is_v6 ? MR_DNS_AAAA : MR_DNS_A);

	return a && mr_dns_has_address(a, ip);
}

/* ---- names that are wrong --------------------------------------------------------------------------- */

/* "mx.a.example.a.example": *n is the length of what was meant.  A suffix of two labels or more twice, or
 * the domain twice. */
static bool
is_doubled(struct mr_str name, struct mr_str domain, size_t *n)
{
	size_t labels = 0;

	for (size_t i = name.n; i-- > 1;) {
		struct mr_str suffix = mr_str_from(name, i), before = { name.p, i - 1 };

		if (name.p[i - 1] != '.' || ++labels > LABELS_MAX)
			continue;
		if ((labels >= 2 || mr_str_caseeq(suffix, domain))
		    && mr_domain_is_below(before, suffix)) {
			*n = before.n;
			return true;
		}
	}
	return false;
}

/* A name for the exchange at `ip`: what it calls itself, or a new one, for which a record is added.
 * n 0: there is none. */
static struct mr_str
host_for(struct mr_dnsreport_pass *p, struct mr_dnsreport_fix *fix, const struct mr_ip *ip)
{
	static const char *const fronts[] = { "mx", "mx1", "mail", "smtp" };
	struct mr_str helo = p->q->helo;

	if (helo.n && has_ip(p, helo, ip))
		return helo;
	for (size_t i = 0; i < sizeof fronts / sizeof *fronts; i++) {
		struct mr_str name = mr_dnsreport_name(p, fronts[i], p->domain);
		const struct mr_dns_answer *a = mr_dnsreport_ask(p, name, MR_DNS_A);
		const struct mr_dns_answer *aaaa = mr_dnsreport_ask(p, name, MR_DNS_AAAA);

		if (has_ip(p, name, ip))
			return name;
		if (mr_is_none(a) && mr_is_none(aaaa)) {
			mr_dnsreport_line(p, &fix->add, mr_dnsreport_address(p, name, ip));
			return name;
		}
	}
	return MR_STR("");
}

static void
check_dot(
    struct mr_dnsreport_pass *p, const struct mr_dnsreport_host *h, struct plan *plan, bool *is_dot)
{
	struct mr_str meant = h->name;

	*is_dot = is_doubled(h->name, p->domain, &meant.n)
	    && (is_dangling(h) || mr_domain_is_below(meant, p->domain));
	if (!*is_dot)
		return;
	plan->host = meant;
	mr_dnsreport_say(p, MR_CHECK_MX_DOT, MR_LEVEL_FAIL, h->name, p->mx_fix,
	    "MX %.*s repeats the zone name: the dot at its end was forgotten", (int)h->name.n,
	    h->name.p);
}

static void
check_literal(struct mr_dnsreport_pass *p, const struct mr_dnsreport_host *h,
    const struct mr_ip *ip, struct plan *plan)
{
	plan->host = host_for(p, p->mx_fix, ip);
	plan->is_dropped = plan->host.n == 0;
	mr_dnsreport_say(p, MR_CHECK_MX_LITERAL, MR_LEVEL_FAIL, h->name, p->mx_fix,
	    "MX must name a host, not %.*s", (int)h->name.n, h->name.p);
}

/* '_' is common: the same name with '-', if that is free. */
static void
check_syntax(struct mr_dnsreport_pass *p, const struct mr_dnsreport_host *h, struct plan *plan)
{
	struct mr_str name;
	char *text;

	if (mr_dnsreport_is_ldh(h->name))
		return;
	mr_dnsreport_say(p, MR_CHECK_MX_SYNTAX, MR_LEVEL_WARN, h->name, p->mx_fix,
	    "MX %.*s is not a host name: letters, digits and hyphens only", (int)h->name.n,
	    h->name.p);
	name = mr_arena_dup(p->arena, h->name);
	memcpy(&text, &name.p, sizeof text);
	for (size_t i = 0; text && i < name.n; i++)
		if (text[i] == '_')
			text[i] = '-';
	if (!text || !mr_dnsreport_is_ldh(name) || !mr_domain_is_below(name, p->domain)
	    || !has_address(h) || !mr_is_none(mr_dnsreport_ask(p, name, MR_DNS_A))
	    || !mr_is_none(mr_dnsreport_ask(p, name, MR_DNS_AAAA)))
		return;
	plan->host = name;
	for (size_t i = 0; mr_is_found(h->a) && i < h->a->n; i++)
		mr_dnsreport_line(
		    p, &p->mx_fix->add, mr_dnsreport_address(p, name, &h->a->rec[i].ip));
	for (size_t i = 0; mr_is_found(h->aaaa) && i < h->aaaa->n; i++)
		mr_dnsreport_line(
		    p, &p->mx_fix->add, mr_dnsreport_address(p, name, &h->aaaa->rec[i].ip));
}

/* ---- one exchange ----------------------------------------------------------------------------------- */

static void
plan_dangling(struct mr_dnsreport_pass *p, const struct mr_dnsreport_host *h, struct plan *plan)
{
	struct mr_str whole = h->name; /* "mx.elsewhere.example" of "mx.elsewhere.example.DOMAIN" */
	bool has_other = false;

	if (mr_domain_is_below(h->name, p->domain) && h->name.n > p->domain.n) {
		whole.n -= p->domain.n + 1;
		if (mr_dnsreport_is_host(whole)
		    && (mr_is_found(mr_dnsreport_ask(p, whole, MR_DNS_A))
		        || mr_is_found(mr_dnsreport_ask(p, whole, MR_DNS_AAAA)))) {
			plan->host = whole;
			return;
		}
	}
	for (size_t i = 0; i < p->host_n; i++)
		has_other |= is_usable(&p->host[i]);
	if (has_other)
		plan->is_dropped = true;
	else if (mr_domain_is_below(h->name, p->domain))
		for (size_t i = 0; i < p->q->ip_n; i++)
			mr_dnsreport_line(
			    p, &p->mx_fix->add, mr_dnsreport_address(p, h->name, &p->q->ip[i]));
}

static void
check_target(struct mr_dnsreport_pass *p, const struct mr_dnsreport_host *h, struct plan *plan)
{
	const struct mr_dns_answer *lost = mr_is_outage(h->a) ? h->a : h->aaaa;
	int n = (int)h->name.n;

	if (is_dangling(h)) {
		plan_dangling(p, h, plan);
		mr_dnsreport_say(p, MR_CHECK_MX_TARGET, MR_LEVEL_FAIL, h->name, p->mx_fix,
		    "MX %.*s has no address", n, h->name.p);
	} else if (!has_address(h) && mr_is_outage(lost))
		mr_dnsreport_say(p, MR_CHECK_MX_TARGET, MR_LEVEL_ERROR, h->name, NULL,
		    "address of MX %.*s: %s", n, h->name.p, mr_dnsreport_outage_word(lost));
}

static void
check_cname(struct mr_dnsreport_pass *p, const struct mr_dnsreport_host *h, struct plan *plan)
{
	const struct mr_dns_answer *a = h->a && h->a->links ? h->a : h->aaaa;

	if (!a || a->links == 0)
		return;
	mr_dnsreport_chain(p, h->name, a);
	if (has_address(h))
		plan->host = a->canonical;
	mr_dnsreport_say(p, MR_CHECK_MX_CNAME, MR_LEVEL_FAIL, h->name, p->mx_fix,
	    "MX %.*s is an alias (CNAME) of %.*s", (int)h->name.n, h->name.p, (int)a->canonical.n,
	    a->canonical.p);
}

static void
check_private(
    struct mr_dnsreport_pass *p, const struct mr_dnsreport_host *h, const struct mr_dns_answer *a)
{
	bool has_public = false;

	for (int k = 0; k < 2; k++) {
		const struct mr_dns_answer *all = k ? h->aaaa : h->a;

		for (size_t i = 0; mr_is_found(all) && i < all->n; i++)
			has_public |= !is_private(&all->rec[i].ip);
	}
	for (size_t i = 0; mr_is_found(a) && i < a->n; i++) {
		struct mr_dnsreport_fix *fix = mr_dnsreport_fix(p);
		char storage[MR_IP_TEXT_MAX];

		if (!fix || !is_private(&a->rec[i].ip))
			continue;
		if (has_public && a->links == 0)
			mr_dnsreport_line(
			    p, &fix->remove, mr_dnsreport_address(p, h->name, &a->rec[i].ip));
		mr_dnsreport_say(p, MR_CHECK_MX_PRIVATE, MR_LEVEL_FAIL, h->name, fix,
		    "MX %.*s has private address %s: publish the outside address", (int)h->name.n,
		    h->name.p, mr_ip_text(storage, &a->rec[i].ip).p);
	}
}

static bool
is_published(const struct mr_dnsreport_pass *p, unsigned preference, struct mr_str host)
{
	for (size_t i = 0; i < p->mx->n; i++)
		if (p->mx->rec[i].preference == preference
		    && mr_str_caseeq(p->mx->rec[i].text, host))
			return true;
	return false;
}

static void
check_host(struct mr_dnsreport_pass *p, const struct mr_dnsreport_host *h)
{
	struct plan plan = { .host = { NULL, 0 } };
	struct mr_ip ip;
	bool is_dot;

	if (mr_ip_parse(&ip, h->name) == MR_OK)
		check_literal(p, h, &ip, &plan);
	else {
		check_dot(p, h, &plan, &is_dot);
		if (!is_dot) {
			check_syntax(p, h, &plan);
			check_target(p, h, &plan);
			check_cname(p, h, &plan);
		}
		mr_dnsreport_chain(p, h->name, h->a);
		check_private(p, h, h->a);
		check_private(p, h, h->aaaa);
		mr_dnsreport_ttl(p, h->name, "A", h->a);
	}
	if (plan.is_dropped || plan.host.p)
		mr_dnsreport_line(
		    p, &p->mx_fix->remove, mr_dnsreport_mx_line(p, h->preference, h->name));
	if (!plan.is_dropped && plan.host.p && !is_published(p, h->preference, plan.host))
		mr_dnsreport_line(
		    p, &p->mx_fix->add, mr_dnsreport_mx_line(p, h->preference, plan.host));
}

/* ---- all exchanges ---------------------------------------------------------------------------------- */

static void
add_host(struct mr_dnsreport_pass *p, struct mr_str name, unsigned preference)
{
	size_t at = p->host_n;

	if (p->host_n == MR_DNSREPORT_HOST_MAX)
		return;
	p->host_n++;
	while (at > 0 && p->host[at - 1].preference > preference) {
		p->host[at] = p->host[at - 1];
		at--;
	}
	p->host[at] = (struct mr_dnsreport_host){ .name = name,
		.preference = preference,
		.a = mr_dnsreport_ask(p, name, MR_DNS_A),
		.aaaa = mr_dnsreport_ask(p, name, MR_DNS_AAAA) };
}

/* RFC 7505. */
static void
check_null(struct mr_dnsreport_pass *p)
{
	struct mr_str d = p->domain;
	size_t null_n = 0, n = p->mx->n;

	for (size_t i = 0; i < n; i++)
		null_n += p->mx->rec[i].text.n == 0;
	p->is_null_mx = null_n == n;
	if (null_n == 0)
		return;
	for (size_t i = 0; i < n; i++) {
		const struct mr_dns_record *r = &p->mx->rec[i];

		if (r->text.n || (n == 1 && r->preference == 0))
			continue;
		mr_dnsreport_line(
		    p, &p->mx_fix->remove, mr_dnsreport_mx_line(p, r->preference, MR_STR("")));
		if (p->is_null_mx)
			mr_dnsreport_line(
			    p, &p->mx_fix->add, mr_dnsreport_mx_line(p, 0, MR_STR("")));
	}
	if (n > 1)
		mr_dnsreport_say(p, MR_CHECK_MX_NULL, MR_LEVEL_FAIL, d, p->mx_fix,
		    "a null MX stands beside other MX records: drop it, or the others");
	else if (p->mx->rec[0].preference)
		mr_dnsreport_say(p, MR_CHECK_MX_NULL, MR_LEVEL_WARN, d, p->mx_fix,
		    "null MX with preference %u: it must be 0", p->mx->rec[0].preference);
	else
		mr_dnsreport_say(p, MR_CHECK_MX_NULL, MR_LEVEL_INFO, d, NULL,
		    "null MX: %.*s takes no mail", (int)d.n, d.p);
}

/* Who could be the exchange: what our host calls itself, if it is at an address of the domain or the domain
 * has none; else the domain. */
static struct mr_str
implicit_host(struct mr_dnsreport_pass *p, bool has_apex)
{
	struct mr_str helo = p->q->helo;
	const struct mr_dns_answer *a, *aaaa;

	if (helo.n == 0 || !mr_dnsreport_is_host(helo))
		return has_apex ? p->domain : MR_STR("");
	a = mr_dnsreport_ask(p, helo, MR_DNS_A);
	aaaa = mr_dnsreport_ask(p, helo, MR_DNS_AAAA);
	if (!has_apex)
		return (mr_is_found(a) && a->links == 0) || (mr_is_found(aaaa) && aaaa->links == 0)
		    ? helo
		    : MR_STR("");
	for (size_t i = 0; mr_is_found(p->a) && i < p->a->n; i++)
		if (a && a->links == 0 && mr_dns_has_address(a, &p->a->rec[i].ip))
			return helo;
	return p->domain;
}

static void
check_no_mx(struct mr_dnsreport_pass *p)
{
	bool has_apex = mr_is_found(p->a) || mr_is_found(p->aaaa);
	struct mr_str d = p->domain, host;
	enum mr_dnsreport_level level = has_apex ? MR_LEVEL_WARN : MR_LEVEL_FAIL;

	if (p->q->profile == MR_PROFILE_RELAY)
		level = MR_LEVEL_INFO;
	if (p->q->profile != MR_PROFILE_NOMAIL) {
		host = implicit_host(p, has_apex);
		if (host.n)
			mr_dnsreport_line(
			    p, &p->mx_fix->add, mr_dnsreport_mx_line(p, PREFERENCE, host));
		if (has_apex || (mr_is_none(p->a) && mr_is_none(p->aaaa)))
			mr_dnsreport_say(p, MR_CHECK_MX_PRESENT, level, d, p->mx_fix,
			    has_apex ? "no MX record: mail goes to the address of %.*s itself"
			             : "no MX record, and no address: %.*s cannot get mail",
			    (int)d.n, d.p);
		else if (mr_is_outage(p->a) || mr_is_outage(p->aaaa))
			mr_dnsreport_say(p, MR_CHECK_MX_PRESENT, MR_LEVEL_ERROR, d, NULL,
			    "no MX record, and the address of %.*s: %s", (int)d.n, d.p,
			    mr_dnsreport_outage_word(mr_is_outage(p->a) ? p->a : p->aaaa));
	}
	if (has_apex)
		add_host(p, d, 0);
}

/* Of a domain without mail. */
static void
want_null(struct mr_dnsreport_pass *p)
{
	for (size_t i = 0; mr_is_found(p->mx) && i < p->mx->n; i++)
		mr_dnsreport_line(p, &p->mx_fix->remove,
		    mr_dnsreport_mx_line(p, p->mx->rec[i].preference, p->mx->rec[i].text));
	mr_dnsreport_line(p, &p->mx_fix->add, mr_dnsreport_mx_line(p, 0, MR_STR("")));
	mr_dnsreport_say(p, MR_CHECK_MX_NULL, MR_LEVEL_WARN, p->domain, p->mx_fix,
	    "a domain without mail should say so by a null MX");
}

static void
check_count(struct mr_dnsreport_pass *p)
{
	const struct mr_dnsreport_host *h = p->host;
	bool is_shared = p->host_n == 2 && mr_is_found(h[0].a) && mr_is_found(h[1].a)
	    && h[0].a->n == 1 && h[1].a->n == 1 && mr_ip_eq(&h[0].a->rec[0].ip, &h[1].a->rec[0].ip);
	size_t n = mr_is_found(p->mx) ? p->mx->n : 0;

	if (n > COUNT_GOOD)
		mr_dnsreport_say(p, MR_CHECK_MX_COUNT, MR_LEVEL_WARN, p->domain, NULL,
		    "%zu MX records: some receivers read %u", n, COUNT_GOOD);
	else if (n == 1)
		mr_dnsreport_say(p, MR_CHECK_MX_COUNT, MR_LEVEL_INFO, p->domain, NULL,
		    "one MX record: nobody takes mail while that host is away");
	else if (is_shared)
		mr_dnsreport_say(p, MR_CHECK_MX_COUNT, MR_LEVEL_INFO, p->domain, NULL,
		    "both MX records lead to one address");
}

static void
check_ipv4(struct mr_dnsreport_pass *p)
{
	struct mr_dnsreport_fix *fix = mr_dnsreport_fix(p);
	bool has_v6 = false;

	for (size_t i = 0; i < p->host_n; i++) {
		if (!mr_is_none(p->host[i].a))
			return;
		has_v6 |= mr_is_found(p->host[i].aaaa);
	}
	if (!has_v6 || !fix)
		return;
	for (size_t i = 0; i < p->q->ip_n; i++)
		if (!p->q->ip[i].is_v6 && mr_domain_is_below(p->host[0].name, p->domain))
			mr_dnsreport_line(
			    p, &fix->add, mr_dnsreport_address(p, p->host[0].name, &p->q->ip[i]));
	mr_dnsreport_say(
	    p, MR_CHECK_MX_IPV4, MR_LEVEL_WARN, p->domain, fix, "no MX is reachable by IPv4");
}

/* For people. */
static void
say_hosts(struct mr_dnsreport_pass *p)
{
	struct mr_buf b;

	mr_buf_init(&b, 800);
	for (size_t i = 0; i < p->host_n; i++)
		mr_buf_addf(&b, "%s%u %.*s", i ? ", " : "", p->host[i].preference,
		    (int)p->host[i].name.n, p->host[i].name.p);
	mr_dnsreport_say(p, MR_CHECK_MX_PRESENT, MR_LEVEL_OK, p->domain, NULL, "MX %.*s", (int)b.n,
	    b.n ? b.p : "");
	mr_buf_free(&b);
}

/* ---- who sends -------------------------------------------------------------------------------------- */

static void
add_sender(struct mr_dnsreport_pass *p, const struct mr_ip *ip, struct mr_str helo, bool is_given)
{
	char storage[MR_IP_TEXT_MAX];
	struct mr_str text;

	for (size_t i = 0; i < p->sender_n; i++)
		if (mr_ip_eq(&p->sender[i].ip, ip))
			return;
	if (p->sender_n == MR_DNSREPORT_IP_MAX)
		return;
	text = mr_arena_dup(p->arena, mr_ip_text(storage, ip));
	p->sender[p->sender_n++] = (struct mr_dnsreport_sender){
		.ip = *ip, .text = text, .helo = helo, .is_helo_given = is_given
	};
}

/* What the host at `ip` calls itself, if nobody says: the exchange that has the address, else the best. */
static struct mr_str
helo_of(const struct mr_dnsreport_pass *p, const struct mr_ip *ip)
{
	for (size_t i = 0; i < p->host_n; i++) {
		const struct mr_dns_answer *a = ip->is_v6 ? p->host[i].aaaa : p->host[i].a;

		if (mr_is_found(a) && mr_dns_has_address(a, ip))
			return p->host[i].name;
	}
	return p->host_n && is_usable(&p->host[0]) ? p->host[0].name : MR_STR("");
}

static void
find_senders(struct mr_dnsreport_pass *p)
{
	for (size_t i = 0; i < p->q->ip_n; i++)
		add_sender(p, &p->q->ip[i], p->q->helo.n ? p->q->helo : helo_of(p, &p->q->ip[i]),
		    p->q->helo.n > 0);
	if (p->q->ip_n || p->q->profile == MR_PROFILE_NOMAIL)
		return;
	for (size_t i = 0; i < p->host_n; i++)
		for (int k = 0; k < 2; k++) {
			const struct mr_dns_answer *a = k ? p->host[i].aaaa : p->host[i].a;

			for (size_t j = 0; mr_is_found(a) && j < a->n; j++)
				if (!is_private(&a->rec[j].ip))
					add_sender(p, &a->rec[j].ip,
					    p->q->helo.n ? p->q->helo : p->host[i].name,
					    p->q->helo.n > 0);
		}
}

void
mr_dnsreport_mx(struct mr_dnsreport_pass *p)
{
	if (!(p->mx_fix = mr_dnsreport_fix(p)))
		return;
	if (mr_is_found(p->mx)) {
		check_null(p);
		for (size_t i = 0; i < p->mx->n; i++)
			if (p->mx->rec[i].text.n)
				add_host(p, p->mx->rec[i].text, p->mx->rec[i].preference);
	} else if (mr_is_none(p->mx))
		check_no_mx(p);
	if (p->q->profile == MR_PROFILE_NOMAIL && p->mx && !mr_is_outage(p->mx) && !p->is_null_mx)
		want_null(p);
	else if (mr_is_found(p->mx)) {
		for (size_t i = 0; i < p->host_n; i++)
			check_host(p, &p->host[i]);
		if (!p->is_null_mx) {
			check_ipv4(p);
			check_count(p);
			say_hosts(p);
		}
	}
	find_senders(p);
}
