#include "check/rules.h"

#include <fnmatch.h>
#include <string.h>

#define BUCKET_N 1024u /* a power of two */
#define USE_MAX  16u   /* tables that are used by a table */

struct rule {
	enum mr_rule_kind kind;
	enum mr_rule_action action;
	unsigned in; /* scopes */
	struct mr_str value, line;
	size_t next; /* of the same bucket, 1 + index; 0: none */
};

struct mr_rules {
	struct mr_arena *arena;
	struct rule *rule; /* in the order of the table */
	size_t n, cap;
	size_t bucket[BUCKET_N], last[BUCKET_N]; /* 1 + index of whole values */
	size_t *pattern;                         /* indices of values with wildcards */
	size_t pattern_n, pattern_cap;
	unsigned use_n;
	bool has[MR_RULE_LIMIT + 1];
};

static const char *const kinds[] = { [MR_RULE_EXT] = "ext",
	[MR_RULE_NAME] = "name",
	[MR_RULE_TYPE] = "type",
	[MR_RULE_CONTENT] = "content",
	[MR_RULE_MAGIC] = "magic",
	[MR_RULE_LIMIT] = "limit" };
static const char *const scopes[] = { "part", "body", "archive", "tar", "text" };
static const char *const actions[] = {
	[MR_RULE_PASS] = "pass", [MR_RULE_TAG] = "tag", [MR_RULE_BLOCK] = "block"
};

const char *
mr_rule_kind_word(enum mr_rule_kind kind)
{
	return kinds[kind];
}

const char *
mr_rule_scope_word(enum mr_rule_scope scope)
{
	unsigned i = 0;

	while (i + 1 < sizeof scopes / sizeof *scopes && !(scope & 1u << i))
		i++;
	return scopes[i];
}

bool
mr_rules_have(const struct mr_rules *rules, enum mr_rule_kind kind)
{
	return rules->has[kind];
}

static int
index_of(const char *const *word, size_t n, struct mr_str s)
{
	for (size_t i = 0; i < n; i++)
		if (mr_str_is(s, word[i]))
			return (int)i;
	return -1;
}
#define INDEX_OF(words, s) index_of((words), sizeof(words) / sizeof *(words), (s))

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

/* "part+archive" */
static bool
read_scopes(unsigned *in, struct mr_str words)
{
	struct mr_str word;

	*in = 0;
	while (mr_str_split(&words, '+', &word)) {
		int i = INDEX_OF(scopes, word);

		if (i < 0)
			return false;
		*in |= 1u << i;
	}
	return true;
}

static enum mr_status
read_text(struct mr_rules *r, struct mr_str text, const char *name, struct mr_err *err);

static enum mr_status
read_use(struct mr_rules *r, struct mr_str rest, struct mr_str at, struct mr_err *err)
{
	struct mr_str word = mr_str_word(&rest), text = mr_rules_builtin(word);
	const char *name = mr_str_is(word, "macros") ? "macros" : "programs";

	if (!text.p || mr_str_trim(rest).n)
		return mr_err_set(
		    err, MR_PERM, "%.*s: need: use programs, or: use macros", (int)at.n, at.p);
	if (r->use_n++ == USE_MAX)
		return mr_err_set(err, MR_PERM, "%.*s: used too often", (int)at.n, at.p);
	return read_text(r, text, name, err); /* those tables use none */
}

static enum mr_status
read_line(struct mr_rules *r, struct mr_str line, struct mr_str at, struct mr_err *err)
{
	struct mr_str rest = line, word = mr_str_word(&rest);
	struct rule rule = { .in = MR_IN_ANY, .line = at };
	int action = INDEX_OF(actions, word), kind;
	size_t before = r->n;

	if (word.n == 0)
		return MR_OK;
	if (mr_str_is(word, "use"))
		return read_use(r, rest, at, err);
	if (action < 0)
		return mr_err_set(err, MR_PERM, "%.*s: '%.*s': need block, tag, pass or use",
		    (int)at.n, at.p, (int)word.n, word.p);
	word = mr_str_word(&rest);
	if ((kind = INDEX_OF(kinds, word)) < 0)
		return mr_err_set(err, MR_PERM,
		    "%.*s: '%.*s': need ext, name, type, content, magic or limit", (int)at.n, at.p,
		    (int)word.n, word.p);
	rule.action = (enum mr_rule_action)action;
	rule.kind = (enum mr_rule_kind)kind;
	while ((word = mr_str_word(&rest)).n) {
		if (mr_str_starts(word, "in=")) {
			if (!read_scopes(&rule.in, mr_str_from(word, 3)))
				return mr_err_set(err, MR_PERM,
				    "%.*s: '%.*s': need part, body, archive, tar or text, joined "
				    "by '+'",
				    (int)at.n, at.p, (int)word.n, word.p);
			continue;
		}
		rule.value = word;
		if (!add_rule(r, &rule))
			return mr_err_set(err, MR_TEMP, "%.*s: no memory, or over %u values",
			    (int)at.n, at.p, MR_RULES_MAX);
	}
	return r->n > before ? MR_OK : mr_err_set(err, MR_PERM, "%.*s: no value", (int)at.n, at.p);
}

static enum mr_status
read_text(struct mr_rules *r, struct mr_str text, const char *name, struct mr_err *err)
{
	struct mr_str line;
	enum mr_status st = MR_OK;
	unsigned n = 0;

	while (st == MR_OK && mr_str_split(&text, '\n', &line)) {
		struct mr_str at = mr_arena_fmt(r->arena, "%s:%u", name, ++n);
		size_t i = 0;

		if (!at.p)
			return mr_err_set(err, MR_TEMP, "out of memory");
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		/* A comment begins at the start or behind a blank, as in mr-table(5). */
		while (i < line.n
		    && !(line.p[i] == '#'
		        && (i == 0 || line.p[i - 1] == ' ' || line.p[i - 1] == '\t')))
			i++;
		line.n = i;
		st = read_line(r, line, at, err);
	}
	return st;
}

enum mr_status
mr_rules_read(struct mr_rules **rules, struct mr_arena *arena, struct mr_str text, const char *name,
    struct mr_err *err)
{
	struct mr_rules *r = mr_arena_alloc(arena, sizeof *r);

	if (!r)
		return mr_err_set(err, MR_TEMP, "out of memory");
	r->arena = arena;
	*rules = r;
	return read_text(r, text.p ? text : MR_STR("use programs\nuse macros\n"),
	    text.p ? name : "default", err);
}

enum mr_rule_action
mr_rules_find(const struct mr_rules *r, enum mr_rule_kind kind, struct mr_str value,
    enum mr_rule_scope scope, struct mr_str *line)
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

		if (rule->kind == kind && rule->in & scope && mr_str_eq(rule->value, value))
			best = i - 1;
	}
	for (i = 0; i < r->pattern_n && r->pattern[i] < best; i++) {
		const struct rule *rule = &r->rule[r->pattern[i]];

		if (rule->kind == kind && rule->in & scope
		    && fnmatch(rule->value.p, lower, FNM_NOESCAPE) == 0)
			best = r->pattern[i];
	}
	if (best == r->n)
		return MR_RULE_PASS;
	if (line)
		*line = r->rule[best].line;
	return r->rule[best].action;
}
