/* crypto.c - lib/base/crypto: hashes, base64, keys.  Keys and vectors: RFC 8463 appendix A, and what
 * openssl(1) wrote. */
#include "base/crypto.h"

#include "../tap.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/io.h"

#include <stdlib.h>
#include <unistd.h>

static struct mr_err err;

/* RFC 8463 A.2: the seed; A.1's record has the public half. */
#define SEED   "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
#define PUBLIC "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

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

static void
hashes(void)
{
	uint8_t one[MR_SHA256_N], two[MR_SHA256_N];
	struct mr_digest *d;
	struct mr_buf b;

	ok(mr_crypto_load(&err) == MR_OK, "OpenSSL is loaded");
	ok(mr_sha256(one, MR_STR("abc"), &err) == MR_OK
	        && memcmp(one, "\xba\x78\x16\xbf\x8f\x01\xcf\xea", 8) == 0,
	    "SHA-256 of abc");
	ok(mr_digest_new(&d, &err) == MR_OK && mr_digest_add(d, MR_STR("a"), &err) == MR_OK
	        && mr_digest_add(d, MR_STR(""), &err) == MR_OK
	        && mr_digest_add(d, MR_STR("bc"), &err) == MR_OK
	        && mr_digest_end(d, two, &err) == MR_OK && memcmp(one, two, sizeof one) == 0,
	    "the same in pieces");
	mr_digest_free(d);
	mr_digest_free(NULL);
	mr_buf_init(&b, 100);
	ok(mr_base64_encode(&b, MR_STR("foobar\xff"), &err) == MR_OK, "base64");
	is(mr_buf_str(&b), "Zm9vYmFy/w==", "base64: as RFC 4648 has it");
	mr_buf_free(&b);
}

static void
base64(void)
{
	static const char *const bad[] = { "A", "AA", "AAA", "AA=A", "=AAA",
		"A===", "====", "AAAA=AAA", "AA A", " AAA", "AAA ", "AAA-", "AAA_", "AAAA\n",
		"AAA\xff" };
	struct mr_buf b;

	mr_buf_init(&b, 16);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		mr_buf_clear(&b);
		ok(mr_base64_decode(&b, mr_str(bad[i]), &err) == MR_PERM && b.n == 0,
		    "no base64: case %zu", i);
	}
	mr_buf_clear(&b);
	ok(mr_base64_decode(&b, MR_STR("Zg=="), &err) == MR_OK, "one byte");
	is(mr_buf_str(&b), "f", "it is f");
	ok(mr_base64_decode(&b, MR_STR(""), &err) == MR_OK && b.n == 1, "nothing");
	ok(mr_base64_decode(&b, MR_STR("AAAAAAAAAAAAAAAAAAAAAAAAAAAA"), &err) == MR_TEMP,
	    "more than the buffer takes");
	mr_buf_free(&b);
}

static void
ed25519(void)
{
	static const uint8_t digest[MR_SHA256_N] = { 1, 2, 3 }, other[MR_SHA256_N] = { 1, 2, 4 };
	struct mr_buf b, raw, pem;
	struct mr_pkey *key, *pub = NULL, *again = NULL;

	mr_buf_init(&b, 4096);
	mr_buf_init(&raw, 100);
	mr_buf_init(&pem, 4096);
	ok(mr_pkey_parse(&key, MR_STR(SEED "\n"), &err) == MR_OK
	        && mr_pkey_kind(key) == MR_PKEY_ED25519 && mr_pkey_is_private(key),
	    "a seed in base64");
	ok(mr_pkey_public(key, &raw, &err) == MR_OK && raw.n == 32
	        && mr_base64_encode(&b, mr_buf_str(&raw), &err) == MR_OK,
	    "its public half");
	is(mr_buf_str(&b), PUBLIC, "is that of RFC 8463 appendix A");
	ok(mr_pkey_from_public(&pub, MR_PKEY_ED25519, mr_buf_str(&raw), &err) == MR_OK
	        && !mr_pkey_is_private(pub) && mr_pkey_is_same(pub, key),
	    "and read again");
	mr_buf_clear(&b);
	ok(mr_pkey_sign(key, digest, &b, &err) == MR_OK && b.n == 64, "a signature");
	ok(mr_pkey_verify(pub, digest, mr_buf_str(&b), &err) == MR_OK, "verifies");
	ok(mr_pkey_verify(pub, other, mr_buf_str(&b), &err) == MR_PERM, "not with another digest");
	b.n--;
	ok(mr_pkey_verify(pub, digest, mr_buf_str(&b), &err) == MR_PERM, "nor cut");
	ok(mr_pkey_private(key, &pem, &err) == MR_OK
	        && mr_pkey_parse(&again, mr_buf_str(&pem), &err) == MR_OK
	        && mr_pkey_is_same(key, again) && mr_pkey_is_private(again),
	    "PEM and back");
	mr_pkey_free(again);
	mr_buf_clear(&raw);
	ok(mr_base64_decode(&raw, MR_STR(SEED), &err) == MR_OK
	        && mr_pkey_parse(&again, mr_buf_str(&raw), &err) == MR_OK
	        && mr_pkey_is_same(key, again),
	    "the seed as 32 octets");
	mr_pkey_free(again);
	raw.n = 31;
	ok(mr_pkey_from_public(&again, MR_PKEY_ED25519, mr_buf_str(&raw), &err) == MR_PERM
	        && !again,
	    "31 octets are no public key");
	mr_pkey_free(key);
	mr_pkey_free(pub);
	mr_buf_free(&b);
	mr_buf_free(&raw);
	mr_buf_free(&pem);
}

static void
rsa(void)
{
	static const uint8_t digest[MR_SHA256_N] = { 1, 2, 3 }, other[MR_SHA256_N] = { 1, 2, 4 };
	struct mr_buf b, der, pem;
	struct mr_pkey *key, *pub = NULL, *again = NULL;

	mr_buf_init(&b, 4096);
	mr_buf_init(&der, 4096);
	mr_buf_init(&pem, 4096);
	ok(mr_pkey_generate(&key, MR_PKEY_RSA, 1024, &err) == MR_OK && mr_pkey_bits(key) == 1024
	        && mr_pkey_kind(key) == MR_PKEY_RSA,
	    "a key is made");
	ok(mr_pkey_public(key, &der, &err) == MR_OK
	        && mr_pkey_from_public(&pub, MR_PKEY_RSA, mr_buf_str(&der), &err) == MR_OK
	        && mr_pkey_is_same(pub, key),
	    "its public half");
	ok(mr_pkey_sign(key, digest, &b, &err) == MR_OK && b.n == 128, "a signature");
	ok(mr_pkey_verify(pub, digest, mr_buf_str(&b), &err) == MR_OK, "verifies");
	ok(mr_pkey_verify(pub, other, mr_buf_str(&b), &err) == MR_PERM, "not with another digest");
	ok(mr_pkey_sign(pub, digest, &b, &err) == MR_TEMP, "a public key does not sign");
	ok(mr_pkey_private(key, &pem, &err) == MR_OK
	        && mr_pkey_parse(&again, mr_buf_str(&pem), &err) == MR_OK
	        && mr_pkey_is_same(key, again),
	    "PEM and back");
	mr_pkey_free(again);
	der.n--;
	ok(mr_pkey_from_public(&again, MR_PKEY_RSA, mr_buf_str(&der), &err) == MR_PERM && !again,
	    "cut: no public key");
	der.n++;
	mr_buf_addc(&der, '\0');
	ok(mr_pkey_from_public(&again, MR_PKEY_RSA, mr_buf_str(&der), &err) == MR_PERM && !again,
	    "octets behind it");
	mr_pkey_free(key);
	mr_pkey_free(pub);
	ok(mr_pkey_generate(&key, MR_PKEY_RSA, 1023, &err) == MR_USAGE && !key, "1023 bits");
	ok(mr_pkey_generate(&key, MR_PKEY_RSA, MR_RSA_BITS_MAX + 1, &err) == MR_USAGE, "8193 bits");
	ok(mr_pkey_generate(&key, MR_PKEY_ED25519, 0, &err) == MR_OK
	        && mr_pkey_kind(key) == MR_PKEY_ED25519,
	    "an ed25519 key is made");
	mr_buf_clear(&der);
	mr_pkey_public(key, &der, &err);
	ok(mr_pkey_from_public(&again, MR_PKEY_RSA, mr_buf_str(&der), &err) == MR_PERM,
	    "which is no RSA key");
	mr_pkey_free(key);
	mr_buf_free(&b);
	mr_buf_free(&der);
	mr_buf_free(&pem);
}

/* What a command of the shell prints. */
static void
run(struct mr_buf *text, const char *command)
{
	char *line = strdup(command), sh[] = "sh", c[] = "-c";
	int out = mr_child_memfile(MR_STR(""));
	struct mr_exit end;

	if (!line || out < 0
	    || mr_child_run((char *[]){ sh, c, line, NULL }, (const int[]){ -1, out, -1 }, 3, 65536,
	        mr_clock_mono_ms() + 60000, &end, &err)
	    || lseek(out, 0, SEEK_SET) < 0 || mr_io_read_all(out, text, &err)) {
		printf("Bail out! %s: %s\n", command, err.text);
		exit(1);
	}
	close(out);
	free(line);
}

/* What openssl(1) writes. */
static void
files(void)
{
	static const struct {
		const char *command, *why; /* why NULL: can be read */
		bool is_private;
	} v[] = {
		{ "openssl genrsa -traditional 1024", NULL, true },
		{ "openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:1024", NULL, true },
		{ "openssl genpkey -algorithm ed25519", NULL, true },
		{ "openssl genrsa 1024 2>/dev/null | openssl rsa -pubout", NULL, false },
		{ "openssl genpkey -algorithm ed25519 | openssl pkey -pubout", NULL, false },
		{ "openssl genrsa -aes128 -passout pass:x 1024", "the key needs a passphrase",
		    true },
		{ "openssl genrsa -traditional -aes128 -passout pass:x 1024",
		    "the key needs a passphrase", true },
		{ "openssl ecparam -genkey -name prime256v1", "neither an RSA nor an Ed25519 key",
		    true },
		{ "openssl genpkey -algorithm rsa-pss -pkeyopt rsa_keygen_bits:1024",
		    "neither an RSA nor an Ed25519 key", true },
		{ "openssl genrsa 1024 2>/dev/null | head -c 400", "no key that can be read",
		    true },
		{ "echo -----BEGIN PRIVATE KEY-----", "no key that can be read", true },
		{ "echo word", "neither PEM nor the 32 octets of an Ed25519 key's seed", true },
		{ "true", "neither PEM nor the 32 octets of an Ed25519 key's seed", true },
		{ "head -c 40000 /dev/zero", "over 32768 bytes", true },
	};

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct mr_pkey *key;
		struct mr_buf text;

		mr_buf_init(&text, 65536);
		run(&text, v[i].command);
		if (!v[i].why) {
			ok(mr_pkey_parse(&key, mr_buf_str(&text), &err) == MR_OK
			        && mr_pkey_is_private(key) == v[i].is_private,
			    "%s", v[i].command);
			mr_pkey_free(key);
			mr_buf_free(&text);
			continue;
		}
		ok(mr_pkey_parse(&key, mr_buf_str(&text), &err) == MR_PERM && !key, "refused: %s",
		    v[i].command);
		is(mr_str(err.text), v[i].why, "and why");
		mr_buf_free(&text);
	}
}

int
main(void)
{
	test_hmac_sha1();
	hashes();
	base64();
	ed25519();
	rsa();
	files();
	return done_testing();
}
