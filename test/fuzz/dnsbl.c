/* dnsbl.c - a site: what is accepted is within its limits, and reads the same from its own parts. */
#include "check/dnsbl.h"

#include "fuzz.h"

static bool
has_any(const uint8_t *octet)
{
	for (size_t i = 0; i < 32; i++)
		if (octet[i])
			return true;
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str s = fuzz_copy(data, size);
	struct mr_dnsbl_site site, again;
	struct mr_err err;
	struct mr_buf b;
	int weight;

	if (mr_dnsbl_weight(s, &weight))
		must(weight >= -MR_DNSBL_WEIGHT_MAX && weight <= MR_DNSBL_WEIGHT_MAX);
	if (mr_dnsbl_site_parse(&site, s, &err) == MR_OK) {
		must(site.zone.p == s.p && site.zone.n > 0 && site.zone.n <= s.n);
		must(site.weight >= -MR_DNSBL_WEIGHT_MAX && site.weight <= MR_DNSBL_WEIGHT_MAX);
		must(site.octet[0][15] == 0x80); /* 127 and no other */
		for (size_t i = 1; i < 4; i++)
			must(has_any(site.octet[i]));
		mr_buf_init(&b, size + 16);
		mr_buf_addf(&b, "%.*s*%d", (int)site.zone.n, site.zone.p, site.weight);
		must(mr_dnsbl_site_parse(&again, mr_buf_str(&b), NULL) == MR_OK);
		must(again.weight == site.weight && mr_str_eq(again.zone, site.zone));
		mr_buf_free(&b);
	}
	fuzz_free(s);
	return 0;
}
