/* dsn.h - bounces: delivery status notifications (RFC 3464 in the form of RFC 6522). */
#ifndef MR_QUEUE_DSN_H
#define MR_QUEUE_DSN_H

#include "queue/record.h"

#define MR_DSN_HEADER_MAX (64u << 10) /* bytes of the original's header that are returned */

struct mr_dsn {
	struct mr_str host; /* our name: Reporting-MTA, and MAILER-DAEMON's domain */
	int64_t now_s, arrived_s;
	int fd; /* the original, and what was read of it */
	const struct mr_spool_file *file;
	const struct mr_event *failed; /* all of one message's failures at this moment */
	size_t failed_n;
	bool is_expired; /* given up after time_s of trying, not refused */
};

/* True if this recipient's failure is to be reported: the sender is not null, and dsn_notify is not
 * there or holds FAILURE (RFC 3461 section 4.1). */
bool mr_dsn_is_wanted(const struct mr_spool_file *file, size_t rcpt);

/* Puts the bounce into the spool, from the null reverse-path to the original's sender; failures that
 * nobody wants reported are left out.  `id`: given to it.  MR_OK: it is safe; MR_NOTFOUND: none was
 * wanted; MR_TEMP: try later. */
enum mr_status mr_dsn_commit(
    struct mr_spool *spool, const struct mr_dsn *dsn, char id[MR_ID_MAX], struct mr_err *err);

#endif
