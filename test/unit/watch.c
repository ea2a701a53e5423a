/* watch.c - lib/base/watch. */
#include "base/watch.h"

#include "../tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void
put(const char *path, const char *bytes)
{
	FILE *f = fopen(path, "w");

	if (f) {
		fputs(bytes, f);
		fclose(f);
	}
}

int
main(void)
{
	char dir[] = "/tmp/mr-watch.XXXXXX", a[64], b[64], name[64];
	struct mr_err err;
	struct mr_watch w;
	bool is_full = false;

	if (!mkdtemp(dir))
		return 1;
	snprintf(a, sizeof a, "%s/a", dir);
	snprintf(b, sizeof b, "%s/b", dir);
	put(a, "1");
	ok(mr_watch_add(NULL, a, &err) == MR_OK, "no list is no fault");
	mr_watch_init(&w);
	ok(!mr_watch_has_changed(&w), "nothing has not changed");

	snprintf(name, sizeof name, "%s", a);
	mr_watch_add(&w, name, &err);
	memset(name, 'x', sizeof name - 1);
	ok(!mr_watch_has_changed(&w), "as it was; the path is copied");
	put(a, "22");
	ok(mr_watch_has_changed(&w), "another size");

	mr_watch_free(&w);
	mr_watch_add(&w, a, &err);
	put(b, "22");
	rename(b, a);
	ok(mr_watch_has_changed(&w), "replaced by rename");

	mr_watch_free(&w);
	mr_watch_add(&w, a, &err);
	utimensat(AT_FDCWD, a, (const struct timespec[]){ { 1, 0 }, { 1, 1 } }, 0);
	ok(mr_watch_has_changed(&w), "another time");

	mr_watch_free(&w);
	mr_watch_add(&w, b, &err);
	mr_watch_add(&w, a, &err);
	ok(!mr_watch_has_changed(&w), "one that is not there stays so");
	put(b, "");
	ok(mr_watch_has_changed(&w), "it came");
	mr_watch_free(&w);
	mr_watch_add(&w, b, &err);
	unlink(b);
	ok(mr_watch_has_changed(&w), "it went");
	mr_watch_free(&w);

	for (int i = 0; i < 100000 && !is_full; i++)
		is_full = mr_watch_add(&w, a, &err) == MR_TEMP;
	ok(is_full && w.n > 1000, "a ceiling of its memory: %zu", w.n);
	mr_watch_free(&w);
	unlink(a);
	rmdir(dir);
	return done_testing();
}
