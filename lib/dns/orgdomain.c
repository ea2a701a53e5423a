#include "dns/orgdomain.h"

#include "mail/addr.h"

#include <libpsl.h>
#include <stdlib.h>
#include <string.h>

struct mr_orgdomain {
	psl_ctx_t *psl;
};

enum mr_status
mr_orgdomain_open(struct mr_orgdomain **list, struct mr_err *err)
{
	struct mr_orgdomain *l = calloc(1, sizeof *l);

	*list = NULL;
	if (!l || !(l->psl = psl_latest(NULL))) {
		free(l);
		return mr_err_set(err, MR_TEMP, "no public suffix list");
	}
	*list = l;
	return MR_OK;
}

void
mr_orgdomain_close(struct mr_orgdomain *list)
{
	if (!list)
		return;
	psl_free(list->psl);
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
	org = psl_registrable_domain(list->psl, z);
	return org ? mr_str_from(name, (size_t)(org - z)) : name;
}
