/* Whom an address stands for: order of entries, tags, dates, domains, copies, circles, limits. */
#include "check/alias.h"

#include "../open_table.h"
#include "../tap.h"
#include "table/aliases.h"

#define ARENA_MAX (64u << 20)

static const char aliases[] = "manager   r.johnson\n"
                              "sales     j.smith, r.johnson\n"
                              "r.johnson r.johnson j.smith until=2026-12-31\n"
                              "ceo       boss@provider.example\n"
                              "old       new until=2026-11-23\n"
                              "today     new until=2026-11-24\n"
                              "staff     sales manager all@other.example\n"
                              "all       staff2 x@other.example x@other.example\n"
                              "whole@ours.example  a@ours.example\n"
                              "whole               b\n"
                              "tag+exact           exact\n"
                              "tag                 base\n"
                              "\"john doe\"        john\n"
                              "@catch.example      box@catch.example\n"
                              "known@catch.example known@catch.example\n"
                              "team@catch.example  other@catch.example known@catch.example\n"
                              "@moved.example      @ours.example\n"
                              "@.below.example     box\n"
                              "ring1               ring2@ours.example\n"
                              "ring2               ring1@ours.example\n"
                              "@here.example       @there.example\n"
                              "@there.example      @here.example\n"
                              "mixed               Mixed.Case@Out.Example\n";

static const char routes[] = "ours.example local\nother.example 127.0.0.1\ncatch.example local\n"
                             "moved.example local\n.below.example local\n";

static struct mr_alias_conf conf;
static struct mr_table *opened; /* conf.aliases */

static void
use_aliases(const char *text)
{
	mr_table_close(opened);
	conf.aliases = opened = open_text(text, MR_TABLE_ALIAS);
}

/* The recipients, blanks between; or what is wrong. */
static void
expand(struct mr_buf *out, const char *addr)
{
	struct mr_alias_tree tree;
	struct mr_arena arena;
	struct mr_err err = { "" };
	enum mr_status st;

	mr_arena_init(&arena, ARENA_MAX);
	mr_buf_clear(out);
	st = mr_alias_expand(&tree, &conf, &arena, mr_str(addr), &err);
	if (st)
		mr_buf_addf(out, "status %d: %s", (int)st, err.text);
	else if (tree.result == MR_ALIAS_CIRCLE)
		mr_buf_addf(out, "circle: %.*s", (int)tree.why.n, tree.why.p);
	else if (tree.result == MR_ALIAS_TOO_MANY)
		mr_buf_addf(out, "too many: %.*s", (int)tree.why.n, tree.why.p);
	else
		for (size_t i = 0; i < tree.n; i++)
			if (tree.node[i].role == MR_ALIAS_RECIPIENT)
				mr_buf_addf(out, "%s%.*s", out->n ? " " : "",
				    (int)tree.node[i].addr.n, tree.node[i].addr.p);
	mr_arena_free(&arena);
}

static const struct {
	const char *addr, *want, *name;
} cases[] = {
	{ "manager@ours.example", "r.johnson@ours.example j.smith@ours.example",
	    "an alias of one" },
	{ "sales@ours.example", "j.smith@ours.example r.johnson@ours.example",
	    "a group; who is in it twice is once" },
	{ "r.johnson@ours.example", "r.johnson@ours.example j.smith@ours.example",
	    "on vacation, with a copy kept" },
	{ "ceo@ours.example", "boss@provider.example", "to another provider" },
	{ "SALES@OURS.example", "j.smith@ours.example r.johnson@ours.example", "case" },
	{ "ceo@other.example", "boss@provider.example", "in each domain that is ours" },
	{ "ceo@far.example", "ceo@far.example", "not in others" },
	{ "nobody@ours.example", "nobody@ours.example", "no entry" },
	{ "old@ours.example", "old@ours.example", "an entry that is over" },
	{ "today@ours.example", "new@ours.example", "its last day" },
	{ "staff@ours.example",
	    "j.smith@ours.example r.johnson@ours.example staff2@other.example x@other.example",
	    "nested groups: a bare name is of the domain where it stands" },
	{ "whole@ours.example", "a@ours.example", "the whole address before the local part" },
	{ "whole@other.example", "b@other.example", "the local part" },
	{ "tag+exact@ours.example", "exact@ours.example", "an entry with a tag" },
	{ "tag+no@ours.example", "base@ours.example", "one without" },
	{ "r.johnson+x@ours.example", "r.johnson+x@ours.example j.smith@ours.example",
	    "who keeps a copy keeps the tag" },
	{ "\"john doe\"@ours.example", "john@ours.example", "quotes" },
	{ "any@catch.example", "box@catch.example", "catch-all" },
	{ "box@catch.example", "box@catch.example", "and its box" },
	{ "known@catch.example", "known@catch.example", "not for an address with an entry" },
	{ "team@catch.example", "other@catch.example known@catch.example",
	    "nor for one that an entry names" },
	{ "sales@moved.example", "j.smith@ours.example r.johnson@ours.example",
	    "a domain that stands for another" },
	{ "q@a.below.example", "box@a.below.example", "what is below a domain" },
	{ "q@below.example", "q@below.example", "not itself" },
	{ "ring1@ours.example",
	    "circle: ring1@ours.example -> ring2@ours.example -> ring1@ours.example",
	    "a circle through a domain that is ours" },
	{ "x@here.example", "circle: x@here.example -> x@there.example -> x@here.example",
	    "a circle through domains" },
	{ "mixed@ours.example", "Mixed.Case@out.example", "the local part comes out as written" },
	{ "no address", "status 3: bad local part", "what is no address" },
};

static void
test_cases(void)
{
	struct mr_buf out;

	mr_buf_init(&out, 1 << 20);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		expand(&out, cases[i].addr);
		is(mr_buf_str(&out), cases[i].want, cases[i].name);
	}
	conf.lowers_local = true;
	expand(&out, "mixed@ours.example");
	is(mr_buf_str(&out), "mixed.case@out.example", "or in lower case");
	conf.lowers_local = false;
	mr_buf_free(&out);
}

/* A group of `n` with `members` that are groups of `n` each. */
static void
make_groups(struct mr_buf *text, unsigned members, unsigned n)
{
	mr_buf_clear(text);
	mr_buf_adds(text, "top");
	for (unsigned i = 0; i < members; i++)
		mr_buf_addf(text, " g%u", i);
	for (unsigned i = 0; i < members; i++) {
		mr_buf_addf(text, "\ng%u", i);
		for (unsigned k = 0; k < n; k++)
			mr_buf_addf(text, " m%u", i * n + k);
	}
	mr_buf_addc(text, '\n');
	mr_buf_addc(text, '\0');
}

static size_t
count(struct mr_str s, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == c;
	return n;
}

static void
test_limits(void)
{
	struct mr_buf text, out;

	mr_buf_init(&text, 1 << 20);
	mr_buf_init(&out, 1 << 20);
	make_groups(&text, MR_ALIAS_RCPT_MAX / 10, 10);
	use_aliases(text.p);
	expand(&out, "top@ours.example");
	ok(count(mr_buf_str(&out), '@') == MR_ALIAS_RCPT_MAX, "MR_ALIAS_RCPT_MAX recipients");
	make_groups(&text, MR_ALIAS_RCPT_MAX / 10, 11);
	use_aliases(text.p);
	expand(&out, "top@ours.example");
	is(mr_buf_str(&out), "too many: recipients", "one more is too many");

	mr_buf_clear(&text);
	for (unsigned i = 0; i < MR_ALIAS_DEPTH_MAX; i++) /* no chain before domains are known */
		mr_buf_addf(&text, "a%u a%u@ours.example\n", i, i + 1);
	mr_buf_addc(&text, '\0');
	use_aliases(text.p);
	expand(&out, "a0@ours.example");
	ok(mr_str_starts(mr_buf_str(&out), "a50@"), "MR_ALIAS_DEPTH_MAX aliases of aliases");
	text.n--;
	mr_buf_adds(&text, "top a0@ours.example\n");
	mr_buf_addc(&text, '\0');
	use_aliases(text.p);
	expand(&out, "top@ours.example");
	is(mr_buf_str(&out), "too many: aliases of aliases", "more are too many");
	mr_buf_free(&text);
	mr_buf_free(&out);
}

int
main(void)
{
	struct mr_table *ours = open_text(routes, MR_TABLE_ROUTES);

	conf = (struct mr_alias_conf){ .today = MR_STR("2026-11-24"), .routes = ours };
	use_aliases(aliases);
	test_cases();
	test_limits();
	mr_table_close(opened);
	mr_table_close(ours);
	return done_testing();
}
