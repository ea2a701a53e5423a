/* relay.h - a job taken to its next hops: which hosts are tried in which order, and the connection
 * that is kept for the next job (RFC 5321 section 5.1). */
#ifndef MR_SMTP_RELAY_H
#define MR_SMTP_RELAY_H

#include "dns/mx.h"
#include "smtp/client.h"

#define MR_RELAY_TRY_MAX 10u   /* addresses tried for one job */
#define MR_RELAY_PORT    25u   /* of hosts found by MX */
#define MR_RELAY_DNS_S   10    /* for one look-up, over all servers and attempts */
#define MR_RELAY_HOP_MAX 4096u /* bytes of a next hop for which a connection is kept */

struct mr_relay {
	/* the caller's */
	struct mr_dns_conf resolver; /* asks nobody: resolv.conf, read for each job */
	unsigned mx_port;
	/* the relay's */
	struct mr_smtp smtp;
	struct mr_buf nexthop; /* what the open connection was made for */
};

/* `own_name` (must outlive the relay), `wait_max_s`: as of mr_smtp_init. */
void mr_relay_init(struct mr_relay *relay, struct mr_str own_name, int wait_max_s);
void mr_relay_free(struct mr_relay *relay);

/* Sends the message to each recipient of the job; after it every rcpt[0 .. job->rcpt_n) is decided
 * (the array is cleared first; views in `arena`).  True if no host could be spoken to, so that
 * other mail for the same next hop will fare no better now.
 *
 * Hosts and their addresses are tried in order until one takes the session.  The next one is tried
 * after: no connection, a greeting or EHLO that is refused (4xx, 5xx, or no sense), and a connection
 * that is lost, or ended by 421, before the end of the message was sent; then for those recipients
 * only that have no answer yet.  A 4xx to MAIL, RCPT or DATA stands: the host was there and has
 * spoken.  Recipients left at the end of the list failed if every host refused us with 5xx (or the
 * DNS says that there is none), and are deferred if any of them may be better later. */
bool mr_relay_job(struct mr_relay *relay, const struct mr_job *job, int fd,
    struct mr_smtp_rcpt *rcpt, struct mr_arena *arena);

#endif
