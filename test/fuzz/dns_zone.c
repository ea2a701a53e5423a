/* A zone file of any bytes: records have owners and data within the limits, or the line is named. */
#include "dns/dns_wire.h"

#include "fuzz.h"

static struct mr_ldns *ldns;

static enum mr_status
take(void *ctx, const struct mr_dns_line *line, struct mr_err *err)
{
	size_t *n = ctx;

	++*n;
	must(line->owner.n > 0 && line->owner.n <= MR_DNS_NAME_MAX);
	must(line->type != MR_DNS_TXT || line->rec.strings.n >= line->rec.text.n);
	return *n < 1000 ? MR_OK : mr_err_set(err, MR_PERM, "many");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_err err = { "" };
	struct mr_arena arena;
	struct mr_str s;
	enum mr_status st;
	size_t n = 0;

	if (size > 8000)
		return 0;
	must(ldns || mr_ldns_open(&ldns, NULL) == MR_OK);
	s = fuzz_copy(data, size);
	mr_arena_init(&arena, 8 << 20);
	st = mr_dns_zone_read(ldns, s, "z.example", &arena, take, &n, &err);
	must(st == MR_OK || err.text[0]);
	mr_arena_free(&arena);
	fuzz_free(s);
	return 0;
}
