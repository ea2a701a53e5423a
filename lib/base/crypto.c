#include "base/crypto.h"

#include "base/lazy.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#define LIB(name) name
/* clang-format off */
#define FUNCTIONS(F) \
	F(EVP_sha256) F(EVP_MD_CTX_new) F(EVP_MD_CTX_free) \
	F(BIO_new_mem_buf) F(BIO_new) F(BIO_s_mem) F(BIO_ctrl) F(BIO_free) \
	F(PEM_read_bio_PrivateKey) F(PEM_read_bio_PUBKEY) F(PEM_write_bio_PrivateKey) \
	F(EVP_PKEY_new_raw_private_key) F(EVP_PKEY_new_raw_public_key) \
	F(EVP_PKEY_get_raw_public_key) F(d2i_PUBKEY) F(i2d_PUBKEY) F(EVP_PKEY_get_base_id) \
	F(EVP_PKEY_get_bits) F(EVP_PKEY_eq) F(EVP_PKEY_free) F(EVP_PKEY_Q_keygen) \
	F(EVP_PKEY_CTX_new) F(EVP_PKEY_CTX_free) F(EVP_PKEY_sign_init) F(EVP_PKEY_sign) \
	F(EVP_PKEY_verify_init) F(EVP_PKEY_verify) F(EVP_PKEY_CTX_set_rsa_padding) \
	F(EVP_PKEY_CTX_set_signature_md) F(EVP_DigestSignInit) F(EVP_DigestSign) \
	F(EVP_DigestVerifyInit) F(EVP_DigestVerify) F(ERR_clear_error) F(ERR_peek_last_error)
#define DIGEST(F) \
	F(EVP_sha256) F(EVP_MD_CTX_new) F(EVP_MD_CTX_free) F(EVP_DigestInit_ex) \
	F(EVP_DigestUpdate) F(EVP_DigestFinal_ex)
/* clang-format on */

struct libcrypto {
	FUNCTIONS(MR_LAZY_FIELD)
};

static enum mr_status
load(struct libcrypto *lib, struct mr_err *err)
{
	return MR_LAZY_LOAD(lib, FUNCTIONS, err);
}

static enum mr_status
no_memory(struct mr_err *err)
{
	return mr_err_set(err, MR_TEMP, "out of memory");
}

static const unsigned char *
octets(const char *p)
{
	return (const unsigned char *)p;
}

/* ---- hashes ------------------------------------------------------------------------------------- */

enum mr_status
mr_sha256(uint8_t *out, struct mr_str bytes, struct mr_err *err)
{
#define SHA256(F) F(EVP_Digest) F(EVP_sha256)
	struct {
		SHA256(MR_LAZY_FIELD)
	} lib;
	enum mr_status st = MR_LAZY_LOAD(&lib, SHA256, err);

	if (st)
		return st;
	return lib.EVP_Digest(bytes.p, bytes.n, out, NULL, lib.EVP_sha256(), NULL) == 1
	    ? MR_OK
	    : mr_err_set(err, MR_TEMP, "OpenSSL gives no SHA-256");
}

enum mr_status
mr_hmac_sha1(uint8_t *out, struct mr_str key, struct mr_str bytes, struct mr_err *err)
{
#define HMAC_SHA1(F) F(HMAC) F(EVP_sha1)
	struct {
		HMAC_SHA1(MR_LAZY_FIELD)
	} lib;
	enum mr_status st = MR_LAZY_LOAD(&lib, HMAC_SHA1, err);

	if (st)
		return st;
	return key.n <= INT_MAX
	        && lib.HMAC(lib.EVP_sha1(), key.p, (int)key.n, (const unsigned char *)bytes.p,
	            bytes.n, out, NULL)
	    ? MR_OK
	    : mr_err_set(err, MR_TEMP, "OpenSSL gives no HMAC-SHA-1");
}

struct mr_digest {
	struct {
		DIGEST(MR_LAZY_FIELD)
	} lib;
	EVP_MD_CTX *ctx;
};

enum mr_status
mr_digest_new(struct mr_digest **digest, struct mr_err *err)
{
	struct mr_digest *d = calloc(1, sizeof *d);
	enum mr_status st;

	*digest = NULL;
	if (!d)
		return no_memory(err);
	if ((st = MR_LAZY_LOAD(&d->lib, DIGEST, err))) {
		free(d);
		return st;
	}
	d->ctx = d->lib.EVP_MD_CTX_new();
	if (!d->ctx || d->lib.EVP_DigestInit_ex(d->ctx, d->lib.EVP_sha256(), NULL) != 1) {
		mr_digest_free(d);
		return mr_err_set(err, MR_TEMP, "OpenSSL gives no SHA-256");
	}
	*digest = d;
	return MR_OK;
}

void
mr_digest_free(struct mr_digest *digest)
{
	if (digest)
		digest->lib.EVP_MD_CTX_free(digest->ctx);
	free(digest);
}

enum mr_status
mr_digest_add(struct mr_digest *digest, struct mr_str bytes, struct mr_err *err)
{
	return digest->lib.EVP_DigestUpdate(digest->ctx, bytes.p, bytes.n) == 1
	    ? MR_OK
	    : mr_err_set(err, MR_TEMP, "OpenSSL does not hash");
}

enum mr_status
mr_digest_end(struct mr_digest *digest, uint8_t *out, struct mr_err *err)
{
	return digest->lib.EVP_DigestFinal_ex(digest->ctx, out, NULL) == 1
	    ? MR_OK
	    : mr_err_set(err, MR_TEMP, "OpenSSL does not hash");
}

enum mr_status
mr_crypto_load(struct mr_err *err)
{
#define INIT(F) F(OPENSSL_init_crypto)
	const uint64_t less = OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ADD_ALL_CIPHERS
	    | OPENSSL_INIT_NO_ADD_ALL_DIGESTS | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS;
	uint8_t out[MR_SHA256_N];
	struct {
		INIT(MR_LAZY_FIELD)
	} lib;
	enum mr_status st = MR_LAZY_LOAD(&lib, INIT, err);

	if (st == MR_OK && lib.OPENSSL_init_crypto(less, NULL) != 1)
		st = mr_err_set(err, MR_TEMP, "OpenSSL does not begin");
	return st ? st : mr_sha256(out, MR_STR(""), err);
}

/* ---- base64 ------------------------------------------------------------------------------------- */

#define BASE64_MAX (64u << 20) /* OpenSSL counts in int */

enum mr_status
mr_base64_encode(struct mr_buf *out, struct mr_str bytes, struct mr_err *err)
{
#define ENCODE(F) F(EVP_EncodeBlock)
	size_t n = (bytes.n + 2) / 3 * 4;
	struct {
		ENCODE(MR_LAZY_FIELD)
	} lib;
	enum mr_status st = MR_LAZY_LOAD(&lib, ENCODE, err);
	char *to;

	if (st || n == 0)
		return st;
	if (n > BASE64_MAX || !(to = mr_buf_room(out, n + 1))) /* it writes a NUL, too */
		return no_memory(err);
	out->n += (size_t)lib.EVP_EncodeBlock((unsigned char *)to, octets(bytes.p), (int)bytes.n);
	return MR_OK;
}

/* How many '=' end it; 3: it is no base64. */
static size_t
padding_of(struct mr_str text)
{
	size_t pad = 0, n = text.n;

	while (pad < 3 && n && text.p[n - 1] == '=') {
		pad++;
		n--;
	}
	for (size_t i = 0; i < n; i++) {
		char c = text.p[i];

		if ((c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '+'
		    && c != '/')
			return 3;
	}
	return text.n % 4 ? 3 : pad;
}

enum mr_status
mr_base64_decode(struct mr_buf *out, struct mr_str text, struct mr_err *err)
{
#define DECODE(F) F(EVP_DecodeBlock)
	size_t pad = padding_of(text);
	struct {
		DECODE(MR_LAZY_FIELD)
	} lib;
	enum mr_status st;
	char *to;

	if (pad > 2)
		return mr_err_set(err, MR_PERM, "not base64");
	if (text.n == 0)
		return MR_OK;
	if ((st = MR_LAZY_LOAD(&lib, DECODE, err)))
		return st;
	if (text.n > BASE64_MAX || !(to = mr_buf_room(out, text.n / 4 * 3)))
		return no_memory(err);
	if (lib.EVP_DecodeBlock((unsigned char *)to, octets(text.p), (int)text.n) < 0)
		return mr_err_set(err, MR_PERM, "not base64");
	out->n += text.n / 4 * 3 - pad;
	return MR_OK;
}

/* ---- keys --------------------------------------------------------------------------------------- */

struct mr_pkey {
	struct libcrypto lib;
	EVP_PKEY *pkey;
	enum mr_pkey_kind kind;
	bool is_private;
};

const char *
mr_pkey_kind_word(enum mr_pkey_kind kind)
{
	return kind == MR_PKEY_RSA ? "rsa" : "ed25519";
}

void
mr_pkey_free(struct mr_pkey *key)
{
	if (key)
		key->lib.EVP_PKEY_free(key->pkey);
	free(key);
}

static enum mr_status
new_key(struct mr_pkey **key, struct mr_err *err)
{
	enum mr_status st;

	*key = calloc(1, sizeof **key);
	st = *key ? load(&(*key)->lib, err) : no_memory(err);
	if (st) {
		free(*key);
		*key = NULL;
	}
	return st;
}

/* Judges what OpenSSL has read into `key`, which is freed unless it is good. */
static enum mr_status
finish(struct mr_pkey **key, enum mr_status st, struct mr_err *err)
{
	struct mr_pkey *k = *key;
	int id = k->pkey ? k->lib.EVP_PKEY_get_base_id(k->pkey) : EVP_PKEY_NONE;

	if (!k->pkey && ERR_GET_REASON(k->lib.ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE)
		st = no_memory(err);
	/* What it thinks of bad input is no business of later calls. */
	k->lib.ERR_clear_error();
	k->kind = id == EVP_PKEY_RSA ? MR_PKEY_RSA : MR_PKEY_ED25519;
	if (st == MR_OK && id != EVP_PKEY_RSA && id != EVP_PKEY_ED25519)
		st = mr_err_set(err, MR_PERM, "neither an RSA nor an Ed25519 key");
	if (st == MR_OK && mr_pkey_bits(k) > MR_RSA_BITS_MAX)
		st = mr_err_set(err, MR_PERM, "an RSA key of over %u bits", MR_RSA_BITS_MAX);
	if (st) {
		mr_pkey_free(k);
		*key = NULL;
	}
	return st;
}

/* No key with a passphrase: nobody is there to ask. */
static int
no_passphrase(char *buf, int size, int rwflag, void *u)
{
	(void)buf, (void)size, (void)rwflag, (void)u;
	return -1;
}

static bool
holds(struct mr_str text, const char *word)
{
	return text.n && memmem(text.p, text.n, word, strlen(word)) != NULL;
}

static enum mr_status
read_pem(struct mr_pkey *k, struct mr_str text, struct mr_err *err)
{
	BIO *bio = k->lib.BIO_new_mem_buf(text.p, (int)text.n);

	if (!bio)
		return no_memory(err);
	k->is_private = holds(text, "PRIVATE KEY-----");
	k->pkey = k->is_private ? k->lib.PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL)
	                        : k->lib.PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
	k->lib.BIO_free(bio);
	if (k->pkey)
		return MR_OK;
	return mr_err_set(err, MR_PERM,
	    holds(text, "ENCRYPTED") ? "the key needs a passphrase" : "no key that can be read");
}

/* The seed of an ed25519 key. */
static enum mr_status
read_seed(struct mr_pkey *k, struct mr_str text, struct mr_err *err)
{
	struct mr_str word = text;
	struct mr_buf seed;
	enum mr_status st = MR_OK;

	mr_buf_init(&seed, MR_PKEY_FILE_MAX);
	while (word.n && (word.p[word.n - 1] == '\n' || word.p[word.n - 1] == '\r'))
		word.n--;
	if (text.n == MR_ED25519_N)
		mr_buf_add(&seed, text);
	else
		st = mr_base64_decode(&seed, word, err);
	if (st == MR_OK && seed.n == MR_ED25519_N)
		k->pkey = k->lib.EVP_PKEY_new_raw_private_key(
		    EVP_PKEY_ED25519, NULL, octets(seed.p), seed.n);
	k->is_private = true;
	if (st != MR_TEMP && !k->pkey)
		st = mr_err_set(
		    err, MR_PERM, "neither PEM nor the 32 octets of an Ed25519 key's seed");
	if (seed.p)
		explicit_bzero(seed.p, seed.cap);
	mr_buf_free(&seed);
	return st;
}

enum mr_status
mr_pkey_parse(struct mr_pkey **key, struct mr_str text, struct mr_err *err)
{
	enum mr_status st = new_key(key, err);

	if (st)
		return st;
	if (text.n > MR_PKEY_FILE_MAX)
		st = mr_err_set(err, MR_PERM, "over %u bytes", MR_PKEY_FILE_MAX);
	else if (holds(text, "-----BEGIN "))
		st = read_pem(*key, text, err);
	else
		st = read_seed(*key, text, err);
	return finish(key, st, err);
}

enum mr_status
mr_pkey_from_public(
    struct mr_pkey **key, enum mr_pkey_kind kind, struct mr_str bytes, struct mr_err *err)
{
	enum mr_status st = new_key(key, err);
	const unsigned char *at = octets(bytes.n ? bytes.p : "");
	struct mr_pkey *k = *key;

	if (st)
		return st;
	if (bytes.n > MR_PKEY_FILE_MAX)
		st = mr_err_set(err, MR_PERM, "over %u bytes", MR_PKEY_FILE_MAX);
	else if (kind == MR_PKEY_ED25519 && bytes.n != MR_ED25519_N)
		st = mr_err_set(
		    err, MR_PERM, "%zu octets where Ed25519 has %u", bytes.n, MR_ED25519_N);
	else if (kind == MR_PKEY_ED25519)
		k->pkey = k->lib.EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, at, bytes.n);
	else
		k->pkey = k->lib.d2i_PUBKEY(NULL, &at, (long)bytes.n);
	if (st == MR_OK && !k->pkey)
		st = mr_err_set(err, MR_PERM, "no SubjectPublicKeyInfo");
	if (st == MR_OK && kind == MR_PKEY_RSA && at != octets(bytes.p) + bytes.n)
		st = mr_err_set(err, MR_PERM, "octets behind the SubjectPublicKeyInfo");
	st = finish(key, st, err);
	if (st == MR_OK && (*key)->kind != kind) {
		st = mr_err_set(err, MR_PERM, "a key of another kind");
		mr_pkey_free(*key);
		*key = NULL;
	}
	return st;
}

enum mr_status
mr_pkey_generate(struct mr_pkey **key, enum mr_pkey_kind kind, unsigned bits, struct mr_err *err)
{
	enum mr_status st = new_key(key, err);

	if (st)
		return st;
	(*key)->is_private = true;
	if (kind == MR_PKEY_ED25519)
		(*key)->pkey = (*key)->lib.EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else if (bits >= MR_RSA_GENERATE_MIN && bits <= MR_RSA_BITS_MAX)
		(*key)->pkey = (*key)->lib.EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
	else
		st = mr_err_set(err, MR_USAGE, "an RSA key has %u to %u bits here",
		    MR_RSA_GENERATE_MIN, MR_RSA_BITS_MAX);
	if (st == MR_OK && !(*key)->pkey)
		st = mr_err_set(err, MR_TEMP, "OpenSSL makes no key");
	return finish(key, st, err);
}

enum mr_pkey_kind
mr_pkey_kind(const struct mr_pkey *key)
{
	return key->kind;
}

unsigned
mr_pkey_bits(const struct mr_pkey *key)
{
	int bits = key->lib.EVP_PKEY_get_bits(key->pkey);

	return bits > 0 ? (unsigned)bits : 0;
}

bool
mr_pkey_is_private(const struct mr_pkey *key)
{
	return key->is_private;
}

bool
mr_pkey_is_same(const struct mr_pkey *a, const struct mr_pkey *b)
{
	return a->kind == b->kind && a->lib.EVP_PKEY_eq(a->pkey, b->pkey) == 1;
}

enum mr_status
mr_pkey_public(const struct mr_pkey *key, struct mr_buf *out, struct mr_err *err)
{
	size_t n = MR_ED25519_N;
	unsigned char *to;

	if (key->kind == MR_PKEY_RSA) {
		int len = key->lib.i2d_PUBKEY(key->pkey, NULL);

		n = len > 0 ? (size_t)len : 0;
	}
	if (n == 0 || !(to = (unsigned char *)mr_buf_room(out, n)))
		return no_memory(err);
	if (key->kind == MR_PKEY_RSA ? key->lib.i2d_PUBKEY(key->pkey, &to) <= 0
	                             : key->lib.EVP_PKEY_get_raw_public_key(key->pkey, to, &n) != 1)
		return mr_err_set(err, MR_TEMP, "OpenSSL gives no public key");
	out->n += n;
	return MR_OK;
}

enum mr_status
mr_pkey_private(const struct mr_pkey *key, struct mr_buf *out, struct mr_err *err)
{
	BIO *bio = key->lib.BIO_new(key->lib.BIO_s_mem());
	char *pem = NULL;
	long n = 0;

	if (!bio)
		return no_memory(err);
	if (key->lib.PEM_write_bio_PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) == 1)
		n = key->lib.BIO_ctrl(bio, BIO_CTRL_INFO, 0, &pem);
	if (n > 0)
		mr_buf_add(out, (struct mr_str){ pem, (size_t)n });
	key->lib.BIO_free(bio);
	return n > 0 && !out->is_full ? MR_OK : mr_err_set(err, MR_TEMP, "OpenSSL writes no key");
}

/* ---- signatures --------------------------------------------------------------------------------- */

/* What an RSA signature is made or checked with; NULL when there is no memory. */
static EVP_PKEY_CTX *
rsa_begin(const struct mr_pkey *key, int (*init)(EVP_PKEY_CTX *))
{
	EVP_PKEY_CTX *ctx = key->lib.EVP_PKEY_CTX_new(key->pkey, NULL);

	if (ctx && init(ctx) == 1
	    && key->lib.EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1
	    && key->lib.EVP_PKEY_CTX_set_signature_md(ctx, key->lib.EVP_sha256()) == 1)
		return ctx;
	key->lib.EVP_PKEY_CTX_free(ctx);
	return NULL;
}

enum mr_status
mr_pkey_sign(
    const struct mr_pkey *key, const uint8_t *sha256, struct mr_buf *out, struct mr_err *err)
{
	size_t n = MR_RSA_BITS_MAX / 8;
	unsigned char *to = (unsigned char *)mr_buf_room(out, n);
	bool is_done = false;

	if (!to)
		return no_memory(err);
	if (key->kind == MR_PKEY_RSA) {
		EVP_PKEY_CTX *ctx = rsa_begin(key, key->lib.EVP_PKEY_sign_init);

		is_done = ctx && key->lib.EVP_PKEY_sign(ctx, to, &n, sha256, MR_SHA256_N) == 1;
		key->lib.EVP_PKEY_CTX_free(ctx);
	} else {
		EVP_MD_CTX *ctx = key->lib.EVP_MD_CTX_new();

		is_done = ctx && key->lib.EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey) == 1
		    && key->lib.EVP_DigestSign(ctx, to, &n, sha256, MR_SHA256_N) == 1;
		key->lib.EVP_MD_CTX_free(ctx);
	}
	key->lib.ERR_clear_error();
	if (!is_done)
		return mr_err_set(err, MR_TEMP, "OpenSSL does not sign");
	out->n += n;
	return MR_OK;
}

enum mr_status
mr_pkey_verify(
    const struct mr_pkey *key, const uint8_t *sha256, struct mr_str signature, struct mr_err *err)
{
	const unsigned char *sig = octets(signature.n ? signature.p : "");
	bool is_begun, is_good;

	if (key->kind == MR_PKEY_RSA) {
		EVP_PKEY_CTX *ctx = rsa_begin(key, key->lib.EVP_PKEY_verify_init);

		is_begun = ctx != NULL;
		is_good = ctx
		    && key->lib.EVP_PKEY_verify(ctx, sig, signature.n, sha256, MR_SHA256_N) == 1;
		key->lib.EVP_PKEY_CTX_free(ctx);
	} else {
		EVP_MD_CTX *ctx = key->lib.EVP_MD_CTX_new();

		is_begun =
		    ctx && key->lib.EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key->pkey) == 1;
		is_good = is_begun
		    && key->lib.EVP_DigestVerify(ctx, sig, signature.n, sha256, MR_SHA256_N) == 1;
		key->lib.EVP_MD_CTX_free(ctx);
	}
	key->lib.ERR_clear_error();
	if (!is_begun)
		return mr_err_set(err, MR_TEMP, "OpenSSL does not verify");
	return is_good ? MR_OK
	               : mr_err_set(err, MR_PERM, "the signature is of another key or text");
}
