/* envelope.h - the record: what is known of a transaction, as name=value attributes.
 * Text form, mr-envelope(5): one "name=value" a line and an empty line, as in Postfix's policy
 * delegation protocol.  "recipient" may repeat; the attributes of a recipient (those of
 * mr_env_is_rcpt_attr) belong to the recipient= line before them. */
#ifndef MR_MAIL_ENVELOPE_H
#define MR_MAIL_ENVELOPE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/io.h"

#define MR_ENV_MAX      (4u << 20) /* bytes of a record's text */
#define MR_ENV_LINE_MAX 16384u     /* bytes of one line */
#define MR_ENV_NAME_MAX 64u        /* bytes of a name */
#define MR_ENV_RCPT_MAX 10000u     /* recipients */
#define MR_ENV_ATTR_MAX 1000u      /* attributes of a message, or of one recipient */

struct mr_attr {
	struct mr_str name, value;
};

struct mr_attrs {
	struct mr_attr *v;
	size_t n, cap;
};

struct mr_rcpt {
	struct mr_str addr; /* local@domain, as in Postfix: no angle brackets */
	struct mr_attrs attrs;
};

/* Names and values live in `arena`, which is the caller's. */
struct mr_env {
	struct mr_arena *arena;
	struct mr_attrs attrs; /* of the message, in order */
	struct mr_rcpt *rcpt;
	size_t rcpt_n, rcpt_cap;
};

void mr_env_init(struct mr_env *env, struct mr_arena *arena);

/* The value of an attribute of the message; "recipient" is that of the first recipient.
 * p is NULL if it is not there. */
struct mr_str mr_env_get(const struct mr_env *env, const char *name);
struct mr_str mr_attrs_get(const struct mr_attrs *attrs, const char *name);

/* Sets (replaces) an attribute; bytes are copied.  MR_PERM: the name is not [a-z0-9_]+ or too long,
 * or the value holds NUL, CR or LF or is too long, or it would be one more than MR_ENV_ATTR_MAX;
 * MR_TEMP: no memory.  Nothing is set then.  For recipients there is mr_env_add_rcpt only. */
enum mr_status
mr_env_set(struct mr_env *env, struct mr_str name, struct mr_str value, struct mr_err *err);
enum mr_status mr_attrs_set(struct mr_attrs *attrs, struct mr_arena *arena, struct mr_str name,
    struct mr_str value, struct mr_err *err);

/* Appends a recipient: env->rcpt[env->rcpt_n - 1].  Statuses as of mr_env_set; MR_PERM also for one
 * more than MR_ENV_RCPT_MAX. */
enum mr_status mr_env_add_rcpt(struct mr_env *env, struct mr_str addr, struct mr_err *err);

/* The same with all that belongs to `from`, copied. */
enum mr_status mr_env_copy_rcpt(
    struct mr_env *env, struct mr_str addr, const struct mr_rcpt *from, struct mr_err *err);

/* True if there is this recipient, to the letter. */
bool mr_env_has_rcpt(const struct mr_env *env, struct mr_str addr);

/* original_recipient, dsn_orcpt, dsn_notify: attributes that belong to a recipient. */
bool mr_env_is_rcpt_attr(struct mr_str name);

/* Takes one line of a record's text (without its line end) into `env`.  MR_OK, MR_TEMP, MR_PERM. */
enum mr_status mr_env_add_line(struct mr_env *env, struct mr_str line, struct mr_err *err);

/* Reads a whole record from text; lines end in LF or CRLF, an empty line or the end of the text
 * ends it; *used is what was taken, that line included.  Reasons name the line's number. */
enum mr_status
mr_env_parse(struct mr_env *env, struct mr_str text, size_t *used, struct mr_err *err);

/* The next record from a stream.  MR_NOTFOUND: the input ended before it began; MR_PERM: bad record, or
 * the input ended within it; MR_TEMP: no memory, read error, deadline. */
enum mr_status
mr_env_read(struct mr_env *env, struct mr_reader *in, int64_t deadline_ms, struct mr_err *err);

/* The one record that `fd` gives, its empty line included or not; what is behind it may be read, too.
 * Statuses as of mr_env_read. */
enum mr_status mr_env_read_fd(struct mr_env *env, int fd, struct mr_err *err);

/* Takes over all attributes of `from` (replacing those of the same name) without copying bytes:
 * they live on in from's arena.  Recipients are left alone.  MR_TEMP: no memory; MR_PERM: more than
 * MR_ENV_ATTR_MAX. */
enum mr_status mr_env_join(struct mr_env *to, const struct mr_env *from, struct mr_err *err);

/* Appends the text form, empty line included; recipients stand last. */
void mr_env_write(const struct mr_env *env, struct mr_buf *out);

#endif
