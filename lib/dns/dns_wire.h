/* dns_wire.h - packets and presentation form (RFC 1035, 6891), by ldns.  For this room only. */
#ifndef MR_DNS_DNS_WIRE_H
#define MR_DNS_DNS_WIRE_H

#include "dns/dns.h"

#define MR_DNS_NAME_MAX  255u  /* bytes of a name in wire form (RFC 1035 2.3.4) */
#define MR_DNS_EDNS_SIZE 1232u /* bytes of an answer over UDP that we ask for */
#define MR_DNS_QUERY_MAX (12 + MR_DNS_NAME_MAX + 4 + 11)

/* The library, loaded: the first time takes milliseconds, later ones next to nothing.  MR_TEMP: it is not
 * there. */
struct mr_ldns;
enum mr_status mr_ldns_open(struct mr_ldns **ldns, struct mr_err *err);
void mr_ldns_close(struct mr_ldns *ldns); /* NULL is fine */

/* A name in wire form and lower case. */
struct mr_dns_name {
	uint8_t wire[MR_DNS_NAME_MAX];
	size_t n;
};

/* False if there is no such name: empty label or name, too long, or a byte that is not printable ASCII
 * ('\DDD' can stand for any). */
bool mr_dns_name_parse(const struct mr_ldns *ldns, struct mr_dns_name *name, struct mr_str text);

struct mr_dns_query {
	uint8_t wire[MR_DNS_QUERY_MAX];
	size_t n;
	size_t question_n; /* bytes of the question, which begins at 12 */
	bool has_edns;
};

/* A query with a random id and random case of the letters (draft-vixie-dnsext-dns0x20).  `name`: wire
 * form.  False if the system gives no random bytes. */
bool
mr_dns_query_make(struct mr_dns_query *q, struct mr_str name, enum mr_dns_type type, bool has_edns);

enum mr_dns_reading {
	MR_DNS_READ, /* *a is what the server says: also a failure, or what cannot be read */
	MR_DNS_READ_FOREIGN, /* not the answer to this query: as if it had not come */
	MR_DNS_READ_BY_TCP,  /* truncated, or the letters' case is not ours: to be asked over TCP */
	MR_DNS_READ_NO_EDNS  /* to be asked without EDNS (RFC 6891 7) */
};

/* Reads a packet of any bytes.  Records and names are in `arena`. */
enum mr_dns_reading
mr_dns_wire_read(const struct mr_ldns *ldns, struct mr_dns_answer *a, struct mr_arena *arena,
    const struct mr_dns_query *q, enum mr_dns_type type, bool is_tcp, struct mr_str packet);

/* A line "name [ttl] [class] TYPE data" of a zone file, names taken as absolute. */
struct mr_dns_line {
	struct mr_dns_name owner;
	unsigned type;
	struct mr_dns_record rec;
	struct mr_dns_name target; /* of a CNAME */
};

/* MR_PERM with a reason if it is none; MR_TEMP. */
enum mr_status mr_dns_line_parse(const struct mr_ldns *ldns, struct mr_dns_line *line,
    struct mr_arena *arena, struct mr_str text, struct mr_err *err);

/* Reads all records of a zone file's text: $ORIGIN, $TTL, relative names, parentheses; no $INCLUDE.  `take`
 * gets each, until it fails.  MR_PERM: a line is wrong, with its number; MR_TEMP; or what `take` says. */
enum mr_status mr_dns_zone_read(const struct mr_ldns *ldns, struct mr_str text, const char *origin,
    struct mr_arena *arena,
    enum mr_status (*take)(void *ctx, const struct mr_dns_line *line, struct mr_err *err),
    void *ctx, struct mr_err *err);

/* The name in presentation form without final dot; p is NULL when there is no memory. */
struct mr_str
mr_dns_name_text(const struct mr_ldns *ldns, struct mr_arena *arena, struct mr_str wire);

#endif
