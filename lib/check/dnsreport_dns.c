/* The domain itself: that it is there, that its servers answer, aliases, wildcards, times, signatures. */
#include "check/dnsreport_pass.h"

#define LINKS_GOOD 3u    /* CNAMEs to an answer that nobody minds */
#define SIZE_GOOD  1232u /* octets: what passes over UDP everywhere (RFC 9715) */
#define TTL_LOW_S  300u
#define TTL_HIGH_S 604800u

/* ---- aliases -------------------------------------------------------------------------------------- */

/* An outage may be a loop: resolvers give up on one, so each link is asked for. */
static void
find_loop(struct mr_dnsreport_pass *p, struct mr_str name)
{
	struct mr_str at[MR_DNS_CNAME_MAX + 1] = { name };

	for (size_t n = 1; n <= MR_DNS_CNAME_MAX; n++) {
		const struct mr_dns_answer *a = mr_dnsreport_ask(p, at[n - 1], MR_DNS_CNAME);

		if (!mr_is_found(a))
			return;
		at[n] = a->rec[0].text;
		for (size_t i = 0; i < n; i++)
			if (mr_str_caseeq(at[i], at[n])) {
				mr_dnsreport_say(p, MR_CHECK_DNS_CNAME_CHAIN, MR_LEVEL_FAIL, name,
				    NULL, "%.*s: its aliases lead in a circle, back to %.*s",
				    (int)name.n, name.p, (int)at[n].n, at[n].p);
				return;
			}
	}
}

void
mr_dnsreport_chain(struct mr_dnsreport_pass *p, struct mr_str name, const struct mr_dns_answer *a)
{
	const struct mr_dns_answer *first;
	struct mr_dnsreport_fix *fix;

	if (a && (a->result == MR_DNS_SERVFAIL || a->result == MR_DNS_BROKEN))
		find_loop(p, name);
	if (!a || a->links <= LINKS_GOOD)
		return;
	first = mr_dnsreport_ask(p, name, MR_DNS_CNAME);
	fix = mr_dnsreport_fix(p);
	if (fix && mr_is_found(first) && mr_domain_is_below(name, p->domain)) {
		mr_dnsreport_line(p, &fix->remove,
		    mr_dnsreport_rr(p, name, "CNAME", "%.*s.", (int)first->rec[0].text.n,
		        first->rec[0].text.p));
		mr_dnsreport_line(p, &fix->add,
		    mr_dnsreport_rr(
		        p, name, "CNAME", "%.*s.", (int)a->canonical.n, a->canonical.p));
	}
	mr_dnsreport_say(p, MR_CHECK_DNS_CNAME_CHAIN, MR_LEVEL_WARN, name, fix,
	    "%.*s: chain of %u aliases; point it straight at %.*s", (int)name.n, name.p, a->links,
	    (int)a->canonical.n, a->canonical.p);
}

/* What stays of a record set under the domain's own name, after its fix. */
static void
keep(struct mr_dnsreport_pass *p, struct mr_dnsreport_fix *fix, struct mr_str line,
    const struct mr_dnsreport_fix *other)
{
	for (size_t i = 0; other && i < other->remove.n; i++)
		if (mr_str_eq(other->remove.line[i], line))
			return;
	mr_dnsreport_line(p, &fix->add, line);
}

void
mr_dnsreport_alias(struct mr_dnsreport_pass *p)
{
	const struct mr_dns_answer *cname;
	struct mr_dnsreport_fix *fix;
	struct mr_str target;

	if (!p->is_alias)
		return;
	cname = mr_dnsreport_ask(p, p->domain, MR_DNS_CNAME);
	fix = mr_dnsreport_fix(p);
	if (!mr_is_found(cname) || !fix)
		return;
	target = cname->rec[0].text;
	mr_dnsreport_line(p, &fix->remove,
	    mr_dnsreport_rr(p, p->domain, "CNAME", "%.*s.", (int)target.n, target.p));
	for (size_t i = 0; mr_is_found(p->mx) && i < p->mx->n; i++)
		keep(p, fix, mr_dnsreport_mx_line(p, p->mx->rec[i].preference, p->mx->rec[i].text),
		    p->mx_fix);
	for (size_t i = 0; mr_is_found(p->txt) && i < p->txt->n; i++)
		keep(
		    p, fix, mr_dnsreport_strings(p, p->domain, "TXT", &p->txt->rec[i]), p->spf_fix);
	for (size_t i = 0; mr_is_found(p->a) && i < p->a->n; i++)
		keep(p, fix, mr_dnsreport_address(p, p->domain, &p->a->rec[i].ip), NULL);
	for (size_t i = 0; mr_is_found(p->aaaa) && i < p->aaaa->n; i++)
		keep(p, fix, mr_dnsreport_address(p, p->domain, &p->aaaa->rec[i].ip), NULL);
	for (size_t i = 0; p->mx_fix && i < p->mx_fix->add.n; i++)
		mr_dnsreport_line(p, &fix->add, p->mx_fix->add.line[i]);
	for (size_t i = 0; p->spf_fix && i < p->spf_fix->add.n; i++)
		mr_dnsreport_line(p, &fix->add, p->spf_fix->add.line[i]);
	mr_dnsreport_say(p, MR_CHECK_DNS_CNAME, MR_LEVEL_WARN, p->domain, fix,
	    "%.*s is an alias of %.*s: a mail domain has MX and TXT records of its own",
	    (int)p->domain.n, p->domain.p, (int)target.n, target.p);
}

/* ---- answers -------------------------------------------------------------------------------------- */

static void
say_outage(struct mr_dnsreport_pass *p, const char *type, const struct mr_dns_answer *a)
{
	struct mr_str d = p->domain;

	if (a->is_truncated)
		mr_dnsreport_say(p, MR_CHECK_DNS_TCP, MR_LEVEL_FAIL, d, NULL,
		    "%.*s %s needs TCP and TCP fails: open TCP port 53, or publish less", (int)d.n,
		    d.p, type);
	else
		mr_dnsreport_say(p, MR_CHECK_DNS_ANSWER, MR_LEVEL_ERROR, d, NULL,
		    "no usable answer for %.*s %s: %s", (int)d.n, d.p, type,
		    mr_dnsreport_outage_word(a));
}

/* False: the domain is not there, or nobody tells. */
static bool
is_there(struct mr_dnsreport_pass *p)
{
	const struct mr_dns_answer *unchecked =
	    mr_dnsreport_ask(p, p->domain, MR_DNS_SOA_UNCHECKED);
	struct mr_str d = p->domain;

	if (p->soa && p->soa->result == MR_DNS_NXDOMAIN && p->soa->links == 0) {
		mr_dnsreport_say(p, MR_CHECK_DOM_EXISTS, MR_LEVEL_FAIL, d, NULL,
		    "%.*s does not exist in DNS", (int)d.n, d.p);
		return false;
	}
	if (mr_is_outage(p->soa) && unchecked && !mr_is_outage(unchecked)
	    && p->soa->result == MR_DNS_SERVFAIL) {
		mr_dnsreport_say(p, MR_CHECK_DNSSEC_BOGUS, MR_LEVEL_FAIL, d, NULL,
		    "DNSSEC validation of %.*s fails: sign the zone again, or remove the DS",
		    (int)d.n, d.p);
		return false;
	}
	if (mr_is_outage(p->soa) || mr_is_outage(p->mx) || mr_is_outage(p->txt))
		mr_dnsreport_chain(p, d,
		    mr_is_outage(p->mx)        ? p->mx
		        : mr_is_outage(p->txt) ? p->txt
		                               : p->soa);
	if (mr_is_outage(p->soa) && mr_is_outage(p->mx) && mr_is_outage(p->txt)) {
		say_outage(p, "SOA", p->soa);
		return false;
	}
	if (mr_is_outage(p->mx))
		say_outage(p, "MX", p->mx);
	if (mr_is_outage(p->txt))
		say_outage(p, "TXT", p->txt);
	return true;
}

static void
check_size(struct mr_dnsreport_pass *p, const char *type, const struct mr_dns_answer *a)
{
	if (mr_is_found(a) && a->size > SIZE_GOOD)
		mr_dnsreport_say(p, MR_CHECK_DNS_SIZE, MR_LEVEL_INFO, p->domain, NULL,
		    "%.*s %s answer is %zu octets: receivers must use TCP", (int)p->domain.n,
		    p->domain.p, type, a->size);
}

void
mr_dnsreport_ttl(struct mr_dnsreport_pass *p, struct mr_str name, const char *type,
    const struct mr_dns_answer *a)
{
	if (!mr_is_found(a) || (a->rec[0].ttl_s >= TTL_LOW_S && a->rec[0].ttl_s <= TTL_HIGH_S))
		return;
	mr_dnsreport_say(p, MR_CHECK_DNS_TTL, MR_LEVEL_INFO, name, NULL,
	    "%.*s %s TTL is %u s; 3600 suits most", (int)name.n, name.p, type, a->rec[0].ttl_s);
}

/* ---- the zone ------------------------------------------------------------------------------------- */

static void
check_wildcard(struct mr_dnsreport_pass *p)
{
	struct mr_str d = p->domain,
	              name = mr_arena_fmt(p->arena, "%.*s.%.*s", (int)p->q->chance.n,
	                  p->q->chance.p, (int)d.n, d.p),
	              star = mr_dnsreport_name(p, "*", d);
	const struct mr_dns_answer *a, *mx;
	struct mr_dnsreport_fix *fix;

	if (!name.p || !star.p)
		return;
	p->wildcard = mr_dnsreport_ask(p, name, MR_DNS_TXT);
	a = mr_dnsreport_ask(p, name, MR_DNS_A);
	mx = mr_dnsreport_ask(p, name, MR_DNS_MX);
	if (!mr_is_found(p->wildcard)) {
		if (mr_is_found(a) || mr_is_found(mx))
			mr_dnsreport_say(p, MR_CHECK_DNS_WILDCARD, MR_LEVEL_INFO, d, NULL,
			    "every name under %.*s answers %s", (int)d.n, d.p,
			    mr_is_found(mx) ? "MX" : "A");
		return;
	}
	fix = mr_dnsreport_fix(p);
	for (size_t i = 0; fix && p->wildcard->links == 0 && i < p->wildcard->n; i++)
		mr_dnsreport_line(
		    p, &fix->remove, mr_dnsreport_strings(p, star, "TXT", &p->wildcard->rec[i]));
	mr_dnsreport_say(p, MR_CHECK_DNS_WILDCARD, MR_LEVEL_WARN, d, fix,
	    "every name under %.*s answers TXT: give _dmarc and _domainkey their own records, or "
	    "drop the wildcard",
	    (int)d.n, d.p);
}

static void
check_soa(struct mr_dnsreport_pass *p)
{
	/* RFC 1912 2.2; the minimum is the time for negative answers (RFC 2308 5). */
	static const struct {
		const char *name;
		uint64_t lo, hi;
	} fields[] = { { "refresh", 1200, 86400 }, { "retry", 120, 86400 },
		{ "expire", 604800, 3628800 }, { "minimum", 30, 86400 } };
	struct mr_str rest;

	if (!mr_is_found(p->soa) || p->soa->links)
		return;
	rest = p->soa->rec[0].text;
	for (size_t i = 0; i < 3; i++)
		mr_str_word(&rest);
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		struct mr_str word = mr_str_word(&rest);
		uint64_t n;

		if (mr_str_num(word, UINT32_MAX, &n) && (n < fields[i].lo || n > fields[i].hi))
			mr_dnsreport_say(p, MR_CHECK_DNS_SOA, MR_LEVEL_INFO, p->domain, NULL,
			    "SOA %s is %.*s s; usual is %u to %u s", fields[i].name, (int)word.n,
			    word.p, (unsigned)fields[i].lo, (unsigned)fields[i].hi);
	}
}

static void
check_zone(struct mr_dnsreport_pass *p, const struct mr_dns_answer *ns)
{
	struct mr_str d = p->domain;

	if (mr_is_found(ns) && ns->links == 0 && ns->n < 2)
		mr_dnsreport_say(
		    p, MR_CHECK_DNS_NS, MR_LEVEL_INFO, d, NULL, "only %zu name server", ns->n);
	if (p->soa && p->soa->is_authentic)
		mr_dnsreport_say(p, MR_CHECK_DNSSEC_AD, MR_LEVEL_OK, d, NULL,
		    "%.*s is signed, and the signatures are right", (int)d.n, d.p);
	else if (p->soa)
		mr_dnsreport_say(p, MR_CHECK_DNSSEC_AD, MR_LEVEL_INFO, d, NULL,
		    p->q->is_ad_trusted
		        ? "%.*s is not signed, or the resolver does not validate"
		        : "whether %.*s is signed is not known: the resolver is not on this host",
		    (int)d.n, d.p);
	check_soa(p);
}

bool
mr_dnsreport_dns(struct mr_dnsreport_pass *p)
{
	const struct mr_dns_answer *ns;

	p->soa = mr_dnsreport_ask(p, p->domain, MR_DNS_SOA);
	p->mx = mr_dnsreport_ask(p, p->domain, MR_DNS_MX);
	p->txt = mr_dnsreport_ask(p, p->domain, MR_DNS_TXT);
	p->a = mr_dnsreport_ask(p, p->domain, MR_DNS_A);
	p->aaaa = mr_dnsreport_ask(p, p->domain, MR_DNS_AAAA);
	ns = mr_dnsreport_ask(p, p->domain, MR_DNS_NS);
	if (!is_there(p))
		return false;
	p->is_alias = (p->mx && p->mx->links) || (p->txt && p->txt->links);
	mr_dnsreport_chain(p, p->domain, mr_is_found(p->mx) ? p->mx : p->txt);
	check_size(p, "TXT", p->txt);
	check_size(p, "MX", p->mx);
	mr_dnsreport_ttl(p, p->domain, "MX", p->mx);
	mr_dnsreport_ttl(p, p->domain, "TXT", p->txt);
	mr_dnsreport_ttl(p, p->domain, "A", p->a);
	check_wildcard(p);
	check_zone(p, ns);
	return true;
}
