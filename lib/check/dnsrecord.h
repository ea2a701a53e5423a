/* dnsrecord.h - one record of mail by itself, for scripts: what it is, and whether it is of use. */
#ifndef MR_CHECK_DNSRECORD_H
#define MR_CHECK_DNSRECORD_H

#include "dns/dns.h"
#include "dns/orgdomain.h"

enum mr_dnsrecord_kind {
	MR_RECORD_A,    /* addresses, IPv4 first */
	MR_RECORD_MX,   /* "preference host", best first */
	MR_RECORD_PTR,  /* of an address: the name that leads back to it */
	MR_RECORD_SPF,  /* the one SPF record */
	MR_RECORD_DKIM, /* of SELECTOR._domainkey.DOMAIN: the key record */
	MR_RECORD_DMARC /* the record in force: the domain's, or its organisational domain's */
};

/* "a", "mx", "ptr", "spf", "dkim", "dmarc".  False: another word. */
bool mr_dnsrecord_kind(enum mr_dnsrecord_kind *kind, const char *word);

enum mr_dnsrecord_state {
	MR_RECORD_GOOD,
	MR_RECORD_BAD,    /* there is none, or it is of no use: `why`; lines are what there is */
	MR_RECORD_UNKNOWN /* an outage: `why` */
};

struct mr_dnsrecord {
	enum mr_dnsrecord_state state;
	struct mr_str *line;
	size_t n, cap;
	struct mr_str why;
};

/* `name`: a domain as A-labels, or for MR_RECORD_PTR an address.  MR_OK; MR_NOTFOUND: more was asked: run
 * and call again; MR_USAGE: the name is none for that kind; MR_TEMP: a fault of ours.  All lives in the
 * arena and in dns's memory. */
enum mr_status
mr_dnsrecord_look_up(struct mr_dnsrecord *record, enum mr_dnsrecord_kind kind, struct mr_str name,
    const struct mr_orgdomain *org, struct mr_dns *dns, struct mr_arena *arena, struct mr_err *err);

#endif
