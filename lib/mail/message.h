/* message.h - a message in a file, in wire form: its header fields one by one, then its body.  Every line
 * end is CRLF, whatever the file has (RFC 6376 5.3), and the last line has one, too. */
#ifndef MR_MAIL_MESSAGE_H
#define MR_MAIL_MESSAGE_H

#include "base/io.h"

struct mr_message {
	/* What has been seen so far. */
	bool has_lone_cr;   /* a CR that no LF follows: it is left as it is */
	bool has_bad_line;  /* a line of the header that is no field; it ends at its line end */
	bool has_from_line; /* the first line was that of a mailbox, "From ...", and passed over */

	/* Inside. */
	struct mr_reader in;
	struct mr_buf field;
	bool is_begun, is_body, is_line_open;
};

struct mr_message_field {
	struct mr_str name; /* as written, without blanks behind it; p NULL: the line is no field */
	struct mr_str text; /* the whole of it, folded as it was, without the last CRLF */
	bool is_cut;        /* longer than field_max: text is its beginning */
};

/* Begins at the present offset of `fd`.  `field_max`: octets of a field that are kept; the memory is the
 * message's until _close. */
enum mr_status mr_message_open(struct mr_message *m, int fd, size_t field_max, struct mr_err *err);
void mr_message_close(struct mr_message *m);

/* The next field, valid until the next call.  MR_NOTFOUND: the header is over.  MR_TEMP.  A first line that
 * begins with "From " is a mailbox's, and passed over. */
enum mr_status
mr_message_next(struct mr_message *m, struct mr_message_field *field, struct mr_err *err);

/* The next piece of the body, valid until the next call; what is left of the header is passed over.
 * MR_NOTFOUND: that was all.  MR_TEMP. */
enum mr_status mr_message_body(struct mr_message *m, struct mr_str *piece, struct mr_err *err);

#endif
