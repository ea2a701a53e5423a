#include "mail/idn.h"

#include "../tap.h"
#include "mail/addr.h"

int
main(void)
{
	static const struct {
		const char *domain, *want; /* want NULL: none */
	} v[] = {
		{ "example.org", "example.org" },
		{ "EXAMPLE.org", "EXAMPLE.org" },
		{ "", "" },
		{ "[192.0.2.1]", "[192.0.2.1]" },
		{ "b\xc3\xbc"
		  "cher.example",
		    "xn--bcher-kva.example" },
		{ "B\xc3\x9c"
		  "CHER.example",
		    "xn--bcher-kva.example" },
		{ "bu\xcc\x88"
		  "cher.example",
		    "xn--bcher-kva.example" },
		{ "fa\xc3\x9f.example", "xn--fa-hia.example" },
		{ "\xe4\xbe\x8b\xe3\x81\x88.\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88",
		    "xn--r8jz45g.xn--zckzah" },
		{ "b\xfc"
		  "cher.example",
		    NULL },
		{ "\xcc\x88.example", NULL },
	};
	static char longest[MR_DOMAIN_MAX + 2];
	struct mr_arena arena;
	struct mr_str out;

	mr_arena_init(&arena, 65536);
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		enum mr_status st = mr_domain_to_ascii(&out, &arena, mr_str(v[i].domain), NULL);

		ok(st == (v[i].want ? MR_OK : MR_PERM), "domain %zu", i);
		if (st == MR_OK)
			is(out, v[i].want, "its A-labels");
	}
	memset(longest, 'a', MR_DOMAIN_MAX + 1);
	memcpy(longest, "\xc3\xbc", 2);
	ok(mr_domain_to_ascii(&out, &arena, mr_str(longest), NULL) == MR_PERM, "too long");
	ok(mr_domain_to_ascii(&out, &arena, MR_STR("\xc3\xbc.a\0b"), NULL) == MR_PERM, "a NUL");
	mr_arena_free(&arena);
	mr_arena_init(&arena, 8);
	ok(mr_domain_to_ascii(&out, &arena, mr_str(v[4].domain), NULL) == MR_TEMP, "no memory");
	mr_arena_free(&arena);
	return done_testing();
}
