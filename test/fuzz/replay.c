/* replay.c - runs the fuzz target linked with it over each file named, and over each file of each
 * folder named; prints how many.  A broken property ends it by a signal, with the file's name. */
#include "base/io.h"
#include "fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

#define SEED_MAX (16u << 20)

static size_t count;

static bool
run_file(const char *path)
{
	struct mr_buf b;
	struct mr_err err;

	mr_buf_init(&b, SEED_MAX);
	if (mr_io_read_file(path, &b, &err)) {
		fprintf(stderr, "replay: %s\n", err.text);
		return false;
	}
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput((const uint8_t *)mr_buf_str(&b).p, b.n);
	mr_buf_free(&b);
	count++;
	return true;
}

static bool
run(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	bool is_ok = true;

	if (!dir)
		return run_file(path);
	while ((e = readdir(dir))) {
		char name[4096];

		if (e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof name, "%s/%s", path, e->d_name);
		is_ok = run_file(name) && is_ok;
	}
	closedir(dir);
	return is_ok;
}

int
main(int argc, char **argv)
{
	bool is_ok = true;

	for (int i = 1; i < argc; i++)
		is_ok = run(argv[i]) && is_ok;
	printf("%zu\n", count);
	return !is_ok || count == 0;
}
