/* sandbox.c - lib/base/sandbox.  Where the kernel has no Landlock, it says so and the rest holds. */
#include "base/sandbox.h"

#include "../tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char in[] = "/tmp/mr-in.XXXXXX", out[] = "/tmp/mr-out.XXXXXX";

static bool
can_make(const char *dir)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "%s/file", dir);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	if (fd < 0)
		return false;
	close(fd);
	return unlink(path) == 0;
}

/* In a child: what it can do afterwards, one bit each. */
static int
look(const char *const *writable, int log_fd, int file_fd)
{
	struct mr_log log = { .prog = "mr-x", .fd = log_fd, .is_verbose = true };
	struct rlimit core;
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		int fd;

		mr_sandbox_enter(writable, &log);
		fd = open("/dev/null", O_WRONLY);
		getrlimit(RLIMIT_CORE, &core);
		_exit((can_make(in) ? 1 : 0) | (can_make(out) ? 2 : 0) | (fd >= 0 ? 4 : 0)
		    | (write(file_fd, "x", 1) == 1 ? 8 : 0)
		    | (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 16 : 0)
		    | (core.rlim_max == 0 ? 32 : 0) | (access("/etc/passwd", R_OK) == 0 ? 64 : 0));
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

int
main(void)
{
	char line[300] = "", path[64];
	int log[2], fd, can;
	ssize_t n;

	if (!mkdtemp(in) || !mkdtemp(out) || pipe2(log, O_NONBLOCK) < 0)
		return 1;
	snprintf(path, sizeof path, "%s/open", out);
	fd = open(path, O_CREAT | O_RDWR, 0600);
	can = look((const char *const[]){ in, NULL }, log[1], fd);
	ok((can & 1) && (can & 4) && (can & 64), "writes its folder and /dev/null, reads: %d", can);
	ok(can & 8, "open descriptors keep their rights");
	ok((can & 16) && (can & 32), "no new privileges, no core");
	n = read(log[0], line, sizeof line - 1);
	if (n > 0) {
		ok(strncmp(line, "mr-x: debug event=sandbox missing=landlock", 42) == 0,
		    "says that the kernel has no Landlock: %s", line);
	} else {
		ok(!(can & 2), "cannot write elsewhere");
		can = look((const char *const[]){ NULL }, log[1], fd);
		ok(!(can & 3), "no folder at all");
		can = look((const char *const[]){ "/nowhere", in, NULL }, log[1], fd);
		ok((can & 1) && !(can & 2), "a folder that is not there does not open the rest");
	}
	close(fd);
	unlink(path);
	rmdir(in);
	rmdir(out);
	return done_testing();
}
