/* zipscan.h - a zip file, or one hidden in another file, by all that any reader may go by.
 *
 * Programs disagree on where a zip's list of members is: the directory at the end, another one before it,
 * the headers before each member.  Here every header counts, wherever it stands: the names are the union,
 * and wherever a local header stands a member's bytes follow.  Streaming, constant memory. */
#ifndef MR_CHECK_ZIPSCAN_H
#define MR_CHECK_ZIPSCAN_H

#include "base/str.h"

#define MR_ZIP_NAME_MAX 1024u /* bytes of a name that are looked at */
#define MR_ZIP_OPEN_MAX 8u    /* members whose bytes overlap */

enum mr_zip_fault {
	MR_ZIP_LIST_ENCRYPTED, /* names are not to be seen */
	MR_ZIP_OVERLAP,        /* more members within each other than MR_ZIP_OPEN_MAX */
	MR_ZIP_METHOD,         /* a member is packed in a way that is not known here */
	MR_ZIP_MEMORY
};

struct mr_zip_ops {
	/* A member's name, as often as it stands somewhere. */
	void (*name)(void *ctx, struct mr_str name, bool is_encrypted);
	/* Its bytes begin; what is returned is handed to the others, NULL: they are not wanted. */
	void *(*member)(void *ctx, struct mr_str name);
	bool (*body)(void *ctx, void *member, struct mr_str bytes); /* false: no more of it */
	void (*end)(void *ctx, void *member);
	void (*fault)(void *ctx, enum mr_zip_fault fault);
};

struct mr_zip;

struct mr_zip *mr_zip_new(const struct mr_zip_ops *ops, void *ctx); /* NULL: no memory */
void mr_zip_feed(struct mr_zip *z, struct mr_str bytes);
void mr_zip_end(struct mr_zip *z); /* the file is over; frees */

#endif
