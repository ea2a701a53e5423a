#include "base/clock.h"
#include "mail/addr.h"
#include "queue/dsn.h"
#include "queue/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One try of one message: from the file to tasks for the pool, and from their results to what stands
 * on disk.  What must hold at every moment: a recipient is delivered, or has bounced, or a file says
 * that it is to be tried. */

#define ATTEMPT_MEMORY_MAX (MR_SPOOL_ARENA_MAX + (64u << 20))
#define S_NO_DELIVERY      "domain is local, but there is no delivery route for it"

/* One recipient in this try. */
struct result {
	bool is_there, is_written;
	struct mr_str reverse_path; /* p NULL: the sender as it is */
	struct mr_event event;      /* views in the arena */
};

struct mr_active {
	struct mr_arena arena;
	struct mr_spool_file file;
	struct mr_record record;
	struct result *result;      /* one for each recipient of the file */
	struct mr_str forward_path; /* what forwarded mail leaves under; p NULL: not made yet */
	int fd;
	size_t task_n; /* given to the pool, not ended */
};

static const struct mr_rcpt *
rcpt_of(const struct mr_active *a, size_t i)
{
	return &a->file.env.rcpt[i];
}

static int64_t
age_s(const struct mr_message *msg)
{
	return mr_clock_now_s() - mr_spool_id_time_s(mr_str(msg->id));
}

static void
fault(const struct mr_sched *s, const struct mr_message *msg, const char *what, const char *why)
{
	MR_LOG(s->conf->log, MR_LOG_FAULT, "queue", { "id", mr_str(msg->id) },
	    { "what", mr_str(what) }, { "why", mr_str(why) });
}

static void
log_outcome(const struct mr_sched *s, const struct mr_message *msg, const struct mr_event *e)
{
	const struct mr_active *a = msg->active;

	MR_LOG(s->conf->log, MR_LOG_INFO, mr_outcome_word(e->outcome), { "id", mr_str(msg->id) },
	    { "sender", mr_env_get(&a->file.env, "sender") },
	    { "reverse_path", a->result[e->rcpt].reverse_path }, { "rcpt", e->addr },
	    { "host", e->host.n ? e->host : (struct mr_str){ NULL, 0 } }, { "status", e->status },
	    { "reply", e->reply }, { "delay_s", MR_NUM(age_s(msg)) });
}

enum mr_status
mr_queue_remove(const struct mr_spool *spool, const char *id, struct mr_err *err)
{
	const int folders[] = { spool->incoming_fd, spool->deferred_fd };
	bool was_there = false;

	for (int i = 0; i < 2; i++) {
		if (unlinkat(folders[i], id, 0) == 0)
			was_there = true;
		else if (errno != ENOENT)
			return mr_err_sys(err, MR_TEMP, "cannot remove %s", id);
	}
	if (mr_record_remove(spool, id, err))
		return MR_TEMP;
	return was_there ? MR_OK : mr_err_set(err, MR_NOTFOUND, "no message %s in the queue", id);
}

/* ---- the end of a try ------------------------------------------------------------------------------- */

static void
close_active(struct mr_sched *s, struct mr_message *msg)
{
	struct mr_active *a = msg->active;

	if (a->fd >= 0)
		close(a->fd);
	mr_arena_free(&a->arena);
	free(a);
	msg->active = NULL;
	s->active_n--;
}

/* The message is done with: its files go, and it is forgotten. */
static void
forget(struct mr_sched *s, struct mr_message *msg)
{
	struct mr_err err;

	if (unlinkat(msg->is_deferred ? s->spool.deferred_fd : s->spool.incoming_fd, msg->id, 0) < 0
	    && errno != ENOENT) {
		mr_err_sys(&err, MR_TEMP, "cannot remove it");
		fault(s, msg, "done, but the file stays", err.text);
		msg->is_deleted = true; /* only this is left to do */
		mr_messages_wait(&s->messages, msg, mr_clock_now_s() + MR_QUEUE_FAULT_WAIT_S);
		return;
	}
	if (msg->may_have_events && mr_record_remove(&s->spool, msg->id, &err))
		fault(s, msg, "cannot remove its events", err.text);
	mr_messages_remove(&s->messages, msg);
}

/* Tries to put the lines that wait in memory on disk. */
static enum mr_status
write_events(struct mr_sched *s, struct mr_message *msg, bool is_durable, int64_t next_s)
{
	struct mr_err err;

	msg->may_have_events = true;
	if (mr_record_append(
	        &s->spool, msg->id, mr_buf_str(&msg->unwritten), is_durable, next_s, &err)) {
		fault(s, msg, "cannot write its events; they are kept in memory", err.text);
		return MR_TEMP;
	}
	mr_buf_clear(&msg->unwritten);
	return MR_OK;
}

/* Adds the lines of events that are not written yet; true if one of them must not be lost. */
static bool
collect_events(struct mr_message *msg, bool (*wanted)(const struct mr_event *e))
{
	struct mr_active *a = msg->active;
	bool is_durable = false;

	for (size_t i = 0; i < a->record.rcpt_n; i++) {
		struct result *r = &a->result[i];

		if (!r->is_there || r->is_written || !wanted(&r->event))
			continue;
		mr_event_write(&r->event, &msg->unwritten);
		r->is_written = true;
		is_durable |= r->event.outcome != MR_DEFERRED;
	}
	return is_durable;
}

static bool
is_any(const struct mr_event *e)
{
	return e->outcome <= MR_FAILED;
}

static bool
is_delivered(const struct mr_event *e)
{
	return e->outcome == MR_DELIVERED;
}

/* What has been tried for too long has failed. */
static void
expire(const struct mr_sched *s, struct mr_message *msg)
{
	struct mr_active *a = msg->active;

	if (age_s(msg) < (int64_t)s->conf->lifetime_s)
		return;
	for (size_t i = 0; i < a->record.rcpt_n; i++) {
		struct mr_event *e = &a->result[i].event;
		struct mr_str reply;

		if (!a->result[i].is_there || e->outcome != MR_DEFERRED)
			continue;
		reply = mr_arena_fmt(&a->arena, "given up after %" PRId64 " hours: %.*s",
		    age_s(msg) / 3600, (int)e->reply.n, e->reply.p);
		e->outcome = MR_FAILED;
		e->status = MR_STR("5.4.7"); /* RFC 3463: delivery time expired */
		if (reply.p)
			e->reply = reply;
	}
}

/* Tells the sender what has failed, in one bounce.  If that cannot be stored the failures are
 * deferred: better told late than never. */
static void
bounce(struct mr_sched *s, struct mr_message *msg)
{
	struct mr_active *a = msg->active;
	struct mr_event *failed = mr_arena_alloc(&a->arena, a->record.rcpt_n * sizeof *failed);
	bool has_sender = mr_env_get(&a->file.env, "sender").n > 0;
	char dsn_id[MR_ID_MAX];
	struct mr_err err;
	size_t failed_n = 0;

	for (size_t i = 0; i < a->record.rcpt_n; i++) {
		const struct result *r = &a->result[i];

		if (!r->is_there || r->is_written || r->event.outcome != MR_FAILED)
			continue;
		if (!has_sender)
			MR_LOG(s->conf->log, MR_LOG_WARN, "double-bounce",
			    { "id", mr_str(msg->id) }, { "rcpt", r->event.addr },
			    { "what", MR_STR("dropped, nobody to tell") });
		else if (failed && mr_dsn_is_wanted(&a->file, i))
			failed[failed_n++] = r->event;
	}
	if (failed_n == 0 && (failed || !has_sender))
		return;
	/* A bounce takes time: what was delivered must not be sent again if we die before its end. */
	if (collect_events(msg, is_delivered))
		write_events(s, msg, true, mr_clock_now_s());
	if (failed
	    && mr_dsn_send(&s->spool, s->conf->host, &a->file, a->fd, msg->id, failed, failed_n,
	           dsn_id, &err)
	        == MR_OK) {
		MR_LOG(s->conf->log, MR_LOG_INFO, "bounced", { "id", mr_str(msg->id) },
		    { "sender", mr_env_get(&a->file.env, "sender") }, { "rcpts", MR_NUM(failed_n) },
		    { "bounce", mr_str(dsn_id) });
		return;
	}
	fault(s, msg, "cannot store the bounce", failed ? err.text : "out of memory");
	for (size_t i = 0; i < a->record.rcpt_n; i++)
		if (a->result[i].is_there && !a->result[i].is_written
		    && a->result[i].event.outcome == MR_FAILED)
			a->result[i].event.outcome = MR_DEFERRED;
}

static int64_t
next_try_s(const struct mr_sched *s, const struct mr_active *a)
{
	uint64_t wait = s->conf->first_wait_s;

	for (unsigned i = 0; i < a->record.tries && wait < s->conf->max_wait_s; i++)
		wait *= 2;
	return mr_clock_now_s()
	    + (int64_t)(wait < s->conf->max_wait_s ? wait : s->conf->max_wait_s);
}

/* Something is left to do: events on disk first, then the move out of incoming/. */
static void
defer(struct mr_sched *s, struct mr_message *msg)
{
	int64_t next = next_try_s(s, msg->active);
	bool is_durable = collect_events(msg, is_any);

	if (write_events(s, msg, is_durable, next) == MR_OK && !msg->is_deferred) {
		if (renameat(s->spool.incoming_fd, msg->id, s->spool.deferred_fd, msg->id) == 0)
			msg->is_deferred = true;
		else
			fault(s, msg, "cannot move it to deferred/", strerror(errno));
	}
	close_active(s, msg);
	mr_messages_wait(&s->messages, msg, next);
}

/* All tasks have ended. */
static void
finish(struct mr_sched *s, struct mr_message *msg)
{
	struct mr_active *a = msg->active;
	size_t undone = 0;

	expire(s, msg);
	for (size_t i = 0; i < a->record.rcpt_n; i++)
		if (a->result[i].is_there && a->result[i].event.outcome != MR_DELIVERED)
			log_outcome(s, msg, &a->result[i].event);
	bounce(s, msg);
	for (size_t i = 0; i < a->record.rcpt_n; i++)
		undone += a->result[i].is_there ? a->result[i].event.outcome == MR_DEFERRED
		                                : !a->record.rcpt[i].is_done;
	if (undone && !msg->is_deleted) {
		defer(s, msg);
		return;
	}
	close_active(s, msg);
	forget(s, msg);
}

/* ---- results --------------------------------------------------------------------------------------- */

static void
set_result(const struct mr_sched *s, struct mr_message *msg, size_t i, enum mr_outcome outcome,
    struct mr_str status, struct mr_str host, struct mr_str reply)
{
	struct mr_active *a = msg->active;
	struct mr_event *e = &a->result[i].event;

	*e = (struct mr_event){ .time_s = mr_clock_now_s(),
		.rcpt = i,
		.addr = rcpt_of(a, i)->addr,
		.outcome = outcome,
		.status = mr_arena_dup(&a->arena, status),
		.host = mr_arena_dup(&a->arena, host),
		.reply = mr_arena_dup(&a->arena, reply) };
	a->result[i].is_there = true;
	if (outcome == MR_DELIVERED)
		log_outcome(s, msg, e);
}

void
mr_attempt_result(void *ctx, struct mr_task *task, const struct mr_job_result *r)
{
	set_result(ctx, task->msg, task->rcpt[r->rcpt], r->outcome, r->status, r->host, r->reply);
}

void
mr_attempt_end(void *ctx, struct mr_task *task, const char *why)
{
	struct mr_sched *s = ctx;
	struct mr_message *msg = task->msg;

	for (size_t i = 0; i < task->rcpt_n; i++)
		if (!task->is_answered[i])
			set_result(s, msg, task->rcpt[i], MR_DEFERRED, MR_STR("4.4.1"), MR_STR(""),
			    mr_str(why ? why : "no result"));
	if (--msg->active->task_n == 0) {
		finish(s, msg);
		return;
	}
	/* Others may take long: what is delivered must not be sent again if we die before that. */
	if (collect_events(msg, is_delivered))
		write_events(s, msg, true, mr_clock_now_s());
}

/* ---- the plan --------------------------------------------------------------------------------------- */

/* Recipients of one next hop and reverse-path: those of one transaction. */
struct group {
	struct mr_str nexthop, sender;
	size_t *rcpt, n, cap;
};

struct plan {
	struct group *group;
	size_t n, cap;
};

static struct group *
find_group(struct plan *plan, struct mr_arena *arena, struct mr_str nexthop, struct mr_str sender)
{
	for (size_t i = 0; i < plan->n; i++)
		if (mr_str_eq(plan->group[i].nexthop, nexthop)
		    && mr_str_eq(plan->group[i].sender, sender))
			return &plan->group[i];
	if (!mr_arena_grow(arena, &plan->group, plan->n, &plan->cap, sizeof *plan->group))
		return NULL;
	plan->group[plan->n] = (struct group){ .nexthop = nexthop, .sender = sender };
	return &plan->group[plan->n++];
}

/* "mx:example.org"; of an address literal (RFC 5321 section 4.1.3) the address itself, as a next hop. */
static struct mr_str
mx_of(struct mr_arena *arena, struct mr_str domain)
{
	struct mr_str ip = domain;

	if (!mr_domain_is_literal(domain))
		return mr_arena_fmt(arena, "mx:%.*s", (int)domain.n, domain.p);
	ip = (struct mr_str){ domain.p + 1, domain.n - 2 };
	if (mr_str_casestarts(ip, "IPv6:"))
		return mr_arena_fmt(arena, "[%.*s]", (int)ip.n - 5, ip.p + 5);
	return ip;
}

/* What forwarded mail of this sender leaves under, made once.  One that cannot be rewritten leaves as it is:
 * some hosts will refuse it, but not all. */
static enum mr_status
forward_path(struct mr_sched *s, struct mr_message *msg, struct mr_str sender, struct mr_err *err)
{
	struct mr_active *a = msg->active;
	enum mr_status st;

	if (a->forward_path.p)
		return MR_OK;
	st = mr_srs_forward(&a->forward_path, &s->srs, &a->arena, sender, mr_clock_now_s(), err);
	if (st != MR_PERM)
		return st;
	MR_LOG(s->conf->log, MR_LOG_WARN, "srs", { "id", mr_str(msg->id) }, { "sender", sender },
	    { "why", mr_str(err->text) });
	a->forward_path = sender;
	return MR_OK;
}

/* The reverse-path for recipient `i`. */
static enum mr_status
find_sender(struct mr_sched *s, struct mr_message *msg, size_t i, const struct mr_route *route,
    struct mr_str *sender, struct mr_err *err)
{
	struct mr_active *a = msg->active;
	struct mr_str own = mr_env_get(&a->file.env, "sender");
	bool is_forwarded;
	enum mr_status st;

	*sender = own.p ? own : MR_STR("");
	st = mr_queue_is_forwarded(&is_forwarded, s, *sender, rcpt_of(a, i), route, err);
	if (st || !is_forwarded || (st = forward_path(s, msg, own, err)))
		return st;
	*sender = a->forward_path;
	if (!mr_str_eq(*sender, own))
		a->result[i].reverse_path = *sender;
	return MR_OK;
}

/* Where recipient `i` goes, and under which sender; p NULL: nowhere, and its result says why. */
static struct mr_str
nexthop_of(struct mr_sched *s, struct mr_message *msg, size_t i, struct mr_str *sender)
{
	struct mr_active *a = msg->active;
	struct mr_str addr = rcpt_of(a, i)->addr,
	              domain = mr_str_from(addr, (size_t)(mr_str_rchr(addr, '@') + 1));
	struct mr_str nowhere = { NULL, 0 };
	struct mr_route route;
	struct mr_err err;

	if (mr_route_find(s->routes, domain, &route, &err)
	    || find_sender(s, msg, i, &route, sender, &err)) {
		set_result(s, msg, i, MR_DEFERRED, MR_STR("4.3.0"), MR_STR(""), mr_str(err.text));
		return nowhere;
	}
	if (route.kind == MR_ROUTE_LOCAL) {
		fault(s, msg, "routes", S_NO_DELIVERY);
		set_result(
		    s, msg, i, MR_DEFERRED, MR_STR("4.3.5"), MR_STR(""), MR_STR(S_NO_DELIVERY));
		return nowhere;
	}
	return route.kind == MR_ROUTE_NONE ? mx_of(&a->arena, domain) : route.hosts;
}

static enum mr_status
make_task(struct mr_sched *s, struct mr_message *msg, const struct group *g, size_t from, size_t n)
{
	struct mr_active *a = msg->active;
	struct mr_task *t = mr_arena_alloc(&a->arena, sizeof *t);
	struct mr_str *rcpt = mr_arena_alloc(&a->arena, n * sizeof *rcpt);
	struct mr_job job = { .id = mr_str(msg->id),
		.sender = g->sender,
		.nexthop = g->nexthop,
		.is_8bit = mr_str_is(mr_env_get(&a->file.env, "body"), "8BITMIME"),
		.message_len = a->file.message_len,
		.front_off = a->file.front_off,
		.front_len = a->file.front_len,
		.rcpt = rcpt,
		.rcpt_n = n };
	struct mr_buf packet;
	struct mr_err err;
	enum mr_status st = MR_TEMP;

	mr_buf_init(&packet, MR_JOB_MAX);
	mr_err_set(&err, MR_TEMP, "out of memory");
	if (!t || !rcpt || !(t->is_answered = mr_arena_alloc(&a->arena, n)))
		goto out;
	for (size_t i = 0; i < n; i++)
		rcpt[i] = rcpt_of(a, g->rcpt[from + i])->addr;
	t->msg = msg;
	t->fd = a->fd;
	t->rcpt = g->rcpt + from;
	t->rcpt_n = n;
	if ((st = mr_job_write(&job, &packet, &err)))
		goto out;
	t->packet = mr_arena_dup(&a->arena, mr_buf_str(&packet));
	st = t->packet.p ? mr_pool_add(&s->pool, t, g->nexthop, &err) : MR_TEMP;
	a->task_n += st == MR_OK;
out:
	mr_buf_free(&packet);
	for (size_t i = 0; st && i < n; i++)
		set_result(s, msg, g->rcpt[from + i], MR_DEFERRED, MR_STR("4.3.0"), MR_STR(""),
		    mr_str(err.text));
	return st;
}

static struct plan
make_plan(struct mr_sched *s, struct mr_message *msg)
{
	struct mr_active *a = msg->active;
	struct plan plan = { .n = 0 };

	for (size_t i = 0; i < a->record.rcpt_n; i++) {
		struct mr_str nexthop, sender;
		struct group *g;

		if (a->record.rcpt[i].is_done || !(nexthop = nexthop_of(s, msg, i, &sender)).p)
			continue;
		g = find_group(&plan, &a->arena, nexthop, sender);
		if (!g || !mr_arena_grow(&a->arena, &g->rcpt, g->n, &g->cap, sizeof *g->rcpt))
			set_result(s, msg, i, MR_DEFERRED, MR_STR("4.3.0"), MR_STR(""),
			    MR_STR("out of memory"));
		else
			g->rcpt[g->n++] = i;
	}
	return plan;
}

/* True if the message stays outside: all its next hops have a crowd before them. */
static bool
stay_outside(struct mr_sched *s, struct mr_message *msg, const struct plan *plan)
{
	for (size_t k = 0; k < plan->n; k++)
		if (!mr_pool_is_crowded(&s->pool, plan->group[k].nexthop))
			return false;
	for (size_t i = 0; i < msg->active->record.rcpt_n; i++)
		if (msg->active->result[i].is_there) /* that is to be written first */
			return false;
	return plan->n
	    && mr_pool_stay_outside(&s->pool, &msg->outsider, plan->group[0].nexthop, NULL)
	    == MR_OK;
}

void
mr_attempt_drop(void *ctx, struct mr_message *msg)
{
	if (msg->active)
		close_active(ctx, msg);
}

void
mr_attempt_room(void *ctx, struct mr_outsider *outsider)
{
	struct mr_sched *s = ctx;

	mr_messages_wait(&s->messages, outsider->msg, 0);
}

static void
make_tasks(struct mr_sched *s, struct mr_message *msg, const struct plan *plan)
{
	for (size_t k = 0; k < plan->n; k++)
		for (size_t from = 0; from < plan->group[k].n; from += MR_JOB_RCPT_MAX) {
			size_t left = plan->group[k].n - from;

			make_task(s, msg, &plan->group[k], from,
			    left < MR_JOB_RCPT_MAX ? left : MR_JOB_RCPT_MAX);
		}
}

/* ---- the beginning ----------------------------------------------------------------------------------- */

/* A file that cannot be read as a message is put aside for a person to look at. */
static void
put_aside(struct mr_sched *s, struct mr_message *msg, const struct mr_err *why)
{
	char name[sizeof "damaged/" + MR_ID_MAX];

	snprintf(name, sizeof name, "damaged/%s", msg->id);
	if ((mkdirat(s->spool.dir_fd, "damaged", 0770) < 0 && errno != EEXIST)
	    || renameat(msg->is_deferred ? s->spool.deferred_fd : s->spool.incoming_fd, msg->id,
	           s->spool.dir_fd, name)
	        < 0) {
		fault(s, msg, "damaged, and cannot be moved to damaged/", why->text);
		mr_messages_wait(&s->messages, msg, mr_clock_now_s() + MR_QUEUE_FAULT_WAIT_S);
		return;
	}
	fault(s, msg, "damaged, moved to damaged/", why->text);
	mr_messages_remove(&s->messages, msg);
}

static enum mr_status
open_message(struct mr_sched *s, struct mr_message *msg, struct mr_err *err)
{
	struct mr_active *a = msg->active;
	enum mr_status st;

	st = mr_spool_open_file(
	    msg->is_deferred ? s->spool.deferred_fd : s->spool.incoming_fd, msg->id, &a->fd, err);
	if (st == MR_OK)
		st = mr_spool_read(a->fd, &a->file, &a->arena, err);
	if (st == MR_OK && a->file.env.rcpt_n == 0)
		st = mr_err_set(err, MR_PERM, "no recipients");
	if (st == MR_OK)
		st = mr_record_init(&a->record, &a->arena, a->file.env.rcpt_n, err);
	if (st == MR_OK && msg->may_have_events
	    && (st = mr_record_read(&a->record, &s->spool, msg->id, err)) == MR_NOTFOUND)
		st = MR_OK;
	if (st == MR_OK
	    && !(a->result = mr_arena_alloc(&a->arena, a->file.env.rcpt_n * sizeof *a->result)))
		st = mr_err_set(err, MR_TEMP, "out of memory");
	return st;
}

void
mr_attempt_begin(struct mr_sched *s, struct mr_message *msg)
{
	struct mr_err err;
	enum mr_status st;

	if (msg->is_deleted) {
		forget(s, msg);
		return;
	}
	if ((msg->unwritten.n && write_events(s, msg, true, mr_clock_now_s()))
	    || !(msg->active = calloc(1, sizeof *msg->active))) {
		mr_messages_wait(&s->messages, msg, mr_clock_now_s() + MR_QUEUE_FAULT_WAIT_S);
		return;
	}
	s->active_n++;
	msg->active->fd = -1;
	mr_arena_init(&msg->active->arena, ATTEMPT_MEMORY_MAX);
	st = open_message(s, msg, &err);
	if (st == MR_OK) {
		struct plan plan = make_plan(s, msg);

		if (stay_outside(s, msg, &plan)) {
			close_active(s, msg);
			return;
		}
		make_tasks(s, msg, &plan);
		if (msg->active->task_n == 0)
			finish(s, msg);
		return;
	}
	close_active(s, msg);
	if (st == MR_NOTFOUND) /* somebody else removed it */
		mr_messages_remove(&s->messages, msg);
	else if (st == MR_PERM)
		put_aside(s, msg, &err);
	else {
		fault(s, msg, "cannot be read now", err.text);
		mr_messages_wait(&s->messages, msg, mr_clock_now_s() + MR_QUEUE_FAULT_WAIT_S);
	}
}
