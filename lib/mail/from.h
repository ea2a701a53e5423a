/* from.h - the author domains of a message: those of all addresses in its From fields. */
#ifndef MR_MAIL_FROM_H
#define MR_MAIL_FROM_H

#include "base/arena.h"
#include "base/err.h"

#define MR_FROM_FIELD_MAX  10u         /* From fields of a message */
#define MR_FROM_BYTES_MAX  (64u << 10) /* bytes of one of them */
#define MR_FROM_DOMAIN_MAX 10u         /* different domains of a message */

/* In the order of their first address, each once: A-labels in lower case, no final dot. */
struct mr_from {
	struct mr_str domain[MR_FROM_DOMAIN_MAX];
	size_t n;
};

/* Adds the domains of one field's value: a list of mailboxes and groups (RFC 5322 3.4, RFC 6854), with
 * comments, folding and the blanks of section 4.4.  What stands in front of a <address> and has an unquoted
 * '@' must be an address itself, and counts: some readers show it.
 * MR_PERM with a reason: an address that is none, or has no domain name (a literal), or one that has no
 * A-labels; more than MR_FROM_DOMAIN_MAX.  MR_TEMP.  A value without any address adds nothing. */
enum mr_status
mr_from_add(struct mr_from *from, struct mr_arena *arena, struct mr_str value, struct mr_err *err);

/* All From fields of the message that `fd` gives.  Statuses as above; MR_PERM also for no From field, for
 * none with an address, and for more than one of the limits.  Domains that stand in front of what is wrong
 * in a field are there with MR_PERM, too. */
enum mr_status
mr_from_read(struct mr_from *from, struct mr_arena *arena, int fd, struct mr_err *err);

#endif
