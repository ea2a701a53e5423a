/* listen.h - the listener: opens once, forks children without exec; a child serves one connection at a
 * time, and some of them one after the other (fork and exit cost more than a message). */
#ifndef MR_SMTP_LISTEN_H
#define MR_SMTP_LISTEN_H

#include "smtp/server.h"

/* What a server is made of, by name. */
struct mr_smtpd_files {
	const struct mr_log *log;
	const char *spec;   /* or NULL: no stages */
	const char *routes; /* or NULL */
	const char *spool;
	struct mr_pipe_conf pipe; /* its watch is ours to set */
	const char *host;
	struct mr_smtpd_limit_values limit;
};

/* The same, opened. */
struct mr_smtpd_loaded {
	struct mr_smtpd_conf conf;
	struct mr_pipeline pl;
	struct mr_table *routes;
	struct mr_watch watch; /* all files that were read */
};

/* MR_OK; or a reason, and only ->watch is filled.  To be unloaded whatever the status. */
enum mr_status mr_smtpd_load(struct mr_smtpd_loaded *l, const struct mr_smtpd_files *files,
    struct mr_spool *spool, struct mr_err *err);
void mr_smtpd_unload(struct mr_smtpd_loaded *l);

/* Binds "HOST:PORT" (port 0: any) and listens; close-on-exec.  MR_USAGE with a reason. */
enum mr_status mr_smtpd_bind(const char *where, int *fd, struct mr_err *err);

/* Serves connections of `listen_fd` until SIGTERM or SIGINT; sessions that are open then go on to
 * their end in their own processes.  What is replaced on disk is opened again before the next
 * connection, or at SIGHUP; what is bad then is logged once, and the old stays. */
enum mr_status mr_smtpd_listen(
    int listen_fd, const struct mr_smtpd_files *files, struct mr_spool *spool, struct mr_err *err);

/* One session on descriptors that are connected already. */
enum mr_status mr_smtpd_serve(const struct mr_smtpd_files *files, struct mr_spool *spool, int in_fd,
    int out_fd, const struct mr_peer *peer, struct mr_err *err);

#endif
