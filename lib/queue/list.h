/* list.h - the queue for people and programs, read from the files alone. */
#ifndef MR_QUEUE_LIST_H
#define MR_QUEUE_LIST_H

#include "queue/record.h"

/* Writes to out_fd one entry a message, oldest first, and a line with the sum; is_json: one JSON object
 * a line and no sum.  Files that come and go meanwhile are no fault. */
enum mr_status
mr_queue_list(const struct mr_spool *spool, bool is_json, int out_fd, struct mr_err *err);

/* One message: its record, events, front fields and header.  MR_NOTFOUND: no such id. */
enum mr_status mr_queue_show(
    const struct mr_spool *spool, const char *id, bool is_json, int out_fd, struct mr_err *err);

/* Reads every message whole and compares its checksums; names on out_fd those that are damaged.
 * *bad: how many. */
enum mr_status mr_queue_check(
    const struct mr_spool *spool, int out_fd, uint64_t *n, uint64_t *bad, struct mr_err *err);

#endif
