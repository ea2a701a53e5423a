/* messages.h - the messages that the scheduler knows of: by id, and by when they are due. */
#ifndef MR_QUEUE_MESSAGES_H
#define MR_QUEUE_MESSAGES_H

#include "queue/pool.h"
#include "queue/record.h"

struct mr_active;

/* About a hundred bytes: a hundred thousand of them wait in memory. */
struct mr_message {
	struct mr_message *next; /* in its bucket */
	int64_t due_s;           /* 0: at once */
	size_t at;               /* in the heap; MR_NOT_WAITING while it is active or outside */
	struct mr_active *active;
	struct mr_outsider outsider; /* it waits for room at its next hop, not for a time */
	struct mr_buf unwritten;     /* lines of events that the disk had no room for */
	bool is_deferred;            /* in deferred/, else in incoming/ */
	bool may_have_events;
	bool is_deleted; /* its files are to go as soon as no delivery needs them */
	char id[MR_ID_MAX];
};

#define MR_NOT_WAITING SIZE_MAX

struct mr_messages {
	struct mr_message **bucket;
	struct mr_message **heap; /* those that wait, the first due on top */
	size_t n, heap_n, heap_cap;
};

enum mr_status mr_messages_init(struct mr_messages *m, struct mr_err *err);
void mr_messages_free(struct mr_messages *m);

struct mr_message *mr_messages_find(const struct mr_messages *m, struct mr_str id);

/* A new one, waiting; NULL: no memory. */
struct mr_message *mr_messages_add(struct mr_messages *m, struct mr_str id, int64_t due_s);

/* Takes the first that is due at `now_s` out of those that wait; NULL: none. */
struct mr_message *mr_messages_take_due(struct mr_messages *m, int64_t now_s);

/* (Again) waiting until due_s. */
void mr_messages_wait(struct mr_messages *m, struct mr_message *msg, int64_t due_s);

/* Calls fn for each; fn may remove the one it is given. */
void
mr_messages_each(struct mr_messages *m, void (*fn)(void *ctx, struct mr_message *msg), void *ctx);

/* Forgets it; it must not be active. */
void mr_messages_remove(struct mr_messages *m, struct mr_message *msg);

#endif
