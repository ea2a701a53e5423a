/* exam_object.h - within exam: a file as its bytes come, and what looks into it. */
#ifndef MR_CHECK_EXAM_OBJECT_H
#define MR_CHECK_EXAM_OBJECT_H

#include "base/buf.h"
#include "check/exam.h"
#include "check/filetype.h"
#include "mail/mime.h"

struct mr_exam {
	struct mr_exam_conf conf;
	struct mr_magic *magic, *system_magic; /* at first need */
	uint64_t fed, expanded, spooled, since_look;
	unsigned member_n, name_n;
	bool is_over;
	enum mr_status status;
	struct mr_err why;
	struct mr_exam_hit *hit;
	size_t hit_n, hit_cap;
	struct mr_exam_file *file;
	size_t file_n, file_cap;
	struct mr_object *root;
};

#define MR_CONSUMER_N 10

struct mr_object {
	struct mr_exam *x;
	struct mr_object *parent;
	enum mr_rule_scope scope;
	unsigned depth;
	const char *reading;
	char *path, *name; /* its own */
	bool is_raw;       /* the bytes of a body as they are: its lines are read by who feeds it */
	bool is_settled;   /* it is known who looks into it */
	enum mr_container holds;
	size_t listed; /* 1 + index of its mr_exam_file; 0: none */
	uint64_t len;
	struct mr_buf head;
	char tail[2 * MR_FILETYPE_TAIL_MAX];
	size_t tail_n;
	const struct mr_mime *mime; /* that it is a body of, or NULL */
	void *state[MR_CONSUMER_N]; /* of each consumer that takes it */

	/* What the names of a zip's members tell. */
	bool has_manifest, has_class, has_odd_method;
};

/* Looks into files of some kind. */
struct mr_consumer {
	bool opens; /* files that hold files, in formats that have been holes before */
	bool (*wants)(const struct mr_object *o);
	void *(*begin)(struct mr_object *o); /* NULL: no memory */
	void (*feed)(struct mr_object *o, void *state, struct mr_str bytes);
	void (*end)(struct mr_object *o, void *state);
};
extern const struct mr_consumer mr_consume_text, mr_consume_utf16, mr_consume_zip, mr_consume_gzip,
    mr_consume_archive, mr_consume_tnef, mr_consume_cms, mr_consume_ole, mr_consume_pdf,
    mr_consume_html;

/* A file within `parent`: `place` (may be "") joins its path, `name` is what it is called, as it came; both
 * are copied.  NULL: not to be looked at (a limit, no memory). */
struct mr_object *mr_object_new(struct mr_object *parent, enum mr_rule_scope scope,
    struct mr_str place, struct mr_str name, const char *reading);

/* The same for one without bytes of its own: it asks the rules about names, and is not listed. */
struct mr_object *mr_object_ask(struct mr_object *parent, enum mr_rule_scope scope,
    struct mr_str place, struct mr_str name, const char *reading);
void mr_object_feed(struct mr_object *o, struct mr_str bytes);
void mr_object_end(struct mr_object *o); /* NULL is nothing to end */

/* Applies the rules. */
void mr_object_found(
    struct mr_object *o, enum mr_rule_kind kind, struct mr_str value, struct mr_str name);
void mr_object_limit(struct mr_object *o, const char *which);

/* Applies the rules to a name as it came, in all its readings. */
void mr_object_named(struct mr_object *o, struct mr_str name);

/* The same for one reading, cleaned. */
void mr_object_name_reading(struct mr_object *o, struct mr_str name);

/* Counts a member of an archive; false: enough of them. */
bool mr_object_count_member(struct mr_object *o);

/* Gives up when it is late: for what may take long without bytes. */
void mr_exam_look_at_clock(struct mr_exam *x);

/* A fault of ours. */
void mr_exam_fault(struct mr_exam *x, const char *why);

/* Reads the message itself. */
void *mr_text_open(struct mr_object *o, bool is_message);

#endif
