/* confined.c - lib/pipe/confined: what a filter of the message can do there, and what becomes of one that
 * dies or is silent. */
#include "pipe/confined.h"

#include "pipe/pipeline.h"

#include "../open_dns.h"
#include "../tap.h"
#include "base/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static enum mr_status
nothing(void **state, const struct mr_filter_conf *conf, struct mr_err *err)
{
	(void)conf;
	(void)err;
	*state = NULL;
	return MR_OK;
}

static bool
can_read(const char *path)
{
	int fd = open(path, O_RDONLY);

	return fd >= 0 && close(fd) == 0;
}

/* Tells as its verdict's words what it was able to do. */
static enum mr_status
look(void *state, int fd, const struct mr_env *env, struct mr_answer *a, struct mr_err *err)
{
	char text[8] = "";
	bool has_more = fcntl(4, F_GETFD) >= 0; /* 3: where messages come from */
	int made = memfd_create("x", 0);

	(void)state;
	(void)err;
	a->note = MR_STR("a note\nof it");
	if (read(fd, text, sizeof text - 1) < 0)
		text[0] = '?';
	mr_answer_say(a, MR_REFUSE, "5.7.1 read=%s sender=%s%s%s%s%s%s%s%s%s", text,
	    mr_env_get(env, "sender").p, socket(AF_INET, SOCK_STREAM, 0) >= 0 ? " socket" : "",
	    fork() >= 0 ? " fork" : "", kill(getppid(), 0) == 0 ? " kill" : "",
	    open("/tmp/mr-confined", O_WRONLY | O_CREAT, 0600) >= 0 ? " write" : "",
	    has_more ? " descriptor" : "", can_read("/etc/passwd") ? " reads" : "",
	    can_read("/usr/bin/env") ? " system" : "", made >= 0 ? " memory" : "");
	close(made);
	return MR_OK;
}

static enum mr_status
die(void *state, int fd, const struct mr_env *env, struct mr_answer *a, struct mr_err *err)
{
	(void)state;
	(void)fd;
	(void)env;
	(void)a;
	(void)err;
	_exit(7);
}

static enum mr_status
crash(void *state, int fd, const struct mr_env *env, struct mr_answer *a, struct mr_err *err)
{
	(void)state;
	(void)fd;
	(void)env;
	(void)a;
	(void)err;
	__builtin_trap();
}

static enum mr_status
be_silent(void *state, int fd, const struct mr_env *env, struct mr_answer *a, struct mr_err *err)
{
	(void)state;
	(void)fd;
	(void)env;
	(void)a;
	(void)err;
	while (poll(NULL, 0, -1))
		;
	return MR_OK;
}

static enum mr_status
fail(void *state, int fd, const struct mr_env *env, struct mr_answer *a, struct mr_err *err)
{
	(void)state;
	(void)fd;
	(void)env;
	(void)a;
	return mr_err_set(err, MR_TEMP, "no luck");
}

/* Tells what the DNS says of a name. */
static enum mr_status
open_asking(void **state, const struct mr_filter_conf *conf, struct mr_err *err)
{
	(void)err;
	*state = mr_arena_alloc(conf->arena, sizeof conf);
	memcpy(*state, &conf, sizeof conf);
	return MR_OK;
}

static enum mr_status
ask_dns(void *state, int fd, const struct mr_env *env, struct mr_answer *a, struct mr_err *err)
{
	const struct mr_filter_conf *conf = *(const struct mr_filter_conf **)state;
	const struct mr_dns_answer *txt;

	(void)fd;
	(void)env;
	(void)err;
	mr_dns_add(conf->dns, MR_STR("b.example"), MR_DNS_A);
	txt = mr_dns_get(conf->dns, MR_STR("a.example"), MR_DNS_TXT, conf->dns_deadline_ms);
	mr_answer_say(a, MR_REFUSE, "5.7.1 %.*s %d", txt->n ? (int)txt->rec[0].text.n : 0,
	    txt->n ? txt->rec[0].text.p : "",
	    mr_dns_peek(conf->dns, MR_STR("b.example"), MR_DNS_A)->result);
	return MR_OK;
}

static enum mr_status
ask_on_and_on(
    void *state, int fd, const struct mr_env *env, struct mr_answer *a, struct mr_err *err)
{
	const struct mr_filter_conf *conf = *(const struct mr_filter_conf **)state;

	(void)fd;
	(void)env;
	(void)a;
	(void)err;
	for (unsigned n = 0; n < 1000; n++) {
		mr_dns_forget(conf->dns);
		mr_dns_get(conf->dns, MR_STR("a.example"), MR_DNS_TXT, conf->dns_deadline_ms);
	}
	return MR_OK;
}

/* Opens what may take it over. */
static enum mr_status
open_danger(void *state, int fd, const struct mr_env *env, struct mr_answer *a, struct mr_err *err)
{
	const struct mr_filter_conf *conf = *(const struct mr_filter_conf **)state;

	conf->spoil();
	return ask_dns(state, fd, env, a, err);
}

static enum mr_status
tell_twice(void *state, int fd, const struct mr_env *env, struct mr_answer *a, struct mr_err *err)
{
	const struct mr_filter_conf *conf = *(const struct mr_filter_conf **)state;

	conf->spoil();
	return open_danger(state, fd, env, a, err);
}

#define STEPS       11
#define SECRET      8 /* it has secrets */
#define DANGER      9
#define TELLS_TWICE 10

/* A pipeline of one step for each function. */
struct world {
	struct mr_filter filter[STEPS];
	struct mr_step step[STEPS];
	struct mr_pipeline pl;
	struct mr_confined confined;
	struct mr_dns *dns;
	int fd, log_fd;
};

static bool
open_world(struct world *w, struct mr_err *err)
{
	static enum mr_status (*const message[STEPS])(void *, int, const struct mr_env *,
	    struct mr_answer *, struct mr_err *) = { look, die, crash, be_silent, fail, look,
		ask_dns, ask_on_and_on, look, open_danger, tell_twice };
	static const struct mr_stage stage = { .name = "look" };
	static struct mr_log log = { .prog = "test" };
	static char word[] = "mr-test";
	char *const argv[] = { word, NULL };

	*w = (struct world){ .dns = open_dns("a.example TXT said\nb.example ! servfail\n", 0, err),
		.pl = { .step = w->step, .n = STEPS, .conf.log = &log },
		.log_fd = mr_child_memfile(MR_STR("")),
		.fd = mr_child_memfile(MR_STR("hello")) };
	log.fd = w->log_fd;
	for (size_t i = 0; i < STEPS; i++) {
		w->step[i].stage = &stage;
		w->filter[i] = (struct mr_filter){
			.name = word, .letters = "", .open = nothing, .message = message[i]
		};
		if (message[i] != look && i >= 6) {
			w->filter[i].uses_dns = true;
			w->filter[i].open = open_asking;
			w->filter[i].time_s = 60;
		}
		w->filter[i].has_secrets = i == SECRET;
		w->step[i].filter = &w->filter[i];
		if (mr_filter_open(
		        &w->step[i].own, &w->filter[i], 1, argv, NULL, NULL, &w->pl.shared, err))
			return false;
		mr_filter_share(&w->step[i].own, w->dns);
	}
	mr_confined_init(&w->confined, &w->pl);
	return w->fd >= 0;
}

static enum mr_status
ask(struct world *w, size_t i, struct mr_answer *answer, struct mr_err *err)
{
	struct mr_env env;

	mr_answer_init(answer, answer->arena);
	mr_env_init(&env, answer->arena);
	mr_env_set(&env, MR_STR("sender"), MR_STR("a@example.org"), err);
	return mr_confined_ask(&w->confined, &w->step[i], w->fd,
	    w->filter[i].message == be_silent ? 1 : 60, &env, answer, err);
}

/* True if it says that this is in the message. */
static bool
reads(struct world *w, const char *text, struct mr_answer *answer)
{
	char want[64];
	struct mr_err err;

	snprintf(want, sizeof want, "5.7.1 read=%s sender", text);
	return ask(w, 0, answer, &err) == MR_OK && strncmp(answer->text.p, want, strlen(want)) == 0;
}

static void
next_message(struct world *w, const char *text)
{
	mr_confined_next(&w->confined);
	close(w->fd);
	w->fd = mr_child_memfile(mr_str(text));
}

/* How many messages process `pid` has open. */
static int
files_of(pid_t pid)
{
	char path[64], to[64];
	int n = 0;

	for (int i = 0; i < 16; i++) {
		ssize_t len;

		snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, i);
		len = readlink(path, to, sizeof to);
		n += len > 7 && strncmp(to, "/memfd:", 7) == 0;
	}
	return n;
}

static bool
logs(const struct world *w, const char *text)
{
	char all[4096];
	ssize_t n = pread(w->log_fd, all, sizeof all - 1, 0);

	all[n < 0 ? 0 : n] = '\0';
	return strstr(all, text) != NULL;
}

static void
test_messages(struct world *w, struct mr_answer *answer)
{
	struct mr_err err;
	pid_t first = w->confined.pid;
	bool is_same = true;
	uint64_t n;

	ok(reads(w, "hello", answer) && files_of(first) == 1, "a message");
	next_message(w, "second");
	ok(reads(w, "second", answer) && w->confined.pid == first, "the next, in the same child");
	mr_confined_next(&w->confined);
	for (n = 0; n < 500 && files_of(first); n++)
		poll(NULL, 0, 10);
	ok(files_of(first) == 0, "without message it has none open");
	kill(first, SIGKILL);
	ok(reads(w, "second", answer) && w->confined.pid != first,
	    "one that died in between harms no message");
	ok(logs(w, "event=child stage=look why=\"ended by signal 9\" then=again"),
	    "and there is a line about it");
	next_message(w, "again");
	ok(ask(w, 2, answer, &err) == MR_TEMP && w->confined.pid == 0,
	    "one that dies of its message is tried in a new one, and that is all: %s", err.text);
	ok(reads(w, "again", answer), "the rest runs");
	first = w->confined.pid;
	next_message(w, "third");
	for (n = 1; n < MR_CONFINED_MESSAGES_MAX && is_same; n++) {
		is_same = reads(w, "third", answer) && w->confined.pid == first;
		mr_confined_next(&w->confined);
	}
	ok(is_same, "it serves %u messages", MR_CONFINED_MESSAGES_MAX);
	ok(reads(w, "third", answer) && w->confined.pid != first, "and not one more");
	first = w->confined.pid;
	ok(ask(w, DANGER, answer, &err) == MR_OK && w->confined.pid == first,
	    "one that opens what may take it over: %s", err.text);
	is(answer->text, "5.7.1 said 3", "has its answers");
	ok(reads(w, "third", answer) && w->confined.pid == first, "is good for this message");
	mr_confined_next(&w->confined);
	ok(w->confined.pid == 0, "and for no other");
	ok(ask(w, TELLS_TWICE, answer, &err) == MR_TEMP && strstr(err.text, "no verdict"),
	    "it says so once: %s", err.text);
}

int
main(void)
{
	static const char seen[] = "5.7.1 read=hello sender=a@example.org system memory";
	struct mr_arena arena;
	struct mr_answer answer;
	struct mr_err err = { "" };
	struct world w;
	pid_t first;

	mr_arena_init(&arena, 1 << 20);
	mr_answer_init(&answer, &arena);
	if (!ok(open_world(&w, &err), "filters"))
		return done_testing();
	ok(ask(&w, 0, &answer, &err) == MR_OK && answer.verdict == MR_REFUSE, "it answers: %s",
	    err.text);
	is(answer.text, seen,
	    "it reads the system's files, and has memory; no other file, socket, process, signal, "
	    "descriptor");
	is(answer.note, "a note?of it", "its note comes along, printable");
	first = w.confined.pid;
	ok(ask(&w, 4, &answer, &err) == MR_OK && answer.verdict == MR_DEFER, "a fault of its own");
	ok(ask(&w, 5, &answer, &err) == MR_OK && w.confined.pid == first && first > 0,
	    "the next stages run in the same child");
	is(answer.text, seen, "and read the message from its start");
	ok(ask(&w, 1, &answer, &err) == MR_TEMP && strstr(err.text, "ended with code 7"),
	    "one that ends: %s", err.text);
	ok(ask(&w, 0, &answer, &err) == MR_OK && w.confined.pid != first,
	    "the rest runs in a new one");
	ok(ask(&w, 2, &answer, &err) == MR_TEMP && strstr(err.text, "ended by signal"),
	    "a signal: %s", err.text);
	ok(ask(&w, 3, &answer, &err) == MR_TEMP && strstr(err.text, "no answer"), "silence: %s",
	    err.text);
	ok(w.confined.pid == 0, "it is gone");
	ok(ask(&w, 6, &answer, &err) == MR_OK, "one that asks the DNS: %s", err.text);
	is(answer.text, "5.7.1 said 3", "gets answers from here, outages as outages");
	ok(mr_dns_stats(w.dns).batches == 1, "in one round trip");
	ok(ask(&w, 7, &answer, &err) == MR_TEMP && strstr(err.text, "no answer: it asks on and on"),
	    "one that never ends asking: %s", err.text);
	ok(ask(&w, 0, &answer, &err) == MR_OK, "and again");
	first = w.confined.pid;
	ok(ask(&w, SECRET, &answer, &err) == MR_OK && w.confined.pid == first,
	    "one that has secrets runs in a child of its own");
	is(answer.text, "5.7.1 read=hello sender=a@example.org reads system memory",
	    "which can read all files, and nothing more");
	ok(ask(&w, 0, &answer, &err) == MR_OK && w.confined.pid == first, "the other stays");
	is(answer.text, seen, "and can read no more than before");
	test_messages(&w, &answer);
	mr_confined_end(&w.confined);
	ok(w.confined.pid == 0 && waitpid(-1, NULL, 0) < 0, "no child is left");
	for (size_t i = 0; i < STEPS; i++)
		mr_filter_close(&w.step[i].own);
	mr_dns_close(w.dns);
	close(w.fd);
	close(w.log_fd);
	mr_arena_free(&arena);
	return done_testing();
}
