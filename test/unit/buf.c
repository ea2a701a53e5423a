/* buf.c - lib/base/buf. */
#include "base/buf.h"

#include "../tap.h"

int
main(void)
{
	struct mr_buf b;
	char *to;

	mr_buf_init(&b, 10);
	is(mr_buf_str(&b), "", "empty is a view that is there");
	mr_buf_free(&b);
	mr_buf_adds(&b, "12345");
	mr_buf_addc(&b, '6');
	mr_buf_addf(&b, "%d", 7890);
	is(mr_buf_str(&b), "1234567890", "filled to its ceiling, by printf last");
	ok(!b.is_full, "which is not too much");
	mr_buf_adds(&b, "");
	ok(!b.is_full, "nothing fits always");
	mr_buf_addc(&b, 'x');
	ok(b.is_full && b.n == 10, "one more does not fit");
	b.n = 1; /* there is room again, but */
	mr_buf_adds(&b, "a");
	ok(b.n == 1 && b.is_full, "full stays full until it is cleared");
	mr_buf_clear(&b);
	mr_buf_adds(&b, "12345678901");
	ok(b.is_full && b.n == 0, "an addition fits whole or not at all");
	mr_buf_clear(&b);
	mr_buf_addf(&b, "%s", "12345678901");
	ok(b.is_full && b.n == 0, "printf, too");
	mr_buf_clear(&b);
	mr_buf_addf(&b, "%s", "");
	mr_buf_add(&b, (struct mr_str){ NULL, 0 });
	ok(!b.is_full && b.n == 0, "empty additions");
	mr_buf_add(&b, MR_STR("a\0b"));
	ok(b.n == 3 && memcmp(b.p, "a\0b", 3) == 0, "NUL is a byte like others");
	mr_buf_free(&b);
	ok(!b.p && b.cap == 0 && b.max == 10, "free keeps the ceiling");

	ok(mr_buf_room(&b, 0) && !b.is_full, "room for nothing is there");
	ok((to = mr_buf_room(&b, 10)) && !mr_buf_room(&b, 11) && b.is_full,
	    "room up to the ceiling");
	mr_buf_clear(&b);
	ok(!mr_buf_room(&b, SIZE_MAX) && b.is_full, "no wrap of sizes");
	mr_buf_free(&b);

	mr_buf_init(&b, 1000);
	for (int i = 0; i < 1000; i++)
		mr_buf_addc(&b, (char)('a' + i % 26));
	ok(!b.is_full && b.n == 1000 && b.cap == 1000, "grows by doubling, up to the ceiling");
	mr_buf_free(&b);

	mr_buf_init(&b, 0);
	mr_buf_addc(&b, 'x');
	ok(b.is_full && b.n == 0, "a ceiling of 0");
	mr_buf_free(&b);
	return done_testing();
}
