/* store.c - lib/store/store: one contract, three back ends; keys; URLs. */
#include "store/store.h"

#include "../redis_server.h"
#include "../tap.h"

#include <inttypes.h>
#include <stdlib.h>

#define NOW 1000000

static struct mr_stores set;
static struct mr_store *store;
static struct mr_err err;
static bool is_redis;

static struct mr_store_op
op_of(enum mr_store_verb verb, struct mr_str key, struct mr_str value, int64_t by, int64_t ttl_s)
{
	return (struct mr_store_op){
		.verb = verb, .key = key, .value = value, .by = by, .ttl_s = ttl_s
	};
}

/* One operation at a time; the answer is in the static operation until the next. */
static struct mr_store_op op;

static enum mr_status
run(struct mr_store_op what, int64_t now_s)
{
	op = what;
	if (op.verb == MR_STORE_GET)
		memset(op.bytes, 'x', sizeof op.bytes);
	return mr_store_run(store, &op, 1, now_s, &err);
}
#define GET(key)           run(op_of(MR_STORE_GET, mr_str(key), MR_STR(""), 0, 0), NOW)
#define PUT(key, value, t) run(op_of(MR_STORE_PUT, mr_str(key), mr_str(value), 0, t), NOW)
#define ADD(key, value, t) run(op_of(MR_STORE_ADD, mr_str(key), mr_str(value), 0, t), NOW)
#define INCR(key, by, t)   run(op_of(MR_STORE_INCR, mr_str(key), MR_STR(""), by, t), NOW)
#define DELETE(key)        run(op_of(MR_STORE_DELETE, mr_str(key), MR_STR(""), 0, 0), NOW)

static void
single(void)
{
	ok(GET("k") == MR_OK && !op.is_found && !op.got.p, "get: not there");
	ok(PUT("k", "v1", 100) == MR_OK && GET("k") == MR_OK && op.is_found, "put, get: %s",
	    err.text);
	is(op.got, "v1", "the value");
	ok(op.left_s > 90 && op.left_s <= 100, "time to live: %" PRId64, op.left_s);
	ok(ADD("k", "v2", 50) == MR_OK && op.is_found, "add: there already");
	is(op.got, "v1", "what is there");
	ok(GET("k") == MR_OK && op.left_s > 90, "and it keeps its time to live");
	ok(PUT("k", "v3", 50) == MR_OK && GET("k") == MR_OK && op.left_s <= 50, "put over it");
	is(op.got, "v3", "new value, new time to live");
	ok(PUT("k", "", 50) == MR_OK && GET("k") == MR_OK && op.is_found && op.got.p,
	    "put nothing");
	is(op.got, "", "an empty value is a value");
	ok(DELETE("k") == MR_OK && op.is_found, "delete");
	ok(DELETE("k") == MR_OK && !op.is_found, "delete what is not there");
	ok(GET("k") == MR_OK && !op.is_found, "it is gone");
	ok(ADD("k", "v4", 50) == MR_OK && !op.is_found && !op.got.p, "add: new");
	ok(GET("k") == MR_OK && op.is_found, "get what was added");
	is(op.got, "v4", "its value");
	DELETE("k");
}

static void
numbers(void)
{
	ok(INCR("n", 3, 100) == MR_OK && op.count == 3, "increment begins at 0: %s", err.text);
	ok(INCR("n", 4, 5000) == MR_OK && op.count == 7, "and adds");
	ok(GET("n") == MR_OK && op.left_s <= 100, "time to live is that of the first");
	is(op.got, "7", "the value is the number");
	ok(INCR("n", -10, 100) == MR_OK && op.count == -3, "negative");
	ok(PUT("n", "9223372036854775806", 100) == MR_OK && INCR("n", 1, 100) == MR_OK
	        && op.count == INT64_MAX,
	    "the largest");
	ok(INCR("n", 1, 100) == MR_TEMP && strstr(err.text, "n"), "larger: %s", err.text);
	ok(GET("n") == MR_OK && op.is_found, "it stays");
	is(op.got, "9223372036854775807", "as it was");
	for (const char *const *v =
	         (const char *const[]){ "x", "", "1x", "01", "+1", " 1", "1.5", NULL };
	     *v; v++) {
		ok(PUT("bad\x01number", *v, 100) == MR_OK
		        && INCR("bad\x01number", 1, 100) == MR_TEMP,
		    "no number: '%s'", *v);
		ok(strstr(err.text, "bad\\x01number") != NULL, "is named: %s", err.text);
	}
	DELETE("n");
	DELETE("bad\x01number");
}

static void
batch(void)
{
	struct mr_store_op ops[7] = { op_of(MR_STORE_PUT, MR_STR("b1"), MR_STR("one"), 0, 60),
		op_of(MR_STORE_INCR, MR_STR("b2"), MR_STR(""), 5, 60),
		op_of(MR_STORE_INCR, MR_STR("b2"), MR_STR(""), 5, 60),
		op_of(MR_STORE_GET, MR_STR("b1"), MR_STR(""), 0, 0),
		op_of(MR_STORE_ADD, MR_STR("b1"), MR_STR("two"), 0, 60),
		op_of(MR_STORE_DELETE, MR_STR("b1"), MR_STR(""), 0, 0),
		op_of(MR_STORE_GET, MR_STR("b1"), MR_STR(""), 0, 0) };
	struct mr_store_op many[MR_STORE_OPS_MAX + 1];

	ok(mr_store_run(store, ops, 7, NOW, &err) == MR_OK, "a batch: %s", err.text);
	ok(ops[1].count == 5 && ops[2].count == 10, "in order");
	is(ops[3].got, "one", "a get sees the put before it");
	ok(ops[4].is_found && ops[5].is_found && !ops[6].is_found, "and what follows");
	for (size_t i = 0; i < MR_STORE_OPS_MAX + 1; i++)
		many[i] = op_of(MR_STORE_INCR, MR_STR("b2"), MR_STR(""), 1, 60);
	ok(mr_store_run(store, many, MR_STORE_OPS_MAX, NOW, &err) == MR_OK
	        && many[MR_STORE_OPS_MAX - 1].count == 10 + MR_STORE_OPS_MAX,
	    "the largest batch: %s", err.text);
	ok(mr_store_run(store, many, MR_STORE_OPS_MAX + 1, NOW, &err) == MR_PERM, "larger: %s",
	    err.text);
	ok(mr_store_run(store, many, 0, NOW, &err) == MR_PERM, "none");
	ok(GET("b2") == MR_OK, "get");
	is(op.got, "42", "what is refused is not done");
	DELETE("b2");
}

static void
limits(void)
{
	char bytes[MR_STORE_KEY_MAX + 1];
	struct mr_str key = { bytes, MR_STORE_KEY_MAX }, value = { bytes, MR_STORE_VALUE_MAX };

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)i;
	ok(run(op_of(MR_STORE_PUT, key, value, 0, MR_STORE_TTL_MAX_S), NOW) == MR_OK,
	    "the longest key, value and time to live, of all bytes: %s", err.text);
	ok(run(op_of(MR_STORE_GET, key, MR_STR(""), 0, 0), NOW) == MR_OK && mr_str_eq(op.got, value)
	        && op.left_s > MR_STORE_TTL_MAX_S - 1000,
	    "come back");
	run(op_of(MR_STORE_DELETE, key, MR_STR(""), 0, 0), NOW);
	key.n++;
	ok(run(op_of(MR_STORE_GET, key, MR_STR(""), 0, 0), NOW) == MR_PERM, "key: %s", err.text);
	ok(GET("") == MR_PERM, "key: %s", err.text);
	value.n++;
	ok(run(op_of(MR_STORE_ADD, MR_STR("k"), value, 0, 1), NOW) == MR_PERM, "value: %s",
	    err.text);
	ok(PUT("k", "v", 0) == MR_PERM, "time to live: %s", err.text);
	ok(INCR("k", 1, MR_STORE_TTL_MAX_S + 1) == MR_PERM, "time to live: %s", err.text);
	ok(GET("k") == MR_OK && !op.is_found, "nothing of it was done");
}

/* Redis has a clock of its own: it is waited for. */
static bool
is_gone(struct mr_str key, int64_t now_s)
{
	int64_t until_ms = mr_clock_mono_ms() + WAIT_MS;

	do
		if (run(op_of(MR_STORE_GET, key, MR_STR(""), 0, 0), now_s) || !op.is_found)
			return !op.is_found;
	while (is_redis && mr_clock_mono_ms() < until_ms && usleep(20000) == 0);
	return false;
}

static enum mr_status
count_one(void *ctx, const struct mr_store_entry *e, struct mr_err *why)
{
	(void)e;
	(void)why;
	++*(int *)ctx;
	return MR_OK;
}

static void
time_to_live(void)
{
	int n = 0;

	PUT("t1", "v", 1);
	PUT("t2", "9", 1);
	PUT("t3", "v", 1000);
	ok(is_gone(MR_STR("t1"), NOW + 1), "dead entries are not there");
	ok(mr_store_each(store, MR_STR("t"), NOW + 1, count_one, &n, &err) == MR_OK && n == 1,
	    "nor listed: %d %s", n, err.text);
	ok(run(op_of(MR_STORE_ADD, MR_STR("t1"), MR_STR("new"), 0, 100), NOW + 1) == MR_OK
	        && !op.is_found,
	    "and can be added");
	ok(is_gone(MR_STR("t2"), NOW + 1)
	        && run(op_of(MR_STORE_INCR, MR_STR("t2"), MR_STR(""), 1, 100), NOW + 1) == MR_OK
	        && op.count == 1,
	    "and counted from 0");
	ok(run(op_of(MR_STORE_GET, MR_STR("t2"), MR_STR(""), 0, 0), NOW + 1) == MR_OK
	        && op.left_s > 50,
	    "with a new time to live");
	PUT("t4", "v", 1);
	ok(is_gone(MR_STR("t4"), NOW + 1)
	        && run(op_of(MR_STORE_DELETE, MR_STR("t4"), MR_STR(""), 0, 0), NOW + 1) == MR_OK
	        && !op.is_found,
	    "delete does not find them");
	for (const char *const *k = (const char *const[]){ "t1", "t2", "t3", NULL }; *k; k++)
		DELETE(*k);
}

#define MANY 700

static enum mr_status
see(void *ctx, const struct mr_store_entry *e, struct mr_err *why)
{
	int *seen = ctx;
	uint64_t i = 0;

	if (e->key.n < 4 || !mr_str_num(mr_str_from(e->key, 3), MANY - 1, &i)
	    || !mr_str_is(e->value, "v") || e->left_s < 100)
		return mr_err_set(why, MR_PERM, "a wrong entry: %.*s", (int)e->key.n, e->key.p);
	seen[i]++;
	/* the walk may change what it walks over */
	if (i % 3 == 0)
		return run(op_of(MR_STORE_DELETE, e->key, MR_STR(""), 0, 0), NOW);
	return MR_OK;
}

static enum mr_status
stop(void *ctx, const struct mr_store_entry *e, struct mr_err *why)
{
	count_one(ctx, e, why);
	return mr_err_set(why, MR_NOTFOUND, "enough");
}

static void
walk(void)
{
	static const char *const odd[] = { "e*", "e?x", "e[a]", "e\\", "e^", "e", "ea", "f",
		"\xff\xff" };
	int seen[MANY] = { 0 }, missing = 0, n = 0;
	char key[32];

	for (int i = 0; i < MANY; i++) {
		snprintf(key, sizeof key, "w1 %d", i);
		PUT(key, "v", 1000);
	}
	PUT("w2 0", "other", 1000);
	PUT("w", "other", 1000);
	ok(mr_store_each(store, MR_STR("w1 "), NOW, see, seen, &err) == MR_OK, "walk: %s",
	    err.text);
	for (int i = 0; i < MANY; i++)
		missing += is_redis ? seen[i] < 1 : seen[i] != 1;
	ok(missing == 0, "all entries are seen%s", is_redis ? "" : " once");
	ok(mr_store_each(store, MR_STR("w1 "), NOW, count_one, &n, &err) == MR_OK
	        && n >= MANY - MANY / 3 - 1,
	    "what was deleted on the way is gone: %d", n);
	n = 0;
	ok(mr_store_each(store, MR_STR("w1 "), NOW, stop, &n, &err) == MR_NOTFOUND && n == 1,
	    "a walk ends when it is told to");
	is(mr_str(err.text), "enough", "with that reason");
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
		PUT(odd[i], "v", 1000);
	for (size_t i = 0; i < 5; i++) {
		n = 0;
		ok(mr_store_each(store, mr_str(odd[i]), NOW, count_one, &n, &err) == MR_OK
		        && n == 1,
		    "prefix %s: %d", odd[i], n);
	}
	n = 0;
	ok(mr_store_each(store, MR_STR("\xff"), NOW, count_one, &n, &err) == MR_OK && n == 1,
	    "8-bit prefix");
	n = 0;
	ok(mr_store_each(store, MR_STR(""), NOW, count_one, &n, &err) == MR_OK
	        && n >= MANY - MANY / 3 + 10,
	    "no prefix: all: %d", n);
}

static enum mr_status
wipe(void *ctx, const struct mr_store_entry *e, struct mr_err *why)
{
	struct mr_store_op del = op_of(MR_STORE_DELETE, e->key, MR_STR(""), 0, 0);

	(void)ctx;
	return mr_store_run(store, &del, 1, NOW, why);
}

/* `url` and the same store in other words. */
static void
contract(const char *url, const char *alias)
{
	struct mr_store *again;
	uint64_t used, max, n;
	int left = 0;

	if (!ok(mr_stores_add(&set, &store, url, &err) == MR_OK, "%s: %s", url, err.text))
		return;
	printf("# %s\n", mr_store_name(store));
	ok(mr_stores_add(&set, &again, alias, &err) == MR_OK && again == store,
	    "one URL, one store");
	is_redis = mr_str_starts(mr_str(url), "redis:");
	single();
	numbers();
	batch();
	limits();
	time_to_live();
	walk();
	ok(mr_store_size(store, &used, &max, &err) == MR_OK && used > 0, "size: %s", err.text);
	ok(mr_store_expire(store, NOW + 2000, &n, &err) == MR_OK && (is_redis || n > MANY / 3),
	    "expire: %s", err.text);
	ok(mr_store_check(store, NULL, &n, &err) == MR_OK, "check: %s", err.text);
	ok(mr_store_each(store, MR_STR(""), NOW, wipe, NULL, &err) == MR_OK
	        && mr_store_each(store, MR_STR(""), NOW, count_one, &left, &err) == MR_OK
	        && left == 0,
	    "all gone");
	mr_stores_close(&set);
}

static void
urls(void)
{
	static const char *const bad[] = { "", "lmdb", "lmdb:", "lmdb:?max=1m", "file:/x", "mem:x",
		"redis:", "redis://", "redis://:1", "redis://h", "redis://h:0", "redis://h:65536",
		"redis://h:x", "redis://h:1/x", "redis://h:1/65536", "redis://secret@h:1",
		"redis://u:secret%@h:1", "redis://u:secret%0@h:1", "redis://u:secret%zz@h:1",
		"redis://u:secret%00@h:1", "redis://%+1:secret@h:1", "lmdb:/x?max=1",
		"lmdb:/x?max=255k", "lmdb:/x?max=2000g", "lmdb:/x?max=", "lmdb:/x?max=1q" };
	struct {
		const char *url, *name;
	} good[] = { { "lmdb:/no/x", "lmdb:/no/x" }, { "lmdb:/no/y///", "lmdb:/no/y" },
		{ "lmdb:no?y", "lmdb:no?y" }, { "lmdb:/no/z?max=256k", "lmdb:/no/z" },
		{ "lmdb:/", "lmdb:/" }, { "redis://h:1", "redis://h:1/0" },
		{ "redis://h:1/", "redis://h:1/0" },
		{ "redis://u:secret@h:65535/7", "redis://h:65535/7" },
		{ "redis://:secret@[::1]:2", "redis://[::1]:2/0" },
		{ "redis://u%40:se%3acret@h:3/7", "redis://h:3/7" } };
	char longest[MR_STORE_URL_MAX + 1];
	struct mr_store *s;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		ok(mr_stores_add(&set, &s, bad[i], &err) == MR_USAGE && !set.first,
		    "no store: %s: %s", bad[i], err.text);
		ok(!strstr(err.text, "secret"), "no password in the reason");
	}
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		ok(mr_stores_add(&set, &s, good[i].url, &err) == MR_OK, "a store: %s", good[i].url);
		is(mr_str(mr_store_name(s)), good[i].name, "its name");
	}
	memset(longest, 'a', sizeof longest);
	memcpy(longest, "lmdb:", 5);
	longest[MR_STORE_URL_MAX] = '\0';
	ok(mr_stores_add(&set, &s, longest, &err) == MR_USAGE, "too long: %s", err.text);
	longest[MR_STORE_URL_MAX - 1] = '\0';
	ok(mr_stores_add(&set, &s, longest, &err) == MR_OK, "the longest");
	mr_stores_close(&set);
	ok(access("/no", F_OK) != 0, "nothing was touched");
	for (unsigned i = 0; i <= MR_STORES_MAX; i++) {
		char url[40];

		snprintf(url, sizeof url, "redis://127.0.0.1:1/%u", i);
		ok(mr_stores_add(&set, &s, url, &err) == (i < MR_STORES_MAX ? MR_OK : MR_USAGE),
		    "store %u of %u", i + 1, MR_STORES_MAX);
	}
	ok(mr_stores_add(&set, &s, "redis://127.0.0.1:1/0", &err) == MR_OK,
	    "one that is there already");
	mr_stores_close(&set);
}

static void
keys(void)
{
	char a[MR_STORE_KEY_MAX], b[MR_STORE_KEY_MAX], bytes[MR_STORE_KEY_MAX];
	const struct mr_str triplet[] = { MR_STR("192.0.2.0/24"), MR_STR("a@x.example"),
		MR_STR("\"b c%\"@y.example") };
	struct mr_str key, other, part[2];

	ok(mr_store_key(a, &key, "g1", triplet, 3, &err) == MR_OK, "key");
	is(key, "g1 192.0.2.0/24 a@x.example \"b%20c%25\"@y.example", "readable");
	ok(mr_store_key(a, &key, "g1", NULL, 0, &err) == MR_OK, "no part");
	is(key, "g1", "the kind alone");
	mr_store_key(a, &key, "l1", (const struct mr_str[]){ MR_STR(""), MR_STR("x") }, 2, &err);
	mr_store_key(b, &other, "l1", (const struct mr_str[]){ MR_STR("x"), MR_STR("") }, 2, &err);
	ok(!mr_str_eq(key, other), "empty parts count");
	mr_store_key(a, &key, "l1", (const struct mr_str[]){ MR_STR("\0\xff\n") }, 1, &err);
	ok(key.n == 6 && memcmp(key.p, "l1 \0\xff\n", 6) == 0, "bytes of any value");
	memset(bytes, 'p', sizeof bytes);
	part[0] = (struct mr_str){ bytes, MR_STORE_KEY_MAX - 5 };
	part[1] = MR_STR("q");
	ok(mr_store_key(a, &key, "g1", part, 2, &err) == MR_OK && key.n == MR_STORE_KEY_MAX,
	    "the longest: %zu", key.n);
	part[0].n++;
	ok(mr_store_key(a, &key, "g1", part, 2, &err) == MR_OK && key.n == 3 + 64
	        && mr_str_starts(key, "g1#"),
	    "longer: hashed: %.*s", (int)key.n, key.p);
	part[0].n--;
	part[1] = MR_STR("pq");
	mr_store_key(b, &other, "g1", part, 2, &err);
	ok(other.n == key.n && !mr_str_eq(key, other),
	    "the same bytes, cut elsewhere: another hash");
	memset(bytes, ' ', sizeof bytes);
	part[0].n = 200;
	mr_store_key(a, &key, "g1", part, 2, &err);
	ok(mr_str_starts(key, "g1#"), "escapes count: %.*s", (int)key.n, key.p);
}

int
main(void)
{
	char dir[] = "/tmp/mr-store.XXXXXX", url[100], alias[100], rm[40];
	char *remove[] = { (char[]){ "rm" }, (char[]){ "-r" }, rm, NULL };
	int port = 0;
	pid_t redis;

	urls();
	keys();
	contract("mem:", "mem:");
	if (!mkdtemp(dir))
		return 1;
	snprintf(rm, sizeof rm, "%s", dir);
	snprintf(url, sizeof url, "lmdb:%s", dir);
	snprintf(alias, sizeof alias, "lmdb:/tmp/..%s//", dir);
	contract(url, alias);
	ok(mr_child_run(remove, (const int[]){ -1, -1, -1 }, 3, 0, MR_NO_DEADLINE,
	       &(struct mr_exit){ 0 }, NULL)
	        == MR_OK,
	    "removed");
	redis = redis_start(&port);
	if (ok(redis > 0, "redis-server")) {
		snprintf(url, sizeof url, "redis://default:sesame%%25open@127.0.0.1:%d/3", port);
		snprintf(alias, sizeof alias, "redis://:sesame%%25open@127.0.0.1:%d/3", port);
		contract(url, alias);
		contract(alias, url);
		redis_stop(redis);
	}
	return done_testing();
}
