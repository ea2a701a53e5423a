/* date.c - lib/mail/date. */
#include "mail/date.h"

#include "../tap.h"

int
main(void)
{
	static const struct {
		int64_t s;
		const char *text, *iso;
	} t[] = {
		{ 0, "Thu, 01 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00Z" },
		{ 951825599, "Tue, 29 Feb 2000 11:59:59 +0000", "2000-02-29T11:59:59Z" },
		{ 1795492086, "Tue, 24 Nov 2026 03:48:06 +0000", "2026-11-24T03:48:06Z" },
		{ 4102444799, "Thu, 31 Dec 2099 23:59:59 +0000", "2099-12-31T23:59:59Z" },
		{ 253402300799, "Fri, 31 Dec 9999 23:59:59 +0000", "9999-12-31T23:59:59Z" },
		{ 253402300800, "Fri, 31 Dec 9999 23:59:59 +0000", "9999-12-31T23:59:59Z" },
		{ INT64_MAX, "Fri, 31 Dec 9999 23:59:59 +0000", "9999-12-31T23:59:59Z" },
		{ -1, "Thu, 01 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00Z" },
		{ INT64_MIN, "Thu, 01 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00Z" },
	};
	char z[MR_DATE_MAX];

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		is(mr_date_text(z, t[i].s), t[i].text, t[i].text);
		is(mr_date_iso(z, t[i].s), t[i].iso, t[i].iso);
	}
	return done_testing();
}
