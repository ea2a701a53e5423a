/* child.c - lib/base/child. */
#include "base/child.h"

#include "base/clock.h"
#include "base/io.h"

#include "../tap.h"
#include "argv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct mr_err err;
static struct mr_exit end;
static struct argv a;

static int64_t
soon(void)
{
	return mr_clock_mono_ms() + 60000;
}

static enum mr_status
run(const char *line, const int *fds, size_t fd_n)
{
	return mr_child_run(argv_set(&a, line), fds, fd_n, 100, soon(), &end, &err);
}

/* What the program says on its descriptor `out`, with `fds` as given and that one replaced. */
static struct mr_str
output(const char *line, int *fds, size_t fd_n, size_t out)
{
	static char got[256];
	ssize_t n;
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return (struct mr_str){ NULL, 0 };
	fds[out] = p[1];
	if (run(line, fds, fd_n))
		printf("# %s\n", err.text);
	close(p[1]);
	n = read(p[0], got, sizeof got);
	close(p[0]);
	return (struct mr_str){ got, n > 0 ? (size_t)n : 0 };
}

static void
descriptors(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int in = mr_child_memfile(MR_STR("hello"));
	int fds[8] = { in, -1, 2, -1, -1, -1, -1, -1 };

	is(output("cat", fds, 3, 1), "hello", "standard input and output");
	lseek(in, 0, SEEK_SET);
	fds[0] = -1;
	fds[7] = in;
	is(output("sh|-c|cat <&7", fds, 8, 1), "hello", "the highest number");
	is(output("sh|-c|cat; echo end", fds, 3, 1), "end\n", "-1 is /dev/null");
	/* Numbers that stand in each other's way: 0 is to be what is now 1, and so on. */
	fds[0] = 1;
	fds[1] = 0;
	fds[2] = 0;
	ok(run("sh|-c|[ /proc/self/fd/1 -ef /proc/self/fd/2 ]", fds, 3) == MR_OK && end.code == 0,
	    "the same one twice");
	fds[1] = fds[2] = null;
	fds[0] = 2;
	ok(run("sh|-c|[ /dev/null -ef /proc/self/fd/1 ] && [ /dev/null -ef /proc/self/fd/2 ]", fds,
	       3) == MR_OK
	        && end.code == 0,
	    "2 is moved to 0 before it is replaced");
	ok(run("sh|-c|for i in 3 4 5 6 7 8 9 10 11 12; do\n[ -e /proc/self/fd/$i ] && exit "
	       "1\ndone\n"
	       "exit 0",
	       fds,
	       3) == MR_OK
	        && end.code == 0,
	    "no others");
	ok(run("true", fds, 9) == MR_USAGE, "more than there may be");
	fds[0] = 99;
	ok(run("true", fds, 1) == MR_TEMP, "a descriptor that is not open: %s", err.text);
	close(null);
	close(in);
}

static void
ends(void)
{
	int64_t start;

	ok(run("sh|-c|exit 99", NULL, 0) == MR_OK && end.code == 99 && !end.signal
	        && !end.timed_out,
	    "exit code");
	ok(run("sh|-c|kill -9 $$", NULL, 0) == MR_OK && end.code == -1 && end.signal == SIGKILL
	        && !end.timed_out,
	    "signal");
	ok(run("mr-is-no-program", NULL, 0) == MR_NOTFOUND, "no program: %s", err.text);
	ok(run("/", NULL, 0) == MR_TEMP, "a folder: %s", err.text);
	start = mr_clock_mono_ms();
	ok(mr_child_run(argv_set(&a, "sleep|1000"), NULL, 0, 0, start + 200, &end, &err) == MR_OK
	        && end.timed_out && end.code == -1 && end.signal == SIGKILL
	        && mr_clock_mono_ms() - start >= 200,
	    "the deadline");
	ok(mr_child_run(argv_set(&a, "sleep|1000"), NULL, 0, 0, 0, &end, &err) == MR_OK
	        && end.timed_out,
	    "a deadline that has passed");
	ok(mr_child_run(argv_set(&a, "perl|-e|setpgrp(0, getpgrp(getppid())); sleep 1000"), NULL, 0,
	       0, mr_clock_mono_ms() + 1000, &end,
	       &err) == MR_OK
	        && end.timed_out,
	    "a program that left its group is killed, too");
}

/* The group: a grandchild holds the pipe open as long as it lives. */
static void
groups(void)
{
	int p[2], fds[3] = { -1, -1, -1 };
	char c;

	if (pipe2(p, O_CLOEXEC) < 0)
		return;
	fds[1] = p[1];
	ok(run("sh|-c|sleep 1000 & exit 5", fds, 3) == MR_OK && end.code == 5, "leaves one behind");
	close(p[1]);
	ok(read(p[0], &c, 1) == 0, "which is killed");
	close(p[0]);
	if (pipe2(p, O_CLOEXEC) < 0)
		return;
	fds[1] = p[1];
	ok(mr_child_run(argv_set(&a, "sh|-c|sleep 1000 & sleep 1000"), fds, 3, 0,
	       mr_clock_mono_ms() + 300, &end,
	       &err) == MR_OK
	        && end.timed_out,
	    "over time");
	close(p[1]);
	ok(read(p[0], &c, 1) == 0, "both are killed");
	close(p[0]);
}

/* What it may write. */
static void
too_much(void)
{
	int fds[2] = { -1, mr_child_memfile(MR_STR("")) };

	ok(run("printf|%0100d|1", fds, 2) == MR_OK && end.code == 0 && !end.is_over, "all it may");
	ok(run("echo|more", fds, 2) == MR_OK && end.code == 0 && end.is_over, "and more");
	ok(run("yes", fds, 2) == MR_OK && end.is_over && !end.timed_out && end.signal == SIGKILL,
	    "without an end: it is killed before its time");
	close(fds[1]);
}

static void
signals(void)
{
	sigset_t set, old;
	int status;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &old);
	signal(SIGPIPE, SIG_IGN);
	ok(run("sh|-c|kill -TERM $$; exit 3", NULL, 0) == MR_OK && end.signal == SIGTERM,
	    "blocked signals are not inherited");
	ok(run("sh|-c|kill -PIPE $$; exit 3", NULL, 0) == MR_OK && end.signal == SIGPIPE,
	    "nor ignored ones");
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGCHLD, SIG_IGN);
	ok(run("sh|-c|exit 3", NULL, 0) == MR_TEMP, "a lost exit code is a fault: %s", err.text);
	signal(SIGCHLD, SIG_DFL);

	ok(mr_child_start(&pid, argv_set(&a, "sleep|1000"), NULL, 0, &err) == MR_OK
	        && getpgid(pid) == pid,
	    "start: a group of its own");
	kill(-pid, SIGTERM);
	waitpid(pid, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "which can be ended");
}

static void
paths(void)
{
	char dir[] = "/tmp/mr-child.XXXXXX", file[64], out[64];

	if (!mkdtemp(dir))
		return;
	snprintf(file, sizeof file, "%s/prog", dir);
	close(open(file, O_CREAT | O_WRONLY, 0755));
	ok(mr_child_find(out, sizeof out, "prog", dir, NULL) == MR_OK, "in the folder");
	is(mr_str(out), file, "its path");
	ok(mr_child_find(out, sizeof out, "sh", dir, "/nowhere::/bin") == MR_OK, "in PATH");
	is(mr_str(out), "/bin/sh", "its path");
	ok(mr_child_find(out, sizeof out, "prog", NULL, "::") == MR_NOTFOUND,
	    "empty pieces are not the working folder");
	ok(mr_child_find(out, sizeof out, file, NULL, NULL) == MR_OK, "a name with / is a path");
	ok(mr_child_find(out, strlen(file), "prog", dir, NULL) == MR_NOTFOUND, "too small for it");
	ok(mr_child_find(out, strlen(file) + 1, "prog", dir, NULL) == MR_OK, "large enough");
	chmod(file, 0644);
	ok(mr_child_find(out, sizeof out, "prog", dir, NULL) == MR_NOTFOUND || geteuid() == 0,
	    "not executable");
	unlink(file);
	mkdir(file, 0755);
	ok(mr_child_find(out, sizeof out, "prog", dir, NULL) == MR_NOTFOUND, "a folder is none");
	rmdir(file);
	rmdir(dir);
}

static void
memfile(void)
{
	char got[8];
	int fd = mr_child_memfile(MR_STR("a\0b"));

	ok(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC, "a file in memory, close-on-exec");
	ok(read(fd, got, sizeof got) == 3 && memcmp(got, "a\0b", 3) == 0, "from its start");
	close(fd);
	fd = mr_child_memfile((struct mr_str){ NULL, 0 });
	ok(read(fd, got, sizeof got) == 0, "an empty one");
	close(fd);
}

int
main(void)
{
	close_range(3, ~0u, 0); /* what whoever started us left open */
	descriptors();
	ends();
	groups();
	too_much();
	signals();
	paths();
	memfile();
	return done_testing();
}
