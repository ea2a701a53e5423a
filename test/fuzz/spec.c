/* spec.c - a pipeline spec: whatever it is, stages are in order and whole, and a refusal has a reason. */
#include "pipe/spec.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_sound(const struct mr_spec *spec, const struct mr_stage *st)
{
	const uint32_t never = MR_AUTH | MR_TLS | MR_BOUNCE | MR_LOCAL;

	return st->argc > 0 && st->argc <= (int)MR_STAGE_WORD_MAX && !st->argv[st->argc] && st->name
	    && st->time_s && st->gives && !(st->gives & never) && !(st->gives & (st->gives - 1))
	    && (st->gives != MR_TRUSTED || st->phase == MR_CONNECT)
	    && (!st->is_now || st->phase == MR_CONNECT)
	    && (st == spec->stage || st[-1].phase <= st->phase);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_err err = { "" };
	struct mr_spec spec;
	enum mr_status st = mr_spec_parse(&spec, (struct mr_str){ (const char *)data, size }, &err);
	size_t errors = 0;

	for (size_t i = 0; i < spec.n; i++)
		if (!is_sound(&spec, &spec.stage[i]))
			abort();
	for (size_t i = 0; i < spec.problem_n; i++)
		errors += !spec.problem[i].is_warning && *spec.problem[i].text;
	if (spec.n > MR_STAGE_MAX || spec.class_n > MR_CLASS_MAX || st == MR_TEMP
	    || (st == MR_OK) != (errors == 0) || (st == MR_PERM) != (err.text[0] != '\0'))
		abort();
	mr_spec_free(&spec);
	return 0;
}
