#include "base/log.h"

#include "base/io.h"

#include <stdio.h>

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
	const struct mr_str cut = MR_STR(" cut=1");
	bool is_cut = false;
	struct mr_buf b;

	if (!log || (level == MR_LOG_DEBUG && !log->is_verbose))
		return;
	mr_buf_init(&b, MR_LOG_LINE_MAX - cut.n - 1);
	mr_buf_adds(&b, log->prog);
	mr_buf_adds(&b, ": ");
	mr_buf_adds(&b, names[level]);
	mr_kv_add(&b, "event", mr_str(event));
	for (size_t i = 0; i < field_n; i++) {
		size_t before = b.n;

		if (fields[i].value.p)
			mr_kv_add(&b, fields[i].name, fields[i].value);
		if (b.is_full) { /* half a field would mislead; what is shorter may still fit */
			b.n = before;
			b.is_full = false;
			is_cut = true;
		}
	}
	b.max = MR_LOG_LINE_MAX;
	if (is_cut)
		mr_buf_add(&b, cut);
	mr_buf_addc(&b, '\n');
	/* A log that cannot be written has nowhere to be reported. */
	mr_io_write(log->fd, mr_buf_str(&b), NULL);
	mr_buf_free(&b);
}
