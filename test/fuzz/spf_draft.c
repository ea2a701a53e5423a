/* spf_draft.c - strings of a TXT record that may be anything: what is joined keeps every octet; what is mended is
 * a record, which mended again stays as it is. */
#include "check/spf_draft.h"

#include "fuzz.h"

static void
check_mended(struct mr_str text, struct mr_arena *arena)
{
	struct mr_spf_draft *draft = calloc(2, sizeof *draft);
	struct mr_spf_record record;
	struct mr_str once, again;

	must(draft);
	if (mr_spf_draft_add(&draft[0], text, arena, NULL) == MR_OK) {
		once = mr_spf_draft_text(&draft[0], arena);
		if (once.p) {
			must(mr_spf_is_record(once));
			must(mr_spf_record_parse(&record, once, NULL) == MR_OK
			    || draft[0].n > 0); /* exp= twice is the one thing that stays */
			must(mr_spf_draft_add(&draft[1], once, arena, NULL) == MR_OK);
			again = mr_spf_draft_text(&draft[1], arena);
			must(mr_str_eq(once, again));
		}
	}
	free(draft);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str s, text, joined;
	struct mr_buf strings;
	struct mr_arena arena;
	size_t n = 0;

	if (size > 4000)
		return 0;
	s = fuzz_copy(data, size);
	mr_arena_init(&arena, 16 << 20);
	mr_spf_is_like(s);
	check_mended(s, &arena);
	mr_buf_init(&strings, 100000);
	for (struct mr_str rest = s, piece; mr_str_split(&rest, '|', &piece);) {
		if (piece.n > 255)
			piece.n = 255;
		mr_buf_addc(&strings, (char)piece.n);
		mr_buf_add(&strings, piece);
		n += piece.n;
	}
	must(mr_spf_join(&text, &joined, mr_buf_str(&strings), &arena, NULL) == MR_OK);
	must(text.n >= n && (joined.p || text.n == n));
	mr_buf_free(&strings);
	mr_arena_free(&arena);
	fuzz_free(s);
	return 0;
}
