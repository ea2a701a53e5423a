/* crypto.h - hashes, keyed hashes, base64, keys that sign: OpenSSL's. */
#ifndef MR_BASE_CRYPTO_H
#define MR_BASE_CRYPTO_H

#include "base/buf.h"
#include "base/err.h"

#define MR_SHA256_N 32 /* bytes */
#define MR_SHA1_N   20

/* Loads OpenSSL and what a hash needs of it, so that processes forked later need not.  If that is its first use in
 * this process, it reads no openssl.cnf and loads neither its words for errors nor names of algorithms
 * that nobody asks for: two thirds of the work. */
enum mr_status mr_crypto_load(struct mr_err *err);

/* The SHA-256 (FIPS 180-4) of `bytes` into `out` of MR_SHA256_N bytes.  MR_TEMP: no memory, or the
 * machine's OpenSSL does not offer it. */
enum mr_status mr_sha256(uint8_t *out, struct mr_str bytes, struct mr_err *err);

/* The HMAC-SHA-1 (RFC 2104) of `bytes` under `key` into `out` of MR_SHA1_N bytes.  MR_TEMP as above. */
enum mr_status
mr_hmac_sha1(uint8_t *out, struct mr_str key, struct mr_str bytes, struct mr_err *err);

/* The same of bytes that come in pieces. */
struct mr_digest;
enum mr_status mr_digest_new(struct mr_digest **digest, struct mr_err *err);
void mr_digest_free(struct mr_digest *digest); /* NULL is fine */
enum mr_status mr_digest_add(struct mr_digest *digest, struct mr_str bytes, struct mr_err *err);
enum mr_status mr_digest_end(struct mr_digest *digest, uint8_t *out, struct mr_err *err);

/* Base64 (RFC 4648 section 4) on one line.  Decoding is strict: whole groups, padding at the end only, no
 * white space; MR_PERM for anything else.  MR_TEMP: no memory, or `out` is full. */
enum mr_status mr_base64_encode(struct mr_buf *out, struct mr_str bytes, struct mr_err *err);
enum mr_status mr_base64_decode(struct mr_buf *out, struct mr_str text, struct mr_err *err);

/* ---- keys --------------------------------------------------------------------------------------- */

#define MR_ED25519_N        32u   /* bytes of a seed, and of a public key (RFC 8032) */
#define MR_RSA_BITS_MAX     8192u /* a longer key is not read: it costs whoever verifies */
#define MR_RSA_GENERATE_MIN 1024u
#define MR_PKEY_FILE_MAX    32768u /* bytes of a key's text */

enum mr_pkey_kind { MR_PKEY_RSA, MR_PKEY_ED25519 };

/* "rsa", "ed25519": as in k= of a key record. */
const char *mr_pkey_kind_word(enum mr_pkey_kind kind);

/* A public key, or a private one with its public half. */
struct mr_pkey;

/* Reads a key's text: PEM (PKCS#1, PKCS#8, SubjectPublicKeyInfo), or the bare seed of an ed25519 key, as
 * 32 bytes or as their base64 (RFC 8463 appendix A.1).  The caller wipes `text`.  MR_PERM with a reason
 * for anything else: encrypted, another kind of key, over MR_RSA_BITS_MAX. */
enum mr_status mr_pkey_parse(struct mr_pkey **key, struct mr_str text, struct mr_err *err);

/* Reads a public key as a key record has it: SubjectPublicKeyInfo (DER) of an RSA key, the 32 bytes of an
 * ed25519 key.  MR_PERM: it is none. */
enum mr_status mr_pkey_from_public(
    struct mr_pkey **key, enum mr_pkey_kind kind, struct mr_str bytes, struct mr_err *err);

/* Makes a key; `bits` counts for RSA only. */
enum mr_status
mr_pkey_generate(struct mr_pkey **key, enum mr_pkey_kind kind, unsigned bits, struct mr_err *err);
void mr_pkey_free(struct mr_pkey *key); /* wipes what is secret; NULL is fine */

enum mr_pkey_kind mr_pkey_kind(const struct mr_pkey *key);
unsigned mr_pkey_bits(const struct mr_pkey *key);
bool mr_pkey_is_private(const struct mr_pkey *key);

/* Appends the public half, as mr_pkey_from_public reads it. */
enum mr_status mr_pkey_public(const struct mr_pkey *key, struct mr_buf *out, struct mr_err *err);

/* Appends the private key as PEM (PKCS#8). */
enum mr_status mr_pkey_private(const struct mr_pkey *key, struct mr_buf *out, struct mr_err *err);

/* True if both have the same public half. */
bool mr_pkey_is_same(const struct mr_pkey *a, const struct mr_pkey *b);

/* Appends the signature of a SHA-256 digest: RSASSA-PKCS1-v1_5 (RFC 6376 3.3.1), or PureEdDSA over the
 * digest (RFC 8463 3). */
enum mr_status mr_pkey_sign(
    const struct mr_pkey *key, const uint8_t *sha256, struct mr_buf *out, struct mr_err *err);

/* MR_OK if `signature` is the key's of that digest; MR_PERM: it is not. */
enum mr_status mr_pkey_verify(
    const struct mr_pkey *key, const uint8_t *sha256, struct mr_str signature, struct mr_err *err);

#endif
