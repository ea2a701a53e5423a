#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 256

void
mr_buf_init(struct mr_buf *b, size_t max)
{
	*b = (struct mr_buf){ .max = max };
}

void
mr_buf_free(struct mr_buf *b)
{
	free(b->p);
	mr_buf_init(b, b->max);
}

void
mr_buf_clear(struct mr_buf *b)
{
	b->n = 0;
	b->is_full = false;
}

char *
mr_buf_room(struct mr_buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : FIRST_CAP;
	char *p;

	if (b->is_full || n > b->max - b->n) {
		b->is_full = true;
		return NULL;
	}
	if (b->p && b->n + n <= b->cap)
		return b->p + b->n;
	while (cap < b->n + n)
		cap = cap > b->max / 2 ? b->max : cap * 2;
	p = realloc(b->p, cap + 1); /* one more for the NUL of mr_buf_addf */
	if (!p) {
		b->is_full = true;
		return NULL;
	}
	b->p = p;
	b->cap = cap;
	return b->p + b->n;
}

void
mr_buf_add(struct mr_buf *b, struct mr_str s)
{
	char *to;

	if (s.n == 0 || !(to = mr_buf_room(b, s.n)))
		return;
	memcpy(to, s.p, s.n);
	b->n += s.n;
}

void
mr_buf_adds(struct mr_buf *b, const char *cstr)
{
	mr_buf_add(b, mr_str(cstr));
}

void
mr_buf_addc(struct mr_buf *b, char c)
{
	mr_buf_add(b, (struct mr_str){ &c, 1 });
}

void
mr_buf_addf(struct mr_buf *b, const char *fmt, ...)
{
	va_list ap, again;
	char *to;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		b->is_full = true;
	else if ((to = mr_buf_room(b, (size_t)n))) {
		vsnprintf(to, (size_t)n + 1, fmt, again);
		b->n += (size_t)n;
	}
	va_end(again);
}

struct mr_str
mr_buf_str(const struct mr_buf *b)
{
	return (struct mr_str){ b->p ? b->p : "", b->n };
}
