#include "pipe/confined.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the child ------------------------------------------------------------------------------------ */

/* The message becomes 0, with an offset of its own, the socket 1; 2 stays the log. */
static bool
take_descriptors(int message_fd, int sock)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "/proc/self/fd/%d", message_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || (sock = fcntl(sock, F_DUPFD, 3)) < 0)
		return false;
	if (dup2(fd, 0) < 0 || dup2(sock, 1) < 0)
		return false;
	return close_range(3, ~0u, 0) == 0;
}

static void
reset_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL); /* those that cannot be set refuse */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int
child(struct mr_step *step, int message_fd, int sock, uint64_t time_s, const struct mr_env *env,
    struct mr_answer *answer)
{
	struct mr_buf text;

	reset_signals();
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (!take_descriptors(message_fd, sock))
		return -1;
	mr_sandbox_confine(MR_CONFINED_MEMORY_MAX, time_s, step->own.conf.log);
	mr_filter_ask_message(&step->own, 0, env, answer);
	mr_buf_init(&text, 2 * MR_ANSWER_MAX);
	mr_answer_write(answer, &text);
	if (text.is_full || mr_io_write(1, mr_buf_str(&text), NULL))
		return -1;
	return (int)answer->verdict;
}

/* ---- the parent ----------------------------------------------------------------------------------- */

/* All that the child says until it ends. */
static enum mr_status
hear(int sock, struct mr_buf *text, int64_t deadline_ms, struct mr_err *err)
{
	struct mr_reader in;
	struct mr_err end;
	enum mr_status st = mr_reader_init(&in, sock, MR_ANSWER_MAX, err);

	if (st)
		return st;
	while ((st = mr_reader_fill(&in, deadline_ms, &end)) == MR_OK) {
		struct mr_str piece = mr_reader_window(&in);

		mr_buf_add(text, piece);
		mr_reader_take(&in, piece.n);
	}
	mr_reader_free(&in);
	return st == MR_NOTFOUND ? MR_OK : mr_err_set(err, MR_TEMP, "no answer: %s", end.text);
}

static enum mr_status
take_answer(int status, struct mr_str text, struct mr_answer *answer, struct mr_err *err)
{
	enum mr_verdict verdict = (enum mr_verdict)WEXITSTATUS(status);
	enum mr_status st;

	if (WIFSIGNALED(status))
		return mr_err_set(err, MR_TEMP, "ended by signal %d", WTERMSIG(status));
	if (verdict != MR_DUNNO && verdict != MR_MEMBER && verdict != MR_REFUSE
	    && verdict != MR_DEFER)
		return mr_err_set(err, MR_TEMP, "the child could not begin or answer");
	/* An answer of wrong form is a fault of ours. */
	st = mr_answer_parse(answer, verdict, text, err);
	return st ? MR_TEMP : MR_OK;
}

enum mr_status
mr_confined_ask(struct mr_step *step, int message_fd, uint64_t time_s, const struct mr_env *env,
    struct mr_answer *answer, struct mr_err *err)
{
	int64_t deadline_ms = mr_clock_mono_ms() + (int64_t)time_s * 1000;
	int sock[2], status = 0;
	struct mr_buf text;
	enum mr_status st;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock) < 0)
		return mr_err_sys(err, MR_TEMP, "socket pair");
	pid = fork();
	if (pid == 0)
		_exit(child(step, message_fd, sock[1], time_s, env, answer));
	close(sock[1]);
	mr_buf_init(&text, 2 * MR_ANSWER_MAX);
	if (pid < 0)
		st = mr_err_sys(err, MR_TEMP, "fork");
	else {
		st = hear(sock[0], &text, deadline_ms, err);
		if (st)
			kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		if (st == MR_OK)
			st = take_answer(status, mr_buf_str(&text), answer, err);
		else
			mr_err_set(
			    err, MR_TEMP, "no answer within %llu s", (unsigned long long)time_s);
	}
	close(sock[0]);
	mr_buf_free(&text);
	return st;
}
