#include "check/dnsreport_show.h"

#include "ui/columns.h"
#include "ui/json.h"

/* "10.0", "9.5", "8.75". */
static void
add_points(struct mr_buf *out, unsigned hundredths)
{
	if (hundredths % 10)
		mr_buf_addf(out, "%u.%02u", hundredths / 100, hundredths % 100);
	else
		mr_buf_addf(out, "%u.%u", hundredths / 100, hundredths / 10 % 10);
}

/* ---- JSON ----------------------------------------------------------------------------------------- */

static void
json_lines(struct mr_buf *out, const char *name, const struct mr_dnsreport_lines *lines)
{
	mr_buf_addf(out, "\"%s\":[", name);
	for (size_t i = 0; i < lines->n; i++) {
		if (i)
			mr_buf_addc(out, ',');
		mr_json_str(out, lines->line[i]);
	}
	mr_buf_addc(out, ']');
}

static void
json_finding(struct mr_buf *out, const struct mr_dnsreport_finding *f)
{
	mr_buf_addc(out, '{');
	mr_json_field(out, "check", mr_str(mr_dnsreport_id(f->check)));
	mr_json_field(out, "level", mr_str(mr_dnsreport_level_word(f->level)));
	mr_json_field(out, "subject", f->subject);
	mr_json_field(out, "message", f->message);
	if (f->fix) {
		mr_buf_adds(out, ",\"fix\":{");
		json_lines(out, "remove", &f->fix->remove);
		mr_buf_addc(out, ',');
		json_lines(out, "add", &f->fix->add);
		mr_buf_adds(out, "}}");
	} else
		mr_buf_adds(out, ",\"fix\":null}");
}

void
mr_dnsreport_json(struct mr_buf *out, const struct mr_dnsreport *report, struct mr_str domain)
{
	mr_buf_addc(out, '{');
	mr_json_field(out, "domain", domain);
	mr_buf_adds(out, ",\"score\":");
	add_points(out, report->score);
	mr_buf_adds(out, ",\"findings\":[");
	for (size_t i = 0; i < report->n; i++) {
		if (i)
			mr_buf_addc(out, ',');
		json_finding(out, &report->finding[i]);
	}
	mr_buf_adds(out, "]}\n");
}

/* ---- for people ----------------------------------------------------------------------------------- */

static const enum mr_colour colours[] = { MR_GREEN, MR_PLAIN, MR_YELLOW, MR_RED, MR_RED };

/* What it costs: a check costs once, with its worst finding. */
static struct mr_str
lost(const struct mr_dnsreport *report, size_t at, struct mr_arena *arena)
{
	const struct mr_dnsreport_finding *f = &report->finding[at];
	struct mr_str text = { "", 0 };
	struct mr_buf b;

	for (size_t i = 0; i < report->n; i++) {
		const struct mr_dnsreport_finding *o = &report->finding[i];

		if (o->check == f->check
		    && (o->points > f->points || (o->points == f->points && i < at)))
			return text;
	}
	mr_buf_init(&b, 16);
	if (f->points) {
		mr_buf_addc(&b, '-');
		add_points(&b, f->points);
	}
	text = mr_arena_dup(arena, mr_buf_str(&b));
	mr_buf_free(&b);
	return text;
}

static bool
contains(struct mr_str text, struct mr_str part)
{
	for (size_t i = 0; i + part.n <= text.n; i++)
		if (mr_str_caseeq((struct mr_str){ text.p + i, part.n }, part))
			return true;
	return false;
}

static void
table_lines(struct mr_buf *out, const struct mr_dnsreport_lines *lines, const char *front,
    enum mr_colour colour, bool has_colour)
{
	for (size_t i = 0; i < lines->n; i++) {
		mr_buf_adds(out, "  ");
		mr_colour_write(out, mr_str(front), colour, has_colour);
		mr_colour_write(out, lines->line[i], colour, has_colour);
		mr_buf_addc(out, '\n');
	}
}

static bool
is_first_of_fix(const struct mr_dnsreport *report, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (report->finding[i].fix == report->finding[at].fix
		    && report->finding[i].level >= MR_LEVEL_WARN)
			return false;
	return report->finding[at].fix && report->finding[at].level >= MR_LEVEL_WARN;
}

void
mr_dnsreport_table(struct mr_buf *out, const struct mr_dnsreport *report, struct mr_str domain,
    struct mr_arena *arena, bool has_colour)
{
	struct mr_columns c;
	bool has_fix = false;

	mr_colour_write(out, domain, MR_BOLD, has_colour);
	mr_buf_adds(out, ": ");
	add_points(out, report->score);
	mr_buf_adds(out, " out of 10\n\n");
	mr_columns_init(&c, 4, arena);
	for (size_t i = 0; i < report->n; i++) {
		const struct mr_dnsreport_finding *f = &report->finding[i];
		bool is_said = contains(f->message, f->subject);

		mr_columns_cell(&c, mr_str(mr_dnsreport_level_word(f->level)), colours[f->level]);
		mr_columns_cell(&c, lost(report, i, arena), MR_PLAIN);
		mr_columns_cell(&c, mr_str(mr_dnsreport_id(f->check)), MR_PLAIN);
		mr_columns_cell(&c,
		    is_said ? f->message
		            : mr_arena_fmt(arena, "%.*s: %.*s", (int)f->subject.n, f->subject.p,
		                (int)f->message.n, f->message.p),
		    MR_PLAIN);
		has_fix |= is_first_of_fix(report, i);
	}
	mr_columns_write(out, &c, has_colour);
	out->is_full |= c.is_full;
	if (has_fix)
		mr_buf_adds(out, "\nTake out (-) and publish (+):\n");
	for (size_t i = 0; i < report->n; i++)
		if (is_first_of_fix(report, i)) {
			table_lines(out, &report->finding[i].fix->remove, "- ", MR_RED, has_colour);
			table_lines(out, &report->finding[i].fix->add, "+ ", MR_GREEN, has_colour);
		}
}

/* ---- to paste ------------------------------------------------------------------------------------- */

void
mr_dnsreport_zone(struct mr_buf *out, const struct mr_dnsreport *report)
{
	for (int is_add = 0; is_add < 2; is_add++)
		for (size_t i = 0; i < report->n; i++) {
			const struct mr_dnsreport_lines *lines;

			if (!is_first_of_fix(report, i))
				continue;
			lines =
			    is_add ? &report->finding[i].fix->add : &report->finding[i].fix->remove;
			for (size_t k = 0; k < lines->n; k++) {
				mr_buf_adds(out, is_add ? "" : "; remove: ");
				mr_buf_add(out, lines->line[k]);
				mr_buf_addc(out, '\n');
			}
		}
}
