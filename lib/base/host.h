/* host.h - what a command needs to know about the machine and itself. */
#ifndef MR_BASE_HOST_H
#define MR_BASE_HOST_H

#include "base/err.h"

#include <limits.h>

struct mr_host {
	char name[256];         /* the host's name as the system says it */
	char bin_dir[PATH_MAX]; /* the folder of the running program */
};

/* MR_TEMP if the system does not say. */
enum mr_status mr_host_read(struct mr_host *host, struct mr_err *err);

/* Becomes `user` with its groups for good, if we are root; MR_USAGE: no such user, or we are somebody
 * else.  For after bind(2). */
enum mr_status mr_host_become(const char *user, struct mr_err *err);

#endif
