/* serve.h - the ways to run a pipeline that are not an SMTP session. */
#ifndef MR_PIPE_SERVE_H
#define MR_PIPE_SERVE_H

#include "mail/addr.h"
#include "pipe/run.h"
#include "table/routes.h"

/* A policy service for Postfix: requests on in_fd, actions on out_fd, until the input ends.  Runs the
 * phases up to the request's protocol_state; what an instance has been through is remembered.
 * `routes` (may be NULL) tells which recipients are local.  MR_OK at the end of input. */
enum mr_status mr_serve_policy(struct mr_pipeline *pl, const struct mr_table *routes, int in_fd,
    int out_fd, struct mr_err *err);

/* A case by hand: the record `env` and the message (fd -1: none) go through all phases; `out` gets a
 * table of the stages if is_verbose, then the verdict for people, else the answer's text form.  An
 * empty message is none.
 * folder_fd: where a copy of the message may lie, unnamed.  *result: the strictest verdict and who gave it; its
 * strings live in env's arena. */
struct mr_replay {
	const struct mr_env *env;
	const struct mr_table *routes; /* or NULL */
	int message_fd, folder_fd;
	bool is_verbose;
};
struct mr_replay_result {
	enum mr_verdict verdict;
	struct mr_str text;
	const char *stage;    /* NULL: none */
	struct mr_str fields; /* to be put in front of the message */
};
enum mr_status mr_replay_run(struct mr_pipeline *pl, const struct mr_replay *what,
    struct mr_replay_result *result, struct mr_buf *out, struct mr_err *err);

/* qmail-queue(8): the message on message_fd, the envelope ("Fsender\0Trecipient\0...\0") on
 * envelope_fd; the data stages run, then the message is queued, then the end stages run; those of other
 * phases are the front end's business.  `known` has what the front end told
 * in its environment (client_address, ...), classes what that gives.  Returns qmail-queue's exit
 * code. */
struct mr_qmail_job {
	int message_fd, envelope_fd;
	const char *spool;
	const struct mr_env *known;
	uint32_t classes;
	uint64_t message_max; /* bytes */
};
int mr_qmail_queue(struct mr_pipeline *pl, const struct mr_qmail_job *job);

/* An address as Postfix and qmail write it: quotes may be left out, and what has no domain is of
 * `host`.  Statuses as of mr_addr_parse. */
enum mr_status mr_serve_address(struct mr_addr *a, struct mr_arena *arena, struct mr_str text,
    const char *host, struct mr_err *err);

/* Tells the run what a record says, by the server's rules: attributes into their scopes, classes
 * auth, tls, bounce from sasl_username, encryption_protocol and an empty sender.  Recipients are left
 * alone. */
enum mr_status mr_serve_tell(struct mr_run *run, const struct mr_env *env, struct mr_err *err);

/* True if the recipient's domain is ours by the routes. */
enum mr_status mr_serve_is_local(
    const struct mr_table *routes, struct mr_str rcpt, bool *is_local, struct mr_err *err);

#endif
