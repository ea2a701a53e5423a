/* A round of a message: from due to gone, or to due again. */
#include "queue/dsn.h"
#include "queue/parts.h"

#include "mail/addr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* How long delivered results of a message that has other recipients may wait for those, so that they
 * are written together. */
#define FLUSH_MS 20

#define NO_ROUTE "4.3.5 domain is local but has no delivery route"

static void
log_event(const struct mr_sched *s, const struct mr_msg *m, const struct mr_event *e,
    const char *name, enum mr_log_level level)
{
	MR_LOG(s->log, level, name, { "id", mr_str(m->id) },
	    { "sender", mr_env_get(&m->loaded->file.env, "sender") }, { "rcpt", e->addr },
	    { "host", e->host.n ? e->host : (struct mr_str){ NULL, 0 } }, { "status", e->status },
	    { "reply", e->reply }, { "delay_s", MR_NUM(s->now_s - m->arrived_s) });
}

static void
set_done(struct mr_loaded *l, size_t rcpt)
{
	if (!l->record.rcpt[rcpt].is_done)
		l->record.undone_n--;
	l->record.rcpt[rcpt].is_done = true;
}

static bool
dup_str(struct mr_arena *arena, struct mr_str *v)
{
	*v = mr_arena_dup(arena, *v);
	return v->p != NULL;
}

/* A failure waits for the others of its message, and for the bounce.  If there is no memory to keep
 * it, the recipient is tried again. */
static void
keep_failed(struct mr_loaded *l, const struct mr_event *event)
{
	struct mr_event e = *event;

	if (dup_str(&l->arena, &e.status) && dup_str(&l->arena, &e.host)
	    && dup_str(&l->arena, &e.reply)
	    && mr_arena_grow(&l->arena, &l->failed, l->failed_n, &l->failed_cap, sizeof *l->failed))
		l->failed[l->failed_n++] = e;
}

/* What expiry will report, should it come to that. */
static void
keep_deferred(struct mr_loaded *l, const struct mr_event *event)
{
	struct mr_rcpt_state *state = &l->record.rcpt[event->rcpt];
	struct mr_event e = *event;

	if (dup_str(&l->arena, &e.status) && dup_str(&l->arena, &e.host)
	    && dup_str(&l->arena, &e.reply)) {
		state->last = e;
		state->tries++;
	}
}

void
mr_round_result(struct mr_sched *s, struct mr_msg *m, const struct mr_event *event)
{
	struct mr_loaded *l = m->loaded;
	struct mr_event e = *event;

	e.addr = l->file.env.rcpt[e.rcpt].addr;
	log_event(s, m, &e, mr_outcome_word(e.outcome),
	    mr_str_is(e.reply, NO_ROUTE) ? MR_LOG_FAULT : MR_LOG_INFO);
	if (e.outcome == MR_FAILED) {
		keep_failed(l, &e);
		return;
	}
	if (e.outcome == MR_DELIVERED)
		set_done(l, e.rcpt);
	if (l->record.undone_n == 0) {
		mr_msg_remove(s, m);
		return;
	}
	mr_event_write(&e, &m->lines);
	if (e.outcome == MR_DEFERRED)
		keep_deferred(l, &e);
	else {
		m->must_sync = true;
		if (m->flush_ms == 0) {
			m->flush_ms = s->now_ms + FLUSH_MS;
			TAILQ_INSERT_TAIL(&s->flush, m, flush_link);
		}
	}
}

/* ---- sorting the recipients ---- */

/* "mx:example.org", or the address of a literal as a next hop. */
static struct mr_str
mx_of(struct mr_arena *arena, const struct mr_addr *a)
{
	struct mr_str in = a->domain;

	if (!a->is_literal)
		return mr_arena_fmt(arena, "mx:%.*s", (int)in.n, in.p);
	in = (struct mr_str){ in.p + 1, in.n - 2 };
	if (mr_str_casestarts(in, "IPv6:"))
		return mr_arena_fmt(arena, "[%.*s]", (int)in.n - 5, in.p + 5);
	return in;
}

static void
refuse(struct mr_sched *s, struct mr_msg *m, size_t rcpt, enum mr_outcome outcome,
    const char *status, const char *why)
{
	mr_round_result(s, m,
	    &(struct mr_event){ .time_s = s->now_s,
	        .rcpt = rcpt,
	        .outcome = outcome,
	        .status = mr_str(status),
	        .host = MR_STR(""),
	        .reply = mr_str(why) });
}

static void
sort_rcpt(struct mr_sched *s, struct mr_msg *m, size_t i, struct mr_arena *scratch)
{
	struct mr_str addr = m->loaded->file.env.rcpt[i].addr, name;
	struct mr_route route = { .kind = MR_ROUTE_NONE };
	struct mr_hop *hop;
	struct mr_addr a;
	struct mr_err err;
	enum mr_status st = mr_addr_parse(&a, scratch, addr, &err);

	if (st == MR_PERM || (st == MR_OK && a.domain.n == 0)) {
		refuse(s, m, i, MR_FAILED, "5.1.3", "5.1.3 not a mail address with a domain");
		return;
	}
	if (st || (st = mr_route_find(s->routes, a.domain, &route, &err))) {
		refuse(s, m, i, MR_DEFERRED, "4.3.0", err.text);
		return;
	}
	if (route.kind == MR_ROUTE_LOCAL) {
		refuse(s, m, i, MR_DEFERRED, "4.3.5", NO_ROUTE);
		return;
	}
	name = route.kind == MR_ROUTE_NONE ? mx_of(scratch, &a) : route.hosts;
	if (!name.p || !(hop = mr_hop_get(s, name)) || !mr_hop_add(s, hop, m, i))
		refuse(s, m, i, MR_DEFERRED, "4.3.0", "4.3.0 out of memory");
}

static int64_t
expires_s(const struct mr_sched *s, const struct mr_msg *m)
{
	return m->arrived_s + s->conf->lifetime_s;
}

void
mr_round_start(struct mr_sched *s, struct mr_msg *m)
{
	struct mr_arena scratch;
	struct mr_loaded *l;
	size_t undone;

	if (m->is_over) {
		mr_msg_remove(s, m);
		return;
	}
	if (m->running_n) { /* its time is over, but a worker may still deliver it */
		mr_msg_at(s, m, s->now_s + 1);
		return;
	}
	if (mr_msg_load(s, m) != MR_OK)
		return;
	l = m->loaded;
	if (!LIST_EMPTY(&m->queued)) { /* it waited for a next hop until its time was over */
		mr_hops_unqueue(s, m);
		mr_round_settle(s, m);
		return;
	}
	undone = l->record.undone_n;
	mr_arena_init(&scratch, MR_SPOOL_ARENA_MAX);
	for (size_t i = 0; i < l->record.rcpt_n; i++)
		if (!l->record.rcpt[i].is_done) {
			sort_rcpt(s, m, i, &scratch);
			if (i % MR_JOB_RCPT_MAX == MR_JOB_RCPT_MAX - 1)
				mr_arena_free(&scratch);
		}
	mr_arena_free(&scratch);
	mr_msg_at(s, m, expires_s(s, m) > s->now_s ? expires_s(s, m) : s->now_s + 1);
	if (undone == 0)
		mr_msg_remove(s, m);
	else if (l->failed_n || m->lines.n || LIST_EMPTY(&m->queued))
		mr_round_settle(s, m);
}

/* ---- the end of a round ---- */

/* The lifetime is over: what is undone has failed. */
static void
expire(struct mr_sched *s, struct mr_msg *m)
{
	struct mr_loaded *l = m->loaded;

	l->is_expired = true;
	for (size_t i = 0; i < l->record.rcpt_n; i++) {
		struct mr_rcpt_state *state = &l->record.rcpt[i];
		struct mr_event e = {
			.time_s = s->now_s, .status = MR_STR("4.4.7"), .host = MR_STR("")
		};
		bool is_failed = state->is_done;

		for (size_t k = 0; k < l->failed_n && !is_failed; k++)
			is_failed = l->failed[k].rcpt == i;
		if (is_failed)
			continue;
		if (state->tries && state->last.reply.n)
			e = state->last;
		e.rcpt = i;
		e.addr = l->file.env.rcpt[i].addr;
		e.outcome = MR_FAILED;
		e.status = MR_STR("4.4.7");
		if (!e.reply.n)
			e.reply = MR_STR("4.4.7 could not be delivered in time");
		log_event(s, m, &e, "expired", MR_LOG_INFO);
		keep_failed(l, &e);
	}
}

/* Failures: first the bounce is safe, then they are done. */
static void
bounce(struct mr_sched *s, struct mr_msg *m)
{
	struct mr_loaded *l = m->loaded;
	const struct mr_dsn dsn = { .host = s->conf->host,
		.now_s = s->now_s,
		.arrived_s = m->arrived_s,
		.fd = l->fd,
		.file = &l->file,
		.failed = l->failed,
		.failed_n = l->failed_n,
		.is_expired = l->is_expired };
	struct mr_str sender = mr_env_get(&l->file.env, "sender");
	char id[MR_ID_MAX];
	struct mr_err err;
	enum mr_status st = mr_dsn_commit(s->spool, &dsn, id, &err);

	if (st == MR_OK)
		MR_LOG(s->log, MR_LOG_INFO, "bounced", { "id", mr_str(m->id) },
		    { "sender", sender }, { "bounce", mr_str(id) },
		    { "failed", MR_NUM(l->failed_n) });
	else if (st == MR_NOTFOUND)
		MR_LOG(s->log, sender.n ? MR_LOG_INFO : MR_LOG_WARN,
		    sender.n ? "unreported" : "double-bounce", { "id", mr_str(m->id) },
		    { "sender", sender }, { "rcpt", l->failed[0].addr },
		    { "reply", l->failed[0].reply }, { "failed", MR_NUM(l->failed_n) });
	else
		MR_LOG(s->log, MR_LOG_FAULT, "bounce", { "id", mr_str(m->id) },
		    { "why", mr_str(err.text) });
	for (size_t i = 0; i < l->failed_n; i++) {
		if (st == MR_OK || st == MR_NOTFOUND) {
			set_done(l, l->failed[i].rcpt);
			m->must_sync = true;
		} else
			l->failed[i].outcome = MR_DEFERRED;
		mr_event_write(&l->failed[i], &m->lines);
	}
	l->failed_n = 0;
	l->is_expired = false;
}

static void
move_to_deferred(struct mr_sched *s, struct mr_msg *m)
{
	struct mr_err err;

	if (m->is_deferred)
		return;
	if (renameat(s->spool->incoming_fd, m->id, s->spool->deferred_fd, m->id) == 0) {
		m->is_deferred = true;
		return;
	}
	mr_err_sys(&err, MR_TEMP, "cannot move it to deferred/");
	MR_LOG(s->log, MR_LOG_FAULT, "spool", { "id", mr_str(m->id) }, { "why", mr_str(err.text) });
}

/* A message waits as long as it is old, within bounds: 5, 5, 10, 20, ... minutes. */
static int64_t
next_s(const struct mr_sched *s, const struct mr_msg *m)
{
	int64_t wait_s = s->now_s - m->arrived_s, end_s = expires_s(s, m);

	if (wait_s < s->conf->wait_first_s)
		wait_s = s->conf->wait_first_s;
	if (wait_s > s->conf->wait_max_s)
		wait_s = s->conf->wait_max_s;
	if (end_s <= s->now_s) /* given up, but the bounce could not be written */
		return s->now_s + s->conf->wait_first_s;
	return s->now_s + wait_s < end_s ? s->now_s + wait_s : end_s;
}

void
mr_round_settle(struct mr_sched *s, struct mr_msg *m)
{
	struct mr_loaded *l = m->loaded;
	bool is_end = LIST_EMPTY(&m->queued);

	if (is_end && s->now_s >= expires_s(s, m))
		expire(s, m);
	if (l->failed_n) {
		/* A bounce takes time: what was delivered must be safe before. */
		if (m->must_sync)
			mr_msg_write_lines(s, m, s->now_s);
		bounce(s, m);
	}
	if (l->record.undone_n == 0) {
		mr_msg_remove(s, m);
		return;
	}
	mr_msg_write_lines(s, m, is_end ? next_s(s, m) : s->now_s);
	if (is_end) {
		move_to_deferred(s, m);
		mr_msg_at(s, m, next_s(s, m));
		mr_msg_unload(s, m);
	}
}

void
mr_rounds_restart(struct mr_sched *s)
{
	for (size_t i = 0; i < s->msg_n; i++) {
		struct mr_msg *m = s->heap[i];

		if (LIST_EMPTY(&m->queued))
			continue;
		mr_hops_unqueue(s, m);
		/* It can only move up, among those that were looked at. */
		if (m->running_n == 0 && m->at_s > s->now_s)
			mr_msg_at(s, m, s->now_s);
	}
}
