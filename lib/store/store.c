#include "store/store.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "base/io.h"
#include "base/opt.h"
#include "store/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define WHERE_MEMORY_MAX 16384u

struct mr_store {
	struct mr_store *next;
	const struct mr_store_backend *backend;
	struct mr_arena arena; /* of url and where */
	struct mr_str url;
	struct mr_store_where where;
	void *state; /* of the back end; NULL: not open */
	pid_t pid;   /* who opened it */
};

/* ---- the URL ----------------------------------------------------------------------------------- */

/* Percent escapes (RFC 3986 section 2.1) undone, into the arena; NULL if wrong, or with a NUL in it. */
static const char *
unescape(struct mr_arena *arena, struct mr_str s)
{
	char *out = mr_arena_alloc(arena, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; out && i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '%') {
			char hex[3] = { 0 }, *end = hex;

			if (s.n - i < 3)
				return NULL;
			memcpy(hex, s.p + i + 1, 2);
			c = (unsigned char)strtoul(hex, &end, 16);
			if (end != hex + 2 || hex[0] == '+' || hex[0] == '-' || hex[0] == ' ')
				return NULL;
			i += 2;
		}
		if (c == '\0')
			return NULL;
		out[n++] = (char)c;
	}
	return out;
}

static enum mr_status
lmdb_where(struct mr_store *s, struct mr_str rest, struct mr_err *err)
{
	ptrdiff_t q = mr_str_rchr(rest, '?');
	struct mr_str dir = rest, max = { NULL, 0 };
	char path[MR_STORE_URL_MAX], num[32], *real;

	s->where.map_max = MR_STORE_MAP_MAX;
	if (q >= 0 && mr_str_starts(mr_str_from(rest, (size_t)q), "?max=")) {
		dir.n = (size_t)q;
		max = mr_str_from(rest, (size_t)q + 5);
	}
	while (dir.n > 1 && dir.p[dir.n - 1] == '/')
		dir.n--;
	if (!dir.n)
		return mr_err_set(err, MR_USAGE, "lmdb: names no folder");
	if (max.p) {
		snprintf(num, sizeof num, "%.*s", (int)max.n, max.p);
		if (max.n >= sizeof num
		    || mr_opt_size(
		        'S', num, MR_STORE_MAP_FLOOR, MR_STORE_MAP_CEILING, &s->where.map_max, err))
			return mr_err_set(err, MR_USAGE, "max=%s: need a size from %u to %llu", num,
			    MR_STORE_MAP_FLOOR, MR_STORE_MAP_CEILING);
	}
	/* Two names of one folder must be one store. */
	snprintf(path, sizeof path, "%.*s", (int)dir.n, dir.p);
	real = realpath(path, NULL);
	s->where.dir = mr_arena_fmt(&s->arena, "%s", real ? real : path).p;
	free(real);
	s->where.name = mr_arena_fmt(&s->arena, "lmdb:%s", s->where.dir ? s->where.dir : "").p;
	return s->where.name ? MR_OK : mr_err_set(err, MR_TEMP, "out of memory");
}

/* The words of these reasons hold nothing of the URL: there may be a password in it. */
static enum mr_status
redis_where(struct mr_store *s, struct mr_str rest, struct mr_err *err)
{
	struct mr_store_where *w = &s->where;
	ptrdiff_t at = mr_str_rchr(rest, '@'), slash, colon;
	struct mr_str host, db = MR_STR("0"), secret = { rest.p, at > 0 ? (size_t)at : 0 };
	uint64_t port, number;

	host = mr_str_from(rest, (size_t)(at + 1));
	if ((slash = mr_str_chr(host, '/')) >= 0) {
		db = mr_str_from(host, (size_t)slash + 1);
		host.n = (size_t)slash;
	}
	colon = mr_str_rchr(host, ':');
	if (colon <= 0 || !mr_str_num(mr_str_from(host, (size_t)colon + 1), 65535, &port) || !port)
		return mr_err_set(err, MR_USAGE, "redis: need HOST:PORT (IPv6: [ADDRESS]:PORT)");
	if (db.n && !mr_str_num(db, 65535, &number))
		return mr_err_set(err, MR_USAGE, "redis: the database is a number");
	host.n = (size_t)colon;
	w->port = (int)port;
	w->db = db.n ? (int)number : 0;
	w->name =
	    mr_arena_fmt(&s->arena, "redis://%.*s:%d/%d", (int)host.n, host.p, w->port, w->db).p;
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = (struct mr_str){ host.p + 1, host.n - 2 };
	w->host = mr_arena_dup(&s->arena, host).p;
	if (!w->host || !w->name)
		return mr_err_set(err, MR_TEMP, "out of memory");
	if (at < 0)
		return MR_OK;
	if ((colon = mr_str_chr(secret, ':')) < 0)
		return mr_err_set(err, MR_USAGE, "redis: need user:password before the @");
	if (colon > 0)
		w->user = unescape(&s->arena, (struct mr_str){ secret.p, (size_t)colon });
	w->password = unescape(&s->arena, mr_str_from(secret, (size_t)colon + 1));
	return w->password && (w->user || !colon)
	    ? MR_OK
	    : mr_err_set(err, MR_USAGE, "redis: wrong %%XX in user or password");
}

static enum mr_status
where_is(struct mr_store *s, struct mr_err *err)
{
	if (!s->url.p)
		return mr_err_set(err, MR_TEMP, "out of memory");
	if (mr_str_starts(s->url, "lmdb:")) {
		s->backend = &mr_store_lmdb;
		return lmdb_where(s, mr_str_from(s->url, 5), err);
	}
	if (mr_str_starts(s->url, "redis://")) {
		s->backend = &mr_store_redis;
		return redis_where(s, mr_str_from(s->url, 8), err);
	}
	s->backend = &mr_store_mem;
	s->where.name = s->url.p;
	return mr_str_is(s->url, "mem:")
	    ? MR_OK
	    : mr_err_set(err, MR_USAGE,
	        "no such store; need lmdb:DIR or redis://[user:password@]HOST:PORT[/DB]");
}

static void
store_free(struct mr_store *s)
{
	mr_arena_free(&s->arena);
	free(s);
}

enum mr_status
mr_stores_add(struct mr_stores *set, struct mr_store **store, const char *url, struct mr_err *err)
{
	struct mr_store *s;
	enum mr_status st;

	if (strlen(url) >= MR_STORE_URL_MAX)
		return mr_err_set(
		    err, MR_USAGE, "store: a URL has less than %u bytes", MR_STORE_URL_MAX);
	if (!(s = calloc(1, sizeof *s)))
		return mr_err_set(err, MR_TEMP, "out of memory");
	mr_arena_init(&s->arena, WHERE_MEMORY_MAX);
	s->url = mr_arena_dup(&s->arena, mr_str(url));
	if ((st = where_is(s, err))) {
		store_free(s);
		return st;
	}
	if (set->are_in_memory)
		s->backend = &mr_store_mem;
	for (*store = set->first; *store; *store = (*store)->next)
		if (strcmp((*store)->where.name, s->where.name) == 0) {
			store_free(s);
			return MR_OK;
		}
	if (set->n == MR_STORES_MAX) {
		store_free(s);
		return mr_err_set(err, MR_USAGE, "more than %u stores", MR_STORES_MAX);
	}
	s->next = set->first;
	*store = set->first = s;
	set->n++;
	return MR_OK;
}

void
mr_stores_empty(struct mr_stores *set)
{
	for (struct mr_store *s = set->first; s; s = s->next)
		if (s->state && s->backend == &mr_store_mem) {
			s->backend->close(s->state);
			s->state = NULL;
		}
}

void
mr_stores_close(struct mr_stores *set)
{
	while (set->first) {
		struct mr_store *s = set->first;

		set->first = s->next;
		if (s->state && s->pid == getpid())
			s->backend->close(s->state);
		store_free(s);
	}
	set->n = 0;
}

void
mr_stores_folders(const struct mr_stores *set, const char **dir)
{
	size_t n = 0;

	for (const struct mr_store *s = set->first; s; s = s->next)
		if (s->backend->make_folder && s->backend->make_folder(&s->where))
			dir[n++] = s->where.dir;
	dir[n] = NULL;
}

const char *
mr_store_name(const struct mr_store *store)
{
	return store->where.name;
}

/* What a parent has opened is the parent's: neither LMDB nor a connection may be shared, nor closed. */
static enum mr_status
ready(struct mr_store *s, struct mr_err *err)
{
	if (s->state && s->pid == getpid())
		return MR_OK;
	s->state = NULL;
	s->pid = getpid();
	return s->backend->open(&s->state, &s->where, err);
}

/* ---- operations -------------------------------------------------------------------------------- */

const char *
mr_store_show(char *storage, struct mr_str key)
{
	size_t n = 0;

	for (size_t i = 0; i < key.n && n < MR_STORE_SHOW_N - 5; i++) {
		unsigned char c = (unsigned char)key.p[i];

		n += (size_t)snprintf(storage + n, MR_STORE_SHOW_N - n,
		    c < ' ' || c > '~' || c == '\\' ? "\\x%02x" : "%c", c);
	}
	storage[n] = '\0';
	return storage;
}

static enum mr_status
check_op(const struct mr_store_op *op, struct mr_err *err)
{
	bool has_value = op->verb == MR_STORE_PUT || op->verb == MR_STORE_ADD;

	if (!op->key.n || op->key.n > MR_STORE_KEY_MAX)
		return mr_err_set(err, MR_PERM, "store: a key has 1 to %u bytes, not %zu",
		    MR_STORE_KEY_MAX, op->key.n);
	if (has_value && op->value.n > MR_STORE_VALUE_MAX)
		return mr_err_set(err, MR_PERM, "store: a value has at most %u bytes, not %zu",
		    MR_STORE_VALUE_MAX, op->value.n);
	if ((has_value || op->verb == MR_STORE_INCR)
	    && (op->ttl_s < 1 || op->ttl_s > MR_STORE_TTL_MAX_S))
		return mr_err_set(err, MR_PERM,
		    "store: a time to live is 1 to %d seconds, not %" PRId64, MR_STORE_TTL_MAX_S,
		    op->ttl_s);
	return MR_OK;
}

enum mr_status
mr_store_run(
    struct mr_store *store, struct mr_store_op *ops, size_t n, int64_t now_s, struct mr_err *err)
{
	enum mr_status st = MR_OK;

	if (!n || n > MR_STORE_OPS_MAX)
		return mr_err_set(err, MR_PERM, "store: a batch has 1 to %u operations, not %zu",
		    MR_STORE_OPS_MAX, n);
	for (size_t i = 0; st == MR_OK && i < n; i++) {
		st = check_op(&ops[i], err);
		ops[i].is_found = false;
		ops[i].count = ops[i].left_s = 0;
		ops[i].got = (struct mr_str){ NULL, 0 };
	}
	if (st || (st = ready(store, err)))
		return st;
	return store->backend->run(store->state, ops, n, now_s, err);
}

bool
mr_store_is_dead(const struct mr_store_item *item, int64_t now_s)
{
	return item->expires_s <= now_s;
}

int64_t
mr_store_left_s(const struct mr_store_item *item, int64_t now_s)
{
	int64_t left_s = item->expires_s - now_s;

	return left_s < item->ttl_s ? left_s : item->ttl_s;
}

/* A number as we and Redis write it: no blanks, no needless zeros, no plus. */
static bool
read_number(struct mr_str s, int64_t *n)
{
	bool is_negative = s.n && s.p[0] == '-';
	struct mr_str digits = mr_str_from(s, is_negative);
	uint64_t u;

	if (!digits.n || (digits.p[0] == '0' && s.n > 1)
	    || !mr_str_num(digits, (uint64_t)INT64_MAX + is_negative, &u))
		return false;
	*n = is_negative ? (int64_t)(0 - u) : (int64_t)u;
	return true;
}

static enum mr_status
incr(const struct mr_store_kv *kv, void *state, struct mr_store_op *op, struct mr_store_item item,
    struct mr_err *err)
{
	char show[MR_STORE_SHOW_N], number[MR_NUM_MAX];
	int64_t was = 0;

	if (op->is_found && !read_number(item.value, &was))
		return mr_err_set(
		    err, MR_TEMP, "store: not a number: %s", mr_store_show(show, op->key));
	if (__builtin_add_overflow(was, op->by, &op->count))
		return mr_err_set(
		    err, MR_TEMP, "store: number too large: %s", mr_store_show(show, op->key));
	item.value = mr_log_num(number, op->count);
	op->is_found = false;
	return kv->set(state, op->key, &item, err);
}

enum mr_status
mr_store_apply(const struct mr_store_kv *kv, void *state, struct mr_store_op *op, int64_t now_s,
    struct mr_err *err)
{
	struct mr_store_item fresh = { op->value, now_s + op->ttl_s, op->ttl_s }, item;
	enum mr_status st = kv->get(state, op->key, &item, err);

	if (st && st != MR_NOTFOUND)
		return st;
	op->is_found = st == MR_OK && !mr_store_is_dead(&item, now_s);
	if (op->is_found && (op->verb == MR_STORE_GET || op->verb == MR_STORE_ADD)) {
		memcpy(op->bytes, item.value.p, item.value.n);
		op->got = (struct mr_str){ op->bytes, item.value.n };
	}
	switch (op->verb) {
	case MR_STORE_GET:
		op->left_s = op->is_found ? mr_store_left_s(&item, now_s) : 0;
		return MR_OK;
	case MR_STORE_PUT:
		op->is_found = false;
		return kv->set(state, op->key, &fresh, err);
	case MR_STORE_ADD:
		return op->is_found ? MR_OK : kv->set(state, op->key, &fresh, err);
	case MR_STORE_INCR:
		return incr(kv, state, op, op->is_found ? item : fresh, err);
	default:
		return st ? MR_OK : kv->del(state, op->key, err);
	}
}

/* ---- all entries ------------------------------------------------------------------------------- */

enum mr_status
mr_store_page_add(struct mr_store_page *page, struct mr_str key, struct mr_str value,
    int64_t left_s, struct mr_err *err)
{
	struct mr_store_entry e = { mr_arena_dup(&page->arena, key),
		mr_arena_dup(&page->arena, value), left_s };

	if (!e.key.p || !e.value.p
	    || !mr_arena_grow(&page->arena, &page->v, page->n, &page->cap, sizeof e))
		return mr_err_set(err, MR_TEMP, "out of memory");
	page->v[page->n++] = e;
	return MR_OK;
}

enum mr_status
mr_store_each(struct mr_store *store, struct mr_str prefix, int64_t now_s,
    enum mr_status (*fn)(void *ctx, const struct mr_store_entry *entry, struct mr_err *err),
    void *ctx, struct mr_err *err)
{
	struct mr_store_pos pos = { .n = 0 };
	enum mr_status st = MR_OK;

	while (st == MR_OK && !pos.is_end && (st = ready(store, err)) == MR_OK) {
		struct mr_store_page page = { .n = 0 };

		mr_arena_init(&page.arena, MR_STORE_PAGE_MAX);
		st = store->backend->page(store->state, prefix, &pos, &page, now_s, err);
		for (size_t i = 0; st == MR_OK && i < page.n; i++)
			st = fn(ctx, &page.v[i], err);
		mr_arena_free(&page.arena);
	}
	return st;
}

enum mr_status
mr_store_expire(struct mr_store *store, int64_t now_s, uint64_t *removed_n, struct mr_err *err)
{
	uint64_t n = 1;
	enum mr_status st = ready(store, err);

	for (*removed_n = 0; st == MR_OK && n; *removed_n += n) {
		n = 0;
		st = store->backend->expire(store->state, now_s, &n, err);
	}
	return st;
}

enum mr_status
mr_store_size(struct mr_store *store, uint64_t *used, uint64_t *max, struct mr_err *err)
{
	enum mr_status st = ready(store, err);

	return st ? st : store->backend->size(store->state, used, max, err);
}

/* ---- check ------------------------------------------------------------------------------------- */

/* What the child found; a child that dies says nothing. */
struct finding {
	enum mr_status st;
	uint64_t entry_n;
	struct mr_err err;
};

static void
inspect(const struct mr_store *s, int out)
{
	const struct rlimit no_core = { 0, 0 };
	struct finding f = { .entry_n = 0 };

	setrlimit(RLIMIT_CORE, &no_core);
	f.st = s->backend->verify(&s->where, &f.entry_n, &f.err);
	mr_io_write(out, (struct mr_str){ (const char *)&f, sizeof f }, NULL);
	_exit(0);
}

/* The child's finding, or what its end says. */
static enum mr_status
listen_to(pid_t pid, int in, struct finding *f, struct mr_err *err)
{
	int64_t deadline_ms = mr_clock_mono_ms() + MR_STORE_CHECK_MS;
	bool is_late = mr_io_wait(in, POLLIN, deadline_ms, NULL) != MR_OK;
	ssize_t n = is_late ? 0 : read(in, f, sizeof *f);
	int status = 0;

	if (is_late)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return mr_err_sys(err, MR_TEMP, "check: wait");
	if (is_late)
		return mr_err_set(
		    err, MR_TEMP, "check: not done in %d s", MR_STORE_CHECK_MS / 1000);
	if (n == (ssize_t)sizeof *f) {
		f->err.text[MR_ERR_MAX - 1] = '\0';
		return f->st ? mr_err_set(err, f->st, "%s", f->err.text) : MR_OK;
	}
	if (WIFSIGNALED(status))
		return mr_err_set(err, MR_PERM, "reading it ends in signal %d (%s)",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	return mr_err_set(err, MR_PERM, "reading it ends in exit code %d", WEXITSTATUS(status));
}

static enum mr_status
check_in_child(const struct mr_store *s, uint64_t *entry_n, struct mr_err *err)
{
	struct finding f = { .entry_n = 0 };
	enum mr_status st;
	int fd[2];
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return mr_err_sys(err, MR_TEMP, "check: pipe");
	pid = fork();
	if (pid == 0)
		inspect(s, fd[1]);
	close(fd[1]);
	st = pid < 0 ? mr_err_sys(err, MR_TEMP, "check: fork") : listen_to(pid, fd[0], &f, err);
	close(fd[0]);
	*entry_n = f.entry_n;
	return st;
}

enum mr_status
mr_store_check(
    struct mr_store *store, const struct mr_log *log, uint64_t *entry_n, struct mr_err *err)
{
	struct mr_str path;
	struct mr_err why;
	char suffix[40];
	uint64_t file_id;
	enum mr_status st;

	*entry_n = 0;
	if (!store->backend->verify) {
		uint64_t used, max;

		return mr_store_size(store, &used, &max, err);
	}
	file_id = store->backend->file_id(&store->where);
	if ((st = check_in_child(store, entry_n, err)) != MR_PERM)
		return st;
	snprintf(suffix, sizeof suffix, ".damaged-%" PRId64, mr_clock_now_us());
	if ((st = store->backend->move(&store->where, file_id, suffix, &why)))
		return mr_err_set(err, st, "%s", why.text);
	path = mr_arena_fmt(&store->arena, "%s/data.mdb%s", store->where.dir, suffix);
	MR_LOG(log, MR_LOG_FAULT, "store", { "store", mr_str(store->where.name) },
	    { "why", mr_str(err->text) }, { "moved", path });
	return MR_NOTFOUND;
}

void
mr_stores_check(const struct mr_stores *set, const struct mr_log *log)
{
	for (struct mr_store *s = set->first; s; s = s->next) {
		enum mr_status st;
		struct mr_err err;
		uint64_t n;

		if (!s->backend->verify)
			continue;
		st = mr_store_check(s, log, &n, &err);
		if (st && st != MR_NOTFOUND)
			MR_LOG(log, MR_LOG_FAULT, "store", { "store", mr_str(s->where.name) },
			    { "why", mr_str(err.text) });
	}
}

/* ---- keys -------------------------------------------------------------------------------------- */

/* Adds " part" to the key; false if it is too long. */
static bool
add_part(char *storage, size_t *n, struct mr_str part)
{
	if (*n >= MR_STORE_KEY_MAX)
		return false;
	storage[(*n)++] = ' ';
	for (size_t i = 0; i < part.n; i++) {
		bool is_plain = part.p[i] != ' ' && part.p[i] != '%';

		if (MR_STORE_KEY_MAX - *n < (is_plain ? 1u : 3u))
			return false;
		if (is_plain)
			storage[(*n)++] = part.p[i];
		else {
			memcpy(storage + *n, part.p[i] == ' ' ? "%20" : "%25", 3);
			*n += 3;
		}
	}
	return true;
}

/* Of the parts' lengths and bytes: as unambiguous as the readable form. */
static enum mr_status
hashed(char *storage, struct mr_str *key, const char *kind, const struct mr_str *part, size_t n,
    struct mr_err *err)
{
	uint8_t hash[MR_SHA256_N];
	size_t all_n = 0, at;
	enum mr_status st;
	struct mr_buf all;

	for (size_t i = 0; i < n; i++)
		all_n += part[i].n + MR_NUM_MAX + 1;
	mr_buf_init(&all, all_n);
	for (size_t i = 0; i < n; i++) {
		mr_buf_addf(&all, "%zu:", part[i].n);
		mr_buf_add(&all, part[i]);
	}
	st = all.is_full ? mr_err_set(err, MR_TEMP, "out of memory")
	                 : mr_sha256(hash, mr_buf_str(&all), err);
	mr_buf_free(&all);
	if (st)
		return st;
	at = (size_t)snprintf(storage, MR_STORE_KEY_MAX, "%.16s#", kind);
	for (size_t i = 0; i < sizeof hash; i++)
		at += (size_t)snprintf(storage + at, 3, "%02x", hash[i]);
	*key = (struct mr_str){ storage, at };
	return MR_OK;
}

enum mr_status
mr_store_key(char *storage, struct mr_str *key, const char *kind, const struct mr_str *part,
    size_t n, struct mr_err *err)
{
	size_t at = (size_t)snprintf(storage, MR_STORE_KEY_MAX, "%.16s", kind);

	for (size_t i = 0; i < n; i++)
		if (!add_part(storage, &at, part[i]))
			return hashed(storage, key, kind, part, n, err);
	*key = (struct mr_str){ storage, at };
	return MR_OK;
}
