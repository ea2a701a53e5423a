/* answer.h - what a filter or a stage answers: a verdict, its words, attributes, header fields.
 * Text form (a filter's descriptor 1): name=value lines, an empty line, then header fields. */
#ifndef MR_MAIL_ANSWER_H
#define MR_MAIL_ANSWER_H

#include "mail/envelope.h"

#define MR_ANSWER_MAX (64u << 10) /* bytes of an answer's text */
#define MR_REPLY_MAX  400u /* bytes of a reply's words; RFC 5321 4.5.3.1.5 allows lines of 512 */

/* The values are the exit codes of a filter. */
enum mr_verdict {
	MR_DUNNO = 0,    /* no objection */
	MR_MEMBER = 99,  /* member / permitted */
	MR_REFUSE = 100, /* for good */
	MR_DEFER = 111   /* try later; all our own faults */
};

struct mr_answer {
	struct mr_arena *arena;
	enum mr_verdict verdict;
	bool hang_up; /* end the connection: 421 or 521 */
	struct mr_str
	    text; /* the reply's words with enhanced code, "5.7.1 Forbidden"; p may be NULL */
	struct mr_attrs ar; /* results for Authentication-Results, in order; only .value is used */
	struct mr_attrs attrs; /* join the record */
	struct mr_str headers; /* whole header fields with LF or CRLF; p may be NULL */
	struct mr_env *
	    edited; /* with MR_DUNNO: the record that takes the place of the one asked about, printed
	                        * instead of the answer; NULL: none */
	struct mr_str note; /* for people, not part of the text form: what decided; p may be NULL */
	struct mr_str
	    report; /* for people: whole lines, instead of verdict and note; p may be NULL */
};

void mr_answer_init(struct mr_answer *a, struct mr_arena *arena);

/* Sets the verdict and its words (enhanced code first, as in the examples above); the words are
 * copied, what may not stand in a reply becomes '?', they are cut at MR_REPLY_MAX. */
void mr_answer_say(struct mr_answer *a, enum mr_verdict verdict, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends a result for Authentication-Results (RFC 8601), like "spf=pass smtp.mailfrom=a.example".  MR_PERM:
 * it is none (mail/authres.h). */
enum mr_status mr_answer_add_ar(struct mr_answer *a, struct mr_str result, struct mr_err *err);

/* Appends the text form. */
void mr_answer_write(const struct mr_answer *a, struct mr_buf *out);

/* Reads the text form of an answer whose program exited with `verdict`.  The action's words count
 * only if they fit the verdict; else MR_PERM with the reason, and *a is still a safe answer with
 * that verdict and no words.  Header fields are checked as in mr_header_is_block. */
enum mr_status mr_answer_parse(
    struct mr_answer *a, enum mr_verdict verdict, struct mr_str text, struct mr_err *err);

/* Takes an access(5) action of a policy server, which decides the verdict: DUNNO, OK, PERMIT,
 * REJECT, DEFER, DEFER_IF_PERMIT, DEFER_IF_REJECT, 4nn, 5nn, PREPEND, each with its words.
 * MR_PERM for any other (HOLD, FILTER, ...). */
enum mr_status mr_answer_from_policy(struct mr_answer *a, struct mr_str action, struct mr_err *err);

/* The access(5) action that says the answer to Postfix, without "action=". */
void mr_answer_to_policy(const struct mr_answer *a, struct mr_buf *out);

/* True for names that a stage may set: not those of the protocol or of the server itself. */
bool mr_answer_is_free_name(struct mr_str name);

#endif
