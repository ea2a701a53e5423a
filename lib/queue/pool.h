/* pool.h - the delivery workers: long-lived programs (mr-remote -w), each doing one task at a time.
 * Tasks wait by next hop, which has limits and a memory of being down. */
#ifndef MR_QUEUE_POOL_H
#define MR_QUEUE_POOL_H

#include "base/log.h"
#include "mail/job.h"

#include <poll.h>
#include <sys/queue.h>
#include <sys/types.h>

#define MR_POOL_WORKERS_MAX 1000u /* -w and -c of mr-queue run */
#define MR_POOL_START_MS    1000  /* a worker that died is not replaced at once */
#define MR_POOL_CROWD       20    /* tasks that wait for one next hop; more stay outside */
#define MR_POOL_SILENT_S    3600  /* a worker that says nothing for so long is killed */

struct mr_dest;
struct mr_worker;

/* One job for one next hop.  The scheduler makes it, the pool gives it back through `end`. */
struct mr_task {
	struct mr_task *next;
	struct mr_dest *dest;
	void *msg;    /* the scheduler's */
	size_t *rcpt; /* job's recipient i is the message's recipient rcpt[i] */
	size_t rcpt_n;
	size_t answered_n;
	bool *is_answered;    /* rcpt_n of them */
	int fd;               /* the message; the scheduler's */
	struct mr_str packet; /* mr_job_write */
};

/* What stays outside: a message that is not opened before its next hop has room.  It costs a place in
 * a list, so that a slow next hop with a long queue does not keep the others waiting. */
struct mr_outsider {
	TAILQ_ENTRY(mr_outsider) link;
	struct mr_dest *dest; /* NULL: it is not outside */
	void *msg;            /* the scheduler's */
};

struct mr_pool_conf {
	const struct mr_log *log;
	char *const *argv;   /* the worker's command */
	size_t workers_max;  /* at once */
	size_t per_dest_max; /* at once for one next hop */
	uint64_t down_s;     /* a next hop that could not be reached is left alone that long */
	void *ctx;
	/* A recipient's result. */
	void (*result)(void *ctx, struct mr_task *task, const struct mr_job_result *result);
	/* The task is over.  why: NULL, or why recipients that got no result were not tried or are not
	 * known to have been. */
	void (*end)(void *ctx, struct mr_task *task, const char *why);
	/* There is room for one that stayed outside; it is outside no more. */
	void (*room)(void *ctx, struct mr_outsider *outsider);
};

struct mr_pool {
	struct mr_pool_conf conf;
	struct mr_worker *worker; /* conf.workers_max of them */
	size_t worker_n, busy_n;
	struct mr_dest **dest; /* hash table */
	struct mr_dest *ready; /* those that have tasks waiting */
	int64_t no_start_until_ms;
	struct mr_buf packet;
	struct mr_arena arena;
};

enum mr_status mr_pool_open(struct mr_pool *p, const struct mr_pool_conf *conf, struct mr_err *err);

/* Ends all workers: the idle ones see the end of their input, the others are killed.  Tasks are not
 * given back. */
void mr_pool_close(struct mr_pool *p);

/* Queues a task for a next hop ("host:port ...", "mx:domain"). */
enum mr_status
mr_pool_add(struct mr_pool *p, struct mr_task *task, struct mr_str nexthop, struct mr_err *err);

/* True if more tasks would only wait behind many others. */
bool mr_pool_is_crowded(struct mr_pool *p, struct mr_str nexthop);

/* Stays outside until conf.room; _leave: it will not wait any longer (harmless if it did not). */
enum mr_status mr_pool_stay_outside(
    struct mr_pool *p, struct mr_outsider *o, struct mr_str nexthop, struct mr_err *err);
void mr_pool_leave(struct mr_outsider *o);

/* Hands waiting tasks to workers, as limits allow; ends those whose next hop is down. */
void mr_pool_dispatch(struct mr_pool *p);

/* Forgets that next hops are down. */
void mr_pool_forget_down(struct mr_pool *p);

/* Fills room for worker_n entries with what to wait for; then takes what came. */
size_t mr_pool_fill(const struct mr_pool *p, struct pollfd *fds);
void mr_pool_handle(struct mr_pool *p, const struct pollfd *fds, size_t n);

#endif
