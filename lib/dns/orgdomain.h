/* orgdomain.h - organisational domains by the Public Suffix List (RFC 7489 3.2). */
#ifndef MR_DNS_ORGDOMAIN_H
#define MR_DNS_ORGDOMAIN_H

#include "base/err.h"
#include "base/str.h"

struct mr_orgdomain;

/* Opens the machine's list, or the library's own if that is newer.  MR_TEMP if there is none. */
enum mr_status mr_orgdomain_open(struct mr_orgdomain **list, struct mr_err *err);
void mr_orgdomain_close(struct mr_orgdomain *list); /* NULL is fine */

/* The public suffix of `name` and one label more: "example.co.uk" of "mx.a.example.co.uk"; a suffix
 * nobody listed has one label.  A name that has no such parent (a public suffix), or is no domain name,
 * is its own.  IDN as A-labels; case does not count.  A view of the end of `name`, which has no final
 * dot. */
struct mr_str mr_orgdomain_of(const struct mr_orgdomain *list, struct mr_str name);

#endif
