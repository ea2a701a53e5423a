/* body.h - what follows DATA, as the client sends it (RFC 5321 sections 4.1.1.4 and 4.5.2).
 *
 * Only CRLF.CRLF ends it.  Dots are undone, and header fields are looked at as they pass: Received
 * fields are counted, Authentication-Results fields under our name are dropped (RFC 8601 section 5).
 * The parser takes whole lines from a window, or pieces of a line longer than the window; it keeps
 * nothing but the beginning of one Authentication-Results field. */
#ifndef MR_SMTP_BODY_H
#define MR_SMTP_BODY_H

#include "base/buf.h"
#include "base/err.h"

#define MR_BODY_HOLD_MAX 16384u /* bytes of an Authentication-Results field that are looked at */

struct mr_body {
	const char *authserv_id; /* our name; the caller's */
	enum mr_status (*put)(void *ctx, struct mr_str bytes);
	void *ctx;

	/* What has been seen. */
	uint64_t len;  /* bytes given to put */
	unsigned hops; /* Received fields */
	bool has_bare; /* a CR or LF that is not part of a CRLF: to be refused */
	bool has_8bit;
	enum mr_status
	    put_failed; /* the first status of put other than MR_OK; put is not called again */

	/* Inside. */
	bool is_in_line, is_in_body, is_dropping;
	struct mr_buf held;
};

void mr_body_init(struct mr_body *b, const char *authserv_id,
    enum mr_status (*put)(void *ctx, struct mr_str bytes), void *ctx);
void mr_body_free(struct mr_body *b);

/* Takes as much of `window` as can be judged; *used is what was taken.  `is_full`: the window cannot
 * grow, so that a piece of a line must be taken.  True when the final dot was taken: what is behind it
 * is the next command. */
bool mr_body_feed(struct mr_body *b, struct mr_str window, bool is_full, size_t *used);

#endif
