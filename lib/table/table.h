/* table.h - rule tables: text, or the same compiled into a CDB; mr-table(5).
 * One lookup path: a text table is compiled into an unnamed CDB in memory when it is opened. */
#ifndef MR_TABLE_TABLE_H
#define MR_TABLE_TABLE_H

#include "base/arena.h"
#include "base/ip.h"

/* What a table's lines look like, and which keys they make. */
enum mr_table_kind {
	MR_TABLE_MAP, /* "key value...": key is an address, network, mailbox, domain, .domain or * */
	MR_TABLE_ACCESS, /* "permit X comment...", "forbid X comment..." */
	MR_TABLE_ROUTES, /* "domain host[:port] ...", "domain|host", "domain local", "* host" */
	MR_TABLE_FOREIGN /* a CDB that mr-table did not make: raw keys (tcprules); never from text */
};

struct mr_table;

/* Opens `path`: a name that ends in ".cdb" is a compiled table, any other is text (which reports
 * MR_PERM with "file:line: what is wrong; the cure").  MR_NOTFOUND: no such file.  MR_USAGE: it is
 * of another kind than `kind` (MR_TABLE_FOREIGN is let through only where kind is MR_TABLE_ACCESS;
 * see mr_table_kind_of).  The table is mapped: replacing the file by rename does not disturb it. */
enum mr_status mr_table_open(
    struct mr_table **table, const char *path, enum mr_table_kind kind, struct mr_err *err);
void mr_table_close(struct mr_table *table);
enum mr_table_kind mr_table_kind_of(const struct mr_table *table);

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

#endif
