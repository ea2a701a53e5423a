/* mimefield.c - one field's readings: bounded in number and length, names without path and marks. */
#include "mail/mimefield.h"

#include "fuzz.h"

static void
name(void *ctx, struct mr_str s)
{
	size_t *n = ctx;

	++*n;
	must(s.n > 0 && s.n <= 2 * MR_MIME_PARAM_BYTES);
	must(!memchr(s.p, '/', s.n) && !memchr(s.p, '\\', s.n) && !memchr(s.p, '\n', s.n));
	must(s.p[s.n - 1] != '.' && s.p[s.n - 1] != ' ');
}

static void
any(void *ctx, struct mr_str s)
{
	size_t *n = ctx;

	++*n;
	must(s.n <= 2 * MR_MIME_PARAM_BYTES);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n = 0, boundary_n = 0, type_n = 0;
	const struct mr_mime_taker names = { name, &n }, boundaries = { any, &boundary_n },
	                           types = { any, &type_n };
	struct mr_str s = fuzz_copy(data, size);

	mr_mime_names(s, &names);
	mr_mime_boundaries(s, &boundaries);
	must(n <= 3 * 70 * (MR_MIME_PARAM_MAX + 2)
	    && boundary_n <= 3 * 12 * (MR_MIME_PARAM_MAX + 2));
	mr_mime_types(s, &types);
	must(type_n <= size + 1);
	mr_mime_clean_name(s, &names);
	(void)mr_mime_may_be_base64(s);
	(void)mr_mime_may_be_qp(s);
	fuzz_free(s);
	return 0;
}
