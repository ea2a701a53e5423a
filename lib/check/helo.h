/* helo.h - what is wrong with the name that a client gives itself in HELO or EHLO (RFC 5321 4.1.1.1). */
#ifndef MR_CHECK_HELO_H
#define MR_CHECK_HELO_H

#include "dns/dns.h"

/* In the order in which they are looked for; none is looked for before what has a lower level. */
enum mr_helo_fault {
	MR_HELO_OK,
	MR_HELO_MALFORMED,     /* bytes that neither a name nor an address has, or too long */
	MR_HELO_OURS,          /* our own name or address, and the client is not us */
	MR_HELO_NO_NAME,       /* neither a domain of two labels or more nor an address literal */
	MR_HELO_OTHER_ADDRESS, /* an address literal, and not that of the client */
	MR_HELO_UNKNOWN,       /* the name has neither A, AAAA nor MX record */
	MR_HELO_NO_REVERSE,    /* the client has no name that has its address (RFC 8601 2.7.3) */
	MR_HELO_OUTAGE         /* the DNS does not tell whether it is one of the last two */
};

/* RFC 5321 4.1.4: that a name and an address do not belong together must not refuse a message.  So
 * level 0 holds what is a lie or no name at all, and who wants more says how much. */
#define MR_HELO_LEVEL_MAX 3u

/* The level from which on a fault is looked for, and its word ("ok", "malformed", ...). */
unsigned mr_helo_level(enum mr_helo_fault fault);
const char *mr_helo_word(enum mr_helo_fault fault);

struct mr_helo_query {
	struct mr_str helo;
	const struct mr_ip *ip;    /* the client's; NULL: what needs it is not looked for */
	struct mr_str client_name; /* its confirmed name, if that is known; else empty */
	const struct mr_str *own;  /* our names and addresses; empty ones do not count */
	size_t own_n;
	unsigned level;
};

/* The first fault up to the level, in *fault.  False: more was asked; call again after the next run.
 * Two runs at most, none below level 2.  Memory is needed for names beyond ASCII only. */
bool mr_helo_check(enum mr_helo_fault *fault, const struct mr_helo_query *q, struct mr_dns *dns,
    struct mr_arena *arena);

#endif
