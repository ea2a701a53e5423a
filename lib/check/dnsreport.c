#include "check/dnsreport.h"

#include "check/dnsreport_pass.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SCORE_MAX   1000u
#define MESSAGE_MAX 1024u /* bytes of a message */

/* ---- the table of checks ------------------------------------------------------------------------ */

static const struct {
	const char *id;
	enum mr_dnsreport_group group;
	unsigned fail, warn;
} checks[] = {
#define ROW(name, id, group, fail, warn) { id, MR_GROUP_##group, fail, warn },
	MR_DNSREPORT_CHECKS(ROW)
};

static const unsigned caps[] = {
#define CAP(name, cap) cap,
	MR_DNSREPORT_GROUPS(CAP)
};

#define GROUP_N (sizeof caps / sizeof *caps)

const char *
mr_dnsreport_id(enum mr_dnsreport_check check)
{
	return checks[check].id;
}

enum mr_dnsreport_group
mr_dnsreport_group_of(enum mr_dnsreport_check check)
{
	return checks[check].group;
}

const char *
mr_dnsreport_level_word(enum mr_dnsreport_level level)
{
	static const char *const words[] = { "ok", "info", "warn", "fail", "error" };

	return words[level];
}

static unsigned
points_of(enum mr_dnsreport_check check, enum mr_dnsreport_level level)
{
	return level == MR_LEVEL_WARN ? checks[check].warn
	    : level >= MR_LEVEL_FAIL  ? checks[check].fail
	                              : 0;
}

/* Once a check, by its worst finding; a group never costs more than its cap. */
static void
score(struct mr_dnsreport *r)
{
	unsigned worst[MR_CHECK_N] = { 0 }, lost[GROUP_N] = { 0 };
	bool is_fail = false;

	r->level = MR_LEVEL_OK;
	for (size_t i = 0; i < r->n; i++) {
		const struct mr_dnsreport_finding *f = &r->finding[i];

		if (f->points > worst[f->check])
			worst[f->check] = f->points;
		if (f->level > r->level)
			r->level = f->level;
		is_fail |= f->level == MR_LEVEL_FAIL;
	}
	if (is_fail)
		r->level = MR_LEVEL_FAIL;
	for (size_t c = 0; c < MR_CHECK_N; c++)
		lost[checks[c].group] += worst[c];
	r->score = SCORE_MAX;
	for (size_t g = 0; g < GROUP_N; g++) {
		unsigned n = lost[g] < caps[g] ? lost[g] : caps[g];

		r->score -= n < r->score ? n : r->score;
	}
}

enum mr_status
mr_dnsreport_add(struct mr_dnsreport *report, struct mr_arena *arena, enum mr_dnsreport_check check,
    enum mr_dnsreport_level level, struct mr_str subject, const char *text)
{
	struct mr_dnsreport_pass p = { .arena = arena, .report = report };

	mr_dnsreport_say(&p, check, level, subject, NULL, "%s", text);
	score(report);
	return p.fault;
}

int
mr_dnsreport_exit(const struct mr_dnsreport *report)
{
	static const int codes[] = { 0, 0, 1, 2, 111 };

	return codes[report->level];
}

/* ---- answers -------------------------------------------------------------------------------------- */

bool
mr_dnsreport_has_room(struct mr_dnsreport_pass *p, size_t n)
{
	if (mr_dns_waiting(p->dns) + n <= MR_DNS_BATCH_MAX)
		return true;
	p->is_pending = true;
	return false;
}

const struct mr_dns_answer *
mr_dnsreport_ask(struct mr_dnsreport_pass *p, struct mr_str name, enum mr_dns_type type)
{
	const struct mr_dns_answer *a = mr_dns_peek(p->dns, name, type);

	if (!a && mr_dnsreport_has_room(p, 1))
		mr_dns_add(p->dns, name, type);
	p->is_pending |= !a;
	return a;
}

const char *
mr_dnsreport_outage_word(const struct mr_dns_answer *a)
{
	return a->result == MR_DNS_SERVFAIL ? "SERVFAIL"
	    : a->result == MR_DNS_REFUSED   ? "REFUSED"
	    : a->result == MR_DNS_TIMEOUT   ? "timeout"
	                                    : "broken answer";
}

bool
mr_dnsreport_is_ldh(struct mr_str name)
{
	struct mr_str rest = name, label;
	struct mr_ip ip;

	while (mr_str_split(&rest, '.', &label)) {
		if (label.n == 0 || label.n > 63 || label.p[0] == '-'
		    || label.p[label.n - 1] == '-')
			return false;
		for (size_t i = 0; i < label.n; i++) {
			int c = mr_lower((unsigned char)label.p[i]);

			if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
				return false;
		}
	}
	return name.n && name.n <= MR_DKIM_OWNER_MAX && mr_ip_parse(&ip, name) != MR_OK;
}

bool
mr_dnsreport_is_host(struct mr_str name)
{
	return mr_dnsreport_is_ldh(name) && mr_str_chr(name, '.') > 0;
}

struct mr_str
mr_dnsreport_name(struct mr_dnsreport_pass *p, const char *front, struct mr_str back)
{
	struct mr_str s = mr_arena_fmt(p->arena, "%s.%.*s", front, (int)back.n, back.p);

	if (!s.p)
		p->fault = mr_err_set(p->err, MR_TEMP, "out of memory");
	return s;
}

/* ---- findings ------------------------------------------------------------------------------------- */

void
mr_dnsreport_say(struct mr_dnsreport_pass *p, enum mr_dnsreport_check check,
    enum mr_dnsreport_level level, struct mr_str subject, struct mr_dnsreport_fix *fix,
    const char *fmt, ...)
{
	struct mr_dnsreport *r = p->report;
	char text[MESSAGE_MAX];
	va_list ap;

	if (level >= MR_LEVEL_WARN)
		p->is_bad[check] = true;
	if (p->is_dry)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	for (char *c = text; *c; c++) /* of records: one line, whatever stands in them */
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	for (size_t i = 0; i < r->n; i++) /* of A and AAAA, say */
		if (r->finding[i].check == check && mr_str_eq(r->finding[i].subject, subject)
		    && mr_str_is(r->finding[i].message, text))
			return;
	if (!mr_arena_grow(p->arena, &r->finding, r->n, &r->cap, sizeof *r->finding)) {
		p->fault = mr_err_set(p->err, MR_TEMP, "out of memory");
		return;
	}
	r->finding[r->n++] = (struct mr_dnsreport_finding){ .check = check,
		.level = level,
		.subject = mr_arena_dup(p->arena, subject), /* it may be of the DNS's memory */
		.message = mr_arena_dup(p->arena, mr_str(text)),
		.fix = fix,
		.points = points_of(check, level) };
}

/* Leaves out what a fix both removes and adds. */
static void
simplify(struct mr_dnsreport_fix *fix)
{
	for (size_t i = fix->remove.n; i-- > 0;)
		for (size_t k = fix->add.n; k-- > 0;)
			if (i < fix->remove.n && mr_str_eq(fix->remove.line[i], fix->add.line[k])) {
				fix->remove.line[i] = fix->remove.line[--fix->remove.n];
				memmove(&fix->add.line[k], &fix->add.line[k + 1],
				    (--fix->add.n - k) * sizeof *fix->add.line);
			}
}

/* Fixes are as they will stay. */
static void
settle_fixes(struct mr_dnsreport *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct mr_dnsreport_finding *f = &r->finding[i];

		if (f->fix)
			simplify(f->fix);
		if (f->fix && f->fix->remove.n == 0 && f->fix->add.n == 0)
			f->fix = NULL;
	}
}

/* ---- a pass --------------------------------------------------------------------------------------- */

static void
run_groups(struct mr_dnsreport_pass *p)
{
	if (!mr_dnsreport_dns(p))
		return;
	mr_dnsreport_mx(p);
	mr_dnsreport_ptr(p);
	mr_dnsreport_spf(p);
	mr_dnsreport_dkim(p);
	mr_dnsreport_dmarc(p);
	mr_dnsreport_tls(p);
	mr_dnsreport_dnsbl(p);
	mr_dnsreport_alias(p);
}

enum mr_status
mr_dnsreport_check(struct mr_dnsreport *report, const struct mr_dnsreport_query *query,
    struct mr_dns *dns, struct mr_arena *arena, struct mr_err *err)
{
	struct mr_dnsreport_pass *p = mr_arena_alloc(arena, sizeof *p);

	*report = (struct mr_dnsreport){ .n = 0 };
	if (!p)
		return mr_err_set(err, MR_TEMP, "out of memory");
	*p = (struct mr_dnsreport_pass){ .q = query,
		.dns = dns,
		.arena = arena,
		.report = report,
		.err = err,
		.domain = query->domain };
	run_groups(p);
	settle_fixes(report);
	score(report);
	return p->fault ? p->fault : p->is_pending ? MR_NOTFOUND : MR_OK;
}

enum mr_status
mr_dnsreport_no_domain(struct mr_dnsreport *report, struct mr_str arg, struct mr_arena *arena)
{
	struct mr_dnsreport_pass p = { .arena = arena, .report = report };

	*report = (struct mr_dnsreport){ .n = 0 };
	mr_dnsreport_say(&p, MR_CHECK_DOM_SYNTAX, MR_LEVEL_FAIL, arg, NULL,
	    "%.*s is not a domain name", (int)(arg.n < 300 ? arg.n : 300), arg.p);
	score(report);
	return p.fault;
}
