/* crypto.c - lib/base/crypto: test vectors of the standards. */
#include "base/crypto.h"

#include "../tap.h"

static struct mr_err err;

static struct mr_str
hex(char *out, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
	return mr_str(out);
}

/* RFC 2202 section 3 */
static void
test_hmac_sha1(void)
{
	uint8_t mac[MR_SHA1_N];
	char key[80], text[2 * MR_SHA1_N + 1];

	memset(key, 0x0b, 20);
	ok(mr_hmac_sha1(mac, (struct mr_str){ key, 20 }, MR_STR("Hi There"), &err) == MR_OK,
	    "HMAC");
	is(hex(text, mac, sizeof mac), "b617318655057264e28bc0b6fb378c8ef146be00", "case 1");
	mr_hmac_sha1(mac, MR_STR("Jefe"), MR_STR("what do ya want for nothing?"), &err);
	is(hex(text, mac, sizeof mac), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", "case 2");
	memset(key, 0xaa, 80);
	mr_hmac_sha1(mac, (struct mr_str){ key, 80 },
	    MR_STR("Test Using Larger Than Block-Size Key - Hash Key First"), &err);
	is(hex(text, mac, sizeof mac), "aa4ae5e15272d00e95705637ce8a3b55ed402112", "case 6");
}

/* RFC 4648 section 10 */
static void
test_base64(void)
{
	static const char *const want[] = { "", "Zg==", "Zm8=", "Zm9v",
		"Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy" };
	char out[MR_BASE64_N(6)];

	for (size_t n = 0; n <= 6; n++) {
		ok(mr_base64(out, (struct mr_str){ "foobar", n }, &err) == MR_OK, "%zu bytes", n);
		is(mr_str(out), want[n], "in base64");
		ok(MR_BASE64_N(n) == strlen(want[n]) + 1, "the room for them");
	}
}

/* FIPS 180-4, the example of NIST */
static void
test_sha256(void)
{
	uint8_t sum[MR_SHA256_N];
	char text[2 * MR_SHA256_N + 1];

	ok(mr_sha256(sum, MR_STR("abc"), &err) == MR_OK, "SHA-256");
	is(hex(text, sum, sizeof sum),
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "of abc");
}

int
main(void)
{
	test_hmac_sha1();
	test_base64();
	test_sha256();
	return done_testing();
}
