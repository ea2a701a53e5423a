/* answer.c - answers of foreign stages and policy servers.  The first byte chooses the exit code.
 * What is accepted is written and read as the same; what is refused leaves a safe answer. */
#include "mail/answer.h"

#include "mail/header.h"

#include "fuzz.h"

static void
check_line(struct mr_str s)
{
	must(mr_str_is_line(s));
}

static void
check(const struct mr_answer *a)
{
	must(mr_header_is_block(a->headers, NULL) && a->text.n <= MR_REPLY_MAX);
	for (size_t i = 0; i < a->text.n; i++)
		must(a->text.p[i] >= ' ' && a->text.p[i] <= '~');
	for (size_t i = 0; i < a->ar.n; i++)
		check_line(a->ar.v[i].value);
	for (size_t i = 0; i < a->attrs.n; i++) {
		check_line(a->attrs.v[i].value);
		must(mr_answer_is_free_name(a->attrs.v[i].name));
	}
}

static void
as_answer(struct mr_arena *arena, enum mr_verdict verdict, struct mr_str s)
{
	struct mr_answer a, again;
	struct mr_buf out, out2;
	enum mr_status st;

	mr_answer_init(&a, arena);
	mr_answer_init(&again, arena);
	mr_buf_init(&out, 2 * MR_ANSWER_MAX);
	mr_buf_init(&out2, 2 * MR_ANSWER_MAX);
	st = mr_answer_parse(&a, verdict, s, NULL);
	must(a.verdict == verdict);
	if (st) {
		must(!a.text.p && !a.headers.p && !a.attrs.n && !a.ar.n && !a.hang_up);
	} else {
		check(&a);
		must(!a.hang_up || verdict == MR_REFUSE || verdict == MR_DEFER);
		mr_answer_write(&a, &out);
		if (out.n <= MR_ANSWER_MAX) {
			must(mr_answer_parse(&again, verdict, mr_buf_str(&out), NULL) == MR_OK);
			must(again.hang_up == a.hang_up);
			mr_answer_write(&again, &out2);
			must(mr_str_eq(mr_buf_str(&out), mr_buf_str(&out2)));
		}
	}
	mr_buf_free(&out);
	mr_buf_free(&out2);
}

static void
as_policy(struct mr_arena *arena, struct mr_str s)
{
	struct mr_answer a, again;
	struct mr_buf out;

	mr_answer_init(&a, arena);
	mr_answer_init(&again, arena);
	mr_buf_init(&out, 2 * MR_ANSWER_MAX + 1000);
	if (mr_answer_from_policy(&a, s, NULL) == MR_OK) {
		check(&a);
		mr_answer_to_policy(&a, &out);
		check_line(mr_buf_str(&out));
		must(mr_answer_from_policy(&again, mr_buf_str(&out), NULL) == MR_OK);
		must(again.hang_up == a.hang_up);
		if (a.verdict == MR_REFUSE || a.verdict == MR_DEFER) /* others have no words */
			must(mr_str_eq(again.text, a.text));
		must(again.verdict == (a.verdict == MR_MEMBER ? MR_DUNNO : a.verdict));
	} else {
		must(!a.text.p && !a.headers.p && !a.hang_up && a.verdict == MR_DUNNO);
	}
	mr_buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum mr_verdict verdicts[] = { MR_DUNNO, MR_MEMBER, MR_REFUSE, MR_DEFER };
	struct mr_arena arena;
	struct mr_str s;

	if (size == 0)
		return 0;
	s = fuzz_copy(data + 1, size - 1);
	mr_arena_init(&arena, 16 << 20);
	as_answer(&arena, verdicts[data[0] % 4], s);
	as_policy(&arena, s);
	mr_arena_free(&arena);
	fuzz_free(s);
	return 0;
}
