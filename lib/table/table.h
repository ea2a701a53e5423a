/* table.h - rule tables: text, or the same compiled into a CDB; mr-table(5).
 * One lookup path: a text table is compiled into an unnamed CDB in memory when it is opened. */
#ifndef MR_TABLE_TABLE_H
#define MR_TABLE_TABLE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/ip.h"
#include "base/watch.h"

#define MR_TABLE_TEXT_MAX (512u << 20) /* bytes of a text table */
#define MR_TABLE_LINE_MAX 16384u       /* bytes of one line of it */

/* What a table's lines look like, and which keys they make. */
enum mr_table_kind {
	MR_TABLE_MAP, /* "key value...": key is an address, network, mailbox, domain, .domain or * */
	MR_TABLE_ACCESS, /* "permit X comment...", "forbid X comment..." */
	MR_TABLE_ROUTES, /* "domain host[:port] ...", "domain|host", "domain local", "* host" */
	MR_TABLE_ALIAS,  /* "address address ...", "local ...", "@domain ..." */
	MR_TABLE_ATTACH, /* rules in their order; the key is the line's number, the value the line */
	MR_TABLE_FOREIGN, /* a CDB that mr-table did not make: raw keys (tcprules); never from text */
	MR_TABLE_ANY /* for mr_table_open only: what a compiled table says, and text is a map */
};

/* "map", "access", "routes", "alias", "attachments"; "foreign" and "any" for the others. */
const char *mr_table_kind_word(enum mr_table_kind kind);

/* The kind of a word; false for "foreign" and "any". */
bool mr_table_kind_of_word(struct mr_str word, enum mr_table_kind *kind);

struct mr_table;

/* Opens `path`: a name that ends in ".cdb" is a compiled table, any other is text (which reports
 * MR_PERM with "file:line: what is wrong; the cure").  MR_NOTFOUND: no such file.  MR_USAGE: it is
 * of another kind than `kind` (MR_TABLE_FOREIGN is let through only where kind is MR_TABLE_ACCESS
 * or MR_TABLE_ANY; see mr_table_kind_of), or of another version of mr-table.  MR_TEMP: it cannot be
 * read, or a compiled table is damaged.  The table is mapped: replacing the file by rename does not
 * disturb it. */
enum mr_status mr_table_open(
    struct mr_table **table, const char *path, enum mr_table_kind kind, struct mr_err *err);

/* The same for a filter: `watch` (NULL: nobody) remembers the file, and `check` (NULL: none) is called for each
 * entry, which must have a meaning before the first mail comes.  Its reason gets path and key before it, and a
 * table with such an entry is not opened: *table is NULL. */
enum mr_status mr_table_load(struct mr_table **table, struct mr_watch *watch, const char *path,
    enum mr_table_kind kind,
    enum mr_status (*check)(void *ctx, struct mr_str key, struct mr_str value, struct mr_err *err),
    void *ctx, struct mr_err *err);
void mr_table_close(struct mr_table *table); /* NULL is nothing to close */
enum mr_table_kind mr_table_kind_of(const struct mr_table *table);

/* Compiles `text` and writes the CDB to `fd`, an empty file open for reading and writing, at its
 * start; not synced.  fd -1: checks only.  `name` stands for the file in reasons.  *entry_n (may be
 * NULL) is the number of different keys.  MR_PERM: "name:line: what is wrong; the cure". */
enum mr_status mr_table_compile(int fd, struct mr_str text, const char *name,
    enum mr_table_kind kind, size_t *entry_n, struct mr_err *err);

/* All lookups: MR_OK, MR_NOTFOUND, or MR_TEMP for a damaged file.  Values are views into the table,
 * valid until it is closed. */

/* The value under exactly this key (raw bytes; the callers below normalise). */
enum mr_status mr_table_get(const struct mr_table *table, struct mr_str key, struct mr_str *value);

/* The longest network that holds `ip`; *net says which.  One read for each prefix length in use. */
enum mr_status mr_table_get_ip(
    const struct mr_table *table, const struct mr_ip *ip, struct mr_net *net, struct mr_str *value);

/* `mailbox` (canonical local@domain, as mr_addr.text; compared without case). */
enum mr_status
mr_table_get_mailbox(const struct mr_table *table, struct mr_str mailbox, struct mr_str *value);

/* `domain` itself, then ".example.org" for each of its parents, nearest first.  *key (may be NULL)
 * is the entry that matched, a view into `domain` or, for a parent, its tail with the dot. */
enum mr_status mr_table_get_domain(
    const struct mr_table *table, struct mr_str domain, struct mr_str *key, struct mr_str *value);

/* The entry "*". */
enum mr_status mr_table_get_default(const struct mr_table *table, struct mr_str *value);

/* Walks over all entries, in the order of the text: *pos is 0 at the start.  MR_NOTFOUND: the end. */
enum mr_status mr_table_next(
    const struct mr_table *table, uint32_t *pos, struct mr_str *key, struct mr_str *value);

/* Appends the line or lines of text that make this entry.  MR_TEMP: no text makes it, the table is
 * damaged (or foreign). */
enum mr_status mr_table_write_entry(
    enum mr_table_kind kind, struct mr_str key, struct mr_str value, struct mr_buf *out);

/* What a value of an access table says. */
enum mr_rule {
	MR_RULE_DAMAGED, /* no such value */
	MR_RULE_PERMIT,
	MR_RULE_FORBID,
	MR_RULE_BOTH /* permitted and forbidden: that means permitted */
};

/* Reads a value of an access table; *comment is the words behind it (of the permit line for
 * MR_RULE_BOTH), a view into it. */
enum mr_rule mr_rule_parse(struct mr_str value, struct mr_str *comment);

#endif
