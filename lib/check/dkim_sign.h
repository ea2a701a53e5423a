/* dkim_sign.h - DKIM signatures of a message (RFC 6376 section 5): several in one pass. */
#ifndef MR_CHECK_DKIM_SIGN_H
#define MR_CHECK_DKIM_SIGN_H

#include "base/arena.h"
#include "check/dkim_canon.h"
#include "mail/message.h"

#define MR_DKIM_SIGN_MAX        8u          /* signatures of one message */
#define MR_DKIM_SIGN_FIELD_MAX  (64u << 10) /* octets of a field that is signed */
#define MR_DKIM_SIGN_HEADER_MAX (1u << 20)  /* octets of all fields that are signed */
#define MR_DKIM_SIGN_REPEAT_MAX 10u         /* fields of one name that are signed */

/* How one signature is to be made. */
struct mr_dkim_signer {
	struct mr_str domain,
	    selector; /* d= and s=: A-labels in lower case, checked by mr_dkim_owner */
	struct mr_pkey *key;
	enum mr_dkim_canon header, body;
	uint64_t lifetime_s; /* x= behind t=; 0: no x= */
};

/* A message whose header has been read. */
struct mr_dkim_draft;

/* Reads the header of the message from the present offset of `fd`.  MR_PERM: it cannot be signed, with the
 * reason: no From field, or two; a field over a limit; a header line that is no field, or a lone CR, which
 * others read otherwise.  MR_TEMP.  The draft lives in `arena`, but must be ended. */
enum mr_status mr_dkim_draft_begin(
    struct mr_dkim_draft **draft, struct mr_arena *arena, int fd, struct mr_err *err);
void mr_dkim_draft_end(struct mr_dkim_draft *draft); /* NULL is fine */

/* The value of its From field. */
struct mr_str mr_dkim_draft_from(const struct mr_dkim_draft *draft);

/* Reads the body and makes `n` signatures, all or none: *fields gets whole DKIM-Signature fields with
 * CRLF, in order, in the arena.  Statuses as above; MR_PERM also for a lone CR in the body. */
enum mr_status mr_dkim_draft_sign(struct mr_dkim_draft *draft, const struct mr_dkim_signer *signer,
    size_t n, int64_t now_s, struct mr_str *fields, struct mr_err *err);

#endif
