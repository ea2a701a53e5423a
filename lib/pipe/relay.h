/* relay.h - how a recipient is judged: the one sequence of mr-smtpd and of mr-pipe by hand. */
#ifndef MR_PIPE_RELAY_H
#define MR_PIPE_RELAY_H

#include "mail/addr.h"
#include "pipe/run.h"
#include "table/routes.h"

/* Begins the recipient `a` (with a domain), runs what has not run yet of connect, then relay control,
 * then helo, mail and rcpt, and tells the first refusal.
 *
 * Relay control is built in (DESIGN.md section 4): a recipient is accepted only from trusted or
 * authenticated clients, or when its domain, as the client gave it, is in `routes` as ours; without
 * routes nothing is ours.  A domain that is local without a delivery route is put off. */
void mr_relay_rcpt(struct mr_run *run, const struct mr_table *routes, const struct mr_addr *a,
    struct mr_result *result);

#endif
