/* dmarc_record.c - a record of a domain: what is read out of it is in range and consistent, and a record
 * without a policy asks for nothing. */
#include "check/dmarc_record.h"

#include "fuzz.h"

static void
check_view(struct mr_str view, struct mr_str text)
{
	if (view.p)
		must(view.p >= text.p && view.p + view.n <= text.p + text.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str s = fuzz_copy(data, size);
	struct mr_dmarc_record r;
	enum mr_status st = mr_dmarc_record_parse(&r, s, NULL);

	must(st == MR_OK || st == MR_PERM);
	must(r.pct <= 100);
	must(r.p <= MR_DMARC_REJECT && r.sp <= MR_DMARC_REJECT && r.np <= MR_DMARC_REJECT);
	must(r.has_sp || r.sp == r.p);
	must(r.has_np || r.np == r.sp);
	check_view(r.rua, s);
	check_view(r.fo, s);
	if (st == MR_PERM)
		must(!r.rua.p && r.p == MR_DMARC_NONE && r.np == MR_DMARC_NONE);
	if (!mr_dmarc_is_record(s))
		must(st == MR_PERM && r.pct == 100 && r.psd == MR_DMARC_PSD_U);
	else
		must(s.n <= MR_DMARC_RECORD_MAX);
	fuzz_free(s);
	return 0;
}
