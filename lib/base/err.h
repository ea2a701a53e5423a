/* err.h - what a call answers, and why. */
#ifndef MR_BASE_ERR_H
#define MR_BASE_ERR_H

enum mr_status {
	MR_OK,
	MR_NOTFOUND, /* not there: never a fault */
	MR_TEMP,     /* may succeed later: I/O, memory, a peer that is away */
	MR_PERM,     /* the input is wrong and stays wrong */
	MR_USAGE     /* options, tables or specs are wrong */
};

#define MR_ERR_MAX 512

/* The reason of a status other than MR_OK: one line, no control characters.  Owned by the caller. */
struct mr_err {
	char text[MR_ERR_MAX];
};

/* Sets the reason and returns `status`, so that a function may end in `return mr_err_set(...)`.
 * A text that is too long is cut; control characters become '?'.  `err` may be NULL. */
enum mr_status mr_err_set(struct mr_err *err, enum mr_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with ": " and the words for the present errno behind it. */
enum mr_status mr_err_sys(struct mr_err *err, enum mr_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
