/* rules.c - lib/check/rules: the order, places, wildcards, the built-in tables, limits. */
#include "check/rules.h"

#include "../open_table.h"
#include "../tap.h"

static struct mr_arena arena;
static struct mr_err err;

static const char *classes = "";

/* `text` NULL: the built-in tables. */
static enum mr_status
read_rules(struct mr_rules **r, const char *text)
{
	struct mr_table *table = text ? open_text(text, MR_TABLE_ATTACH) : NULL;
	enum mr_status st;

	mr_arena_free(&arena);
	st = mr_rules_read(r, &arena, table, "t", &err);
	mr_table_close(table);
	return st;
}

static enum mr_rule_action
find(const char *table, enum mr_rule_kind kind, const char *value, enum mr_rule_scope scope)
{
	struct mr_str line = { NULL, 0 };
	struct mr_rules *r;
	enum mr_rule_action a;

	if (!ok(read_rules(&r, table) == MR_OK, "a table"))
		return MR_RULE_PASS;
	a = mr_rules_find(r, kind, mr_str(value), scope, mr_str(classes), &line);
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
conditions(void)
{
	static const char table[] = "pass ext exe only=trusted+auth\n"
	                            "tag ext com unless=auth in=part\n"
	                            "block ext exe com\n";

	ok(find(table, MR_RULE_EXT, "exe", MR_IN_PART) == MR_RULE_BLOCK, "only=, and no class");
	ok(find(table, MR_RULE_EXT, "com", MR_IN_PART) == MR_RULE_TAG, "unless=, and no class");
	classes = "tls+auth";
	ok(find(table, MR_RULE_EXT, "exe", MR_IN_PART) == MR_RULE_PASS, "only=, one of two");
	ok(find(table, MR_RULE_EXT, "com", MR_IN_PART) == MR_RULE_BLOCK, "unless=, one of two");
	classes = "authentic";
	ok(find(table, MR_RULE_EXT, "exe", MR_IN_PART) == MR_RULE_BLOCK, "a class' whole name");
	classes = "";
	ok(find(table, MR_RULE_EXT, "com", MR_IN_TAR) == MR_RULE_BLOCK, "a place behind the value");
}

static void
limits(void)
{
	struct mr_rules *r;
	struct mr_buf text;

	for (unsigned over = 0; over <= 1; over++) {
		mr_buf_init(&text, 1u << 20);
		for (unsigned i = 0; i < MR_RULES_MAX + over; i++)
			mr_buf_adds(&text, i % 100 ? " a" : "\nblock ext a");
		mr_buf_addc(&text, '\0');
		ok((read_rules(&r, text.p) == MR_OK) == !over, "values: %u over", over);
		mr_buf_free(&text);
	}
	mr_buf_init(&text, 1000);
	for (unsigned i = 0; i < 17; i++)
		mr_buf_adds(&text, "use macros\n");
	mr_buf_addc(&text, '\0');
	ok(read_rules(&r, text.p) == MR_PERM && strstr(err.text, "t:17: used too often"),
	    "tables used: %s", err.text);
	mr_buf_free(&text);
}

int
main(void)
{
	mr_arena_init(&arena, 64u << 20);
	lookups();
	conditions();
	limits();
	mr_arena_free(&arena);
	return done_testing();
}
