/* mimefield.h - the values of Content-Type, Content-Transfer-Encoding and Content-Disposition, read in
 * every way in which some program may read them (RFC 7103; draft-chen-email-mime-ambiguity-defense).
 *
 * Where programs differ, the readings are a superset: a parameter is wherever its name and '=' stand,
 * in quotes, comments or neither, and its value ends at each of the places where it may end. */
#ifndef MR_MAIL_MIMEFIELD_H
#define MR_MAIL_MIMEFIELD_H

#include "base/str.h"

#define MR_MIME_PARAM_MAX 200u /* parameters of one field that are looked at */
#define MR_MIME_PARAM_BYTES \
	1024u /* of a longer value the last ones count: there the extension is */
#define MR_MIME_PARAM_LONG     8192u /* ... and a value that is longer than this is too long */
#define MR_MIME_PARAM_SECTIONS 100u  /* sections of a value by RFC 2231 section 3 */

/* Gets each reading, a view valid during the call; some come more than once. */
struct mr_mime_taker {
	void (*take)(void *ctx, struct mr_str reading);
	void *ctx;
};

/* In all of them a folded line is a '\n' in `value`, the blanks behind it included.  False: it has
 * more parameters or sections than are looked at, or a value that is too long. */

/* File names: parameters name and filename, by RFC 2231 and 2047 in every variant, cleaned: cut at
 * NUL, no path, no stream suffix, no marks of direction or of no width, no dots and blanks at the end. */
bool mr_mime_names(struct mr_str value, const struct mr_mime_taker *taker);

/* Boundaries, without blanks at the end. */
bool mr_mime_boundaries(struct mr_str value, const struct mr_mime_taker *taker);

/* Types in lower case: "text/plain". */
void mr_mime_types(struct mr_str value, const struct mr_mime_taker *taker);

/* What a Content-Transfer-Encoding may ask for. */
bool mr_mime_may_be_base64(struct mr_str value);
bool mr_mime_may_be_qp(struct mr_str value);

/* The same clean-up, and encoded words, for a name from elsewhere (an archive, uuencode). */
void mr_mime_clean_name(struct mr_str name, const struct mr_mime_taker *taker);

/* What follows the last dot of a cleaned name, without blanks round it; p NULL: no dot. */
struct mr_str mr_mime_extension(struct mr_str name);

/* Of UTF-16 the low bytes, '?' for what is not in ISO 8859-1; `is_be`: high byte first.  `out` has room for
 * in.n / 2 bytes; returns how many it got. */
size_t mr_mime_narrow(char *out, struct mr_str in, bool is_be);

#endif
