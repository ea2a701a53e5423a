/* reply.h - replies of an SMTP server as a client sees them (RFC 5321 section 4.2). */
#ifndef MR_SMTP_REPLY_H
#define MR_SMTP_REPLY_H

#include "base/io.h"

/* RFC 5321 4.5.3.1.5 says 512 octets; many a server explains its refusals at greater length. */
#define MR_REPLY_LINE_MAX  2048u /* bytes of one line with its end */
#define MR_REPLY_LINES_MAX 100u  /* lines of one reply */
#define MR_REPLY_TEXT_MAX  1000u /* bytes of the text that is kept; the rest is read and dropped */
#define MR_REPLY_STATUS    12u   /* "5.999.999" and a NUL */

struct mr_reply {
	unsigned code;                /* 200..599; 0: no line yet */
	unsigned line_n;              /* lines so far */
	char status[MR_REPLY_STATUS]; /* enhanced code (RFC 3463) of the first line that has one
	                                 of the code's class (RFC 2034), else "" */
	size_t text_n;
	char text[MR_REPLY_TEXT_MAX]; /* "550 5.1.1 No such user": both codes once, then the words
	                                 of all lines, printable ASCII ('?' for the rest) */
};

/* Takes one line, without its LF; `*words` (may be NULL) is what stands behind its code, as it came:
 * an EHLO keyword.  The first call for a reply needs reply->code 0.  MR_OK: that was the last line;
 * MR_NOTFOUND: more lines follow; MR_PERM: not a reply, or lines of one reply that differ in code,
 * or too many. */
enum mr_status
mr_reply_add(struct mr_reply *reply, struct mr_str line, struct mr_str *words, struct mr_err *err);

/* Reads a whole reply; `each` (may be NULL) is called with the words of each line.  MR_PERM as
 * above, also for a line that is too long; MR_NOTFOUND: the connection was closed; MR_TEMP: the
 * deadline has passed, or a read failed. */
enum mr_status mr_reply_read(struct mr_reply *reply, struct mr_reader *r, int64_t deadline_ms,
    void (*each)(void *ctx, unsigned line, struct mr_str words), void *ctx, struct mr_err *err);

/* The first digit of the code: 2, 3, 4, 5. */
unsigned mr_reply_class(const struct mr_reply *reply);

struct mr_str mr_reply_text(const struct mr_reply *reply);

#endif
