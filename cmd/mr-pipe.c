/* mr-pipe - runs a pipeline by hand, as a policy service, or in the place of qmail-queue. */
#include "base/host.h"
#include "base/opt.h"
#include "pipe/cases.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CASE_MEMORY_MAX (32u << 20)
#define MESSAGE_MAX     (1ull << 30) /* mr-qmail-queue: bytes of a message; the front end limits */
#define QQ_TEMPORARY    71 /* mr-qmail-queue: exit code of a fault before there is a job */

static const char usage_text[] =
    "usage: mr-pipe -t [-x] SPEC                       check the spec\n"
    "       mr-pipe [-nvx] [-D host:port] [-N name] [-R routes] [-E fd] [-a name=value ...]\n"
    "               [-i ip] [-h helo] [-f sender] [-r recipient ...] SPEC < message\n"
    "                                                  run one case\n"
    "       mr-pipe -c DIR [-v] [-D host:port] [-N name] [-R routes] SPEC   test the policy\n"
    "       mr-pipe -l [-x] [-D host:port] [-N name] [-R routes] SPEC\n"
    "                                                  policy service on standard input\n"
    "       mr-qmail-queue < message 1< envelope        spec from MR_PIPELINE, spool MR_SPOOL\n";

struct options {
	bool is_check, is_verbose, is_loop, is_report;
	struct mr_pipe_conf pipe;
	const char *routes, *cases;
	uint64_t record_fd;
	struct mr_env env; /* -a -i -h -f -r */
};

static int
fault(const struct mr_log *log, const struct mr_err *err)
{
	MR_LOG(log, MR_LOG_FAULT, "pipe", { "why", mr_str(err->text) });
	return MR_DEFER;
}

static enum mr_status
take_option(struct options *o, int c, const char *arg, struct mr_err *err)
{
	switch (c) {
	case 't':
		o->is_check = true;
		return MR_OK;
	case 'v':
		o->is_verbose = true;
		return MR_OK;
	case 'l':
		o->is_loop = true;
		return MR_OK;
	case 'n':
		o->is_report = true;
		return MR_OK;
	case 'x':
		o->pipe.exec_all = true;
		return MR_OK;
	case 'N':
		o->pipe.host = arg;
		return MR_OK;
	case 'R':
		o->routes = arg;
		return MR_OK;
	case 'D':
		o->pipe.resolver = arg;
		return MR_OK;
	case 'c':
		o->cases = arg;
		o->pipe.is_rehearsal = true;
		return MR_OK;
	case 'a':
		return mr_env_add_line(&o->env, mr_str(arg), err);
	case 'E':
		return mr_opt_num('E', arg, 3, 1023, &o->record_fd, err);
	default:
		return mr_filter_by_hand(&o->env, (char)c, arg, err);
	}
}

/* -t: all problems, one a line, on standard output. */
static int
check(const struct mr_pipeline *pl, const char *path, enum mr_status st, const struct mr_err *err)
{
	struct mr_buf out;
	int code = MR_DUNNO;

	mr_buf_init(&out, 1 << 20);
	for (size_t i = 0; i < pl->spec.problem_n; i++) {
		const struct mr_problem *p = &pl->spec.problem[i];

		mr_buf_addf(&out, "%s:%u: %s%s\n", path, p->line, p->is_warning ? "warning: " : "",
		    p->text);
		if (!p->is_warning)
			code = MR_DEFER;
	}
	if (st && code == MR_DUNNO) {
		mr_buf_addf(&out, "%s\n", err->text);
		code = MR_DEFER;
	}
	if (code == MR_DUNNO)
		mr_buf_addf(
		    &out, "%s: %zu stage%s, no error\n", path, pl->n, pl->n == 1 ? "" : "s");
	mr_io_write(1, mr_buf_str(&out), NULL);
	mr_buf_free(&out);
	return code;
}

/* One case by hand, or a folder of cases. */
static int
replay(struct mr_pipeline *pl, struct options *o, const struct mr_table *routes, const char *tmp)
{
	struct mr_replay what = { .env = &o->env,
		.routes = routes,
		.message_fd = isatty(0) ? -1 : 0,
		.folder_fd = open(tmp ? tmp : "/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC),
		.is_verbose = o->is_verbose };
	struct mr_replay_result result = { .verdict = MR_DEFER };
	struct mr_cases cases = { .n = 0 };
	struct mr_buf out;
	struct mr_err err;
	enum mr_status st;

	mr_buf_init(&out, o->cases ? MR_CASE_MAX : 2 * MR_FIELDS_MAX);
	st = o->record_fd ? mr_env_read_fd(&o->env, (int)o->record_fd, &err) : MR_OK;
	if (st == MR_OK && o->cases) {
		st = mr_cases_run(pl, &what, o->cases, &cases, &out, &err);
		result.verdict = cases.wrong_n ? MR_REFUSE : MR_DUNNO;
	} else if (st == MR_OK)
		st = mr_replay_run(pl, &what, &result, &out, &err);
	if (st == MR_OK || o->is_verbose)
		mr_io_write(1, mr_buf_str(&out), NULL);
	mr_buf_free(&out);
	if (what.folder_fd >= 0)
		close(what.folder_fd);
	if (st)
		return fault(pl->conf.log, &err);
	return o->is_report ? 0 : (int)result.verdict;
}

/* What the front end of a qmail world tells in its environment. */
static enum mr_status
known_from_environment(struct mr_env *env, struct mr_err *err)
{
	static const char *const pairs[][2] = { { "TCPREMOTEIP", "client_address" },
		{ "TCPREMOTEHOST", "client_name" }, { "TCPREMOTEINFO", "client_ident" } };
	enum mr_status st = MR_OK;

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs && st == MR_OK; i++) {
		const char *value = getenv(pairs[i][0]);

		if (value)
			st = mr_env_set(env, mr_str(pairs[i][1]), mr_str(value), err);
	}
	return st;
}

static int
qmail_queue(struct options *o, bool has_input)
{
	const char *spool = getenv("MR_SPOOL");
	struct mr_qmail_job job = { .message_fd = 0,
		.envelope_fd = 1,
		.spool = spool ? spool : MR_SPOOL_DEFAULT,
		.known = &o->env,
		.classes = getenv("RELAYCLIENT") ? MR_TRUSTED : 0,
		.message_max = MESSAGE_MAX };
	struct mr_pipeline pl;
	struct mr_err err;
	int code = QQ_TEMPORARY;

	if (!has_input) {
		mr_err_set(
		    &err, MR_TEMP, "descriptor 0 or 1 is closed: no message, or no envelope");
		fault(o->pipe.log, &err);
		return code;
	}
	if (mr_pipeline_open(&pl, getenv("MR_PIPELINE"), &o->pipe, &err)
	    || known_from_environment(&o->env, &err))
		fault(o->pipe.log, &err);
	else
		code = mr_qmail_queue(&pl, &job);
	mr_pipeline_close(&pl);
	return code;
}

static int
pipe_command(struct options *o, const char *spec)
{
	struct mr_table *routes = NULL;
	struct mr_pipeline pl;
	struct mr_err err;
	int code = MR_DUNNO;
	enum mr_status st;

	o->pipe.will_fork = o->is_check || o->cases;
	st = mr_pipeline_open(&pl, spec, &o->pipe, &err);

	if (o->is_check)
		code = check(&pl, spec, st, &err);
	else if (st || (o->routes && mr_table_open(&routes, o->routes, MR_TABLE_ROUTES, &err)))
		code = fault(o->pipe.log, &err);
	else if (o->is_loop) {
		mr_stores_check(&pl.shared.stores, o->pipe.log);
		code =
		    mr_serve_policy(&pl, routes, 0, 1, &err) ? fault(o->pipe.log, &err) : MR_DUNNO;
	} else
		code = replay(&pl, o, routes, getenv("TMPDIR"));
	mr_table_close(routes);
	mr_pipeline_close(&pl);
	return code;
}

/* The whole command line of mr-pipe. */
static int
by_options(struct options *o, int argc, char **argv)
{
	struct mr_opt opt = { .argc = argc, .argv = argv, .letters = "tvlnxa:c:D:N:R:E:i:h:f:r:" };
	enum mr_status st = MR_OK;
	struct mr_err err;
	int c;

	while (st == MR_OK && (c = mr_opt_next(&opt, &err)) > 0)
		st = take_option(o, c, opt.arg, &err);
	if (st == MR_OK && c == 0 && o->cases
	    && (o->is_check || o->is_loop || o->pipe.exec_all || o->record_fd || o->env.attrs.n
	        || o->env.rcpt_n))
		st = mr_err_set(&err, MR_USAGE, "-c goes with -v, -D, -N and -R only");
	if (st == MR_OK && c == 0 && argc - opt.at == 1)
		return pipe_command(o, argv[opt.at]);
	if (st == MR_OK && c == 0)
		mr_err_set(&err, MR_USAGE, "need one spec");
	mr_opt_usage("mr-pipe", &err, usage_text);
	return MR_DEFER;
}

int
main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/'), *prog = slash ? slash + 1 : argv[0];
	bool is_qmail_queue = strcmp(prog, "mr-qmail-queue") == 0;
	bool has_input = fcntl(0, F_GETFD) >= 0 && fcntl(1, F_GETFD) >= 0;
	struct mr_log log = { .prog = is_qmail_queue ? "mr-qmail-queue" : "mr-pipe", .fd = 2 };
	struct mr_host host;
	struct mr_arena arena;
	struct mr_err err;
	struct options o = { .pipe = { .log = &log, .bin_dir = host.bin_dir, .host = host.name } };
	int code;

	signal(SIGCHLD, SIG_DFL); /* what ignores it keeps stages' exit codes from us */
	signal(SIGPIPE, SIG_IGN);
	o.pipe.path = getenv("PATH");
	mr_arena_init(&arena, CASE_MEMORY_MAX);
	mr_env_init(&o.env, &arena);
	if (mr_io_std_fds(&err) || mr_host_read(&host, &err))
		code = fault(&log, &err);
	else
		code = is_qmail_queue ? qmail_queue(&o, has_input) : by_options(&o, argc, argv);
	mr_arena_free(&arena);
	return code;
}
