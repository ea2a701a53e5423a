#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CHANGES                                                             \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR      \
	    | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR \
	    | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG     \
	    | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO   \
	    | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define READS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* Of later kernels than the headers may know: linking between folders, truncation. */
#define CHANGE_REFER    (1ULL << 13)
#define CHANGE_TRUNCATE (1ULL << 14)

/* Where libraries are, and what they read: the linker's cache, OpenSSL's configuration. */
static const char *const system_files[] = { "/usr", "/lib", "/lib64", "/etc/ld.so.cache",
	"/etc/ld.so.preload", "/etc/ssl", "/nix/store", "/gnu/store", NULL };

static int
allow(int ruleset, const char *path, __u64 rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights };
	struct stat st;
	int rc;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return 0; /* a folder that is not there gets no right; the rest stays shut */
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= ~(__u64)LANDLOCK_ACCESS_FS_READ_DIR; /* files know none */
	rc = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
	return rc;
}

/* `readable` NULL: everything. */
static int
restrict_files(const char *const *writable, const char *const *readable)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = CHANGES };
	int abi =
	    (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	int ruleset, rc = 0;

	if (abi < 1)
		return -1;
	if (abi >= 2)
		attr.handled_access_fs |= CHANGE_REFER;
	if (abi >= 3)
		attr.handled_access_fs |= CHANGE_TRUNCATE;
	if (readable)
		attr.handled_access_fs |= READS;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
	if (ruleset < 0)
		return -1;
	for (; *writable && rc == 0; writable++)
		rc = allow(ruleset, *writable, attr.handled_access_fs);
	for (; readable && *readable && rc == 0; readable++)
		rc = allow(ruleset, *readable, READS);
	if (rc == 0)
		rc = allow(ruleset, "/dev",
		    LANDLOCK_ACCESS_FS_WRITE_FILE | (attr.handled_access_fs & READS));
	if (rc == 0)
		rc = (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
	close(ruleset);
	return rc;
}

static void
enter(const char *const *writable, const char *const *readable, const struct mr_log *log)
{
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && restrict_files(writable, readable) == 0)
		return;
	MR_LOG(log, MR_LOG_DEBUG, "sandbox", { "missing", MR_STR("landlock") },
	    { "why", mr_str(strerror(errno)) });
}

void
mr_sandbox_enter(const char *const *writable, const struct mr_log *log)
{
	enter(writable, NULL, log);
}

/* ---- system calls ---------------------------------------------------------------------------------- */

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#define ARCH 0
#endif

/* What reading, computing, memory and loading a library need.  Anything else fails with EPERM. */
static const unsigned allowed[] = {
#ifdef __x86_64__
	SYS_open, SYS_stat, SYS_access, SYS_readlink, SYS_poll, SYS_time,
#endif
	SYS_read, SYS_pread64, SYS_readv, SYS_write, SYS_writev, SYS_close, SYS_fstat,
	SYS_newfstatat, SYS_statx, SYS_lseek, SYS_openat, SYS_faccessat, SYS_readlinkat, SYS_mmap,
	SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_brk, SYS_memfd_create, SYS_fcntl,
	SYS_recvmsg, SYS_ppoll, SYS_futex, SYS_getrandom, SYS_clock_gettime, SYS_gettimeofday,
	SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_sigaltstack, SYS_exit,
	SYS_exit_group, SYS_getpid, SYS_gettid, SYS_sched_yield, SYS_uname, SYS_sysinfo,
	SYS_getrlimit
};
#define ALLOWED (sizeof allowed / sizeof *allowed)

static int
restrict_calls(void)
{
	struct sock_filter code[ALLOWED + 6];
	struct sock_fprog prog = { .len = sizeof code / sizeof *code, .filter = code };
	size_t n = 0;

	if (ARCH == 0) {
		errno = ENOSYS;
		return -1;
	}
	code[n++] = (struct sock_filter)BPF_STMT(
	    BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[n++] = (struct sock_filter)BPF_STMT(
	    BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ALLOWED; i++) /* to the last instruction */
		code[n++] = (struct sock_filter)BPF_JUMP(
		    BPF_JMP | BPF_JEQ | BPF_K, allowed[i], (unsigned char)(ALLOWED - i), 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0);
}

void
mr_sandbox_confine(uint64_t memory_max, bool reads_all, const struct mr_log *log)
{
	static const char *const nothing[] = { NULL };

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* no other of its user looks into its memory */
	enter(nothing, reads_all ? NULL : system_files, log);
#ifndef __SANITIZE_ADDRESS__ /* its shadow memory is larger than any limit */
	setrlimit(RLIMIT_DATA, &(struct rlimit){ memory_max, memory_max });
#else
	(void)memory_max;
#endif
	if (restrict_calls() == 0)
		return;
	MR_LOG(log, MR_LOG_DEBUG, "sandbox", { "missing", MR_STR("seccomp") },
	    { "why", mr_str(strerror(errno)) });
}
