/* ask.h - what an operator does to queued messages: through the scheduler, or in its place. */
#ifndef MR_QUEUE_ASK_H
#define MR_QUEUE_ASK_H

#include "queue/spool.h"

enum mr_ask {
	MR_ASK_RETRY, /* due now */
	MR_ASK_DELETE /* removed without a bounce */
};

#define MR_ASK_MAX \
	64u /* bytes of a request or an answer: "retry ID", "delete all"; "ok 3", "none" */

/* The verb of a request. */
const char *mr_ask_word(enum mr_ask ask);

/* Does it to the message `id`, or to all if `id` is NULL; *n: how many.  MR_NOTFOUND: no such
 * message; MR_TEMP: the scheduler does not answer, or I/O. */
enum mr_status mr_ask(
    const struct mr_spool *spool, enum mr_ask ask, const char *id, size_t *n, struct mr_err *err);

/* Calls `take` for the id of each message in both folders, in no order, until it does not return
 * MR_OK. */
enum mr_status mr_ask_each(const struct mr_spool *spool,
    enum mr_status (*take)(void *state, const char *id, bool is_deferred, struct mr_err *err),
    void *state, struct mr_err *err);

#endif
