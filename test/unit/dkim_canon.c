/* dkim_canon.c - lib/check/dkim_canon: the examples of RFC 6376 3.4.5, pieces of any size, and the two
 * signatures of RFC 8463 appendix A.3 made again, octet for octet. */
#include "check/dkim_canon.h"

#include "../tap.h"

static struct mr_err err;

/* ---- header ------------------------------------------------------------------------------------- */

static void
fields(void)
{
	static const struct {
		const char *field, *relaxed;
	} v[] = {
		{ "A: X", "a:X" }, /* the two of 3.4.5 */
		{ "B : Y\t\r\n\tZ  ", "b:Y Z" },
		{ "SUBJect: AbC", "subject:AbC" },
		{ "A:", "a:" },
		{ "A: \r\n ", "a:" },
		{ "A \t : b:c :d", "a:b:c :d" },
		{ "A:\r\n b\r\n\r\n\tc", "a:b c" },
		{ "A: \xc3\x84 \xff", "a:\xc3\x84 \xff" },
	};
	struct mr_buf b;

	mr_buf_init(&b, 1000);
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		mr_buf_clear(&b);
		mr_dkim_canon_field(&b, MR_DKIM_RELAXED, mr_str(v[i].field));
		is(mr_buf_str(&b), v[i].relaxed, "relaxed field");
		mr_buf_clear(&b);
		mr_dkim_canon_field(&b, MR_DKIM_SIMPLE, mr_str(v[i].field));
		is(mr_buf_str(&b), v[i].field, "simple field: as it is");
	}
	mr_buf_free(&b);
}

/* ---- body --------------------------------------------------------------------------------------- */

/* True if the hash of `text`, given in pieces of at most `step` bytes (never between CR and LF), is that of
 * `want`. */
static bool
hashes_to(enum mr_dkim_canon canon, struct mr_str text, size_t step, struct mr_str want)
{
	uint8_t got[MR_SHA256_N], expected[MR_SHA256_N];
	struct mr_dkim_body *b;
	bool is_ok = mr_dkim_body_new(&b, canon, MR_DKIM_WHOLE_BODY, &err) == MR_OK;

	while (is_ok && text.n) {
		size_t n = step < text.n ? step : text.n;

		if (text.p[n - 1] == '\r' && n < text.n)
			n++;
		is_ok = mr_dkim_body_add(b, (struct mr_str){ text.p, n }, &err) == MR_OK;
		text = mr_str_from(text, n);
	}
	is_ok = is_ok && mr_dkim_body_end(b, got, &err) == MR_OK
	    && mr_sha256(expected, want, &err) == MR_OK && memcmp(got, expected, sizeof got) == 0;
	mr_dkim_body_free(b);
	return is_ok;
}

static void
bodies(void)
{
	static const struct {
		const char *text, *simple, *relaxed;
	} v[] = {
		{ " C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n" }, /* 3.4.5 */
		{ "", "\r\n", "" },
		{ "\r\n", "\r\n", "" },
		{ "\r\n\r\n\r\n", "\r\n", "" },
		{ " \r\n\t\r\n", " \r\n\t\r\n", "" },
		{ "a", "a\r\n", "a\r\n" },
		{ "a ", "a \r\n", "a\r\n" },
		{ "a\r\n", "a\r\n", "a\r\n" },
		{ "a\r\n\r\nb\r\n \r\n", "a\r\n\r\nb\r\n \r\n", "a\r\n\r\nb\r\n" },
		{ "a\r\n \r\nb", "a\r\n \r\nb\r\n", "a\r\n\r\nb\r\n" },
		{ "\t\ta \t b\tc  d e\r\n", "\t\ta \t b\tc  d e\r\n", " a b c d e\r\n" },
		{ " \r\n a", " \r\n a\r\n", "\r\n a\r\n" },
		{ "\xff\x80 \xc3\r\n", "\xff\x80 \xc3\r\n", "\xff\x80 \xc3\r\n" },
		{ ".\r\n..\r\n", ".\r\n..\r\n", ".\r\n..\r\n" },
	};

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		bool is_simple = true, is_relaxed = true;

		for (size_t step = 1; step < 20; step++) {
			is_simple &=
			    hashes_to(MR_DKIM_SIMPLE, mr_str(v[i].text), step, mr_str(v[i].simple));
			is_relaxed &= hashes_to(
			    MR_DKIM_RELAXED, mr_str(v[i].text), step, mr_str(v[i].relaxed));
		}
		ok(is_simple, "simple body: case %zu", i);
		ok(is_relaxed, "relaxed body: case %zu", i);
	}
}

/* Beyond what is gathered for one call of the hash. */
static void
long_bodies(void)
{
	struct mr_buf text, want;

	mr_buf_init(&text, 1 << 20);
	mr_buf_init(&want, 1 << 20);
	for (int i = 0; i < 30000; i++)
		mr_buf_adds(&text, "\r\n");
	mr_buf_adds(&text, "a");
	ok(hashes_to(MR_DKIM_SIMPLE, mr_buf_str(&text), 1000,
	       (mr_buf_adds(&text, "\r\n"), mr_buf_str(&text))),
	    "30000 empty lines count before text");
	mr_buf_clear(&text);
	for (int i = 0; i < 50000; i++) {
		mr_buf_addc(&text, i % 5000 ? 'x' : '\t');
		mr_buf_addc(&want, i % 5000 ? 'x' : ' ');
	}
	mr_buf_adds(&text, " \r\n");
	mr_buf_adds(&want, "\r\n");
	ok(hashes_to(MR_DKIM_RELAXED, mr_buf_str(&text), 50002, mr_buf_str(&want)),
	    "a line of 50000 octets");
	mr_buf_free(&text);
	mr_buf_free(&want);
}

/* ---- RFC 8463 appendix A ------------------------------------------------------------------------ */

static const char seed[] = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
static const char rsa_pem[] = "-----BEGIN RSA PRIVATE KEY-----\n"
                              "MIICXQIBAAKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi\n"
                              "Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqM\n"
                              "KrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB\n"
                              "AoGAH0cxOhFZDgzXWhDhnAJDw5s4roOXN4OhjiXa8W7Y3rhX3FJqmJSPuC8N9vQm\n"
                              "6SVbaLAE4SG5mLMueHlh4KXffEpuLEiNp9Ss3O4YfLiQpbRqE7Tm5SxKjvvQoZZe\n"
                              "zHorimOaChRL2it47iuWxzxSiRMv4c+j70GiWdxXnxe4UoECQQDzJB/0U58W7RZy\n"
                              "6enGVj2kWF732CoWFZWzi1FicudrBFoy63QwcowpoCazKtvZGMNlPWnC7x/6o8Gc\n"
                              "uSe0ga2xAkEA8C7PipPm1/1fTRQvj1o/dDmZp243044ZNyxjg+/OPN0oWCbXIGxy\n"
                              "WvmZbXriOWoSALJTjExEgraHEgnXssuk7QJBALl5ICsYMu6hMxO73gnfNayNgPxd\n"
                              "WFV6Z7ULnKyV7HSVYF0hgYOHjeYe9gaMtiJYoo0zGN+L3AAtNP9huqkWlzECQE1a\n"
                              "licIeVlo1e+qJ6Mgqr0Q7Aa7falZ448ccbSFYEPD6oFxiOl9Y9se9iYHZKKfIcst\n"
                              "o7DUw1/hz2Ck4N5JrgUCQQCyKveNvjzkkd8HjYs0SwM0fPjK16//5qDZ2UiDGnOe\n"
                              "uEzxBDAr518Z8VFbR41in3W4Y3yCDgQlLlcETrS+zYcL\n"
                              "-----END RSA PRIVATE KEY-----\n";
static const char *const header[] = {
	"From: Joe SixPack <joe@football.example.com>",
	"To: Suzie Q <suzie@shopping.example.net>",
	"Subject: Is dinner ready?",
	"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)",
	"Message-ID: <20030712040037.46341.5F8J@football.example.com>",
};
static const char body[] = "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";

/* The signature of the header and of `start`, in base64, is `want`. */
static void
makes(const char *key_text, const char *start, const char *want, const char *name)
{
	uint8_t hash[MR_SHA256_N];
	struct mr_buf text, raw, b64;
	struct mr_pkey *key;

	mr_buf_init(&text, 4096);
	mr_buf_init(&raw, 4096);
	mr_buf_init(&b64, 4096);
	for (size_t i = 0; i < sizeof header / sizeof *header; i++) {
		mr_dkim_canon_field(&text, MR_DKIM_RELAXED, mr_str(header[i]));
		mr_buf_adds(&text, "\r\n");
	}
	mr_dkim_canon_field(&text, MR_DKIM_RELAXED, mr_str(start));
	if (mr_pkey_parse(&key, mr_str(key_text), &err) == MR_OK
	    && mr_sha256(hash, mr_buf_str(&text), &err) == MR_OK
	    && mr_pkey_sign(key, hash, &raw, &err) == MR_OK)
		mr_base64_encode(&b64, mr_buf_str(&raw), &err);
	is(mr_buf_str(&b64), want, name);
	mr_pkey_free(key);
	mr_buf_free(&text);
	mr_buf_free(&raw);
	mr_buf_free(&b64);
}

static void
rfc8463(void)
{
	uint8_t hash[MR_SHA256_N] = { 0 };
	struct mr_dkim_body *b;
	struct mr_buf b64;

	mr_buf_init(&b64, 100);
	if (mr_dkim_body_new(&b, MR_DKIM_RELAXED, MR_DKIM_WHOLE_BODY, &err) == MR_OK
	    && mr_dkim_body_add(b, mr_str(body), &err) == MR_OK)
		mr_dkim_body_end(b, hash, &err);
	mr_dkim_body_free(b);
	mr_base64_encode(&b64, (struct mr_str){ (const char *)hash, sizeof hash }, &err);
	is(mr_buf_str(&b64), "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=", "RFC 8463: bh=");
	mr_buf_free(&b64);
	makes(seed,
	    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
	    " d=football.example.com; i=@football.example.com;\r\n"
	    " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
	    " subject : date : message-id : from : subject : date;\r\n"
	    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
	    " b=",
	    "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus"
	    "Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==",
	    "RFC 8463: b= of ed25519-sha256");
	makes(rsa_pem,
	    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
	    " d=football.example.com; i=@football.example.com;\r\n"
	    " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"
	    " date : message-id : from : subject : date;\r\n"
	    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
	    " b=",
	    "F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3"
	    "DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz"
	    "dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=",
	    "RFC 8463: b= of rsa-sha256");
}

int
main(void)
{
	fields();
	bodies();
	long_bodies();
	rfc8463();
	return done_testing();
}
