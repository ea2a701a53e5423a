/* arena.h - memory that is given back all at once; one a transaction. */
#ifndef MR_BASE_ARENA_H
#define MR_BASE_ARENA_H

#include "base/str.h"

struct mr_arena_chunk;

struct mr_arena {
	struct mr_arena_chunk *chunks; /* newest first */
	size_t used, max;              /* bytes over all chunks; ceiling */
};

/* `max`: ceiling in bytes of all that is allocated.  Allocates nothing yet. */
void mr_arena_init(struct mr_arena *a, size_t max);

/* Gives everything back; the arena can be used again. */
void mr_arena_free(struct mr_arena *a);

/* `n` bytes, zeroed, aligned for any type; NULL when out of memory or over the ceiling. */
void *mr_arena_alloc(struct mr_arena *a, size_t n);

/* A copy with a NUL behind it (not counted); p is NULL when there is no memory. */
struct mr_str mr_arena_dup(struct mr_arena *a, struct mr_str s);

/* What others wrote, for people: at most `max` bytes of its front, and '?' for each that is not printable ASCII or
 * stands in `without`.  p is NULL when there is no memory. */
struct mr_str mr_arena_shown(struct mr_arena *a, struct mr_str s, size_t max, const char *without);

/* printf into the arena; p is NULL when there is no memory. */
struct mr_str
mr_arena_fmt(struct mr_arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* An array `*v` of `*cap` elements of `size` bytes, of which `n` are used, gets room for one more
 * (doubling, in the arena).  False when there is no memory. */
bool mr_arena_grow(struct mr_arena *a, void *v, size_t n, size_t *cap, size_t size);

#endif
