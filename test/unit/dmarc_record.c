#include "check/dmarc_record.h"

#include "../tap.h"

#include <stdlib.h>

static const char *const versions[] = { "v=DMARC1", "v=DMARC1;", "V = DMARC1 ; p=none",
	"v=DMARC1;p=none", "v\t=\tDMARC1\t;" };
static const char *const others[] = { "", "v=DMARC", "v=DMARC1x", "v=dmarc1; p=none",
	"v=DMARC2; p=none", " v=DMARC1; p=none", "p=none; v=DMARC1", "v=spf1 -all", "DMARC1",
	"v=DMARC1 p=none", ";v=DMARC1", "v==DMARC1", "v" };

/* A record and what is read out of it: p sp np adkim aspf pct t psd rua fo, or the reason that there is none. */
static const struct {
	const char *text, *want;
} cases[] = {
	{ "v=DMARC1; p=none", "none none none r r 100 n u - -" },
	{ "v=DMARC1; p=reject", "reject reject reject r r 100 n u - -" },
	{ "v=DMARC1;p=Reject;SP=None", "reject none none r r 100 n u - -" },
	{ "v=DMARC1; p=reject; np=none", "reject reject none r r 100 n u - -" },
	{ "v=DMARC1; p=none; sp=quarantine; np=reject", "none quarantine reject r r 100 n u - -" },
	{ "v=DMARC1; adkim=s; aspf=S; pct=7; t=y; psd=y; fo=1:d; rua=mailto:a@b.example; "
	  "p=quarantine",
	    "quarantine quarantine quarantine s s 7 y y mailto:a@b.example 1:d" },
	{ "v=DMARC1; p=none; psd=n", "none none none r r 100 n n - -" },
	/* wrong tags have their defaults */
	{ "v=DMARC1; p=reject; adkim=x; aspf=; pct=101; t=x; psd=x",
	    "reject reject reject r r 100 n u - -" },
	{ "v=DMARC1; p=reject; pct=-1", "reject reject reject r r 100 n u - -" },
	{ "v=DMARC1; p=reject; pct=0", "reject reject reject r r 0 n u - -" },
	{ "v=DMARC1; p=reject; pct", "reject reject reject r r 100 n u - -" },
	{ "v=DMARC1; ; nonsense; x=y; p = reject ; \xc3\xa4=1; =",
	    "reject reject reject r r 100 n u - -" },
	{ "v=DMARC1; p=reject; p=none; sp=none; sp=reject", "reject none none r r 100 n u - -" },
	/* no policy, or one that is none (RFC 7489 6.6.3 step 6) */
	{ "v=DMARC1", "no policy, and no rua" },
	{ "v=DMARC1; sp=reject", "no policy, and no rua" },
	{ "v=DMARC1; p=rejected", "a policy that is none, and no rua" },
	{ "v=DMARC1; p=reject; sp=x", "a policy that is none, and no rua" },
	{ "v=DMARC1; p=reject; np=x", "a policy that is none, and no rua" },
	{ "v=DMARC1; p=x; rua=nobody", "a policy that is none, and no rua" },
	{ "v=DMARC1; p=x; rua=mailto:", "a policy that is none, and no rua" },
	{ "v=DMARC1; p=x; rua=9:a", "a policy that is none, and no rua" },
	{ "v=DMARC1; p=x; rua=mailto:a b", "a policy that is none, and no rua" },
	{ "v=DMARC1; rua=mailto:a@b.example", "none none none r r 100 n u mailto:a@b.example -" },
	{ "v=DMARC1; p=x; sp=reject; rua=nobody, https://b.example/!10m",
	    "none none none r r 100 n u nobody, https://b.example/!10m -" },
	{ "v=DMARC1; p=reject; sp=x; rua=mailto:a@b.example",
	    "none none none r r 100 n u mailto:a@b.example -" },
};

static const char *
or_none(struct mr_str s)
{
	return s.p ? s.p : "-";
}

static void
test_case(const char *text, const char *want)
{
	static const char psd[] = { 'u', 'n', 'y' };
	struct mr_dmarc_record r;
	struct mr_err err = { "" };
	char got[300];
	enum mr_status st = mr_dmarc_record_parse(&r, mr_str(text), &err);

	snprintf(got, sizeof got, "%s %s %s %c %c %u %c %c %.*s %.*s", mr_dmarc_policy_word(r.p),
	    mr_dmarc_policy_word(r.sp), mr_dmarc_policy_word(r.np), r.is_adkim_strict ? 's' : 'r',
	    r.is_aspf_strict ? 's' : 'r', r.pct, r.is_test ? 'y' : 'n', psd[r.psd],
	    r.rua.p ? (int)r.rua.n : 1, or_none(r.rua), r.fo.p ? (int)r.fo.n : 1, or_none(r.fo));
	is(mr_str(st ? err.text : got), want, text);
	ok(st == MR_OK || st == MR_PERM, "its status");
}

int
main(void)
{
	char *longest = calloc(1, MR_DMARC_RECORD_MAX + 2);

	for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
		ok(mr_dmarc_is_record(mr_str(versions[i])), "a record: %s", versions[i]);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		ok(!mr_dmarc_is_record(mr_str(others[i])), "none: %s", others[i]);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		test_case(cases[i].text, cases[i].want);
	memset(longest, ' ', MR_DMARC_RECORD_MAX + 1);
	memcpy(longest, "v=DMARC1;", 9);
	ok(mr_dmarc_is_record((struct mr_str){ longest, MR_DMARC_RECORD_MAX }), "the longest");
	ok(!mr_dmarc_is_record((struct mr_str){ longest, MR_DMARC_RECORD_MAX + 1 }),
	    "a longer one");
	free(longest);
	return done_testing();
}
