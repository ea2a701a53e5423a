/* tap.h - TAP for unit tests in C: ok(what is true, "name %d", n), and return done_testing(). */
#ifndef MR_TEST_TAP_H
#define MR_TEST_TAP_H

#include "base/str.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int tap_run, tap_failed;

__attribute__((format(printf, 4, 5))) static inline bool
tap_ok(bool is_ok, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", is_ok ? "" : "not ", ++tap_run);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	if (!is_ok) {
		tap_failed++;
		printf("# failed at %s:%d\n", file, line);
	}
	fflush(stdout);
	return is_ok;
}

static inline bool
tap_is(struct mr_str got, const char *want, const char *file, int line, const char *name)
{
	bool same =
	    got.p ? want && got.n == strlen(want) && memcmp(got.p, want, got.n) == 0 : !want;

	if (!tap_ok(same, file, line, "%s", name))
		printf("#  got: '%.*s'\n# want: '%s'\n", (int)got.n, got.p ? got.p : "(none)",
		    want ? want : "(none)");
	return same;
}

#define ok(cond, ...)       tap_ok((cond), __FILE__, __LINE__, __VA_ARGS__)
#define is(got, want, name) tap_is((got), (want), __FILE__, __LINE__, (name))

static inline int
done_testing(void)
{
	printf("1..%d\n", tap_run);
	return tap_failed != 0;
}

#endif
