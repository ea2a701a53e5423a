/* dkim_canon.h - the canonical form of a message's header fields and body (RFC 6376 section 3.4): what is
 * hashed and signed.  Input is in wire form (CRLF), as mail/message.h gives it. */
#ifndef MR_CHECK_DKIM_CANON_H
#define MR_CHECK_DKIM_CANON_H

#include "base/buf.h"
#include "base/crypto.h"

enum mr_dkim_canon { MR_DKIM_SIMPLE, MR_DKIM_RELAXED };

/* "simple", "relaxed". */
const char *mr_dkim_canon_word(enum mr_dkim_canon canon);

/* Appends the canonical form of a whole field (name, ':' and value, folded, without its last CRLF), without
 * a CRLF behind it (3.4.1, 3.4.2). */
void mr_dkim_canon_field(struct mr_buf *out, enum mr_dkim_canon canon, struct mr_str field);

/* The hash of a body's canonical form (3.4.3, 3.4.4), or of its first `octets` (l=, 3.5): one pass, in constant
 * memory. */
#define MR_DKIM_WHOLE_BODY UINT64_MAX
struct mr_dkim_body;
enum mr_status mr_dkim_body_new(
    struct mr_dkim_body **body, enum mr_dkim_canon canon, uint64_t octets, struct mr_err *err);
void mr_dkim_body_free(struct mr_dkim_body *body); /* NULL is fine */

/* The next piece; a CR and the LF behind it come in one. */
enum mr_status mr_dkim_body_add(struct mr_dkim_body *body, struct mr_str piece, struct mr_err *err);

/* The hash, of MR_SHA256_N bytes.  A last line without CRLF gets one. */
enum mr_status mr_dkim_body_end(struct mr_dkim_body *body, uint8_t *out, struct mr_err *err);

/* Octets of the whole canonical form; after the end. */
uint64_t mr_dkim_body_length(const struct mr_dkim_body *body);

#endif
