#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_MIN 2048
#define ALIGN     (_Alignof(max_align_t))

struct mr_arena_chunk {
	struct mr_arena_chunk *next;
	size_t used, cap;
	_Alignas(max_align_t) char data[];
};

void
mr_arena_init(struct mr_arena *a, size_t max)
{
	*a = (struct mr_arena){ .max = max };
}

void
mr_arena_free(struct mr_arena *a)
{
	while (a->chunks) {
		struct mr_arena_chunk *next = a->chunks->next;

		free(a->chunks);
		a->chunks = next;
	}
	a->used = 0;
}

void *
mr_arena_alloc(struct mr_arena *a, size_t n)
{
	struct mr_arena_chunk *c = a->chunks;
	void *p;

	if (n > a->max - a->used || a->max - a->used - n < ALIGN)
		return NULL;
	n = (n + ALIGN - 1) & ~(ALIGN - 1);
	if (!c || c->cap - c->used < n) {
		size_t cap = n > CHUNK_MIN ? n : CHUNK_MIN;

		c = cap > SIZE_MAX - sizeof *c ? NULL : malloc(sizeof *c + cap);
		if (!c)
			return NULL;
		*c = (struct mr_arena_chunk){ .next = a->chunks, .cap = cap };
		a->chunks = c;
	}
	p = c->data + c->used;
	c->used += n;
	a->used += n;
	return memset(p, 0, n);
}

struct mr_str
mr_arena_dup(struct mr_arena *a, struct mr_str s)
{
	char *p = mr_arena_alloc(a, s.n + 1);

	if (!p)
		return (struct mr_str){ NULL, 0 };
	if (s.n)
		memcpy(p, s.p, s.n);
	return (struct mr_str){ p, s.n };
}

struct mr_str
mr_arena_shown(struct mr_arena *a, struct mr_str s, size_t max, const char *without)
{
	size_t n = s.n < max ? s.n : max;
	char *p = mr_arena_alloc(a, n + 1);

	for (size_t i = 0; p && i < n; i++)
		p[i] = s.p[i] < ' ' || s.p[i] > '~' || strchr(without, s.p[i]) ? '?' : s.p[i];
	return (struct mr_str){ p, p ? n : 0 };
}

struct mr_str
mr_arena_fmt(struct mr_arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *p = NULL;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n >= 0 && (p = mr_arena_alloc(a, (size_t)n + 1)))
		vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return (struct mr_str){ p, p ? (size_t)n : 0 };
}

bool
mr_arena_grow(struct mr_arena *a, void *v, size_t n, size_t *cap, size_t size)
{
	size_t want = *cap ? *cap * 2 : 4;
	void *old, *new;

	if (n < *cap)
		return true;
	if (want > SIZE_MAX / size || !(new = mr_arena_alloc(a, want * size)))
		return false;
	memcpy(&old, v, sizeof old);
	if (n)
		memcpy(new, old, n * size);
	memcpy(v, &new, sizeof new);
	*cap = want;
	return true;
}
