/* text.h - keys, values and entries as lines of text: what mr-state(1) prints and reads. */
#ifndef MR_STORE_TEXT_H
#define MR_STORE_TEXT_H

#include "base/buf.h"
#include "store/store.h"

/* Bytes of the longest line, without its LF. */
#define MR_STORE_LINE_MAX (4 * (MR_STORE_KEY_MAX + MR_STORE_VALUE_MAX) + MR_NUM_MAX + 2)

/* Printable ASCII as it is, a backslash as \\, any other byte as \xHH. */
void mr_store_text_add(struct mr_buf *out, struct mr_str bytes);

/* The bytes that `text` stands for, appended to `out`; MR_PERM: a backslash that begins neither \\ nor
 * \xHH, or more than the buffer holds. */
enum mr_status mr_store_text_read(struct mr_buf *out, struct mr_str text, struct mr_err *err);

/* "expires<TAB>key<TAB>value<LF>": the second (since 1970) of its death, then the two as text. */
void mr_store_line_add(struct mr_buf *out, const struct mr_store_entry *entry, int64_t now_s);

/* Such a line without its LF; key and value are views of `bytes`, which is cleared first and has a ceiling
 * of at least MR_STORE_KEY_MAX + MR_STORE_VALUE_MAX.  left_s is at most MR_STORE_TTL_MAX_S, and 0 or less for an
 * entry that is dead by now.  MR_PERM: not such a line, or beyond a limit of store.h. */
enum mr_status mr_store_line_read(struct mr_store_entry *entry, struct mr_buf *bytes,
    struct mr_str line, int64_t now_s, struct mr_err *err);

#endif
