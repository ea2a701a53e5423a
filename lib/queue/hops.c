/* The next hops: who waits for them, how many jobs they have, and whether they are down. */
#include "queue/parts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define TABLE_FIRST  256u
#define DOWN_MAX_S   3600 /* the longest that a hop waits which cannot be reached */
#define FORGET_S     60   /* until a hop that nobody needs is forgotten */
#define FORGET_BAD_S 7200 /* the same for one that was down */

enum mr_status
mr_hops_init(struct mr_sched *s, struct mr_err *err)
{
	s->by_name_n = TABLE_FIRST;
	s->by_name = calloc(s->by_name_n, sizeof(struct mr_hop *));
	if (getrandom(&s->seed, sizeof s->seed, GRND_NONBLOCK) < 0)
		s->seed = (uint64_t)s->now_ms;
	TAILQ_INIT(&s->ring);
	return s->by_name ? MR_OK : mr_err_set(err, MR_TEMP, "out of memory");
}

void
mr_hops_free(struct mr_sched *s)
{
	for (size_t i = 0; i < s->by_name_n; i++)
		while (s->by_name[i]) {
			struct mr_hop *hop = s->by_name[i];

			s->by_name[i] = hop->same_hash;
			free(hop);
		}
	free(s->by_name);
}

static size_t
slot_of(const struct mr_sched *s, struct mr_str name)
{
	uint64_t h = s->seed;

	for (size_t i = 0; i < name.n; i++)
		h = (h ^ (unsigned char)name.p[i]) * 1099511628211u;
	return (size_t)((h ^ h >> 32) & (s->by_name_n - 1));
}

static struct mr_str
name_of(const struct mr_hop *hop)
{
	return (struct mr_str){ hop->name, hop->name_len };
}

static bool
grow(struct mr_sched *s)
{
	struct mr_hop **old = s->by_name, **table;
	size_t n = s->by_name_n;

	if (s->hop_n < n)
		return true;
	if (!(table = calloc(n * 2, sizeof *table)))
		return false;
	s->by_name = table;
	s->by_name_n = n * 2;
	for (size_t i = 0; i < n; i++)
		while (old[i]) {
			struct mr_hop *hop = old[i];
			size_t slot = slot_of(s, name_of(hop));

			old[i] = hop->same_hash;
			hop->same_hash = table[slot];
			table[slot] = hop;
		}
	free(old);
	return true;
}

struct mr_hop *
mr_hop_get(struct mr_sched *s, struct mr_str name)
{
	struct mr_hop *hop;
	size_t slot;

	for (hop = s->by_name[slot_of(s, name)]; hop; hop = hop->same_hash)
		if (mr_str_eq(name, name_of(hop)))
			return hop;
	if (!grow(s) || !(hop = calloc(1, sizeof *hop + name.n)))
		return NULL;
	memcpy(hop->name, name.p, name.n);
	hop->name_len = name.n;
	hop->used_s = s->now_s;
	TAILQ_INIT(&hop->queue);
	slot = slot_of(s, name);
	hop->same_hash = s->by_name[slot];
	s->by_name[slot] = hop;
	s->hop_n++;
	return hop;
}

/* Is in the ring exactly if it could take a job now.  A hop that was down gets one at a time until
 * it is known to be up. */
static void
update(struct mr_sched *s, struct mr_hop *hop)
{
	size_t max = hop->fails ? 1 : s->conf->per_hop_max;
	bool can =
	    !TAILQ_EMPTY(&hop->queue) && hop->running_n < max && hop->down_until_s <= s->now_s;

	if (can && !hop->in_ring)
		TAILQ_INSERT_TAIL(&s->ring, hop, ring_link);
	else if (!can && hop->in_ring)
		TAILQ_REMOVE(&s->ring, hop, ring_link);
	hop->in_ring = can;
	hop->used_s = s->now_s;
}

bool
mr_hop_add(struct mr_sched *s, struct mr_hop *hop, struct mr_msg *m, size_t rcpt)
{
	struct mr_piece *piece = hop->open;

	if (!piece || piece->msg != m || piece->n >= MR_JOB_RCPT_MAX) {
		if (!(piece = calloc(1, sizeof *piece)))
			return false;
		piece->msg = m;
		piece->hop = hop;
	}
	if (piece->n == piece->cap) {
		size_t cap = piece->cap ? piece->cap * 4 : 1;
		uint32_t *grown = realloc(piece->rcpt, cap * sizeof *grown);

		if (!grown) {
			if (piece != hop->open)
				free(piece);
			return false;
		}
		piece->rcpt = grown;
		piece->cap = cap;
	}
	piece->rcpt[piece->n++] = (uint32_t)rcpt;
	if (piece != hop->open) {
		hop->open = piece;
		TAILQ_INSERT_TAIL(&hop->queue, piece, hop_link);
		LIST_INSERT_HEAD(&m->queued, piece, msg_link);
		update(s, hop);
	}
	return true;
}

void
mr_hop_take(struct mr_sched *s, struct mr_piece *piece)
{
	struct mr_hop *hop = piece->hop;

	if (hop->open == piece)
		hop->open = NULL;
	TAILQ_REMOVE(&hop->queue, piece, hop_link);
	LIST_REMOVE(piece, msg_link);
	update(s, hop);
}

void
mr_hop_put_back(struct mr_sched *s, struct mr_piece *piece)
{
	TAILQ_INSERT_HEAD(&piece->hop->queue, piece, hop_link);
	LIST_INSERT_HEAD(&piece->msg->queued, piece, msg_link);
	update(s, piece->hop);
}

void
mr_piece_free(struct mr_piece *piece)
{
	free(piece->rcpt);
	free(piece);
}

void
mr_hops_unqueue(struct mr_sched *s, struct mr_msg *m)
{
	struct mr_piece *piece;

	while ((piece = LIST_FIRST(&m->queued))) {
		mr_hop_take(s, piece);
		mr_piece_free(piece);
	}
}

void
mr_hop_running(struct mr_sched *s, struct mr_hop *hop)
{
	hop->running_n++;
	update(s, hop);
	if (hop->in_ring) { /* the next turn is another's */
		TAILQ_REMOVE(&s->ring, hop, ring_link);
		TAILQ_INSERT_TAIL(&s->ring, hop, ring_link);
	}
}

void
mr_hop_done(struct mr_sched *s, struct mr_hop *hop, bool is_down, bool is_up)
{
	hop->running_n--;
	if (is_down && hop->down_until_s <= s->now_s) {
		int64_t wait_s = s->conf->wait_first_s;

		for (unsigned i = 0; i < hop->fails && wait_s < DOWN_MAX_S; i++)
			wait_s *= 2;
		if (wait_s > DOWN_MAX_S)
			wait_s = DOWN_MAX_S;
		hop->fails++;
		hop->down_until_s = s->now_s + wait_s;
		MR_LOG(s->log, MR_LOG_WARN, "down", { "nexthop", name_of(hop) },
		    { "fails", MR_NUM(hop->fails) }, { "wait_s", MR_NUM(wait_s) });
	} else if (is_up && hop->fails) {
		hop->fails = 0;
		hop->down_until_s = 0;
		MR_LOG(s->log, MR_LOG_INFO, "up", { "nexthop", name_of(hop) });
	}
	update(s, hop);
}

void
mr_hops_retry(struct mr_sched *s, struct mr_hop *hop)
{
	if (hop) {
		hop->down_until_s = 0;
		update(s, hop);
		return;
	}
	for (size_t i = 0; i < s->by_name_n; i++)
		for (hop = s->by_name[i]; hop; hop = hop->same_hash) {
			hop->down_until_s = 0;
			update(s, hop);
		}
}

static bool
is_needless(const struct mr_sched *s, const struct mr_hop *hop)
{
	return TAILQ_EMPTY(&hop->queue) && hop->running_n == 0
	    && s->now_s - hop->used_s > (hop->fails ? FORGET_BAD_S : FORGET_S);
}

void
mr_hops_tick(struct mr_sched *s)
{
	for (size_t i = 0; i < s->by_name_n; i++)
		for (struct mr_hop **at = &s->by_name[i], *hop; (hop = *at);) {
			if (!is_needless(s, hop)) {
				if (!hop->in_ring && !TAILQ_EMPTY(&hop->queue))
					update(s, hop);
				at = &hop->same_hash;
				continue;
			}
			for (size_t k = 0; k < s->worker_n; k++)
				if (s->worker[k].last_hop == hop)
					s->worker[k].last_hop = NULL;
			*at = hop->same_hash;
			s->hop_n--;
			free(hop);
		}
}
