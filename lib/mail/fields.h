/* fields.h - the values of one field of a message's header, wherever they stand in it. */
#ifndef MR_MAIL_FIELDS_H
#define MR_MAIL_FIELDS_H

#include "base/arena.h"
#include "base/err.h"

#define MR_FIELDS_MAX       10u         /* fields of the name */
#define MR_FIELDS_BYTES_MAX (64u << 10) /* bytes of all their values */
#define MR_FIELDS_WINDOW    (16u << 10) /* bytes of the message that are looked at at a time */

struct mr_fields {
	struct mr_str
	    value[MR_FIELDS_MAX]; /* folded as in the message, what ends the last line left out */
	size_t n;
};

/* Reads the header of the message that `fd` gives, up to its empty line; a line that belongs to no field is
 * passed over.  Lines end in LF or CRLF.  Case of `name` does not count; values live in `arena`.
 * MR_OK, also when there is none; MR_PERM: more than one of the limits; MR_TEMP. */
enum mr_status mr_fields_read(
    struct mr_fields *fields, struct mr_arena *arena, int fd, const char *name, struct mr_err *err);

#endif
