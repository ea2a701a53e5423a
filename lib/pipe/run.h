/* run.h - a pipeline runs over one connection: phases, classes, and what the stages said.
 *
 * What is known stands in scopes, one a phase: the server and the stages put attributes, classes and
 * header fields into the scope of their phase, and a scope ends with what it belongs to (connection,
 * HELO, transaction, recipient).  MR_RCPT is the present recipient; MR_DATA is the message: the
 * recipients accepted so far and what was said with them. */
#ifndef MR_PIPE_RUN_H
#define MR_PIPE_RUN_H

#include "pipe/pipeline.h"
#include "queue/spool.h"

#define MR_FIELDS_MAX \
	(1u << 20) /* bytes of all header fields of a message that mr_run_front appends */

/* What a phase said. */
struct mr_result {
	enum mr_verdict verdict; /* MR_DUNNO: go on */
	bool hang_up;
	struct mr_str
	    text; /* the reply's words, with enhanced code if the stage gave one; p may be NULL */
	const char *stage; /* its name; NULL for MR_DUNNO */
};

struct mr_scope {
	struct mr_arena arena;
	struct mr_env env;
	uint32_t classes;
	bool now_has_run,
	    has_run; /* the phase's stages marked `now`, the others; `result` stands */
	struct mr_result result;
	struct mr_attrs ar;     /* results for Authentication-Results; only .value is used */
	struct mr_attrs fields; /* header fields, a stage's an entry; only .value is used */
};

/* For those who want to see each stage: mr-pipe -v. */
struct mr_trace {
	const struct mr_stage *stage;
	const char *skipped; /* why it did not run, or NULL */
	int code;            /* as in mr_stage_end */
	bool is_broken;
	int64_t us;
	const struct mr_answer *answer;
	const char *why; /* of is_broken or of an ignored answer; "" if none */
};

struct mr_run {
	struct mr_pipeline *pl;
	struct mr_scope scope[MR_PHASE_N];
	uint32_t all_rcpt_classes; /* what every accepted recipient has */
	uint64_t rcpt_unknown;     /* refused for good by relay control or a stage of rcpt */
	void (*trace)(void *ctx, const struct mr_trace *t); /* or NULL */
	void *trace_ctx;
};

/* `pl` is the caller's and lives longer. */
void mr_run_init(struct mr_run *run, struct mr_pipeline *pl);
void mr_run_free(struct mr_run *run);

/* Empties the scopes from `phase` on: MR_HELO at HELO, MR_MAIL at MAIL and RSET. */
void mr_run_reset(struct mr_run *run, enum mr_phase phase);

/* Puts an attribute or a class of the server's knowledge into a scope. */
enum mr_status mr_run_set(struct mr_run *run, enum mr_phase phase, const char *name,
    struct mr_str value, struct mr_err *err);

/* An attribute of connection, HELO or transaction; p is NULL if it is not there. */
struct mr_str mr_run_get(const struct mr_run *run, const char *name);

void mr_run_give(struct mr_run *run, enum mr_phase phase, uint32_t class_bit);

/* The classes that hold for the present recipient: its own, and those of connection, HELO and
 * transaction. */
uint32_t mr_run_classes(const struct mr_run *run);

/* Runs the connect stages marked `now`, once a connection; the result stands as that of mr_run_upto. */
void mr_run_now(struct mr_run *run, struct mr_result *result);

/* Runs the stages of connect up to `last` (at most MR_MAIL) that have not run for this scope yet, and
 * tells the first refusal, which stands as long as its scope.  A stage is judged by the classes of its
 * own and of wider scopes only, for a connect stage's word outlives the transaction. */
void mr_run_upto(struct mr_run *run, enum mr_phase last, struct mr_result *result);

/* Begins a recipient: empties MR_RCPT, whose attributes and classes may then be given. */
void mr_run_begin_rcpt(struct mr_run *run);

/* Runs the rcpt stages for `addr` (canonical) after mr_run_upto(MR_MAIL) had no objection.  Without
 * objection the recipient (or those that an edit stage made of it) joins the accepted ones in
 * scope[MR_DATA].env, with original_recipient when it is another address; else none of them. */
void mr_run_rcpt(struct mr_run *run, struct mr_str addr, struct mr_result *result);

/* Runs the data stages over the whole message (flushed); an edit stage may put another in its place
 * (unnamed, in incoming/ of spool).  Afterwards the record's recipients and attributes are what
 * mr_run_record gives. */
void mr_run_data(
    struct mr_run *run, struct mr_spool_msg *msg, struct mr_spool *spool, struct mr_result *result);

/* Runs all end stages; their verdicts are ignored. */
void mr_run_end(struct mr_run *run);

/* The record of the whole message in `arena` (views of the scopes): what data stages see. */
enum mr_status mr_run_record(
    const struct mr_run *run, struct mr_arena *arena, struct mr_env *env, struct mr_err *err);

/* Appends the front header fields that the stages made, top down: one Authentication-Results field
 * under our name (RFC 8601) if there are results, then stage fields in stage order.  Of equal results
 * and fields that rcpt stages gave for several recipients there is one.  The buffer is full if they
 * are too large. */
void mr_run_front(const struct mr_run *run, struct mr_buf *out);

#endif
