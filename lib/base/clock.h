/* clock.h - the two clocks. */
#ifndef MR_BASE_CLOCK_H
#define MR_BASE_CLOCK_H

#include <stdint.h>

/* Wall clock, in seconds and microseconds since 1970. */
int64_t mr_clock_now_s(void);
int64_t mr_clock_now_us(void);

/* Monotonic, in milliseconds: deadlines are such points in time. */
int64_t mr_clock_mono_ms(void);

/* Milliseconds from now to `deadline_ms` for poll(2): 0 when it has passed, never negative. */
int mr_clock_left_ms(int64_t deadline_ms);

#endif
