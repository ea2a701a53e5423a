/* cases.h - a folder of cases, each with what shall become of it: the regression test of one's own policy. */
#ifndef MR_PIPE_CASES_H
#define MR_PIPE_CASES_H

#include "pipe/serve.h"

#define MR_CASE_MAX (64u << 20) /* bytes of a case */

struct mr_cases {
	size_t n, wrong_n;
};

/* Runs every file "*.case" of the folder `dir`, in the order of their names.  A case is a record with what
 * is expected (expect=accept|defer|refuse, expect_stage=, expect_text=, expect_field=), an empty line,
 * and the message, if any.  `how`: routes, folder_fd, is_verbose: show what a wrong case went through.
 * Stores are emptied before each, so let the pipeline's be in memory.  `out` gets a line for each, and the
 * sum.  MR_OK, also if cases are wrong; MR_NOTFOUND: no folder, or none in it; MR_TEMP. */
enum mr_status mr_cases_run(struct mr_pipeline *pl, const struct mr_replay *how, const char *dir,
    struct mr_cases *cases, struct mr_buf *out, struct mr_err *err);

#endif
