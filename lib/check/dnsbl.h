/* dnsbl.h - what lists in the DNS say of an address or a name (RFC 5782): one list at a time. */
#ifndef MR_CHECK_DNSBL_H
#define MR_CHECK_DNSBL_H

#include "dns/dns.h"

#define MR_DNSBL_WEIGHT_MAX 1000 /* of a list, either sign */
#define MR_DNSBL_NAME_MAX   3u   /* names of one subject */

/* A list, and what of its answers counts: Postfix's syntax of postscreen_dnsbl_sites,
 * "zone[=d.d.d.d][*weight]", each d a number or "[1;3;10..20]". */
struct mr_dnsbl_site {
	struct mr_str zone;
	int weight;
	uint8_t octet[4][32]; /* bit v of octet[i]: octet i of an answer may be v */
};

/* `zone` is a view of `text`.  MR_USAGE with a reason. */
enum mr_status
mr_dnsbl_site_parse(struct mr_dnsbl_site *site, struct mr_str text, struct mr_err *err);

/* A whole number up to MR_DNSBL_WEIGHT_MAX, perhaps with a sign. */
bool mr_dnsbl_weight(struct mr_str text, int *weight);

/* Whom the lists are asked about. */
struct mr_dnsbl_subject {
	const struct mr_ip *ip;                /* may be NULL */
	struct mr_str name[MR_DNSBL_NAME_MAX]; /* domain names, ASCII */
	size_t name_n;
};

enum mr_dnsbl_said {
	MR_DNSBL_PENDING, /* answers are missing */
	MR_DNSBL_CLEAR,   /* not listed, or nothing to ask about */
	MR_DNSBL_OTHER,   /* listed, but not with an answer that counts for the site */
	MR_DNSBL_LISTED,
	MR_DNSBL_LATE, /* an outage, or no answer in time: as if not listed */

	/* From here on the list is broken for us, whatever it says. */
	MR_DNSBL_REFUSES,   /* an answer in 127.255.255.0/24: it does not serve our resolver */
	MR_DNSBL_NO_LIST,   /* an answer outside 127.0.0.0/8: this is no list, or not its answer */
	MR_DNSBL_LISTS_ALL, /* it lists 127.0.0.1, or the name "invalid" (RFC 5782 section 5) */
	MR_DNSBL_LISTS_NOBODY /* it does not list 127.0.0.2, or the name "test" */
};

/* "clear", "listed", ... */
const char *mr_dnsbl_word(enum mr_dnsbl_said said);

struct mr_dnsbl_finding {
	enum mr_dnsbl_said said;
	struct mr_str about; /* LISTED by name: the name; else p is NULL */
	struct mr_str
	    asked; /* the question that decided, also that for the list's TXT; in the arena */
	const struct mr_dns_answer *answer; /* to it; NULL: none */
};

/* Asks `site` about the address of the subject, or with `of_names` about its names.  A list that says
 * "listed" is tested before that counts, and with `wants_test` any: does it list what RFC 5782 says that
 * it must, and not what it must not?  True: *f is final.  False: more was asked; call again after the next
 * run.  Two runs at most. */
bool mr_dnsbl_check(struct mr_dnsbl_finding *f, const struct mr_dnsbl_site *site, bool of_names,
    const struct mr_dnsbl_subject *subject, bool wants_test, struct mr_dns *dns,
    struct mr_arena *arena);

#endif
