/* intake.h - a message from outside, line by line, as it goes into the spool: Received fields are
 * counted, Authentication-Results fields under our name are dropped (RFC 8601 section 5), 8-bit bytes
 * are noticed.  Nothing is kept but the beginning of one Authentication-Results field. */
#ifndef MR_MAIL_INTAKE_H
#define MR_MAIL_INTAKE_H

#include "base/buf.h"
#include "base/err.h"

#define MR_INTAKE_HOLD_MAX 16384u /* bytes of an Authentication-Results field that are looked at */
#define MR_HOPS_MAX        50u    /* Received fields of a message: more is a loop (RFC 5321 6.3) */

struct mr_intake {
	const char *authserv_id; /* our name, the caller's; NULL: no field is dropped */
	enum mr_status (*put)(void *ctx, struct mr_str bytes);
	void *ctx;

	/* What has been seen. */
	uint64_t len;  /* bytes given to put */
	unsigned hops; /* Received fields */
	bool has_8bit;
	enum mr_status
	    put_failed; /* the first status of put other than MR_OK; put is not called again */

	/* Inside. */
	bool is_in_body, is_dropping;
	struct mr_buf held;
};

void mr_intake_init(struct mr_intake *in, const char *authserv_id,
    enum mr_status (*put)(void *ctx, struct mr_str bytes), void *ctx);
void mr_intake_free(struct mr_intake *in);

/* Takes a line with its CRLF, or a piece of one; is_start: the first piece of its line. */
void mr_intake_take(struct mr_intake *in, struct mr_str piece, bool is_start);

/* The message has ended: puts what is still held. */
void mr_intake_end(struct mr_intake *in);

#endif
