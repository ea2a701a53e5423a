/* mime.h - a message in one pass, every plausible reading alive: header blocks wherever one may stand,
 * what follows them, and encoded files within lines of text.
 *
 * There is no tree.  A text is lines; a line that may be a delimiter of any boundary that was declared so
 * far, by any reading, may begin a part, and so may the first line of a body that looks like a header
 * field (a message within the message), and a line "--x" before fields of MIME where no part is known to
 * run.  Where that is not certain, the part before goes on at the same time.  So depth costs nothing, and
 * an end too early, a missing or a lying boundary hides nothing. */
#ifndef MR_MAIL_MIME_H
#define MR_MAIL_MIME_H

#include "base/arena.h"
#include "base/buf.h"
#include "mail/decode.h"

#define MR_MIME_LINE_MAX     (64u << 10)  /* bytes of a line that are looked at as one */
#define MR_MIME_HEAD_MAX     (128u << 10) /* bytes of the fields of one header block that are kept */
#define MR_MIME_FIELD_MAX    64u          /* fields of one header block that are kept */
#define MR_MIME_BOUNDARY_MAX 200u         /* different boundaries of one text */
#define MR_MIME_DEPTH_MAX    100u         /* multiparts and messages within each other */
#define MR_MIME_PART_MAX     20000u       /* header blocks of one text */
#define MR_MIME_MEMORY_MAX   (4u << 20)   /* bytes of all boundaries of one text */

enum mr_mime_field { MR_MIME_TYPE, MR_MIME_ENCODING, MR_MIME_DISPOSITION, MR_MIME_OTHER };

/* What a header block says; valid during the call. */
struct mr_mime_head {
	struct mr_str path; /* "1.2"; "" for the message itself */
	unsigned depth;     /* 0 for the message itself */
	size_t n;
	struct {
		enum mr_mime_field field;
		struct mr_str value; /* as mimefield.h wants it */
	} field[MR_MIME_FIELD_MAX];
};

enum mr_mime_limit {
	MR_MIME_TOO_DEEP,
	MR_MIME_TOO_MANY_PARTS,
	MR_MIME_TOO_MANY_BOUNDARIES,
	MR_MIME_HEAD_TOO_LARGE
};

/* Encoded files within text are told apart by `codec`; each has one open at a time. */
struct mr_mime_ops {
	/* A body begins by this header block; others may be running (until `end`). */
	void (*part)(void *ctx, const struct mr_mime_head *head);
	void (*body)(void *ctx, struct mr_str bytes);
	void (*end)(void *ctx); /* all bodies end here */
	void (*file)(void *ctx, enum mr_codec codec, struct mr_str name);
	void (*file_body)(void *ctx, enum mr_codec codec, struct mr_str bytes);
	void (*file_end)(void *ctx, enum mr_codec codec);
	void (*limit)(void *ctx, enum mr_mime_limit limit);
};

struct mr_mime;

/* `is_message`: it begins with a header block; otherwise it is what a body was decoded to, which may begin
 * with one.  `parent` (may be NULL) has boundaries that count here, too, and lives longer.
 * `depth` is where it begins.  NULL: no memory. */
struct mr_mime *mr_mime_new(const struct mr_mime_ops *ops, void *ctx, bool is_message,
    const struct mr_mime *parent, struct mr_str path, unsigned depth);
void mr_mime_feed(struct mr_mime *m, struct mr_str bytes);

/* The text is over: ends what is open, and frees. */
void mr_mime_end(struct mr_mime *m);

#endif
