/* Tables for people. */
#include "ui/columns.h"

#include "../tap.h"

static void
test_table(void)
{
	struct mr_columns c;
	struct mr_arena arena;
	struct mr_buf b;

	mr_arena_init(&arena, 1 << 16);
	mr_buf_init(&b, 1000);
	mr_columns_init(&c, 3, &arena);
	mr_columns_cell(&c, MR_STR("a"), MR_RED);
	mr_columns_cell(&c, MR_STR("b\xc3\xbc"), MR_PLAIN);
	mr_columns_cell(&c, MR_STR("last, no blanks behind it"), MR_PLAIN);
	mr_columns_cell(&c, MR_STR("long"), MR_PLAIN);
	mr_columns_cell(&c, MR_STR(""), MR_PLAIN);
	mr_columns_cell(&c, MR_STR("x"), MR_GREEN);
	mr_columns_write(&b, &c, false);
	is(mr_buf_str(&b), "a     b\xc3\xbc  last, no blanks behind it\nlong      x\n",
	    "as wide as the widest, in characters");
	mr_buf_clear(&b);
	mr_columns_write(&b, &c, true);
	is(mr_buf_str(&b),
	    "\033[31ma\033[0m     b\xc3\xbc  last, no blanks behind it\nlong      "
	    "\033[32mx\033[0m\n",
	    "colours do not count");
	mr_buf_free(&b);
	mr_arena_free(&arena);
}

static void
test_safe(void)
{
	struct mr_buf b;

	mr_buf_init(&b, 1000);
	mr_colour_write(&b, MR_STR("a\033[2Jb\r\n\x7f\xff\xc2\x9bz\xc2\xa0"), MR_PLAIN, true);
	is(mr_buf_str(&b), "a?[2Jb?????z\xc2\xa0", "control characters never reach a terminal");
	mr_buf_free(&b);
}

int
main(void)
{
	struct mr_columns c;
	struct mr_arena arena;

	test_table();
	test_safe();
	mr_arena_init(&arena, 64);
	mr_columns_init(&c, 1, &arena);
	for (int i = 0; i < 100; i++)
		mr_columns_cell(&c, MR_STR("x"), MR_PLAIN);
	ok(c.is_full, "no memory is noticed");
	mr_arena_free(&arena);
	return done_testing();
}
