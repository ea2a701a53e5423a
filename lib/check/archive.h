/* archive.h - the members of archives that libarchive reads. */
#ifndef MR_CHECK_ARCHIVE_H
#define MR_CHECK_ARCHIVE_H

#include "base/err.h"
#include "base/str.h"

struct mr_archive_ops {
	/* The next member; false: its bytes are not wanted. */
	bool (*member)(void *ctx, struct mr_str name, bool is_encrypted);
	bool (*body)(void *ctx, struct mr_str bytes); /* false: no more of it */
	void (*end)(void *ctx);                       /* of a member whose bytes were wanted */
	bool (*go_on)(void *ctx);                     /* false: enough */
};

/* Reads the file `fd` from its start.  `is_packed`: it is one packed file, whose member has no name.
 * MR_OK; MR_PERM: it is damaged, or of a kind that libarchive cannot read (what came before counts);
 * MR_NOTFOUND: the list of members is encrypted; MR_TEMP: libarchive is not there, no memory. */
enum mr_status mr_archive_read(
    int fd, bool is_packed, const struct mr_archive_ops *ops, void *ctx, struct mr_err *err);

#endif
