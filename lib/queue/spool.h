/* spool.h - messages on disk: one immutable file each, complete when it has a name; mr-queue(5). */
#ifndef MR_QUEUE_SPOOL_H
#define MR_QUEUE_SPOOL_H

#include "base/io.h"
#include "mail/envelope.h"

#define MR_ID_MAX 32 /* bytes of a queue id with its NUL; [0-9a-z.] only */

/* A spool: DIR/incoming (new), DIR/deferred (tried, with ID.log), and the scheduler's DIR/lock,
 * DIR/control, DIR/wake. */
struct mr_spool {
	const char *path; /* the caller's */
	int dir_fd, incoming_fd, deferred_fd;
};

/* Opens the spool, making its folders where they are missing (not DIR itself).  MR_TEMP. */
enum mr_status mr_spool_open(struct mr_spool *spool, const char *path, struct mr_err *err);
void mr_spool_close(struct mr_spool *spool);

/* A new id: it sorts by time and is never given twice. */
void mr_spool_new_id(char id[MR_ID_MAX]);
bool mr_spool_is_id(struct mr_str s);

/* When the id was given: seconds since 1970 (0 for what is no id). */
int64_t mr_spool_id_time_s(struct mr_str id);

/* Calls fn for each message id in a folder of the spool.  id_of: what the id of a file name is (p NULL:
 * it has none), like mr_record_id; NULL: names that are ids themselves. */
enum mr_status mr_spool_each(int folder_fd, struct mr_str (*id_of)(struct mr_str name),
    void (*fn)(void *ctx, struct mr_str id), void *ctx, struct mr_err *err);

#define MR_SPOOL_DEFAULT "/var/spool/mr" /* without -Q and MR_SPOOL */

/* A message that is being written: an unnamed file.  Bytes are appended in wire form (CRLF, dots
 * undone) through a buffer. */
struct mr_spool_msg {
	int fd;       /* O_RDWR; what was flushed can be read from offset 0 */
	uint64_t len; /* bytes of the message so far */
	uint32_t crc;
	struct mr_buf buf; /* not written yet */
	bool has_8bit;     /* set by _copy_in: 8-bit bytes are in it, ... */
	unsigned hops;     /* ... and so many Received fields */
};

enum mr_status mr_spool_begin(struct mr_spool *spool, struct mr_spool_msg *msg, struct mr_err *err);
enum mr_status mr_spool_append(struct mr_spool_msg *msg, struct mr_str bytes, struct mr_err *err);

/* Appends the message that `fd` gives to its end, lines ended by LF or CRLF, in wire form; a missing
 * last line end is added.  authserv_id: Authentication-Results fields under this name are dropped; NULL
 * for none.  MR_PERM: a bare CR, or more than `max` bytes; MR_TEMP: I/O. */
enum mr_status mr_spool_copy_in(
    struct mr_spool_msg *msg, int fd, uint64_t max, const char *authserv_id, struct mr_err *err);

/* Writes out the buffer, so that a reader of fd sees all. */
enum mr_status mr_spool_flush(struct mr_spool_msg *msg, struct mr_err *err);

/* Writes front header fields (whole fields, CRLF), record and trailer, syncs, links as
 * incoming/id, syncs the folder, wakes the scheduler.  MR_OK: the message is safe and ours.  After
 * any status the message is closed (as by _abort). */
enum mr_status mr_spool_commit(struct mr_spool *spool, struct mr_spool_msg *msg, const char *id,
    struct mr_str front, const struct mr_env *env, struct mr_err *err);

/* Forgets an uncommitted message; harmless after _commit. */
void mr_spool_abort(struct mr_spool_msg *msg);

#define MR_SPOOL_FRONT_MAX (1u << 20) /* bytes of the front header fields of one message */

/* Opens a message of incoming/ or deferred/ for reading: a regular file, never through a symbolic
 * link.  MR_NOTFOUND: there is none; MR_PERM: it is no regular file. */
enum mr_status mr_spool_open_file(int folder_fd, const char *id, int *fd, struct mr_err *err);

/* A message file that was read: its layout and record. */
struct mr_spool_file {
	uint64_t message_len, front_off, front_len, record_len;
	uint32_t message_crc;
	struct mr_env env; /* in the arena given, of at least MR_SPOOL_ARENA_MAX bytes */
};

#define MR_SPOOL_ARENA_MAX (32u << 20) /* bytes that the largest record takes when parsed */

/* Reads trailer and record (not the message) of an open file.  MR_PERM: damaged, with the reason. */
enum mr_status
mr_spool_read(int fd, struct mr_spool_file *file, struct mr_arena *arena, struct mr_err *err);

/* Reads the message, too, and compares its checksum. */
enum mr_status mr_spool_verify(int fd, const struct mr_spool_file *file, struct mr_err *err);

#endif
