#include "table/attach.h"

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

static int
index_of(const char *const *word, size_t n, struct mr_str s)
{
	for (size_t i = 0; i < n; i++)
		if (mr_str_is(s, word[i]))
			return (int)i;
	return -1;
}
#define INDEX_OF(words, s) index_of((words), sizeof(words) / sizeof *(words), (s))

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
	return *in != 0;
}

/* The form of "auth+trusted"; which classes there are, the pipeline knows. */
static bool
are_classes(struct mr_str words)
{
	struct mr_str word;
	bool has_one = false;

	while (mr_str_split(&words, '+', &word)) {
		for (size_t i = 0; i < word.n; i++)
			if (!(word.p[i] >= 'a' && word.p[i] <= 'z')
			    && !(word.p[i] >= 'A' && word.p[i] <= 'Z')
			    && !(word.p[i] >= '0' && word.p[i] <= '9') && word.p[i] != '-'
			    && word.p[i] != '_')
				return false;
		if (word.n == 0)
			return false;
		has_one = true;
	}
	return has_one;
}

static enum mr_status
read_condition(struct mr_attach_line *l, struct mr_str word, struct mr_err *err)
{
	struct mr_str *classes = mr_str_starts(word, "only=") ? &l->only
	    : mr_str_starts(word, "unless=")                  ? &l->unless
	                                                      : NULL;

	if (classes) {
		*classes = mr_str_from(word, classes == &l->only ? 5 : 7);
		return are_classes(*classes)
		    ? MR_OK
		    : mr_err_set(err, MR_PERM, "'%.*s': need classes joined by '+', as in %s=auth",
		        (int)word.n, word.p, classes == &l->only ? "only" : "unless");
	}
	return read_scopes(&l->in, mr_str_from(word, 3))
	    ? MR_OK
	    : mr_err_set(err, MR_PERM,
	        "'%.*s': need part, body, archive, tar or text, joined by '+'", (int)word.n,
	        word.p);
}

static bool
is_condition(struct mr_str word)
{
	return mr_str_starts(word, "in=") || mr_str_starts(word, "only=")
	    || mr_str_starts(word, "unless=");
}

struct mr_str
mr_attach_next(struct mr_attach_line *l)
{
	struct mr_str word;

	do
		word = mr_str_word(&l->values);
	while (is_condition(word));
	return word;
}

enum mr_status
mr_attach_line_parse(struct mr_attach_line *l, struct mr_str line, struct mr_err *err)
{
	struct mr_str word = mr_str_word(&line);
	int action = INDEX_OF(actions, word), kind;
	size_t value_n = 0;
	enum mr_status st = MR_OK;

	*l = (struct mr_attach_line){ .in = MR_IN_ANY };
	if (mr_str_is(word, "use")) {
		l->use = mr_str_trim(line);
		return mr_str_is(l->use, "programs") || mr_str_is(l->use, "macros")
		    ? MR_OK
		    : mr_err_set(err, MR_PERM, "need: use programs, or: use macros");
	}
	if (action < 0)
		return mr_err_set(
		    err, MR_PERM, "'%.*s': need block, tag, pass or use", (int)word.n, word.p);
	word = mr_str_word(&line);
	if ((kind = INDEX_OF(kinds, word)) < 0)
		return mr_err_set(err, MR_PERM,
		    "'%.*s': need ext, name, type, content, magic or limit", (int)word.n, word.p);
	l->action = (enum mr_rule_action)action;
	l->kind = (enum mr_rule_kind)kind;
	l->values = line;
	while (st == MR_OK && (word = mr_str_word(&line)).n)
		if (is_condition(word))
			st = read_condition(l, word, err);
		else
			value_n++;
	if (st == MR_OK && value_n == 0)
		return mr_err_set(
		    err, MR_PERM, "no value; write %s %s value...", actions[action], kinds[kind]);
	return st;
}
