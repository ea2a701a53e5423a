/* alias.h - whom an address stands for, by a table of aliases. */
#ifndef MR_CHECK_ALIAS_H
#define MR_CHECK_ALIAS_H

#include "mail/addr.h"
#include "table/table.h"

#define MR_ALIAS_RCPT_MAX 1000u /* recipients that one address may stand for */
#define MR_ALIAS_NODE_MAX 4000u /* addresses looked at on the way */

struct mr_alias_conf {
	const struct mr_table *aliases; /* MR_TABLE_ALIAS */
	const struct mr_table *routes;  /* says which domains are ours; NULL: none */
	struct mr_str today;            /* "2026-12-31" */
	bool lowers_local;              /* recipients come out in lower case */
};

enum mr_alias_role {
	MR_ALIAS_GROUP,     /* stands for those below it */
	MR_ALIAS_RECIPIENT, /* gets the mail */
	MR_ALIAS_TWICE      /* stands here once more */
};

/* An address on the way, below the last one of a lower depth before it. */
struct mr_alias_node {
	struct mr_str addr;
	struct mr_str key, until; /* the entry: of a group; p NULL: none */
	unsigned depth;
	enum mr_alias_role role;
	bool keeps_mail; /* a recipient, for its own entry names it */
};

enum mr_alias_result { MR_ALIAS_OK, MR_ALIAS_CIRCLE, MR_ALIAS_TOO_MANY };

struct mr_alias_tree {
	struct mr_alias_node *node; /* [0] is the address itself */
	size_t n, cap, rcpt_n;
	enum mr_alias_result result;
	struct mr_str why; /* of a result other than MR_ALIAS_OK; the tree ends there */
};

/* Whom `addr` stands for, itself if nothing is said of it.  Each recipient is one once.  Views are in the
 * arena and the tables.  MR_PERM: no address.  MR_TEMP: damaged table, no memory. */
enum mr_status mr_alias_expand(struct mr_alias_tree *tree, const struct mr_alias_conf *conf,
    struct mr_arena *arena, struct mr_str addr, struct mr_err *err);

#endif
