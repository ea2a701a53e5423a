/* kv.c - lib/base/kv. */
#include "base/kv.h"

#include "../tap.h"

static void
writes(void)
{
	const struct {
		struct mr_str value;
		const char *want;
	} t[] = { { MR_STR("plain"), "n=plain" }, { MR_STR(""), "n=\"\"" },
		{ MR_STR("a b"), "n=\"a b\"" }, { MR_STR("a=b"), "n=a=b" },
		{ MR_STR("say \"x\""), "n=\"say \\\"x\\\"\"" }, { MR_STR("a\\b"), "n=\"a\\\\b\"" },
		{ MR_STR("a\r\nb\0c"), "n=\"a\\x0d\\x0ab\\x00c\"" },
		{ MR_STR("\x7f\x80\xff"), "n=\"\\x7f\\x80\\xff\"" },
		{ MR_STR("\tx"), "n=\"\\x09x\"" } };

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		char mem[64];
		struct mr_str line, name;
		struct mr_buf b, v;

		mr_buf_init(&b, 100);
		mr_buf_init(&v, 100);
		mr_kv_add(&b, "n", t[i].value);
		is(mr_buf_str(&b), t[i].want, t[i].want);
		memcpy(mem, b.p, b.n);
		line = (struct mr_str){ mem, b.n };
		ok(mr_kv_next(&line, &name, &v) && mr_str_is(name, "n")
		        && mr_str_eq(mr_buf_str(&v), t[i].value) && line.n == 0,
		    "and back");
		mr_buf_free(&b);
		mr_buf_free(&v);
	}
}

static void
bad_words(void)
{
	static const char *const t[] = { "word", "=x", "a b=c", "a\tb=c", "a=\"", "a=\"x",
		"a=\"x\\", "a=\"x\\\"", "a=\"\\x4\"", "a=\"\\xg0\"", "a=\"\\n\"", "a=\"x\"y",
		"a=\"x\"b=c" };
	struct mr_buf v;

	mr_buf_init(&v, 100);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct mr_str line = mr_str(t[i]), name;

		ok(!mr_kv_next(&line, &name, &v), "no word: %s", t[i]);
		is(line, t[i], "it is not taken");
	}
	mr_buf_free(&v);
}

int
main(void)
{
	struct mr_str line = MR_STR(" a=1\t b=\"x y\"  c= d=2 "), name;
	struct mr_buf v;

	writes();
	bad_words();
	mr_buf_init(&v, 4);
	ok(mr_kv_next(&line, &name, &v) && mr_str_is(name, "a"), "first");
	is(mr_buf_str(&v), "1", "its value");
	ok(mr_kv_next(&line, &name, &v) && mr_str_is(name, "b"), "second");
	is(mr_buf_str(&v), "x y", "its value without quotes");
	ok(mr_kv_next(&line, &name, &v) && mr_str_is(name, "c"), "third");
	is(mr_buf_str(&v), "", "a value that is not there is empty");
	ok(mr_kv_next(&line, &name, &v) && mr_str_is(name, "d"), "fourth");
	is(mr_buf_str(&v), "2", "its value");
	ok(!mr_kv_next(&line, &name, &v) && line.n == 0, "the end");
	line = MR_STR("a=1234 b=\"12345\"");
	ok(mr_kv_next(&line, &name, &v), "a value up to the ceiling");
	ok(!mr_kv_next(&line, &name, &v) && line.n, "a value over it is no word");
	line = MR_STR("a=12345");
	ok(!mr_kv_next(&line, &name, &v) && line.n, "nor without quotes");
	mr_buf_free(&v);
	return done_testing();
}
