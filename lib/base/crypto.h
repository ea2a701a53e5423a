/* crypto.h - hashes. */
#ifndef MR_BASE_CRYPTO_H
#define MR_BASE_CRYPTO_H

#include "base/err.h"
#include "base/str.h"

#define MR_SHA256_N 32 /* bytes */

/* The SHA-256 (FIPS 180-4) of `bytes` into `out` of MR_SHA256_N bytes.  MR_TEMP: no memory, or the
 * machine's OpenSSL does not offer it. */
enum mr_status mr_sha256(uint8_t *out, struct mr_str bytes, struct mr_err *err);

#endif
