/* server.h - one SMTP session on two descriptors (RFC 5321), and the listener that forks them. */
#ifndef MR_SMTP_SERVER_H
#define MR_SMTP_SERVER_H

#include "pipe/run.h"
#include "table/routes.h"

/* Limits of a session; mr_smtpd_limits[] names them and their defaults. */
struct mr_smtpd_limit_values {
	uint64_t size;     /* bytes of a message */
	uint64_t rcpts;    /* recipients of a message */
	uint64_t hops;     /* Received fields: more is a loop */
	uint64_t errors;   /* commands refused for good since the last queued message, then 421 */
	uint64_t commands; /* commands of a session, then 421 */
	uint64_t messages; /* messages of a session, then 421 */
	uint64_t idle_s;   /* for the next whole command, or the next piece of data */
	uint64_t data_s;   /* for the whole of DATA */
	uint64_t rate;     /* bytes per second that DATA must reach ... */
	uint64_t rate_after_s; /* ... after that time */
	uint64_t connections;  /* listener: at once */
	uint64_t per_client;   /* listener: at once from one address */
	uint64_t reuse; /* listener: connections that one child serves, one after the other */
};

/* One limit by name: where it stands, its default and range. */
struct mr_smtpd_limit {
	const char *name, *what;
	size_t offset; /* in mr_smtpd_limit_values */
	uint64_t init, lo, hi;
};
extern const struct mr_smtpd_limit mr_smtpd_limits[]; /* name NULL at the end */

void mr_smtpd_limits_init(struct mr_smtpd_limit_values *v);

/* "name=value" (sizes and times as in base/opt.h).  MR_USAGE with a reason that lists names and
 * defaults. */
enum mr_status
mr_smtpd_limits_set(struct mr_smtpd_limit_values *v, const char *text, struct mr_err *err);

struct mr_smtpd_conf {
	const struct mr_log *log;
	const char *host; /* our name */
	struct mr_pipeline *pl;
	const struct mr_table *routes; /* or NULL */
	struct mr_spool *spool;
	struct mr_smtpd_limit_values limit;
};

/* Who is on the other end; views of the caller, p NULL where unknown. */
struct mr_peer {
	struct mr_str address, port, name; /* of the client */
	struct mr_str server_address, server_port;
	bool is_trusted; /* RELAYCLIENT was set by who accepted the connection */
};

/* Fills addresses and ports from a connected socket, into storage of the caller. */
struct mr_peer_text {
	char address[MR_IP_TEXT_MAX], port[8], server_address[MR_IP_TEXT_MAX], server_port[8];
};
void mr_peer_of_socket(struct mr_peer *peer, struct mr_peer_text *storage, int fd);

/* Speaks with the client until it goes or is sent away.  Descriptors stay open. */
void mr_smtpd_session(
    const struct mr_smtpd_conf *conf, int in_fd, int out_fd, const struct mr_peer *peer);

#endif
