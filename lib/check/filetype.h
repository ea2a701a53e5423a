/* filetype.h - what a file is by its bytes, whatever its name says. */
#ifndef MR_CHECK_FILETYPE_H
#define MR_CHECK_FILETYPE_H

#include "base/err.h"
#include "base/str.h"

#define MR_FILETYPE_HEAD_MAX \
	(64u << 10)               /* bytes at a file's start that can matter: an ISO image's mark */
#define MR_FILETYPE_TAIL_MAX 512u /* and at its end: a disk image's trailer */

/* How a file may hold others. */
enum mr_container {
	MR_HOLDS_NOTHING,
	MR_HOLDS_TEXT,     /* lines, perhaps a message */
	MR_HOLDS_UTF16,    /* the same in UTF-16 */
	MR_HOLDS_UTF16_BE, /* high byte first */
	MR_HOLDS_ZIP,
	MR_HOLDS_GZIP,
	MR_HOLDS_UNIX_ARCHIVE, /* tar, cpio, ar */
	MR_HOLDS_PACKED,       /* one file, packed: bzip2, xz, ... */
	MR_HOLDS_ARCHIVE,      /* any other that archive.h reads */
	MR_HOLDS_TNEF,
	MR_HOLDS_CMS, /* PKCS#7, S/MIME */
	MR_HOLDS_OLE  /* compound file */
};

/* By the first bytes, of which at least 512 are there unless the file is shorter. */
enum mr_container mr_filetype_container(struct mr_str head);

/* The words for what it is, those of mr-mimecheck(1), each by a call; none for what is harmless as far as
 * this can tell. */
void mr_filetype_by_head(struct mr_str head, void (*take)(void *ctx, const char *word), void *ctx);

/* The same by the last MR_FILETYPE_TAIL_MAX bytes. */
void mr_filetype_by_tail(struct mr_str tail, void (*take)(void *ctx, const char *word), void *ctx);

/* True if the first bytes are of a kind that our database does not know, and the file is too short for a mark
 * further in, so that libmagic need not be loaded: most of what is attached to mail. */
bool mr_filetype_is_told(struct mr_str head);

/* libmagic, with the database that was made of filetype.magic, or, `is_system`, with that of file(1), whose
 * words are MIME types.  MR_TEMP: it cannot be loaded.  *word (MR_FILETYPE_WORD_MAX bytes) is "" for what is not
 * in there. */
#define MR_FILETYPE_WORD_MAX 128u
struct mr_magic;
enum mr_status mr_magic_open(struct mr_magic **magic, bool is_system, struct mr_err *err);
void mr_magic_close(struct mr_magic *magic); /* NULL is nothing to close */
enum mr_status
mr_magic_word(struct mr_magic *magic, struct mr_str head, char *word, struct mr_err *err);

#endif
