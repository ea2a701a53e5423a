/* confined.c - lib/pipe/confined: what a filter of the message can do there, and what becomes of one that
 * dies or is silent. */
#include "pipe/confined.h"

#include "../tap.h"
#include "base/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static enum mr_status
nothing(void **state, const struct mr_filter_conf *conf, struct mr_err *err)
{
	(void)conf;
	(void)err;
	*state = NULL;
	return MR_OK;
}

/* Tells as its verdict's words what it was able to do. */
static enum mr_status
look(void *state, int fd, const struct mr_env *env, struct mr_answer *a, struct mr_err *err)
{
	char text[8] = "";
	int made = memfd_create("x", 0);

	(void)state;
	(void)err;
	if (read(fd, text, sizeof text - 1) < 0)
		text[0] = '?';
	mr_answer_say(a, MR_REFUSE, "5.7.1 read=%s sender=%s%s%s%s%s%s%s%s", text,
	    mr_env_get(env, "sender").p, socket(AF_INET, SOCK_STREAM, 0) >= 0 ? " socket" : "",
	    fork() >= 0 ? " fork" : "", kill(getppid(), 0) == 0 ? " kill" : "",
	    open("/tmp/mr-confined", O_WRONLY | O_CREAT, 0600) >= 0 ? " write" : "",
	    fcntl(3, F_GETFD) >= 0 && made != 3 ? " descriptor" : "",
	    access("/etc/passwd", R_OK) == 0 ? " reads" : "", made >= 0 ? " memory" : "");
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

static enum mr_status
ask(enum mr_status (*message)(
        void *, int, const struct mr_env *, struct mr_answer *, struct mr_err *),
    struct mr_answer *answer, struct mr_err *err)
{
	const struct mr_filter filter = {
		.name = "mr-test", .letters = "", .open = nothing, .message = message
	};
	char word[] = "mr-test", *argv[] = { word, NULL };
	struct mr_step step = { .filter = &filter };
	struct mr_env env;
	int fd = mr_child_memfile(MR_STR("hello"));
	enum mr_status st;

	mr_env_init(&env, answer->arena);
	mr_env_set(&env, MR_STR("sender"), MR_STR("a@example.org"), err);
	if (fd < 0 || mr_filter_open(&step.own, &filter, 1, argv, NULL, NULL, err))
		return MR_USAGE;
	st = mr_confined_ask(&step, fd, message == be_silent ? 1 : 60, &env, answer, err);
	mr_filter_close(&step.own);
	close(fd);
	return st;
}

int
main(void)
{
	struct mr_arena arena;
	struct mr_answer answer;
	struct mr_err err = { "" };

	mr_arena_init(&arena, 1 << 20);
	mr_answer_init(&answer, &arena);
	ok(ask(look, &answer, &err) == MR_OK && answer.verdict == MR_REFUSE, "it answers: %s",
	    err.text);
	is(answer.text, "5.7.1 read=hello sender=a@example.org reads memory",
	    "it reads, and has memory; no socket, process, signal, file, descriptor");
	mr_answer_init(&answer, &arena);
	ok(ask(die, &answer, &err) == MR_TEMP && strstr(err.text, "could not begin or answer"),
	    "an exit code that is no verdict: %s", err.text);
	ok(ask(crash, &answer, &err) == MR_TEMP && strstr(err.text, "ended by signal"),
	    "a signal: %s", err.text);
	ok(ask(be_silent, &answer, &err) == MR_TEMP && strstr(err.text, "no answer"), "silence: %s",
	    err.text);
	mr_answer_init(&answer, &arena);
	ok(ask(fail, &answer, &err) == MR_OK && answer.verdict == MR_DEFER, "a fault of its own");
	mr_arena_free(&arena);
	return done_testing();
}
