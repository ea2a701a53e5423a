/* child.h - other programs: started without a shell, waited for with a deadline, ended as a group. */
#ifndef MR_BASE_CHILD_H
#define MR_BASE_CHILD_H

#include "base/err.h"
#include "base/str.h"

#include <sys/types.h>

/* Starts argv[0] (looked up in PATH) in a process group of its own, with fds[i] as its descriptor i
 * (-1: /dev/null); every other descriptor of ours must be close-on-exec.  Signals are at their
 * defaults.  MR_NOTFOUND: no such program. */
enum mr_status
mr_child_start(pid_t *pid, char *const argv[], const int *fds, size_t fd_n, struct mr_err *err);

/* What became of a program. */
struct mr_exit {
	int code;       /* exit code, or -1 */
	int signal;     /* the signal that ended it, or 0 */
	bool timed_out; /* the deadline passed and its group was killed */
	bool is_over; /* it wrote more than it may; if it was still at work, its group was killed */
};

/* The same, and waits for its end (SIGCHLD must not be ignored, else MR_TEMP).  fds[1] is a file that may
 * get `out_max` bytes.  At `deadline_ms` (monotonic) the whole group is killed; what is left of the
 * group when the program has ended is killed, too. */
enum mr_status mr_child_run(char *const argv[], const int *fds, size_t fd_n, uint64_t out_max,
    int64_t deadline_ms, struct mr_exit *end, struct mr_err *err);

/* The path of a program that stands in `dir` (tried first, may be NULL) or in PATH given as
 * "a:b:c"; written to `out` of `out_cap` bytes.  MR_NOTFOUND if there is none. */
enum mr_status
mr_child_find(char *out, size_t out_cap, const char *program, const char *dir, const char *path);

/* An unnamed file in memory that holds `bytes`, at its start, close-on-exec; -1 and errno else. */
int mr_child_memfile(struct mr_str bytes);

#endif
