#include "base/watch.h"

#include <string.h>

#define WATCH_MAX (1u << 20) /* bytes of paths and entries */

void
mr_watch_init(struct mr_watch *w)
{
	*w = (struct mr_watch){ .n = 0 };
	mr_arena_init(&w->arena, WATCH_MAX);
}

void
mr_watch_free(struct mr_watch *w)
{
	mr_arena_free(&w->arena);
	mr_watch_init(w);
}

static void
look(const char *path, struct stat *st)
{
	if (stat(path, st) < 0)
		memset(st, 0, sizeof *st);
}

enum mr_status
mr_watch_add(struct mr_watch *w, const char *path, struct mr_err *err)
{
	struct mr_str copy;

	if (!w)
		return MR_OK;
	copy = mr_arena_dup(&w->arena, mr_str(path));
	if (!copy.p || !mr_arena_grow(&w->arena, &w->v, w->n, &w->cap, sizeof *w->v))
		return mr_err_set(err, MR_TEMP, "out of memory");
	w->v[w->n].path = copy.p;
	look(path, &w->v[w->n++].was);
	return MR_OK;
}

bool
mr_watch_has_changed(const struct mr_watch *w)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct stat *was = &w->v[i].was;
		struct stat is;

		look(w->v[i].path, &is);
		if (is.st_ino != was->st_ino || is.st_dev != was->st_dev
		    || is.st_size != was->st_size || is.st_mtim.tv_sec != was->st_mtim.tv_sec
		    || is.st_mtim.tv_nsec != was->st_mtim.tv_nsec)
			return true;
	}
	return false;
}
