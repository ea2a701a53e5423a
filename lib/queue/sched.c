#include "queue/parts.h"

#include "base/clock.h"
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define TICK_MS     1000  /* incoming/ is read that often, at least */
#define SCAN_SHARE  20    /* and no more than one part in so many of our time goes into it */
#define STOP_MS     10000 /* running jobs may take so long when we are told to stop */
#define DUE_AT_ONCE 200u  /* messages begun before workers are listened to again */
#define FDS_FIXED   (3 + MR_CONTROL_CLIENTS)

enum mr_status
mr_sched_lock(const struct mr_spool *spool, int *fd, struct mr_err *err)
{
	*fd = openat(spool->dir_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (*fd < 0)
		return mr_err_sys(err, MR_TEMP, "%s/lock", spool->path);
	if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
		return MR_OK;
	close(*fd);
	*fd = -1;
	return errno == EWOULDBLOCK ? mr_err_set(err, MR_NOTFOUND, "another scheduler runs")
	                            : mr_err_sys(err, MR_TEMP, "%s/lock", spool->path);
}

static void
read_clocks(struct mr_sched *s)
{
	s->now_s = mr_clock_now_s();
	s->now_ms = mr_clock_mono_ms();
}

/* ---- routes ---- */

static enum mr_status
open_routes(struct mr_sched *s, struct mr_err *err)
{
	struct mr_table *routes = NULL;
	enum mr_status st;

	if (!s->conf->routes)
		return MR_OK;
	mr_watch_free(&s->watch);
	if ((st = mr_watch_add(&s->watch, s->conf->routes, err))
	    || (st = mr_table_open(&routes, s->conf->routes, MR_TABLE_ROUTES, err)))
		return st;
	if (s->routes)
		mr_table_close(s->routes);
	s->routes = routes;
	return MR_OK;
}

static void
look_at_routes(struct mr_sched *s)
{
	struct mr_err err;

	if (!s->conf->routes || !mr_watch_has_changed(&s->watch))
		return;
	/* Bad ones are said once, because they are watched as they are now. */
	if (open_routes(s, &err)) {
		MR_LOG(s->log, MR_LOG_FAULT, "routes", { "why", mr_str(err.text) },
		    { "kept", MR_STR("the old ones") });
		return;
	}
	MR_LOG(s->log, MR_LOG_INFO, "routes", { "file", mr_str(s->conf->routes) });
	mr_rounds_restart(s);
}

/* ---- the loop ---- */

static void
start_due(struct mr_sched *s)
{
	for (unsigned i = 0; i < DUE_AT_ONCE && s->msg_n && s->heap[0]->at_s <= s->now_s; i++)
		mr_round_start(s, s->heap[0]);
	mr_workers_dispatch(s);
	mr_msgs_trim(s);
}

static void
flush_due(struct mr_sched *s, bool is_all)
{
	struct mr_msg *m;

	while ((m = TAILQ_FIRST(&s->flush)) && (is_all || m->flush_ms <= s->now_ms))
		mr_msg_write_lines(s, m, s->now_s);
}

static void
end_silent(struct mr_sched *s)
{
	for (size_t i = 0; i < s->worker_n; i++)
		if (s->worker[i].pid && s->worker[i].piece && s->worker[i].silent_ms <= s->now_ms)
			mr_worker_end(s, &s->worker[i], "no answer for too long");
}

/* Once a second; returns when the next time is. */
static int64_t
tick(struct mr_sched *s)
{
	int64_t spent_ms;

	look_at_routes(s);
	mr_hops_tick(s);
	end_silent(s);
	mr_msgs_scan_incoming(s, false);
	spent_ms = mr_clock_mono_ms() - s->now_ms;
	return s->now_ms + (spent_ms * SCAN_SHARE > TICK_MS ? spent_ms * SCAN_SHARE : TICK_MS);
}

static int
wait_ms(const struct mr_sched *s, int64_t next_tick_ms)
{
	const struct mr_msg *m = TAILQ_FIRST(&s->flush);
	int64_t until_ms = next_tick_ms;

	if (!s->is_stopping && s->msg_n && s->heap[0]->at_s <= s->now_s)
		return 0;
	if (m && m->flush_ms < until_ms)
		until_ms = m->flush_ms;
	return mr_clock_left_ms(until_ms);
}

/* Waits, then lets everybody speak. */
static void
serve(struct mr_sched *s, struct pollfd *p, int timeout_ms)
{
	size_t n = FDS_FIXED + s->worker_n;

	p[0] = (struct pollfd){ .fd = s->is_stopping ? -1 : s->conf->stop_fd, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = s->wake_fd, .events = POLLIN };
	p[2] = (struct pollfd){ .fd = s->control_fd, .events = POLLIN };
	for (size_t i = 0; i < MR_CONTROL_CLIENTS; i++)
		p[3 + i] = (struct pollfd){ .fd = s->client[i], .events = POLLIN };
	for (size_t i = 0; i < s->worker_n; i++)
		p[FDS_FIXED + i] = (struct pollfd){ .fd = s->worker[i].pid ? s->worker[i].sock : -1,
			.events = POLLIN };
	if (poll(p, n, timeout_ms) < 0) {
		read_clocks(s);
		return;
	}
	read_clocks(s);
	/* Workers first: what they did must be known before anything else is done to a message. */
	for (size_t i = 0; i < s->worker_n; i++)
		if (p[FDS_FIXED + i].revents)
			mr_worker_read(s, &s->worker[i]);
	if (p[0].revents)
		s->is_stopping = true;
	if (p[1].revents)
		mr_control_wake(s);
	for (size_t i = 0; i < MR_CONTROL_CLIENTS; i++)
		if (p[3 + i].revents)
			mr_control_client(s, i);
	if (p[2].revents)
		mr_control_accept(s);
}

static bool
is_working(const struct mr_sched *s)
{
	for (size_t i = 0; i < s->worker_n; i++)
		if (s->worker[i].pid && s->worker[i].piece)
			return true;
	return false;
}

static void
loop(struct mr_sched *s, struct pollfd *p)
{
	int64_t next_tick_ms = s->now_ms, stop_ms = MR_NO_DEADLINE;

	while (!s->is_stopping || (is_working(s) && s->now_ms < stop_ms)) {
		if (s->now_ms >= next_tick_ms)
			next_tick_ms = s->is_stopping ? s->now_ms + TICK_MS : tick(s);
		if (!s->is_stopping)
			start_due(s);
		flush_due(s, false);
		serve(s, p, wait_ms(s, next_tick_ms));
		if (s->is_stopping && stop_ms == MR_NO_DEADLINE)
			stop_ms = s->now_ms + STOP_MS;
	}
	flush_due(s, true);
}

static void
end(struct mr_sched *s)
{
	for (size_t i = 0; s->worker && i < s->worker_n; i++)
		if (s->worker[i].pid && s->worker[i].piece)
			mr_worker_end(s, &s->worker[i], "had a job when the scheduler ended");
		else if (s->worker[i].pid)
			close(s->worker[i].sock); /* it says goodbye and ends by itself */
	if (s->heap)
		mr_msgs_free(s);
	if (s->by_name)
		mr_hops_free(s);
	mr_control_free(s);
	free(s->worker);
	mr_buf_free(&s->packet);
	mr_buf_free(&s->answer);
	if (s->routes)
		mr_table_close(s->routes);
	mr_watch_free(&s->watch);
}

enum mr_status
mr_sched_run(struct mr_spool *spool, const struct mr_sched_conf *conf, struct mr_err *err)
{
	struct mr_sched s = { .spool = spool, .conf = conf, .log = conf->log };
	struct pollfd *p = calloc(FDS_FIXED + conf->workers_max, sizeof *p);
	enum mr_status st;

	read_clocks(&s);
	mr_watch_init(&s.watch);
	if (!p)
		st = mr_err_set(err, MR_TEMP, "out of memory");
	else if ((st = mr_control_init(&s, err)) == MR_OK && (st = mr_msgs_init(&s, err)) == MR_OK
	    && (st = mr_hops_init(&s, err)) == MR_OK && (st = mr_workers_init(&s, err)) == MR_OK
	    && (st = open_routes(&s, err)) == MR_OK) {
		mr_sandbox_enter((const char *const[]){ spool->path, NULL }, s.log);
		mr_msgs_scan_deferred(&s);
		mr_msgs_scan_incoming(&s, true);
		MR_LOG(s.log, MR_LOG_INFO, "start", { "spool", mr_str(spool->path) },
		    { "messages", MR_NUM(s.msg_n) });
		loop(&s, p);
		MR_LOG(s.log, MR_LOG_INFO, "stop", { "messages", MR_NUM(s.msg_n) });
	}
	end(&s);
	free(p);
	return st;
}
