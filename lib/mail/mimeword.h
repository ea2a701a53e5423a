/* mimeword.h - names in their encodings: encoded words (RFC 2047), percent signs (RFC 2231 4), charsets
 * that hide ASCII, and the clean-up. */
#ifndef MR_MAIL_MIMEWORD_H
#define MR_MAIL_MIMEWORD_H

#include "mail/mimefield.h"

/* All readings of one value as a name, cleaned. */
void mr_mime_word_readings(struct mr_str value, const struct mr_mime_taker *taker);

/* Undoes %xx; a charset and language in front (RFC 2231 4: utf-8'en'x) is left off.  `out` has room for
 * value.n bytes. */
struct mr_str mr_mime_unpercent(char *out, struct mr_str value);

/* Undoes the encoded words in `value`, wherever they stand, into `out` of MR_MIME_WORDS_MAX bytes; what does
 * not fit is cut. */
#define MR_MIME_WORDS_MAX 2048u
struct mr_str mr_mime_unword(char *out, struct mr_str value);

#endif
