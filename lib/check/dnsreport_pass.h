/* dnsreport_pass.h - one pass of mr_dnsreport_check() over what the DNS has answered so far.  For
 * dnsreport*.c only.
 *
 * A group asks for what it needs; an answer that is missing is NULL, is asked for, and the group goes on
 * with what there is, so that all that can be known to be needed goes out at once.  What a pass says
 * counts only if nothing was missing. */
#ifndef MR_CHECK_DNSREPORT_PASS_H
#define MR_CHECK_DNSREPORT_PASS_H

#include "check/dnsreport.h"
#include "mail/addr.h"

#define MR_DNSREPORT_TTL_S 3600 /* of the lines to publish */

/* An exchange of the domain. */
struct mr_dnsreport_host {
	struct mr_str name;
	unsigned preference;
	const struct mr_dns_answer *a, *aaaa; /* NULL: not there yet, or never asked */
};

/* An address that sends, and what it calls itself; n 0: unknown. */
struct mr_dnsreport_sender {
	struct mr_ip ip;
	struct mr_str text; /* the address */
	struct mr_str helo;
	bool is_helo_given; /* else it is a guess, good for what to publish only */
};

struct mr_dnsreport_pass {
	const struct mr_dnsreport_query *q;
	struct mr_dns *dns;
	struct mr_arena *arena;
	struct mr_dnsreport *report;
	struct mr_err *err;
	enum mr_status fault; /* of ours */
	bool is_pending;
	bool is_dry;             /* what is said is noted in `bad` only ... */
	bool is_bad[MR_CHECK_N]; /* ... from warn on */
	struct mr_str domain;

	/* What more than one group needs. */
	const struct mr_dns_answer *soa, *mx, *a, *aaaa, *txt;
	const struct mr_dns_answer *wildcard;      /* TXT of a name that nobody has published */
	struct mr_dnsreport_fix *mx_fix, *spf_fix; /* of the domain's own MX and TXT records */
	bool is_alias;                             /* the domain itself */
	bool is_null_mx;                           /* takes no mail, and says so */
	struct mr_dnsreport_host host[MR_DNSREPORT_HOST_MAX]; /* by preference */
	size_t host_n;
	struct mr_dnsreport_sender sender[MR_DNSREPORT_IP_MAX];
	size_t sender_n;
};

/* ---- answers ---------------------------------------------------------------------------------- */

static inline bool
mr_is_found(const struct mr_dns_answer *a)
{
	return a && a->result == MR_DNS_FOUND;
}

/* It is known that there is none. */
static inline bool
mr_is_none(const struct mr_dns_answer *a)
{
	return a && (a->result == MR_DNS_NODATA || a->result == MR_DNS_NXDOMAIN);
}

static inline bool
mr_is_outage(const struct mr_dns_answer *a)
{
	return a && a->result >= MR_DNS_SERVFAIL;
}

/* False: `n` more questions do not fit into the batch; the next round has room. */
bool mr_dnsreport_has_room(struct mr_dnsreport_pass *p, size_t n);

/* Questions that one check by another module may add. */
#define MR_DNSREPORT_LIST_ASKS 8u /* mr_dnsbl_check */
#define MR_DNSREPORT_SPF_ASKS \
	120u /* mr_spf_check: ten terms, each an mx of ten hosts, and their MX */

/* The answer, or NULL: it is asked for. */
const struct mr_dns_answer *
mr_dnsreport_ask(struct mr_dnsreport_pass *p, struct mr_str name, enum mr_dns_type type);

/* "SERVFAIL", "timeout", ... */
const char *mr_dnsreport_outage_word(const struct mr_dns_answer *a);

/* True for the name of a host that others can resolve: LDH labels, more than one, no address. */
bool mr_dnsreport_is_host(struct mr_str name);

/* The whole name "a.b"; n 0 when there is no memory. */
struct mr_str mr_dnsreport_name(struct mr_dnsreport_pass *p, const char *front, struct mr_str back);

/* ---- what is said ------------------------------------------------------------------------------- */

/* A finding.  `fix` may get its lines later in the pass; without any it counts as none. */
void mr_dnsreport_say(struct mr_dnsreport_pass *p, enum mr_dnsreport_check check,
    enum mr_dnsreport_level level, struct mr_str subject, struct mr_dnsreport_fix *fix,
    const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* An empty fix in the arena.  NULL when there is no memory. */
struct mr_dnsreport_fix *mr_dnsreport_fix(struct mr_dnsreport_pass *p);

/* Adds a line of a zone file unless it is there; a line that is both removed and added is left alone at
 * the end. */
void mr_dnsreport_line(
    struct mr_dnsreport_pass *p, struct mr_dnsreport_lines *lines, struct mr_str line);

/* Lines.  A p of NULL (no memory) is passed over by mr_dnsreport_line. */
struct mr_str mr_dnsreport_txt(
    struct mr_dnsreport_pass *p, struct mr_str owner, struct mr_str text); /* strings of <= 255 */
struct mr_str mr_dnsreport_strings(struct mr_dnsreport_pass *p, struct mr_str owner,
    const char *type, const struct mr_dns_record *rec); /* TXT, SPF: as it is published */
struct mr_str
mr_dnsreport_address(struct mr_dnsreport_pass *p, struct mr_str owner, const struct mr_ip *ip);
struct mr_str mr_dnsreport_mx_line(
    struct mr_dnsreport_pass *p, unsigned preference, struct mr_str host); /* of the domain */
/* "owner. 3600 IN TYPE data" */
struct mr_str mr_dnsreport_rr(struct mr_dnsreport_pass *p, struct mr_str owner, const char *type,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* ---- groups ----------------------------------------------------------------------------------- */

/* Asks what the groups share.  False: nothing else can be judged, and why was said. */
bool mr_dnsreport_dns(struct mr_dnsreport_pass *p);

/* After the others, which say what to publish in the place of an alias. */
void mr_dnsreport_alias(struct mr_dnsreport_pass *p);

/* An answer over more than three aliases; an outage that comes of a loop of them. */
void
mr_dnsreport_chain(struct mr_dnsreport_pass *p, struct mr_str name, const struct mr_dns_answer *a);

/* A TTL that is too low or too high. */
void mr_dnsreport_ttl(struct mr_dnsreport_pass *p, struct mr_str name, const char *type,
    const struct mr_dns_answer *a);

void mr_dnsreport_mx(struct mr_dnsreport_pass *p); /* fills host, sender */
void mr_dnsreport_ptr(struct mr_dnsreport_pass *p);
void mr_dnsreport_spf(struct mr_dnsreport_pass *p);
void mr_dnsreport_dkim(struct mr_dnsreport_pass *p);
void mr_dnsreport_dmarc(struct mr_dnsreport_pass *p);
void mr_dnsreport_tls(struct mr_dnsreport_pass *p);
void mr_dnsreport_dnsbl(struct mr_dnsreport_pass *p);

#endif
