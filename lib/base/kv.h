/* kv.h - words of the form name=value on one line: the log, and the queue's event files.
 * A value of plain printable ASCII stands as it is; any other stands in double quotes, where
 * \" \\ and \xHH are the only escapes, so that a line is always one line of ASCII. */
#ifndef MR_BASE_KV_H
#define MR_BASE_KV_H

#include "base/buf.h"

struct mr_field {
	const char *name;
	struct mr_str value; /* p NULL: the field is left out */
};

/* Adds " name=value" (no blank at the start of the buffer). */
void mr_kv_add(struct mr_buf *b, const char *name, struct mr_str value);

/* Takes the next word off `line`: its name, and its value with escapes undone into `value` (which is
 * cleared first).  False at the end (`line` is empty then), and at a word that is not of this form
 * or does not fit into `value` (`line` still begins with it). */
bool mr_kv_next(struct mr_str *line, struct mr_str *name, struct mr_buf *value);

#endif
