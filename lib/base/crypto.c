#include "base/crypto.h"

#include <openssl/evp.h>

enum mr_status
mr_sha256(uint8_t *out, struct mr_str bytes, struct mr_err *err)
{
	return EVP_Digest(bytes.p, bytes.n, out, NULL, EVP_sha256(), NULL) == 1
	    ? MR_OK
	    : mr_err_set(err, MR_TEMP, "OpenSSL gives no SHA-256");
}
