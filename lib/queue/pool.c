#include "queue/pool.h"

#include "base/child.h"
#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEST_BUCKETS     1024u
#define RESULT_ARENA_MAX (4u * MR_JOB_RESULT_MAX)

/* A next hop.  It lives as long as it has tasks, workers that know it, or is down. */
struct mr_dest {
	struct mr_dest *next;       /* in its bucket */
	struct mr_dest *next_ready; /* in pool->ready */
	bool is_ready;
	struct mr_task *first, **last; /* waiting */
	size_t waiting_n;              /* how many */
	TAILQ_HEAD(, mr_outsider) outside;
	size_t busy_n; /* workers at it */
	int64_t down_until_ms;
	struct mr_err down_why;
	char nexthop[];
};

struct mr_worker {
	pid_t pid;
	int sock;
	struct mr_task *task; /* or NULL: idle */
	struct mr_dest *last; /* may have a connection to it */
	int64_t heard_ms;     /* when it got its task, or said something */
	struct mr_err said;   /* the words of its newest result */
};

/* Its group goes, whatever it is doing; returns what waitpid(2) says. */
static int
kill_worker(const struct mr_worker *w)
{
	int status = 0;

	kill(-w->pid, SIGKILL);
	while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

enum mr_status
mr_pool_open(struct mr_pool *p, const struct mr_pool_conf *conf, struct mr_err *err)
{
	*p = (struct mr_pool){ .conf = *conf };
	p->worker = calloc(conf->workers_max, sizeof *p->worker);
	p->dest = calloc(DEST_BUCKETS, sizeof *p->dest);
	mr_buf_init(&p->packet, MR_JOB_RESULT_MAX);
	mr_arena_init(&p->arena, RESULT_ARENA_MAX);
	if (p->worker && p->dest)
		return MR_OK;
	mr_pool_close(p);
	return mr_err_set(err, MR_TEMP, "out of memory");
}

void
mr_pool_close(struct mr_pool *p)
{
	for (size_t i = 0; i < p->worker_n; i++) {
		close(p->worker[i].sock);
		if (p->worker[i].task)
			kill_worker(&p->worker[i]);
	}
	for (size_t b = 0; p->dest && b < DEST_BUCKETS; b++)
		while (p->dest[b]) {
			struct mr_dest *next = p->dest[b]->next;

			free(p->dest[b]);
			p->dest[b] = next;
		}
	free(p->worker);
	free(p->dest);
	mr_buf_free(&p->packet);
	mr_arena_free(&p->arena);
}

/* ---- next hops ----------------------------------------------------------------------------------- */

static struct mr_dest **
bucket(const struct mr_pool *p, struct mr_str nexthop)
{
	return &p->dest[mr_str_hash(nexthop) % DEST_BUCKETS];
}

static bool
is_known_to_worker(const struct mr_pool *p, const struct mr_dest *d)
{
	for (size_t i = 0; i < p->worker_n; i++)
		if (p->worker[i].last == d)
			return true;
	return false;
}

/* Finds or makes; takes the occasion to drop those of its bucket that nobody needs. */
static struct mr_dest *
get_dest(struct mr_pool *p, struct mr_str nexthop)
{
	struct mr_dest **at = bucket(p, nexthop), *d;
	int64_t now = mr_clock_mono_ms();

	for (struct mr_dest **link = at; (d = *link);) {
		if (mr_str_is(nexthop, d->nexthop))
			return d;
		if (!d->first && TAILQ_EMPTY(&d->outside) && !d->busy_n && d->down_until_ms < now
		    && !is_known_to_worker(p, d)) {
			*link = d->next;
			free(d);
		} else
			link = &d->next;
	}
	if (!(d = calloc(1, sizeof *d + nexthop.n + 1)))
		return NULL;
	memcpy(d->nexthop, nexthop.p, nexthop.n);
	d->last = &d->first;
	TAILQ_INIT(&d->outside);
	d->next = *at;
	*at = d;
	return d;
}

static void
make_ready(struct mr_pool *p, struct mr_dest *d)
{
	if (d->is_ready)
		return;
	d->is_ready = true;
	d->next_ready = p->ready;
	p->ready = d;
}

enum mr_status
mr_pool_add(struct mr_pool *p, struct mr_task *task, struct mr_str nexthop, struct mr_err *err)
{
	struct mr_dest *d = get_dest(p, nexthop);

	if (!d)
		return mr_err_set(err, MR_TEMP, "out of memory");
	task->dest = d;
	task->next = NULL;
	*d->last = task;
	d->last = &task->next;
	d->waiting_n++;
	make_ready(p, d);
	return MR_OK;
}

static struct mr_task *
take_task(struct mr_dest *d)
{
	struct mr_task *t = d->first;

	d->first = t->next;
	d->waiting_n--;
	if (!d->first)
		d->last = &d->first;
	return t;
}

bool
mr_pool_is_crowded(struct mr_pool *p, struct mr_str nexthop)
{
	const struct mr_dest *d = get_dest(p, nexthop);

	return d && d->waiting_n >= MR_POOL_CROWD;
}

enum mr_status
mr_pool_stay_outside(
    struct mr_pool *p, struct mr_outsider *o, struct mr_str nexthop, struct mr_err *err)
{
	if (!(o->dest = get_dest(p, nexthop)))
		return mr_err_set(err, MR_TEMP, "out of memory");
	TAILQ_INSERT_TAIL(&o->dest->outside, o, link);
	return MR_OK;
}

void
mr_pool_leave(struct mr_outsider *o)
{
	if (o->dest)
		TAILQ_REMOVE(&o->dest->outside, o, link);
	o->dest = NULL;
}

/* Lets in as many as there is room for. */
static void
let_in(struct mr_pool *p, struct mr_dest *d)
{
	struct mr_outsider *o;

	for (size_t i = d->waiting_n; i < MR_POOL_CROWD && (o = TAILQ_FIRST(&d->outside)); i++) {
		mr_pool_leave(o);
		p->conf.room(p->conf.ctx, o);
	}
}

void
mr_pool_forget_down(struct mr_pool *p)
{
	for (size_t b = 0; b < DEST_BUCKETS; b++)
		for (struct mr_dest *d = p->dest[b]; d; d = d->next)
			d->down_until_ms = 0;
}

/* ---- workers ------------------------------------------------------------------------------------- */

static bool
start_worker(struct mr_pool *p, struct mr_worker **out)
{
	struct mr_worker w = { .pid = -1 };
	struct mr_err err;
	int pair[2];

	if (p->worker_n == p->conf.workers_max || mr_clock_mono_ms() < p->no_start_until_ms)
		return false;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		mr_err_sys(&err, MR_TEMP, "socketpair");
		goto out;
	}
	w.sock = pair[0];
	if (mr_child_start(&w.pid, p->conf.argv, (const int[]){ pair[1], -1, 2 }, 3, &err)) {
		close(pair[0]);
		close(pair[1]);
		goto out;
	}
	close(pair[1]);
	*out = &p->worker[p->worker_n++];
	**out = w;
	return true;
out:
	p->no_start_until_ms = mr_clock_mono_ms() + MR_POOL_START_MS;
	MR_LOG(p->conf.log, MR_LOG_FAULT, "worker", { "why", mr_str(err.text) });
	return false;
}

/* An idle worker: best one that may have a connection to `d`, else any, else a new one. */
static struct mr_worker *
find_worker(struct mr_pool *p, const struct mr_dest *d)
{
	struct mr_worker *any = NULL;

	for (size_t i = 0; i < p->worker_n; i++) {
		struct mr_worker *w = &p->worker[i];

		if (w->task)
			continue;
		if (w->last == d)
			return w;
		any = w;
	}
	if (!any)
		start_worker(p, &any);
	return any;
}

/* The worker has done its task, or is about to go; the task is given back. */
static void
end_task(struct mr_pool *p, struct mr_worker *w, const char *why)
{
	struct mr_task *t = w->task;

	w->task = NULL;
	w->last->busy_n--;
	p->busy_n--;
	if (w->last->first)
		make_ready(p, w->last);
	p->conf.end(p->conf.ctx, t, why);
}

static void
lose_worker(struct mr_pool *p, struct mr_worker *w)
{
	int status;

	close(w->sock);
	status = kill_worker(w);
	MR_LOG(p->conf.log, MR_LOG_FAULT, "worker", { "pid", MR_NUM(w->pid) },
	    { "signal", MR_NUM(WIFSIGNALED(status) ? WTERMSIG(status) : 0) },
	    { "code", MR_NUM(WIFEXITED(status) ? WEXITSTATUS(status) : -1) });
	if (w->task)
		end_task(p, w, "the delivery worker ended before it answered");
	p->no_start_until_ms = mr_clock_mono_ms() + MR_POOL_START_MS;
	*w = p->worker[--p->worker_n];
}

static bool
hand_over(struct mr_pool *p, struct mr_worker *w, struct mr_task *t)
{
	struct mr_err err;

	if (mr_io_send_packet(w->sock, t->packet, t->fd, &err))
		return false;
	w->task = t;
	w->heard_ms = mr_clock_mono_ms();
	w->last = t->dest;
	w->last->busy_n++;
	p->busy_n++;
	return true;
}

/* Ends all that wait for a next hop that is down. */
static void
drain_down(struct mr_pool *p, struct mr_dest *d)
{
	while (d->first)
		p->conf.end(p->conf.ctx, take_task(d), d->down_why.text);
}

/* Gives out tasks of one next hop.  False: no worker is left for anybody. */
static bool
dispatch_dest(struct mr_pool *p, struct mr_dest *d)
{
	while (d->first && d->busy_n < p->conf.per_dest_max) {
		struct mr_worker *w = find_worker(p, d);
		struct mr_task *t;

		if (!w)
			return false;
		t = d->first;
		if (hand_over(p, w, t))
			take_task(d);
		else
			lose_worker(p, w);
	}
	return true;
}

void
mr_pool_dispatch(struct mr_pool *p)
{
	int64_t now = mr_clock_mono_ms();
	struct mr_dest *todo, *d;
	bool has_workers = true;

	/* From the end: a worker that is lost is replaced by the last one. */
	for (size_t i = p->worker_n; i-- > 0;)
		if (p->worker[i].task
		    && now - p->worker[i].heard_ms > (int64_t)MR_POOL_SILENT_S * 1000)
			lose_worker(p, &p->worker[i]);
	todo = p->ready;
	p->ready = NULL;
	while ((d = todo)) {
		todo = d->next_ready;
		d->is_ready = false;
		if (d->down_until_ms > now)
			drain_down(p, d);
		else if (has_workers)
			has_workers = dispatch_dest(p, d);
		let_in(p, d);
		/* At its own limit it is made ready again when a task of it ends. */
		if (d->first && d->busy_n < p->conf.per_dest_max)
			make_ready(p, d);
	}
}

/* ---- answers ------------------------------------------------------------------------------------- */

static void
mark_down(const struct mr_pool *p, struct mr_dest *d, const struct mr_err *said)
{
	mr_err_set(
	    &d->down_why, MR_TEMP, "not tried, the next hop was down a moment ago: %s", said->text);
	d->down_until_ms = mr_clock_mono_ms() + (int64_t)p->conf.down_s * 1000;
}

/* One packet of a worker.  False: the worker is of no use any more. */
static bool
take_packet(struct mr_pool *p, struct mr_worker *w)
{
	struct mr_job_result r;
	struct mr_err err;
	int fd;

	if (mr_io_recv_packet(w->sock, &p->packet, &fd, &err))
		return false;
	if (fd >= 0)
		close(fd);
	mr_arena_free(&p->arena);
	if (!w->task || mr_job_result_parse(&r, &p->arena, mr_buf_str(&p->packet), &err))
		return false;
	if (!r.is_done) {
		if (r.rcpt >= w->task->rcpt_n || w->task->is_answered[r.rcpt])
			return false;
		w->heard_ms = mr_clock_mono_ms();
		w->task->is_answered[r.rcpt] = true;
		w->task->answered_n++;
		mr_err_set(&w->said, MR_TEMP, "%.*s", (int)r.reply.n, r.reply.p);
		p->conf.result(p->conf.ctx, w->task, &r);
		return true;
	}
	if (r.host_down)
		mark_down(p, w->last, &w->said);
	else
		w->last->down_until_ms = 0;
	end_task(p, w,
	    w->task->answered_n < w->task->rcpt_n ? "the delivery worker gave no result" : NULL);
	return true;
}

size_t
mr_pool_fill(const struct mr_pool *p, struct pollfd *fds)
{
	for (size_t i = 0; i < p->worker_n; i++)
		fds[i] = (struct pollfd){ .fd = p->worker[i].sock, .events = POLLIN };
	return p->worker_n;
}

void
mr_pool_handle(struct mr_pool *p, const struct pollfd *fds, size_t n)
{
	/* From the end: a worker that is lost is replaced by the last one. */
	while (n-- > 0)
		if (fds[n].revents && !take_packet(p, &p->worker[n]))
			lose_worker(p, &p->worker[n]);
}
