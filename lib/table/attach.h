/* attach.h - a table of attachments: one rule a line; mr-mimecheck(1), mr-table(5). */
#ifndef MR_TABLE_ATTACH_H
#define MR_TABLE_ATTACH_H

#include "base/arena.h"
#include "base/err.h"

/* What of a file a rule looks at. */
enum mr_rule_kind {
	MR_RULE_EXT,     /* the last extension of a name */
	MR_RULE_NAME,    /* the whole name */
	MR_RULE_TYPE,    /* the type that the mail declares */
	MR_RULE_CONTENT, /* what it is by its bytes */
	MR_RULE_MAGIC,   /* what file(1) says, as a MIME type */
	MR_RULE_LIMIT    /* why it could not be looked into */
};

/* Where it was. */
enum mr_rule_scope {
	MR_IN_PART = 1 << 0, /* a part of the message, with a name or not of text */
	MR_IN_BODY = 1 << 1, /* text without a name that is no attachment: what people write */
	MR_IN_ARCHIVE =
	    1 << 2, /* a member of an archive, or of a file of another kind that holds files */
	MR_IN_TAR = 1 << 3,  /* a member of tar, cpio or ar */
	MR_IN_TEXT = 1 << 4, /* uuencoded and the like, within text */
	MR_IN_ANY = (1 << 5) - 1
};

enum mr_rule_action { MR_RULE_PASS, MR_RULE_TAG, MR_RULE_BLOCK };

const char *mr_rule_kind_word(enum mr_rule_kind kind);
const char *mr_rule_scope_word(enum mr_rule_scope scope);

/* One line: "action kind [in=A+B] [only=A+B] [unless=A+B] value ...", or "use programs", "use macros". */
struct mr_attach_line {
	struct mr_str use; /* the table that is meant; p NULL: a rule */
	enum mr_rule_action action;
	enum mr_rule_kind kind;
	unsigned in;                /* scopes */
	struct mr_str only, unless; /* classes, joined by '+'; p NULL: no condition */
	struct mr_str values;       /* for mr_attach_next */
};

/* Reads a line that is not empty, without a comment; all are views into it.  MR_PERM: what is wrong; the cure. */
enum mr_status
mr_attach_line_parse(struct mr_attach_line *l, struct mr_str line, struct mr_err *err);

/* Takes the next value off.  n 0: no more. */
struct mr_str mr_attach_next(struct mr_attach_line *l);

#endif
