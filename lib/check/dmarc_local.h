/* dmarc_local.h - what this host does with a message that DMARC has judged: actions, and a table of
 * exceptions. */
#ifndef MR_CHECK_DMARC_LOCAL_H
#define MR_CHECK_DMARC_LOCAL_H

#include "check/dmarc.h"
#include "table/table.h"

/* From the mildest on: of several authors the strictest counts. */
enum mr_dmarc_action {
	MR_DMARC_DO_ACCEPT,
	MR_DMARC_DO_QUARANTINE,
	MR_DMARC_DO_DEFER,
	MR_DMARC_DO_REJECT
};

/* "accept", "quarantine", "defer", "reject". */
const char *mr_dmarc_action_word(enum mr_dmarc_action action);

/* What is done with mail that fails under a policy, or cannot be judged. */
enum mr_dmarc_case {
	MR_DMARC_ON_REJECT,
	MR_DMARC_ON_QUARANTINE,
	MR_DMARC_ON_PERMERROR,
	MR_DMARC_ON_TEMPERROR,
	MR_DMARC_CASE_N
};

/* All zero: everything is accepted. */
struct mr_dmarc_local {
	enum mr_dmarc_action on[MR_DMARC_CASE_N];
};

/* Takes "reject=quarantine" and the like, CASE=ACTION.  MR_USAGE with the reason. */
enum mr_status
mr_dmarc_local_set(struct mr_dmarc_local *local, struct mr_str word, struct mr_err *err);

/* For mr_table_load: whether an entry has a meaning: words as above, for authors' domains; or forwarded,
 * trusted_forwarder, mailing_list and a comment, for who sends.  MR_USAGE: none.  `ctx` and `key` are not used. */
enum mr_status
mr_dmarc_local_check(void *ctx, struct mr_str key, struct mr_str value, struct mr_err *err);

struct mr_dmarc_verdict {
	enum mr_dmarc_policy policy; /* the author's, after pct and t */
	enum mr_dmarc_action action;
	const char
	    *reason; /* why the action is not that of the record: a type of RFC 7489 appendix C
	                       or RFC 9990; NULL: it is */
	struct mr_str comment; /* of the table's entry, which it is a view of; p NULL: none */
};

/* `query` is what `d` was found of; but for the author and `list`, what is known of the message.  `table`
 * may be NULL.  `client` is the client's address; `id` the message's here, by which it is among the pct or
 * not (empty: it is).  MR_TEMP: no memory, or the table is damaged. */
enum mr_status mr_dmarc_local_judge(struct mr_dmarc_verdict *v, const struct mr_dmarc_local *local,
    const struct mr_table *table, const struct mr_dmarc *d, const struct mr_dmarc_query *query,
    struct mr_str client, struct mr_str id, struct mr_arena *arena, struct mr_err *err);

#endif
