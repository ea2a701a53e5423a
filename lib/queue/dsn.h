/* dsn.h - bounces: delivery status notifications (RFC 3464, in the form of RFC 6522). */
#ifndef MR_QUEUE_DSN_H
#define MR_QUEUE_DSN_H

#include "queue/record.h"

#define MR_DSN_HEADER_MAX \
	(64u << 10) /* bytes of the original's header block that go with a bounce */

/* True if this recipient's failure is to be told: dsn_notify is not there or holds FAILURE (RFC 3461
 * section 4.1). */
bool mr_dsn_is_wanted(const struct mr_spool_file *file, size_t rcpt);

/* Builds the bounce of `failed` (their .rcpt are indexes of file->env.rcpt) and commits it to the
 * spool, to the message's sender from the null sender.  `fd`: the message's file; `id`: its queue id;
 * `host`: our name.  dsn_id: the bounce's queue id.  MR_TEMP: not stored. */
enum mr_status mr_dsn_send(struct mr_spool *spool, const char *host,
    const struct mr_spool_file *file, int fd, const char *id, const struct mr_event *failed,
    size_t failed_n, char dsn_id[MR_ID_MAX], struct mr_err *err);

#endif
