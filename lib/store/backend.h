/* backend.h - what a back end of the store is; for lib/store only. */
#ifndef MR_STORE_BACKEND_H
#define MR_STORE_BACKEND_H

#include "base/arena.h"
#include "store/store.h"

/* A URL, taken apart; strings live as long as the store. */
struct mr_store_where {
	const char *name; /* for reasons; no password */
	const char *dir;  /* LMDB */
	uint64_t map_max;
	const char *host, *user, *password; /* Redis; user, password may be NULL */
	int port, db;
};

/* Where a walk stands; all 0 at the start. */
struct mr_store_pos {
	bool is_end;
	size_t n;
	char bytes[MR_STORE_KEY_MAX];
};

/* A bounded piece of a walk. */
struct mr_store_page {
	struct mr_arena arena;
	struct mr_store_entry *v;
	size_t n, cap;
};
#define MR_STORE_PAGE_N   128u       /* entries that a back end looks at for one page */
#define MR_STORE_PAGE_MAX (4u << 20) /* bytes */

enum mr_status mr_store_page_add(struct mr_store_page *page, struct mr_str key, struct mr_str value,
    int64_t left_s, struct mr_err *err);

/* Arguments have been checked; run, page, size: as in store.h. */
struct mr_store_backend {
	enum mr_status (*open)(
	    void **state, const struct mr_store_where *where, struct mr_err *err);
	void (*close)(void *state);
	enum mr_status (*run)(
	    void *state, struct mr_store_op *ops, size_t n, int64_t now_s, struct mr_err *err);
	enum mr_status (*page)(void *state, struct mr_str prefix, struct mr_store_pos *pos,
	    struct mr_store_page *page, int64_t now_s, struct mr_err *err);
	/* Takes out some dead entries; *n is 0 when there are no more. */
	enum mr_status (*expire)(void *state, int64_t now_s, uint64_t *n, struct mr_err *err);
	enum mr_status (*size)(void *state, uint64_t *used, uint64_t *max, struct mr_err *err);
	/* NULL: it has no folder.  Makes it if it is not there; false if that cannot be. */
	bool (*make_folder)(const struct mr_store_where *where);
	/* NULL: there is nothing that could be damaged.  verify: opens, reads everything, closes; MR_PERM:
	 * damaged.  file_id: which file that is; move: puts it aside, "SUFFIX" behind its name, if it still is
	 * that file. */
	enum mr_status (*verify)(
	    const struct mr_store_where *where, uint64_t *entry_n, struct mr_err *err);
	uint64_t (*file_id)(const struct mr_store_where *where);
	enum mr_status (*move)(const struct mr_store_where *where, uint64_t file_id,
	    const char *suffix, struct mr_err *err);
};

extern const struct mr_store_backend mr_store_mem, mr_store_lmdb, mr_store_redis;

/* An entry as a back end without operations of its own keeps it. */
struct mr_store_item {
	struct mr_str value;
	int64_t expires_s; /* dead from this second on */
	int64_t ttl_s; /* as it was given: when the clock went back, no more than this is left */
};

bool mr_store_is_dead(const struct mr_store_item *item, int64_t now_s);
int64_t mr_store_left_s(const struct mr_store_item *item, int64_t now_s);

/* One operation by three functions of the back end: get (MR_NOTFOUND; dead entries may come back), set, del. */
struct mr_store_kv {
	enum mr_status (*get)(
	    void *state, struct mr_str key, struct mr_store_item *item, struct mr_err *err);
	enum mr_status (*set)(
	    void *state, struct mr_str key, const struct mr_store_item *item, struct mr_err *err);
	enum mr_status (*del)(void *state, struct mr_str key, struct mr_err *err);
};
enum mr_status mr_store_apply(const struct mr_store_kv *kv, void *state, struct mr_store_op *op,
    int64_t now_s, struct mr_err *err);

/* Bytes for a reason: printable, cut to what fits into storage of MR_STORE_SHOW_N bytes. */
#define MR_STORE_SHOW_N 100
const char *mr_store_show(char *storage, struct mr_str key);

#endif
