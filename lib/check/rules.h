/* rules.h - which attachments may pass: the text of mr-mimecheck(1), read once. */
#ifndef MR_CHECK_RULES_H
#define MR_CHECK_RULES_H

#include "base/arena.h"
#include "base/err.h"

#define MR_RULES_TEXT_MAX (1u << 20) /* bytes of a table */
#define MR_RULES_MAX      20000u     /* values in all rules of a table */

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

struct mr_rules;

/* True if a rule is of this kind. */
bool mr_rules_have(const struct mr_rules *rules, enum mr_rule_kind kind);

/* Reads `text`, a table called `name` in reasons; NULL: the table that is built in.  All is copied into
 * `arena`.  MR_PERM: "name:line: what is wrong". */
enum mr_status mr_rules_read(struct mr_rules **rules, struct mr_arena *arena, struct mr_str text,
    const char *name, struct mr_err *err);

/* The action of the first rule, in the order of the table, for this value; without one it passes.
 * *line (may be NULL) is "name:line" of the rule. */
enum mr_rule_action mr_rules_find(const struct mr_rules *rules, enum mr_rule_kind kind,
    struct mr_str value, enum mr_rule_scope scope, struct mr_str *line);

/* The text of a built-in table, "programs" or "macros"; p NULL: no such table. */
struct mr_str mr_rules_builtin(struct mr_str name);

#endif
