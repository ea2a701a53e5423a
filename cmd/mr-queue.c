/* mr-queue - the queue: add, list, show, run, retry, delete, check. */
#include "base/child.h"
#include "base/clock.h"
#include "base/host.h"
#include "base/opt.h"
#include "mail/addr.h"
#include "mail/received.h"
#include "queue/list.h"
#include "queue/pool.h"
#include "queue/sched.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEMORY_MAX  (64u << 20)
#define MESSAGE_MAX (1ull << 40) /* add: bytes; who may use the shell may fill the disk */

enum { EXIT_NONE = 100, EXIT_FAULT = 111 };

static const char usage_text[] =
    "usage: mr-queue [-Q spool] list [-j]                 what waits, and why\n"
    "       mr-queue [-Q spool] show [-j] ID              one message\n"
    "       mr-queue [-Q spool] retry ID|all              due now\n"
    "       mr-queue [-Q spool] delete ID|all             without a bounce\n"
    "       mr-queue [-Q spool] check                     compare all checksums\n"
    "       mr-queue [-Q spool] add [-N name] [-E fd] [-f sender] [-r recipient ...] < message\n"
    "       mr-queue [-Q spool] run [-v] [-R routes] [-N name] [-w workers] [-c per-next-hop]\n"
    "                [-b first-wait] [-m longest-wait] [-L lifetime] [-M mr-remote]\n"
    "                [-k srs-keys -d srs-domain]\n";

static const struct mr_opt_name names[] = { { "spool", 'Q' }, { "json", 'j' }, { "name", 'N' },
	{ "routes", 'R' }, { "sender", 'f' }, { "recipient", 'r' }, { "workers", 'w' },
	{ "per-next-hop", 'c' }, { "first-wait", 'b' }, { "longest-wait", 'm' },
	{ "lifetime", 'L' }, { "remote", 'M' }, { "srs-keys", 'k' }, { "srs-domain", 'd' },
	{ "verbose", 'v' }, { NULL, 0 } };

struct options {
	struct mr_log log;
	struct mr_arena arena;
	struct mr_host host;
	struct mr_sched_conf run;
	struct mr_env env; /* add */
	const char *remote;
	uint64_t record_fd;
	bool is_json;
};

static int
say(const char *text)
{
	mr_io_write(2, MR_STR("mr-queue: "), NULL);
	mr_io_write(2, mr_str(text), NULL);
	mr_io_write(2, MR_STR("\n"), NULL);
	return EXIT_FAULT;
}

static enum mr_status
take_option(struct options *o, int c, const char *arg, struct mr_err *err)
{
	switch (c) {
	case 'Q':
		o->run.spool = arg;
		return MR_OK;
	case 'j':
		o->is_json = true;
		return MR_OK;
	case 'v':
		o->log.is_verbose = true;
		return MR_OK;
	case 'N':
		o->run.host = arg;
		return MR_OK;
	case 'R':
		o->run.routes = arg;
		return MR_OK;
	case 'k':
		o->run.srs_keys = arg;
		return MR_OK;
	case 'd':
		o->run.srs_domain = arg;
		return MR_OK;
	case 'M':
		o->remote = arg;
		return MR_OK;
	case 'f':
		return mr_env_set(&o->env, MR_STR("sender"), mr_str(arg), err);
	case 'r':
		return mr_env_add_rcpt(&o->env, mr_str(arg), err);
	case 'E':
		return mr_opt_num('E', arg, 3, 1023, &o->record_fd, err);
	case 'w':
		return mr_opt_num('w', arg, 1, MR_POOL_WORKERS_MAX, &o->run.workers, err);
	case 'c':
		return mr_opt_num('c', arg, 1, MR_POOL_WORKERS_MAX, &o->run.per_dest, err);
	case 'b':
		return mr_opt_span_s('b', arg, 1, 86400, &o->run.first_wait_s, err);
	case 'm':
		return mr_opt_span_s('m', arg, 1, 7 * 86400, &o->run.max_wait_s, err);
	default:
		return mr_opt_span_s('L', arg, 1, 365 * 86400, &o->run.lifetime_s, err);
	}
}

/* ---- verbs -------------------------------------------------------------------------------------------- */

static int
outcome(enum mr_status st, const struct mr_err *err)
{
	if (st == MR_OK)
		return 0;
	say(err->text);
	return st == MR_NOTFOUND ? EXIT_NONE : EXIT_FAULT;
}

static int
do_list(struct options *o, const char *id)
{
	struct mr_spool spool;
	struct mr_err err;
	enum mr_status st = mr_spool_open(&spool, o->run.spool, &err);

	(void)id;
	if (st == MR_OK) {
		st = mr_queue_list(&spool, o->is_json, 1, &err);
		mr_spool_close(&spool);
	}
	return outcome(st, &err);
}

static int
do_show(struct options *o, const char *id)
{
	struct mr_spool spool;
	struct mr_err err;
	enum mr_status st = mr_spool_open(&spool, o->run.spool, &err);

	if (st == MR_OK) {
		st = mr_queue_show(&spool, id, o->is_json, 1, &err);
		mr_spool_close(&spool);
	}
	return outcome(st, &err);
}

static int
do_check(struct options *o, const char *id)
{
	struct mr_spool spool;
	struct mr_buf b;
	struct mr_err err;
	uint64_t n = 0, bad = 0;
	enum mr_status st = mr_spool_open(&spool, o->run.spool, &err);

	(void)id;
	if (st == MR_OK) {
		st = mr_queue_check(&spool, 1, &n, &bad, &err);
		mr_spool_close(&spool);
	}
	mr_buf_init(&b, 200);
	mr_buf_addf(&b, "%" PRIu64 " messages, %" PRIu64 " damaged\n", n, bad);
	if (st == MR_OK)
		mr_io_write(1, mr_buf_str(&b), NULL);
	mr_buf_free(&b);
	return bad ? EXIT_NONE : outcome(st, &err);
}

static int
operate(struct options *o, const char *verb, const char *done, const char *id)
{
	struct mr_buf b;
	struct mr_err err;
	uint64_t n;
	enum mr_status st = mr_sched_command(o->run.spool, verb, id, &n, &err);

	if (st)
		return outcome(st, &err);
	mr_buf_init(&b, 200);
	mr_buf_addf(&b, "%" PRIu64 " message%s %s\n", n, n == 1 ? "" : "s", done);
	mr_io_write(1, mr_buf_str(&b), NULL);
	mr_buf_free(&b);
	return 0;
}

static int
do_retry(struct options *o, const char *id)
{
	return operate(o, "retry", "due now", id);
}

static int
do_delete(struct options *o, const char *id)
{
	return operate(o, "delete", "deleted", id);
}

/* The addresses as they are to be in the queue: canonical. */
static enum mr_status
check_addresses(struct options *o, struct mr_err *err)
{
	struct mr_str sender = mr_env_get(&o->env, "sender");
	struct mr_addr a;
	struct mr_err why;

	if (!o->env.rcpt_n)
		return mr_err_set(err, MR_USAGE, "add: no recipient");
	if (!sender.p)
		return mr_err_set(err, MR_USAGE, "add: no sender; -f '' is the null sender");
	if (sender.n && mr_addr_parse(&a, &o->arena, sender, &why))
		return mr_err_set(
		    err, MR_USAGE, "sender '%.*s': %s", (int)sender.n, sender.p, why.text);
	if (sender.n && mr_env_set(&o->env, MR_STR("sender"), a.text, err))
		return MR_TEMP;
	for (size_t i = 0; i < o->env.rcpt_n; i++) {
		struct mr_str r = o->env.rcpt[i].addr;

		if (mr_addr_parse(&a, &o->arena, r, &why))
			return mr_err_set(
			    err, MR_USAGE, "recipient '%.*s': %s", (int)r.n, r.p, why.text);
		o->env.rcpt[i].addr = a.text;
	}
	return MR_OK;
}

static enum mr_status
add(struct options *o, struct mr_spool *spool, const char *id, struct mr_err *err)
{
	struct mr_spool_msg msg;
	struct mr_env received;
	struct mr_buf front;
	enum mr_status st = mr_spool_begin(spool, &msg, err);

	if (st)
		return st;
	mr_buf_init(&front, MR_SPOOL_FRONT_MAX);
	mr_env_init(&received, &o->arena);
	st = mr_spool_copy_in(&msg, 0, MESSAGE_MAX, NULL, err);
	if (st == MR_OK
	    && (st = mr_env_set(&received, MR_STR("queue_id"), mr_str(id), err)) == MR_OK
	    && (st = mr_env_set(&o->env, MR_STR("queue_id"), mr_str(id), err)) == MR_OK
	    && (st = mr_env_set(&o->env, MR_STR("size"), MR_NUM(msg.len), err)) == MR_OK
	    && (st = mr_env_set(&o->env, MR_STR("body"),
	            msg.has_8bit ? MR_STR("8BITMIME") : MR_STR("7BIT"), err))
	        == MR_OK) {
		mr_received_write(&front, &received, mr_str(o->run.host), mr_clock_now_s());
		st = mr_spool_commit(spool, &msg, id, mr_buf_str(&front), &o->env, err);
	}
	mr_spool_abort(&msg);
	mr_buf_free(&front);
	return st;
}

static int
do_add(struct options *o, const char *none)
{
	char id[MR_ID_MAX];
	struct mr_spool spool;
	struct mr_err err;
	enum mr_status st = MR_OK;

	(void)none;
	if (o->record_fd)
		st = mr_env_read_fd(&o->env, (int)o->record_fd, &err);
	if (st || (st = check_addresses(o, &err))
	    || (st = mr_spool_open(&spool, o->run.spool, &err)))
		return outcome(st, &err);
	mr_spool_new_id(id);
	st = add(o, &spool, id, &err);
	mr_spool_close(&spool);
	if (st == MR_OK) {
		mr_io_write(1, mr_str(id), NULL);
		mr_io_write(1, MR_STR("\n"), NULL);
	} else if (st == MR_PERM) { /* the message is not one */
		say(err.text);
		return EXIT_NONE;
	}
	return outcome(st, &err);
}

static int
do_run(struct options *o, const char *none)
{
	char path[PATH_MAX], name[sizeof o->host.name];
	char *remote[] = { path, (char[]){ "-w" }, (char[]){ "-N" }, name, NULL };
	struct mr_err err;

	(void)none;
	if (!o->run.srs_keys != !o->run.srs_domain)
		return say(
		    "-k and -d: the keys and the domain of forwarded senders need each other");
	signal(SIGCHLD, SIG_DFL); /* a parent that ignores it would keep workers' ends from us */
	signal(SIGPIPE, SIG_IGN);
	if (strlen(o->run.host) >= sizeof name)
		return say("-N: name too long");
	memcpy(name, o->run.host, strlen(o->run.host) + 1);
	if (mr_child_find(path, sizeof path, o->remote ? o->remote : "mr-remote", o->host.bin_dir,
	        getenv("PATH")))
		return say("no program mr-remote beside this one or in the PATH; -M says where");
	o->run.remote = remote;
	if (mr_sched_run(&o->run, &err) == MR_OK)
		return 0;
	MR_LOG(&o->log, MR_LOG_FAULT, "start", { "why", mr_str(err.text) });
	return EXIT_FAULT;
}

static const struct verb {
	const char *name;
	bool takes_id;
	int (*run)(struct options *o, const char *id);
} verbs[] = {
	{ "list", false, do_list },
	{ "show", true, do_show },
	{ "retry", true, do_retry },
	{ "delete", true, do_delete },
	{ "check", false, do_check },
	{ "add", false, do_add },
	{ "run", false, do_run },
};

/* Options may stand before and behind the verb. */
static enum mr_status
read_options(struct options *o, int argc, char **argv, int *used, struct mr_err *err)
{
	struct mr_opt opt = { .argc = argc,
		.argv = argv,
		.letters = "Q:jvN:R:M:f:r:E:w:c:b:m:L:k:d:",
		.names = names };
	enum mr_status st = MR_OK;
	int c;

	while (st == MR_OK && (c = mr_opt_next(&opt, err)) > 0)
		st = take_option(o, c, opt.arg, err);
	*used = opt.at;
	return st ? st : c < 0 ? MR_USAGE : MR_OK;
}

int
main(int argc, char **argv)
{
	struct options o = { .log = { .prog = "mr-queue", .fd = 2 } };
	const char *spool = getenv("MR_SPOOL");
	const struct verb *verb = NULL;
	struct mr_err err;
	int at = 1, used = 1, code = EXIT_FAULT;

	mr_arena_init(&o.arena, MEMORY_MAX);
	mr_env_init(&o.env, &o.arena);
	if (mr_io_std_fds(&err) || mr_host_read(&o.host, &err))
		return say(err.text);
	o.run = (struct mr_sched_conf){ .log = &o.log,
		.spool = spool ? spool : MR_SPOOL_DEFAULT,
		.host = o.host.name,
		.workers = 20,
		.per_dest = 20,
		.first_wait_s = 300,
		.max_wait_s = 4 * 3600,
		.lifetime_s = 5 * 86400 };
	if (read_options(&o, argc, argv, &at, &err))
		goto out;
	for (size_t i = 0; at < argc && i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(argv[at], verbs[i].name) == 0)
			verb = &verbs[i];
	if (!verb) {
		mr_err_set(&err, MR_USAGE, "need a verb: list show retry delete check add run");
		goto out;
	}
	if (read_options(&o, argc - at, argv + at, &used, &err))
		goto out;
	at += used;
	if (argc - at == (verb->takes_id ? 1 : 0)) {
		code = verb->run(&o, argv[at]);
		mr_arena_free(&o.arena);
		return code;
	}
	mr_err_set(&err, MR_USAGE, "%s: %s", verb->name,
	    verb->takes_id ? "need one queue id" : "takes no operand");
out:
	mr_opt_usage("mr-queue", &err, usage_text);
	mr_arena_free(&o.arena);
	return code;
}
