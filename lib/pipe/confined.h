/* confined.h - own filters of the message run in a child that has given up its rights.  It stays for the
 * messages that follow in this process, unless it has opened what it does not trust. */
#ifndef MR_PIPE_CONFINED_H
#define MR_PIPE_CONFINED_H

#include "base/err.h"
#include "mail/answer.h"

#include <stdint.h>
#include <sys/types.h>

struct mr_pipeline;
struct mr_step;

#define MR_CONFINED_MEMORY_MAX (256u << 20) /* bytes of data that the child may have */

#define MR_CONFINED_MESSAGES_MAX \
	100u /* then a new one takes over, whatever libraries have left behind */

struct mr_confined {
	struct mr_pipeline *pl;
	pid_t pid;           /* 0: no child */
	int sock, file_sock; /* what is said, and messages */
	int message_fd;      /* what it reads, or -1 */
	unsigned message_n;  /* messages that it is through with */
	bool has_secrets;    /* it can read all files, and is for one stage */
	bool is_spoilt;      /* it is for no other message */
};

void mr_confined_init(struct mr_confined *c, struct mr_pipeline *pl);

/* Asks the filter of `step` (one of the pipeline's) about the message in `message_fd`, a file, in the child
 * that is there, or a new one.  It has that, the log and sockets to us, nothing else; what it wants of the
 * DNS is asked here.  A filter that has secrets gets a new child, which is for it alone, and can read
 * what other children cannot.  MR_TEMP, with the reason: it died, or did not answer by `time_s` seconds
 * from now; then it is gone. */
enum mr_status mr_confined_ask(struct mr_confined *c, struct mr_step *step, int message_fd,
    uint64_t time_s, const struct mr_env *env, struct mr_answer *answer, struct mr_err *err);

/* The message is over: the child closes it and waits for the next one; a spoilt one ends. */
void mr_confined_next(struct mr_confined *c);

/* Ends the child, if there is one. */
void mr_confined_end(struct mr_confined *c);

#endif
