#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CHANGES                                                             \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR      \
	    | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR \
	    | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG     \
	    | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO   \
	    | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)
/* Of later kernels than the headers may know: linking between folders, truncation. */
#define CHANGE_REFER    (1ULL << 13)
#define CHANGE_TRUNCATE (1ULL << 14)

static int
allow(int ruleset, const char *path, __u64 rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights };
	int rc;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return 0; /* a folder that is not there gets no right; the rest stays shut */
	rc = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
	return rc;
}

static int
restrict_changes(const char *const *writable)
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
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
	if (ruleset < 0)
		return -1;
	for (; *writable && rc == 0; writable++)
		rc = allow(ruleset, *writable, attr.handled_access_fs);
	if (rc == 0)
		rc = allow(ruleset, "/dev", LANDLOCK_ACCESS_FS_WRITE_FILE);
	if (rc == 0)
		rc = (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
	close(ruleset);
	return rc;
}

void
mr_sandbox_enter(const char *const *writable, const struct mr_log *log)
{
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && restrict_changes(writable) == 0)
		return;
	MR_LOG(log, MR_LOG_DEBUG, "sandbox", { "missing", MR_STR("landlock") },
	    { "why", mr_str(strerror(errno)) });
}
