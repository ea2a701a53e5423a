/* aliases.h - a table of aliases: what an address stands for; mr-table(5). */
#ifndef MR_TABLE_ALIASES_H
#define MR_TABLE_ALIASES_H

#include "table/table_text.h"

#define MR_ALIAS_DEPTH_MAX 50u /* aliases of aliases of ... */
#define MR_ALIAS_TAG       '+' /* user+tag is user's mailbox */
#define MR_ALIAS_DATE_N    10u /* "2026-12-31" */

/* Reads a key: local@domain; local alone, for all domains that are ours, which stands as "local@" in the
 * CDB; @domain and @.domain, for what nothing else matches.  MR_PERM: what is wrong; the cure.  MR_TEMP. */
enum mr_status mr_alias_key_parse(
    struct mr_key *key, struct mr_arena *arena, struct mr_str word, struct mr_err *err);

/* Reads the line "key address..." of a text.  The
 * value is normalised: "until=DATE" first if there is one, then the addresses, one blank between.
 * MR_PERM: what is wrong; the cure.  MR_TEMP: no memory. */
enum mr_status mr_alias_line_parse(struct mr_key *key, struct mr_str *value, struct mr_arena *arena,
    struct mr_str line, struct mr_err *err);

/* The date "until" which the value holds, this day included; p NULL: for ever.  *value is then the
 * addresses. */
struct mr_str mr_alias_until(struct mr_str *value);

/* Takes the next address off the value: local@domain, a local part alone (of the domain whose address
 * is looked up), or @domain (there, with the local part looked up).  n 0: no more. */
struct mr_str mr_alias_next(struct mr_str *value);

/* `local` without its tag; the same if it has none, or is quoted. */
struct mr_str mr_alias_without_tag(struct mr_str local);

/* An entry and what it says; views into the table. */
struct mr_alias {
	struct mr_str key;    /* as people write it, in the arena */
	struct mr_str until;  /* p NULL: for ever */
	struct mr_str target; /* for mr_alias_next */
};

/* The entry of local@domain, the first of: local@domain; @domain or the nearest @.parent if that stands for
 * another domain (its first address is @domain); the local part, if the domain `is_ours`; @domain or
 * @.parent if the sender named the address (`is_named`), for who stands in the table is known.  A local
 * part that has no entry is looked up without its tag, too.  Entries whose date is before `today` are not
 * there.  `domain` in lower case.  MR_NOTFOUND: it stands for itself.  MR_TEMP: damaged, no memory. */
enum mr_status mr_alias_find(const struct mr_table *table, struct mr_arena *arena,
    struct mr_str local, struct mr_str domain, bool is_ours, bool is_named, struct mr_str today,
    struct mr_alias *alias, struct mr_err *err);

#endif
