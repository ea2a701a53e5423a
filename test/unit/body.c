/* The message as it comes after DATA: cut anywhere, it gives the same; compared with a plain second
 * implementation. */
#include "smtp/body.h"

#include "../body_plain.h"
#include "../tap.h"

#define ID    "mx.example"
#define LARGE (1u << 20)

static const char *const inputs[] = {
	".\r\n",
	"Subject: x\r\n\r\nbody\r\n.\r\nQUIT\r\n",
	"Received: a\r\nreceived : b\r\n folded\r\n\r\nReceived: no\r\n..\r\n...x\r\n.\r\n",
	"Authentication-Results: mx.example; spf=pass\r\n more\r\nX: y\r\n.\r\n",
	"X: y\r\nAuthentication-Results:\r\n (c\r\n c) \"MX.example\"\r\n ; a=b\r\n\r\nz\r\n.\r\n",
	"Authentication-Results: other.example; a\r\n b\r\nAuthentication-Results: "
	"mx.example\r\n.\r\n",
	"Authentication-Results: (open\r\n comment\r\nX: y\r\n\r\n.\r\n",
	"authentication-results:mx.example;x\r\nauthentication-results:mx.example2;x\r\n\r\n\r\n."
	"\r\n",
	"a\n.\nb\r\n.\nc\n.\r\nd\r.\re\r\n.\rf\r\n.\r\r\n.\r\nMAIL\r\n",
	"Authentication-Results: mx.example; x\n y: z\r\n w\r\n\r\n.\r\n",
	"\n.\r\n\r\n.\r\n",
	".\n.\r\n.\r\n",
	"..\r\n.a\r\n .\r\n\t.\r\n.\r\n",
	"no colon\r\n folded\r\n: empty\r\nA\xe9: b\r\n\r\n\xff\r\n.\r\n",
	"without end\r\n",
	"\r\r\n.\r\n",
	"\r\n.\r\r\n.\r\n",
	"Authentication-Results                                        : mx.example; x\r\n.\r\n",
	"Authentication-Results                                        : o.example; x\r\n.\r\n",
	"Authentication-Results                                        \r\n : mx.example\r\n.\r\n",
	"authentication-results                                        no colon\r\n\r\n.\r\n",
	"authentication-results                                        \r\n folded\r\n\r\n.\r\n",
};

/* One run of the parser against the plain one. */
static bool
is_same(struct mr_str in, size_t step, size_t cap, const struct plain *want)
{
	struct mr_buf out;
	struct mr_body b;
	size_t used;
	bool is_end, same;

	mr_buf_init(&out, LARGE);
	mr_body_init(&b, ID, plain_put, &out);
	is_end = plain_feed(&b, in, step, cap, &used);
	same = is_end == want->is_end && b.has_bare == want->has_bare;
	if (is_end && same)
		same = used == want->used && b.intake.has_8bit == want->has_8bit
		    && b.intake.len == out.n;
	/* What holds a bare CR or LF is refused whole: where its lines begin does not matter. */
	if (is_end && same && !want->has_bare)
		same = b.intake.hops == want->hops
		    && mr_str_eq(mr_buf_str(&out), mr_buf_str(&want->out));
	if (!same)
		printf("# step %zu window %zu: end %d/%d bare %d/%d used %zu/%zu hops %u/%u\n"
		       "#  got: %.*s\n# want: %.*s\n",
		    step, cap, is_end, want->is_end, b.has_bare, want->has_bare, used, want->used,
		    b.intake.hops, want->hops, (int)out.n, out.n ? out.p : "", (int)want->out.n,
		    want->out.n ? want->out.p : "");
	mr_body_free(&b);
	mr_buf_free(&out);
	return same;
}

static void
test_cuts(void)
{
	for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
		struct mr_str in = mr_str(inputs[i]);
		struct plain want;
		bool same = true;

		plain_run(&want, in, ID, LARGE);
		for (size_t step = 1; step <= in.n && same; step++)
			same = is_same(in, step, 4096, &want);
		ok(same, "input %zu gives the same in steps of every size", i);
		/* A window of this size holds a field's name: longer lines come in pieces. */
		for (size_t cap = 32; cap <= in.n && same; cap++)
			same = is_same(in, 7, cap, &want) && is_same(in, cap, cap, &want);
		ok(same, "input %zu gives the same with windows of every size", i);
		mr_buf_free(&want.out);
	}
}

/* The first piece of `n` bytes, then the rest. */
static void
test_two_pieces(void)
{
	bool same = true;

	for (size_t i = 0; i < sizeof inputs / sizeof *inputs && same; i++) {
		struct mr_str in = mr_str(inputs[i]);

		for (size_t n = 0; n <= in.n && same; n++) {
			struct mr_buf one, two;
			struct mr_body a, b;
			bool ends[2] = { false, false };
			size_t used, more = 0;

			mr_buf_init(&one, LARGE);
			mr_buf_init(&two, LARGE);
			mr_body_init(&a, ID, plain_put, &one);
			mr_body_init(&b, ID, plain_put, &two);
			ends[0] = mr_body_feed(&a, in, false, &used);
			ends[1] = mr_body_feed(&b, (struct mr_str){ in.p, n }, false, &more);
			if (!ends[1]) {
				size_t first = more;

				ends[1] = mr_body_feed(&b, mr_str_from(in, first), false, &more);
				more += first;
			}
			same = ends[0] == ends[1] && used == more && a.has_bare == b.has_bare
			    && a.intake.hops == b.intake.hops
			    && mr_str_eq(mr_buf_str(&one), mr_buf_str(&two));
			mr_body_free(&a);
			mr_body_free(&b);
			mr_buf_free(&one);
			mr_buf_free(&two);
		}
	}
	ok(same, "every input cut in two at every byte gives the same as at once");
}

/* A field longer than what is held of it. */
static void
test_long_field(void)
{
	struct mr_buf in, out;
	struct mr_body b;
	size_t used;

	mr_buf_init(&in, LARGE);
	mr_buf_init(&out, LARGE);
	mr_buf_adds(&in, "Authentication-Results: (");
	for (unsigned i = 0; i < MR_INTAKE_HOLD_MAX; i++)
		mr_buf_adds(&in, i % 70 ? "c" : "\r\n ");
	mr_buf_adds(&in, ") mx.example; spf=pass\r\nX: y\r\n.\r\n");
	mr_body_init(&b, ID, plain_put, &out);
	ok(plain_feed(&b, mr_buf_str(&in), 1000, 32768, &used), "a field over the limit ends");
	is(mr_buf_str(&out), "X: y\r\n", "and is dropped: nobody can say whose it is");
	mr_body_free(&b);

	mr_buf_clear(&in);
	mr_buf_clear(&out);
	mr_buf_adds(&in, "Authentication-Results");
	for (unsigned i = 0; i < 40000; i++)
		mr_buf_addc(&in, ' ');
	mr_buf_adds(&in, ": mx.example; spf=pass\r\nX: y\r\n.\r\n");
	mr_body_init(&b, ID, plain_put, &out);
	ok(plain_feed(&b, mr_buf_str(&in), 4096, 32768, &used),
	    "more blanks before the colon than the window holds");
	is(mr_buf_str(&out), "X: y\r\n", "hide no field under our name");
	mr_body_free(&b);

	mr_buf_clear(&in);
	mr_buf_clear(&out);
	mr_buf_adds(&in, "Authentication-Results: other.example;\r\n");
	for (unsigned i = 0; i < MR_INTAKE_HOLD_MAX; i++)
		mr_buf_adds(&in, " x\r\n");
	mr_buf_adds(&in, ".\r\n");
	mr_body_init(&b, ID, plain_put, &out);
	ok(plain_feed(&b, mr_buf_str(&in), 1000, 32768, &used) && out.n == in.n - 3,
	    "one of another name may be as long as it likes");
	mr_body_free(&b);

	mr_buf_clear(&in);
	mr_buf_clear(&out);
	for (unsigned i = 0; i < 100000; i++)
		mr_buf_addc(&in, i % 500 ? '.' : '\r');
	mr_buf_adds(&in, "\r\n.\r\n");
	mr_body_init(&b, ID, plain_put, &out);
	ok(plain_feed(&b, mr_buf_str(&in), 4096, 32768, &used) && b.has_bare && used == in.n,
	    "CRs in a line longer than the window are bare");
	mr_body_free(&b);
	mr_buf_free(&in);
	mr_buf_free(&out);
}

static enum mr_status
full(void *ctx, struct mr_str bytes)
{
	unsigned *calls = ctx;

	(void)bytes;
	return ++*calls == 2 ? MR_TEMP : MR_OK;
}

static void
test_full_disk(void)
{
	unsigned calls = 0;
	struct mr_body b;
	size_t used;

	mr_body_init(&b, ID, full, &calls);
	ok(plain_feed(&b, MR_STR("a: b\r\nc: d\r\n\r\ne\r\n.\r\n"), 1, 100, &used),
	    "when the bytes cannot be put the input is read to its end");
	ok(b.intake.put_failed == MR_TEMP && calls == 2 && b.intake.len == 17,
	    "the first status stays, put is not called again, the length counts all");
	mr_body_free(&b);
}

int
main(void)
{
	test_cuts();
	test_two_pieces();
	test_long_field();
	test_full_disk();
	return done_testing();
}
