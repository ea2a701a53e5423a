/* buf.h - bytes that grow up to a ceiling given at creation. */
#ifndef MR_BASE_BUF_H
#define MR_BASE_BUF_H

#include "base/str.h"

/* Once an addition does not fit or memory is out, `is_full` is set, that and all later additions
 * do nothing, and the owner checks once at the end. */
struct mr_buf {
	char *p;
	size_t n, cap, max;
	bool is_full;
};

/* `max`: ceiling in bytes.  Allocates nothing yet. */
void mr_buf_init(struct mr_buf *b, size_t max);
void mr_buf_free(struct mr_buf *b);

/* Empties, keeps the memory. */
void mr_buf_clear(struct mr_buf *b);

/* What is added must not be a view of the buffer itself. */
void mr_buf_add(struct mr_buf *b, struct mr_str s);
void mr_buf_adds(struct mr_buf *b, const char *cstr);
void mr_buf_addc(struct mr_buf *b, char c);
void mr_buf_addf(struct mr_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Room for `n` more bytes at p + n of the buffer; NULL (and is_full) if there is none. */
char *mr_buf_room(struct mr_buf *b, size_t n);

/* A view of the whole, valid until the next change. */
struct mr_str mr_buf_str(const struct mr_buf *b);

#endif
