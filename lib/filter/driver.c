#include "base/clock.h"
#include "base/host.h"
#include "base/io.h"
#include "base/ip.h"
#include "base/opt.h"
#include "base/sandbox.h"
#include "filter/filter.h"
#include "filter/through.h"
#include "mail/authres.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILTER_MEMORY_MAX (64u << 20) /* what a filter's options and state may take of its arena */
#define RECORD_MEMORY_MAX (16u << 20) /* what one record and its answer may take */
#define OPTS_MAX          256u        /* own options of one command line */
#define ROUND_MAX         64u         /* batches of one record; SPF needs some 22 */

/* ---- options ------------------------------------------------------------------------------------ */

enum mr_status
mr_filter_by_hand(struct mr_env *env, char letter, const char *arg, struct mr_err *err)
{
	struct mr_ip ip;

	switch (letter) {
	case 'i':
		if (mr_ip_parse(&ip, mr_str(arg)))
			return mr_err_set(err, MR_USAGE, "-i %s: not an IP address", arg);
		return mr_env_set(env, MR_STR("client_address"), mr_str(arg), err);
	case 'h':
		return mr_env_set(env, MR_STR("helo_name"), mr_str(arg), err);
	case 'f':
		return mr_env_set(env, MR_STR("sender"), mr_str(arg), err);
	default:
		return mr_env_add_rcpt(env, mr_str(arg), err);
	}
}

static enum mr_status
take_option(struct mr_filter_run *run, char letter, const char *arg, struct mr_err *err)
{
	struct mr_filter_conf *conf = &run->conf;

	switch (letter) {
	case 'l':
		run->is_loop = true;
		return MR_OK;
	case 'n':
		run->is_report = true;
		return MR_OK;
	case 'v':
		conf->is_verbose = true;
		return MR_OK;
	case 'e':
		conf->outage_is_open = strcmp(arg, "open") == 0;
		if (!conf->outage_is_open && strcmp(arg, "defer") != 0)
			return mr_err_set(err, MR_USAGE, "-e %s: need open or defer", arg);
		return MR_OK;
	case 'T':
		return mr_opt_num(letter, arg, 1, 3600, &conf->time_s, err);
	case 'H':
		run->is_answer = true;
		return MR_OK;
	case 'E':
		return mr_opt_num(letter, arg, 3, 1023, &run->record_fd, err);
	case 'D':
		run->has_resolver = true;
		return mr_dns_conf_parse(&run->resolver, arg, err);
	case 'N':
		conf->our_name = mr_str(arg);
		return mr_str_is_line(conf->our_name) && conf->our_name.n
		    ? MR_OK
		    : mr_err_set(err, MR_USAGE, "-N: not a name");
	case 'S':
		return mr_stores_add(&conf->shared->stores, &conf->store, arg, err);
	default:
		run->is_by_hand = true;
		return mr_filter_by_hand(&run->by_hand, letter, arg, err);
	}
}

static enum mr_status
read_options(struct mr_filter_run *run, int argc, char *const *argv, struct mr_err *err)
{
	const struct mr_filter *f = run->filter;
	struct mr_str shared = mr_arena_fmt(&run->arena, "%s%s%s%s%s", MR_FILTER_LETTERS,
	    f->message ? MR_FILTER_MESSAGE_LETTERS : MR_FILTER_ENVELOPE_LETTERS,
	    f->message || f->edits ? "" : MR_FILTER_LOOP_LETTERS,
	    mr_filter_asks_dns(f) ? MR_FILTER_DNS_LETTERS : "",
	    f->uses_store ? MR_FILTER_STORE_LETTERS : "");
	struct mr_str letters =
	    mr_arena_fmt(&run->arena, "%s%s", shared.p ? shared.p : "", f->letters);
	struct mr_filter_opt *own = mr_arena_alloc(&run->arena, OPTS_MAX * sizeof *own);
	struct mr_opt o = { .argc = argc, .argv = argv, .letters = letters.p };
	enum mr_status st = MR_OK;
	int c;

	if (!shared.p || !letters.p || !own)
		return mr_err_set(err, MR_TEMP, "out of memory");
	while (st == MR_OK && (c = mr_opt_next(&o, err)) > 0) {
		if (strchr(shared.p, c))
			st = take_option(run, (char)c, o.arg, err);
		else if (run->conf.opt_n == OPTS_MAX)
			st = mr_err_set(err, MR_USAGE, "more than %u options", OPTS_MAX);
		else
			own[run->conf.opt_n++] = (struct mr_filter_opt){ (char)c, o.arg };
	}
	if (st || c < 0)
		return st ? st : MR_USAGE;
	run->conf.is_trial = run->is_by_hand && run->conf.is_verbose;
	run->conf.opt = own;
	run->conf.operand = argv + o.at;
	run->conf.operand_n = (size_t)(argc - o.at);
	return MR_OK;
}

void
mr_filter_shared_close(struct mr_filter_shared *shared)
{
	mr_stores_close(&shared->stores);
	mr_orgdomain_close(shared->suffixes);
}

enum mr_status
mr_filter_suffixes(
    const struct mr_filter_conf *conf, const struct mr_orgdomain **list, struct mr_err *err)
{
	struct mr_orgdomain **all = &conf->shared->suffixes;
	enum mr_status st = *all ? MR_OK : mr_orgdomain_open(all, err);

	*list = *all;
	return st;
}

enum mr_status
mr_filter_open(struct mr_filter_run *run, const struct mr_filter *filter, int argc,
    char *const *argv, const struct mr_log *log, struct mr_watch *watch,
    struct mr_filter_shared *shared, struct mr_err *err)
{
	enum mr_status st;

	*run = (struct mr_filter_run){ .filter = filter };
	mr_arena_init(&run->arena, FILTER_MEMORY_MAX);
	mr_env_init(&run->by_hand, &run->arena);
	run->conf = (struct mr_filter_conf){
		.log = log, .watch = watch, .arena = &run->arena, .shared = shared
	};
	st = read_options(run, argc, argv, err);
	if (st == MR_OK && mr_filter_asks_dns(filter))
		st = mr_dns_load(err);
	if (st == MR_OK)
		st = filter->open(&run->state, &run->conf, err);
	if (st)
		mr_arena_free(&run->arena);
	return st;
}

void
mr_filter_close(struct mr_filter_run *run)
{
	if (run->filter->close)
		run->filter->close(run->state);
	mr_dns_close(run->dns);
	mr_arena_free(&run->arena);
}

/* ---- asking ------------------------------------------------------------------------------------- */

bool
mr_filter_asks_dns(const struct mr_filter *filter)
{
	return filter->ask || filter->uses_dns;
}

enum mr_status
mr_filter_dns(struct mr_filter_run *run, struct mr_dns **dns, struct mr_err *err)
{
	enum mr_status st;

	if (!run->conf.dns) {
		if ((st = mr_dns_open(&run->dns, &run->resolver, err)))
			return st;
		run->conf.dns = run->dns;
	}
	*dns = run->conf.dns;
	return MR_OK;
}

/* What happens at first use. */
static enum mr_status
begin(struct mr_filter_run *run, struct mr_err *err)
{
	const struct mr_filter *f = run->filter;
	struct mr_dns *dns;
	enum mr_status st;

	if (run->has_begun)
		return MR_OK;
	if (mr_filter_asks_dns(f) && (st = mr_filter_dns(run, &dns, err)))
		return st;
	if (f->begin && (st = f->begin(run->state, err)))
		return st;
	run->has_begun = true;
	return MR_OK;
}

void
mr_filter_share(struct mr_filter_run *run, struct mr_dns *dns)
{
	if (!run->has_resolver)
		run->conf.dns = dns;
}

void
mr_filter_look_ahead(struct mr_filter_run *run, const struct mr_env *env)
{
	struct mr_err err;

	if (run->filter->ask && begin(run, &err) == MR_OK)
		run->filter->ask(run->state, env, &err);
}

void
mr_filter_forget(struct mr_filter_run *run)
{
	if (run->dns)
		mr_dns_forget(run->dns);
}

/* What `run` is to say instead of what it could not find out. */
static void
own_fault(struct mr_filter_run *run, const struct mr_env *env, const struct mr_err *why,
    struct mr_answer *answer)
{
	struct mr_arena *arena = answer->arena;

	MR_LOG(run->conf.log, MR_LOG_FAULT, "filter", { "filter", mr_str(run->filter->name) },
	    { "id", mr_env_get(env, "instance") }, { "why", mr_str(why->text) });
	mr_answer_init(answer, arena);
	if (run->conf.outage_is_open && run->filter->edits) {
		/* Open means: the recipients stay as they are. */
		answer->edited = mr_arena_alloc(arena, sizeof *answer->edited);
		if (answer->edited)
			*answer->edited = *env;
	}
	if (!run->conf.outage_is_open || (run->filter->edits && !answer->edited))
		mr_answer_say(answer, MR_DEFER, "4.3.0 Temporary problem of this host");
}

/* How long it has. */
static int64_t
time_ms(const struct mr_filter_run *run)
{
	return (int64_t)(run->conf.time_s ? run->conf.time_s : run->filter->time_s) * 1000;
}

/* All that the filter needs of the DNS, by its deadline; what is not there then is a time-out. */
static enum mr_status
look_up(struct mr_filter_run *run, const struct mr_env *env, struct mr_err *err)
{
	const struct mr_filter *f = run->filter;
	int64_t deadline_ms = mr_clock_mono_ms() + time_ms(run);

	for (unsigned n = 0; f->ask && n < ROUND_MAX; n++) {
		enum mr_status st = f->ask(run->state, env, err);

		if (st || !mr_dns_waiting(run->conf.dns))
			return st;
		mr_dns_run(run->conf.dns, deadline_ms);
	}
	return f->ask ? mr_err_set(err, MR_TEMP, "the DNS does not keep its answers") : MR_OK;
}

void
mr_filter_ask(struct mr_filter_run *run, const struct mr_env *env, struct mr_answer *answer)
{
	struct mr_err why;
	enum mr_status st = begin(run, &why);

	if (st == MR_OK)
		st = look_up(run, env, &why);
	if (st == MR_OK)
		st = run->filter->envelope(run->state, env, answer, &why);
	if (st)
		own_fault(run, env, &why, answer);
}

void
mr_filter_ask_message(
    struct mr_filter_run *run, int fd, const struct mr_env *env, struct mr_answer *answer)
{
	struct mr_err why;
	enum mr_status st = begin(run, &why);

	/* The rest of its time is for itself: it is ended when that is over. */
	run->conf.dns_deadline_ms = mr_clock_mono_ms() + time_ms(run) * 3 / 4;
	if (st == MR_OK)
		st = run->filter->message(run->state, fd, env, answer, &why);
	if (st)
		own_fault(run, env, &why, answer);
}

/* ---- the program -------------------------------------------------------------------------------- */

static void
usage(const struct mr_filter *f, const char *why)
{
	const char *dns = mr_filter_asks_dns(f) ? "[-D host:port] [-N name] " : "",
	           *store = f->uses_store ? "[-S store] " : "";
	struct mr_buf b;

	mr_buf_init(&b, MR_LOG_LINE_MAX);
	mr_buf_addf(&b, "%s: %s\n%s - %s\n", f->name, why, f->name, f->purpose);
	if (f->message)
		mr_buf_addf(&b,
		    "usage: %s [-Hnv] [-e open|defer] [-T seconds] [-E fd] %s%s%s < message\n",
		    f->name, dns, store, f->synopsis);
	else
		mr_buf_addf(&b,
		    "usage: %s [-%snv] [-e open|defer] [-T seconds] %s%s%s < record\n"
		    "       %s -i ip [-h helo] [-f sender] [-r recipient] %s%s%s\n",
		    f->name, f->edits ? "" : "l", dns, store, f->synopsis, f->name, dns, store,
		    f->synopsis);
	mr_io_write(2, mr_buf_str(&b), NULL);
	mr_buf_free(&b);
}

/* The answer as a line for people. */
static void
write_for_people(const struct mr_answer *a, struct mr_buf *out)
{
	if (a->report.p) {
		mr_buf_add(out, a->report);
		return;
	}
	mr_buf_adds(out,
	    a->verdict == MR_REFUSE       ? "refuse"
	        : a->verdict == MR_DEFER  ? "try later"
	        : a->verdict == MR_MEMBER ? "permitted"
	                                  : "no objection");
	if (a->text.n) {
		mr_buf_adds(out, ": ");
		mr_buf_add(out, a->text);
	}
	if (a->note.n) {
		mr_buf_adds(out, " (");
		mr_buf_add(out, a->note);
		mr_buf_adds(out, ")");
	}
	mr_buf_adds(out, "\n");
}

/* Writes the answer in the form that the options want. */
static enum mr_status
write_answer(
    struct mr_filter_run *run, const struct mr_answer *answer, int *code, struct mr_err *err)
{
	bool is_for_people = run->filter->message ? !run->is_answer : run->is_by_hand;
	struct mr_buf out;
	enum mr_status st;

	*code = run->is_report ? 0 : (int)answer->verdict;
	mr_buf_init(&out, 2 * MR_ENV_MAX + answer->report.n);
	if (answer->edited && !is_for_people)
		mr_env_write(answer->edited, &out);
	else if (run->is_loop) {
		mr_buf_adds(&out, "action=");
		mr_answer_to_policy(answer, &out);
		mr_buf_adds(&out, "\n\n");
	} else if (is_for_people)
		write_for_people(answer, &out);
	else
		mr_answer_write(answer, &out);
	st = out.is_full ? mr_err_set(err, MR_TEMP, "answer too large")
	                 : mr_io_write(1, mr_buf_str(&out), err);
	mr_buf_free(&out);
	return st;
}

/* Asks about one record.  `is_again`: it is of the same message as the one before. */
static enum mr_status
answer_one(struct mr_filter_run *run, const struct mr_env *env, bool is_again, int *code,
    struct mr_err *err)
{
	struct mr_answer answer;

	mr_answer_init(&answer, env->arena);
	if (!is_again)
		mr_filter_forget(run);
	mr_filter_ask(run, env, &answer);
	if (is_again) /* Postfix would put them in front once more */
		answer.headers = (struct mr_str){ NULL, 0 };
	return write_answer(run, &answer, code, err);
}

/* The message behind what is new in front of it: the results under our name, of which it keeps none of
 * others, and the answer's fields. */
static enum mr_status
write_through(
    struct mr_filter_run *run, const struct mr_answer *answer, int64_t start, struct mr_err *err)
{
	struct mr_str name = run->conf.our_name;
	enum mr_status st;
	struct mr_buf b;

	mr_buf_init(&b, 2 * MR_ANSWER_MAX);
	for (size_t i = 0; i < answer->ar.n; i++)
		mr_authres_add(&b, name, answer->ar.v[i].value, i == 0);
	mr_buf_adds(&b, answer->ar.n ? "\r\n" : "");
	mr_buf_add(&b, answer->headers);
	st = b.is_full
	    ? mr_err_set(err, MR_TEMP, "answer too large")
	    : mr_through_give(1, mr_buf_str(&b), answer->ar.n ? name.p : NULL, 0, start, err);
	mr_buf_free(&b);
	return st;
}

/* The message itself, for filters that print it: nothing at all, if the verdict stops it. */
static enum mr_status
write_message(struct mr_filter_run *run, const struct mr_answer *answer, int64_t start, int *code,
    struct mr_err *err)
{
	*code = (int)answer->verdict;
	if (answer->verdict == MR_DUNNO || answer->verdict == MR_MEMBER)
		return write_through(run, answer, start, err);
	MR_LOG(run->conf.log, MR_LOG_INFO, "stopped",
	    { "verdict", mr_str(answer->verdict == MR_REFUSE ? "reject" : "defer") },
	    { "text", answer->text }, { "note", answer->note });
	return MR_OK;
}

/* The message on descriptor 0, with the record that -E may give. */
static enum mr_status
answer_message(struct mr_filter_run *run, int *code, struct mr_err *err)
{
	int64_t start = lseek(0, 0, SEEK_CUR);
	struct mr_arena arena;
	struct mr_answer answer;
	struct mr_env env;
	enum mr_status st = MR_OK;

	mr_arena_init(&arena, RECORD_MEMORY_MAX);
	mr_env_init(&env, &arena);
	mr_answer_init(&answer, &arena);
	if (run->record_fd)
		st = mr_env_read_fd(&env, (int)run->record_fd, err);
	if (st == MR_OK) {
		mr_filter_ask_message(run, 0, &env, &answer);
		st = run->filter->prints_message && !run->is_answer && !run->is_report
		    ? write_message(run, &answer, start, code, err)
		    : write_answer(run, &answer, code, err);
	}
	mr_arena_free(&arena);
	return st;
}

/* True if `env` is of the message whose instance is in `last`; then `last` is that of `env`. */
static bool
is_same_message(struct mr_buf *last, const struct mr_env *env)
{
	struct mr_str instance = mr_env_get(env, "instance");
	bool is_same = instance.n && mr_str_eq(mr_buf_str(last), instance);

	mr_buf_clear(last);
	mr_buf_add(last, instance);
	return is_same;
}

/* Answers what comes in on descriptor 0: one record, or all with -l. */
static enum mr_status
answer_stdin(struct mr_filter_run *run, int *code, struct mr_err *err)
{
	struct mr_arena arena;
	struct mr_reader in;
	struct mr_buf last;
	enum mr_status st;

	mr_buf_init(&last, MR_ENV_LINE_MAX);
	if ((st = mr_reader_init(&in, 0, MR_ENV_LINE_MAX + 2, err)))
		return st;
	do {
		struct mr_env env;

		mr_arena_init(&arena, RECORD_MEMORY_MAX);
		mr_env_init(&env, &arena);
		st = mr_env_read(&env, &in, MR_NO_DEADLINE, err);
		if (st == MR_NOTFOUND && !run->is_loop)
			st = mr_err_set(err, MR_PERM, "no record on standard input");
		if (st == MR_OK)
			st = answer_one(run, &env, is_same_message(&last, &env), code, err);
		mr_arena_free(&arena);
	} while (st == MR_OK && run->is_loop);
	mr_reader_free(&in);
	mr_buf_free(&last);
	if (run->is_loop)
		*code = 0;
	return st == MR_NOTFOUND ? MR_OK : st;
}

/* What a filter that asks the DNS was not told by options, from the system. */
static enum mr_status
read_host(struct mr_filter_run *run, struct mr_err *err)
{
	struct mr_host host;
	enum mr_status st;

	if (!mr_filter_asks_dns(run->filter))
		return MR_OK;
	if (!run->has_resolver && (st = mr_dns_conf_read(&run->resolver, MR_DNS_RESOLV_CONF, err)))
		return st;
	if (run->conf.our_name.p)
		return MR_OK;
	if ((st = mr_host_read(&host, err)))
		return st;
	run->conf.our_name = mr_arena_dup(&run->arena, mr_str(host.name));
	return run->conf.our_name.p ? MR_OK : mr_err_set(err, MR_TEMP, "out of memory");
}

/* A message that is printed is read twice, thus is a file; made before no more can be made. */
static enum mr_status
take_message(const struct mr_filter *filter, struct mr_err *err)
{
	const char *dir = secure_getenv("TMPDIR");

	return filter->prints_message ? mr_through_take(0, dir && *dir ? dir : "/tmp", err) : MR_OK;
}

/* What may be changed from now on: the store. */
static void
give_up_rights(const struct mr_filter_run *run, const struct mr_log *log)
{
	const char *writable[MR_STORES_MAX + 1];

	if (run->is_loop) /* one record is not worth the time */
		mr_stores_check(&run->conf.shared->stores, log);
	mr_stores_folders(&run->conf.shared->stores, writable);
	mr_sandbox_enter(writable, log);
}

int
mr_filter_main(const struct mr_filter *filter, int argc, char **argv)
{
	struct mr_log log = { .prog = filter->name, .fd = 2 };
	struct mr_filter_shared shared = { .suffixes = NULL };
	struct mr_filter_run run;
	struct mr_err err;
	enum mr_status st;
	int code = MR_DEFER;

	if (mr_io_std_fds(&err))
		return MR_DEFER;
	signal(SIGCHLD, SIG_DFL); /* the store's check waits for its child */
	st = mr_filter_open(&run, filter, argc, argv, &log, NULL, &shared, &err);
	if (st == MR_USAGE)
		usage(filter, err.text);
	if (st == MR_OK) {
		log.is_verbose = run.conf.is_verbose;
		st = take_message(filter, &err);
		give_up_rights(&run, &log);
		if (st == MR_OK && (st = read_host(&run, &err)) == MR_OK)
			st = filter->message ? answer_message(&run, &code, &err)
			    : run.is_by_hand && !run.is_loop
			    ? answer_one(&run, &run.by_hand, false, &code, &err)
			    : answer_stdin(&run, &code, &err);
		mr_filter_close(&run);
	}
	mr_filter_shared_close(&shared);
	if (st && st != MR_USAGE)
		MR_LOG(&log, MR_LOG_FAULT, "filter", { "why", mr_str(err.text) });
	return st ? MR_DEFER : code;
}
