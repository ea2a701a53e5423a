/* The messages that the scheduler knows: by id in a hash table, by time in a heap. */
#include "queue/parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOADED_MAX   200u       /* messages whose file is kept open */
#define FAULT_WAIT_S 60         /* until a message is looked at again after a fault of ours */
#define LINES_MAX    (1u << 30) /* bytes of events that could not be written yet */
#define TABLE_FIRST  1024u

enum mr_status
mr_msgs_init(struct mr_sched *s, struct mr_err *err)
{
	s->by_id_n = s->heap_cap = TABLE_FIRST;
	s->by_id = calloc(s->by_id_n, sizeof(struct mr_msg *));
	s->heap = calloc(s->heap_cap, sizeof(struct mr_msg *));
	TAILQ_INIT(&s->flush);
	TAILQ_INIT(&s->loaded);
	return s->by_id && s->heap ? MR_OK : mr_err_set(err, MR_TEMP, "out of memory");
}

void
mr_msgs_free(struct mr_sched *s)
{
	while (s->msg_n) {
		mr_hops_unqueue(s, s->heap[0]);
		mr_msg_forget(s, s->heap[0]);
	}
	free(s->by_id);
	free(s->heap);
}

/* ---- heap ---- */

static void
heap_set(struct mr_sched *s, size_t i, struct mr_msg *m)
{
	s->heap[i] = m;
	m->heap_i = i;
}

static void
heap_up(struct mr_sched *s, size_t i)
{
	struct mr_msg *m = s->heap[i];

	while (i > 0 && s->heap[(i - 1) / 2]->at_s > m->at_s) {
		heap_set(s, i, s->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_set(s, i, m);
}

static void
heap_down(struct mr_sched *s, size_t i)
{
	struct mr_msg *m = s->heap[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < s->msg_n && s->heap[child + 1]->at_s < s->heap[child]->at_s)
			child++;
		if (child >= s->msg_n || s->heap[child]->at_s >= m->at_s)
			break;
		heap_set(s, i, s->heap[child]);
		i = child;
	}
	heap_set(s, i, m);
}

void
mr_msg_at(struct mr_sched *s, struct mr_msg *m, int64_t at_s)
{
	m->at_s = at_s;
	heap_up(s, m->heap_i);
	heap_down(s, m->heap_i);
}

/* ---- table ---- */

/* Ids end in random digits, so their hash is spread well enough (FNV-1a). */
static size_t
slot_of(const struct mr_sched *s, struct mr_str id)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < id.n; i++)
		h = (h ^ (unsigned char)id.p[i]) * 1099511628211u;
	return (size_t)(h & (s->by_id_n - 1));
}

struct mr_msg *
mr_msg_find(const struct mr_sched *s, struct mr_str id)
{
	struct mr_msg *m = s->by_id[slot_of(s, id)];

	while (m && !mr_str_is(id, m->id))
		m = m->same_hash;
	return m;
}

/* Both arrays have room for `msg_n` messages. */
static bool
grow(struct mr_sched *s)
{
	struct mr_msg **table, **heap;
	size_t n = s->by_id_n * 2;

	if (s->msg_n < s->heap_cap)
		return true;
	if (!(heap = realloc(s->heap, n * sizeof *heap)))
		return false;
	s->heap = heap;
	if (!(table = calloc(n, sizeof *table)))
		return false;
	free(s->by_id);
	s->by_id = table;
	s->by_id_n = s->heap_cap = n;
	for (size_t i = 0; i < s->msg_n; i++) {
		size_t slot = slot_of(s, mr_str(heap[i]->id));

		heap[i]->same_hash = table[slot];
		table[slot] = heap[i];
	}
	return true;
}

struct mr_msg *
mr_msg_add(struct mr_sched *s, struct mr_str id, bool is_deferred, int64_t at_s)
{
	struct mr_msg *m;
	size_t slot;

	if (!grow(s) || !(m = calloc(1, sizeof *m)))
		return NULL;
	memcpy(m->id, id.p, id.n);
	m->is_deferred = is_deferred;
	m->arrived_s = mr_spool_id_time_s(id);
	if (m->arrived_s > s->now_s)
		m->arrived_s = s->now_s; /* the clock was set back */
	m->at_s = at_s;
	LIST_INIT(&m->queued);
	mr_buf_init(&m->lines, LINES_MAX);
	slot = slot_of(s, id);
	m->same_hash = s->by_id[slot];
	s->by_id[slot] = m;
	s->heap[s->msg_n++] = m;
	heap_up(s, s->msg_n - 1);
	return m;
}

void
mr_msg_forget(struct mr_sched *s, struct mr_msg *m)
{
	struct mr_msg **at = &s->by_id[slot_of(s, mr_str(m->id))], *last = s->heap[--s->msg_n];

	while (*at != m)
		at = &(*at)->same_hash;
	*at = m->same_hash;
	if (last != m) {
		heap_set(s, m->heap_i, last);
		mr_msg_at(s, last, last->at_s);
	}
	if (m->flush_ms)
		TAILQ_REMOVE(&s->flush, m, flush_link);
	mr_msg_unload(s, m);
	mr_buf_free(&m->lines);
	free(m);
}

/* ---- files ---- */

static int
folder_fd(const struct mr_sched *s, const struct mr_msg *m)
{
	return m->is_deferred ? s->spool->deferred_fd : s->spool->incoming_fd;
}

void
mr_msg_remove(struct mr_sched *s, struct mr_msg *m)
{
	struct mr_err err;

	m->is_over = true;
	/* The message first: events without a message are removed at the next start. */
	if (!m->is_gone && unlinkat(folder_fd(s, m), m->id, 0) < 0 && errno != ENOENT) {
		mr_err_sys(&err, MR_TEMP, "cannot be removed");
		MR_LOG(s->log, MR_LOG_FAULT, "spool", { "id", mr_str(m->id) },
		    { "why", mr_str(err.text) });
		mr_hops_unqueue(s, m);
		mr_msg_at(s, m, s->now_s + FAULT_WAIT_S);
		return;
	}
	m->is_gone = true;
	if (m->has_log && mr_record_remove(s->spool, m->id, &err))
		MR_LOG(s->log, MR_LOG_FAULT, "spool", { "id", mr_str(m->id) },
		    { "why", mr_str(err.text) });
	m->has_log = false;
	mr_hops_unqueue(s, m);
	if (m->running_n == 0)
		mr_msg_forget(s, m);
}

/* Out of the way, for a person to look at. */
static void
set_damaged(struct mr_sched *s, struct mr_msg *m, const char *why)
{
	char from[MR_ID_MAX + 16], to[MR_ID_MAX + 16];
	int dir = s->spool->dir_fd;
	bool is_moved;

	snprintf(from, sizeof from, "%s/%s", m->is_deferred ? "deferred" : "incoming", m->id);
	snprintf(to, sizeof to, "damaged/%s", m->id);
	mkdirat(dir, "damaged", 0750);
	is_moved = renameat(dir, from, dir, to) == 0;
	MR_LOG(s->log, MR_LOG_FAULT, "damaged", { "id", mr_str(m->id) }, { "why", mr_str(why) },
	    { "moved", is_moved ? MR_STR("damaged/") : MR_STR("cannot be moved") });
	if (is_moved && m->has_log) {
		snprintf(from, sizeof from, "deferred/%s.log", m->id);
		snprintf(to, sizeof to, "damaged/%s.log", m->id);
		renameat(dir, from, dir, to);
	}
	if (is_moved)
		mr_msg_forget(s, m);
	else
		mr_msg_at(s, m, s->now_s + s->conf->wait_max_s);
}

static enum mr_status
load(struct mr_sched *s, struct mr_msg *m, struct mr_loaded *l, struct mr_err *err)
{
	enum mr_status st = mr_spool_open_file(folder_fd(s, m), m->id, &l->fd, err);

	if (st || (st = mr_spool_read(l->fd, &l->file, &l->arena, err))
	    || (st = mr_record_init(&l->record, &l->arena, l->file.env.rcpt_n, err)))
		return st;
	if (m->has_log && (st = mr_record_read(&l->record, s->spool, m->id, err)) != MR_NOTFOUND
	    && st)
		return st;
	return m->lines.n ? mr_record_apply(&l->record, mr_buf_str(&m->lines), err) : MR_OK;
}

enum mr_status
mr_msg_load(struct mr_sched *s, struct mr_msg *m)
{
	struct mr_loaded *l = m->loaded;
	struct mr_err err;
	enum mr_status st;

	if (l) {
		TAILQ_REMOVE(&s->loaded, l, link);
		TAILQ_INSERT_TAIL(&s->loaded, l, link);
		return MR_OK;
	}
	if (!(l = calloc(1, sizeof *l))) {
		mr_hops_unqueue(s, m);
		mr_msg_at(s, m, s->now_s + FAULT_WAIT_S);
		return MR_TEMP;
	}
	l->msg = m;
	l->fd = -1;
	/* Twice: the record, and events and results. */
	mr_arena_init(&l->arena, 2 * MR_SPOOL_ARENA_MAX);
	m->loaded = l;
	TAILQ_INSERT_TAIL(&s->loaded, l, link);
	s->loaded_n++;
	st = load(s, m, l, &err);
	if (st == MR_OK)
		return MR_OK;
	mr_msg_unload(s, m);
	mr_hops_unqueue(s, m); /* no worker has it: then it would be loaded */
	if (st == MR_PERM)
		set_damaged(s, m, err.text);
	else if (st == MR_NOTFOUND)
		mr_msg_forget(s, m);
	else {
		MR_LOG(s->log, MR_LOG_FAULT, "spool", { "id", mr_str(m->id) },
		    { "why", mr_str(err.text) });
		mr_msg_at(s, m, s->now_s + FAULT_WAIT_S);
	}
	return st;
}

void
mr_msg_unload(struct mr_sched *s, struct mr_msg *m)
{
	struct mr_loaded *l = m->loaded;

	if (!l)
		return;
	TAILQ_REMOVE(&s->loaded, l, link);
	s->loaded_n--;
	if (l->fd >= 0)
		close(l->fd);
	mr_arena_free(&l->arena);
	free(l);
	m->loaded = NULL;
}

void
mr_msgs_trim(struct mr_sched *s)
{
	struct mr_loaded *l, *next;

	for (l = TAILQ_FIRST(&s->loaded); l && s->loaded_n > LOADED_MAX; l = next) {
		next = TAILQ_NEXT(l, link);
		if (l->msg->running_n == 0 && l->failed_n == 0)
			mr_msg_unload(s, l->msg);
	}
}

enum mr_status
mr_msg_write_lines(struct mr_sched *s, struct mr_msg *m, int64_t next_s)
{
	struct mr_err err;
	enum mr_status st;

	if (m->flush_ms)
		TAILQ_REMOVE(&s->flush, m, flush_link);
	m->flush_ms = 0;
	if (m->lines.n == 0)
		return MR_OK;
	st = mr_record_append(s->spool, m->id, mr_buf_str(&m->lines), m->must_sync, next_s, &err);
	if (st == MR_OK) {
		mr_buf_clear(&m->lines);
		m->has_log = true;
		m->must_sync = false;
	}
	/* A disk that is full is full for all: one line when it begins and one when it is over. */
	if ((st != MR_OK) != s->is_disk_bad)
		MR_LOG(s->log, st ? MR_LOG_FAULT : MR_LOG_INFO, "events",
		    { "why", st ? mr_str(err.text) : MR_STR("can be written again") });
	s->is_disk_bad = st != MR_OK;
	return st;
}

/* ---- folders ---- */

/* Calls `take` for each name. */
static void
read_folder(struct mr_sched *s, int fd, void (*take)(struct mr_sched *, struct mr_str name))
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *e;

	if (!d) {
		struct mr_err err;

		mr_err_sys(&err, MR_TEMP, "%s", s->spool->path);
		MR_LOG(s->log, MR_LOG_FAULT, "spool", { "why", mr_str(err.text) });
		if (copy >= 0)
			close(copy);
		return;
	}
	while ((e = readdir(d)))
		take(s, mr_str(e->d_name));
	closedir(d);
}

static void
take_new(struct mr_sched *s, struct mr_str name)
{
	if (mr_spool_is_id(name) && !mr_msg_find(s, name))
		mr_msg_add(s, name, false, s->now_s);
}

/* At the start: its events say when it is due, without being read. */
static void
take_old(struct mr_sched *s, struct mr_str name, bool is_deferred)
{
	struct mr_msg *m;
	int64_t next_s;

	if (!mr_spool_is_id(name) || mr_msg_find(s, name)
	    || !(m = mr_msg_add(s, name, is_deferred, s->now_s))
	    || mr_record_get_next(s->spool, m->id, &next_s, NULL))
		return;
	m->has_log = true;
	/* Never later than a wait from now, whatever the clock was then. */
	mr_msg_at(s, m,
	    next_s < s->now_s + s->conf->wait_max_s ? next_s : s->now_s + s->conf->wait_max_s);
}

static void
take_old_incoming(struct mr_sched *s, struct mr_str name)
{
	take_old(s, name, false);
}

static void
take_old_deferred(struct mr_sched *s, struct mr_str name)
{
	take_old(s, name, true);
}

/* Events whose message was removed just before a crash. */
static void
drop_orphan(struct mr_sched *s, struct mr_str name)
{
	struct mr_str id = mr_record_id(name);
	char copy[MR_ID_MAX] = "";

	if (!id.p || mr_msg_find(s, id))
		return;
	memcpy(copy, id.p, id.n);
	if (faccessat(s->spool->incoming_fd, copy, F_OK, AT_SYMLINK_NOFOLLOW) < 0
	    && errno == ENOENT)
		mr_record_remove(s->spool, copy, NULL);
}

void
mr_msgs_scan_incoming(struct mr_sched *s, bool is_start)
{
	read_folder(s, s->spool->incoming_fd, is_start ? take_old_incoming : take_new);
}

void
mr_msgs_scan_deferred(struct mr_sched *s)
{
	read_folder(s, s->spool->deferred_fd, take_old_deferred);
	read_folder(s, s->spool->deferred_fd, drop_orphan);
}
