/* arena.c - lib/base/arena. */
#include "base/arena.h"

#include "../tap.h"

#include <stdlib.h>

static void
ceiling(void)
{
	struct mr_arena a;
	size_t n = 0;

	mr_arena_init(&a, 4096);
	while (mr_arena_alloc(&a, 1))
		n++;
	ok(a.used <= a.max && n >= 200, "small pieces up to the ceiling: %zu", n);
	mr_arena_free(&a);
	ok(a.used == 0 && mr_arena_alloc(&a, 1), "usable again after free");
	mr_arena_free(&a);
	ok(!mr_arena_alloc(&a, 4097), "one over the ceiling");
	ok(mr_arena_alloc(&a, 4000) && !mr_arena_alloc(&a, 100), "both together over it");
	ok(!mr_arena_alloc(&a, SIZE_MAX) && !mr_arena_alloc(&a, SIZE_MAX - 15), "no wrap of sizes");
	ok(!mr_arena_dup(&a, (struct mr_str){ "x", 5000 }).p, "dup over it");
	ok(!mr_arena_fmt(&a, "%5000d", 1).p, "printf over it");
	mr_arena_free(&a);

	mr_arena_init(&a, 0);
	ok(!mr_arena_alloc(&a, 0), "a ceiling of 0");
	mr_arena_init(&a, SIZE_MAX);
	ok(!mr_arena_alloc(&a, SIZE_MAX - 16), "no wrap without a ceiling");
	mr_arena_free(&a);
}

static void
grow(void)
{
	struct mr_arena a;
	int *v = NULL;
	size_t n = 0, cap = 0;
	bool is_right = true;

	mr_arena_init(&a, 4096);
	while (mr_arena_grow(&a, &v, n, &cap, sizeof *v)) {
		v[n] = (int)n;
		n++;
	}
	for (size_t i = 0; i < n; i++)
		is_right = is_right && v[i] == (int)i;
	ok(n == cap && n >= 256 && is_right, "an array grows until memory ends, values kept: %zu",
	    n);
	cap = SIZE_MAX / 4;
	ok(!mr_arena_grow(&a, &v, cap, &cap, sizeof *v), "no wrap of array sizes");
	mr_arena_free(&a);
}

int
main(void)
{
	struct mr_arena a;
	struct mr_str s;
	unsigned char *p, *q;
	bool is_zero = true;

	mr_arena_init(&a, 1 << 20);
	p = mr_arena_alloc(&a, 3);
	q = mr_arena_alloc(&a, 3);
	ok(p && q && (uintptr_t)p % _Alignof(max_align_t) == 0
	        && (uintptr_t)q % _Alignof(max_align_t) == 0,
	    "aligned");
	ok(q >= p + 3 || p >= q + 3, "apart");
	ok((p = mr_arena_alloc(&a, 100000)), "larger than a chunk");
	for (size_t i = 0; i < 100000; i++)
		is_zero = is_zero && p[i] == 0;
	ok(is_zero, "zeroed");

	s = mr_arena_dup(&a, MR_STR("a\0b"));
	ok(s.n == 3 && memcmp(s.p, "a\0b", 4) == 0, "dup, NUL inside and behind");
	s = mr_arena_dup(&a, (struct mr_str){ NULL, 0 });
	ok(s.p && s.n == 0 && s.p[0] == '\0', "dup of what is not there is empty");
	is(mr_arena_fmt(&a, "%s=%d", "x", 5), "x=5", "printf");
	is(mr_arena_fmt(&a, "%s", ""), "", "printf of nothing is there");
	mr_arena_free(&a);
	mr_arena_free(&a);
	ok(!a.chunks, "freed twice");
	ceiling();
	grow();
	mr_arena_init(&a, 4096);
	is(mr_arena_shown(&a, MR_STR("a\"b\0c\x7f\xc3\n"), 100, "\""), "a?b?c???",
	    "what others wrote");
	is(mr_arena_shown(&a, MR_STR("abcdef"), 3, ""), "abc", "no more than is asked for");
	mr_arena_free(&a);
	mr_arena_init(&a, 0);
	ok(!mr_arena_shown(&a, MR_STR("abc"), 3, "").p, "no memory");
	return done_testing();
}
