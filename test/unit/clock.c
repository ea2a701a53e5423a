/* clock.c - lib/base/clock. */
#include "base/clock.h"

#include "../tap.h"

#include <limits.h>
#include <time.h>

int
main(void)
{
	int64_t mono = mr_clock_mono_ms(), now_s = mr_clock_now_s(), now_us = mr_clock_now_us();
	int64_t away = now_s - (int64_t)time(NULL);
	int left;

	ok(away >= -1 && away <= 1, "seconds since 1970");
	ok(now_us / 1000000 - now_s <= 5 && now_us / 1000000 >= now_s, "the same in microseconds");
	ok(mr_clock_mono_ms() >= mono, "monotonic");
	ok(mr_clock_left_ms(mono - 1) == 0 && mr_clock_left_ms(0) == 0, "past is 0");
	ok(mr_clock_left_ms(INT64_MIN / 2) == 0, "long past is 0");
	left = mr_clock_left_ms(mr_clock_mono_ms() + 60000);
	ok(left <= 60000 && left > 30000, "what is left: %d", left);
	ok(mr_clock_left_ms(INT64_MAX) == INT_MAX, "no deadline is as long as poll can wait");
	return done_testing();
}
