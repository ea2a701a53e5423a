/* opendkim.h - libopendkim, through its hooks.  It parses nothing that was not parsed before, asks nobody for
 * keys, and sees only the header fields that some signature covers; of the body nothing.  For dkim_verify only. */
#ifndef MR_CHECK_OPENDKIM_H
#define MR_CHECK_OPENDKIM_H

#include "base/err.h"
#include "base/str.h"

/* Loads the library; what it and OpenSSL need of files is read now.  MR_TEMP: it is not there. */
struct mr_opendkim_lib;
enum mr_status mr_opendkim_load(struct mr_opendkim_lib **lib, struct mr_err *err);
void mr_opendkim_unload(struct mr_opendkim_lib *lib); /* NULL is fine */

/* A signature: what is known of it, and what comes out. */
struct mr_opendkim_sig {
	struct mr_str domain, selector; /* as the field has them */
	const char
	    *key; /* a key record (RFC 6376 3.6.1) that was found to be right, under 1024 bytes */

	/* NULL: it is that of the header's fields; else a constant, whether they or the library are to blame. */
	const char *why_bad;
	unsigned bits; /* of the RSA key that it is good by */
};

/* One message. */
struct mr_opendkim;

/* `sig`, of the caller, are the signatures in the order in which their fields will come. */
enum mr_status mr_opendkim_open(struct mr_opendkim **d, struct mr_opendkim_lib *lib,
    struct mr_opendkim_sig *sig, size_t n, struct mr_err *err);
void mr_opendkim_close(struct mr_opendkim *d); /* NULL is fine */

/* A whole header field without its last CRLF, no NUL in it; every DKIM-Signature is one of the
 * signatures.  MR_PERM: the library does not take
 * it, and the message must be given up: it has counted one field less than it keeps, and would write beyond its
 * list of them.  MR_TEMP: no memory. */
enum mr_status mr_opendkim_field(struct mr_opendkim *d, struct mr_str field, struct mr_err *err);

/* The header is over: fills the signatures. */
enum mr_status mr_opendkim_end(struct mr_opendkim *d, struct mr_err *err);

#endif
