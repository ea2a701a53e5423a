/* pipeline.h - a spec made ready to run: own filters opened, foreign programs found. */
#ifndef MR_PIPE_PIPELINE_H
#define MR_PIPE_PIPELINE_H

#include "filter/filter.h"
#include "pipe/confined.h"
#include "pipe/spec.h"

struct mr_pipe_conf {
	const struct mr_log *log;
	struct mr_watch *watch; /* gets the spec and the filters' files; may be NULL */
	const char *host;       /* our host name and authserv-id */
	const char *bin_dir;    /* where our own programs are, tried first; may be NULL */
	const char *path;       /* where foreign programs are: "dir:dir" */
	bool exec_all;          /* execute own filters, too (-x) */
	const char *resolver;   /* -D, for filters that have none; NULL: the system's */
	bool will_fork;         /* load now what its children would load each; also to check all */
	bool is_rehearsal;      /* stores are in memory, whatever the spec says */
};

struct mr_step {
	const struct mr_stage *stage;
	const struct mr_filter *filter; /* own filter, or NULL */
	struct mr_filter_run own;       /* opened */
	char **argv;                    /* of an executed command, argv[0] a path; or NULL */
};

struct mr_pipeline {
	struct mr_pipe_conf conf;
	struct mr_spec spec;
	struct mr_step *step; /* one for each stage, in the same order */
	size_t n;
	struct mr_dns_conf resolver; /* of own filters without -D, ... */
	struct mr_dns *dns;          /* ... from the first mr_pipeline_begin on; NULL: none asks */
	struct mr_confined confined; /* where own filters of the message run */
	struct mr_filter_shared shared; /* by own filters */
};

/* Reads the spec and opens everything; before any fork.  All that is wrong is in
 * pl->spec.problem, the first also in *err as "path: line N: ...".  MR_NOTFOUND, MR_PERM, MR_TEMP.
 * `path` NULL: the empty pipeline.  To be closed whatever the status. */
enum mr_status mr_pipeline_open(
    struct mr_pipeline *pl, const char *path, const struct mr_pipe_conf *conf, struct mr_err *err);
void mr_pipeline_close(struct mr_pipeline *pl);

/* A connection or a transaction begins, after the fork: filters share one resolver, without answers of
 * the one before.  If that cannot be made, filters that need it say so. */
void mr_pipeline_begin(struct mr_pipeline *pl);

/* True if a stage is run by starting a program. */
bool mr_pipeline_executes(const struct mr_pipeline *pl);

#endif
