#include "queue/sched.h"

#include "base/clock.h"
#include "base/sandbox.h"
#include "queue/state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONTROL_BACKLOG 16
#define TICK_MS         1000 /* incoming/ is looked at that often; a lost wake-up costs no more */

/* ---- the spool -------------------------------------------------------------------------------------- */

void
mr_queue_socket_name(const struct mr_spool *spool, const char *name, struct sockaddr_un *un)
{
	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(un->sun_path, sizeof un->sun_path, "/proc/self/fd/%d/%s", spool->dir_fd, name);
}

enum mr_status
mr_queue_lock(const struct mr_spool *spool, int *fd, struct mr_err *err)
{
	*fd = openat(spool->dir_fd, "lock", O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660);
	if (*fd < 0)
		return mr_err_sys(err, MR_TEMP, "%s/lock", spool->path);
	if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
		return MR_OK;
	close(*fd);
	*fd = -1;
	return mr_err_set(err, MR_PERM, "%s: another mr-queue works on this spool", spool->path);
}

/* ---- what there is to do ------------------------------------------------------------------------------ */

static struct mr_message *
learn(struct mr_sched *s, struct mr_str id, int64_t due_s)
{
	struct mr_message *msg = mr_messages_find(&s->messages, id);

	if (msg)
		return NULL;
	if (!(msg = mr_messages_add(&s->messages, id, due_s)))
		MR_LOG(s->conf->log, MR_LOG_FAULT, "queue", { "id", id },
		    { "why", MR_STR("out of memory; it is looked at later") });
	return msg;
}

static void
learn_incoming(void *ctx, struct mr_str id)
{
	learn(ctx, id, 0);
}

/* At the start: it may have been tried by a scheduler that died. */
static void
learn_old_incoming(void *ctx, struct mr_str id)
{
	struct mr_message *msg = learn(ctx, id, 0);

	if (msg)
		msg->may_have_events = true;
}

static void
learn_deferred(void *ctx, struct mr_str id)
{
	struct mr_sched *s = ctx;
	struct mr_message *msg;
	int64_t due_s = 0;
	char name[MR_ID_MAX];

	snprintf(name, sizeof name, "%.*s", (int)id.n, id.p);
	mr_record_get_next(&s->spool, name, &due_s, NULL);
	if ((msg = learn(s, id, due_s)))
		msg->is_deferred = msg->may_have_events = true;
}

/* Events of a message that is gone: left by a scheduler that died in between. */
static void
drop_orphan(void *ctx, struct mr_str id)
{
	struct mr_sched *s = ctx;
	char name[MR_ID_MAX];

	snprintf(name, sizeof name, "%.*s", (int)id.n, id.p);
	if (!mr_messages_find(&s->messages, id))
		mr_record_remove(&s->spool, name, NULL);
}

static enum mr_status
learn_all(struct mr_sched *s, struct mr_err *err)
{
	enum mr_status st = mr_spool_each(s->spool.deferred_fd, NULL, learn_deferred, s, err);

	if (st == MR_OK)
		st = mr_spool_each(s->spool.incoming_fd, NULL, learn_old_incoming, s, err);
	if (st == MR_OK)
		st = mr_spool_each(s->spool.deferred_fd, mr_record_id, drop_orphan, s, err);
	return st;
}

/* A wake-up names the message; one that is not there yet or any more does no harm. */
static void
take_wake_ups(struct mr_sched *s)
{
	char id[MR_ID_MAX];
	ssize_t n;

	while ((n = recv(s->wake_fd, id, sizeof id, MSG_DONTWAIT)) >= 0) {
		struct mr_str name = { id, (size_t)n };
		char path[MR_ID_MAX + 1];

		snprintf(path, sizeof path, "%.*s", (int)n, id);
		if (mr_spool_is_id(name) && faccessat(s->spool.incoming_fd, path, F_OK, 0) == 0)
			learn(s, name, 0);
	}
}

static enum mr_status
watch_files(struct mr_sched *s, struct mr_err *err)
{
	const char *path[] = { s->conf->routes, s->conf->srs_keys };
	enum mr_status st = MR_OK;

	mr_watch_free(&s->watch);
	for (size_t i = 0; i < sizeof path / sizeof *path && st == MR_OK; i++)
		if (path[i])
			st = mr_watch_add(&s->watch, path[i], err);
	return st;
}

/* Files that were replaced are read again; what is bad keeps the old. */
static void
reload_files(struct mr_sched *s)
{
	struct mr_table *routes;
	struct mr_srs srs;
	struct mr_err err;

	if (!mr_watch_has_changed(&s->watch))
		return;
	if (watch_files(s, &err) || mr_queue_open_files(s->conf, &routes, &srs, &err)) {
		MR_LOG(s->conf->log, MR_LOG_FAULT, "reload", { "result", MR_STR("old-stays") },
		    { "why", mr_str(err.text) });
		return;
	}
	MR_LOG(s->conf->log, MR_LOG_INFO, "reload", { "result", MR_STR("new") });
	mr_table_close(s->routes);
	mr_srs_free(&s->srs);
	s->routes = routes;
	s->srs = srs;
}

/* ---- the loop --------------------------------------------------------------------------------------- */

/* A socket of the spool; `mode` says who may write to it. */
static enum mr_status
open_socket(const struct mr_spool *spool, const char *name, int type, mode_t mode, int *fd,
    struct mr_err *err)
{
	struct sockaddr_un un;

	mr_queue_socket_name(spool, name, &un);
	unlinkat(spool->dir_fd, name, 0);
	*fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0 || bind(*fd, (struct sockaddr *)&un, sizeof un) < 0
	    || fchmodat(spool->dir_fd, name, mode, 0) < 0
	    || (type == SOCK_SEQPACKET && listen(*fd, CONTROL_BACKLOG) < 0))
		return mr_err_sys(err, MR_TEMP, "%s/%s", spool->path, name);
	return MR_OK;
}

/* The server's group may wake us, but only our own user may give commands. */
static enum mr_status
open_sockets(struct mr_sched *s, struct mr_err *err)
{
	enum mr_status st = open_socket(&s->spool, "wake", SOCK_DGRAM, 0660, &s->wake_fd, err);

	return st ? st
	          : open_socket(&s->spool, "control", SOCK_SEQPACKET, 0600, &s->control_fd, err);
}

static enum mr_status
open_signals(struct mr_sched *s, struct mr_err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signal_fd < 0 ? mr_err_sys(err, MR_TEMP, "signalfd") : MR_OK;
}

/* Looks at incoming/ if something came there since the last look. */
static void
tick(struct mr_sched *s, struct timespec *seen)
{
	struct stat st;
	struct mr_err err;

	reload_files(s);
	if (fstat(s->spool.incoming_fd, &st) < 0
	    || (st.st_mtim.tv_sec == seen->tv_sec && st.st_mtim.tv_nsec == seen->tv_nsec))
		return;
	/* Within the same tick of the file system's clock more may come unseen: look again then. */
	*seen = mr_clock_now_s() - st.st_mtim.tv_sec > 1 ? st.st_mtim : (struct timespec){ 0 };
	if (mr_spool_each(s->spool.incoming_fd, NULL, learn_incoming, s, &err))
		MR_LOG(s->conf->log, MR_LOG_FAULT, "queue", { "why", mr_str(err.text) });
}

static void
begin_due(struct mr_sched *s)
{
	int64_t now = mr_clock_now_s();
	struct mr_message *msg;

	while (!s->is_stopping && s->active_n < MR_QUEUE_ACTIVE_MAX
	    && (msg = mr_messages_take_due(&s->messages, now)))
		mr_attempt_begin(s, msg);
	mr_pool_dispatch(&s->pool);
}

static void
take_signals(struct mr_sched *s)
{
	struct signalfd_siginfo si;

	while (read(s->signal_fd, &si, sizeof si) == (ssize_t)sizeof si)
		s->is_stopping = true;
}

#define FIXED_FDS 4

/* Waits for events and takes them. */
static void
turn(struct mr_sched *s, struct pollfd *fds, int timeout_ms)
{
	size_t workers;

	fds[0] = (struct pollfd){ .fd = s->signal_fd, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = s->wake_fd, .events = POLLIN };
	fds[2] = (struct pollfd){ .fd = s->client_fd < 0 ? s->control_fd : -1, .events = POLLIN };
	fds[3] = (struct pollfd){ .fd = s->client_fd, .events = POLLIN };
	workers = mr_pool_fill(&s->pool, fds + FIXED_FDS);
	if (poll(fds, FIXED_FDS + workers, timeout_ms) <= 0)
		return;
	if (fds[0].revents)
		take_signals(s);
	mr_pool_handle(&s->pool, fds + FIXED_FDS, workers);
	if (fds[1].revents)
		take_wake_ups(s);
	if (fds[2].revents)
		mr_control_accept(s);
	if (fds[3].revents)
		mr_control_answer(s);
}

static void
loop(struct mr_sched *s, struct pollfd *fds)
{
	int64_t next_tick = 0, stop_at = 0;
	struct timespec seen = { 0 };

	for (;;) {
		int64_t now = mr_clock_mono_ms();

		if (s->is_stopping && !stop_at)
			stop_at = now + MR_QUEUE_STOP_S * 1000;
		if (s->is_stopping && (s->pool.busy_n == 0 || now >= stop_at))
			return;
		if (now >= next_tick) {
			tick(s, &seen);
			next_tick = now + TICK_MS;
		}
		begin_due(s);
		turn(s, fds, mr_clock_left_ms(next_tick));
	}
}

static void
close_all(struct mr_sched *s)
{
	int *fds[] = { &s->lock_fd, &s->wake_fd, &s->control_fd, &s->client_fd, &s->signal_fd };

	if (s->wake_fd >= 0)
		unlinkat(s->spool.dir_fd, "wake", 0);
	if (s->control_fd >= 0)
		unlinkat(s->spool.dir_fd, "control", 0);
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (*fds[i] >= 0)
			close(*fds[i]);
	if (s->messages.bucket)
		mr_messages_each(&s->messages, mr_attempt_drop, s);
	mr_messages_free(&s->messages);
	mr_table_close(s->routes);
	mr_srs_free(&s->srs);
	mr_watch_free(&s->watch);
	mr_spool_close(&s->spool);
}

enum mr_status
mr_sched_run(const struct mr_sched_conf *conf, struct mr_err *err)
{
	struct mr_sched s = { .conf = conf,
		.lock_fd = -1,
		.wake_fd = -1,
		.control_fd = -1,
		.client_fd = -1,
		.signal_fd = -1 };
	const struct mr_pool_conf pool = { .log = conf->log,
		.argv = conf->remote,
		.workers_max = conf->workers,
		.per_dest_max = conf->per_dest,
		.down_s = conf->first_wait_s / 2 < MR_QUEUE_DOWN_S ? conf->first_wait_s / 2
		                                                   : MR_QUEUE_DOWN_S,
		.ctx = &s,
		.result = mr_attempt_result,
		.end = mr_attempt_end,
		.room = mr_attempt_room };
	const char *writable[] = { conf->spool, NULL };
	struct pollfd *fds = calloc(FIXED_FDS + conf->workers, sizeof *fds);
	enum mr_status st;

	mr_watch_init(&s.watch);
	if (!fds)
		return mr_err_set(err, MR_TEMP, "out of memory");
	if ((st = mr_spool_open(&s.spool, conf->spool, err))) {
		free(fds);
		return st;
	}
	/* What is wrong at the start is told at the start. */
	if ((st = watch_files(&s, err)) || (st = mr_queue_open_files(conf, &s.routes, &s.srs, err)))
		goto out;
	if ((st = mr_messages_init(&s.messages, err))
	    || (st = mr_queue_lock(&s.spool, &s.lock_fd, err)) || (st = open_sockets(&s, err))
	    || (st = open_signals(&s, err)) || (st = mr_pool_open(&s.pool, &pool, err)))
		goto out;
	mr_sandbox_enter(writable, conf->log);
	if ((st = learn_all(&s, err)) == MR_OK) {
		MR_LOG(conf->log, MR_LOG_INFO, "running", { "spool", mr_str(conf->spool) },
		    { "messages", MR_NUM(s.messages.n) });
		loop(&s, fds);
	}
	mr_pool_close(&s.pool);
out:
	close_all(&s);
	free(fds);
	return st;
}
