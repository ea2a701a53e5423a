/* session.h - what the parts of the SMTP server share: server.c (commands), transaction.c (what a
 * transaction comes to).  Not for others. */
#ifndef MR_SMTP_SESSION_H
#define MR_SMTP_SESSION_H

#include "smtp/server.h"

#include "mail/addr.h"

#define MR_SMTP_LINE_MAX \
	2048u /* octets of a command line with CRLF; RFC 5321 4.5.3.1.4 asks for 512 */
#define MR_SMTP_WINDOW   32768u /* bytes read at once */
#define MR_SMTP_OUT_MAX  65536u /* bytes of replies that wait for one write */
#define MR_SMTP_OUT_SEND 32768u /* so many are sent even if the next command is there already */

struct mr_session {
	const struct mr_smtpd_conf *conf;
	const struct mr_peer *peer;
	struct mr_reader in;
	int out_fd;
	struct mr_buf out;
	struct mr_run run;
	struct mr_arena arena; /* of one command */
	bool has_helo, has_mail, is_over;
	char id[MR_ID_MAX];     /* of the transaction */
	uint64_t declared_size; /* SIZE= of MAIL, or 0 */
	uint64_t rcpt_n;        /* RCPT commands of the transaction */
	uint64_t error_n; /* commands refused for good since the last message that was queued */
	uint64_t command_n, message_n;
	const char *why; /* it is over, as the log was told; NULL: not yet */
};

/* Adds a reply line: code and enhanced code, then words.  5xx counts as an error: what may go well
 * later (a greylist, a full disk, a message with very many recipients) is no reason to hang up. */
void
mr_session_reply(struct mr_session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Sends what waits.  False (and is_over): the client is gone. */
bool mr_session_flush(struct mr_session *s);

/* The session is over, which the log is told once; `reply` (NULL: none) is sent before. */
void mr_session_hang_up(struct mr_session *s, const char *why, const char *reply);

/* MAIL or RCPT (`event` "mail", "rcpt") is refused for what it is: `arg` goes to the log as it came,
 * `text` ("5.5.4 words") after `code` to the client.  A code that begins with 4 is a fault of ours. */
void mr_transaction_refuse_command(struct mr_session *s, const char *event, struct mr_str arg,
    const char *code, struct mr_str text);

/* RCPT TO:<a>: judges and answers. */
void mr_transaction_rcpt(struct mr_session *s, const struct mr_addr *a);

/* The message was sent before the reply to DATA: refuses it and hangs up, lest its lines be taken for
 * commands. */
void mr_transaction_early_data(struct mr_session *s);

/* DATA, after it was found to be in place: 354, the message, the answer; ends the transaction. */
void mr_transaction_data(struct mr_session *s);

/* Ends a transaction, if there is one: the end stages run, its scopes are emptied. */
void mr_transaction_end(struct mr_session *s);

/* Answers a refusal of the pipeline, with the code that its verdict calls for: for good, e.g. "550",
 * or for now. */
void mr_transaction_refuse(
    struct mr_session *s, const struct mr_result *r, const char *for_good, const char *for_now);

#endif
