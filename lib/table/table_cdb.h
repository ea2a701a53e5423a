/* table_cdb.h - constant data bases (TinyCDB), read and made; nothing here knows what is in them. */
#ifndef MR_TABLE_TABLE_CDB_H
#define MR_TABLE_TABLE_CDB_H

#include "base/err.h"
#include "base/str.h"

struct mr_cdb;

/* Maps the file `fd`, which the caller may close afterwards.  MR_TEMP: it cannot be read, or is no
 * CDB. */
enum mr_status mr_cdb_open(struct mr_cdb **cdb, int fd, struct mr_err *err);
void mr_cdb_close(struct mr_cdb *cdb); /* NULL is nothing to close */

/* The first value of `key`, a view into the map.  MR_OK, MR_NOTFOUND, MR_TEMP: damaged. */
enum mr_status mr_cdb_get(const struct mr_cdb *cdb, struct mr_str key, struct mr_str *value);

/* The next entry; *pos is 0 at the start.  MR_OK, MR_NOTFOUND: the end, MR_TEMP: damaged. */
enum mr_status
mr_cdb_next(const struct mr_cdb *cdb, uint32_t *pos, struct mr_str *key, struct mr_str *value);

struct mr_cdb_maker;

/* Makes a CDB in `fd`, an empty file open for reading and writing, which stays the caller's. */
enum mr_status mr_cdb_make(struct mr_cdb_maker **maker, int fd, struct mr_err *err);
enum mr_status
mr_cdb_add(struct mr_cdb_maker *maker, struct mr_str key, struct mr_str value, struct mr_err *err);

/* Writes what is left and frees the maker, also after a failure of the others (the file is then
 * worthless).  NULL is nothing to finish. */
enum mr_status mr_cdb_finish(struct mr_cdb_maker *maker, struct mr_err *err);

#endif
