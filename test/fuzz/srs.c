/* srs.c - an address as a sender: what it is forwarded under leads back to it; as a recipient of ours: nothing is
 * taken that was not signed, and what is taken is an address. */
#include "mail/srs.h"

#include "fuzz.h"

#define NOW (20781 * INT64_C(86400))

static void
try_forward(const struct mr_srs *srs, struct mr_arena *arena, const struct mr_addr *sender)
{
	enum mr_srs_result result;
	struct mr_str to, back;
	struct mr_addr a;

	if (mr_srs_forward(&to, srs, arena, sender->text, NOW, NULL))
		return;
	must(mr_addr_parse(&a, arena, to, NULL) == MR_OK);
	must(mr_str_eq(a.text, to) && mr_str_eq(a.domain, srs->domain));
	must(mr_srs_reverse(&result, &back, srs, arena, &a, NOW, NULL) == MR_OK);
	must(result == MR_SRS_VALID);
	must(mr_addr_parse(&a, arena, back, NULL) == MR_OK && mr_str_eq(a.text, back));
	/* SRS1 of SRS1 leads to the first one, and tags are in upper case then. */
	if (!mr_str_casestarts(sender->local, "SRS1")
	    && !mr_str_casestarts(sender->local, "\"SRS1"))
		must(mr_str_caseeq(back, sender->text));
}

/* Signed by nobody: the keys are not known to a fuzzer. */
static void
try_reverse(const struct mr_srs *srs, struct mr_arena *arena, const struct mr_addr *rcpt)
{
	enum mr_srs_result result;
	struct mr_str to;

	must(mr_srs_reverse(&result, &to, srs, arena, rcpt, NOW, NULL) == MR_OK);
	must(result == MR_SRS_OTHER || result == MR_SRS_FORGED);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str s = fuzz_copy(data, size);
	struct mr_srs srs = { .key_n = 1,
		.key = { MR_STR("0123456789abcdef") },
		.domain = MR_STR("f.example"),
		.hash_min = MR_SRS_HASH,
		.days = MR_SRS_DAYS };
	struct mr_arena arena;
	struct mr_addr a;

	mr_arena_init(&arena, 1 << 20);
	if (mr_addr_parse(&a, &arena, s, NULL) == MR_OK) {
		try_forward(&srs, &arena, &a);
		try_reverse(&srs, &arena, &a);
		a.domain = srs.domain;
		try_reverse(&srs, &arena, &a);
	}
	mr_arena_free(&arena);
	fuzz_free(s);
	return 0;
}
