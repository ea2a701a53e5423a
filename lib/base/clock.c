#include "base/clock.h"

#include <limits.h>
#include <time.h>

static int64_t
read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
mr_clock_now_us(void)
{
	return read_us(CLOCK_REALTIME);
}

int64_t
mr_clock_now_s(void)
{
	return mr_clock_now_us() / 1000000;
}

int64_t
mr_clock_mono_ms(void)
{
	return read_us(CLOCK_MONOTONIC) / 1000;
}

int
mr_clock_left_ms(int64_t deadline_ms)
{
	int64_t left = deadline_ms - mr_clock_mono_ms();

	return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}
