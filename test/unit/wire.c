/* Messages as they go out behind DATA: the same however the stream is cut, and never a lone CR or LF. */
#include "smtp/wire.h"

#include "../tap.h"

/* What comes out of `in` when it arrives as pieces cut at `a` and `b`; p NULL: refused. */
static struct mr_str
wire(struct mr_buf *out, struct mr_str in, size_t a, size_t b)
{
	struct mr_wire w = { .in_line = false };

	mr_buf_clear(out);
	if (!mr_wire_add(&w, (struct mr_str){ in.p, a }, out)
	    || !mr_wire_add(&w, (struct mr_str){ in.p + a, b - a }, out)
	    || !mr_wire_add(&w, (struct mr_str){ in.p + b, in.n - b }, out)
	    || !mr_wire_end(&w, out))
		return (struct mr_str){ NULL, 0 };
	return mr_buf_str(out);
}

int
main(void)
{
	static const struct {
		const char *in, *want;
	} t[] = {
		{ "", ".\r\n" },
		{ ".", "..\r\n.\r\n" },
		{ "a", "a\r\n.\r\n" },
		{ "a\r\n", "a\r\n.\r\n" },
		{ ".\r\n", "..\r\n.\r\n" },
		{ "a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n" },
		{ "a.\r\n..b\r\n\r\n.c", "a.\r\n...b\r\n\r\n..c\r\n.\r\n" },
		{ "\r\n\r\n", "\r\n\r\n.\r\n" },
		{ "a\n", NULL },
		{ "\n", NULL },
		{ "a\r", NULL },
		{ "a\rb\r\n", NULL },
		{ "a\r\r\n", NULL },
		{ "a\n\r\n", NULL },
		{ "a\r\n.\n.\r\n", NULL },
		{ "a\r\n\n.\r\n", NULL },
		{ "a\r\n.\r\r\n", NULL },
	};
	struct mr_buf out;

	mr_buf_init(&out, 1000);
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct mr_str in = mr_str(t[i].in);
		size_t a, b, cuts = 0, good = 0;

		is(wire(&out, in, 0, in.n), t[i].want, "whole");
		for (a = 0; a <= in.n; a++)
			for (b = a; b <= in.n; b++, cuts++) {
				struct mr_str got = wire(&out, in, a, b);

				good += t[i].want ? got.p && mr_str_is(got, t[i].want) : !got.p;
			}
		ok(cuts == good, "the same with each of %zu cuts", cuts);
	}
	mr_buf_free(&out);
	return done_testing();
}
