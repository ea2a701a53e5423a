/* taglist.h - lists of name=value pairs (RFC 6376 section 3.2): signatures, key records, DMARC records. */
#ifndef MR_MAIL_TAGLIST_H
#define MR_MAIL_TAGLIST_H

#include "base/buf.h"
#include "base/err.h"

#define MR_TAGS_MAX 64u /* of one list; RFC 6376 defines 15 for a signature */

struct mr_tag {
	struct mr_str name; /* as written; case counts */
	struct mr_str
	    value; /* without white space at its ends; what is inside is kept; n may be 0 */
};

/* Views of the text that was read. */
struct mr_taglist {
	struct mr_tag tag[MR_TAGS_MAX]; /* in order */
	size_t n;
};

/* What is wrong with a list; the tags before that place are there. */
enum mr_taglist_fault {
	MR_TAGLIST_OK,
	MR_TAGLIST_NO_EQUALS, /* a piece between two ';' that is no name=value, or nothing at all */
	MR_TAGLIST_NAME,      /* not a letter, then letters, digits and '_' */
	MR_TAGLIST_VALUE, /* control characters, malformed UTF-8, a line end that folds nothing */
	MR_TAGLIST_TWICE, /* a name twice: the whole list is invalid */
	MR_TAGLIST_MANY   /* more than MR_TAGS_MAX */
};

/* Reads all of `text` (a field's value without its last line end, or a record).  UTF-8 may stand in
 * values (RFC 8616 section 3).  MR_PERM: it is no list, with the reason; *fault (may be NULL) says which. */
enum mr_status mr_taglist_parse(
    struct mr_taglist *list, struct mr_str text, enum mr_taglist_fault *fault, struct mr_err *err);

/* The value of the tag `name`; p is NULL if it is not there. */
struct mr_str mr_taglist_get(const struct mr_taglist *list, const char *name);

/* Takes the next of the pieces of a value that stand between `sep`, without white space around it, off
 * *rest (h= of a signature, t= of a key record, rua= of DMARC); false when nothing is left. */
bool mr_taglist_next(struct mr_str *rest, char sep, struct mr_str *piece);

/* Appends `value` without any white space (b=, bh=, p=). */
void mr_taglist_join(struct mr_buf *out, struct mr_str value);

#endif
