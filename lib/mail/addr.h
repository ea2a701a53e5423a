/* addr.h - the one place that parses a mail address (RFC 5321 section 4.1.2). */
#ifndef MR_MAIL_ADDR_H
#define MR_MAIL_ADDR_H

#include "base/arena.h"
#include "base/err.h"
#include "base/ip.h"

#define MR_ADDR_MAX   254u /* octets of local@domain: a path of 256 (4.5.3.1.3) less its brackets */
#define MR_DOMAIN_MAX 255u /* octets (4.5.3.1.2) */

/* All views live in the arena given to the parser. */
struct mr_addr {
	bool is_null;         /* the null reverse-path <> */
	bool is_postmaster;   /* <postmaster> without a domain (4.1.1.3) */
	bool is_literal;      /* domain is an address literal like [192.0.2.1] */
	bool has_utf8;        /* needs SMTPUTF8 (RFC 6531) */
	struct mr_str text;   /* canonical local@domain: no needless quotes, domain in lower case */
	struct mr_str local;  /* as in text: quoted if it must be */
	struct mr_str domain; /* lower case; empty for null and bare postmaster */
};

/* Reads "local@domain".  MR_PERM with a reason for anything that is not one: wrong syntax, NUL, CR,
 * LF, other control characters, UTF-8 that is malformed, too long. */
enum mr_status
mr_addr_parse(struct mr_addr *a, struct mr_arena *arena, struct mr_str text, struct mr_err *err);

/* The same for those who leave quotes out (Postfix's policy protocol, qmail's envelope): what is no
 * address is read once more with its local part in quotes. */
enum mr_status mr_addr_parse_unquoted(
    struct mr_addr *a, struct mr_arena *arena, struct mr_str text, struct mr_err *err);

/* Reads "<...>" at the start of *rest and moves *rest behind it.  A source route is accepted and
 * dropped (4.1.1.3, appendix C).  <> and <postmaster> are accepted here only; the caller judges
 * where they may stand. */
enum mr_status mr_addr_parse_path(
    struct mr_addr *a, struct mr_arena *arena, struct mr_str *rest, struct mr_err *err);

/* True if `s` is a domain of LDH labels (or UTF-8 in U-labels), without a final dot.  A single
 * label is a domain, too. */
bool mr_domain_is_valid(struct mr_str s);

/* True if `name` is `domain` or below it. */
bool mr_domain_is_below(struct mr_str name, struct mr_str domain);

/* True if `s` is an address literal: [192.0.2.1], [IPv6:2001:db8::1] (4.1.3); *ip is its address. */
bool mr_domain_literal(struct mr_ip *ip, struct mr_str s);
bool mr_domain_is_literal(struct mr_str s);

/* A copy of `s` with ASCII letters in lower case; p is NULL when there is no memory. */
struct mr_str mr_arena_lower(struct mr_arena *arena, struct mr_str s);

#endif
