/* date.h - dates of RFC 5322 section 3.3. */
#ifndef MR_MAIL_DATE_H
#define MR_MAIL_DATE_H

#include "base/str.h"

#define MR_DATE_MAX 40

/* "Tue, 24 Nov 2026 03:48:06 +0000": UTC (of the years 1970 to 9999; others are cut to these), into storage of at least MR_DATE_MAX bytes; a view. */
struct mr_str mr_date_text(char *storage, int64_t now_s);

#endif
