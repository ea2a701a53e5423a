#include "queue/messages.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 16384u
/* Bytes of events that wait for room on disk, for one message: some tries of MR_ENV_RCPT_MAX recipients. */
#define UNWRITTEN_MAX (64u << 20)

enum mr_status
mr_messages_init(struct mr_messages *m, struct mr_err *err)
{
	*m = (struct mr_messages){ .bucket = calloc(BUCKETS, sizeof *m->bucket) };
	return m->bucket ? MR_OK : mr_err_set(err, MR_TEMP, "out of memory");
}

static struct mr_message **
bucket(const struct mr_messages *m, struct mr_str id)
{
	return &m->bucket[mr_str_hash(id) % BUCKETS];
}

void
mr_messages_free(struct mr_messages *m)
{
	for (size_t i = 0; m->bucket && i < BUCKETS; i++)
		while (m->bucket[i]) {
			struct mr_message *next = m->bucket[i]->next;

			mr_buf_free(&m->bucket[i]->unwritten);
			free(m->bucket[i]);
			m->bucket[i] = next;
		}
	free(m->bucket);
	free(m->heap);
}

struct mr_message *
mr_messages_find(const struct mr_messages *m, struct mr_str id)
{
	struct mr_message *msg = *bucket(m, id);

	while (msg && !mr_str_is(id, msg->id))
		msg = msg->next;
	return msg;
}

void
mr_messages_each(struct mr_messages *m, void (*fn)(void *ctx, struct mr_message *msg), void *ctx)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct mr_message *msg = m->bucket[i], *next; msg; msg = next) {
			next = msg->next;
			fn(ctx, msg);
		}
}

/* ---- the heap -------------------------------------------------------------------------------------- */

/* Ids sort by time: among those that are due at once the oldest comes first. */
static bool
is_before(const struct mr_message *a, const struct mr_message *b)
{
	return a->due_s != b->due_s ? a->due_s < b->due_s : strcmp(a->id, b->id) < 0;
}

static void
place(struct mr_messages *m, size_t at, struct mr_message *msg)
{
	m->heap[at] = msg;
	msg->at = at;
}

static void
sift(struct mr_messages *m, size_t at)
{
	struct mr_message *msg = m->heap[at];

	while (at > 0 && is_before(msg, m->heap[(at - 1) / 2])) {
		place(m, at, m->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < m->heap_n && is_before(m->heap[child + 1], m->heap[child]))
			child++;
		if (child >= m->heap_n || !is_before(m->heap[child], msg))
			break;
		place(m, at, m->heap[child]);
		at = child;
	}
	place(m, at, msg);
}

static void
unheap(struct mr_messages *m, struct mr_message *msg)
{
	size_t at = msg->at;
	struct mr_message *last = m->heap[--m->heap_n];

	msg->at = MR_NOT_WAITING;
	if (last == msg)
		return;
	place(m, at, last);
	sift(m, at);
}

void
mr_messages_wait(struct mr_messages *m, struct mr_message *msg, int64_t due_s)
{
	msg->due_s = due_s;
	if (msg->at == MR_NOT_WAITING)
		place(m, m->heap_n++, msg); /* room was made when it was added */
	sift(m, msg->at);
}

struct mr_message *
mr_messages_add(struct mr_messages *m, struct mr_str id, int64_t due_s)
{
	struct mr_message *msg, **at = bucket(m, id);

	if (m->n == m->heap_cap) {
		size_t cap = m->heap_cap ? m->heap_cap * 2 : 1024;
		struct mr_message **heap = realloc(m->heap, cap * sizeof *heap);

		if (!heap)
			return NULL;
		m->heap = heap;
		m->heap_cap = cap;
	}
	if (id.n >= MR_ID_MAX || !(msg = calloc(1, sizeof *msg)))
		return NULL;
	memcpy(msg->id, id.p, id.n);
	mr_buf_init(&msg->unwritten, UNWRITTEN_MAX);
	msg->at = MR_NOT_WAITING;
	msg->outsider.msg = msg;
	msg->next = *at;
	*at = msg;
	m->n++;
	mr_messages_wait(m, msg, due_s);
	return msg;
}

struct mr_message *
mr_messages_take_due(struct mr_messages *m, int64_t now_s)
{
	struct mr_message *msg = m->heap_n ? m->heap[0] : NULL;

	if (!msg || msg->due_s > now_s)
		return NULL;
	unheap(m, msg);
	return msg;
}

void
mr_messages_remove(struct mr_messages *m, struct mr_message *msg)
{
	struct mr_message **link = bucket(m, mr_str(msg->id));

	if (msg->at != MR_NOT_WAITING)
		unheap(m, msg);
	mr_pool_leave(&msg->outsider);
	while (*link != msg)
		link = &(*link)->next;
	*link = msg->next;
	m->n--;
	mr_buf_free(&msg->unwritten);
	free(msg);
}
