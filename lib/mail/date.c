#include "mail/date.h"

#include <stdio.h>
#include <time.h>

/* Years of four digits, as both forms need. */
static struct tm
utc(int64_t now_s)
{
	static const int64_t last_s = 253402300799; /* of the year 9999 */
	time_t t = (time_t)(now_s < 0 ? 0 : now_s > last_s ? last_s : now_s);
	struct tm tm;

	gmtime_r(&t, &tm);
	return tm;
}

struct mr_str
mr_date_text(char *storage, int64_t now_s)
{
	/* Not strftime: the names must not follow a locale. */
	static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
		"Sep", "Oct", "Nov", "Dec" };
	struct tm tm = utc(now_s);

	snprintf(storage, MR_DATE_MAX, "%s, %02d %s %d %02d:%02d:%02d +0000", days[tm.tm_wday],
	    tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	return mr_str(storage);
}
