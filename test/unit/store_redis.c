/* store_redis.c - lib/store/store_redis: what the contract (store.c) does not say: a server that is away,
 * hangs, stops in mid-answer, answers nonsense, and what the words then are. */
#include "store/store.h"

#include "../redis_server.h"
#include "../tap.h"

#include <fcntl.h>
#include <stdlib.h>

#define NOW       1000000
#define PROCESSES 50
#define ROUNDS    40

static struct mr_stores set;
static struct mr_store *store;
static struct mr_err err;
static int port;

static void
use(const char *secret, int at_port)
{
	char url[100];

	mr_stores_close(&set);
	snprintf(url, sizeof url, "redis://%s127.0.0.1:%d/0", secret, at_port);
	if (mr_stores_add(&set, &store, url, &err))
		printf("# %s\n", err.text);
}

static enum mr_status
run(enum mr_store_verb verb, const char *key, struct mr_store_op *op)
{
	*op = (struct mr_store_op){
		.verb = verb, .key = mr_str(key), .value = MR_STR("v"), .by = 1, .ttl_s = 1000
	};
	return mr_store_run(store, op, 1, NOW, &err);
}

/* Takes part in the breaker: the next call must not wait, and says why. */
static void
fails_at_once(const char *words)
{
	struct mr_store_op op;
	int64_t begin_ms = mr_clock_mono_ms();
	bool all = true;

	for (int i = 0; i < 1000; i++)
		all &= run(MR_STORE_GET, "k", &op) == MR_TEMP;
	ok(all && strstr(err.text, words) && strstr(err.text, "not asked again"),
	    "calls fail at once: %s", err.text);
	ok(mr_clock_mono_ms() - begin_ms < 1000 * MR_STORE_REDIS_MS / 10,
	    "without a time-out each");
}

static void
redis_cli(const char *a, const char *b, const char *c, const char *d)
{
	char number[16], words[4][64];
	char *argv[] = { (char[]){ "redis-cli" }, (char[]){ "-a" }, (char[]){ REDIS_PASSWORD },
		(char[]){ "-p" }, number, words[0], words[1], words[2], d ? words[3] : NULL, NULL };
	struct mr_exit end;

	snprintf(number, sizeof number, "%d", port);
	for (int i = 0; i < 4; i++)
		snprintf(words[i], sizeof words[i], "%s",
		    i == 0       ? a
		        : i == 1 ? b
		        : i == 2 ? c
		        : d      ? d
		                 : "");
	if (mr_child_run(argv, (const int[]){ -1, -1, -1 }, 3, 1 << 20, MR_NO_DEADLINE, &end, &err)
	    || end.code)
		printf("# redis-cli: %d %s\n", end.code, err.text);
}

/* ---- a server of our own ----------------------------------------------------------------------- */

/* A child that greets each connection's first request with "+OK" and answers its second with `script`;
 * then it closes, or holds the connection open. */
static pid_t
scripted(const char *login, struct mr_str script, bool holds)
{
	int at = 0, fd = listen_anywhere(&at);
	pid_t pid = fork();

	if (pid == 0) {
		char mem[4096];

		for (;;) {
			int c = accept(fd, NULL, NULL);

			if (read(c, mem, sizeof mem) > 0) {
				mr_io_write(c, mr_str(login), NULL);
				if (read(c, mem, sizeof mem) > 0)
					mr_io_write(c, script, NULL);
			}
			while (holds && read(c, mem, sizeof mem) > 0)
				;
			close(c);
		}
	}
	close(fd);
	use("", at);
	return pid;
}

#define QUEUED "+OK\r\n+QUEUED\r\n+QUEUED\r\n"

static void
nonsense(void)
{
	static const struct {
		const char *login, *script, *words;
	} t[] = { { "+OK\r\n", QUEUED "*2\r\n$5\r\nab", "closed" },
		{ "+OK\r\n", QUEUED "*2\r\n", "closed" }, { "+OK\r\n", QUEUED, "closed" },
		{ "+OK\r\n", "", "closed" }, { "", "", "in time" },
		{ "-NOAUTH Authentication required.\r\n", "", "NOAUTH" },
		{ "+OK\r\n", "hello", "Protocol" },
		{ "+OK\r\n", QUEUED "*99999999999999999999\r\n", "" },
		{ "+OK\r\n", QUEUED "*4000000000\r\n", "" }, { "+OK\r\n", QUEUED "*-5\r\n", "" },
		{ "+OK\r\n", QUEUED "$-7\r\n", "" },
		{ "+OK\r\n", QUEUED "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
		    "" },
		{ "+OK\r\n", QUEUED ":1\r\n", "the\\xffkey: an answer of the wrong type" },
		{ "+OK\r\n", QUEUED "*-1\r\n", "the\\xffkey: an answer of the wrong type" },
		{ "+OK\r\n", QUEUED "*1\r\n$-1\r\n", "the\\xffkey: an answer of the wrong type" },
		{ "+OK\r\n", QUEUED "*2\r\n:5\r\n:5\r\n", "the\\xffkey: an answer of the wrong" },
		{ "+OK\r\n", QUEUED "*2\r\n$1\r\nv\r\n$1\r\nv\r\n", "the\\xffkey: an answer of" },
		{ "+OK\r\n", "+OK\r\n-OOM command\x01not allowed\r\n+QUEUED\r\n-EXECABORT x\r\n",
		    "OOM command?not" } };

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		pid_t pid = scripted(t[i].login, mr_str(t[i].script), false);
		struct mr_store_op op;

		ok(run(MR_STORE_GET, "the\xffkey", &op) == MR_TEMP && strstr(err.text, t[i].words),
		    "%s", err.text);
		redis_stop(pid);
	}
}

/* An end beyond all limits is the longest. */
static void
far_end(void)
{
	pid_t pid =
	    scripted("+OK\r\n", MR_STR(QUEUED "*2\r\n$1\r\nv\r\n:9223372036854775807\r\n"), true);
	struct mr_store_op op;

	ok(run(MR_STORE_GET, "k", &op) == MR_OK && op.left_s == MR_STORE_TTL_MAX_S,
	    "the longest time to live: %s", err.text);
	redis_stop(pid);
}

static void
too_much(void)
{
	size_t n = 4 * MR_STORE_REPLY_MAX;
	char *mem = malloc(n);
	struct mr_store_op op;
	pid_t pid;

	memset(mem, 'x', n);
	memcpy(mem, QUEUED "*2\r\n$300\r\n", sizeof QUEUED - 1 + 10);
	memcpy(mem + sizeof QUEUED - 1 + 10 + 300, "\r\n:1\r\n", 6);
	pid = scripted("+OK\r\n", (struct mr_str){ mem, sizeof QUEUED - 1 + 10 + 306 }, true);
	ok(run(MR_STORE_GET, "k", &op) == MR_TEMP, "a value of 300 bytes: %s", err.text);
	redis_stop(pid);
	memset(mem, 'x', n);
	memcpy(mem, QUEUED "$500000000\r\n", sizeof QUEUED - 1 + 12);
	pid = scripted("+OK\r\n", (struct mr_str){ mem, n }, true);
	ok(run(MR_STORE_GET, "k", &op) == MR_TEMP && strstr(err.text, "too long"),
	    "an answer without end: %s", err.text);
	redis_stop(pid);
	free(mem);
}

static void
hangs(void)
{
	struct mr_store_op op;
	pid_t pid = scripted("+OK\r\n", MR_STR(QUEUED "*2\r\n$5\r\nab"), true);

	ok(run(MR_STORE_GET, "k", &op) == MR_TEMP && strstr(err.text, "in time"),
	    "stops in mid-answer and holds on: %s", err.text);
	fails_at_once("in time");
	redis_stop(pid);
}

/* ---- the real one ------------------------------------------------------------------------------ */

static void
away(void)
{
	struct mr_store_op op;
	int nobody = 0;

	close(listen_anywhere(&nobody));
	use("", nobody);
	ok(run(MR_STORE_GET, "k", &op) == MR_TEMP, "nobody there: %s", err.text);
	fails_at_once("refused");
	use("", port);
	ok(run(MR_STORE_GET, "k", &op) == MR_TEMP && strstr(err.text, "NOAUTH"), "no password: %s",
	    err.text);
	use("default:wrong-secret@", port);
	ok(run(MR_STORE_GET, "k", &op) == MR_TEMP && strstr(err.text, "WRONGPASS"),
	    "wrong password: %s", err.text);
	ok(!strstr(err.text, "secret"), "it is not in the words");
	fails_at_once("WRONGPASS");
	use("default:sesame%25open@", port);
	ok(run(MR_STORE_GET, "k", &op) == MR_OK, "right password: %s", err.text);
}

static void
wrong_type(void)
{
	struct mr_store_op op, ops[2];
	uint64_t n;

	redis_cli("LPUSH", "mr:list", "x", NULL);
	for (enum mr_store_verb v = MR_STORE_GET; v <= MR_STORE_INCR; v++)
		if (v != MR_STORE_PUT)
			ok(run(v, "list", &op) == MR_TEMP && strstr(err.text, "list: WRONGTYPE"),
			    "a list where a value should be: %s", err.text);
	ok(run(MR_STORE_DELETE, "list", &op) == MR_OK && op.is_found, "it can be deleted");
	ok(run(MR_STORE_GET, "list", &op) == MR_OK && !op.is_found, "and all is well: %s",
	    err.text);
	redis_cli("SET", "mr:for-ever", "v", NULL);
	ok(run(MR_STORE_GET, "for-ever", &op) == MR_OK && op.left_s == MR_STORE_TTL_MAX_S,
	    "a value without an end has the longest time to live");
	redis_cli("CONFIG", "SET", "maxmemory", "1");
	ok(run(MR_STORE_PUT, "k", &op) == MR_TEMP && strstr(err.text, "OOM"), "full: %s", err.text);
	redis_cli("CONFIG", "SET", "maxmemory", "0");
	ops[0] = ops[1] = op;
	ops[0].verb = ops[1].verb = MR_STORE_INCR;
	ok(mr_store_run(store, ops, 2, NOW, &err) == MR_OK && ops[1].count == 2, "room again: %s",
	    err.text);
	ok(mr_store_check(store, NULL, &n, &err) == MR_OK, "check: it answers");
}

static void
count(void)
{
	struct mr_store_op ops[2] = {
		{ .verb = MR_STORE_INCR, .key = MR_STR("count"), .by = 1, .ttl_s = 1000 },
		{ .verb = MR_STORE_GET, .key = MR_STR("count") }
	};

	for (int k = 0; k < ROUNDS; k++)
		if (mr_store_run(store, ops, 2, NOW, &err)) {
			printf("# %s\n", err.text);
			fflush(stdout);
			_exit(1);
		}
	_exit(0);
}

static void
processes(void)
{
	pid_t pid[PROCESSES];
	struct mr_store_op op;
	int status, bad = 0;

	run(MR_STORE_DELETE, "count", &op); /* the connection is open before the fork */
	for (int i = 0; i < PROCESSES; i++)
		if ((pid[i] = fork()) == 0)
			count();
	for (int i = 0; i < PROCESSES; i++)
		bad += waitpid(pid[i], &status, 0) != pid[i] || status != 0;
	ok(bad == 0, "%d processes", PROCESSES);
	ok(run(MR_STORE_GET, "count", &op) == MR_OK, "the parent's connection is still its own");
	is(op.got, "2000", "no update is lost");
}

static void
comes_and_goes(pid_t *redis)
{
	struct mr_store_op op;

	ok(run(MR_STORE_PUT, "k", &op) == MR_OK, "there: %s", err.text);
	redis_stop(*redis);
	*redis = redis_start(&port);
	ok(run(MR_STORE_GET, "k", &op) == MR_OK && !op.is_found,
	    "a server that was restarted is connected to again at once: %s", err.text);
	redis_stop(*redis);
	ok(run(MR_STORE_GET, "k", &op) == MR_TEMP, "gone: %s", err.text);
	fails_at_once("refused");
	*redis = redis_start(&port);
	use("default:sesame%25open@", port);
	ok(run(MR_STORE_GET, "k", &op) == MR_OK, "back, for a new process: %s", err.text);
	kill(*redis, SIGSTOP);
	ok(run(MR_STORE_GET, "k", &op) == MR_TEMP && strstr(err.text, "in time"), "stopped: %s",
	    err.text);
	fails_at_once("in time");
	kill(*redis, SIGCONT);
	use(":sesame%25open@", port);
	ok(run(MR_STORE_GET, "k", &op) == MR_OK, "goes on: %s", err.text);
}

/* Descriptors that a program started by this process would have. */
static int
inherited(void)
{
	int n = 0;

	for (int fd = 0; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) == 0;
	return n;
}

int
main(void)
{
	pid_t redis = redis_start(&port);
	int before = inherited();

	if (!ok(redis > 0, "redis-server"))
		return done_testing();
	away();
	wrong_type();
	ok(inherited() == before, "every connection is closed on exec");
	processes();
	comes_and_goes(&redis);
	redis_stop(redis);
	nonsense();
	far_end();
	too_much();
	hangs();
	mr_stores_close(&set);
	return done_testing();
}
