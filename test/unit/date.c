/* date.c - lib/mail/date. */
#include "mail/date.h"

#include "../tap.h"

int
main(void)
{
	static const struct {
		int64_t s;
		const char *text;
	} t[] = {
		{ 0, "Thu, 01 Jan 1970 00:00:00 +0000" },
		{ 951825599, "Tue, 29 Feb 2000 11:59:59 +0000" },
		{ 1795492086, "Tue, 24 Nov 2026 03:48:06 +0000" },
		{ 4102444799, "Thu, 31 Dec 2099 23:59:59 +0000" },
		{ 253402300799, "Fri, 31 Dec 9999 23:59:59 +0000" },
		{ 253402300800, "Fri, 31 Dec 9999 23:59:59 +0000" },
		{ INT64_MAX, "Fri, 31 Dec 9999 23:59:59 +0000" },
		{ -1, "Thu, 01 Jan 1970 00:00:00 +0000" },
		{ INT64_MIN, "Thu, 01 Jan 1970 00:00:00 +0000" },
	};
	char z[MR_DATE_MAX];

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		is(mr_date_text(z, t[i].s), t[i].text, t[i].text);
	return done_testing();
}
