/* tls.h - TLS as a client that looks at the server's certificate (RFC 3207, RFC 7672), by OpenSSL. */
#ifndef MR_SMTP_TLS_H
#define MR_SMTP_TLS_H

#include "base/err.h"
#include "base/str.h"

struct mr_tls;

/* Shakes hands over the non-blocking socket `fd`, which stays the caller's, with a server called `name`;
 * any certificate will do.  MR_TEMP: no TLS came of it by `deadline_ms`, with the reason. */
enum mr_status mr_tls_connect(
    struct mr_tls **tls, int fd, struct mr_str name, int64_t deadline_ms, struct mr_err *err);
void mr_tls_free(struct mr_tls *tls); /* without a word to the server; NULL is fine */

/* "TLSv1.3". */
const char *mr_tls_version(const struct mr_tls *tls);

/* True if a chain leads to an authority that the machine trusts; *why (may be NULL) says why not. */
bool mr_tls_is_trusted(const struct mr_tls *tls, const char **why);

/* True if the certificate is for `name` (RFC 6125). */
bool mr_tls_has_name(const struct mr_tls *tls, struct mr_str name);

/* True if a TLSA record (RFC 6698 2.1) of these numbers and this data names the server's certificate, or for
 * the usages 0 and 2 one of the authorities that it sent. */
bool mr_tls_matches(const struct mr_tls *tls, unsigned usage, unsigned selector, unsigned matching,
    struct mr_str data);

#endif
