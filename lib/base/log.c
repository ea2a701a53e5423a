#include "base/log.h"

#include <stdio.h>
#include <unistd.h>

struct mr_str
mr_log_num(char *storage, int64_t n)
{
	int len = snprintf(storage, MR_NUM_MAX, "%lld", (long long)n);

	return (struct mr_str){ storage, (size_t)len };
}

void
mr_log_write(const struct mr_log *log, enum mr_log_level level, const char *event,
    const struct mr_field *fields, size_t field_n)
{
	static const char *const names[] = { "debug", "info", "warn", "fault" };
	struct mr_buf b;
	ssize_t done;

	if (!log || (level == MR_LOG_DEBUG && !log->is_verbose))
		return;
	mr_buf_init(&b, MR_LOG_LINE_MAX);
	mr_buf_adds(&b, log->prog);
	mr_buf_adds(&b, ": ");
	mr_buf_adds(&b, names[level]);
	mr_kv_add(&b, "event", mr_str(event));
	for (size_t i = 0; i < field_n; i++)
		if (fields[i].value.p)
			mr_kv_add(&b, fields[i].name, fields[i].value);
	if (b.is_full && b.n == b.max)
		b.n--;
	b.is_full = false;
	mr_buf_addc(&b, '\n');
	/* A log that cannot be written has nowhere to be reported. */
	do
		done = write(log->fd, b.p, b.n);
	while (done > 0 && (mr_buf_shift(&b, (size_t)done), b.n > 0));
	mr_buf_free(&b);
}
