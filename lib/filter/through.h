/* through.h - a message that passes through a filter: in from a pipe, out with fields in front. */
#ifndef MR_FILTER_THROUGH_H
#define MR_FILTER_THROUGH_H

#include "base/err.h"
#include "base/str.h"

/* Makes descriptor `fd` a file at the start of the message: unless it is one, what it gives is copied into
 * an unnamed file in the folder `dir`, which takes its place.  MR_TEMP. */
enum mr_status mr_through_take(int fd, const char *dir, struct mr_err *err);

/* Writes header fields (whole lines with LF or CRLF; p may be NULL), then the file `in` from `start` to its
 * end, byte for byte, to `out`; but Authentication-Results fields under the name `authserv_id` are left out
 * (NULL: none is).  The fields get the line ends of the message: of its first line; LF if it has none. */
enum mr_status mr_through_give(int out, struct mr_str fields, const char *authserv_id, int in,
    int64_t start, struct mr_err *err);

#endif
