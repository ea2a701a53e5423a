/* The message after DATA against a plain second implementation, in steps and windows that the first two
 * bytes choose: where it ends, what is bare, what is kept. */
#include "smtp/body.h"

#include "../body_plain.h"
#include "fuzz.h"

#define LARGE (1u << 20)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str in = { (const char *)data + 2, size - 2 };
	struct mr_buf out;
	struct plain want;
	struct mr_body b;
	size_t used;
	bool is_end;

	if (size < 2 || size > LARGE)
		return 0;
	plain_run(&want, in, "mx.example", LARGE);
	mr_buf_init(&out, LARGE);
	mr_body_init(&b, "mx.example", plain_put, &out);
	is_end = plain_feed(&b, in, 1u + data[0], 32u + data[1], &used);
	must(is_end == want.is_end);
	must(b.intake.len == out.n && used <= in.n);
	if (is_end) {
		must(used == want.used && b.has_bare == want.has_bare
		    && b.intake.has_8bit == want.has_8bit);
		must(b.has_bare
		    || (b.intake.hops == want.hops
		        && mr_str_eq(mr_buf_str(&out), mr_buf_str(&want.out))));
	}
	mr_body_free(&b);
	mr_buf_free(&out);
	mr_buf_free(&want.out);
	return 0;
}
