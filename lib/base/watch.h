/* watch.h - files that were read once, and whether they have been replaced since. */
#ifndef MR_BASE_WATCH_H
#define MR_BASE_WATCH_H

#include "base/arena.h"
#include "base/err.h"

#include <sys/stat.h>

struct mr_watched {
	const char *path;
	struct stat was; /* all 0: it was not there */
};

/* One list for what one configuration was made of. */
struct mr_watch {
	struct mr_arena arena;
	struct mr_watched *v;
	size_t n, cap;
};

void mr_watch_init(struct mr_watch *w);
void mr_watch_free(struct mr_watch *w);

/* Remembers `path` as it is now; call it before the file is opened.  `w` may be NULL. */
enum mr_status mr_watch_add(struct mr_watch *w, const char *path, struct mr_err *err);

/* True if any file is not the one remembered: other inode, size or time; gone; come. */
bool mr_watch_has_changed(const struct mr_watch *w);

#endif
