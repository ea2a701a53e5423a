#include "base/host.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

enum mr_status
mr_host_read(struct mr_host *host, struct mr_err *err)
{
	ssize_t n = readlink("/proc/self/exe", host->bin_dir, sizeof host->bin_dir - 1);
	char *slash;

	if (gethostname(host->name, sizeof host->name) < 0)
		return mr_err_sys(err, MR_TEMP, "host name");
	host->name[sizeof host->name - 1] = '\0';
	if (n < 0)
		return mr_err_sys(err, MR_TEMP, "/proc/self/exe");
	host->bin_dir[n] = '\0';
	if ((slash = strrchr(host->bin_dir, '/')))
		*slash = '\0';
	return MR_OK;
}

enum mr_status
mr_host_become(const char *user, struct mr_err *err)
{
	struct passwd *pw = getpwnam(user);

	if (!pw)
		return mr_err_set(err, MR_USAGE, "no user '%s'", user);
	if (getuid() == pw->pw_uid && getuid() != 0)
		return MR_OK;
	if (initgroups(user, pw->pw_gid) < 0 || setgid(pw->pw_gid) < 0 || setuid(pw->pw_uid) < 0)
		return mr_err_sys(err, MR_USAGE, "cannot become user '%s'", user);
	return MR_OK;
}
