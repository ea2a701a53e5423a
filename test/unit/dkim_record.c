/* dkim_record.c - lib/check/dkim_record: each thing that can be wrong with a published key. */
#include "check/dkim_record.h"

#include "../tap.h"

#include <stdlib.h>

#define ED "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

static struct mr_arena arena;
static struct mr_err err;

/* p= of a new RSA key. */
static struct mr_str
rsa_p(unsigned bits)
{
	struct mr_pkey *key;
	struct mr_buf der, p;
	struct mr_str s = { NULL, 0 };

	mr_buf_init(&der, 4096);
	mr_buf_init(&p, 4096);
	if (mr_pkey_generate(&key, MR_PKEY_RSA, bits, &err) == MR_OK
	    && mr_pkey_public(key, &der, &err) == MR_OK
	    && mr_base64_encode(&p, mr_buf_str(&der), &err) == MR_OK)
		s = mr_arena_dup(&arena, mr_buf_str(&p));
	mr_pkey_free(key);
	mr_buf_free(&der);
	mr_buf_free(&p);
	return s;
}

/* '@' is p= of a key of 1024 bits, '%' of one of 2048, "<40" the first 40 bytes of that. */
static void
expand(struct mr_buf *b, const char *format, struct mr_str p1024, struct mr_str p2048)
{
	for (char *end; *format; format++) {
		if (*format == '@')
			mr_buf_add(b, p1024);
		else if (*format == '%')
			mr_buf_add(b, p2048);
		else if (*format == '<') {
			mr_buf_add(b, (struct mr_str){ p2048.p, strtoul(format + 1, &end, 10) });
			format = end - 1;
		} else
			mr_buf_addc(b, *format);
	}
}

static void
records(void)
{
	struct mr_str p1024 = rsa_p(1024), p2048 = rsa_p(2048);
	const struct {
		const char *format; /* as of expand */
		uint32_t faults;
	} v[] = {
#define F(fault) (1u << MR_DKIM_##fault)
		{ "v=DKIM1; k=rsa; p=%", 0 },
		{ "v=DKIM1; p=%; unknown=x", 0 },
		{ "p=%", F(NO_V) },
		{ "v=DKIM1; k=ed25519; p=" ED, 0 },
		{ "v=DKIM1; k=rsa; p=@", F(RSA_WEAK) },
		{ "v=DKIM1; k=rsa; h=sha1 : sha256; s=tlsrpt:email; n=\"a\\b\"; p=%", 0 },
		{ "v=DKIM1; s=*; p=%", 0 },
		{ "v=DKIM1; t=y; p=%", F(TESTING) },
		{ "v=DKIM1; t=s; p=%", F(STRICT) },
		{ "v=DKIM1; t=s:y:z; p=%", F(STRICT) | F(TESTING) },
		{ "v=DKIM1; h=sha1; p=%", F(NO_SHA256) },
		{ "v=DKIM1; s=tlsrpt; p=%", F(NOT_EMAIL) },
		{ "v=DKIM1; p=", F(REVOKED) },
		{ "v=DKIM1; k=rsa", F(NO_P) },
		{ "v=DKIM1; k=ec; p=%", F(KIND) },
		{ "v=DKIM2; p=%", F(VERSION) },
		{ "v=dkim1; p=%", F(VERSION) },
		{ "p=%; v=DKIM1", F(V_LATE) },
		{ "v=DKIM1; k=rsa; p=<255", F(BASE64) },
		{ "v=DKIM1; k=rsa; p=<252", F(KEY) },
		{ "v=DKIM1; k=rsa; p=%=", F(BASE64) },
		{ "v=DKIM1; k=rsa; p=" ED, F(KEY) },
		{ "v=DKIM1; k=ed25519; p=%", F(ED25519_LEN) },
		{ "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHUQ==",
		    F(ED25519_LEN) },
		{ "v=DKIM1; k=rsa; p=<40\" \"@", F(QUOTES) | F(BASE64) },
		{ "\"v=DKIM1; k=rsa; p=%\"", F(SYNTAX) | F(QUOTES) },
		{ "v=DKIM1\\; k=rsa\\; p=%", F(QUOTES) | F(VERSION) | F(KIND) },
		{ "v=DKIM1; k=rsa; p=<9 %", F(BASE64) },
		{ "v=DKIM1; p=%; p=%", F(SYNTAX) },
		{ "", F(SYNTAX) },
		{ "v=spf1 -all", F(VERSION) | F(NO_P) },
		{ "v=DKIM1; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMrFHMvfPy0Am8+Zx8yCxfkn21+BX+Fa"
		  "EyrPgH4wqOxQqsLy7pxd9uzetmIcITmw2ko4ZdsJAfTUMLhm2Pc8NM8CAwEAAQ==",
		    F(RSA_SHORT) },
#undef F
	};

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct mr_dkim_record r;
		struct mr_buf text;

		mr_buf_init(&text, 4096);
		expand(&text, v[i].format, p1024, p2048);
		ok(mr_dkim_record_parse(&r, mr_buf_str(&text), &arena, &err) == MR_OK
		        && r.faults == v[i].faults,
		    "%s", v[i].format);
		if (r.faults != v[i].faults)
			printf("# faults %#x, not %#x\n", r.faults, v[i].faults);
		mr_buf_free(&text);
	}
}

static void
details(void)
{
	struct mr_dkim_record r;
	struct mr_str p = rsa_p(2048), shortest = rsa_p(1024), text;
	struct mr_buf b;

	text =
	    mr_arena_fmt(&arena, "v=DKIM1;k=rsa;h=sha256;n=hi;p=%.*s \r\n %s", 20, p.p, p.p + 20);
	ok(mr_dkim_record_parse(&r, text, &arena, &err) == MR_OK && r.faults == 0 && r.bits == 2048,
	    "white space in p= does not count");
	ok(r.kind == MR_PKEY_RSA && mr_str_is(r.kind_word, "rsa") && mr_str_is(r.hash, "sha256")
	        && mr_str_is(r.notes, "hi") && !r.flags.p,
	    "the other tags");
	mr_dkim_record_parse(&r, MR_STR("v=DKIM1; k=ed25519; p=" ED), &arena, &err);
	ok(r.kind == MR_PKEY_ED25519 && r.key.n == 32, "an ed25519 key");
	ok(mr_dkim_record_worst(&r) == MR_DKIM_FAULTS, "nothing is wrong with it");
	mr_dkim_record_parse(&r, MR_STR("v=DKIM1; k=ed25519; t=y; p="), &arena, &err);
	ok(mr_dkim_record_worst(&r) == MR_DKIM_REVOKED && mr_dkim_record_has(&r, MR_DKIM_TESTING),
	    "the worst first");
	is(mr_str(mr_dkim_fault_text(MR_DKIM_REVOKED)), "the key is revoked (p= is empty)",
	    "words");
	ok(mr_dkim_record_is_like(MR_STR("k=rsa; p=")) && mr_dkim_record_is_like(MR_STR("v=DKIM1"))
	        && !mr_dkim_record_is_like(MR_STR("v=spf1 -all")),
	    "what is like a key record");
	mr_buf_init(&b, 2 * MR_DKIM_RECORD_MAX);
	mr_buf_addf(&b, "v=DKIM1; p=%s; n=", shortest.p);
	while (b.n < MR_DKIM_RECORD_MAX)
		mr_buf_addc(&b, 'x');
	ok(mr_dkim_record_parse(&r, mr_buf_str(&b), &arena, &err) == MR_OK
	        && r.faults == 1u << MR_DKIM_RSA_WEAK,
	    "a record as long as may be");
	mr_buf_addc(&b, 'x');
	ok(mr_dkim_record_parse(&r, mr_buf_str(&b), &arena, &err) == MR_OK
	        && r.faults == 1u << MR_DKIM_SYNTAX,
	    "one octet more");
	is(r.syntax, "over 16384 bytes", "and why");
	mr_buf_free(&b);
}

static void
owners(void)
{
	static const struct {
		const char *selector, *domain, *want; /* want NULL: none */
	} v[] = {
		{ "sel", "example.org", "sel._domainkey.example.org" },
		{ "Sel.2026", "Example.ORG", "sel.2026._domainkey.example.org" },
		{ "s_1", "example.org", "s_1._domainkey.example.org" },
		{ "s",
		    "b\xc3\xbc"
		    "cher.example",
		    "s._domainkey.xn--bcher-kva.example" },
		{ "", "example.org", NULL },
		{ "s", "", NULL },
		{ "s;x", "example.org", NULL },
		{ "s/x", "example.org", NULL },
		{ "s x", "example.org", NULL },
		{ "s.", "example.org", NULL },
		{ ".s", "example.org", NULL },
		{ "s", "example.org.", NULL },
		{ "s", "example..org", NULL },
		{ "s", "[192.0.2.1]", NULL },
		{ "s\xff", "example.org", NULL },
		{ "0123456789012345678901234567890123456789012345678901234567890123", "example.org",
		    NULL },
	};
	struct mr_str owner, longest;
	char domain[256];

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		enum mr_status st =
		    mr_dkim_owner(&owner, &arena, mr_str(v[i].selector), mr_str(v[i].domain), &err);

		if (v[i].want)
			is(owner, v[i].want, v[i].want);
		else
			ok(st == MR_PERM, "none: '%s' '%s'", v[i].selector, v[i].domain);
	}
	for (size_t i = 0; i < sizeof domain; i++)
		domain[i] = i % 2 ? '.' : 'a';
	longest = (struct mr_str){ domain, MR_DKIM_OWNER_MAX - sizeof "s._domainkey." + 1 };
	longest.n -= longest.n % 2 == 0;
	ok(mr_dkim_owner(&owner, &arena, MR_STR("s"), longest, &err) == MR_OK
	        && owner.n <= MR_DKIM_OWNER_MAX,
	    "the longest name");
	longest.n += 2;
	ok(mr_dkim_owner(&owner, &arena, MR_STR("s"), longest, &err) == MR_PERM, "a longer one");
}

int
main(void)
{
	mr_arena_init(&arena, 1 << 20);
	records();
	details();
	owners();
	mr_arena_free(&arena);
	return done_testing();
}
