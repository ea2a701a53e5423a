/* zipscan.c - a zip: members end as often as they begin; the same names and bytes whatever the pieces. */
#include "check/zipscan.h"

#include "fuzz.h"

struct seen {
	size_t name_n, begun, ended, bytes, faults;
};

static void
name(void *ctx, struct mr_str s, bool is_encrypted)
{
	struct seen *seen = ctx;

	(void)is_encrypted;
	must(s.n > 0 && s.n <= MR_ZIP_NAME_MAX);
	seen->name_n++;
}

static void *
member(void *ctx, struct mr_str s)
{
	struct seen *seen = ctx;

	must(s.n <= MR_ZIP_NAME_MAX);
	seen->begun++;
	must(seen->begun - seen->ended <= MR_ZIP_OPEN_MAX);
	return seen;
}

static bool
body(void *ctx, void *m, struct mr_str bytes)
{
	struct seen *seen = ctx;

	must(m == ctx && bytes.n > 0);
	seen->bytes += bytes.n;
	return seen->bytes < 1 << 24;
}

static void
end(void *ctx, void *m)
{
	struct seen *seen = ctx;

	must(m == ctx && ++seen->ended <= seen->begun);
}

static void
fault(void *ctx, enum mr_zip_fault which)
{
	struct seen *seen = ctx;

	must(which != MR_ZIP_MEMORY);
	seen->faults++;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct mr_zip_ops ops = { name, member, body, end, fault };
	struct seen seen[2] = { { .name_n = 0 }, { .name_n = 0 } };
	struct mr_str s = fuzz_copy(data, size);

	for (int k = 0; k < 2; k++) {
		struct mr_zip *z = mr_zip_new(&ops, &seen[k]);
		size_t step = k ? 13 : size + 1;

		must(z);
		for (size_t i = 0; i < s.n; i += step)
			mr_zip_feed(z, (struct mr_str){ s.p + i, s.n - i < step ? s.n - i : step });
		mr_zip_end(z);
		must(seen[k].begun == seen[k].ended);
	}
	must(seen[0].name_n == seen[1].name_n && seen[0].begun == seen[1].begun);
	must(seen[0].faults == seen[1].faults);
	fuzz_free(s);
	return 0;
}
