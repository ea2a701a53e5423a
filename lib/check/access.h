/* access.h - who may send: an access table's word on a client and a sender (DESIGN.md section 4). */
#ifndef MR_CHECK_ACCESS_H
#define MR_CHECK_ACCESS_H

#include "table/table.h"

enum mr_access_verdict { MR_ACCESS_NONE, MR_ACCESS_PERMIT, MR_ACCESS_FORBID };

enum mr_access_by {
	MR_ACCESS_BY_NOTHING,
	MR_ACCESS_BY_IP,
	MR_ACCESS_BY_MAILBOX,
	MR_ACCESS_BY_DOMAIN
};

struct mr_access_query {
	const struct mr_ip *ip;    /* the client's, or NULL: no opinion by address */
	struct mr_str client_name; /* for rules of tcprules only; empty or p NULL: none */
	struct mr_str sender;      /* reverse-path without <>; empty or p NULL: none */
	bool sender_is_proven;     /* false: permits by mailbox and domain do not count */
};

struct mr_access {
	enum mr_access_verdict verdict;
	enum mr_access_by by;  /* by the client's address or name, or by a part of the sender */
	struct mr_str key;     /* the entry that decided */
	struct mr_str comment; /* its words */
	bool is_both;          /* it is permitted and forbidden, thus permitted */
	struct mr_str
	    unproven; /* the sender's permit that did not count, if none decided; p may be NULL */
};

/* Judges in the order: address forbidden; mailbox forbidden; mailbox permitted; domain forbidden;
 * address or domain permitted; else none.  A sender that is no local@domain is tried once more with
 * its local part in quotes (Postfix leaves quotes out); if it still is none, it has neither mailbox
 * nor domain.  A table of tcprules judges the client only: "deny" forbids, RELAYCLIENT permits.
 * Views in `a` live in the table and the arena.  MR_OK; MR_TEMP: damaged table, or no memory. */
enum mr_status mr_access_judge(const struct mr_table *table, const struct mr_access_query *query,
    struct mr_arena *arena, struct mr_access *a, struct mr_err *err);

/* True if the table permits every client of a family, so that it must not make anybody trusted:
 * 0.0.0.0/0 or ::/0, and in a table of tcprules also "" and "="; *key is that entry. */
enum mr_status
mr_access_trusts_all(const struct mr_table *table, bool *trusts_all, struct mr_str *key);

#endif
