/* LMDB: two databases in one folder.  "entries.1": key -> version-1 entry.  "expiry.1": second of death ->
 * keys (sorted duplicates), so that dead entries are found without a walk.  The number is the version of
 * this layout; another one would stand beside it. */
#include "store/backend.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_N    16u  /* bytes of an entry before its value: second of death, time to live */
#define EXPIRE_N  256u /* dead entries of one transaction that does nothing else */
#define SKEW_S    60   /* clocks that differ less have not gone back */
#define TRIES_MAX 40u  /* doublings from MAP_FLOOR to MAP_CEILING, and some */

struct lmdb {
	const struct mr_store_where *where;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi entries, expiry;
	int rc; /* LMDB's word on what failed last */
};

/* ---- faults ------------------------------------------------------------------------------------ */

/* What LMDB says of a file that is not as it left it, rather than of the machine or of a limit. */
static bool
is_damage(int rc)
{
	return (rc < 0 || rc == EINVAL) && rc != MDB_MAP_FULL && rc != MDB_MAP_RESIZED
	    && rc != MDB_READERS_FULL;
}

static enum mr_status
fault(struct lmdb *l, int rc, const char *what, struct mr_err *err)
{
	l->rc = rc;
	return mr_err_set(err, MR_TEMP, "%s: %s: %s%s", l->where->name, what, mdb_strerror(rc),
	    is_damage(rc) ? "; mr-state check moves a damaged file aside" : "");
}

static MDB_val
val(struct mr_str s)
{
	MDB_val v = { .mv_size = s.n };

	memcpy(&v.mv_data, &s.p, sizeof s.p); /* LMDB writes to neither keys nor data */
	return v;
}

static struct mr_str
str(MDB_val v)
{
	return (struct mr_str){ v.mv_data, v.mv_size };
}

/* Big-endian, so that seconds sort as numbers. */
static void
put_s(char *p, int64_t s)
{
	uint64_t be = htobe64((uint64_t)s);

	memcpy(p, &be, sizeof be);
}

static int64_t
get_s(const char *p)
{
	uint64_t be;

	memcpy(&be, p, sizeof be);
	return (int64_t)be64toh(be);
}

/* ---- transactions ------------------------------------------------------------------------------ */

static void
end(struct lmdb *l)
{
	if (l->txn)
		mdb_txn_abort(l->txn);
	l->txn = NULL;
}

static enum mr_status open_env(struct lmdb *l, struct mr_err *err);

static enum mr_status
begin(struct lmdb *l, unsigned flags, struct mr_err *err)
{
	enum mr_status st;
	int dead, rc;

	if (!l->env && (st = open_env(l, err)))
		return st;
	rc = mdb_txn_begin(l->env, NULL, flags, &l->txn);
	if (rc == MDB_MAP_RESIZED && (rc = mdb_env_set_mapsize(l->env, 0)) == 0)
		rc = mdb_txn_begin(l->env, NULL, flags, &l->txn);
	if (rc == MDB_READERS_FULL && (rc = mdb_reader_check(l->env, &dead)) == 0)
		rc = mdb_txn_begin(l->env, NULL, flags, &l->txn);
	if (rc)
		l->txn = NULL;
	return rc ? fault(l, rc, "begin", err) : MR_OK;
}

static enum mr_status
commit(struct lmdb *l, struct mr_err *err)
{
	int rc = mdb_txn_commit(l->txn);

	l->txn = NULL;
	return rc ? fault(l, rc, "commit", err) : MR_OK;
}

/* A folder that is new gets its databases; in any other no lock is waited for. */
static enum mr_status
find_databases(struct lmdb *l, struct mr_err *err)
{
	int rc = MDB_NOTFOUND;
	enum mr_status st;

	for (unsigned i = 0, flags = 0; rc == MDB_NOTFOUND && i < 2; i++, flags = MDB_CREATE) {
		end(l);
		if ((st = begin(l, flags ? 0 : MDB_RDONLY, err)))
			return st;
		if ((rc = mdb_dbi_open(l->txn, "entries.1", flags, &l->entries)) == 0)
			rc = mdb_dbi_open(l->txn, "expiry.1", flags | MDB_DUPSORT, &l->expiry);
	}
	return rc ? fault(l, rc, "open", err) : commit(l, err);
}

/* ---- open, close ------------------------------------------------------------------------------- */

static void
close_env(struct lmdb *l)
{
	end(l);
	mdb_env_close(l->env);
	l->env = NULL;
}

static void
lmdb_close(void *state)
{
	close_env(state);
	free(state);
}

static bool
lmdb_make_folder(const struct mr_store_where *where)
{
	return mkdir(where->dir, 0700) == 0 || errno == EEXIST;
}

/* The folder itself, locked against who moves its files aside (two files: not one step). */
static enum mr_status
lock_folder(int *fd, const struct mr_store_where *where, int operation, struct mr_err *err)
{
	int rc;

	if (!lmdb_make_folder(where))
		return mr_err_sys(err, MR_TEMP, "%s", where->name);
	if ((*fd = open(where->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return mr_err_sys(err, MR_TEMP, "%s", where->name);
	while ((rc = flock(*fd, operation)) < 0 && errno == EINTR)
		;
	if (rc == 0)
		return MR_OK;
	close(*fd);
	return mr_err_sys(err, MR_TEMP, "%s: lock", where->name);
}

static enum mr_status
open_env(struct lmdb *l, struct mr_err *err)
{
	size_t max = l->where->map_max, map = max < MR_STORE_MAP_MIN ? max : MR_STORE_MAP_MIN;
	enum mr_status st;
	int fd, dead, rc;

	if ((st = lock_folder(&fd, l->where, LOCK_SH, err)))
		return st;
	if ((rc = mdb_env_create(&l->env)) || (rc = mdb_env_set_mapsize(l->env, map))
	    || (rc = mdb_env_set_maxdbs(l->env, 2))
	    || (rc = mdb_env_set_maxreaders(l->env, MR_STORE_READERS_MAX))
	    || (rc = mdb_env_open(l->env, l->where->dir, MDB_NOMETASYNC | MDB_NOTLS, 0600))
	    || (rc = mdb_reader_check(l->env, &dead)))
		st = fault(l, rc, "open", err);
	else
		st = find_databases(l, err);
	close(fd);
	if (st)
		close_env(l);
	return st;
}

static enum mr_status
lmdb_open(void **state, const struct mr_store_where *where, struct mr_err *err)
{
	struct lmdb *l = *state = calloc(1, sizeof *l);

	if (!l)
		return mr_err_set(err, MR_TEMP, "out of memory");
	l->where = where;
	return MR_OK;
}

/* ---- entries ----------------------------------------------------------------------------------- */

static enum mr_status
read_item(
    struct lmdb *l, struct mr_str key, MDB_val v, struct mr_store_item *item, struct mr_err *err)
{
	char show[MR_STORE_SHOW_N];

	if (v.mv_size >= HEAD_N) {
		item->expires_s = get_s(v.mv_data);
		item->ttl_s = get_s((char *)v.mv_data + 8);
		item->value = mr_str_from(str(v), HEAD_N);
	}
	if (v.mv_size < HEAD_N || v.mv_size > HEAD_N + MR_STORE_VALUE_MAX || item->ttl_s < 1
	    || item->ttl_s > MR_STORE_TTL_MAX_S || item->expires_s < item->ttl_s) {
		l->rc = MDB_CORRUPTED;
		return mr_err_set(err, MR_TEMP, "%s: not an entry of a store: %s", l->where->name,
		    mr_store_show(show, key));
	}
	return MR_OK;
}

static enum mr_status
lmdb_get(void *state, struct mr_str key, struct mr_store_item *item, struct mr_err *err)
{
	struct lmdb *l = state;
	MDB_val k = val(key), v;
	int rc = mdb_get(l->txn, l->entries, &k, &v);

	if (rc == MDB_NOTFOUND)
		return MR_NOTFOUND;
	return rc ? fault(l, rc, "get", err) : read_item(l, key, v, item, err);
}

/* Takes the key's line, if there is one, out of the index. */
static enum mr_status
unfile(struct lmdb *l, struct mr_str key, int64_t expires_s, struct mr_err *err)
{
	char second[8];
	MDB_val k = { sizeof second, second }, v = val(key);
	int rc;

	put_s(second, expires_s);
	rc = mdb_del(l->txn, l->expiry, &k, &v);
	return rc && rc != MDB_NOTFOUND ? fault(l, rc, "delete", err) : MR_OK;
}

static enum mr_status
lmdb_set(void *state, struct mr_str key, const struct mr_store_item *item, struct mr_err *err)
{
	struct lmdb *l = state;
	char bytes[HEAD_N + MR_STORE_VALUE_MAX];
	MDB_val k = val(key), v = { HEAD_N + item->value.n, bytes }, second = { 8, bytes };
	struct mr_store_item old;
	enum mr_status st;
	bool is_filed;
	int rc;

	put_s(bytes, item->expires_s);
	put_s(bytes + 8, item->ttl_s);
	if (item->value.n)
		memcpy(bytes + HEAD_N, item->value.p, item->value.n);
	st = lmdb_get(l, key, &old, err);
	is_filed = st == MR_OK && old.expires_s == item->expires_s;
	if (st == MR_OK && !is_filed)
		st = unfile(l, key, old.expires_s, err);
	if (st && st != MR_NOTFOUND)
		return st;
	rc = mdb_put(l->txn, l->entries, &k, &v, 0);
	v = val(key);
	if (!rc && !is_filed)
		rc = mdb_put(l->txn, l->expiry, &second, &v, 0);
	return rc ? fault(l, rc, "put", err) : MR_OK;
}

static enum mr_status
lmdb_del(void *state, struct mr_str key, struct mr_err *err)
{
	struct lmdb *l = state;
	struct mr_store_item old;
	MDB_val k = val(key);
	enum mr_status st = lmdb_get(l, key, &old, err);
	int rc;

	if (st || (st = unfile(l, key, old.expires_s, err)))
		return st == MR_NOTFOUND ? MR_OK : st;
	rc = mdb_del(l->txn, l->entries, &k, NULL);
	return rc ? fault(l, rc, "delete", err) : MR_OK;
}

static const struct mr_store_kv kv = { lmdb_get, lmdb_set, lmdb_del };

/* ---- expiry ------------------------------------------------------------------------------------ */

/* The entry of the first or last line of the index; its bytes are LMDB's, the key's `storage`'s. */
static enum mr_status
at_end_of_index(struct lmdb *l, MDB_cursor_op end_op, char *storage, struct mr_str *key,
    struct mr_store_item *item, struct mr_err *err)
{
	MDB_cursor *cursor;
	MDB_val k, v;
	enum mr_status st;
	int rc = mdb_cursor_open(l->txn, l->expiry, &cursor);

	if (rc)
		return fault(l, rc, "expire", err);
	rc = mdb_cursor_get(cursor, &k, &v, end_op);
	if (rc == 0 && (k.mv_size != 8 || !v.mv_size || v.mv_size > MR_STORE_KEY_MAX))
		rc = MDB_CORRUPTED;
	mdb_cursor_close(cursor);
	if (rc)
		return rc == MDB_NOTFOUND ? MR_NOTFOUND : fault(l, rc, "expire", err);
	memcpy(storage, v.mv_data, v.mv_size);
	*key = (struct mr_str){ storage, v.mv_size };
	st = lmdb_get(l, *key, item, err);
	if (st == MR_NOTFOUND || (st == MR_OK && item->expires_s != get_s(k.mv_data)))
		return fault(l, MDB_CORRUPTED, "expire", err);
	return st;
}

/* Takes out at most `max` dead entries.  When the clock went back, the entries that would live too long
 * are the last of the index: at most `max` of them get their time to live anew. */
static enum mr_status
sweep(struct lmdb *l, unsigned max, int64_t now_s, uint64_t *n, struct mr_err *err)
{
	char storage[MR_STORE_KEY_MAX], value[MR_STORE_VALUE_MAX];
	struct mr_store_item item;
	struct mr_str key;
	enum mr_status st = MR_OK;

	for (unsigned i = 0; i < max && st == MR_OK; i++, ++*n) {
		st = at_end_of_index(l, MDB_FIRST, storage, &key, &item, err);
		if (st || !mr_store_is_dead(&item, now_s))
			break;
		st = lmdb_del(l, key, err);
	}
	for (unsigned i = 0; i < max && st == MR_OK; i++) {
		st = at_end_of_index(l, MDB_LAST, storage, &key, &item, err);
		if (st || item.expires_s - item.ttl_s <= now_s + SKEW_S)
			break;
		memcpy(value, item.value.p, item.value.n);
		item.value.p = value;
		item.expires_s = now_s + item.ttl_s;
		st = lmdb_set(l, key, &item, err);
	}
	return st == MR_NOTFOUND ? MR_OK : st;
}

/* One transaction: dead entries, at most `sweep_n`, and operations; neither: it writes nothing. */
static enum mr_status
attempt(struct lmdb *l, struct mr_store_op *ops, size_t n, unsigned sweep_n, int64_t now_s,
    uint64_t *swept_n, struct mr_err *err)
{
	enum mr_status st = begin(l, sweep_n ? 0 : MDB_RDONLY, err);

	*swept_n = 0;
	l->rc = 0;
	if (st == MR_OK && sweep_n)
		st = sweep(l, sweep_n, now_s, swept_n, err);
	for (size_t i = 0; st == MR_OK && i < n; i++)
		st = mr_store_apply(&kv, l, &ops[i], now_s, err);
	if (st == MR_OK && sweep_n)
		st = commit(l, err);
	end(l);
	if (is_damage(l->rc)) /* the next call opens what is there then */
		close_env(l);
	return st;
}

/* ---- a map that is full ------------------------------------------------------------------------ */

/* Twice as large; at the ceiling what is dead goes, in two transactions, because LMDB uses pages again one
 * transaction after the next.  Then the reserve is open until the caller closes it. */
static enum mr_status
make_room(struct lmdb *l, bool adds, int64_t now_s, struct mr_err *err)
{
	size_t max = l->where->map_max;
	uint64_t n = 0, more;
	MDB_envinfo info;
	enum mr_status st;
	int dead, rc;

	if ((rc = mdb_reader_check(l->env, &dead)) || (rc = mdb_env_info(l->env, &info))
	    || (rc = mdb_env_set_mapsize(l->env,
	            info.me_mapsize < max / 2   ? 2 * info.me_mapsize
	                : info.me_mapsize < max ? max
	                                        : max + MR_STORE_MAP_RESERVE)))
		return fault(l, rc, "grow", err);
	if (info.me_mapsize < max)
		return MR_OK;
	if ((st = attempt(l, NULL, 0, EXPIRE_N, now_s, &n, err))
	    || (st = attempt(l, NULL, 0, EXPIRE_N, now_s, &more, err)))
		return st;
	if (!n && (adds || info.me_mapsize > max))
		return mr_err_set(err, MR_TEMP, "%s: full (%zu bytes), and nothing in it is dead",
		    l->where->name, max);
	return MR_OK;
}

/* ---- the back end ------------------------------------------------------------------------------ */

static enum mr_status
transact(struct lmdb *l, struct mr_store_op *ops, size_t n, unsigned sweep_n, int64_t now_s,
    uint64_t *swept_n, struct mr_err *err)
{
	bool adds = false;
	MDB_envinfo info;
	enum mr_status st = MR_TEMP;

	for (size_t i = 0; i < n; i++)
		adds |= ops[i].verb != MR_STORE_GET && ops[i].verb != MR_STORE_DELETE;
	for (unsigned i = 0; i < TRIES_MAX; i++) {
		st = attempt(l, ops, n, sweep_n, now_s, swept_n, err);
		if (st != MR_TEMP || l->rc != MDB_MAP_FULL || (st = make_room(l, adds, now_s, err)))
			break;
	}
	if (mdb_env_info(l->env, &info) == 0 && info.me_mapsize > l->where->map_max)
		mdb_env_set_mapsize(l->env, l->where->map_max);
	return st;
}

static enum mr_status
lmdb_run(void *state, struct mr_store_op *ops, size_t n, int64_t now_s, struct mr_err *err)
{
	bool writes = false;
	uint64_t swept_n;

	for (size_t i = 0; i < n; i++)
		writes |= ops[i].verb != MR_STORE_GET;
	return transact(state, ops, n, writes ? MR_STORE_SWEEP_MAX : 0, now_s, &swept_n, err);
}

static enum mr_status
lmdb_expire(void *state, int64_t now_s, uint64_t *n, struct mr_err *err)
{
	return transact(state, NULL, 0, EXPIRE_N, now_s, n, err);
}

static enum mr_status
lmdb_page(void *state, struct mr_str prefix, struct mr_store_pos *pos, struct mr_store_page *page,
    int64_t now_s, struct mr_err *err)
{
	struct mr_str last = { pos->bytes, pos->n };
	MDB_cursor *cursor = NULL;
	struct lmdb *l = state;
	struct mr_store_item item;
	MDB_val k = val(pos->n ? last : prefix), v;
	enum mr_status st = begin(l, MDB_RDONLY, err);
	int rc;

	if (st)
		return st;
	if ((rc = mdb_cursor_open(l->txn, l->entries, &cursor)) == 0)
		rc = mdb_cursor_get(cursor, &k, &v, k.mv_size ? MDB_SET_RANGE : MDB_FIRST);
	if (rc == 0 && pos->n && mr_str_eq(str(k), last))
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	for (size_t i = 0; rc == 0 && st == MR_OK && i < MR_STORE_PAGE_N; i++) {
		struct mr_str key = str(k);

		if (key.n < prefix.n || (prefix.n && memcmp(key.p, prefix.p, prefix.n) != 0)
		    || key.n > sizeof pos->bytes) {
			rc = MDB_NOTFOUND;
			break;
		}
		st = read_item(l, key, v, &item, err);
		if (st == MR_OK && !mr_store_is_dead(&item, now_s))
			st = mr_store_page_add(
			    page, key, item.value, mr_store_left_s(&item, now_s), err);
		memcpy(pos->bytes, key.p, key.n);
		pos->n = key.n;
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	}
	if (cursor)
		mdb_cursor_close(cursor);
	pos->is_end = rc == MDB_NOTFOUND;
	if (st == MR_OK && rc && rc != MDB_NOTFOUND)
		st = fault(l, rc, "list", err);
	end(l);
	return st;
}

static int
stat_data(const struct mr_store_where *where, struct stat *file)
{
	char path[MR_STORE_URL_MAX + 10];

	snprintf(path, sizeof path, "%s/data.mdb", where->dir);
	return stat(path, file);
}

static enum mr_status
lmdb_size(void *state, uint64_t *used, uint64_t *max, struct mr_err *err)
{
	struct lmdb *l = state;
	struct stat file;

	if (stat_data(l->where, &file) < 0)
		return mr_err_sys(err, MR_TEMP, "%s", l->where->name);
	*used = (uint64_t)file.st_size;
	*max = l->where->map_max;
	return MR_OK;
}

/* ---- verify ------------------------------------------------------------------------------------ */

/* Each call of `one` (may be NULL) gets a record; records must be in order: no damage makes it endless. */
static int
walk(struct lmdb *l, MDB_dbi dbi, int (*one)(struct lmdb *l, MDB_val k, MDB_val v), uint64_t *n)
{
	MDB_val k, v, last_k = { 0, NULL }, last_v = { 0, NULL };
	MDB_cursor *cursor;
	MDB_stat stat;
	int rc = mdb_stat(l->txn, dbi, &stat);

	if (rc || (rc = mdb_cursor_open(l->txn, dbi, &cursor)))
		return rc;
	for (*n = 0; (rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0; ++*n) {
		int order = *n ? mdb_cmp(l->txn, dbi, &last_k, &k) : -1;

		if (order > 0
		    || (order == 0 && (dbi != l->expiry || mdb_dcmp(l->txn, dbi, &last_v, &v) >= 0))
		    || (one && (rc = one(l, k, v))))
			break;
		last_k = k;
		last_v = v;
	}
	mdb_cursor_close(cursor);
	if (rc == MDB_NOTFOUND)
		return *n == stat.ms_entries ? 0 : MDB_CORRUPTED;
	return rc ? rc : MDB_CORRUPTED;
}

/* The list of free pages: transaction -> count, page numbers. */
static int
check_free(struct lmdb *l, MDB_val k, MDB_val v)
{
	size_t count, page;
	MDB_envinfo info;

	if (mdb_env_info(l->env, &info) || k.mv_size != sizeof count || v.mv_size < sizeof count)
		return MDB_CORRUPTED;
	memcpy(&count, v.mv_data, sizeof count);
	if (count > v.mv_size / sizeof count - 1)
		return MDB_CORRUPTED;
	for (size_t i = 1; i <= count; i++) {
		memcpy(&page, (char *)v.mv_data + i * sizeof page, sizeof page);
		if (page < 2 || page > info.me_last_pgno)
			return MDB_CORRUPTED;
	}
	return 0;
}

static int
check_entry(struct lmdb *l, MDB_val k, MDB_val v)
{
	struct mr_store_item item;
	MDB_cursor *cursor;
	MDB_val second = { 8, v.mv_data };
	int rc;

	if (k.mv_size > MR_STORE_KEY_MAX || read_item(l, str(k), v, &item, NULL))
		return MDB_CORRUPTED;
	if ((rc = mdb_cursor_open(l->txn, l->expiry, &cursor)))
		return rc;
	rc = mdb_cursor_get(cursor, &second, &k, MDB_GET_BOTH);
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
}

static enum mr_status
walk_all(struct lmdb *l, uint64_t *entry_n, struct mr_err *err)
{
	uint64_t n, filed_n = 0;
	enum mr_status st = begin(l, MDB_RDONLY, err);
	int rc;

	if (st)
		return st;
	if ((rc = walk(l, 0, check_free, &n)) == 0
	    && (rc = walk(l, l->entries, check_entry, entry_n)) == 0
	    && (rc = walk(l, l->expiry, NULL, &filed_n)) == 0 && filed_n != *entry_n)
		rc = MDB_CORRUPTED;
	end(l);
	return rc ? fault(l, rc, "check", err) : MR_OK;
}

static enum mr_status
lmdb_verify(const struct mr_store_where *where, uint64_t *entry_n, struct mr_err *err)
{
	struct lmdb l = { .where = where };
	enum mr_status st = walk_all(&l, entry_n, err);
	size_t map = where->map_max;
	void *p;

	close_env(&l);
	/* A header that asks for all memory looks like a machine that has none. */
	if (l.rc == ENOMEM
	    && (p = mmap(NULL, map, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED
	    && munmap(p, map) == 0)
		l.rc = MDB_INVALID;
	return st && is_damage(l.rc) ? MR_PERM : st;
}

static uint64_t
lmdb_file_id(const struct mr_store_where *where)
{
	struct stat file;

	return stat_data(where, &file) == 0 ? file.st_ino : 0;
}

static enum mr_status
lmdb_move(
    const struct mr_store_where *where, uint64_t file_id, const char *suffix, struct mr_err *err)
{
	static const char *const names[] = { "lock.mdb", "data.mdb" };
	char new[64];
	enum mr_status st;
	int fd;

	if ((st = lock_folder(&fd, where, LOCK_EX, err)))
		return st;
	if (lmdb_file_id(where) != file_id)
		st = mr_err_set(err, MR_TEMP, "%s: another file is there now", where->name);
	for (size_t i = 0; st == MR_OK && i < 2; i++) {
		snprintf(new, sizeof new, "%s%s", names[i], suffix);
		if (renameat(fd, names[i], fd, new) < 0 && errno != ENOENT)
			st = mr_err_sys(err, MR_TEMP, "%s/%s", where->dir, names[i]);
	}
	close(fd);
	return st;
}

const struct mr_store_backend mr_store_lmdb = { lmdb_open, lmdb_close, lmdb_run, lmdb_page,
	lmdb_expire, lmdb_size, lmdb_make_folder, lmdb_verify, lmdb_file_id, lmdb_move };
