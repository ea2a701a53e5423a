/* sched.h - the scheduler: what is due, who delivers it, what became of it; mr-queue run. */
#ifndef MR_QUEUE_SCHED_H
#define MR_QUEUE_SCHED_H

#include "base/log.h"
#include "queue/spool.h"

#define MR_QUEUE_ACTIVE_MAX 500u /* messages that are open at once */
#define MR_QUEUE_DOWN_S \
	60 /* a next hop that is down is left alone so long, or for half of first_wait_s */
#define MR_QUEUE_STOP_S 10 /* how long SIGTERM lets deliveries go on */

struct mr_sched_conf {
	const struct mr_log *log;
	const char *spool;
	const char *host;     /* our name, for bounces */
	const char *routes;   /* path of the table, or NULL */
	const char *srs_keys; /* path of the keys for senders of forwarded mail, or NULL ... */
	const char
	    *srs_domain;       /* ... and where those senders are: a domain of ours by the routes */
	char *const *remote;   /* the worker's command */
	uint64_t workers;      /* at once */
	uint64_t per_dest;     /* at once for one next hop */
	uint64_t first_wait_s; /* before the second try; doubles with each ... */
	uint64_t max_wait_s;   /* ... up to this */
	uint64_t lifetime_s;   /* then what is undone has failed */
};

/* Runs in the foreground until SIGTERM or SIGINT.  MR_OK; MR_PERM: another scheduler has the spool;
 * MR_TEMP: it cannot start. */
enum mr_status mr_sched_run(const struct mr_sched_conf *conf, struct mr_err *err);

/* An operator's command, "retry" or "delete", for an id or "all": asks the scheduler that has the
 * spool, or takes its lock and does it.  *n: how many messages it met.  MR_NOTFOUND: no such id. */
enum mr_status mr_sched_command(
    const char *spool, const char *verb, const char *id, uint64_t *n, struct mr_err *err);

#endif
