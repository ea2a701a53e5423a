/* dkim_publish.h - the record that a key needs in the DNS, and whether it is there. */
#ifndef MR_CHECK_DKIM_PUBLISH_H
#define MR_CHECK_DKIM_PUBLISH_H

#include "check/dkim_record.h"
#include "dns/dns.h"

#define MR_DKIM_TTL_S       3600u /* of the zone line */
#define MR_DNS_STRING_MAX   255u  /* octets of one string of a TXT record (RFC 1035 3.3.14) */
#define MR_DKIM_PUBLISH_MAX 65536u

/* Appends the record's text: "v=DKIM1; k=rsa; p=...". */
enum mr_status
mr_dkim_publish_text(struct mr_buf *out, const struct mr_pkey *key, struct mr_err *err);

/* Appends `text` in quotes, split into strings of at most MR_DNS_STRING_MAX octets. */
void mr_dkim_publish_strings(struct mr_buf *out, struct mr_str text);

/* Appends the line of a zone file, with its LF. */
enum mr_status mr_dkim_publish_zone(
    struct mr_buf *out, struct mr_str owner, const struct mr_pkey *key, struct mr_err *err);

/* Asks for the record and compares it with the key: appends a line "OWNER: what is wrong" for each thing,
 * or one that says that it fits.  MR_OK: it fits; MR_PERM: it does not; MR_TEMP: the DNS does not say, the
 * reason is in err. */
enum mr_status mr_dkim_publish_check(struct mr_buf *out, struct mr_str owner,
    const struct mr_pkey *key, struct mr_dns *dns, int64_t deadline_ms, struct mr_err *err);

#endif
