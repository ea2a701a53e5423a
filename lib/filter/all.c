#include "filter/filter.h"

#include <stddef.h>
#include <string.h>

const struct mr_filter *const mr_filters[] = {
	&mr_filter_access,
	&mr_filter_alias,
	&mr_filter_copy,
	&mr_filter_dkimsign,
	&mr_filter_dkimverify,
	&mr_filter_dmarc,
	&mr_filter_dnsbl,
	&mr_filter_greylist,
	&mr_filter_helo,
	&mr_filter_limit,
	&mr_filter_mimecheck,
	&mr_filter_spf,
	&mr_filter_srs,
	NULL,
};

const struct mr_filter *
mr_filter_find(const char *name)
{
	for (const struct mr_filter *const *f = mr_filters; *f; f++)
		if (strcmp((*f)->name, name) == 0)
			return *f;
	return NULL;
}
