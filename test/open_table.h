/* open_table.h - a table from a string, for tests: written to a file that is gone again. */
#ifndef MR_TEST_OPEN_TABLE_H
#define MR_TEST_OPEN_TABLE_H

#include "base/io.h"
#include "table/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* `suffix` is "" for text, ".cdb" for the bytes of a compiled table. */
static inline enum mr_status
open_bytes(struct mr_table **t, struct mr_str bytes, const char *suffix, enum mr_table_kind kind,
    struct mr_err *err)
{
	const char *dir = getenv("TMPDIR");
	char path[4096];
	enum mr_status st;
	int fd;

	snprintf(path, sizeof path, "%s/mr-table.XXXXXX%s", dir ? dir : "/tmp", suffix);
	fd = mkstemps(path, (int)strlen(suffix));
	if (fd < 0 || mr_io_write(fd, bytes, err)) {
		perror(path);
		exit(1);
	}
	close(fd);
	st = mr_table_open(t, path, kind, err);
	unlink(path);
	return st;
}

static inline struct mr_table *
open_text(const char *text, enum mr_table_kind kind)
{
	struct mr_err err = { "" };
	struct mr_table *t;

	if (open_bytes(&t, mr_str(text), "", kind, &err)) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
	return t;
}

#endif
