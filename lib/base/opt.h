/* opt.h - options of one letter, and long names for them, read without global state. */
#ifndef MR_BASE_OPT_H
#define MR_BASE_OPT_H

#include "base/err.h"
#include "base/str.h"

/* Long names for tools that people type. */
struct mr_opt_name {
	const char *name; /* "json" for --json; NULL at the end of a list */
	char letter;      /* one of `letters`, which say whether it takes an argument */
};

/* Usage:
 *	struct mr_opt o = { .argc = argc, .argv = argv, .letters = "lnT:" };
 *	while ((c = mr_opt_next(&o, &err)) > 0) ...
 * then argv[o.at] is the first operand.  The order of options and operands is POSIX's. */
struct mr_opt {
	int argc;
	char *const *argv;
	const char *letters; /* as for getopt(3): ':' behind a letter that takes an argument */
	const struct mr_opt_name *names; /* may be NULL */
	int at;                          /* 0 at the start; index of the next argument */
	int in_word;                     /* position in a cluster like -lv */
	const char *arg;                 /* the present option's argument */
};

/* The next letter (of a long name: its letter); 0 when the options end; -1 and a reason for an unknown
 * option, or an argument that is missing or too many.  "--name=" has an empty argument. */
int mr_opt_next(struct mr_opt *o, struct mr_err *err);

/* Tells on descriptor 2 what is wrong with the command line, and how it is to be: "prog: why" and the
 * usage text. */
void mr_opt_usage(const char *prog, const struct mr_err *why, const char *usage);

/* A number in lo..hi, else MR_USAGE with the option's letter in the reason. */
enum mr_status mr_opt_num(
    char letter, const char *arg, uint64_t lo, uint64_t hi, uint64_t *out, struct mr_err *err);

/* A span of time: 30, 30s, 5m, 4h, 2d; in seconds, lo..hi. */
enum mr_status mr_opt_span_s(
    char letter, const char *arg, uint64_t lo, uint64_t hi, uint64_t *out_s, struct mr_err *err);

/* A size: 1000, 64k, 25m, 1g (powers of 1024); in bytes, lo..hi. */
enum mr_status mr_opt_size(
    char letter, const char *arg, uint64_t lo, uint64_t hi, uint64_t *out, struct mr_err *err);

#endif
