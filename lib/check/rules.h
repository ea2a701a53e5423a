/* rules.h - which attachments may pass: a table of attachments, read once. */
#ifndef MR_CHECK_RULES_H
#define MR_CHECK_RULES_H

#include "table/attach.h"
#include "table/table.h"

#define MR_RULES_MAX 20000u /* values in all rules of a table */

struct mr_rules;

/* True if a rule is of this kind. */
bool mr_rules_have(const struct mr_rules *rules, enum mr_rule_kind kind);

/* Reads `table`, of kind MR_TABLE_ATTACH, which is called `name` in reasons and may be closed then; NULL:
 * the tables that are built in.  MR_PERM: "name:line: what is wrong".  MR_TEMP: damaged, no memory. */
enum mr_status mr_rules_read(struct mr_rules **rules, struct mr_arena *arena,
    const struct mr_table *table, const char *name, struct mr_err *err);

/* The action of the first rule, in the order of the table, for this value of a message of `classes` (joined
 * by '+'); without one it passes.  *line (may be NULL) is "name:line" of the rule. */
enum mr_rule_action mr_rules_find(const struct mr_rules *rules, enum mr_rule_kind kind,
    struct mr_str value, enum mr_rule_scope scope, struct mr_str classes, struct mr_str *line);

/* The text of a built-in table, "programs" or "macros"; p NULL: no such table. */
struct mr_str mr_rules_builtin(struct mr_str name);

#endif
