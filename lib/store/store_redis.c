/* Redis: hiredis connects and reads replies; sending, waiting and limits are ours, because its writes raise
 * SIGPIPE and its time-outs begin anew with each byte.  Keys are "mr:" and the store's key; each batch is one
 * MULTI...EXEC, sent and answered in one round trip. */
#include "store/backend.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/lazy.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PREFIX      "mr:"
#define PREFIX_N    (sizeof PREFIX - 1)
#define WORDS_MAX   6u
#define REQUEST_MAX (MR_STORE_OPS_MAX * 2 * (MR_STORE_KEY_MAX + MR_STORE_VALUE_MAX + 256))

#define LIB(name) name
/* clang-format off */
#define FUNCTIONS(F) \
	F(freeReplyObject) F(redisBufferRead) F(redisConnectWithTimeout) F(redisFree) F(redisGetReplyFromReader)
/* clang-format on */

struct hiredis {
	FUNCTIONS(MR_LAZY_FIELD)
};

struct redis {
	struct hiredis lib;
	const struct mr_store_where *where;
	redisContext *c; /* NULL: no connection */
	bool is_cut;     /* the connection broke, rather than a deadline passed */
	int64_t away_until_ms;
	struct mr_err why_away;
	struct mr_buf request;
};

/* ---- requests ---------------------------------------------------------------------------------- */

/* A command of words; the list ends at the first that is not there. */
static void
add(struct redis *r, const struct mr_str *word)
{
	size_t n = 0;

	while (n < WORDS_MAX && word[n].p)
		n++;
	mr_buf_addf(&r->request, "*%zu\r\n", n);
	for (size_t i = 0; i < n; i++) {
		mr_buf_addf(&r->request, "$%zu\r\n", word[i].n);
		mr_buf_add(&r->request, word[i]);
		mr_buf_adds(&r->request, "\r\n");
	}
}
#define ADD(r, ...) add((r), (const struct mr_str[WORDS_MAX]){ __VA_ARGS__ })

/* ---- the connection ---------------------------------------------------------------------------- */

static void
drop(struct redis *r)
{
	if (r->c)
		r->lib.redisFree(r->c);
	r->c = NULL;
}

static enum mr_status
broken(struct redis *r, const char *why, struct mr_err *err)
{
	mr_err_set(err, MR_TEMP, "%s: %s", r->where->name, why);
	drop(r); /* `why` may stand in it */
	r->is_cut = true;
	return MR_TEMP;
}

static enum mr_status
wait_for(struct redis *r, short events, int64_t deadline_ms, struct mr_err *err)
{
	if (mr_clock_left_ms(deadline_ms) > 0
	    && mr_io_wait(r->c->fd, events, deadline_ms, NULL) == MR_OK)
		return MR_OK;
	broken(r, "no answer in time", err);
	r->is_cut = false;
	return MR_TEMP;
}

static enum mr_status
send_request(struct redis *r, int64_t deadline_ms, struct mr_err *err)
{
	struct mr_str left = mr_buf_str(&r->request);

	if (r->request.is_full)
		return mr_err_set(err, MR_TEMP, "out of memory");
	while (left.n) {
		ssize_t n = send(r->c->fd, left.p, left.n, MSG_NOSIGNAL);

		if (n >= 0)
			left = mr_str_from(left, (size_t)n);
		else if (errno == EAGAIN) {
			if (wait_for(r, POLLOUT, deadline_ms, err))
				return MR_TEMP;
		} else if (errno != EINTR)
			return broken(r, strerror(errno), err);
	}
	return MR_OK;
}

/* The next reply, the caller's to free. */
static enum mr_status
receive(struct redis *r, redisReply **reply, int64_t deadline_ms, struct mr_err *err)
{
	void *got = NULL;

	for (;;) {
		if (r->lib.redisGetReplyFromReader(r->c, &got) != REDIS_OK)
			return broken(r, r->c->errstr, err);
		if ((*reply = got))
			return MR_OK;
		if (r->c->reader->len > MR_STORE_REPLY_MAX)
			return broken(r, "its answer is too long", err);
		if (wait_for(r, POLLIN, deadline_ms, err))
			return MR_TEMP;
		if (r->lib.redisBufferRead(r->c) != REDIS_OK)
			return broken(r, r->c->errstr, err);
	}
}

/* Receives `n` replies and keeps the last; an error among them is the reason. */
static enum mr_status
receive_last(struct redis *r, size_t n, redisReply **last, int64_t deadline_ms, struct mr_err *err)
{
	bool is_error = false;

	for (*last = NULL; n; n--) {
		r->lib.freeReplyObject(*last);
		*last = NULL;
		if (receive(r, last, deadline_ms, err))
			return MR_TEMP;
		if ((*last)->type == REDIS_REPLY_ERROR && !is_error) {
			mr_err_set(err, MR_TEMP, "%s: %s", r->where->name, (*last)->str);
			is_error = true;
		}
	}
	if (!is_error)
		return MR_OK;
	r->lib.freeReplyObject(*last);
	*last = NULL;
	return MR_TEMP;
}

static enum mr_status
connect_to(struct redis *r, int64_t deadline_ms, struct mr_err *err)
{
	int left_ms = mr_clock_left_ms(deadline_ms), flags;
	struct timeval left = { left_ms / 1000, left_ms % 1000 * 1000 };

	r->c = r->lib.redisConnectWithTimeout(r->where->host, r->where->port, left);
	if (!r->c)
		return mr_err_set(err, MR_TEMP, "out of memory");
	if (r->c->err)
		return broken(r, r->c->errstr, err);
	r->c->flags &= ~REDIS_BLOCK;
	if ((flags = fcntl(r->c->fd, F_GETFL)) < 0
	    || fcntl(r->c->fd, F_SETFL, flags | O_NONBLOCK) < 0
	    || fcntl(r->c->fd, F_SETFD, FD_CLOEXEC) < 0)
		return broken(r, strerror(errno), err);
	return MR_OK;
}

static enum mr_status
log_in(struct redis *r, int64_t deadline_ms, struct mr_err *err)
{
	struct mr_str user = mr_str(r->where->user), password = mr_str(r->where->password);
	redisReply *reply;
	enum mr_status st;

	mr_buf_clear(&r->request);
	if (user.p)
		ADD(r, MR_STR("AUTH"), user, password);
	else if (password.p)
		ADD(r, MR_STR("AUTH"), password);
	ADD(r, MR_STR("SELECT"), MR_NUM(r->where->db));
	st = send_request(r, deadline_ms, err);
	if (st == MR_OK)
		st = receive_last(r, password.p ? 2 : 1, &reply, deadline_ms, err);
	if (st == MR_OK)
		r->lib.freeReplyObject(reply);
	else
		drop(r);
	return st;
}

/* Sends what `make` writes and gets the last of its *n replies.  A connection that was idle may have been
 * closed by the server: that is tried once more; any other break opens the breaker. */
static enum mr_status
ask(struct redis *r, size_t (*make)(struct redis *r, const void *what, size_t n), const void *what,
    size_t n, redisReply **reply, struct mr_err *err)
{
	int64_t now_ms = mr_clock_mono_ms(), deadline_ms = now_ms + MR_STORE_REDIS_MS;
	bool was_idle = r->c != NULL, is_new = false;
	enum mr_status st;
	size_t reply_n;

	if (now_ms < r->away_until_ms)
		return mr_err_set(err, MR_TEMP, "%.400s (not asked again for %d s)",
		    r->why_away.text, (int)((r->away_until_ms - now_ms + 999) / 1000));
	for (;;) {
		st = MR_OK;
		if (!r->c) {
			is_new = true;
			st = connect_to(r, deadline_ms, err);
			if (st == MR_OK)
				st = log_in(r, deadline_ms, err);
		}
		if (st == MR_OK) {
			mr_buf_clear(&r->request);
			reply_n = make(r, what, n);
			st = send_request(r, deadline_ms, err);
			if (st == MR_OK)
				st = receive_last(r, reply_n, reply, deadline_ms, err);
		}
		if (st == MR_OK || r->c || !was_idle || is_new || !r->is_cut)
			break;
	}
	if (st && !r->c) {
		r->away_until_ms = mr_clock_mono_ms() + MR_STORE_BREAK_MS;
		mr_err_set(&r->why_away, MR_TEMP, "%s", err ? err->text : "away");
	}
	return st;
}

/* ---- operations -------------------------------------------------------------------------------- */

static struct mr_str
full_key(char *storage, struct mr_str key)
{
	memcpy(storage, PREFIX, PREFIX_N);
	memcpy(storage + PREFIX_N, key.p, key.n);
	return (struct mr_str){ storage, PREFIX_N + key.n };
}

/* Replies that an operation has. */
static size_t
replies(const struct mr_store_op *op)
{
	return op->verb == MR_STORE_PUT || op->verb == MR_STORE_DELETE ? 1 : 2;
}

static size_t
make_ops(struct redis *r, const void *what, size_t n)
{
	const struct mr_store_op *op = what;
	char storage[PREFIX_N + MR_STORE_KEY_MAX];
	const struct mr_str set = MR_STR("SET"), get = MR_STR("GET"), ex = MR_STR("EX");
	size_t reply_n = 2; /* of MULTI and EXEC */

	ADD(r, MR_STR("MULTI"));
	for (const struct mr_store_op *all = op + n; op < all; op++) {
		struct mr_str key = full_key(storage, op->key), ttl = MR_NUM(op->ttl_s);
		struct mr_str value = op->value.p ? op->value : MR_STR("");

		switch (op->verb) {
		case MR_STORE_GET:
			ADD(r, get, key);
			ADD(r, MR_STR("PTTL"), key);
			break;
		case MR_STORE_PUT:
			ADD(r, set, key, value, ex, ttl);
			break;
		case MR_STORE_ADD:
			ADD(r, set, key, value, MR_STR("NX"), ex, ttl);
			ADD(r, get, key);
			break;
		case MR_STORE_INCR:
			ADD(r, set, key, MR_STR("0"), MR_STR("NX"), ex, ttl);
			ADD(r, MR_STR("INCRBY"), key, MR_NUM(op->by));
			break;
		default:
			ADD(r, MR_STR("DEL"), key);
		}
	}
	ADD(r, MR_STR("EXEC"));
	for (size_t i = 0; i < n; i++)
		reply_n += replies((const struct mr_store_op *)what + i);
	return reply_n;
}

static enum mr_status
wrong(const struct redis *r, struct mr_str key, const redisReply *reply, struct mr_err *err)
{
	char show[MR_STORE_SHOW_N];

	return mr_err_set(err, MR_TEMP, "%s: %s: %s", r->where->name, mr_store_show(show, key),
	    reply->type == REDIS_REPLY_ERROR ? reply->str : "an answer of the wrong type");
}

/* The value that was there, if one was. */
static enum mr_status
take_value(
    const struct redis *r, struct mr_store_op *op, const redisReply *reply, struct mr_err *err)
{
	if (reply->type == REDIS_REPLY_NIL)
		return MR_OK;
	if (reply->type != REDIS_REPLY_STRING || reply->len > MR_STORE_VALUE_MAX)
		return wrong(r, op->key, reply, err);
	memcpy(op->bytes, reply->str, reply->len);
	op->got = (struct mr_str){ op->bytes, reply->len };
	op->is_found = true;
	return MR_OK;
}

static enum mr_status
take_number(const struct redis *r, const struct mr_store_op *op, const redisReply *reply,
    int64_t *n, struct mr_err *err)
{
	if (reply->type != REDIS_REPLY_INTEGER)
		return wrong(r, op->key, reply, err);
	*n = reply->integer;
	return MR_OK;
}

/* SET: OK, or nil for NX. */
static enum mr_status
take_set(const struct redis *r, const struct mr_store_op *op, const redisReply *reply, bool *is_set,
    struct mr_err *err)
{
	*is_set = reply->type == REDIS_REPLY_STATUS;
	return *is_set || (reply->type == REDIS_REPLY_NIL && op->verb != MR_STORE_PUT)
	    ? MR_OK
	    : wrong(r, op->key, reply, err);
}

/* `reply` points to the first of the operation's replies. */
static enum mr_status
take(const struct redis *r, struct mr_store_op *op, redisReply **reply, struct mr_err *err)
{
	int64_t n = 0;
	bool is_set = false;
	enum mr_status st;

	switch (op->verb) {
	case MR_STORE_GET:
		if ((st = take_value(r, op, reply[0], err))
		    || (st = take_number(r, op, reply[1], &n, err)))
			return st;
		/* -1: somebody else made it, without an end */
		if (n < 0 || n > INT64_C(1000) * MR_STORE_TTL_MAX_S)
			n = INT64_C(1000) * MR_STORE_TTL_MAX_S;
		op->left_s = op->is_found ? (n + 999) / 1000 : 0;
		return MR_OK;
	case MR_STORE_ADD:
		if ((st = take_set(r, op, reply[0], &is_set, err)) || is_set)
			return st;
		return take_value(r, op, reply[1], err);
	case MR_STORE_INCR:
		if ((st = take_set(r, op, reply[0], &is_set, err)))
			return st;
		return take_number(r, op, reply[1], &op->count, err);
	case MR_STORE_PUT:
		return take_set(r, op, reply[0], &is_set, err);
	default:
		st = take_number(r, op, reply[0], &n, err);
		op->is_found = n > 0;
		return st;
	}
}

static enum mr_status
redis_run(void *state, struct mr_store_op *ops, size_t n, int64_t now_s, struct mr_err *err)
{
	struct redis *r = state;
	redisReply *reply;
	size_t at = 0, want = 0;
	enum mr_status st;

	(void)now_s;
	if ((st = ask(r, make_ops, ops, n, &reply, err)))
		return st;
	for (size_t i = 0; i < n; i++)
		want += replies(&ops[i]);
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != want) {
		st = wrong(r, ops[0].key, reply, err);
		drop(r); /* what follows may answer anything */
	}
	for (size_t i = 0; st == MR_OK && i < n; i++) {
		st = take(r, &ops[i], reply->element + at, err);
		at += replies(&ops[i]);
	}
	r->lib.freeReplyObject(reply);
	return st;
}

/* ---- the rest ---------------------------------------------------------------------------------- */

struct scan {
	struct mr_str cursor, prefix;
};

static size_t
make_scan(struct redis *r, const void *what, size_t n)
{
	const struct scan *scan = what;
	char pattern[PREFIX_N + 2 * MR_STORE_KEY_MAX + 1] = PREFIX;
	size_t at = PREFIX_N;

	for (size_t i = 0; i < scan->prefix.n && i < MR_STORE_KEY_MAX; i++) {
		if (scan->prefix.p[i] && strchr("*?[]^\\", scan->prefix.p[i]))
			pattern[at++] = '\\';
		pattern[at++] = scan->prefix.p[i];
	}
	pattern[at++] = '*';
	ADD(r, MR_STR("SCAN"), scan->cursor, MR_STR("MATCH"), (struct mr_str){ pattern, at },
	    MR_STR("COUNT"), MR_NUM(MR_STORE_PAGE_N));
	return n;
}

/* Gets the values of some keys of a SCAN; what is gone meanwhile, or is no key of ours, is left out. */
static enum mr_status
add_entries(
    struct redis *r, redisReply **key, size_t n, struct mr_store_page *page, struct mr_err *err)
{
	struct mr_store_op ops[MR_STORE_OPS_MAX];
	size_t op_n = 0;
	enum mr_status st = MR_OK;

	for (size_t i = 0; i < n; i++)
		if (key[i]->type == REDIS_REPLY_STRING && key[i]->len > PREFIX_N
		    && key[i]->len <= PREFIX_N + MR_STORE_KEY_MAX)
			ops[op_n++] = (struct mr_store_op){ .verb = MR_STORE_GET,
				.key = { key[i]->str + PREFIX_N, key[i]->len - PREFIX_N } };
	if (op_n)
		st = redis_run(r, ops, op_n, 0, err);
	for (size_t i = 0; st == MR_OK && i < op_n; i++)
		if (ops[i].is_found)
			st = mr_store_page_add(page, ops[i].key, ops[i].got, ops[i].left_s, err);
	return st;
}

static enum mr_status
redis_page(void *state, struct mr_str prefix, struct mr_store_pos *pos, struct mr_store_page *page,
    int64_t now_s, struct mr_err *err)
{
	struct redis *r = state;
	struct scan scan = { pos->n ? (struct mr_str){ pos->bytes, pos->n } : MR_STR("0"), prefix };
	redisReply *reply, *cursor, *keys;
	enum mr_status st;

	(void)now_s;
	if ((st = ask(r, make_scan, &scan, 1, &reply, err)))
		return st;
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
	    || (cursor = reply->element[0])->type != REDIS_REPLY_STRING || !cursor->len
	    || cursor->len > sizeof pos->bytes
	    || (keys = reply->element[1])->type != REDIS_REPLY_ARRAY) {
		st = wrong(r, MR_STR("SCAN"), reply, err);
		r->lib.freeReplyObject(reply);
		return st;
	}
	memcpy(pos->bytes, cursor->str, cursor->len);
	pos->n = cursor->len;
	pos->is_end = mr_str_is((struct mr_str){ pos->bytes, pos->n }, "0");
	for (size_t i = 0; st == MR_OK && i < keys->elements; i += MR_STORE_OPS_MAX)
		st = add_entries(r, keys->element + i,
		    keys->elements - i < MR_STORE_OPS_MAX ? keys->elements - i : MR_STORE_OPS_MAX,
		    page, err);
	r->lib.freeReplyObject(reply);
	return st;
}

static enum mr_status
redis_expire(void *state, int64_t now_s, uint64_t *n, struct mr_err *err)
{
	(void)state;
	(void)now_s;
	(void)err;
	*n = 0;
	return MR_OK;
}

static size_t
make_info(struct redis *r, const void *what, size_t n)
{
	(void)what;
	ADD(r, MR_STR("INFO"), MR_STR("memory"));
	return n;
}

/* The number on the line "name:number". */
static uint64_t
info_number(struct mr_str info, const char *name)
{
	struct mr_str line;
	uint64_t n = 0;

	while (mr_str_split(&info, '\n', &line))
		if (mr_str_starts(line, name)) {
			line = mr_str_from(line, strlen(name));
			line.n -= line.n && line.p[line.n - 1] == '\r';
			mr_str_num(line, INT64_MAX, &n);
		}
	return n;
}

static enum mr_status
redis_size(void *state, uint64_t *used, uint64_t *max, struct mr_err *err)
{
	struct redis *r = state;
	redisReply *reply;
	enum mr_status st = ask(r, make_info, NULL, 1, &reply, err);

	if (st)
		return st;
	if (reply->type == REDIS_REPLY_STRING) {
		*used = info_number((struct mr_str){ reply->str, reply->len }, "used_memory:");
		*max = info_number((struct mr_str){ reply->str, reply->len }, "maxmemory:");
	} else
		st = wrong(r, MR_STR("INFO"), reply, err);
	r->lib.freeReplyObject(reply);
	return st;
}

static enum mr_status
redis_open(void **state, const struct mr_store_where *where, struct mr_err *err)
{
	struct redis *r = calloc(1, sizeof *r);
	enum mr_status st;

	if (!r)
		return mr_err_set(err, MR_TEMP, "out of memory");
	if ((st = MR_LAZY_LOAD(&r->lib, FUNCTIONS, err))) {
		free(r);
		return st;
	}
	r->where = where;
	mr_buf_init(&r->request, REQUEST_MAX);
	*state = r;
	return MR_OK;
}

static void
redis_close(void *state)
{
	struct redis *r = state;

	drop(r);
	mr_buf_free(&r->request);
	free(r);
}

const struct mr_store_backend mr_store_redis = { .open = redis_open,
	.close = redis_close,
	.run = redis_run,
	.page = redis_page,
	.expire = redis_expire,
	.size = redis_size };
