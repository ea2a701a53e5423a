/* dnsreport_show.h - a report for programs, for people, and as what to paste; into a buffer. */
#ifndef MR_CHECK_DNSREPORT_SHOW_H
#define MR_CHECK_DNSREPORT_SHOW_H

#include "base/buf.h"
#include "check/dnsreport.h"

/* One JSON object and a line end. */
void mr_dnsreport_json(struct mr_buf *out, const struct mr_dnsreport *report, struct mr_str domain);

/* A table: score, what was found, what to publish. */
void mr_dnsreport_table(struct mr_buf *out, const struct mr_dnsreport *report, struct mr_str domain,
    struct mr_arena *arena, bool has_colour);

/* The lines to publish for what is warn or worse, and as comments those to take out. */
void mr_dnsreport_zone(struct mr_buf *out, const struct mr_dnsreport *report);

#endif
