/* str.h - views of bytes: never freed, never NUL-terminated unless said. */
#ifndef MR_BASE_STR_H
#define MR_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct mr_str {
	const char *p; /* NULL: not there */
	size_t n;
};

#define MR_STR(literal) ((struct mr_str){ "" literal, sizeof(literal) - 1 })

/* A view of a C string; NULL gives a view that is not there. */
struct mr_str mr_str(const char *cstr);

/* Equality; the case variants fold ASCII letters only. */
static inline bool
mr_str_eq(struct mr_str a, struct mr_str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool mr_str_is(struct mr_str a, const char *cstr);
bool mr_str_caseeq(struct mr_str a, struct mr_str b);
bool mr_str_caseis(struct mr_str a, const char *cstr);
bool mr_str_starts(struct mr_str a, const char *prefix);
bool mr_str_casestarts(struct mr_str a, const char *prefix);
bool mr_str_caseholds(struct mr_str a, const char *word);

/* Index of the first / last `c`, or -1. */
ptrdiff_t mr_str_chr(struct mr_str a, char c);
ptrdiff_t mr_str_rchr(struct mr_str a, char c);

/* What is left after `n` bytes (n at most a.n). */
struct mr_str mr_str_from(struct mr_str a, size_t n);

/* Without blanks (space, tab) at both ends. */
struct mr_str mr_str_trim(struct mr_str a);

/* Takes the piece up to the next `sep` off `rest` into `piece`; false when nothing is left.
 * "a,,b" has three pieces, "" one empty piece, a view that is not there none. */
bool mr_str_split(struct mr_str *rest, char sep, struct mr_str *piece);

/* Takes the next word (ends at a blank) off `rest`; a view of length 0 when none is left. */
struct mr_str mr_str_word(struct mr_str *rest);

/* A decimal number of digits only, at most `max`; false for anything else. */
bool mr_str_num(struct mr_str a, uint64_t max, uint64_t *out);

/* True if no byte is NUL, CR or LF: what may stand in a line of ours. */
bool mr_str_is_line(struct mr_str a);

/* For hash tables of ours: FNV-1a, 32 bits. */
uint32_t mr_str_hash(struct mr_str a);

/* Length of the well-formed UTF-8 sequence (RFC 3629) of 2 to 4 bytes at the start of s, or 0. */
size_t mr_utf8_len(struct mr_str s);

/* ASCII only. */
static inline int
mr_lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

#endif
