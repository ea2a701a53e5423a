/* access.h - mr-access: permit or forbid clients and senders by a table. */
#ifndef MR_FILTER_ACCESS_H
#define MR_FILTER_ACCESS_H

#include "filter/filter.h"

extern const struct mr_filter mr_filter_access;

#endif
