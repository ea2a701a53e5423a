#include "smtp/tls.h"

#include "base/io.h"
#include "base/lazy.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 255u

#define LIB(name) name
/* clang-format off */
#define FUNCTIONS(F) \
	F(SSL_CTX_free) F(SSL_CTX_new) F(SSL_CTX_set_default_verify_paths) F(SSL_connect) F(SSL_ctrl) \
	F(SSL_free) F(SSL_get0_peer_certificate) F(SSL_get_error) F(SSL_get_peer_cert_chain) \
	F(SSL_get_verify_result) F(SSL_get_version) F(SSL_new) F(SSL_set_fd) F(TLS_client_method) \
	F(ERR_clear_error) F(ERR_get_error) F(ERR_reason_error_string) F(EVP_Digest) F(EVP_sha256) \
	F(EVP_sha512) F(OPENSSL_sk_num) F(OPENSSL_sk_value) F(X509_check_host) \
	F(X509_get_X509_PUBKEY) F(X509_verify_cert_error_string) F(i2d_X509) F(i2d_X509_PUBKEY) \
	F(CRYPTO_free)
/* clang-format on */

struct libssl {
	FUNCTIONS(MR_LAZY_FIELD)
};

struct mr_tls {
	struct libssl lib;
	SSL_CTX *ctx;
	SSL *ssl;
	X509 *cert;
};

static enum mr_status
give_up(struct mr_tls *t, struct mr_err *err)
{
	unsigned long e = t->lib.ERR_get_error();
	const char *why = e ? t->lib.ERR_reason_error_string(e) : NULL;

	return mr_err_set(err, MR_TEMP, "%s", why ? why : "the connection ended");
}

static enum mr_status
shake_hands(struct mr_tls *t, int fd, int64_t deadline_ms, struct mr_err *err)
{
	for (;;) {
		int rc, e;

		t->lib.ERR_clear_error();
		if ((rc = t->lib.SSL_connect(t->ssl)) == 1)
			return MR_OK;
		e = t->lib.SSL_get_error(t->ssl, rc);
		if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
			return give_up(t, err);
		if (mr_io_wait(fd, e == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline_ms, err))
			return MR_TEMP;
	}
}

enum mr_status
mr_tls_connect(
    struct mr_tls **tls, int fd, struct mr_str name, int64_t deadline_ms, struct mr_err *err)
{
	struct mr_tls *t = calloc(1, sizeof *t);
	char z[NAME_MAX_LEN + 1] = "";
	enum mr_status st;

	*tls = NULL;
	if (!t || name.n > NAME_MAX_LEN) {
		free(t);
		return mr_err_set(err, MR_TEMP, "out of memory");
	}
	memcpy(z, name.p, name.n);
	st = MR_LAZY_LOAD(&t->lib, FUNCTIONS, err);
	if (st) { /* then nothing of it may be called */
		free(t);
		return st;
	}
	if (!(t->ctx = t->lib.SSL_CTX_new(t->lib.TLS_client_method()))
	    || !(t->ssl = t->lib.SSL_new(t->ctx)) || !t->lib.SSL_set_fd(t->ssl, fd))
		st = give_up(t, err);
	if (st == MR_OK) {
		/* Without authorities nothing is trusted, and said so. */
		t->lib.SSL_CTX_set_default_verify_paths(t->ctx);
		/* What the macro SSL_set_tlsext_host_name does (RFC 6066 3). */
		t->lib.SSL_ctrl(t->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, z);
		st = shake_hands(t, fd, deadline_ms, err);
	}
	if (st == MR_OK && !(t->cert = t->lib.SSL_get0_peer_certificate(t->ssl)))
		st = mr_err_set(err, MR_TEMP, "no certificate");
	if (st)
		mr_tls_free(t);
	else
		*tls = t;
	return st;
}

void
mr_tls_free(struct mr_tls *tls)
{
	if (!tls)
		return;
	tls->lib.SSL_free(tls->ssl);
	tls->lib.SSL_CTX_free(tls->ctx);
	free(tls);
}

const char *
mr_tls_version(const struct mr_tls *tls)
{
	return tls->lib.SSL_get_version(tls->ssl);
}

bool
mr_tls_is_trusted(const struct mr_tls *tls, const char **why)
{
	long result = tls->lib.SSL_get_verify_result(tls->ssl);

	if (why)
		*why = tls->lib.X509_verify_cert_error_string(result);
	return result == X509_V_OK;
}

bool
mr_tls_has_name(const struct mr_tls *tls, struct mr_str name)
{
	return tls->lib.X509_check_host(tls->cert, name.p, name.n, 0, NULL) == 1;
}

/* Whether the certificate, or its key, is what the record has. */
static bool
is_it(const struct mr_tls *t, X509 *cert, unsigned selector, unsigned matching, struct mr_str data)
{
	unsigned char *der = NULL, digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	int len = selector ? t->lib.i2d_X509_PUBKEY(t->lib.X509_get_X509_PUBKEY(cert), &der)
	                   : t->lib.i2d_X509(cert, &der);
	struct mr_str have = { NULL, 0 };

	if (len > 0 && matching == 0)
		have = (struct mr_str){ (const char *)der, (size_t)len };
	else if (len > 0
	    && t->lib.EVP_Digest(der, (size_t)len, digest, &n,
	           matching == 1 ? t->lib.EVP_sha256() : t->lib.EVP_sha512(), NULL)
	        == 1)
		have = (struct mr_str){ (const char *)digest, n };
	n = have.p && mr_str_eq(have, data);
	t->lib.CRYPTO_free(der, __FILE__, __LINE__);
	return n;
}

bool
mr_tls_matches(const struct mr_tls *tls, unsigned usage, unsigned selector, unsigned matching,
    struct mr_str data)
{
	const OPENSSL_STACK *chain =
	    (const OPENSSL_STACK *)tls->lib.SSL_get_peer_cert_chain(tls->ssl);

	if (selector > 1 || matching > 2 || usage > 3)
		return false;
	if (usage == 1 || usage == 3)
		return is_it(tls, tls->cert, selector, matching, data);
	for (int i = 0; chain && i < tls->lib.OPENSSL_sk_num(chain); i++)
		if (is_it(tls, tls->lib.OPENSSL_sk_value(chain, i), selector, matching, data))
			return true;
	return false;
}
