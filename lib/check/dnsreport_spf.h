/* dnsreport_spf.h - the SPF records of a domain as published, and as they should be.  For dnsreport_spf*.c
 * only. */
#ifndef MR_CHECK_DNSREPORT_SPF_H
#define MR_CHECK_DNSREPORT_SPF_H

#include "check/dnsreport_pass.h"
#include "check/spf_tree.h"

#define MR_DNSREPORT_SPF_SIZE_GOOD    450u /* octets (RFC 7208 3.4) */
#define MR_DNSREPORT_SPF_LOOKUPS_WARN 9u   /* of 10: one more include of somebody else breaks it */

/* The TXT records (and one of type 99) that are or were meant to be SPF records. */
struct mr_dnsreport_spf {
	const struct mr_dns_record *good, *like; /* the first of each */
	size_t good_n, like_n;
	const struct mr_dns_answer *type99;
	struct mr_str text; /* of `good` */
};

/* A network of more than 2^16 IPv4 or 2^96 IPv6 addresses. */
bool mr_dnsreport_spf_is_wide(const struct mr_spf_term *t);

/* The tree of a record of the domain.  False: it is not known yet. */
bool
mr_dnsreport_spf_tree(struct mr_dnsreport_pass *p, struct mr_spf_tree *tree, struct mr_str text);

/* What a sender gets by `record`; p NULL: by what is published.  False: it is not known yet. */
bool mr_dnsreport_spf_evaluate(struct mr_dnsreport_pass *p, const struct mr_dnsreport_sender *s,
    struct mr_str record, struct mr_spf *spf);

/* The text to publish; p NULL: nobody knows, or not yet. */
struct mr_str
mr_dnsreport_spf_draft(struct mr_dnsreport_pass *p, const struct mr_dnsreport_spf *spf);

/* Moves the networks of a text that is too long into records of their own below the domain, whose lines are
 * added to the fix.  False, and *text as it was: it is short, or cannot be split. */
bool mr_dnsreport_spf_split(struct mr_dnsreport_pass *p, struct mr_str *text);

#endif
