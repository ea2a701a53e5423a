#include "dns/orgdomain.h"

#include "base/lazy.h"
#include "mail/addr.h"

#include <libpsl.h>
#include <stdlib.h>
#include <string.h>

#define LIB(name)    psl_##name
#define FUNCTIONS(F) F(latest) F(free) F(registrable_domain)

struct libpsl {
	FUNCTIONS(MR_LAZY_FIELD)
};

struct mr_orgdomain {
	struct libpsl lib;
	psl_ctx_t *psl;
};

enum mr_status
mr_orgdomain_open(struct mr_orgdomain **list, struct mr_err *err)
{
	struct mr_orgdomain *l = calloc(1, sizeof *l);
	enum mr_status st = MR_OK;

	*list = NULL;
	if (!l)
		return mr_err_set(err, MR_TEMP, "out of memory");
	st = MR_LAZY_LOAD(&l->lib, FUNCTIONS, err);
	if (st == MR_OK && !(l->psl = l->lib.latest(NULL)))
		st = mr_err_set(err, MR_TEMP, "no public suffix list");
	if (st)
		free(l);
	else
		*list = l;
	return st;
}

void
mr_orgdomain_close(struct mr_orgdomain *list)
{
	if (!list)
		return;
	list->lib.free(list->psl);
	free(list);
}

struct mr_str
mr_orgdomain_of(const struct mr_orgdomain *list, struct mr_str name)
{
	char z[MR_DOMAIN_MAX + 1];
	const char *org;

	if (name.n == 0 || name.n > MR_DOMAIN_MAX || !mr_str_is_line(name))
		return name;
	for (size_t i = 0; i < name.n; i++)
		z[i] = (char)mr_lower((unsigned char)name.p[i]);
	z[name.n] = '\0';
	org = list->lib.registrable_domain(list->psl, z);
	return org ? mr_str_from(name, (size_t)(org - z)) : name;
}
