/* decode.c - each decoder: the same bytes whatever the pieces; never more than it can have. */
#include "mail/decode.h"

#include "fuzz.h"

static void
add(void *ctx, struct mr_str s)
{
	must(s.n > 0 && s.n <= 4096);
	mr_buf_add(ctx, s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_buf whole, pieces;
	struct mr_decoder a, b;
	struct mr_str s;

	if (size == 0)
		return 0;
	s = fuzz_copy(data + 1, size - 1);
	mr_buf_init(&whole, 256 * size);
	mr_buf_init(&pieces, 256 * size);
	mr_decoder_init(&a, (enum mr_codec)(data[0] % (MR_CODEC_BINHEX + 1)));
	mr_decoder_init(&b, a.codec);
	mr_decode(&a, s, add, &whole);
	must(!whole.is_full);
	if (a.codec != MR_CODEC_UU && a.codec != MR_CODEC_XX) {
		for (size_t i = 0; i < s.n; i++)
			mr_decode(&b, (struct mr_str){ s.p + i, 1 }, add, &pieces);
		must(mr_str_eq(mr_buf_str(&whole), mr_buf_str(&pieces)));
	} else
		(void)mr_decode_is_line(a.codec, s);
	mr_buf_free(&whole);
	mr_buf_free(&pieces);
	fuzz_free(s);
	return 0;
}
