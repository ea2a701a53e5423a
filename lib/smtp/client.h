/* client.h - one connection to an SMTP server, and messages sent over it (RFC 5321, 1870, 2920,
 * 6152, 6531). */
#ifndef MR_SMTP_CLIENT_H
#define MR_SMTP_CLIENT_H

#include "base/ip.h"
#include "mail/job.h"
#include "smtp/reply.h"

/* How long to wait for what, in seconds (RFC 5321 4.5.3.2; connecting: ours). */
#define MR_SMTP_CONNECT_S  30
#define MR_SMTP_GREETING_S 300
#define MR_SMTP_HELLO_S    300
#define MR_SMTP_MAIL_S     300 /* RSET, too */
#define MR_SMTP_RCPT_S     300
#define MR_SMTP_DATA_S     120
#define MR_SMTP_BLOCK_S    180 /* until one block is written */
#define MR_SMTP_DOT_S      600

#define MR_SMTP_BLOCK   65536u            /* a message up to this size is one write */
#define MR_SMTP_OUT_MAX (2u * MR_JOB_MAX) /* bytes of a batch of commands */

struct mr_smtp {
	/* the caller's */
	struct mr_str own_name; /* for EHLO */
	int wait_max_s;         /* no wait is longer; 0: those above hold */
	/* the client's */
	int fd;        /* -1: no connection */
	unsigned uses; /* transactions begun on the connection */
	bool needs_rset;
	bool has_pipelining, has_8bitmime, has_smtputf8;
	uint64_t size_max; /* 0: the server names none, or has no SIZE at all */
	bool has_size;
	struct mr_buf peer; /* "mx.example.org[192.0.2.1]:25" */
	struct mr_buf out;  /* not yet written */
	struct mr_buf raw;  /* as read from the message */
	struct mr_reader in;
	struct mr_reply reply;
};

/* What has become of a recipient. */
struct mr_smtp_rcpt {
	bool is_decided;             /* result holds; what is decided is not tried again */
	bool is_accepted;            /* RCPT was accepted in the present transaction */
	struct mr_job_result result; /* .rcpt and the views are set with it; views in the arena */
};

/* No connection yet.  `own_name` must outlive the client. */
void mr_smtp_init(struct mr_smtp *c, struct mr_str own_name, int wait_max_s);

/* Connects to one address of the host `name`, reads the greeting, says EHLO, or HELO where EHLO is
 * refused for good.  MR_OK; MR_TEMP; MR_PERM: the server answered 5xx, so it wants no mail from us
 * at all.  *why then has outcome, host, words and status, in `arena`. */
enum mr_status mr_smtp_open(struct mr_smtp *c, struct mr_str name, const struct mr_ip *ip,
    unsigned port, struct mr_arena *arena, struct mr_job_result *why);

/* Sends a message to those of `rcpt` (job->rcpt_n) that are not decided.
 * MR_OK: all are decided now; c->fd is -1 if the connection could not be kept.  MR_TEMP: the
 * connection was lost, or a 421 came, before the end of the message was sent: those left undecided
 * have not got it, *why says what happened.  MR_NOTFOUND: a connection that was used before was
 * found dead before MAIL was answered: nothing has happened, use a new one.  After both c->fd is -1.
 *
 * A line that is not as it must be (a CR or LF alone) or a message file that cannot be read is never
 * sent to its end: the connection is closed before the final dot and all are deferred, for the fault
 * is ours.  If the dot was sent and no answer came, all are deferred: the message may come twice,
 * but is not lost (RFC 1047).  8-bit bytes go as they are to a server without 8BITMIME: rewriting
 * would break signatures, and such servers take them. */
enum mr_status mr_smtp_send(struct mr_smtp *c, const struct mr_job *job, int fd,
    struct mr_smtp_rcpt *rcpt, struct mr_arena *arena, struct mr_job_result *why);

/* QUIT, without waiting for the answer, and close.  Harmless without a connection. */
void mr_smtp_quit(struct mr_smtp *c);

/* The same, and gives back all memory. */
void mr_smtp_free(struct mr_smtp *c);

#endif
