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
void mr_dns_fixture_close(struct mr_dns_fixture *fixture); /* NULL is fine */

void mr_dns_fixture_answer(const struct mr_dns_fixture *fixture, struct mr_dns_question **q,
    size_t n, struct mr_arena *arena);

#endif
