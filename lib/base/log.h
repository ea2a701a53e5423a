/* log.h - one event a line on a descriptor: "mr-smtpd: info event=rcpt id=... client=...". */
#ifndef MR_BASE_LOG_H
#define MR_BASE_LOG_H

#include "base/kv.h"

struct mr_log {
	const char *prog; /* name of the program */
	int fd;
	bool is_verbose; /* write MR_LOG_DEBUG, too */
};

enum mr_log_level { MR_LOG_DEBUG, MR_LOG_INFO, MR_LOG_WARN, MR_LOG_FAULT };

/* Writes one line in one write(2), of at most MR_LOG_LINE_MAX bytes.  Fields that are not there are
 * left out; so are those that do not fit, and cut=1 says so.  `log` may be NULL. */
#define MR_LOG_LINE_MAX 4096
void mr_log_write(const struct mr_log *log, enum mr_log_level level, const char *event,
    const struct mr_field *fields, size_t field_n);

/* MR_LOG(log, MR_LOG_INFO, "rcpt", { "id", id }, { "client", MR_STR("192.0.2.1") }) */
#define MR_LOG(log, level, event, ...)                                                  \
	mr_log_write((log), (level), (event), (const struct mr_field[]){ __VA_ARGS__ }, \
	    sizeof((const struct mr_field[]){ __VA_ARGS__ }) / sizeof(struct mr_field))

/* A number as a field's value, in storage of the caller: mr_log_num((char[MR_NUM_MAX]){ 0 }, n). */
#define MR_NUM_MAX 24
struct mr_str mr_log_num(char *storage, int64_t n);
#define MR_NUM(n) mr_log_num((char[MR_NUM_MAX]){ 0 }, (int64_t)(n))

#endif
