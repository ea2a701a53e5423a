/* record.h - what was tried: deferred/ID.log, one line an event (kv.h); mr-queue(5).
 * Only the scheduler writes it.  Its time of modification is when the message is due next. */
#ifndef MR_QUEUE_RECORD_H
#define MR_QUEUE_RECORD_H

#include "mail/job.h"
#include "queue/spool.h"

/* One try of one recipient. */
struct mr_event {
	int64_t time_s; /* seconds since 1970 */
	size_t rcpt;    /* index in the message's record */
	struct mr_str addr;
	enum mr_outcome outcome;
	struct mr_str status, host, reply; /* as in struct mr_job_result */
};

/* Appends an event's line. */
void mr_event_write(const struct mr_event *event, struct mr_buf *lines);

/* Reads a line without its LF; words live in `arena`.  MR_PERM: it is none (a torn line). */
enum mr_status mr_event_parse(
    struct mr_event *event, struct mr_arena *arena, struct mr_str line, struct mr_err *err);

/* What the events say of one recipient. */
struct mr_rcpt_state {
	bool is_done; /* delivered or failed */
	unsigned tries;
	struct mr_event last;    /* if tries is not 0 */
	struct mr_str last_line; /* its text; private */
	size_t line_cap;
};

struct mr_record {
	struct mr_arena *arena;
	struct mr_rcpt_state *rcpt;
	size_t rcpt_n, undone_n;
	unsigned tries; /* the most of any recipient */
	int64_t last_s; /* time of the newest event, or 0 */
	int64_t next_s; /* when the message is due, or 0: there is no file */
};

/* A record without events for `rcpt_n` recipients; memory is `arena`'s.  MR_TEMP: no memory. */
enum mr_status
mr_record_init(struct mr_record *r, struct mr_arena *arena, size_t rcpt_n, struct mr_err *err);

/* Takes in lines; what is no event of one of the recipients, and a last line without LF, is
 * ignored.  MR_TEMP: no memory. */
enum mr_status mr_record_apply(struct mr_record *r, struct mr_str lines, struct mr_err *err);

/* Takes in the file of the message `id`, of any length.  MR_NOTFOUND: there is none. */
enum mr_status mr_record_read(
    struct mr_record *r, const struct mr_spool *spool, const char *id, struct mr_err *err);

/* Appends whole lines in one write, making the file if there is none; with `is_durable` they (and
 * the file's name) are on disk before this returns.  Sets when the message is due next. */
enum mr_status mr_record_append(const struct mr_spool *spool, const char *id, struct mr_str lines,
    bool is_durable, int64_t next_s, struct mr_err *err);

/* Sets when the message is due.  MR_NOTFOUND: no file. */
enum mr_status mr_record_set_next(
    const struct mr_spool *spool, const char *id, int64_t next_s, struct mr_err *err);

/* When the message is due, without reading.  MR_NOTFOUND: no file. */
enum mr_status mr_record_get_next(
    const struct mr_spool *spool, const char *id, int64_t *next_s, struct mr_err *err);

/* Removes the file; none is fine. */
enum mr_status mr_record_remove(const struct mr_spool *spool, const char *id, struct mr_err *err);

/* The id of a file name "ID.log"; p is NULL for any other name. */
struct mr_str mr_record_id(struct mr_str file_name);

#endif
