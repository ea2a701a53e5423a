/* confined.h - an own filter of the message runs in a child that has given up its rights. */
#ifndef MR_PIPE_CONFINED_H
#define MR_PIPE_CONFINED_H

#include "pipe/pipeline.h"

#define MR_CONFINED_MEMORY_MAX (256u << 20) /* bytes of data that the child may have */

/* Asks the filter of `step` about the message in `message_fd`, a file.  The child has that, the log and a
 * socket to us, nothing else.  MR_TEMP, with the reason: it died, or did not answer by `time_s` seconds from
 * now. */
enum mr_status mr_confined_ask(struct mr_step *step, int message_fd, uint64_t time_s,
    const struct mr_env *env, struct mr_answer *answer, struct mr_err *err);

#endif
