#include "base/crypto.h"

#include "base/lazy.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum mr_status
mr_sha256(uint8_t *out, struct mr_str bytes, struct mr_err *err)
{
	static const char *const name[] = { "EVP_Digest", "EVP_sha256" };
	struct {
		__typeof__(&EVP_Digest) digest;
		__typeof__(&EVP_sha256) sha256;
	} lib;
	enum mr_status st = mr_lazy_load(&lib, MR_SONAME, name, 2, err);

	if (st)
		return st;
	return lib.digest(bytes.p, bytes.n, out, NULL, lib.sha256(), NULL) == 1
	    ? MR_OK
	    : mr_err_set(err, MR_TEMP, "OpenSSL gives no SHA-256");
}

enum mr_status
mr_hmac_sha1(uint8_t *out, struct mr_str key, struct mr_str bytes, struct mr_err *err)
{
	static const char *const name[] = { "HMAC", "EVP_sha1" };
	struct {
		__typeof__(&HMAC) hmac;
		__typeof__(&EVP_sha1) sha1;
	} lib;
	enum mr_status st = mr_lazy_load(&lib, MR_SONAME, name, 2, err);

	if (st)
		return st;
	return key.n <= INT_MAX
	        && lib.hmac(lib.sha1(), key.p, (int)key.n, (const unsigned char *)bytes.p, bytes.n,
	            out, NULL)
	    ? MR_OK
	    : mr_err_set(err, MR_TEMP, "OpenSSL gives no HMAC-SHA-1");
}

enum mr_status
mr_base64(char *out, struct mr_str bytes, struct mr_err *err)
{
	static const char *const name[] = { "EVP_EncodeBlock" };
	struct {
		__typeof__(&EVP_EncodeBlock) encode;
	} lib;
	enum mr_status st = mr_lazy_load(&lib, MR_SONAME, name, 1, err);

	if (st)
		return st;
	if (bytes.n > INT_MAX)
		return mr_err_set(err, MR_TEMP, "too much for base64");
	lib.encode((unsigned char *)out, (const unsigned char *)bytes.p, (int)bytes.n);
	return MR_OK;
}
