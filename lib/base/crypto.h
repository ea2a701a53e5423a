/* crypto.h - hashes, keyed hashes, base64: OpenSSL's. */
#ifndef MR_BASE_CRYPTO_H
#define MR_BASE_CRYPTO_H

#include "base/err.h"
#include "base/str.h"

#define MR_SHA256_N 32 /* bytes */
#define MR_SHA1_N   20

/* Characters of `n` bytes in base64, with the NUL behind them. */
#define MR_BASE64_N(n) (((n) + 2) / 3 * 4 + 1)

/* The SHA-256 (FIPS 180-4) of `bytes` into `out` of MR_SHA256_N bytes.  MR_TEMP: no memory, or the
 * machine's OpenSSL does not offer it. */
enum mr_status mr_sha256(uint8_t *out, struct mr_str bytes, struct mr_err *err);

/* The HMAC-SHA-1 (RFC 2104) of `bytes` under `key` into `out` of MR_SHA1_N bytes.  MR_TEMP as above. */
enum mr_status
mr_hmac_sha1(uint8_t *out, struct mr_str key, struct mr_str bytes, struct mr_err *err);

/* `bytes` in base64 (RFC 4648 section 4), padded, into `out` of MR_BASE64_N(bytes.n) characters.  MR_TEMP
 * as above. */
enum mr_status mr_base64(char *out, struct mr_str bytes, struct mr_err *err);

#endif
