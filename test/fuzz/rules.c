/* rules.c - a table: read or refused with a reason that names a line; lookups never fail. */
#include "check/rules.h"

#include "../open_table.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str s = fuzz_copy(data, size), line = { NULL, 0 };
	struct mr_table *table = NULL;
	struct mr_arena arena;
	struct mr_rules *rules;
	struct mr_err err;
	enum mr_status st = open_bytes(&table, s, "", MR_TABLE_ATTACH, &err);

	mr_arena_init(&arena, 64u << 20);
	if (st == MR_OK && (st = mr_rules_read(&rules, &arena, table, "t", &err)) == MR_OK) {
		for (int k = MR_RULE_EXT; k <= MR_RULE_LIMIT; k++) {
			enum mr_rule_action a = mr_rules_find(
			    rules, (enum mr_rule_kind)k, s, MR_IN_PART, MR_STR("auth"), &line);

			must(a == MR_RULE_PASS || line.n);
			mr_rules_find(
			    rules, (enum mr_rule_kind)k, MR_STR("exe"), MR_IN_TAR, s, NULL);
		}
	} else
		must(strchr(err.text, ':'));
	mr_table_close(table);
	mr_arena_free(&arena);
	fuzz_free(s);
	return 0;
}
