/* state.h - what the parts of the scheduler share: sched.c (the loop), attempt.c (one try of one
 * message), control.c (operators).  Not for others. */
#ifndef MR_QUEUE_STATE_H
#define MR_QUEUE_STATE_H

#include "base/watch.h"
#include "mail/srs.h"
#include "queue/messages.h"
#include "queue/pool.h"
#include "queue/sched.h"
#include "table/routes.h"

#define MR_QUEUE_FAULT_WAIT_S \
	60 /* a message that a fault of ours keeps from being tried waits so long */

struct mr_sched {
	const struct mr_sched_conf *conf;
	struct mr_spool spool;
	struct mr_messages messages;
	struct mr_pool pool;
	struct mr_table *routes;
	struct mr_srs srs;     /* senders of forwarded mail; key_n 0: they stay as they are */
	struct mr_watch watch; /* of the files of both */
	size_t active_n;
	bool is_stopping;
	int lock_fd, wake_fd, control_fd, client_fd, signal_fd; /* -1: none */
};

/* Opens the message, plans who is to deliver it, and queues that.  All callbacks come later, except
 * that a message that needs no delivery is finished at once. */
void mr_attempt_begin(struct mr_sched *s, struct mr_message *msg);

/* The pool's callbacks; ctx is the mr_sched. */
void mr_attempt_result(void *ctx, struct mr_task *task, const struct mr_job_result *result);
void mr_attempt_end(void *ctx, struct mr_task *task, const char *why);
void mr_attempt_room(void *ctx, struct mr_outsider *outsider);

/* Forgets what was read of a message, at the end; its files stay as they are. */
void mr_attempt_drop(void *ctx, struct mr_message *msg);

/* Opens the files that the configuration names, all or none. */
enum mr_status mr_queue_open_files(const struct mr_sched_conf *conf, struct mr_table **routes,
    struct mr_srs *srs, struct mr_err *err);

/* True if mail of `sender` to a recipient that goes by `route` is to leave under another sender: there are keys
 * for one, it came for an address in another domain, and neither sender nor recipient is ours. */
enum mr_status mr_queue_is_forwarded(bool *is, const struct mr_sched *s, struct mr_str sender,
    const struct mr_rcpt *rcpt, const struct mr_route *route, struct mr_err *err);

/* Removes a message's files.  MR_NOTFOUND: there was none. */
enum mr_status mr_queue_remove(const struct mr_spool *spool, const char *id, struct mr_err *err);

/* The address of a socket in the spool, however long its path is. */
struct sockaddr_un;
void mr_queue_socket_name(const struct mr_spool *spool, const char *name, struct sockaddr_un *un);

/* Takes DIR/lock.  MR_PERM: another has it. */
enum mr_status mr_queue_lock(const struct mr_spool *spool, int *fd, struct mr_err *err);

/* DIR/control: takes a connection; answers its command. */
void mr_control_accept(struct mr_sched *s);
void mr_control_answer(struct mr_sched *s);

#endif
