#include "table/table_cdb.h"

#include <cdb.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct mr_cdb {
	struct cdb c;
};

enum mr_status
mr_cdb_open(struct mr_cdb **cdb, int fd, struct mr_err *err)
{
	struct mr_cdb *new = calloc(1, sizeof *new);

	*cdb = NULL;
	if (!new)
		return mr_err_set(err, MR_TEMP, "out of memory");
	if (cdb_init(&new->c, fd) < 0) {
		free(new);
		if (errno == EPROTO)
			return mr_err_set(err, MR_TEMP, "not a CDB, or cut short");
		return mr_err_sys(err, MR_TEMP, "map");
	}
	*cdb = new;
	return MR_OK;
}

void
mr_cdb_close(struct mr_cdb *cdb)
{
	if (!cdb)
		return;
	cdb_free(&cdb->c);
	free(cdb);
}

/* A view of the map, checked against its size. */
static enum mr_status
view(const struct cdb *c, unsigned pos, unsigned len, struct mr_str *out)
{
	const void *p = cdb_get(c, len, pos);

	if (!p)
		return MR_TEMP;
	*out = (struct mr_str){ p, len };
	return MR_OK;
}

enum mr_status
mr_cdb_get(const struct mr_cdb *cdb, struct mr_str key, struct mr_str *value)
{
	struct cdb c = cdb->c; /* a find leaves its result in there */
	int found = key.n > UINT32_MAX / 2 ? 0 : cdb_find(&c, key.p, (unsigned)key.n);

	if (found <= 0)
		return found < 0 ? MR_TEMP : MR_NOTFOUND;
	return view(&c, cdb_datapos(&c), cdb_datalen(&c), value);
}

enum mr_status
mr_cdb_next(const struct mr_cdb *cdb, uint32_t *pos, struct mr_str *key, struct mr_str *value)
{
	struct cdb c = cdb->c;
	unsigned at = *pos;
	int found;

	if (at == 0)
		cdb_seqinit(&at, &c);
	found = cdb_seqnext(&at, &c);
	if (found <= 0)
		return found < 0 ? MR_TEMP : MR_NOTFOUND;
	/* A length that wraps around must not lead back: it would never end. */
	if (at <= *pos || view(&c, cdb_keypos(&c), cdb_keylen(&c), key)
	    || view(&c, cdb_datapos(&c), cdb_datalen(&c), value))
		return MR_TEMP;
	*pos = at;
	return MR_OK;
}

struct mr_cdb_maker {
	struct cdb_make m;
};

enum mr_status
mr_cdb_make(struct mr_cdb_maker **maker, int fd, struct mr_err *err)
{
	*maker = calloc(1, sizeof **maker);
	if (!*maker)
		return mr_err_set(err, MR_TEMP, "out of memory");
	if (cdb_make_start(&(*maker)->m, fd) < 0) {
		mr_err_sys(err, MR_TEMP, "write");
		free(*maker);
		*maker = NULL;
		return MR_TEMP;
	}
	return MR_OK;
}

enum mr_status
mr_cdb_add(struct mr_cdb_maker *maker, struct mr_str key, struct mr_str value, struct mr_err *err)
{
	if (key.n > UINT32_MAX / 2 || value.n > UINT32_MAX / 2)
		return mr_err_set(err, MR_TEMP, "entry too large");
	if (cdb_make_add(&maker->m, key.p, (unsigned)key.n, value.p, (unsigned)value.n) < 0)
		return mr_err_sys(err, MR_TEMP, "write");
	return MR_OK;
}

enum mr_status
mr_cdb_finish(struct mr_cdb_maker *maker, struct mr_err *err)
{
	int done;

	if (!maker)
		return MR_OK;
	done = cdb_make_finish(&maker->m);
	if (done < 0)
		mr_err_sys(err, MR_TEMP, "write");
	free(maker);
	return done < 0 ? MR_TEMP : MR_OK;
}
