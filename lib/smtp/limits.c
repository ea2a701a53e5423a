#include "smtp/server.h"

#include "base/opt.h"
#include "mail/intake.h"

#include <string.h>

#define LIMIT(field) offsetof(struct mr_smtpd_limit_values, field)

const struct mr_smtpd_limit mr_smtpd_limits[] = {
	{ "size", "bytes of a message", LIMIT(size), 25u << 20, 1024, 1ull << 40 },
	{ "rcpts", "recipients of a message", LIMIT(rcpts), 1000, 1, MR_ENV_RCPT_MAX },
	{ "hops", "Received fields of a message", LIMIT(hops), MR_HOPS_MAX, 1, 1000 },
	{ "errors", "refused commands since the last message", LIMIT(errors), 20, 1, 100000 },
	{ "commands", "commands of a session", LIMIT(commands), 100000, 10, 1ull << 40 },
	{ "messages", "messages of a session", LIMIT(messages), 1000, 1, 1ull << 40 },
	{ "idle", "seconds for the next command or piece of data", LIMIT(idle_s), 300, 1, 86400 },
	{ "data", "seconds for a whole message", LIMIT(data_s), 3600, 1, 86400 },
	{ "rate", "bytes a second that a message must reach", LIMIT(rate), 50, 0, 1u << 30 },
	{ "rate-after", "seconds until the rate counts", LIMIT(rate_after_s), 60, 1, 86400 },
	{ "connections", "connections at once", LIMIT(connections), 200, 1, 100000 },
	{ "per-client", "connections at once of one client", LIMIT(per_client), 20, 1, 100000 },
	{ "reuse", "connections that one child serves", LIMIT(reuse), 100, 1, 1000000 },
	{ NULL, NULL, 0, 0, 0, 0 },
};

static void
set_limit(struct mr_smtpd_limit_values *v, const struct mr_smtpd_limit *l, uint64_t value)
{
	memcpy((char *)v + l->offset, &value, sizeof value);
}

void
mr_smtpd_limits_init(struct mr_smtpd_limit_values *v)
{
	for (const struct mr_smtpd_limit *l = mr_smtpd_limits; l->name; l++)
		set_limit(v, l, l->init);
}

enum mr_status
mr_smtpd_limits_set(struct mr_smtpd_limit_values *v, const char *text, struct mr_err *err)
{
	struct mr_str s = mr_str(text);
	ptrdiff_t eq = mr_str_chr(s, '=');
	struct mr_str name = { s.p, eq < 0 ? s.n : (size_t)eq };
	struct mr_buf known;

	for (const struct mr_smtpd_limit *l = mr_smtpd_limits; l->name && eq > 0; l++) {
		bool is_time = l->offset == LIMIT(idle_s) || l->offset == LIMIT(data_s)
		    || l->offset == LIMIT(rate_after_s);
		uint64_t value;
		enum mr_status st;

		if (!mr_str_is(name, l->name))
			continue;
		st = (is_time ? mr_opt_span_s : mr_opt_size)(
		    'o', text + eq + 1, l->lo, l->hi, &value, err);
		if (st == MR_OK)
			set_limit(v, l, value);
		return st;
	}
	mr_buf_init(&known, MR_ERR_MAX);
	for (const struct mr_smtpd_limit *l = mr_smtpd_limits; l->name; l++)
		mr_buf_addf(&known, " %s=%llu", l->name, (unsigned long long)l->init);
	mr_buf_addc(&known, '\0');
	mr_err_set(err, MR_USAGE, "-o %s: no such limit; known, with their defaults:%s", text,
	    known.p ? known.p : "");
	mr_buf_free(&known);
	return MR_USAGE;
}
