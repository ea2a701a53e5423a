/* host.c - lib/base/host. */
#include "base/host.h"

#include "../tap.h"

#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a child: becomes `user`; 0 if it is that user then, without a way back. */
static int
become(const char *user, uid_t uid)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0)
		_exit(mr_host_become(user, NULL) || getuid() != uid || geteuid() != uid
		    || (uid && setuid(0) == 0));
	waitpid(pid, &status, 0);
	return status;
}

int
main(void)
{
	struct mr_host host;
	struct mr_err err;
	struct passwd *pw;
	char path[PATH_MAX + 8];

	ok(mr_host_read(&host, &err) == MR_OK && host.name[0], "the host's name: %s", host.name);
	snprintf(path, sizeof path, "%s/host", host.bin_dir);
	ok(host.bin_dir[0] == '/' && access(path, X_OK) == 0, "the folder of this program");
	ok(mr_host_become("no-such-user", &err) == MR_USAGE, "no user: %s", err.text);
	pw = getpwuid(getuid());
	if (pw)
		ok(become(pw->pw_name, getuid()) == 0, "who we are already");
	if (getuid() == 0 && (pw = getpwnam("nobody")))
		ok(become("nobody", pw->pw_uid) == 0, "root becomes nobody for good");
	else
		ok(mr_host_become("root", &err) == MR_USAGE, "not root: %s", err.text);
	return done_testing();
}
