/* sched.h - the scheduler: decides what is due, hands jobs to workers, keeps the books; mr-queue(8). */
#ifndef MR_QUEUE_SCHED_H
#define MR_QUEUE_SCHED_H

#include "base/log.h"
#include "queue/spool.h"

/* Defaults and ranges of what an administrator may set. */
#define MR_SCHED_WORKERS      20u
#define MR_SCHED_WORKERS_MAX  500u
#define MR_SCHED_PER_HOP      20u
#define MR_SCHED_WAIT_FIRST_S (5 * 60)
#define MR_SCHED_WAIT_MAX_S   (4 * 3600)
#define MR_SCHED_LIFETIME_S   (5 * 86400)

struct mr_sched_conf {
	const struct mr_log *log;
	struct mr_str host;  /* our name, for bounces */
	const char *routes;  /* path of the routes table, or NULL */
	char *const *worker; /* argv of a delivery worker (job.h), NULL at the end */
	size_t workers_max;  /* workers in all */
	size_t per_hop_max;  /* jobs for one next hop at a time */
	int64_t
	    wait_first_s; /* after the first try; a message waits as long as it is old, from ... */
	int64_t wait_max_s; /* ... wait_first_s to wait_max_s */
	int64_t lifetime_s; /* then a message is given up */
	int stop_fd;        /* when this is readable: take no more jobs, end soon */
};

/* The lock that only one scheduler, or one command in its place, may hold.  *fd is the caller's;
 * closing it gives the lock back.  MR_NOTFOUND: somebody else has it. */
enum mr_status mr_sched_lock(const struct mr_spool *spool, int *fd, struct mr_err *err);

/* Runs until stop_fd says so.  The caller holds the lock.  MR_TEMP or MR_USAGE: could not start. */
enum mr_status
mr_sched_run(struct mr_spool *spool, const struct mr_sched_conf *conf, struct mr_err *err);

#endif
