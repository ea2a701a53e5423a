#include "check/rules.h"

#include <fnmatch.h>
#include <string.h>

#define BUCKET_N    1024u /* a power of two */
#define USE_MAX     16u   /* tables that are used by a table */
#define RULES_USUAL 512u  /* room for so many from the start: the tables of our own have 300 */

struct rule {
	enum mr_rule_kind kind;
	enum mr_rule_action action;
	unsigned in;                /* scopes */
	struct mr_str only, unless; /* classes; p NULL: no condition */
	struct mr_str value, line;
	uint32_t next; /* of the same bucket, 1 + index; 0: none */
};

struct mr_rules {
	struct mr_arena *arena;
	struct rule *rule; /* in the order of the table */
	size_t n, cap;
	uint32_t bucket[BUCKET_N], last[BUCKET_N]; /* 1 + index of whole values */
	size_t *pattern;                           /* indices of values with wildcards */
	size_t pattern_n, pattern_cap;
	unsigned use_n;
	bool has[MR_RULE_LIMIT + 1];
};

bool
mr_rules_have(const struct mr_rules *rules, enum mr_rule_kind kind)
{
	return rules->has[kind];
}

static size_t
bucket_of(enum mr_rule_kind kind, struct mr_str value)
{
	return (mr_str_hash(value) + (unsigned)kind * 31u) & (BUCKET_N - 1);
}

static bool
is_pattern(struct mr_str s)
{
	return mr_str_chr(s, '*') >= 0 || mr_str_chr(s, '?') >= 0;
}

static bool
add_rule(struct mr_rules *r, const struct rule *rule)
{
	char *value;
	size_t b;

	if (r->n == MR_RULES_MAX
	    || !mr_arena_grow(r->arena, &r->rule, r->n, &r->cap, sizeof *r->rule)
	    || !(value = mr_arena_alloc(r->arena, rule->value.n + 1)))
		return false;
	for (size_t i = 0; i < rule->value.n; i++)
		value[i] = (char)mr_lower((unsigned char)rule->value.p[i]);
	r->rule[r->n] = *rule;
	r->rule[r->n].value.p = value;
	r->has[rule->kind] = true;
	r->n++;
	if (is_pattern(rule->value)) {
		if (!mr_arena_grow(
		        r->arena, &r->pattern, r->pattern_n, &r->pattern_cap, sizeof *r->pattern))
			return false;
		r->pattern[r->pattern_n++] = r->n - 1;
		return true;
	}
	b = bucket_of(rule->kind, r->rule[r->n - 1].value);
	if (r->last[b])
		r->rule[r->last[b] - 1].next = r->n;
	else
		r->bucket[b] = r->n;
	r->last[b] = r->n;
	return true;
}

static enum mr_status read_builtin(struct mr_rules *r, struct mr_str name, struct mr_err *err);

/* `at`: "name:line". */
static enum mr_status
add_line(struct mr_rules *r, struct mr_str line, struct mr_str at, struct mr_err *err)
{
	struct rule rule = { .line = at };
	struct mr_attach_line l;
	struct mr_err why;

	if (mr_attach_line_parse(&l, line, &why))
		return mr_err_set(err, MR_PERM, "%.*s: %s", (int)at.n, at.p, why.text);
	if (l.use.p && r->use_n++ == USE_MAX)
		return mr_err_set(err, MR_PERM, "%.*s: used too often", (int)at.n, at.p);
	if (l.use.p)
		return read_builtin(r, l.use, err); /* those tables use none */
	rule.kind = l.kind;
	rule.action = l.action;
	rule.in = l.in;
	if ((l.only.p && !(rule.only = mr_arena_dup(r->arena, l.only)).p)
	    || (l.unless.p && !(rule.unless = mr_arena_dup(r->arena, l.unless)).p))
		return mr_err_set(err, MR_TEMP, "out of memory");
	while ((rule.value = mr_attach_next(&l)).n)
		if (!add_rule(r, &rule))
			return mr_err_set(err, MR_TEMP, "%.*s: no memory, or over %u values",
			    (int)at.n, at.p, MR_RULES_MAX);
	return MR_OK;
}

static enum mr_status
read_builtin(struct mr_rules *r, struct mr_str name, struct mr_err *err)
{
	struct mr_str text = mr_rules_builtin(name), line;
	enum mr_status st = MR_OK;

	for (unsigned n = 1; st == MR_OK && mr_str_split(&text, '\n', &line); n++) {
		struct mr_str at = mr_arena_fmt(r->arena, "%.*s:%u", (int)name.n, name.p, n);

		if (line.n && line.p[0] != '#')
			st = at.p ? add_line(r, line, at, err)
			          : mr_err_set(err, MR_TEMP, "out of memory");
	}
	return st;
}

static enum mr_status
read_table(struct mr_rules *r, const struct mr_table *table, const char *name, struct mr_err *err)
{
	struct mr_str number, line;
	uint32_t pos = 0;
	enum mr_status st;

	while ((st = mr_table_next(table, &pos, &number, &line)) == MR_OK) {
		struct mr_str at = mr_arena_fmt(r->arena, "%s:%.*s", name, (int)number.n, number.p);

		st = at.p ? add_line(r, line, at, err) : mr_err_set(err, MR_TEMP, "out of memory");
		if (st)
			return st;
	}
	return st == MR_NOTFOUND ? MR_OK
	                         : mr_err_set(err, MR_TEMP, "%s: damaged; compile it again", name);
}

enum mr_status
mr_rules_read(struct mr_rules **rules, struct mr_arena *arena, const struct mr_table *table,
    const char *name, struct mr_err *err)
{
	struct mr_rules *r = mr_arena_alloc(arena, sizeof *r);
	enum mr_status st;

	if (!r || !(r->rule = mr_arena_alloc(arena, RULES_USUAL * sizeof *r->rule)))
		return mr_err_set(err, MR_TEMP, "out of memory");
	r->cap = RULES_USUAL;
	r->arena = arena;
	*rules = r;
	if (table)
		return read_table(r, table, name, err);
	st = read_builtin(r, MR_STR("programs"), err);
	return st ? st : read_builtin(r, MR_STR("macros"), err);
}

/* True if one of `a` is one of `b`. */
static bool
have_common(struct mr_str a, struct mr_str b)
{
	struct mr_str x, y, rest;

	while (mr_str_split(&a, '+', &x))
		for (rest = b; mr_str_split(&rest, '+', &y);)
			if (mr_str_eq(x, y))
				return true;
	return false;
}

static bool
holds(const struct rule *rule, enum mr_rule_scope scope, struct mr_str classes)
{
	return rule->in & scope && !(rule->only.p && !have_common(rule->only, classes))
	    && !(rule->unless.p && have_common(rule->unless, classes));
}

enum mr_rule_action
mr_rules_find(const struct mr_rules *r, enum mr_rule_kind kind, struct mr_str value,
    enum mr_rule_scope scope, struct mr_str classes, struct mr_str *line)
{
	char lower[256];
	size_t best = r->n, i;

	if (value.n >= sizeof lower)
		value = mr_str_from(value, value.n - (sizeof lower - 1));
	for (i = 0; i < value.n; i++)
		lower[i] = value.p[i] ? (char)mr_lower((unsigned char)value.p[i]) : '?';
	lower[i] = '\0';
	value.p = lower;
	for (i = r->bucket[bucket_of(kind, value)]; i && best == r->n; i = r->rule[i - 1].next) {
		const struct rule *rule = &r->rule[i - 1];

		if (rule->kind == kind && mr_str_eq(rule->value, value)
		    && holds(rule, scope, classes))
			best = i - 1;
	}
	for (i = 0; i < r->pattern_n && r->pattern[i] < best; i++) {
		const struct rule *rule = &r->rule[r->pattern[i]];

		if (rule->kind == kind && holds(rule, scope, classes)
		    && fnmatch(rule->value.p, lower, FNM_NOESCAPE) == 0)
			best = r->pattern[i];
	}
	if (best == r->n)
		return MR_RULE_PASS;
	if (line)
		*line = r->rule[best].line;
	return r->rule[best].action;
}
