/* exam.c - a whole message, by the built-in rules: every hit is complete, the worst is one of them, and the
 * verdict does not depend on whether all files are listed. */
#include "check/exam.h"

#include "base/clock.h"
#include "fuzz.h"

static bool
is_blocked(struct mr_str s, const struct mr_rules *rules, bool wants_all)
{
	struct mr_exam_result r;
	struct mr_arena arena;
	struct mr_exam_conf conf = { .rules = rules,
		.arena = &arena,
		.wants_all = wants_all,
		.deadline_ms = mr_clock_mono_ms() + 60000 };
	struct mr_exam *x;
	struct mr_err err;
	bool is_blocked;

	mr_arena_init(&arena, 64u << 20);
	must(mr_exam_new(&x, &conf, &err) == MR_OK);
	mr_exam_feed(x, s);
	must(mr_exam_end(x, &r, &err) == MR_OK);
	must(r.hit_n <= MR_EXAM_HIT_MAX && r.file_n <= MR_EXAM_FILE_MAX);
	for (size_t i = 0; i < r.hit_n; i++)
		must(r.hit[i].value.p && r.hit[i].path.p && r.hit[i].name.p && r.hit[i].rule.n
		    && r.hit[i].reading.n);
	must(!r.worst == !r.hit_n);
	is_blocked = r.worst != NULL;
	mr_arena_free(&arena);
	return is_blocked;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str s = fuzz_copy(data, size);
	struct mr_arena arena;
	struct mr_rules *rules;

	mr_arena_init(&arena, 4u << 20);
	must(mr_rules_read(&rules, &arena, NULL, NULL, NULL) == MR_OK);
	must(is_blocked(s, rules, false) == is_blocked(s, rules, true));
	mr_arena_free(&arena);
	fuzz_free(s);
	return 0;
}
