/* spf_tree.h - the whole tree of a domain's SPF record: what it costs, and what is wrong in it, whoever
 * sends (RFC 7208 section 4.6.4).  The terms are those that mr_spf_check() would read. */
#ifndef MR_CHECK_SPF_TREE_H
#define MR_CHECK_SPF_TREE_H

#include "check/spf.h"

#define MR_SPF_TREE_TERMS_MAX 200u /* terms that need lookups; the rest is not followed */
#define MR_SPF_TREE_DEPTH_MAX 20u  /* includes and redirects one below the other */

enum mr_spf_note_kind {
	MR_SPF_NOTE_VOID,      /* the lookup of `name` finds nothing */
	MR_SPF_NOTE_MANY_MX,   /* more than MR_SPF_MX_MAX hosts, `n` */
	MR_SPF_NOTE_LOOP,      /* leads back to `name` */
	MR_SPF_NOTE_NO_RECORD, /* `name` has `n` records, not one */
	MR_SPF_NOTE_WRONG,     /* the record of `name` is wrong: `why` */
	MR_SPF_NOTE_OUTAGE,    /* of the lookup of `name`: `why` */
	MR_SPF_NOTE_PTR        /* the mechanism ptr */
};

struct mr_spf_note {
	enum mr_spf_note_kind kind;
	struct mr_str domain; /* whose record has it */
	struct mr_str term;   /* the term */
	struct mr_str root;   /* the term of the first record that leads there, or `term` */
	struct mr_str name, why;
	size_t n;
};

/* All views live in the arena, in dns's memory, or in the query. */
struct mr_spf_tree {
	unsigned lookups_n; /* terms that need lookups */
	struct mr_spf_note *note;
	size_t n, cap;
	struct mr_str
	    last; /* the term that comes last if nothing matches before: "-all"; p NULL: none */
	struct mr_str last_domain; /* in whose record; redirects are followed */
	bool is_last_known;        /* a redirect's record can be read */
};

/* Walks the tree of query->record (which must be there, and parse), as of the query's sender and client.
 * What depends on the sender is counted, but not looked up.  MR_OK: *tree is whole; MR_NOTFOUND: answers
 * are missing and were added to the batch; MR_TEMP: no memory. */
enum mr_status mr_spf_tree_walk(struct mr_spf_tree *tree, const struct mr_spf_query *query,
    struct mr_dns *dns, struct mr_arena *arena, struct mr_err *err);

#endif
