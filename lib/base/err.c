#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void
clean(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

enum mr_status
mr_err_set(struct mr_err *err, enum mr_status status, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return status;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	clean(err->text);
	return status;
}

enum mr_status
mr_err_sys(struct mr_err *err, enum mr_status status, const char *fmt, ...)
{
	va_list ap;
	int saved = errno;
	int n;

	if (!err)
		return status;
	va_start(ap, fmt);
	n = vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof err->text)
		snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s", strerror(saved));
	clean(err->text);
	errno = saved;
	return status;
}
