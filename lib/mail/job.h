/* job.h - what the scheduler asks a delivery worker (mr-remote -w), and what it answers.
 * One SOCK_SEQPACKET packet a job: a record (envelope.h) with the message's descriptor; then one
 * packet a recipient, and one when the job is done, each one line of words (kv.h). */
#ifndef MR_MAIL_JOB_H
#define MR_MAIL_JOB_H

#include "mail/envelope.h"

#define MR_JOB_MAX        (128u << 10) /* bytes of a job's packet */
#define MR_JOB_RCPT_MAX   100u         /* recipients of a job */
#define MR_JOB_RESULT_MAX 4096u        /* bytes of a result's packet */
#define MR_JOB_REPLY_MAX  600u         /* bytes of a result's reply */

struct mr_job {
	struct mr_str id;              /* queue id, for the log */
	struct mr_str sender;          /* reverse-path without <>; empty: null */
	struct mr_str nexthop;         /* "host[:port] ..." in order of trial, or "mx:domain" */
	bool is_8bit;                  /* BODY=8BITMIME */
	uint64_t message_len;          /* the message: bytes 0 .. message_len of the descriptor */
	uint64_t front_off, front_len; /* fields to send in front of it */
	const struct mr_str *rcpt;
	size_t rcpt_n;
};

/* Appends the packet. */
enum mr_status mr_job_write(const struct mr_job *job, struct mr_buf *out, struct mr_err *err);

/* Reads a packet; all views live in `arena`. */
enum mr_status
mr_job_parse(struct mr_job *job, struct mr_arena *arena, struct mr_str packet, struct mr_err *err);

enum mr_outcome {
	MR_DELIVERED,
	MR_DEFERRED, /* 4xx, or no connection */
	MR_FAILED    /* 5xx */
};

struct mr_job_result {
	bool is_done;   /* the job is over: only host_down counts */
	bool host_down; /* no connection to any next hop: others will fare no better */
	size_t rcpt;    /* index in the job */
	enum mr_outcome outcome;
	struct mr_str host;   /* "mx.example.org[192.0.2.1]:25", or empty: never reached one */
	struct mr_str reply;  /* the remote's words on one line, or ours; cut at MR_JOB_REPLY_MAX */
	struct mr_str status; /* enhanced code for a DSN: "5.1.1" */
};

/* Appends the packet, which always fits into MR_JOB_RESULT_MAX bytes. */
void mr_job_result_write(const struct mr_job_result *result, struct mr_buf *out);

/* Reads a packet; all views live in `arena`.  MR_PERM for anything but "done" or a recipient with
 * its outcome. */
enum mr_status mr_job_result_parse(
    struct mr_job_result *result, struct mr_arena *arena, struct mr_str packet, struct mr_err *err);

/* "delivered", "deferred", "failed" */
const char *mr_outcome_word(enum mr_outcome outcome);

#endif
