/* dns_fixture.h - answers from a file, for tests.  For this room only.
 *
 * A line is a record as in a zone file, with whole names ("a.example MX 10 b.example"), or a fault:
 * "NAME ! WORD [TYPE]" with one of nxdomain, servfail, refused, timeout, broken, for questions of one
 * type or all.  '#' or ';' begins a comment line.  A name exists if it or a name below it has a line
 * (RFC 8020); CNAMEs are followed, so faults behind them count. */
#ifndef MR_DNS_DNS_FIXTURE_H
#define MR_DNS_DNS_FIXTURE_H

#include "dns/dns_ask.h"

#define MR_DNS_FIXTURE_MAX (1u << 20) /* bytes of the file */

struct mr_dns_fixture;

/* `ldns` must live as long.  MR_USAGE with file and line; MR_TEMP. */
enum mr_status mr_dns_fixture_open(struct mr_dns_fixture **fixture, const struct mr_ldns *ldns,
    const char *path, struct mr_err *err);

/* The same out of a zone file, for the names of that zone: RFC 1034 4.3.2 with wildcards (RFC 4592) and
 * delegations.  `origin`: of relative names, and the apex if there is no SOA. */
enum mr_status mr_dns_fixture_open_zone(struct mr_dns_fixture **fixture, const struct mr_ldns *ldns,
    const char *path, const char *origin, struct mr_err *err);
void mr_dns_fixture_close(struct mr_dns_fixture *fixture); /* NULL is fine */

void mr_dns_fixture_answer(const struct mr_dns_fixture *fixture, struct mr_dns_question **q,
    size_t n, struct mr_arena *arena);

/* Of a zone: answers the question, or sets *elsewhere to the name (wire form) that others are to be asked
 * for: the question's own, or where its aliases lead, over *links of them. */
bool mr_dns_fixture_answer_zone(const struct mr_dns_fixture *fixture, struct mr_dns_question *q,
    struct mr_str *elsewhere, unsigned *links, struct mr_arena *arena);

#endif
