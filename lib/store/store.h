/* store.h - the state store: small entries under keys, each with a time to live; mr-state(1).
 * Back ends: `lmdb:DIR[?max=SIZE]` (one host), `redis://[user:password@]HOST:PORT[/DB]` (several hosts
 * share it), `mem:` (one process, for tests).
 *
 * A store is named before any fork and opened at its first use, by the process that uses it. */
#ifndef MR_STORE_STORE_H
#define MR_STORE_STORE_H

#include "base/err.h"
#include "base/log.h"

#define MR_STORE_KEY_MAX   511u /* bytes of a key: LMDB's limit */
#define MR_STORE_VALUE_MAX 256u /* bytes of a value */
#define MR_STORE_OPS_MAX   32u  /* operations of one batch */
#define MR_STORE_TTL_MAX_S (400 * 86400)
#define MR_STORE_URL_MAX   1024u /* bytes */

/* The LMDB file: its map begins at MAP_MIN, doubles when it is full, and ends at MAP_MAX (or ?max=,
 * from MAP_FLOOR on); MAP_RESERVE more only to take entries out of a map that is full. */
#define MR_STORE_MAP_FLOOR   (256u << 10)
#define MR_STORE_MAP_MIN     (16u << 20)
#define MR_STORE_MAP_MAX     (1u << 30)
#define MR_STORE_MAP_CEILING (1ull << 40)
#define MR_STORE_MAP_RESERVE (8u << 20)
#define MR_STORE_READERS_MAX 4096u /* processes that have it open */
#define MR_STORE_SWEEP_MAX   16u   /* dead entries that each write takes out */

/* Redis: all of one call, with a new connection; and how long calls fail at once after it was away. */
#define MR_STORE_REDIS_MS  2000
#define MR_STORE_BREAK_MS  10000
#define MR_STORE_REPLY_MAX (1u << 20) /* bytes of one reply */

#define MR_STORE_CHECK_MS 600000 /* mr_store_check */
#define MR_STORES_MAX     16u    /* stores of a process */

struct mr_store;

/* The stores of a process: one URL is one store however often it is named, since no process may open
 * an LMDB folder twice.  All 0 at the start. */
struct mr_stores {
	struct mr_store *first;
	size_t n;
	bool are_in_memory; /* whatever the URL, nothing of it is touched: for cases */
};

/* The store of `url`; nothing is touched yet.  It is the set's until mr_stores_close.  MR_USAGE: no
 * such URL, or one more than MR_STORES_MAX. */
enum mr_status
mr_stores_add(struct mr_stores *set, struct mr_store **store, const char *url, struct mr_err *err);
void mr_stores_close(struct mr_stores *set);

/* Forgets what stores in memory hold. */
void mr_stores_empty(struct mr_stores *set);

/* For mr_sandbox_enter: the folders that LMDB stores change, each made if it is not there, into `dir` of
 * MR_STORES_MAX + 1, with NULL behind them.  Views of the set. */
void mr_stores_folders(const struct mr_stores *set, const char **dir);

/* Before the first use, by a process that will live long: mr_store_check of each store that can be
 * damaged.  One that cannot be read is logged, and left to fail when it is used. */
void mr_stores_check(const struct mr_stores *set, const struct mr_log *log);

/* The URL without user and password. */
const char *mr_store_name(const struct mr_store *store);

enum mr_store_verb {
	MR_STORE_GET,
	MR_STORE_PUT,  /* set value and time to live */
	MR_STORE_ADD,  /* the same, if the key is not there */
	MR_STORE_INCR, /* a decimal number: add `by`, from 0; time to live is set when it is made */
	MR_STORE_DELETE
};

struct mr_store_op {
	enum mr_store_verb verb;
	struct mr_str key;   /* any bytes, 1 to MR_STORE_KEY_MAX of them */
	struct mr_str value; /* PUT, ADD: any bytes, at most MR_STORE_VALUE_MAX */
	int64_t by;          /* INCR */
	int64_t ttl_s;       /* PUT, ADD, INCR: 1 to MR_STORE_TTL_MAX_S */

	/* Set by mr_store_run: */
	bool is_found;     /* GET, ADD, DELETE: the key was there */
	int64_t count;     /* INCR: the number now */
	int64_t left_s;    /* GET: its time to live */
	struct mr_str got; /* GET, ADD: the value that was there, a view of `bytes` */
	char bytes[MR_STORE_VALUE_MAX];
};

/* Does `n` operations in order, in one transaction and one round trip; a batch of GET alone writes
 * nothing.  `now_s` is the wall clock (Redis has its own).  A key that is not there is MR_OK.
 * MR_TEMP: the store is away, full or damaged, an entry is not what it should be (the reason names it),
 * a number would overflow; LMDB then has done nothing, Redis perhaps a part, or all before it went away,
 * or all twice, when a connection that was idle broke.  MR_PERM: beyond a limit above; nothing was done. */
enum mr_status mr_store_run(
    struct mr_store *store, struct mr_store_op *ops, size_t n, int64_t now_s, struct mr_err *err);

struct mr_store_entry {
	struct mr_str key, value;
	int64_t left_s;
};

/* Calls `fn` for each entry whose key begins with `prefix`; views are valid during the call, which may
 * use the store.  A status of `fn` other than MR_OK ends it and is returned.  What comes or goes meanwhile may be
 * seen or not; Redis may show an entry twice. */
enum mr_status mr_store_each(struct mr_store *store, struct mr_str prefix, int64_t now_s,
    enum mr_status (*fn)(void *ctx, const struct mr_store_entry *entry, struct mr_err *err),
    void *ctx, struct mr_err *err);

/* Takes out all dead entries, in short transactions; *removed_n (Redis: 0, it does so itself). */
enum mr_status
mr_store_expire(struct mr_store *store, int64_t now_s, uint64_t *removed_n, struct mr_err *err);

/* Bytes in use, and the ceiling (0: none): LMDB of the file, Redis of the server's memory. */
enum mr_status
mr_store_size(struct mr_store *store, uint64_t *used, uint64_t *max, struct mr_err *err);

/* Reads all of an LMDB folder in a child process, because a damaged file can kill its reader; *entry_n
 * entries.  A damaged file is moved aside, with one line in the log: MR_NOTFOUND and why in `err`; the next
 * use makes a new one, and who has the old one open keeps it.  MR_TEMP: it cannot be read, or not be
 * moved.  Other back ends: whether they answer.  `store` need not be open; SIGCHLD must not be ignored. */
enum mr_status mr_store_check(
    struct mr_store *store, const struct mr_log *log, uint64_t *entry_n, struct mr_err *err);

/* The key "kind part part..." of `n` parts into storage of MR_STORE_KEY_MAX bytes; *key is a view of it.
 * `kind` is lower-case letters and the version of what stands under such keys ("g1"): a new version
 * never meets an old one's entries.  A blank or '%' in a part becomes %20 or %25, so different parts are
 * different keys; other bytes stay.  One too long becomes "kind#" and its SHA-256.  MR_TEMP: no hash. */
enum mr_status mr_store_key(char *storage, struct mr_str *key, const char *kind,
    const struct mr_str *part, size_t n, struct mr_err *err);

#endif
