/* view.h - queued messages for people and programs: read from the files, written to a buffer. */
#ifndef MR_QUEUE_VIEW_H
#define MR_QUEUE_VIEW_H

#include "base/log.h"
#include "queue/record.h"

struct mr_view {
	const struct mr_spool *spool;
	bool is_json;
	bool has_colour;
	int64_t now_s;
};

/* One message that was read; texts live in its arena. */
struct mr_viewed {
	struct mr_arena arena;
	const char *id; /* the caller's */
	int fd;
	bool is_deferred;
	struct mr_spool_file file;
	struct mr_record record;
};

/* Reads the message `id`, wherever it is.  MR_NOTFOUND: nowhere; MR_PERM: damaged.  Whatever the
 * status, _close is to be called. */
enum mr_status
mr_view_open(const struct mr_spool *spool, struct mr_viewed *m, const char *id, struct mr_err *err);
void mr_view_close(struct mr_viewed *m);

/* The heading of a list; nothing for programs. */
void mr_view_heading(const struct mr_view *view, struct mr_buf *out);

/* A message of a list: a few lines, or a JSON object on one line. */
void mr_view_message(const struct mr_view *view, const struct mr_viewed *m, struct mr_buf *out);

/* All of it but the body: record, events, header, safe for a terminal.  MR_TEMP: I/O. */
enum mr_status mr_view_show(
    const struct mr_view *view, const struct mr_viewed *m, struct mr_buf *out, struct mr_err *err);

#endif
