/* spec.h - the pipeline spec as it is written, mr-pipeline(5): text in, stages out. */
#ifndef MR_PIPE_SPEC_H
#define MR_PIPE_SPEC_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* In the order in which they run. */
enum mr_phase { MR_CONNECT, MR_HELO, MR_MAIL, MR_RCPT, MR_DATA, MR_END, MR_PHASE_N };

const char *mr_phase_name(enum mr_phase phase);

/* Classes are bits; the first six are built in, the others are the spec's own (class=NAME). */
enum mr_class {
	MR_TRUSTED = 1 << 0,
	MR_AUTH = 1 << 1,
	MR_TLS = 1 << 2,
	MR_BOUNCE = 1 << 3,
	MR_LOCAL = 1 << 4,
	MR_PERMITTED = 1 << 5
};

#define MR_CLASS_MAX        32u          /* classes of a spec, built-in ones included */
#define MR_STAGE_MAX        200u         /* stages of a spec */
#define MR_STAGE_WORD_MAX   100u         /* words of a stage's command */
#define MR_SPEC_MAX         (256u << 10) /* bytes of a spec */
#define MR_STAGE_TIME_S     60u          /* time= of a stage that says none */
#define MR_STAGE_TIME_MAX_S 3600u        /* the most that time= may say */
#define MR_SPEC_NAME_MAX    32u          /* bytes of a stage's or class' name */
#define MR_PROBLEM_MAX      1000u        /* problems that are listed; what is behind them is not */

/* What the exit codes of a command mean. */
enum mr_codes { MR_CODES_MR, MR_CODES_QMAIL, MR_CODES_SYSEXITS, MR_CODES_POLICY };

struct mr_stage {
	enum mr_phase phase;
	unsigned line; /* of the spec */
	const char *name;
	uint32_t unless, only; /* classes; 0: no condition */
	uint32_t gives;        /* the one class that exit code 99 gives */
	bool fail_open, is_now, is_warn, is_edit;
	uint64_t time_s;
	enum mr_codes codes;
	char **argv; /* NULL-terminated; for MR_CODES_POLICY one word "inet:..." or "unix:..." */
	int argc;
};

/* Something wrong with a line; a warning does not stop the spec from being used. */
struct mr_problem {
	unsigned line;
	bool is_warning;
	const char *text;
};

struct mr_spec {
	struct mr_arena arena;
	struct mr_stage
	    *stage; /* in the order in which they run: by phase, `now` first, as written */
	size_t n, cap;
	const char *class_name[MR_CLASS_MAX];
	size_t class_n;
	struct mr_problem *problem; /* in the order of lines */
	size_t problem_n, problem_cap;
	bool is_out_of_memory;
};

/* Reads all of `text`; what is wrong is in spec->problem, and the lines concerned are left out.
 * MR_OK; MR_PERM: at least one problem is not a warning, *err holds the first as "line N: ...";
 * MR_TEMP: no memory.  The spec is to be freed in every case. */
enum mr_status mr_spec_parse(struct mr_spec *spec, struct mr_str text, struct mr_err *err);
void mr_spec_free(struct mr_spec *spec);

/* Adds a problem that was found outside (a missing program, a filter's own options). */
void mr_spec_complain(struct mr_spec *spec, unsigned line, bool is_warning, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The names of the classes in `mask`, as "a+b", into `out`. */
void mr_spec_class_names(const struct mr_spec *spec, uint32_t mask, struct mr_buf *out);

#endif
