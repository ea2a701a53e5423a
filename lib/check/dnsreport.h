/* dnsreport.h - what is right and wrong in the DNS of a mail domain, and what to publish instead. */
#ifndef MR_CHECK_DNSREPORT_H
#define MR_CHECK_DNSREPORT_H

#include "check/dkim_record.h"
#include "check/dnsbl.h"
#include "check/spf_match.h"
#include "dns/orgdomain.h"

#define MR_DNSREPORT_IP_MAX       32u         /* sending addresses that are looked at */
#define MR_DNSREPORT_HOST_MAX     32u         /* exchanges of the domain that are looked at */
#define MR_DNSREPORT_SELECTOR_MAX 64u         /* DKIM selectors, guessed ones among them */
#define MR_DNSREPORT_MEMORY_MAX   (16u << 20) /* bytes of one pass */
#define MR_DNSREPORT_ROUNDS_MAX   40u         /* includes and aliases are followed one a round */

/* Groups, and how many hundredths of a point each may cost. */
/* clang-format off */
#define MR_DNSREPORT_GROUPS(G) \
	G(DNS, 1000) G(MX, 300) G(PTR, 250) G(SPF, 200) G(DKIM, 150) G(DMARC, 100) G(TLS, 100) \
	G(DNSBL, 300) G(CONNECT, 300)
/* clang-format on */

enum mr_dnsreport_group {
#define MR_DNSREPORT_GROUP(name, cap) MR_GROUP_##name,
	MR_DNSREPORT_GROUPS(MR_DNSREPORT_GROUP)
#undef MR_DNSREPORT_GROUP
};

/* All checks: constant, id, group, hundredths lost by fail (and error), by warn. */
/* clang-format off */
#define MR_DNSREPORT_CHECKS(C) \
	C(DOM_SYNTAX, "dom-syntax", DNS, 1000, 0) \
	C(DOM_EXISTS, "dom-exists", DNS, 1000, 0) \
	C(DNS_ANSWER, "dns-answer", DNS, 1000, 0) \
	C(DNS_TCP, "dns-tcp", DNS, 100, 0) \
	C(DNS_SIZE, "dns-size", DNS, 0, 0) \
	C(DNS_CNAME, "dns-cname", DNS, 0, 50) \
	C(DNS_CNAME_CHAIN, "dns-cname-chain", DNS, 100, 25) \
	C(DNS_WILDCARD, "dns-wildcard", DNS, 0, 25) \
	C(DNS_NS, "dns-ns", DNS, 0, 0) \
	C(DNS_SOA, "dns-soa", DNS, 0, 0) \
	C(DNS_TTL, "dns-ttl", DNS, 0, 0) \
	C(DNSSEC_AD, "dnssec-ad", DNS, 0, 0) \
	C(DNSSEC_BOGUS, "dnssec-bogus", DNS, 1000, 0) \
	C(MX_PRESENT, "mx-present", MX, 300, 100) \
	C(MX_NULL, "mx-null", MX, 300, 50) \
	C(MX_TARGET, "mx-target", MX, 200, 0) \
	C(MX_CNAME, "mx-cname", MX, 100, 0) \
	C(MX_LITERAL, "mx-literal", MX, 300, 0) \
	C(MX_DOT, "mx-dot", MX, 200, 0) \
	C(MX_PRIVATE, "mx-private", MX, 200, 0) \
	C(MX_SYNTAX, "mx-syntax", MX, 0, 50) \
	C(MX_IPV4, "mx-ipv4", MX, 0, 50) \
	C(MX_COUNT, "mx-count", MX, 0, 25) \
	C(PTR_PRESENT, "ptr-present", PTR, 200, 0) \
	C(PTR_FCRDNS, "ptr-fcrdns", PTR, 200, 0) \
	C(PTR_NAME, "ptr-name", PTR, 100, 0) \
	C(PTR_GENERIC, "ptr-generic", PTR, 0, 100) \
	C(PTR_MULTIPLE, "ptr-multiple", PTR, 0, 0) \
	C(HELO_MATCH, "helo-match", PTR, 0, 50) \
	C(SPF_PRESENT, "spf-present", SPF, 200, 0) \
	C(SPF_VERSION, "spf-version", SPF, 200, 0) \
	C(SPF_SINGLE, "spf-single", SPF, 200, 0) \
	C(SPF_SYNTAX, "spf-syntax", SPF, 200, 0) \
	C(SPF_SPLIT, "spf-split", SPF, 200, 0) \
	C(SPF_QUOTES, "spf-quotes", SPF, 200, 0) \
	C(SPF_TYPE99, "spf-type99", SPF, 200, 0) \
	C(SPF_LOOKUPS, "spf-lookups", SPF, 200, 0) \
	C(SPF_VOID, "spf-void", SPF, 100, 0) \
	C(SPF_MX_LIMIT, "spf-mx-limit", SPF, 200, 0) \
	C(SPF_LOOP, "spf-loop", SPF, 200, 0) \
	C(SPF_INCLUDE, "spf-include", SPF, 200, 0) \
	C(SPF_ALL, "spf-all", SPF, 200, 50) \
	C(SPF_AFTER_ALL, "spf-after-all", SPF, 0, 25) \
	C(SPF_PTR, "spf-ptr", SPF, 0, 25) \
	C(SPF_WIDE, "spf-wide", SPF, 0, 50) \
	C(SPF_SIZE, "spf-size", SPF, 0, 25) \
	C(SPF_SENDER, "spf-sender", SPF, 200, 100) \
	C(DKIM_PRESENT, "dkim-present", DKIM, 150, 0) \
	C(DKIM_DOUBLED, "dkim-doubled", DKIM, 0, 0) \
	C(DKIM_MULTIPLE, "dkim-multiple", DKIM, 100, 0) \
	C(DKIM_SYNTAX, "dkim-syntax", DKIM, 150, 0) \
	C(DKIM_QUOTES, "dkim-quotes", DKIM, 150, 0) \
	C(DKIM_KEY, "dkim-key", DKIM, 150, 0) \
	C(DKIM_REVOKED, "dkim-revoked", DKIM, 150, 0) \
	C(DKIM_BITS, "dkim-bits", DKIM, 150, 50) \
	C(DKIM_MATCH, "dkim-match", DKIM, 150, 0) \
	C(DKIM_HASH, "dkim-hash", DKIM, 150, 0) \
	C(DKIM_SERVICE, "dkim-service", DKIM, 150, 0) \
	C(DKIM_TEST, "dkim-test", DKIM, 0, 25) \
	C(DKIM_CNAME, "dkim-cname", DKIM, 0, 0) \
	C(DMARC_PRESENT, "dmarc-present", DMARC, 100, 0) \
	C(DMARC_SINGLE, "dmarc-single", DMARC, 100, 0) \
	C(DMARC_SYNTAX, "dmarc-syntax", DMARC, 100, 0) \
	C(DMARC_POLICY, "dmarc-policy", DMARC, 0, 50) \
	C(DMARC_SP, "dmarc-sp", DMARC, 0, 25) \
	C(DMARC_PCT, "dmarc-pct", DMARC, 0, 25) \
	C(DMARC_RUA, "dmarc-rua", DMARC, 0, 25) \
	C(DMARC_EXT, "dmarc-ext", DMARC, 0, 25) \
	C(MTASTS_TXT, "mtasts-txt", TLS, 0, 25) \
	C(MTASTS_HOST, "mtasts-host", TLS, 0, 25) \
	C(TLSRPT_TXT, "tlsrpt-txt", TLS, 0, 25) \
	C(TLSA_DNSSEC, "tlsa-dnssec", TLS, 0, 25) \
	C(TLSA_PARAMS, "tlsa-params", TLS, 100, 25) \
	C(DNSBL_LISTED, "dnsbl-listed", DNSBL, 300, 0) \
	C(DNSBL_NAME, "dnsbl-name", DNSBL, 300, 0) \
	C(DNSBL_WORKS, "dnsbl-works", DNSBL, 0, 0) \
	C(CONNECT_BANNER, "connect-banner", CONNECT, 300, 50) \
	C(CONNECT_EHLO, "connect-ehlo", CONNECT, 100, 0) \
	C(CONNECT_STARTTLS, "connect-starttls", CONNECT, 100, 50) \
	C(CONNECT_CERT, "connect-cert", CONNECT, 0, 25) \
	C(CONNECT_TLSA, "connect-tlsa", CONNECT, 100, 0) \
	C(CONNECT_RELAY, "connect-relay", CONNECT, 300, 0) \
	C(CONNECT_POSTMASTER, "connect-postmaster", CONNECT, 100, 0)
/* clang-format on */

enum mr_dnsreport_check {
#define MR_DNSREPORT_CHECK(name, id, group, fail, warn) MR_CHECK_##name,
	MR_DNSREPORT_CHECKS(MR_DNSREPORT_CHECK)
#undef MR_DNSREPORT_CHECK
	    MR_CHECK_N
};

enum mr_dnsreport_level {
	MR_LEVEL_OK,
	MR_LEVEL_INFO,
	MR_LEVEL_WARN,
	MR_LEVEL_FAIL,
	MR_LEVEL_ERROR /* could not be found out: an outage */
};

/* "dom-syntax", ...; "ok", ... */
const char *mr_dnsreport_id(enum mr_dnsreport_check check);
const char *mr_dnsreport_level_word(enum mr_dnsreport_level level);
enum mr_dnsreport_group mr_dnsreport_group_of(enum mr_dnsreport_check check);

/* Whole lines of a zone file. */
struct mr_dnsreport_lines {
	struct mr_str *line;
	size_t n, cap;
};

/* What to take out of the zones, then what to put in.  The same for all findings of one record set. */
struct mr_dnsreport_fix {
	struct mr_dnsreport_lines remove, add;
};

struct mr_dnsreport_finding {
	enum mr_dnsreport_check check;
	enum mr_dnsreport_level level;
	struct mr_str subject; /* the name or address that it is about */
	struct mr_str message;
	struct mr_dnsreport_fix *fix; /* NULL: none; else it has lines */
	unsigned points; /* hundredths that it costs, before the group's cap; a check costs once */
};

/* All of it lives in the arena given to the check. */
struct mr_dnsreport {
	struct mr_dnsreport_finding *finding;
	size_t n, cap;
	unsigned score;                /* hundredths, 0..1000 */
	enum mr_dnsreport_level level; /* the worst; MR_LEVEL_ERROR only if nothing fails */
};

/* What the domain is for: what is not needed for it is no fault. */
enum mr_dnsreport_profile {
	MR_PROFILE_MAILBOX, /* sends and takes mail */
	MR_PROFILE_RELAY,   /* sends only: needs no MX */
	MR_PROFILE_NOMAIL   /* does neither, and should say so */
};

struct mr_dnsreport_selector {
	struct mr_str name;
	bool is_guessed; /* that it is not there is no fault */
	struct mr_str
	    key; /* public half of the local key, as in p=, decoded; p NULL: none is known */
	enum mr_pkey_kind kind; /* of it */
	const char *file;       /* where it came from */
};

struct mr_dnsreport_query {
	struct mr_str domain; /* A-labels, without final dot; must be mr_dnsreport_is_ldh */
	enum mr_dnsreport_profile profile;
	const struct mr_ip *ip; /* sending addresses; none: those of the exchanges */
	size_t ip_n;
	struct mr_str helo; /* A-labels; n 0: the best exchange */
	const struct mr_dnsreport_selector *selector;
	size_t selector_n;
	const struct mr_dnsbl_site *list, *name_list; /* of addresses, of names */
	size_t list_n, name_list_n;
	const struct mr_orgdomain *org;
	struct mr_spf_matcher *matcher;
	struct mr_str chance; /* a label that nobody has published */
	bool is_ad_trusted;   /* AD of the resolver can be believed: what has none is not signed */
	int64_t now_s;
};

/* Checks the domain with what is in dns's memory.  MR_OK: *report is it.  MR_NOTFOUND: answers are
 * missing and were added to the batch: free the arena, run, check again.  MR_TEMP: a fault of ours. */
enum mr_status
mr_dnsreport_check(struct mr_dnsreport *report, const struct mr_dnsreport_query *query,
    struct mr_dns *dns, struct mr_arena *arena, struct mr_err *err);

/* True for a domain name of hosts: letters, digits and hyphens, 253 octets, and no address (RFC 1035 2.3.1,
 * RFC 1123 2.1).  As in query->domain: A-labels, no final dot. */
bool mr_dnsreport_is_ldh(struct mr_str name);

/* The report for an argument that is no domain name: one finding. */
enum mr_status
mr_dnsreport_no_domain(struct mr_dnsreport *report, struct mr_str arg, struct mr_arena *arena);

/* Adds a finding to a report, for who looks at more than the DNS; the score counts it.  `text` is copied; no
 * memory is MR_TEMP. */
enum mr_status
mr_dnsreport_add(struct mr_dnsreport *report, struct mr_arena *arena, enum mr_dnsreport_check check,
    enum mr_dnsreport_level level, struct mr_str subject, const char *text);

/* Exit code for monitoring: 0, 1 warn, 2 fail, 111 error. */
int mr_dnsreport_exit(const struct mr_dnsreport *report);

#endif
