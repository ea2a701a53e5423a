/* wire.h - the bytes of a message between DATA's 354 and its final dot (RFC 5321 4.5.2). */
#ifndef MR_SMTP_WIRE_H
#define MR_SMTP_WIRE_H

#include "base/buf.h"

/* Where the stream stands; pieces may be cut anywhere. */
struct mr_wire {
	bool in_line;  /* not at the start of a line */
	bool after_cr; /* the last byte was a CR */
};

/* Appends `bytes` (lines end in CRLF) with a dot put before each line that begins with one.  False,
 * and part of it appended, at a CR or LF that stands alone: such a byte must never go out, for
 * servers differ in what they take for the end of a message. */
bool mr_wire_add(struct mr_wire *w, struct mr_str bytes, struct mr_buf *out);

/* Appends the end: CRLF if the last line has none, and ".CRLF".  False after a CR alone. */
bool mr_wire_end(struct mr_wire *w, struct mr_buf *out);

#endif
