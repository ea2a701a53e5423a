/* exam.h - a message is examined: each file in it, by each reading, against the rules. */
#ifndef MR_CHECK_EXAM_H
#define MR_CHECK_EXAM_H

#include "check/rules.h"

#define MR_EXAM_DEPTH_MAX      10u          /* files within files */
#define MR_EXAM_MEMBER_MAX     10000u       /* files in all archives */
#define MR_EXAM_NAME_MAX       200000u      /* readings of names */
#define MR_EXAM_EXPANDED_FREE  (32u << 20)  /* bytes that archives may expand to in any case, ... */
#define MR_EXAM_EXPANDED_RATIO 100u         /* ... and times the message's length */
#define MR_EXAM_EXPANDED_MAX   (1u << 30)   /* ... and in no case more than */
#define MR_EXAM_SPOOL_MAX      (256u << 20) /* bytes of archives that need random access */
#define MR_EXAM_HIT_MAX        100u         /* hits that are kept */
#define MR_EXAM_FILE_MAX       2000u        /* files that are listed */
#define MR_EXAM_TIME_S         4u           /* what an examination may take */

/* A rule, other than pass, met a file. */
struct mr_exam_hit {
	enum mr_rule_action action;
	enum mr_rule_kind kind;
	enum mr_rule_scope scope;
	struct mr_str value;   /* what the rule looked for: "exe" */
	struct mr_str path;    /* "1.2/invoice.zip" */
	struct mr_str name;    /* the file's name, or "" */
	struct mr_str rule;    /* where the rule stands: "default:3" */
	struct mr_str reading; /* how the file was found: "base64" */
};

struct mr_exam_file {
	unsigned depth;
	struct mr_str path, name, reading, content; /* as above; content: words, or "" */
	uint64_t len;
};

struct mr_exam_conf {
	const struct mr_rules *rules;
	struct mr_str classes;  /* of the message, joined by '+' */
	struct mr_arena *arena; /* takes what is found */
	bool wants_all;         /* list all files, and go on after the first block */
	int64_t deadline_ms;    /* monotonic */
	/* Called once, before a file that holds files is opened or libmagic reads one; may be NULL. */
	void (*spoil)(void);
};

struct mr_exam_result {
	const struct mr_exam_hit *hit;
	size_t hit_n;
	const struct mr_exam_file *file; /* with wants_all only */
	size_t file_n;
	const struct mr_exam_hit *worst; /* the first block, else the first tag, else NULL */
};

struct mr_exam;

enum mr_status
mr_exam_new(struct mr_exam **exam, const struct mr_exam_conf *conf, struct mr_err *err);
void mr_exam_feed(struct mr_exam *x, struct mr_str bytes);

/* True once nothing that follows can change the result. */
bool mr_exam_is_over(const struct mr_exam *x);

/* The message is over; frees.  MR_OK; MR_TEMP: it could not be examined because of us (memory, time, a
 * library), and nothing that was found blocks it. */
enum mr_status mr_exam_end(struct mr_exam *x, struct mr_exam_result *result, struct mr_err *err);

#endif
