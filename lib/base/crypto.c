#include "base/crypto.h"

#include "base/lazy.h"

#include <openssl/evp.h>

struct libcrypto {
	__typeof__(&EVP_Digest) digest;
	__typeof__(&EVP_sha256) sha256;
};

enum mr_status
mr_sha256(uint8_t *out, struct mr_str bytes, struct mr_err *err)
{
	static const char *const name[] = { "EVP_Digest", "EVP_sha256" };
	struct libcrypto lib;
	enum mr_status st = mr_lazy_load(&lib, MR_SONAME, name, 2, err);

	if (st)
		return st;
	return lib.digest(bytes.p, bytes.n, out, NULL, lib.sha256(), NULL) == 1
	    ? MR_OK
	    : mr_err_set(err, MR_TEMP, "OpenSSL gives no SHA-256");
}
