/* table_text.h - one line of a text table, and the keys in it; mr-table(5). */
#ifndef MR_TABLE_TABLE_TEXT_H
#define MR_TABLE_TABLE_TEXT_H

#include "table/table.h"

enum mr_key_kind {
	MR_KEY_NET,     /* "10.0.0.0/8"; a single address is "192.0.2.1/32" */
	MR_KEY_MAILBOX, /* "local@domain" */
	MR_KEY_DOMAIN,  /* "example.org", or a literal "[192.0.2.1]" */
	MR_KEY_BELOW,   /* ".example.org": what is below it, not itself */
	MR_KEY_DEFAULT  /* "*" */
};

struct mr_key {
	enum mr_key_kind kind;
	struct mr_str text; /* normalised, as it stands in the CDB; lives in the arena */
	struct mr_net net;  /* MR_KEY_NET only */
};

/* Reads a key as people write it.  MR_PERM: what is wrong; the cure.  MR_TEMP: no memory. */
enum mr_status
mr_key_parse(struct mr_key *key, struct mr_arena *arena, struct mr_str text, struct mr_err *err);

struct mr_table_line {
	struct mr_key key;   /* of MR_TABLE_ATTACH: none */
	struct mr_str value; /* as it stands in the CDB; a view into the line, or in the arena */
};

/* Reads one line, without its LF (a CR before that is dropped).  MR_NOTFOUND: nothing on it but
 * blanks and a comment.  MR_PERM: what is wrong; the cure.  MR_TEMP: no memory. */
enum mr_status mr_table_line_parse(struct mr_table_line *l, struct mr_arena *arena,
    enum mr_table_kind kind, struct mr_str line, struct mr_err *err);

#endif
