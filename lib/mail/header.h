/* header.h - header fields as they pass by: one pass, constant memory. */
#ifndef MR_MAIL_HEADER_H
#define MR_MAIL_HEADER_H

#include "base/buf.h"
#include "base/err.h"

/* True if `text` is a sequence of whole header fields (RFC 5322 2.2: names of printable ASCII,
 * folded lines begin with a blank), each line ended by LF or CRLF, no NUL, no lone CR.  "" is. */
bool mr_header_is_block(struct mr_str text, struct mr_err *err);

/* The name of the field that `line` starts (without ':' and blanks before it); p is NULL if the
 * line starts none. */
struct mr_str mr_header_name(struct mr_str line);

/* The authserv-id (RFC 8601 2.2) at the start of the unfolded value of an Authentication-Results
 * field: comments and folding skipped, quotes removed.  Written to `out`.
 * MR_OK; MR_NOTFOUND: the value ends before it is complete (more may follow, at least the line end
 * that ends an id); MR_PERM: there is none, or it does not fit into `out`. */
enum mr_status mr_header_authserv_id(struct mr_str value, struct mr_buf *out);

/* Turns LF into CRLF, appended to `out`; CRLF stays. */
void mr_header_to_crlf(struct mr_str text, struct mr_buf *out);

/* Takes comments (RFC 5322 3.2.2) and the bytes of `blanks` off the front; false if a comment does not end. */
bool mr_header_skip_cfws(struct mr_str *s, struct mr_str blanks);

#endif
