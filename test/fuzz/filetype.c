/* filetype.c - what a file is: words of the page only, and text is never a program's image. */
#include "check/filetype.h"

#include "fuzz.h"

static void
take(void *ctx, const char *word)
{
	size_t *n = ctx;

	must(word[0] && strlen(word) < MR_FILETYPE_WORD_MAX);
	++*n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str s = fuzz_copy(data, size);
	size_t n = 0;

	(void)mr_filetype_container(s);
	mr_filetype_by_head(s, take, &n);
	mr_filetype_by_tail(s, take, &n);
	must(n < 40);
	fuzz_free(s);
	return 0;
}
