/* addr.c - a path, and an address: what is accepted has a canonical form that is its own, fits the
 * limits, and holds nothing that could end a line or a path. */
#include "mail/addr.h"

#include "fuzz.h"

static void
check(const struct mr_addr *a, struct mr_arena *arena)
{
	struct mr_addr again;
	struct mr_str text, path;

	must(mr_str_is_line(a->text) && mr_str_is_line(a->local) && mr_str_is_line(a->domain));
	must(a->text.n == a->local.n + 1 + a->domain.n && a->text.n <= MR_ADDR_MAX);
	must(mr_str_eq(a->text,
	    mr_arena_fmt(
	        arena, "%.*s@%.*s", (int)a->local.n, a->local.p, (int)a->domain.n, a->domain.p)));
	for (size_t i = 0; i < a->text.n; i++)
		must((unsigned char)a->text.p[i] >= ' ' && a->text.p[i] != 0x7f);
	must(a->is_literal == mr_domain_is_literal(a->domain));
	must(a->is_literal || mr_domain_is_valid(a->domain));
	must(mr_str_eq(a->domain, mr_arena_lower(arena, a->domain)));

	must(mr_addr_parse(&again, arena, a->text, NULL) == MR_OK);
	must(mr_str_eq(a->text, again.text) && mr_str_eq(a->local, again.local)
	    && mr_str_eq(a->domain, again.domain) && a->has_utf8 == again.has_utf8
	    && a->is_literal == again.is_literal);
	text = path = mr_arena_fmt(arena, "<%.*s> X", (int)a->text.n, a->text.p);
	must(mr_addr_parse_path(&again, arena, &text, NULL) == MR_OK);
	must(mr_str_eq(a->text, again.text) && mr_str_is(text, " X") && path.n > 3);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str s = fuzz_copy(data, size), rest = s;
	struct mr_arena arena;
	struct mr_addr a;

	mr_arena_init(&arena, 1 << 20);
	if (mr_addr_parse(&a, &arena, s, NULL) == MR_OK)
		check(&a, &arena);
	if (mr_addr_parse_path(&a, &arena, &rest, NULL) == MR_OK) {
		must(rest.p > s.p && rest.p + rest.n == s.p + s.n && rest.p[-1] == '>');
		must(a.is_null + a.is_postmaster + (a.domain.n > 0) == 1);
		if (a.domain.n)
			check(&a, &arena);
	} else {
		must(rest.p == s.p && rest.n == s.n);
	}
	mr_arena_free(&arena);
	fuzz_free(s);
	return 0;
}
