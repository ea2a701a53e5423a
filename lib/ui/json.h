/* json.h - flat output for programs (RFC 8259). */
#ifndef MR_UI_JSON_H
#define MR_UI_JSON_H

#include "base/buf.h"

/* Appends a JSON string with its quotes.  What is not UTF-8 becomes U+FFFD. */
void mr_json_str(struct mr_buf *out, struct mr_str s);

/* Appends `, "name": ` (without the comma behind an opening brace). */
void mr_json_name(struct mr_buf *out, const char *name);

#endif
