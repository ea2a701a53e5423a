/* authres.h - the Authentication-Results field (RFC 8601): its values, one result, the field. */
#ifndef MR_MAIL_AUTHRES_H
#define MR_MAIL_AUTHRES_H

#include "base/buf.h"
#include "base/err.h"

#define MR_AUTHRES_RESULT_MAX \
	950u /* octets of a result: it stands on a line of its own (RFC 5322 2.1.1) */
#define MR_AUTHRES_DEPTH_MAX 10u /* comments within comments */

/* Appends at most `max` octets of a value (section 2.2; RFC 7208 9.1 has the same): a dot-atom as it is, else
 * in quotes; what may not stand there becomes '?'. */
void mr_authres_add_value(struct mr_buf *out, struct mr_str value, size_t max);

/* MR_OK if `result` is one result, "method=result" and what belongs to it: printable ASCII, quotes and
 * comments closed, no ';' outside of them.  MR_PERM with a reason. */
enum mr_status mr_authres_check(struct mr_str result, struct mr_err *err);

/* Appends a result with what stands in front of it: of the first one that is the field's name, and ours. */
void
mr_authres_add(struct mr_buf *out, struct mr_str our_name, struct mr_str result, bool is_first);

/* True if `id`, an authserv-id as it came, is our name: case does not count, and U-labels are A-labels. */
bool mr_authres_is_ours(struct mr_str id, const char *our_name);

#endif
