/* parts.h - the scheduler's parts among themselves: messages, next hops, rounds, workers, control.
 * A message that is due begins a round: its undone recipients are sorted into pieces, one a next
 * hop; pieces wait in their hop's queue until a worker takes them as a job.  When none is left, the
 * round ends: the message is gone, or due again later. */
#ifndef MR_QUEUE_PARTS_H
#define MR_QUEUE_PARTS_H

#include "base/watch.h"
#include "mail/job.h"
#include "queue/record.h"
#include "queue/sched.h"
#include "table/routes.h"

#include <sys/queue.h>
#include <sys/types.h>

/* What is read of a message; forgotten when too many are, and read again. */
struct mr_loaded {
	TAILQ_ENTRY(mr_loaded) link; /* of sched.loaded */
	struct mr_msg *msg;
	int fd;
	struct mr_arena arena;
	struct mr_spool_file file;
	struct mr_record record;
	struct mr_event *failed; /* results that want a bounce, in the arena */
	size_t failed_n, failed_cap;
	bool is_expired; /* they are failures because the lifetime is over */
};

struct mr_msg {
	struct mr_msg *same_hash;
	size_t heap_i; /* place in the heap */
	int64_t at_s;  /* when something is to be done: due, or while it waits: expired */
	int64_t arrived_s;
	TAILQ_ENTRY(mr_msg) flush_link;
	LIST_HEAD(, mr_piece) queued;
	struct mr_loaded *loaded; /* or NULL */
	struct mr_buf lines;      /* events not written yet */
	int64_t flush_ms;         /* until when delivered results may wait to be written, or 0 */
	unsigned running_n;       /* pieces that workers have */
	bool is_deferred;         /* which folder */
	bool has_log;
	bool must_sync; /* `lines` holds what must not be lost */
	bool is_over;   /* nothing is left to do but to remove its files */
	bool is_gone;   /* they are removed */
	char id[MR_ID_MAX];
};

struct mr_piece {
	TAILQ_ENTRY(mr_piece) hop_link;
	LIST_ENTRY(mr_piece) msg_link;
	struct mr_msg *msg;
	struct mr_hop *hop;
	uint32_t *rcpt; /* indices in the message's record */
	size_t n, cap;
};

struct mr_hop {
	struct mr_hop *same_hash;
	TAILQ_ENTRY(mr_hop) ring_link;
	TAILQ_HEAD(, mr_piece) queue;
	struct mr_piece *open; /* the last piece, while its message is being sorted */
	size_t running_n;
	unsigned fails; /* times in a row that no host was reached */
	int64_t down_until_s, used_s;
	bool in_ring;
	size_t name_len;
	char name[]; /* as in job.nexthop */
};

struct mr_worker {
	pid_t pid; /* 0: none */
	int sock;
	struct mr_piece *piece; /* what it does now, or NULL: idle */
	struct mr_hop *last_hop;
	int64_t started_ms, idle_ms, silent_ms; /* mono; silent: when it must have said something */
	unsigned burst;                         /* jobs for the same hop one after the other */
	bool has_answered;
	bool answered[MR_JOB_RCPT_MAX];
};

#define MR_CONTROL_CLIENTS 8u

struct mr_sched {
	struct mr_spool *spool;
	const struct mr_sched_conf *conf;
	const struct mr_log *log;
	int64_t now_s, now_ms; /* wall and monotonic, once a turn of the loop */
	struct mr_watch watch;
	struct mr_table *routes;

	struct mr_msg **by_id, **heap;
	size_t by_id_n, msg_n, heap_cap;
	TAILQ_HEAD(, mr_msg) flush;
	TAILQ_HEAD(mr_loaded_list, mr_loaded) loaded; /* least recently used first */
	size_t loaded_n;

	struct mr_hop **by_name;
	size_t by_name_n, hop_n;
	uint64_t seed;                    /* of their hash: domains are chosen by strangers */
	TAILQ_HEAD(mr_ring, mr_hop) ring; /* hops that could take a job now */

	struct mr_worker *worker;
	size_t worker_n, idle_n;
	int64_t start_after_ms; /* no worker is started before */
	int64_t start_wait_ms;

	struct mr_buf packet, answer;
	int wake_fd, control_fd;
	int client[MR_CONTROL_CLIENTS];
	bool is_stopping;
	bool is_disk_bad; /* said once */
};

/* ---- messages (msgs.c) ---- */

enum mr_status mr_msgs_init(struct mr_sched *s, struct mr_err *err);
void mr_msgs_free(struct mr_sched *s);
struct mr_msg *mr_msg_find(const struct mr_sched *s, struct mr_str id);

/* A new one, due at `at_s`; NULL: no memory (it is found again by the next look at the folder). */
struct mr_msg *mr_msg_add(struct mr_sched *s, struct mr_str id, bool is_deferred, int64_t at_s);
void mr_msg_at(struct mr_sched *s, struct mr_msg *m, int64_t at_s);

/* Forgets it; its files stay.  It has no pieces. */
void mr_msg_forget(struct mr_sched *s, struct mr_msg *m);

/* Removes its files, then forgets it as soon as no worker has it. */
void mr_msg_remove(struct mr_sched *s, struct mr_msg *m);

/* Reads file and events if they are not there.  Anything but MR_OK has been dealt with: it was
 * damaged, gone, or is due again later. */
enum mr_status mr_msg_load(struct mr_sched *s, struct mr_msg *m);
void mr_msg_unload(struct mr_sched *s, struct mr_msg *m);

/* Forgets what was read of those that have waited longest, if it is too much. */
void mr_msgs_trim(struct mr_sched *s);

/* Writes its events, if there are any. */
enum mr_status mr_msg_write_lines(struct mr_sched *s, struct mr_msg *m, int64_t next_s);

/* Looks for new messages in incoming/; at the start, in deferred/, too. */
void mr_msgs_scan_incoming(struct mr_sched *s, bool is_start);
void mr_msgs_scan_deferred(struct mr_sched *s);

/* ---- next hops (hops.c) ---- */

enum mr_status mr_hops_init(struct mr_sched *s, struct mr_err *err);
void mr_hops_free(struct mr_sched *s);

/* NULL: no memory. */
struct mr_hop *mr_hop_get(struct mr_sched *s, struct mr_str name);

/* Puts a recipient into the piece of its message for this hop.  False: no memory. */
bool mr_hop_add(struct mr_sched *s, struct mr_hop *hop, struct mr_msg *m, size_t rcpt);

/* A piece leaves its queue; it is the caller's. */
void mr_hop_take(struct mr_sched *s, struct mr_piece *piece);
void mr_hop_put_back(struct mr_sched *s, struct mr_piece *piece);
void mr_piece_free(struct mr_piece *piece);

/* All pieces of a message leave their queues and are forgotten. */
void mr_hops_unqueue(struct mr_sched *s, struct mr_msg *m);

/* A worker has a job for it; others have their turn. */
void mr_hop_running(struct mr_sched *s, struct mr_hop *hop);

/* A job is over: was any host reached? */
void mr_hop_done(struct mr_sched *s, struct mr_hop *hop, bool is_down, bool is_up);

/* Tries a hop again at once; NULL: all. */
void mr_hops_retry(struct mr_sched *s, struct mr_hop *hop);

/* Once a second: hops whose wait is over may be tried; those that nobody needs are forgotten. */
void mr_hops_tick(struct mr_sched *s);

/* ---- rounds (round.c) ---- */

/* A message whose time has come. */
void mr_round_start(struct mr_sched *s, struct mr_msg *m);

/* One recipient's result; `event` is copied. */
void mr_round_result(struct mr_sched *s, struct mr_msg *m, const struct mr_event *event);

/* No worker has a piece of it any more: bounces, events, and if the round is over, what is next. */
void mr_round_settle(struct mr_sched *s, struct mr_msg *m);

/* The routes are other ones: what waits is sorted anew. */
void mr_rounds_restart(struct mr_sched *s);

/* ---- workers (workers.c) ---- */

enum mr_status mr_workers_init(struct mr_sched *s, struct mr_err *err);

/* Hands out jobs as long as there are hops and workers for them. */
void mr_workers_dispatch(struct mr_sched *s);

/* What a worker said. */
void mr_worker_read(struct mr_sched *s, struct mr_worker *w);

/* Kills it; recipients it has not answered stay deferred. */
void mr_worker_end(struct mr_sched *s, struct mr_worker *w, const char *why);

/* ---- commands (control.c) ---- */

enum mr_status mr_control_init(struct mr_sched *s, struct mr_err *err);
void mr_control_free(struct mr_sched *s);
void mr_control_accept(struct mr_sched *s);
void mr_control_client(struct mr_sched *s, size_t i);
void mr_control_wake(struct mr_sched *s);

#endif
