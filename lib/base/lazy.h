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

#endif
