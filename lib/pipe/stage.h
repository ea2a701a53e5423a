/* stage.h - one stage is run once: inside the process, as a program, or at a policy server. */
#ifndef MR_PIPE_STAGE_H
#define MR_PIPE_STAGE_H

#include "pipe/pipeline.h"
#include "queue/spool.h"

/* Bytes that a program may print beyond twice those of the message. */
#define MR_STAGE_OUT_MAX MR_ENV_MAX

struct mr_stage_io {
	const struct mr_env *env;
	int message_fd;               /* the message (phase data), or -1 */
	struct mr_confined *confined; /* where own filters of the message run (phase data) */

	/* What an edit stage that ends with 0 fills. */
	struct mr_env *edited;           /* rcpt: its recipients, canonical, at least one */
	struct mr_spool *spool;          /* data: where the new message is written, ... */
	struct mr_spool_msg *edited_msg; /* ... which is begun, flushed, and the caller's */
};

struct mr_stage_end {
	int code;          /* exit code of a program, else the verdict; -1: none */
	bool is_broken;    /* fail= decides */
	struct mr_err why; /* of is_broken, or of an answer that was ignored (else empty) */
};

/* Fills *answer (initialised by the caller; its arena takes the memory).  Broken stages leave it at
 * MR_DUNNO; an edit stage whose output cannot be used is broken. */
void mr_stage_run(struct mr_step *step, const struct mr_stage_io *io, struct mr_answer *answer,
    struct mr_stage_end *end);

/* The verdict that an exit code means; false: the command is broken. */
bool mr_stage_verdict(enum mr_codes codes, int exit_code, enum mr_verdict *verdict);

/* Asks a policy server, "inet:HOST:PORT" or "unix:PATH"; its action decides the verdict.  Of several
 * recipients it is told the number only, as Postfix does. */
enum mr_status mr_policy_ask(const char *address, const struct mr_env *env, int64_t deadline_ms,
    struct mr_answer *answer, struct mr_err *err);

#endif
