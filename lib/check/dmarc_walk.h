/* dmarc_walk.h - where a domain's record is, and which domain is its organisational one. */
#ifndef MR_CHECK_DMARC_WALK_H
#define MR_CHECK_DMARC_WALK_H

#include "check/dmarc_record.h"
#include "dns/dns.h"
#include "dns/orgdomain.h"

/* What the DNS says of _dmarc.NAME. */
enum mr_dmarc_found {
	MR_DMARC_ASKED, /* no answer yet: it is in the batch */
	MR_DMARC_OUTAGE,
	MR_DMARC_NOTHING, /* no record, or a name that can have none */
	MR_DMARC_SEVERAL, /* which is none, too (RFC 7489 6.6.3 step 5, RFC 9989 4.10 step 2) */
	MR_DMARC_RECORD
};

struct mr_dmarc_place {
	enum mr_dmarc_found found;
	struct mr_str domain; /* without _dmarc. */
	struct mr_str text;   /* of the record */
};

/* All places are views of the domain asked about. */
struct mr_dmarc_way {
	bool is_asked;                /* an answer is missing, and nothing else counts */
	struct mr_dmarc_place policy; /* the record for this author, or why there is none */
	bool is_org_known;            /* false: an outage hides it */
	struct mr_str org;            /* the organisational domain */
};

/* `list` NULL: by the tree walk, all names at once. */
void mr_dmarc_find(struct mr_dmarc_way *way, struct mr_dns *dns, const struct mr_orgdomain *list,
    struct mr_str domain);

#endif
