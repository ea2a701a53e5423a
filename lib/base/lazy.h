/* lazy.h - shared libraries that are loaded at first need.
 *
 * The dynamic linker needs more time for some libraries (libldns comes with all of OpenSSL) than mr-smtpd
 * for a whole message; a process that does not use them shall not pay.  The one file that owns such a
 * library lists the functions that it calls, and the Makefile tells it the name that the linker would
 * have written down, MR_SONAME. */
#ifndef MR_BASE_LAZY_H
#define MR_BASE_LAZY_H

#include "base/err.h"

#include <stddef.h>

/* Loads `soname` unless that is done, and for good; puts the addresses of name[0 .. n) into `functions`, a
 * struct of `n` pointers to functions.  MR_TEMP: it is not there, or not what we were built for. */
enum mr_status mr_lazy_load(
    void *functions, const char *soname, const char *const *name, size_t n, struct mr_err *err);

/* A file that owns a library has LIB(name), the whole name of its function `name`, and a list of those that it
 * calls, FUNCTIONS(F) F(name) ...; then
 *	struct libfoo { FUNCTIONS(MR_LAZY_FIELD) } lib;
 *	st = MR_LAZY_LOAD(&lib, FUNCTIONS, err);
 * With MR_STATIC it is linked in (make STATIC=1). */
#define MR_LAZY_FIELD(name) __typeof__(&LIB(name)) name;
#ifdef MR_STATIC
#define MR_LAZY_ENTRY(name) .name = LIB(name),
#define MR_LAZY_LOAD(functions, LIST, err) \
	(*(functions) = (__typeof__(*(functions))){ LIST(MR_LAZY_ENTRY) }, (void)(err), MR_OK)
#else
#define MR_LAZY_TEXT(expanded) #expanded
#define MR_LAZY_QUOTE(word)    MR_LAZY_TEXT(word)
#define MR_LAZY_ENTRY(name)    MR_LAZY_QUOTE(LIB(name)),
#define MR_LAZY_LOAD(functions, LIST, err)                                                 \
	mr_lazy_load((functions), MR_SONAME, (const char *const[]){ LIST(MR_LAZY_ENTRY) }, \
	    sizeof(const char *const[]){ LIST(MR_LAZY_ENTRY) } / sizeof(const char *), (err))
#endif

#endif
