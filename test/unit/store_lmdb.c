/* store_lmdb.c - lib/store/store_lmdb: what the contract (store.c) does not say: expiry, clocks, full maps,
 * many processes, killed ones, damaged files. */
#include "store/store.h"

#include "../tap.h"
#include "base/child.h"
#include "base/io.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW 1000000

static struct mr_stores set;
static struct mr_store *store;
static struct mr_err err;
static char top[] = "/tmp/mr-store-lmdb.XXXXXX", dir[100], url[150];

/* A store in a folder of its own. */
static void
fresh(const char *name, const char *options)
{
	mr_stores_close(&set);
	snprintf(dir, sizeof dir, "%s/%s", top, name);
	snprintf(url, sizeof url, "lmdb:%s%s", dir, options);
	if (mr_stores_add(&set, &store, url, &err))
		printf("# %s\n", err.text);
}

static void
again(void)
{
	mr_stores_close(&set);
	mr_stores_add(&set, &store, url, &err);
}

static enum mr_status
run(enum mr_store_verb verb, const char *key, const char *value, int64_t ttl_s, int64_t now_s,
    struct mr_store_op *op)
{
	struct mr_store_op own;

	op = op ? op : &own;
	*op = (struct mr_store_op){
		.verb = verb, .key = mr_str(key), .value = mr_str(value), .by = 1, .ttl_s = ttl_s
	};
	return mr_store_run(store, op, 1, now_s, &err);
}

static bool
is_there(const char *key, int64_t now_s)
{
	struct mr_store_op op;

	return run(MR_STORE_GET, key, "", 0, now_s, &op) == MR_OK && op.is_found;
}

static enum mr_status
put_many(const char *kind, int n, int64_t ttl_s, int64_t now_s)
{
	enum mr_status st = MR_OK;

	for (int i = 0; st == MR_OK && i < n;) {
		struct mr_store_op ops[MR_STORE_OPS_MAX];
		char key[MR_STORE_OPS_MAX][64];
		int m = 0;

		for (; m < (int)MR_STORE_OPS_MAX && i < n; m++, i++) {
			snprintf(key[m], sizeof key[m], "%s %d", kind, i);
			ops[m] = (struct mr_store_op){ .verb = MR_STORE_PUT,
				.key = mr_str(key[m]),
				.value = MR_STR("a value of some length, as entries have them"),
				.ttl_s = ttl_s };
		}
		st = mr_store_run(store, ops, (size_t)m, now_s, &err);
	}
	return st;
}

static uint64_t
entries(void)
{
	uint64_t n = 0;

	mr_store_check(store, NULL, &n, &err);
	return n;
}

static mode_t
mode_of(const char *name)
{
	char path[200];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void
files(void)
{
	mode_t old = umask(0);

	fresh("files", "");
	ok(run(MR_STORE_PUT, "k", "v", 100, NOW, NULL) == MR_OK, "a folder is made: %s", err.text);
	umask(old);
	ok(mode_of(".") == 0700 && mode_of("data.mdb") == 0600 && mode_of("lock.mdb") == 0600,
	    "for its user alone");
	again();
	ok(is_there("k", NOW), "entries stay");
	fresh("no/such", "");
	ok(run(MR_STORE_GET, "k", "", 0, NOW, NULL) == MR_TEMP, "a folder in none: %s", err.text);
}

static void
expiry(void)
{
	uint64_t n;

	fresh("expiry", "");
	put_many("dead", 100, 10, NOW);
	put_many("live", 10, 1000, NOW);
	ok(entries() == 110, "entries with their lines in the index");
	run(MR_STORE_GET, "live 1", "", 0, NOW + 10, NULL);
	ok(entries() == 110, "a get writes nothing");
	run(MR_STORE_PUT, "x", "v", 1000, NOW + 10, NULL);
	ok(entries() == 111 - MR_STORE_SWEEP_MAX, "a write takes out some that are dead: %s",
	    err.text);
	ok(mr_store_expire(store, NOW + 10, &n, &err) == MR_OK && n == 100 - MR_STORE_SWEEP_MAX
	        && entries() == 11,
	    "expire takes out the rest: %" PRIu64, n);
	for (int i = 0; i < 50; i++)
		run(MR_STORE_PUT, "x", "v", 100 + i, NOW + 10, NULL);
	run(MR_STORE_INCR, "n", "", 100, NOW + 10, NULL);
	run(MR_STORE_INCR, "n", "", 500, NOW + 20, NULL);
	run(MR_STORE_DELETE, "live 3", "", 0, NOW + 20, NULL);
	ok(entries() == 11, "overwritten, counted, deleted: entries and index agree: %s", err.text);
}

static void
clock_back(void)
{
	struct mr_store_op op;

	fresh("clock", "");
	put_many("a", 20, 100, NOW + 1000000);
	run(MR_STORE_PUT, "good", "v", 5000, NOW, NULL);
	ok(is_there("a 7", NOW), "the clock goes back: what is there stays");
	run(MR_STORE_GET, "a 7", "", 0, NOW, &op);
	ok(op.left_s == 100, "with no more than its time to live: %" PRId64, op.left_s);
	for (int i = 0; i < 3; i++)
		run(MR_STORE_PUT, "other", "v", 5000, NOW, NULL);
	ok(!is_there("a 7", NOW + 100) && !is_there("a 19", NOW + 100),
	    "after some writes it lives no longer than that");
	ok(is_there("good", NOW + 100) && entries() == 22, "the others do: %s", err.text);
	run(MR_STORE_PUT, "skew", "v", 100, NOW + 30, NULL);
	run(MR_STORE_PUT, "other", "v", 5000, NOW, NULL);
	ok(is_there("skew", NOW + 129), "clocks that differ by seconds change nothing");
}

static void
full(void)
{
	uint64_t used, max, n;
	enum mr_status st;
	int i = 0;

	fresh("full", "?max=1m");
	do
		st = put_many(((char[]){ 'k', (char)('A' + i), 0 }), 256, 100, NOW);
	while (st == MR_OK && ++i < 50);
	ok(st == MR_TEMP && strstr(err.text, "full"), "a full map is temporary: %s", err.text);
	ok(i > 5 && i < 50, "when it is full: %d", i);
	ok(is_there("kA 0", NOW), "it can be read");
	mr_store_size(store, &used, &max, &err);
	ok(max == 1 << 20 && used <= (1 << 20) + MR_STORE_MAP_RESERVE, "it ends at its ceiling");
	ok(run(MR_STORE_ADD, "one", "v", 100, NOW, NULL) == MR_TEMP
	        || put_many("more", 1000, 100, NOW) == MR_TEMP,
	    "it stays full");
	for (n = 0; n < 600; n++) {
		char key[64];

		snprintf(key, sizeof key, "kA %d", (int)n % 256);
		if (run(MR_STORE_DELETE, key, "", 0, NOW, NULL))
			break;
	}
	ok(n == 600, "entries can be deleted: %s", err.text);
	ok(put_many("again", 100, 100, NOW) == MR_OK, "and there is room: %s", err.text);
	put_many("fill", 10000, 100, NOW);
	ok(put_many("new", 1000, 100, NOW + 100) == MR_OK, "what is dead makes room: %s", err.text);
	for (i = 0, st = MR_OK; st == MR_OK && i < 40; i++)
		st = put_many("turn", 1000, 10, NOW + 200 + 10 * i);
	ok(st == MR_OK, "and goes on doing so: %s", err.text);
	mr_store_size(store, &used, &max, &err);
	ok(used <= (1 << 20) + MR_STORE_MAP_RESERVE, "the file stays bounded: %" PRIu64, used);
	ok(entries() >= 1000, "sound: %s", err.text);
	fresh("grow", "");
	ok(put_many("grow", 250000, 1000, NOW) == MR_OK, "a map grows: %s", err.text);
	mr_store_size(store, &used, &max, &err);
	ok(used > MR_STORE_MAP_MIN, "beyond its first size: %" PRIu64, used);
	again();
	ok(is_there("grow 249999", NOW), "and is opened at that size");
}

/* Forks `n` processes that each call `work` with a store of their own. */
static int
fork_all(pid_t *pid, int n, void (*work)(int i))
{
	for (int i = 0; i < n; i++)
		if ((pid[i] = fork()) == 0) {
			work(i);
			_exit(0);
		} else if (pid[i] < 0)
			return i;
	return n;
}

#define PROCESSES 50
#define ROUNDS    40

static void
count(int i)
{
	struct mr_store_op ops[2];

	for (int k = 0; k < ROUNDS; k++) {
		for (int o = 0; o < 2; o++)
			ops[o] = (struct mr_store_op){ .verb = MR_STORE_INCR,
				.key = o ? MR_STR("sum") : MR_STR("count"),
				.by = o ? i : 1,
				.ttl_s = 1000 };
		if (mr_store_run(store, ops, 2, NOW, &err)) {
			printf("# %s\n", err.text);
			fflush(stdout);
			_exit(1);
		}
	}
}

static void
write_forever(int i)
{
	char kind[10];

	snprintf(kind, sizeof kind, "p%d", i);
	for (int k = 0;; k++)
		put_many(kind, 100, 5, NOW + k);
}

static void
grow_forever(int i)
{
	char kind[10];

	snprintf(kind, sizeof kind, "g%d", i);
	if (put_many(kind, 40000, 1000, NOW))
		_exit(1);
}

static void
processes(void)
{
	pid_t pid[PROCESSES];
	struct mr_store_op op;
	int status, bad = 0;

	fresh("processes", "");
	run(MR_STORE_PUT, "open before the fork", "v", 1000, NOW, NULL);
	ok(fork_all(pid, PROCESSES, count) == PROCESSES, "%d processes", PROCESSES);
	for (int i = 0; i < PROCESSES; i++)
		bad += waitpid(pid[i], &status, 0) != pid[i] || status != 0;
	ok(bad == 0, "all write");
	run(MR_STORE_GET, "count", "", 0, NOW, &op);
	is(op.got, "2000", "no update is lost");
	run(MR_STORE_GET, "sum", "", 0, NOW, &op);
	is(op.got, "49000", "in none of both");
	fork_all(pid, 4, grow_forever);
	for (int i = 0; i < 4; i++)
		bad += waitpid(pid[i], &status, 0) != pid[i] || status != 0;
	ok(bad == 0, "a map that another process has made larger");
	ok(is_there("g3 39999", NOW) && is_there("g0 0", NOW), "is followed: %s", err.text);
}

static void
killed(void)
{
	pid_t pid[4];
	int done = 0;

	fresh("killed", "");
	run(MR_STORE_PUT, "before", "v", 1000, NOW, NULL);
	for (int round = 0; round < 25; round++) {
		fork_all(pid, 4, write_forever);
		usleep((useconds_t)(1000 + 2500 * round));
		for (int i = 0; i < 4; i++)
			kill(pid[i], SIGKILL);
		done += run(MR_STORE_PUT, "after", "v", 100000, NOW, NULL) == MR_OK;
		for (int i = 0; i < 4; i++)
			waitpid(pid[i], NULL, 0);
	}
	ok(done == 25, "processes killed while they write block nobody: %d %s", done, err.text);
	again();
	ok(is_there("before", NOW) && is_there("after", NOW) && entries() >= 2,
	    "and leave nothing by halves: %s", err.text);
}

static struct mr_str
slurp(const char *name, char *mem, size_t cap)
{
	char path[200];
	int fd;
	ssize_t n;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	n = read(fd, mem, cap);
	close(fd);
	return (struct mr_str){ mem, n > 0 ? (size_t)n : 0 };
}

static void
spill(struct mr_str bytes)
{
	char path[200];
	int fd;

	snprintf(path, sizeof path, "%s/data.mdb", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (write(fd, bytes.p, bytes.n) != (ssize_t)bytes.n)
		printf("# short write\n");
	close(fd);
}

/* All pages but the headers, in place. */
static void
overwrite(void)
{
	static char junk[4096];
	char path[200];
	struct stat st;
	int fd;

	snprintf(path, sizeof path, "%s/data.mdb", dir);
	fd = open(path, O_WRONLY);
	fstat(fd, &st);
	for (off_t at = 8192; at < st.st_size; at += 4096)
		if (pwrite(fd, junk, sizeof junk, at) < 0)
			printf("# cannot overwrite\n");
	close(fd);
}

/* With the file changed: what check says. */
static enum mr_status
check_with(struct mr_str bytes, const struct mr_log *log)
{
	uint64_t n;

	mr_stores_close(&set);
	spill(bytes);
	mr_stores_add(&set, &store, url, &err);
	return mr_store_check(store, log, &n, &err);
}

static void
damaged(void)
{
	static char good[1 << 20], bad[1 << 20], line[4096];
	struct mr_str file, copy;
	struct mr_log log = { .prog = "test", .fd = mr_child_memfile(MR_STR("")) };
	int sound = 0, moved = 0, other = 0;
	uint64_t entry_n;
	ssize_t n;

	fresh("damaged", "");
	put_many("k", 500, 1000, NOW);
	put_many("k", 300, 10, NOW);
	put_many("k", 50, 1000, NOW + 100);
	mr_stores_close(&set);
	file = slurp("data.mdb", good, sizeof good);
	ok(file.n > 40000 && check_with(file, &log) == MR_OK, "sound: %s", err.text);

	ok(check_with(MR_STR("this is no database, but a text of somebody"), &log) == MR_NOTFOUND,
	    "not a database: %s", err.text);
	n = pread(log.fd, line, sizeof line - 1, 0);
	line[n > 0 ? n : 0] = '\0';
	ok(strncmp(line, "test: fault event=store store=lmdb:", 35) == 0 && strstr(line, "moved=")
	        && strchr(line, '\n') == line + n - 1,
	    "one line says so: %s", line);
	ok(run(MR_STORE_PUT, "k", "v", 100, NOW, NULL) == MR_OK && is_there("k", NOW),
	    "a new one takes its place: %s", err.text);

	copy = file;
	copy.n = 4096 * 5;
	ok(check_with(copy, &log) == MR_NOTFOUND, "cut: %s", err.text);
	copy.n = 5000;
	ok(check_with(copy, &log) == MR_NOTFOUND, "cut in the second page: %s", err.text);

	srand48(7);
	for (int i = 0; i < 60; i++) {
		enum mr_status st;

		memcpy(bad, good, file.n);
		for (int k = 0; k < 60; k++) {
			size_t at = (size_t)lrand48() % file.n;

			memset(bad + at, (int)lrand48(),
			    file.n - at < 64 ? file.n - at : (size_t)lrand48() % 64);
		}
		st = check_with((struct mr_str){ bad, file.n }, &log);
		sound += st == MR_OK;
		moved += st == MR_NOTFOUND;
		other += st != MR_OK && st != MR_NOTFOUND;
		if (st == MR_TEMP)
			printf("# %s\n", err.text);
	}
	ok(other == 0 && moved > 30, "bytes overwritten: %d moved, %d sound, %d other", moved,
	    sound, other);

	memcpy(bad, good, file.n);
	memset(bad, 0xff, 8192);
	mr_stores_close(&set);
	spill((struct mr_str){ bad, file.n });
	mr_stores_add(&set, &store, url, &err);
	ok(run(MR_STORE_GET, "k 1", "", 0, NOW, NULL) == MR_TEMP && strstr(err.text, "mr-state"),
	    "a filter that opens it gets a temporary fault: %s", err.text);
	ok(run(MR_STORE_GET, "k 1", "", 0, NOW, NULL) == MR_TEMP, "each time");
	mr_store_check(store, &log, &entry_n, &err);
	ok(run(MR_STORE_GET, "k 1", "", 0, NOW, NULL) == MR_OK, "until check has moved it: %s",
	    err.text);

	put_many("k", 500, 1000, NOW);
	ok(is_there("k 1", NOW), "an open file");
	overwrite();
	ok(run(MR_STORE_GET, "k 1", "", 0, NOW, NULL) == MR_TEMP, "is overwritten: %s", err.text);
	mr_store_check(store, &log, &entry_n, &err);
	ok(run(MR_STORE_GET, "k 1", "", 0, NOW, NULL) == MR_OK,
	    "the same process goes on with the new one: %s", err.text);
	close(log.fd);
}

/* What a process does before it gives up its rights. */
static void
set_up(void)
{
	const char *folders[MR_STORES_MAX + 1];
	struct mr_log log = { .prog = "t", .fd = open("/dev/null", O_WRONLY) };
	struct mr_store *redis;
	char bad[100];

	fresh("setup", "");
	mr_stores_add(&set, &redis, "redis://127.0.0.1:1/0", &err);
	ok(access(dir, F_OK) != 0, "no folder yet");
	mr_stores_folders(&set, folders);
	ok(folders[0] && strcmp(folders[0], dir) == 0 && !folders[1], "one folder in the list");
	ok(access(dir, F_OK) == 0, "it is made");
	mr_stores_check(&set, &log);
	ok(run(MR_STORE_PUT, "k", "v", 100, NOW, NULL) == MR_OK && is_there("k", NOW),
	    "a sound store is left alone");
	mr_stores_close(&set);
	memset(bad, 0xff, sizeof bad);
	spill((struct mr_str){ bad, sizeof bad });
	mr_stores_add(&set, &store, url, &err);
	mr_stores_check(&set, &log);
	ok(run(MR_STORE_GET, "k", "", 0, NOW, NULL) == MR_OK && !is_there("k", NOW),
	    "a damaged one is moved aside");
	close(log.fd);
}

/* What is left of the file's size is the disk: writes beyond it fail. */
static void
disk_full(void)
{
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY },
	                    little = { 300000, RLIM_INFINITY };

	fresh("disk", "");
	signal(SIGXFSZ, SIG_IGN);
	put_many("k", 100, 1000, NOW);
	setrlimit(RLIMIT_FSIZE, &little);
	ok(put_many("more", 10000, 1000, NOW) == MR_TEMP, "a full disk is temporary: %s", err.text);
	ok(is_there("k 1", NOW), "entries can be read");
	ok(put_many("more", 10000, 1000, NOW) == MR_TEMP, "it stays full");
	setrlimit(RLIMIT_FSIZE, &none);
	ok(put_many("more", 10000, 1000, NOW) == MR_OK, "until it is not: %s", err.text);
	ok(entries() == 10100, "sound");
}

int
main(void)
{
	char *remove[] = { (char[]){ "rm" }, (char[]){ "-r" }, top, NULL };

	if (!mkdtemp(top))
		return 1;
	files();
	expiry();
	clock_back();
	full();
	processes();
	killed();
	damaged();
	set_up();
	disk_full();
	mr_stores_close(&set);
	mr_child_run(remove, (const int[]){ -1, -1, -1 }, 3, 0, MR_NO_DEADLINE,
	    &(struct mr_exit){ 0 }, &err);
	return done_testing();
}
