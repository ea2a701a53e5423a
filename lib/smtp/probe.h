/* probe.h - whether the exchanges of a domain take its mail as they should, over SMTP; no message is sent. */
#ifndef MR_SMTP_PROBE_H
#define MR_SMTP_PROBE_H

#include "check/dnsreport.h"

#define MR_PROBE_HOST_MAX    5u /* exchanges that are connected to, best first */
#define MR_PROBE_ADDRESS_MAX 2u /* addresses of each */
#define MR_PROBE_TIME_S      10 /* for each step */

struct mr_probe {
	struct mr_str domain;   /* A-labels */
	struct mr_str own_name; /* for EHLO */
	unsigned port;
};

/* Adds to the report on the domain what its exchanges answer.  Their names, addresses and TLSA records are
 * those in dns's memory; what is not there is asked by `deadline_ms`.  MR_TEMP: a fault of ours. */
enum mr_status mr_probe_run(struct mr_dnsreport *report, const struct mr_probe *probe,
    struct mr_dns *dns, int64_t deadline_ms, struct mr_arena *arena, struct mr_err *err);

#endif
