/* Round by round: what one walk asks, how many it takes, and that more than needed is never much.
 * (What results should be is tested by the public suite, test/e2e/spf-suite.t.) */
#include "check/spf.h"

#include "base/io.h"

#include "../open_dns.h"
#include "../tap.h"

#define LINES_MAX (1u << 20)

static struct mr_spf_matcher *matcher;

struct outcome {
	enum mr_spf_result result;
	uint64_t rounds, questions;
};

/* The whole check of bob@DOMAIN from 192.0.2.1, counted. */
static struct outcome
check(const char *lines, const char *domain, struct mr_arena *arena)
{
	struct outcome o = { .result = MR_SPF_TEMPERROR };
	struct mr_err err = { "" };
	struct mr_dns *dns = open_dns(lines, 0, &err);
	struct mr_spf_query query = { .helo = MR_STR("h.example"), .matcher = matcher };
	struct mr_spf spf, again;
	struct mr_ip ip;
	enum mr_status st;

	if (!dns) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
	mr_ip_parse(&ip, MR_STR("192.0.2.1"));
	query.ip = &ip;
	query.sender = mr_arena_fmt(arena, "bob@%s", domain);
	while ((st = mr_spf_check(&spf, &query, dns, arena, &err)) == MR_NOTFOUND) {
		if (mr_dns_waiting(dns) == 0) {
			printf("Bail out! pending, and nothing asked\n");
			exit(1);
		}
		mr_dns_run(dns, MR_NO_DEADLINE);
	}
	if (st == MR_OK) {
		struct mr_dns_stats stats = mr_dns_stats(dns);

		o = (struct outcome){ spf.result, stats.batches, stats.questions };
		if (mr_spf_check(&again, &query, dns, arena, &err) || again.result != spf.result)
			o.result = MR_SPF_TEMPERROR;
	}
	mr_dns_close(dns);
	return o;
}

static void
test_rounds(void)
{
	static const char world[] =
	    "typical.example TXT \"v=spf1 mx a include:one.example include:two.example "
	    "include:three.example ~all\"\n"
	    "typical.example MX 10 mx.example\n"
	    "mx.example A 198.51.100.1\n"
	    "typical.example A 198.51.100.2\n"
	    "one.example TXT \"v=spf1 include:one1.example include:one2.example ~all\"\n"
	    "one1.example TXT \"v=spf1 ip4:198.51.100.0/24 ~all\"\n"
	    "one2.example TXT \"v=spf1 ip4:203.0.113.0/24 ~all\"\n"
	    "two.example TXT \"v=spf1 ip4:198.51.100.0/24 -all\"\n"
	    "three.example TXT \"v=spf1 ip4:192.0.2.0/24 -all\"\n"
	    "known.example TXT \"v=spf1 ip4:192.0.2.0/24 a:x1.example a:x2.example -all\"\n"
	    "tail.example TXT \"v=spf1 a:x1.example all a:x2.example\"\n"
	    "x1.example A 198.51.100.1\n"
	    "p.example TXT \"v=spf1 a:%{p}.x1.example a:x1.example -all\"\n"
	    "red.example TXT \"v=spf1 a:x1.example redirect=three.example\"\n"
	    "exp.example TXT \"v=spf1 -all exp=x1.example\"\n"
	    "soft.example TXT \"v=spf1 ~all exp=x1.example\"\n"
	    "inc.example TXT \"v=spf1 include:exp.example ~all\"\n";
	static const struct {
		const char *domain;
		struct outcome want;
		const char *why;
	} v[] = {
		{ "typical.example", { MR_SPF_PASS, 3, 9 },
		    "the record; its five terms; the mx's host and the includes' includes" },
		{ "known.example", { MR_SPF_PASS, 1, 1 }, "nothing behind a term that matches" },
		{ "tail.example", { MR_SPF_PASS, 2, 2 }, "nothing behind all" },
		{ "p.example", { MR_SPF_FAIL, 3, 4 }, "no name is asked before %{p} is known" },
		{ "red.example", { MR_SPF_PASS, 2, 3 }, "a redirect that may be followed" },
		{ "exp.example", { MR_SPF_FAIL, 2, 2 }, "an explanation only of a fail" },
		{ "soft.example", { MR_SPF_SOFTFAIL, 1, 1 }, "none of a softfail" },
		{ "inc.example", { MR_SPF_SOFTFAIL, 2, 2 }, "none of an include's fail" },
		{ "none.example", { MR_SPF_NONE, 1, 1 }, "no record" },
		{ "localhost", { MR_SPF_NONE, 0, 0 }, "no domain" },
	};
	struct mr_arena arena;

	mr_arena_init(&arena, 65536);
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct outcome got = check(world, v[i].domain, &arena);

		if (!ok(got.result == v[i].want.result && got.rounds == v[i].want.rounds
		            && got.questions == v[i].want.questions,
		        "%s: %s", v[i].domain, v[i].why))
			printf("# got %s in %d rounds, %d questions\n",
			    mr_spf_result_word(got.result), (int)got.rounds, (int)got.questions);
	}
	mr_arena_free(&arena);
}

/* Adds the records of a tree in which each record includes `wide` others, none the same. */
static void
add_tree(struct mr_buf *b, const char *name, unsigned wide, unsigned deep)
{
	mr_buf_addf(b, "%s TXT \"v=spf1\"", name);
	for (unsigned i = 0; deep && i < wide; i++)
		mr_buf_addf(b, " \" include:%u.%s\"", i, name);
	mr_buf_adds(b, " \" ?all\"\n");
	for (unsigned i = 0; deep && i < wide; i++) {
		char below[64];

		snprintf(below, sizeof below, "%u.%s", i, name);
		add_tree(b, below, wide, deep - 1);
	}
}

/* In order any tree of includes costs 11 records at most; in batches it costs ten more at most, and
 * these only where the limit is passed. */
static void
test_trees(void)
{
	struct mr_arena arena;
	uint64_t most = 0, most_rounds = 0;

	mr_arena_init(&arena, 1 << 20);
	for (unsigned wide = 1; wide <= 12; wide++)
		for (unsigned deep = 1; deep <= (wide < 4 ? 5u : 3u); deep++) {
			struct outcome got;
			struct mr_buf b;

			mr_buf_init(&b, LINES_MAX);
			add_tree(&b, "t.example", wide, deep);
			mr_buf_addc(&b, '\0');
			got = check(b.p, "t.example", &arena);
			most = got.questions > most ? got.questions : most;
			most_rounds = got.rounds > most_rounds ? got.rounds : most_rounds;
			ok(!b.is_full && got.questions <= 1 + 2 * MR_SPF_TERM_MAX
			        && (got.result == MR_SPF_NEUTRAL || got.result == MR_SPF_PERMERROR),
			    "includes %u wide, %u deep: %s, %d questions in %d rounds", wide, deep,
			    mr_spf_result_word(got.result), (int)got.questions, (int)got.rounds);
			mr_buf_free(&b);
		}
	printf("# at most %d questions, %d rounds\n", (int)most, (int)most_rounds);
	mr_arena_free(&arena);
}

/* A record of 300 terms with names of their own. */
static void
test_many_terms(void)
{
	struct mr_arena arena;
	struct outcome got;
	struct mr_buf b;

	mr_arena_init(&arena, 65536);
	mr_buf_init(&b, LINES_MAX);
	mr_buf_adds(&b, "t.example TXT \"v=spf1\"");
	for (int i = 0; i < 300; i++)
		mr_buf_addf(&b, " \" a:x%d.example\"", i);
	mr_buf_adds(&b, "\n");
	for (int i = 0; i < 300; i++)
		mr_buf_addf(&b, "x%d.example A 198.51.100.1\n", i);
	mr_buf_addc(&b, '\0');
	got = check(b.p, "t.example", &arena);
	ok(got.result == MR_SPF_PERMERROR && got.questions == 1 + MR_SPF_TERM_MAX,
	    "300 terms: %s, %d questions", mr_spf_result_word(got.result), (int)got.questions);
	mr_buf_free(&b);
	mr_arena_free(&arena);
}

static void
test_memory(void)
{
	struct mr_err err;
	struct mr_dns *dns = open_dns("a.example TXT \"v=spf1 -all\"\n", 0, &err);
	struct mr_spf_query query = { .sender = MR_STR("bob@a.example"), .matcher = matcher };
	struct mr_arena arena;
	struct mr_spf spf;
	struct mr_ip ip;

	mr_ip_parse(&ip, MR_STR("192.0.2.1"));
	query.ip = &ip;
	mr_arena_init(&arena, 0);
	ok(mr_spf_check(&spf, &query, dns, &arena, &err) == MR_NOTFOUND, "asks");
	mr_dns_run(dns, MR_NO_DEADLINE);
	ok(mr_spf_check(&spf, &query, dns, &arena, &err) == MR_TEMP, "no memory is no result");
	mr_arena_free(&arena);
	mr_dns_close(dns);
}

int
main(void)
{
	struct mr_err err;

	if (mr_spf_matcher_open(&matcher, &err))
		return 1;
	test_rounds();
	test_trees();
	test_many_terms();
	test_memory();
	mr_spf_matcher_close(matcher);
	return done_testing();
}
