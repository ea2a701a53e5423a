/* argv.h - argument lists for tests. */
#ifndef MR_TEST_UNIT_ARGV_H
#define MR_TEST_UNIT_ARGV_H

#include <string.h>

#define ARGV_MAX 16

struct argv {
	char text[512];
	char *v[ARGV_MAX + 1];
	int n;
};

/* The words of `line`, which stand between bars: "sh|-c|exit 5".  "" has none. */
static inline char **
argv_set(struct argv *a, const char *line)
{
	char *rest = a->text;

	*a = (struct argv){ .n = 0 };
	memccpy(a->text, line, '\0', sizeof a->text - 1);
	while (*line && rest && a->n < ARGV_MAX)
		a->v[a->n++] = strsep(&rest, "|");
	return a->v;
}

#endif
