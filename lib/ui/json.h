/* json.h - JSON (RFC 8259) for programs, written to a buffer: strings made safe; the braces are the
 * caller's. */
#ifndef MR_UI_JSON_H
#define MR_UI_JSON_H

#include "base/buf.h"

/* Appends the string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void mr_json_str(struct mr_buf *out, struct mr_str s);

/* Appends "name":"value" or "name":n, with a comma before it unless it is the first of an object. */
void mr_json_field(struct mr_buf *out, const char *name, struct mr_str value);
void mr_json_num(struct mr_buf *out, const char *name, int64_t n);

#endif
