/* rules.c - lib/check/rules: the order, places, wildcards, the built-in tables, limits. */
#include "check/rules.h"

#include "../tap.h"
#include "base/buf.h"

static struct mr_arena arena;
static struct mr_err err;

static enum mr_rule_action
find(const char *table, enum mr_rule_kind kind, const char *value, enum mr_rule_scope scope)
{
	struct mr_str line = { NULL, 0 };
	struct mr_rules *r;
	enum mr_rule_action a;

	mr_arena_free(&arena);
	if (!ok(mr_rules_read(&r, &arena, mr_str(table), "t", &err) == MR_OK, "a table"))
		return MR_RULE_PASS;
	a = mr_rules_find(r, kind, mr_str(value), scope, &line);
	ok(a == MR_RULE_PASS || line.n, "%s: it tells where the rule is", value);
	return a;
}

static void
lookups(void)
{
	static const char order[] = "pass ext exe\nblock ext exe com\ntag name *.p?f\n";

	ok(find(order, MR_RULE_EXT, "exe", MR_IN_PART) == MR_RULE_PASS, "the first line decides");
	ok(find(order, MR_RULE_EXT, "CoM", MR_IN_PART) == MR_RULE_BLOCK, "case does not count");
	ok(find(order, MR_RULE_TYPE, "com", MR_IN_PART) == MR_RULE_PASS, "another kind");
	ok(find(order, MR_RULE_NAME, "A.PDF", MR_IN_PART) == MR_RULE_TAG, "wildcards");
	ok(find("pass name a*\nblock name ab\n", MR_RULE_NAME, "ab", MR_IN_PART) == MR_RULE_PASS,
	    "a wildcard that is first");
	ok(find("block name ab\npass name a*\n", MR_RULE_NAME, "ab", MR_IN_PART) == MR_RULE_BLOCK,
	    "a wildcard that is second");
	ok(find("block ext in=tar+text sh\n", MR_RULE_EXT, "sh", MR_IN_PART) == MR_RULE_PASS
	        && find("block ext in=tar+text sh\n", MR_RULE_EXT, "sh", MR_IN_TEXT)
	            == MR_RULE_BLOCK,
	    "places");
	ok(find("block ext a # exe\n", MR_RULE_EXT, "exe", MR_IN_PART) == MR_RULE_PASS,
	    "a comment");
	ok(find("block ext a#b\r\n", MR_RULE_EXT, "a#b", MR_IN_PART) == MR_RULE_BLOCK,
	    "none, and CR");
	ok(find(NULL, MR_RULE_EXT, "{00}", MR_IN_PART) == MR_RULE_BLOCK,
	    "a CLSID, by the built-in table");
	ok(find("use programs", MR_RULE_EXT, "docm", MR_IN_PART) == MR_RULE_PASS
	        && find("use macros", MR_RULE_EXT, "docm", MR_IN_PART) == MR_RULE_BLOCK,
	    "two built-in tables");
	ok(find(NULL, MR_RULE_CONTENT, "script", MR_IN_TAR) == MR_RULE_PASS
	        && find(NULL, MR_RULE_CONTENT, "elf", MR_IN_TAR) == MR_RULE_BLOCK,
	    "sources travel in tar, programs do not");
}

static void
limits(void)
{
	struct mr_rules *r;
	struct mr_buf text;

	for (unsigned over = 0; over <= 1; over++) {
		mr_buf_init(&text, MR_RULES_TEXT_MAX);
		mr_buf_adds(&text, "block ext");
		for (unsigned i = 0; i < MR_RULES_MAX + over; i++)
			mr_buf_adds(&text, " a");
		mr_arena_free(&arena);
		ok((mr_rules_read(&r, &arena, mr_buf_str(&text), "t", &err) == MR_OK) == !over,
		    "values: %u over", over);
		mr_buf_free(&text);
	}
	mr_buf_init(&text, 1000);
	for (unsigned i = 0; i < 17; i++)
		mr_buf_adds(&text, "use macros\n");
	ok(mr_rules_read(&r, &arena, mr_buf_str(&text), "t", &err) == MR_PERM
	        && strstr(err.text, "t:17: used too often"),
	    "tables used: %s", err.text);
	mr_buf_free(&text);
}

int
main(void)
{
	mr_arena_init(&arena, 64u << 20);
	lookups();
	limits();
	mr_arena_free(&arena);
	return done_testing();
}
