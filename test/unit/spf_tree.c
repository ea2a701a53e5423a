/* The whole tree of a record, whoever sends. */
#include "check/spf_tree.h"

#include "base/clock.h"

#include "../open_dns.h"
#include "../tap.h"

static const char zone[] = "a.example A 192.0.2.1\n"
                           "six.example AAAA 2001:db8::1\n"
                           "d.example MX 10 a.example\n"
                           "null.example MX 0 .\n"
                           "half.example MX 10 a.example\n"
                           "half.example MX 20 gone.example\n"
                           "soft.example TXT \"v=spf1 a:a.example ~all\"\n"
                           "two.example TXT \"v=spf1 -all\"\n"
                           "two.example TXT \"v=spf1 mx -all\"\n"
                           "wrong.example TXT \"v=spf1 foo:x -all\"\n"
                           "down.example ! servfail\n"
                           "loop.example TXT \"v=spf1 include:back.example -all\"\n"
                           "back.example TXT \"v=spf1 include:loop.example -all\"\n"
                           "plus.example TXT \"v=spf1 +all\"\n"
                           "on.example TXT \"v=spf1 redirect=plus.example\"\n"
                           "d.example TXT \"unused\"\n";

/* Notes as "KIND domain term root name n", ';' between. */
static const struct {
	const char *record;
	unsigned lookups_n;
	const char *last, *last_domain; /* NULL: not known */
	const char *notes;
} cases[] = {
	{ "v=spf1 -all", 0, "-all", "d.example", "" },
	{ "v=spf1 a:a.example mx ip4:192.0.2.1 a:six.example ~all", 3, "~all", "d.example", "" },
	{ "v=spf1 mx -all a:behind.example", 1, "-all", "d.example", "" },
	{ "v=spf1 a:no.example mx:a.example exists:no.example", 3, "", "d.example",
	    "0 d.example a:no.example a:no.example no.example 0;"
	    "0 d.example mx:a.example mx:a.example a.example 0;"
	    "0 d.example exists:no.example exists:no.example no.example 0;" },
	{ "v=spf1 mx:half.example mx:null.example -all", 2, "-all", "d.example",
	    "0 d.example mx:half.example mx:half.example gone.example 0;" },
	{ "v=spf1 exists:%{i}._spf.no.example a:%{l}.no.example -all", 2, "-all", "d.example", "" },
	{ "v=spf1 a:%{d2} -all", 1, "-all", "d.example",
	    "0 d.example a:%{d2} a:%{d2} d.example 0;" },
	{ "v=spf1 include:soft.example include:soft.example -all", 4, "-all", "d.example", "" },
	{ "v=spf1 include:loop.example -all", 3, "-all", "d.example",
	    "2 back.example include:loop.example include:loop.example loop.example 0;" },
	{ "v=spf1 include:d.example -all", 1, "-all", "d.example",
	    "2 d.example include:d.example include:d.example d.example 0;" },
	{ "v=spf1 include:two.example include:no.example include:wrong.example "
	  "include:down.example",
	    4, "", "d.example",
	    "3 d.example include:two.example include:two.example two.example 2;"
	    "3 d.example include:no.example include:no.example no.example 0;"
	    "4 d.example include:wrong.example include:wrong.example wrong.example 0;"
	    "5 d.example include:down.example include:down.example down.example 0;" },
	{ "v=spf1 a:down.example ptr -all", 2, "-all", "d.example",
	    "5 d.example a:down.example a:down.example down.example 0;"
	    "6 d.example ptr ptr  0;" },
	{ "v=spf1 redirect=on.example", 2, "+all", "plus.example", "" },
	{ "v=spf1 include:plus.example redirect=soft.example", 3, "~all", "soft.example", "" },
	{ "v=spf1 redirect=no.example", 1, NULL, NULL,
	    "3 d.example redirect=no.example redirect=no.example no.example 0;" },
	{ "v=spf1 -all redirect=on.example", 0, "-all", "d.example", "" },
};

static void
test_case(size_t i, struct mr_dns *dns)
{
	struct mr_spf_query q = { .sender = MR_STR("postmaster@d.example"),
		.helo = MR_STR("d.example"),
		.record = mr_str(cases[i].record) };
	struct mr_spf_tree tree;
	struct mr_arena arena;
	struct mr_buf notes;
	enum mr_status st;
	struct mr_err err;

	mr_arena_init(&arena, 1 << 20);
	while ((st = mr_spf_tree_walk(&tree, &q, dns, &arena, &err)) == MR_NOTFOUND)
		mr_dns_run(dns, mr_clock_mono_ms() + 1000);
	ok(st == MR_OK && tree.lookups_n == cases[i].lookups_n, "%s: %u look-ups", cases[i].record,
	    tree.lookups_n);
	ok(tree.is_last_known == (cases[i].last != NULL), "its last term is %sknown",
	    cases[i].last ? "" : "not ");
	if (cases[i].last) {
		is(tree.last.p ? tree.last : MR_STR(""), cases[i].last, "it");
		is(tree.last_domain, cases[i].last_domain, "whose it is");
	}
	mr_buf_init(&notes, 10000);
	for (size_t k = 0; k < tree.n; k++) {
		const struct mr_spf_note *n = &tree.note[k];

		mr_buf_addf(&notes, "%d %.*s %.*s %.*s %.*s %zu;", (int)n->kind, (int)n->domain.n,
		    n->domain.p, (int)n->term.n, n->term.p, (int)n->root.n, n->root.p,
		    (int)n->name.n, n->name.p ? n->name.p : "", n->n);
	}
	mr_buf_addc(&notes, '\0');
	is(mr_str(notes.p), cases[i].notes, "notes");
	mr_buf_free(&notes);
	mr_arena_free(&arena);
}

/* A record that includes two names, each of which includes two: it ends. */
static void
test_wide(void)
{
	static char lines[20000];
	size_t n = 0;
	struct mr_spf_query q = { .sender = MR_STR("postmaster@d.example"),
		.helo = MR_STR("d.example"),
		.record = MR_STR("v=spf1 include:x0.example -all") };
	struct mr_spf_tree tree;
	struct mr_arena arena;
	enum mr_status st;
	struct mr_dns *dns;

	for (unsigned i = 0; i < 30; i++)
		n += (size_t)snprintf(lines + n, sizeof lines - n,
		    "x%u.example TXT \"v=spf1 include:x%u.example include:x%u.example -all\"\n", i,
		    i + 1, i + 1);
	dns = open_dns(lines, 0, NULL);
	mr_arena_init(&arena, 8 << 20);
	do {
		mr_arena_free(&arena);
		st = mr_spf_tree_walk(&tree, &q, dns, &arena, NULL);
		mr_dns_run(dns, mr_clock_mono_ms() + 1000);
	} while (st == MR_NOTFOUND);
	ok(st == MR_OK && tree.lookups_n > MR_SPF_TREE_TERMS_MAX && tree.lookups_n < 300,
	    "a tree of a billion terms is left at MR_SPF_TREE_TERMS_MAX: %u", tree.lookups_n);
	mr_arena_free(&arena);
	mr_dns_close(dns);
}

int
main(void)
{
	struct mr_err err;
	struct mr_dns *dns = open_dns(zone, 0, &err);

	if (!ok(dns != NULL, "a zone"))
		printf("# %s\n", err.text);
	for (size_t i = 0; dns && i < sizeof cases / sizeof *cases; i++)
		test_case(i, dns);
	mr_dns_close(dns);
	test_wide();
	return done_testing();
}
