/* What is done here with what DMARC finds: actions, the table, who feels a pct. */
#include "check/dmarc_local.h"

#include "../open_table.h"
#include "../tap.h"

static const char entries[] = "192.0.2.0/24 forwarded\n"
                              "lists.example mailing_list   of ours \n"
                              ".lists.example mailing_list\n"
                              "a.example reject=accept\n"
                              "b.example quarantine=reject temperror=defer\n"
                              "* reject=quarantine\n";

static const char *const good[] = { "reject=accept", "reject=quarantine", "reject=defer",
	"reject=reject", "quarantine=reject", "permerror=reject", "temperror=quarantine",
	"temperror=defer" };
static const char *const bad[] = { "", "reject", "reject=", "=reject", "none=reject", "reject=drop",
	"reject=reject ", "temperror=reject", "fail=reject", "Reject=reject" };

static void
test_words(void)
{
	struct mr_dmarc_local local = { { MR_DMARC_DO_ACCEPT } };
	struct mr_err err;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		ok(mr_dmarc_local_set(&local, mr_str(good[i]), &err) == MR_OK, "%s", good[i]);
	ok(local.on[MR_DMARC_ON_REJECT] == MR_DMARC_DO_REJECT
	        && local.on[MR_DMARC_ON_QUARANTINE] == MR_DMARC_DO_REJECT
	        && local.on[MR_DMARC_ON_PERMERROR] == MR_DMARC_DO_REJECT
	        && local.on[MR_DMARC_ON_TEMPERROR] == MR_DMARC_DO_DEFER,
	    "the last one counts");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ok(mr_dmarc_local_set(&local, mr_str(bad[i]), &err) == MR_USAGE, "wrong: '%s'",
		    bad[i]);
}

/* One message: how it was judged, and what is done; all are refused by default. */
static const struct {
	const char *author;
	enum mr_dmarc_result result;
	enum mr_dmarc_policy policy;
	const char *client, *spf_domain, *dkim_domain; /* those that passed */
	const char *want;                              /* policy, action, reason, comment */
} cases[] = {
	{ "c.example", MR_DMARC_RESULT_PASS, MR_DMARC_REJECT, "", "", "", "reject accept - -" },
	{ "c.example", MR_DMARC_RESULT_NONE, MR_DMARC_NONE, "", "", "", "none accept - -" },
	{ "c.example", MR_DMARC_RESULT_FAIL, MR_DMARC_NONE, "", "", "", "none accept - -" },
	{ "c.example", MR_DMARC_RESULT_FAIL, MR_DMARC_REJECT, "", "", "",
	    "reject quarantine local_policy -" },
	{ "c.example", MR_DMARC_RESULT_FAIL, MR_DMARC_QUARANTINE, "", "", "",
	    "quarantine reject local_policy -" },
	{ "", MR_DMARC_RESULT_PERMERROR, MR_DMARC_NONE, "", "", "", "none reject - -" },
	{ "", MR_DMARC_RESULT_PERMERROR, MR_DMARC_NONE, "192.0.2.7", "", "",
	    "none accept forwarded -" },
	{ "a.example", MR_DMARC_RESULT_FAIL, MR_DMARC_REJECT, "", "", "",
	    "reject accept local_policy -" },
	{ "b.example", MR_DMARC_RESULT_FAIL, MR_DMARC_REJECT, "", "", "", "reject reject - -" },
	{ "b.example", MR_DMARC_RESULT_TEMPERROR, MR_DMARC_REJECT, "", "", "", "reject defer - -" },
	{ "b.example", MR_DMARC_RESULT_FAIL, MR_DMARC_REJECT, "192.0.2.7", "", "",
	    "reject accept forwarded -" },
	{ "b.example", MR_DMARC_RESULT_FAIL, MR_DMARC_REJECT, "198.51.100.7", "LISTS.example", "",
	    "reject accept mailing_list of ours" },
	{ "b.example", MR_DMARC_RESULT_FAIL, MR_DMARC_REJECT, "unknown", "", "x.lists.example",
	    "reject accept mailing_list -" },
	{ "b.example", MR_DMARC_RESULT_FAIL, MR_DMARC_REJECT, "", "a.example", "b.example",
	    "reject reject - -" },
	{ "lists.example", MR_DMARC_RESULT_FAIL, MR_DMARC_REJECT, "", "", "",
	    "reject quarantine local_policy -" },
};

static void
test_case(const struct mr_table *table, size_t i)
{
	const struct mr_dmarc_local all = { { MR_DMARC_DO_REJECT, MR_DMARC_DO_REJECT,
	    MR_DMARC_DO_REJECT, MR_DMARC_DO_ACCEPT } };
	struct mr_dmarc_signature signature = { mr_str(cases[i].dkim_domain), MR_STR("s"),
		MR_STR("pass") };
	struct mr_dmarc_query q = { .author = mr_str(cases[i].author),
		.spf_result = MR_STR("pass"),
		.spf_domain = mr_str(cases[i].spf_domain),
		.signature = &signature,
		.signature_n = 1 };
	struct mr_dmarc d = { .result = cases[i].result, .policy = cases[i].policy };
	struct mr_dmarc_verdict v;
	struct mr_arena arena;
	struct mr_err err = { "" };
	char got[200];

	mr_arena_init(&arena, 1 << 16);
	ok(mr_dmarc_local_judge(
	       &v, &all, table, &d, &q, mr_str(cases[i].client), MR_STR("id"), &arena, &err)
	        == MR_OK,
	    "case %zu: %s", i, err.text);
	snprintf(got, sizeof got, "%s %s %s %.*s", mr_dmarc_policy_word(v.policy),
	    mr_dmarc_action_word(v.action), v.reason ? v.reason : "-",
	    v.comment.p ? (int)v.comment.n : 1, v.comment.p ? v.comment.p : "-");
	is(mr_str(got), cases[i].want, cases[i].want);
	mr_arena_free(&arena);
}

/* How many of 10000 ids feel the policy. */
static unsigned
sample(const struct mr_orgdomain *list, unsigned pct, bool is_test, unsigned *reason_n)
{
	const struct mr_dmarc_local all = { { MR_DMARC_DO_REJECT, MR_DMARC_DO_QUARANTINE } };
	struct mr_dmarc_query q = { .author = MR_STR("x.example"), .list = list };
	struct mr_dmarc d = { .result = MR_DMARC_RESULT_FAIL,
		.policy = MR_DMARC_REJECT,
		.record = { .pct = pct, .is_test = is_test } };
	struct mr_str nobody = MR_STR("");
	unsigned n = 0;

	*reason_n = 0;
	for (unsigned i = 0; i < 10000; i++) {
		struct mr_dmarc_verdict v, again;
		char id[40];

		snprintf(id, sizeof id, "0hoga%u.lzs%uw", i, i % 7);
		mr_dmarc_local_judge(&v, &all, NULL, &d, &q, nobody, mr_str(id), NULL, NULL);
		mr_dmarc_local_judge(&again, &all, NULL, &d, &q, nobody, mr_str(id), NULL, NULL);
		if (again.action != v.action
		    || v.action
		        != (v.policy == MR_DMARC_REJECT ? MR_DMARC_DO_REJECT
		                                        : MR_DMARC_DO_QUARANTINE))
			return ~0u;
		n += v.policy == MR_DMARC_REJECT;
		*reason_n +=
		    v.reason && strcmp(v.reason, is_test ? "policy_test_mode" : "sampled_out") == 0;
	}
	return n;
}

static void
test_sampling(const struct mr_orgdomain *list)
{
	unsigned n, reason_n;

	for (unsigned pct = 0; pct <= 100; pct += 10) {
		n = sample(list, pct, false, &reason_n);
		ok(n + reason_n == 10000 && n + 300 > pct * 100 && n < pct * 100 + 300
		        && (pct || n == 0),
		    "pct=%u: %u of 10000 feel it", pct, n);
	}
	ok(sample(NULL, 10, false, &reason_n) == 10000 && reason_n == 0, "no pct in a tree walk");
	ok(sample(list, 100, true, &reason_n) == 0 && reason_n == 10000, "t=y: none");
	ok(sample(NULL, 100, true, &reason_n) == 0 && reason_n == 10000, "nor in a tree walk");
}

int
main(void)
{
	struct mr_table *table = open_text(entries, MR_TABLE_MAP);
	struct mr_orgdomain *list;
	struct mr_err err = { "" };

	test_words();
	ok(mr_dmarc_local_check(NULL, MR_STR("*"), MR_STR("reject=accept"), &err) == MR_OK
	        && mr_dmarc_local_check(NULL, MR_STR("*"), MR_STR("mailing_list x"), &err) == MR_OK,
	    "entries with a meaning");
	ok(mr_dmarc_local_check(NULL, MR_STR("*"), MR_STR("reject=accept nonsense"), &err)
	            == MR_USAGE
	        && strstr(err.text, "'nonsense': need"),
	    "one that has none: %s", err.text);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		test_case(table, i);
	mr_table_close(table);
	if (ok(mr_orgdomain_open(&list, &err) == MR_OK, "a list")) {
		test_sampling(list);
		mr_orgdomain_close(list);
	}
	return done_testing();
}
