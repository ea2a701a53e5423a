#include "base/child.h"

#include "base/clock.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define FDS_MAX 8

static int
arrange_fds(posix_spawn_file_actions_t *fa, const int *fds, const int *safe, size_t fd_n)
{
	int rc = 0;

	for (size_t i = 0; i < fd_n && rc == 0; i++)
		rc = fds[i] < 0
		    ? posix_spawn_file_actions_addopen(fa, (int)i, "/dev/null", O_RDWR, 0)
		    : posix_spawn_file_actions_adddup2(fa, safe[i], (int)i);
	return rc;
}

enum mr_status
mr_child_start(pid_t *pid, char *const argv[], const int *fds, size_t fd_n, struct mr_err *err)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t all, none;
	int safe[FDS_MAX], rc = 0;

	if (fd_n > FDS_MAX)
		return mr_err_set(err, MR_USAGE, "more than %d descriptors", FDS_MAX);
	/* Out of the way of the numbers they will get. */
	for (size_t i = 0; i < fd_n; i++)
		if ((safe[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, FDS_MAX)) < 0
		    && fds[i] >= 0)
			rc = errno;
	posix_spawn_file_actions_init(&fa);
	posix_spawnattr_init(&at);
	sigfillset(&all);
	sigemptyset(&none);
	posix_spawnattr_setflags(
	    &at, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigdefault(&at, &all);
	posix_spawnattr_setsigmask(&at, &none);
	if (rc == 0)
		rc = arrange_fds(&fa, fds, safe, fd_n);
	if (rc == 0)
		rc = posix_spawnp(pid, argv[0], &fa, &at, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&at);
	for (size_t i = 0; i < fd_n; i++)
		if (safe[i] >= 0)
			close(safe[i]);
	if (rc == 0)
		return MR_OK;
	errno = rc;
	return mr_err_sys(err, rc == ENOENT ? MR_NOTFOUND : MR_TEMP, "%s", argv[0]);
}

#define LOOK_MS 100 /* how often a running program's output is measured */

static bool
is_over(int fd, uint64_t max)
{
	struct stat st;

	return fd >= 0 && (fstat(fd, &st) < 0 || (uint64_t)st.st_size > max);
}

/* Until the program ends, the deadline, or too much output. */
static void
await(pid_t pid, int out_fd, uint64_t out_max, int64_t deadline_ms, struct mr_exit *end)
{
	int pfd = pidfd_open(pid, 0);
	bool has_ended = false;

	do {
		int64_t look_ms = mr_clock_mono_ms() + LOOK_MS;

		has_ended = pfd >= 0
		    && mr_io_wait(pfd, POLLIN, look_ms < deadline_ms ? look_ms : deadline_ms, NULL)
		        == MR_OK;
		end->timed_out = !has_ended && (pfd < 0 || mr_clock_left_ms(deadline_ms) == 0);
		end->is_over = is_over(out_fd, out_max);
	} while (!has_ended && !end->timed_out && !end->is_over);
	if (pfd >= 0)
		close(pfd);
}

enum mr_status
mr_child_run(char *const argv[], const int *fds, size_t fd_n, uint64_t out_max, int64_t deadline_ms,
    struct mr_exit *end, struct mr_err *err)
{
	enum mr_status st;
	pid_t pid, got;
	int status;

	*end = (struct mr_exit){ .code = -1 };
	if ((st = mr_child_start(&pid, argv, fds, fd_n, err)))
		return st;
	await(pid, fd_n > 1 ? fds[1] : -1, out_max, deadline_ms, end);
	/* Its group goes with it; the pid is still ours, so the group cannot be another's.  The
	 * program itself may have moved to another group. */
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	while ((got = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
		;
	if (got < 0) /* SIGCHLD is ignored: what it said is lost */
		return mr_err_sys(err, MR_TEMP, "%s", argv[0]);
	if (WIFEXITED(status))
		end->code = WEXITSTATUS(status);
	else
		end->signal = WTERMSIG(status);
	return MR_OK;
}

/* Joins dir and name into `out`, and looks whether that can be executed. */
static bool
is_program(char *out, size_t out_cap, struct mr_str dir, const char *name)
{
	int n = snprintf(out, out_cap, "%.*s%s%s", (int)dir.n, dir.p, dir.n ? "/" : "", name);
	struct stat st;

	return n > 0 && (size_t)n < out_cap && access(out, X_OK) == 0 && stat(out, &st) == 0
	    && S_ISREG(st.st_mode);
}

enum mr_status
mr_child_find(char *out, size_t out_cap, const char *program, const char *dir, const char *path)
{
	struct mr_str rest = mr_str(path), piece;

	if (strchr(program, '/'))
		return is_program(out, out_cap, MR_STR(""), program) ? MR_OK : MR_NOTFOUND;
	if (dir && is_program(out, out_cap, mr_str(dir), program))
		return MR_OK;
	while (mr_str_split(&rest, ':', &piece))
		if (piece.n && is_program(out, out_cap, piece, program))
			return MR_OK;
	return MR_NOTFOUND;
}

int
mr_child_memfile(struct mr_str bytes)
{
	int fd = memfd_create("mr", MFD_CLOEXEC);

	if (fd >= 0 && (mr_io_write(fd, bytes, NULL) || lseek(fd, 0, SEEK_SET) < 0)) {
		close(fd);
		fd = -1;
	}
	return fd;
}
