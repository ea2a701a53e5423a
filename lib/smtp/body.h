/* body.h - what follows DATA, as the client sends it (RFC 5321 sections 4.1.1.4 and 4.5.2).
 *
 * Only CRLF.CRLF ends it.  Dots are undone, and the lines go through an intake.  The parser takes whole
 * lines from a window, or pieces of a line longer than the window. */
#ifndef MR_SMTP_BODY_H
#define MR_SMTP_BODY_H

#include "mail/intake.h"

struct mr_body {
	struct mr_intake intake; /* what has been seen, and where the bytes go */
	bool has_bare;           /* a CR or LF that is not part of a CRLF: to be refused */

	/* Inside. */
	bool is_in_line;
};

void mr_body_init(struct mr_body *b, const char *authserv_id,
    enum mr_status (*put)(void *ctx, struct mr_str bytes), void *ctx);
void mr_body_free(struct mr_body *b);

/* Takes as much of `window` as can be judged; *used is what was taken.  `is_full`: the window cannot
 * grow, so that a piece of a line must be taken.  True when the final dot was taken: what is behind it
 * is the next command. */
bool mr_body_feed(struct mr_body *b, struct mr_str window, bool is_full, size_t *used);

#endif
