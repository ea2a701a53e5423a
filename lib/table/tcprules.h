/* tcprules.h - rules for tcpserver, compiled by tcprules of ucspi-tcp (MR_TABLE_FOREIGN). */
#ifndef MR_TABLE_TCPRULES_H
#define MR_TABLE_TCPRULES_H

#include "table/table.h"

struct mr_tcprule {
	struct mr_str key; /* as in the table: "10.20.", "=.example.org", ""; lives in the arena */
	bool is_deny;
	bool is_relayclient; /* allowed, and sets RELAYCLIENT */
};

/* The first rule in tcpserver's order: the address, =name, prefixes of the address, =.suffixes of
 * the name, "=", "".  `ip` may be NULL; `name` is the client's name, empty or p NULL if it has none.
 * Rules with "user@" are never looked up.  MR_OK, MR_NOTFOUND, MR_TEMP: damaged or no memory. */
enum mr_status mr_tcprules_find(const struct mr_table *table, struct mr_arena *arena,
    const struct mr_ip *ip, struct mr_str name, struct mr_tcprule *rule);

/* The rule under exactly this key; statuses as above. */
enum mr_status
mr_tcprules_get(const struct mr_table *table, struct mr_str key, struct mr_tcprule *rule);

#endif
