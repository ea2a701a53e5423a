/* mr-queue - the queue: adds, lists, shows, retries, deletes and checks messages; the scheduler. */
#include "base/child.h"
#include "base/clock.h"
#include "base/host.h"
#include "base/opt.h"
#include "mail/addr.h"
#include "mail/received.h"
#include "queue/ask.h"
#include "queue/sched.h"
#include "queue/view.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define ADD_MAX    (100u << 20) /* bytes of a message, if -m does not say */
#define ARENA_MAX  MR_SPOOL_ARENA_MAX
#define OUT_MAX    (1u << 30) /* bytes of what is shown of one message */
#define WORDS_MAX  64u        /* words of --remote, and ours */
#define SPAN_MAX_S (365 * 86400u)

enum { EXIT_OK = 0, EXIT_BAD = 100, EXIT_TEMP = 111 };

static const char usage_text[] =
    "usage: mr-queue add [-Q dir] [-N name] [-m size] -f sender -r recipient ... < message\n"
    "       mr-queue add [-Q dir] [-N name] [-m size] -E fd < message\n"
    "       mr-queue list [-Q dir] [-j]\n"
    "       mr-queue show [-Q dir] id ...\n"
    "       mr-queue retry|delete [-Q dir] [-f sender] [-r recipient] id ...|all\n"
    "       mr-queue check [-Q dir]\n"
    "       mr-queue run [-Q dir] [-v] [-R routes] [-N name] [-w workers] [-c per-hop]\n"
    "           [-b wait] [-B longest-wait] [-L lifetime] [-M command]\n";

static const struct mr_opt_long long_options[] = { { "queue", 'Q' }, { "sender", 'f' },
	{ "recipient", 'r' }, { "record", 'E' }, { "max-size", 'm' }, { "json", 'j' },
	{ "routes", 'R' }, { "name", 'N' }, { "workers", 'w' }, { "concurrency", 'c' },
	{ "wait", 'b' }, { "longest-wait", 'B' }, { "lifetime", 'L' }, { "remote", 'M' },
	{ "verbose", 'v' }, { "help", '?' } };

struct settings {
	const char *verb, *dir, *sender, *remote, *routes;
	const char **rcpt, **operand;
	size_t rcpt_n, operand_n;
	uint64_t add_max, record_fd, workers, per_hop, wait_first_s, wait_max_s, lifetime_s;
	bool has_record, is_json, is_verbose, wants_help;
	struct mr_str name; /* our host name */
	struct mr_host host;
	struct mr_arena arena;
	struct mr_spool spool;
};

static enum mr_status
print(int fd, struct mr_str s)
{
	return mr_io_write(fd, s, NULL);
}

/* The reason of a failure, and the exit code that it means. */
static int
fail(enum mr_status st, const struct mr_err *err)
{
	struct mr_buf line;

	mr_buf_init(&line, sizeof usage_text + MR_ERR_MAX + 64);
	mr_buf_addf(&line, "mr-queue: %s\n%s", err->text, st == MR_USAGE ? usage_text : "");
	print(2, mr_buf_str(&line));
	mr_buf_free(&line);
	return st == MR_NOTFOUND || st == MR_PERM ? EXIT_BAD : EXIT_TEMP;
}

/* ---- add ---- */

static enum mr_status
add_address(
    struct settings *s, struct mr_env *env, const char *text, bool is_sender, struct mr_err *err)
{
	struct mr_str in = mr_str(text);
	struct mr_addr a = { .text = MR_STR("") };
	struct mr_err why;
	enum mr_status st = MR_OK;

	if (!is_sender || (in.n && !mr_str_is(in, "<>")))
		st = mr_addr_parse(&a, &s->arena, in, &why);
	if (st)
		return mr_err_set(err, st, "'%s': %s", text, why.text);
	return is_sender ? mr_env_set(env, MR_STR("sender"), a.text, err)
	                 : mr_env_add_rcpt(env, a.text, err);
}

static enum mr_status
make_env(struct settings *s, struct mr_env *env, struct mr_err *err)
{
	struct mr_reader r;
	enum mr_status st = MR_OK;

	mr_env_init(env, &s->arena);
	if (s->has_record) {
		if ((st = mr_reader_init(&r, (int)s->record_fd, MR_ENV_LINE_MAX + 2, err)))
			return st;
		st = mr_env_read(env, &r, MR_NO_DEADLINE, err);
		mr_reader_free(&r);
	}
	if (st == MR_OK && s->sender)
		st = add_address(s, env, s->sender, true, err);
	for (size_t i = 0; i < s->rcpt_n && st == MR_OK; i++)
		st = add_address(s, env, s->rcpt[i], false, err);
	if (st == MR_OK && (!mr_env_get(env, "sender").p || env->rcpt_n == 0))
		st = mr_err_set(err, MR_USAGE, "need a sender and a recipient");
	return st;
}

static enum mr_status
add(struct settings *s, char id[MR_ID_MAX], struct mr_err *err)
{
	struct mr_spool_msg msg = { .fd = -1 };
	struct mr_buf front;
	struct mr_env env;
	enum mr_status st;

	mr_buf_init(&front, MR_SPOOL_FRONT_MAX);
	mr_spool_new_id(id);
	if ((st = make_env(s, &env, err))
	    || (st = mr_env_set(&env, MR_STR("queue_id"), mr_str(id), err))
	    || (st = mr_spool_begin(&s->spool, &msg, err))
	    || (st = mr_spool_copy_in(&msg, 0, s->add_max, err)))
		goto out;
	if (!mr_env_get(&env, "body").p
	    && (st = mr_env_set(
	            &env, MR_STR("body"), msg.has_8bit ? MR_STR("8BITMIME") : MR_STR("7BIT"), err)))
		goto out;
	mr_received_write(&front, &env, s->name, mr_clock_now_s());
	st = front.is_full ? mr_err_set(err, MR_TEMP, "out of memory")
	                   : mr_spool_commit(&s->spool, &msg, id, mr_buf_str(&front), &env, err);
out:
	mr_spool_abort(&msg);
	mr_buf_free(&front);
	return st;
}

static int
do_add(struct settings *s, struct mr_err *err)
{
	char id[MR_ID_MAX];
	enum mr_status st = add(s, id, err);

	if (st)
		return fail(st, err);
	print(1, mr_str(id));
	print(1, MR_STR("\n"));
	return EXIT_OK;
}

/* ---- list, check ---- */

struct ids {
	char (*v)[MR_ID_MAX];
	size_t n, cap;
};

static enum mr_status
take_id(void *state, const char *id, bool is_deferred, struct mr_err *err)
{
	struct ids *ids = state;

	(void)is_deferred;
	if (ids->n == ids->cap) {
		size_t cap = ids->cap ? ids->cap * 2 : 64;
		void *grown = realloc(ids->v, cap * sizeof *ids->v);

		if (!grown)
			return mr_err_set(err, MR_TEMP, "out of memory");
		ids->v = grown;
		ids->cap = cap;
	}
	memcpy(ids->v[ids->n++], id, strlen(id) + 1);
	return MR_OK;
}

static int
compare_ids(const void *a, const void *b)
{
	return strcmp(a, b);
}

static enum mr_status
read_ids(struct settings *s, struct ids *ids, struct mr_err *err)
{
	enum mr_status st = mr_ask_each(&s->spool, take_id, ids, err);

	if (ids->n)
		qsort(ids->v, ids->n, sizeof *ids->v, compare_ids);
	return st;
}

static void
say_bad(const char *id, const struct mr_err *err)
{
	struct mr_err line;

	mr_err_set(&line, MR_PERM, "%s: %s", id, err->text);
	fail(MR_PERM, &line);
}

static int
do_list(struct settings *s, struct mr_err *err)
{
	const struct mr_view view = { .spool = &s->spool,
		.is_json = s->is_json,
		.has_colour = !s->is_json && isatty(1),
		.now_s = mr_clock_now_s() };
	struct ids ids = { .n = 0 };
	struct mr_buf out;
	enum mr_status st = read_ids(s, &ids, err);
	int code = st ? fail(st, err) : EXIT_OK;

	mr_buf_init(&out, OUT_MAX);
	if (ids.n)
		mr_view_heading(&view, &out);
	for (size_t i = 0; i < ids.n; i++) {
		struct mr_viewed m;

		st = mr_view_open(&s->spool, &m, ids.v[i], err);
		if (st == MR_OK)
			mr_view_message(&view, &m, &out);
		else if (st != MR_NOTFOUND) { /* that one was delivered meanwhile */
			say_bad(ids.v[i], err);
			code = EXIT_TEMP;
		}
		mr_view_close(&m);
		if (out.is_full || print(1, mr_buf_str(&out)))
			code = EXIT_TEMP;
		mr_buf_clear(&out);
	}
	mr_buf_free(&out);
	free(ids.v);
	return code;
}

static int
do_check(struct settings *s, struct mr_err *err)
{
	struct ids ids = { .n = 0 };
	enum mr_status st = read_ids(s, &ids, err);
	int code = st ? fail(st, err) : EXIT_OK;
	size_t good = 0;
	struct mr_buf out;

	for (size_t i = 0; i < ids.n; i++) {
		struct mr_viewed m;

		if ((st = mr_view_open(&s->spool, &m, ids.v[i], err)) == MR_OK)
			st = mr_spool_verify(m.fd, &m.file, err);
		good += st == MR_OK;
		if (st && st != MR_NOTFOUND) {
			say_bad(ids.v[i], err);
			code = st == MR_PERM && code != EXIT_TEMP ? EXIT_BAD : EXIT_TEMP;
		}
		mr_view_close(&m);
	}
	mr_buf_init(&out, 64);
	mr_buf_addf(&out, "%zu message%s good\n", good, good == 1 ? "" : "s");
	print(1, mr_buf_str(&out));
	mr_buf_free(&out);
	free(ids.v);
	return code;
}

/* ---- show, retry, delete ---- */

static int
do_show(struct settings *s, struct mr_err *err)
{
	const struct mr_view view = {
		.spool = &s->spool, .has_colour = isatty(1), .now_s = mr_clock_now_s()
	};
	int code = EXIT_OK;

	for (size_t i = 0; i < s->operand_n; i++) {
		struct mr_viewed m;
		struct mr_buf out;
		enum mr_status st = mr_view_open(&s->spool, &m, s->operand[i], err);

		mr_buf_init(&out, OUT_MAX);
		if (st == MR_OK)
			st = mr_view_show(&view, &m, &out, err);
		print(1, mr_buf_str(&out));
		if (st) {
			say_bad(s->operand[i], err);
			code = st == MR_TEMP ? EXIT_TEMP : EXIT_BAD;
		}
		mr_buf_free(&out);
		mr_view_close(&m);
	}
	return code;
}

/* True if the message has the sender and one of the recipients asked for. */
static bool
is_meant(const struct settings *s, const struct mr_viewed *m)
{
	if (s->sender
	    && !mr_str_caseeq(mr_env_get(&m->file.env, "sender"),
	        mr_str_is(mr_str(s->sender), "<>") ? MR_STR("") : mr_str(s->sender)))
		return false;
	for (size_t i = 0; i < m->record.rcpt_n; i++)
		for (size_t k = 0; k < s->rcpt_n; k++)
			if (!m->record.rcpt[i].is_done
			    && mr_str_caseeq(m->file.env.rcpt[i].addr, mr_str(s->rcpt[k])))
				return true;
	return s->rcpt_n == 0;
}

static enum mr_status
act_on_meant(struct settings *s, enum mr_ask ask, size_t *n, struct mr_err *err)
{
	struct ids ids = { .n = 0 };
	enum mr_status st = read_ids(s, &ids, err);

	for (size_t i = 0; i < ids.n && st == MR_OK; i++) {
		struct mr_viewed m;
		size_t one = 0;

		if (mr_view_open(&s->spool, &m, ids.v[i], err) == MR_OK && is_meant(s, &m))
			st = mr_ask(&s->spool, ask, ids.v[i], &one, err);
		if (st == MR_NOTFOUND) /* delivered meanwhile */
			st = MR_OK;
		*n += one;
		mr_view_close(&m);
	}
	free(ids.v);
	return st;
}

static int
act(struct settings *s, enum mr_ask ask, struct mr_err *err)
{
	enum mr_status st = MR_OK;
	int code = EXIT_OK;
	size_t total = 0, n = 0;
	struct mr_buf out;

	if (s->sender || s->rcpt_n) {
		st = s->operand_n ? mr_err_set(err, MR_USAGE, "either -f and -r, or ids, or all")
		                  : act_on_meant(s, ask, &total, err);
		code = st ? fail(st, err) : EXIT_OK;
	} else if (s->operand_n == 0)
		code = fail(mr_err_set(err, MR_USAGE, "%s what?", s->verb), err);
	for (size_t i = 0; i < s->operand_n && st == MR_OK; i++, total += n) {
		const char *id = strcmp(s->operand[i], "all") == 0 ? NULL : s->operand[i];
		enum mr_status one = mr_ask(&s->spool, ask, id, &n, err);

		if (one) {
			say_bad(s->operand[i], err);
			code = one == MR_NOTFOUND && code != EXIT_TEMP ? EXIT_BAD : EXIT_TEMP;
		}
	}
	if (code != EXIT_TEMP) {
		mr_buf_init(&out, 64);
		mr_buf_addf(&out, "%zu message%s\n", total, total == 1 ? "" : "s");
		print(1, mr_buf_str(&out));
		mr_buf_free(&out);
	}
	return code;
}

static int
do_retry(struct settings *s, struct mr_err *err)
{
	return act(s, MR_ASK_RETRY, err);
}

static int
do_delete(struct settings *s, struct mr_err *err)
{
	return act(s, MR_ASK_DELETE, err);
}

/* ---- run ---- */

/* The words of --remote, or mr-remote beside ourselves, and -w -N name behind them. */
static enum mr_status
worker_words(struct settings *s, char *argv[WORDS_MAX], struct mr_err *err)
{
	char *path = mr_arena_alloc(&s->arena, PATH_MAX);
	const char *command = s->remote ? s->remote : "mr-remote";
	const struct mr_str own[] = { MR_STR("-w"), MR_STR("-N"), s->name };
	struct mr_str rest = mr_str(command), word;
	size_t n = 0;

	while ((word = mr_str_word(&rest)).n) {
		if (n + 4 >= WORDS_MAX)
			return mr_err_set(err, MR_USAGE, "-M: more than %u words", WORDS_MAX - 5);
		word = mr_arena_dup(&s->arena, word);
		if (!(argv[n++] = mr_arena_alloc(&s->arena, word.n + 1)) || !word.p)
			return mr_err_set(err, MR_TEMP, "out of memory");
		memcpy(argv[n - 1], word.p, word.n);
	}
	if (n == 0 || !path
	    || mr_child_find(path, PATH_MAX, argv[0], s->host.bin_dir, getenv("PATH")))
		return mr_err_set(err, MR_USAGE, "'%s': no such program", command);
	argv[0] = path;
	for (size_t i = 0; i < sizeof own / sizeof *own; i++, n++) {
		if (!(argv[n] = mr_arena_alloc(&s->arena, own[i].n + 1)))
			return mr_err_set(err, MR_TEMP, "out of memory");
		memcpy(argv[n], own[i].p, own[i].n);
	}
	argv[n] = NULL;
	return MR_OK;
}

static enum mr_status
run(struct settings *s, char *argv[WORDS_MAX], const struct mr_log *log, struct mr_err *err)
{
	enum mr_status st;
	sigset_t stop;
	int lock;
	struct mr_sched_conf conf = { .log = log,
		.host = s->name,
		.routes = s->routes,
		.worker = argv,
		.workers_max = (size_t)s->workers,
		.per_hop_max = (size_t)s->per_hop,
		.wait_first_s = (int64_t)s->wait_first_s,
		.wait_max_s = (int64_t)s->wait_max_s,
		.lifetime_s = (int64_t)s->lifetime_s };

	if (conf.wait_max_s < conf.wait_first_s)
		return mr_err_set(err, MR_USAGE, "-B is shorter than -b");
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	signal(SIGPIPE, SIG_IGN);
	if ((conf.stop_fd = signalfd(-1, &stop, SFD_CLOEXEC)) < 0)
		return mr_err_sys(err, MR_TEMP, "signalfd");
	st = mr_sched_lock(&s->spool, &lock, err);
	if (st == MR_OK) {
		st = mr_sched_run(&s->spool, &conf, err);
		close(lock);
	}
	close(conf.stop_fd);
	return st;
}

static int
do_run(struct settings *s, struct mr_err *err)
{
	const struct mr_log log = { .prog = "mr-queue", .fd = 2, .is_verbose = s->is_verbose };
	char *argv[WORDS_MAX];
	enum mr_status st = worker_words(s, argv, err);

	if (st == MR_OK)
		st = run(s, argv, &log, err);
	if (st == MR_OK)
		return EXIT_OK;
	fail(st, err);
	return EXIT_TEMP;
}

/* ---- options ---- */

static const struct verb {
	const char *name, *letters;
	size_t operand_min, operand_max;
	int (*run)(struct settings *s, struct mr_err *err);
} verbs[] = {
	{ "add", "NmfrE", 0, 0, do_add },
	{ "list", "j", 0, 0, do_list },
	{ "show", "", 1, SIZE_MAX, do_show },
	{ "retry", "fr", 0, SIZE_MAX, do_retry },
	{ "delete", "fr", 0, SIZE_MAX, do_delete },
	{ "check", "", 0, 0, do_check },
	{ "run", "vRNwcbBLM", 0, 0, do_run },
};

static enum mr_status
take_option(struct settings *s, char c, const char *arg, struct mr_err *err)
{
	switch (c) {
	case 'Q':
		s->dir = arg;
		return MR_OK;
	case 'f':
		s->sender = arg;
		return MR_OK;
	case 'r':
		s->rcpt[s->rcpt_n++] = arg;
		return MR_OK;
	case 'E':
		s->has_record = true;
		return mr_opt_num(c, arg, 0, 1 << 20, &s->record_fd, err);
	case 'm':
		return mr_opt_size(c, arg, 1, INT64_MAX, &s->add_max, err);
	case 'j':
		s->is_json = true;
		return MR_OK;
	case 'R':
		s->routes = arg;
		return MR_OK;
	case 'N':
		s->name = mr_str(arg);
		return MR_OK;
	case 'w':
		return mr_opt_num(c, arg, 1, MR_SCHED_WORKERS_MAX, &s->workers, err);
	case 'c':
		return mr_opt_num(c, arg, 1, MR_SCHED_WORKERS_MAX, &s->per_hop, err);
	case 'b':
		return mr_opt_span_s(c, arg, 1, SPAN_MAX_S, &s->wait_first_s, err);
	case 'B':
		return mr_opt_span_s(c, arg, 1, SPAN_MAX_S, &s->wait_max_s, err);
	case 'L':
		return mr_opt_span_s(c, arg, 1, SPAN_MAX_S, &s->lifetime_s, err);
	case 'M':
		s->remote = arg;
		return MR_OK;
	case 'v':
		s->is_verbose = true;
		return MR_OK;
	default:
		s->wants_help = true;
		return MR_OK;
	}
}

/* Options may stand before and behind the verb and its operands. */
static enum mr_status
read_options(
    struct settings *s, int argc, char *argv[], const struct verb **verb, struct mr_err *err)
{
	struct mr_opt o = {
		.argc = argc, .argv = argv, .letters = "Q:f:r:E:m:jR:N:w:c:b:B:L:M:v?"
	};
	char seen[256] = "";
	size_t seen_n = 0;
	enum mr_status st;
	int c;

	do {
		while ((c = mr_opt_next(&o, err)) > 0) {
			if ((st = take_option(s, (char)c, o.arg, err)))
				return st;
			if (c != 'Q' && seen_n < sizeof seen - 1)
				seen[seen_n++] = (char)c;
		}
		if (c < 0)
			return MR_USAGE;
		if (o.at < argc && !s->verb)
			s->verb = argv[o.at++];
		else if (o.at < argc)
			s->operand[s->operand_n++] = argv[o.at++];
	} while (o.at < argc);
	if (s->wants_help)
		return MR_OK;
	if (!s->verb)
		return mr_err_set(err, MR_USAGE, "need a verb");
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(s->verb, verbs[i].name) == 0)
			*verb = &verbs[i];
	if (!*verb)
		return mr_err_set(err, MR_USAGE, "unknown verb '%s'", s->verb);
	for (size_t i = 0; i < seen_n; i++)
		if (!strchr((*verb)->letters, seen[i]))
			return mr_err_set(
			    err, MR_USAGE, "%s takes no option -%c", s->verb, seen[i]);
	if (s->operand_n < (*verb)->operand_min || s->operand_n > (*verb)->operand_max)
		return mr_err_set(err, MR_USAGE, "%s: %s", s->verb,
		    s->operand_n ? "takes no operand" : "needs an id");
	return MR_OK;
}

static enum mr_status
prepare(struct settings *s, int argc, char *argv[], const struct verb **verb, struct mr_err *err)
{
	enum mr_status st;

	s->rcpt = mr_arena_alloc(&s->arena, (size_t)argc * sizeof *s->rcpt);
	s->operand = mr_arena_alloc(&s->arena, (size_t)argc * sizeof *s->operand);
	if (!s->rcpt || !s->operand)
		return mr_err_set(err, MR_TEMP, "out of memory");
	if ((st = mr_io_std_fds(err))
	    || (st = mr_opt_shorten(argc, argv, long_options,
	            sizeof long_options / sizeof *long_options, &s->arena, err))
	    || (st = read_options(s, argc, argv, verb, err)) || s->wants_help
	    || (st = mr_host_read(&s->host, err)))
		return st;
	if (!s->name.p)
		s->name = mr_str(s->host.name);
	if (strchr((*verb)->letters, 'N') && !mr_domain_is_valid(s->name)
	    && !mr_domain_is_literal(s->name))
		return mr_err_set(err, MR_USAGE, "'%.*s' is no host name; give one with -N",
		    (int)s->name.n, s->name.p);
	return MR_OK;
}

int
main(int argc, char *argv[])
{
	const char *dir = getenv("MR_SPOOL");
	struct settings s = { .dir = dir && *dir ? dir : "/var/spool/mr",
		.add_max = ADD_MAX,
		.workers = MR_SCHED_WORKERS,
		.per_hop = MR_SCHED_PER_HOP,
		.wait_first_s = MR_SCHED_WAIT_FIRST_S,
		.wait_max_s = MR_SCHED_WAIT_MAX_S,
		.lifetime_s = MR_SCHED_LIFETIME_S };
	const struct verb *verb = NULL;
	struct mr_err err;
	enum mr_status st;
	int code;

	mr_arena_init(&s.arena, ARENA_MAX);
	st = prepare(&s, argc, argv, &verb, &err);
	if (st == MR_OK && s.wants_help)
		code = print(1, mr_str(usage_text)) ? EXIT_TEMP : EXIT_OK;
	else if (st || (st = mr_spool_open(&s.spool, s.dir, &err))) {
		fail(st, &err);
		code = EXIT_TEMP;
	} else {
		code = verb->run(&s, &err);
		mr_spool_close(&s.spool);
	}
	mr_arena_free(&s.arena);
	return code;
}
