/* greylist.c - a sender, and a host name behind 4 or 16 bytes of address: keys grow no more than the constants in
 * them, end in the domain, and are the same each time. */
#include "check/greylist_key.h"
#include "mail/addr.h"

#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str s = fuzz_copy(data, size), key, domain;
	struct mr_ip ip = { .is_v6 = size > 20 };
	size_t n = ip.is_v6 ? 16 : 4;
	struct mr_arena arena;

	mr_arena_init(&arena, 1 << 20);
	key = mr_greylist_sender(&arena, s);
	if (key.p) {
		domain = mr_arena_lower(&arena, mr_str_from(s, (size_t)(mr_str_rchr(s, '@') + 1)));
		must(key.n <= s.n + sizeof "srs1==+");
		must(mr_str_eq(key, mr_greylist_sender(&arena, mr_arena_lower(&arena, s))));
		if (mr_str_chr(s, '@') >= 0)
			must(mr_str_eq(mr_str_from(key, key.n - domain.n), domain));
	}
	if (size >= n) {
		memcpy(ip.b, data, n);
		mr_greylist_is_generic(mr_str_from(s, n), &ip);
	}
	mr_arena_free(&arena);
	fuzz_free(s);
	return 0;
}
