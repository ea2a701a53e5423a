/* dkim_publish.c - lib/check/dkim_publish: what is to be published, and whether it is.  Every odd kind of
 * record: test/e2e/dkimsign.t. */
#include "check/dkim_publish.h"

#include "../open_dns.h"
#include "../tap.h"
#include "base/io.h"

static struct mr_err err;

static void
strings(void)
{
	char text[600];
	struct mr_buf b;

	memset(text, 'x', sizeof text);
	mr_buf_init(&b, 4096);
	mr_dkim_publish_strings(&b, MR_STR("a"));
	is(mr_buf_str(&b), "\"a\"", "one string");
	for (size_t n = 254; n <= 256; n++) {
		mr_buf_clear(&b);
		mr_dkim_publish_strings(&b, (struct mr_str){ text, n });
		ok(b.n == n + (n > 255 ? 5 : 2), "%zu octets", n);
	}
	mr_buf_clear(&b);
	mr_dkim_publish_strings(&b, (struct mr_str){ text, 510 });
	ok(b.n == 510 + 5 && b.p[256] == '"' && b.p[257] == ' ' && b.p[258] == '"', "510 octets");
	mr_buf_free(&b);
}

/* What was written is read, and fits; the DNS decides between "no" and "not now". */
static void
there_and_back(enum mr_pkey_kind kind)
{
	static const struct mr_str owner = { "s._domainkey.a.example", 22 };
	struct mr_buf text, zone, told;
	struct mr_dkim_record record;
	struct mr_pkey *key, *other;
	struct mr_arena arena;
	struct mr_dns *dns;

	mr_arena_init(&arena, 1 << 20);
	mr_buf_init(&text, MR_DKIM_PUBLISH_MAX);
	mr_buf_init(&zone, MR_DKIM_PUBLISH_MAX);
	mr_buf_init(&told, MR_DKIM_PUBLISH_MAX);
	if (mr_pkey_generate(&key, kind, 2048, &err) || mr_pkey_generate(&other, kind, 2048, &err))
		return;
	ok(mr_dkim_publish_text(&text, key, &err) == MR_OK
	        && mr_dkim_record_parse(&record, mr_buf_str(&text), &arena, &err) == MR_OK
	        && record.faults == 0 && record.kind == kind,
	    "%s: a record without fault", mr_pkey_kind_word(kind));
	ok(mr_dkim_publish_zone(&zone, owner, key, &err) == MR_OK, "a line of a zone");
	mr_buf_adds(&zone, "t._domainkey.a.example ! servfail\n");
	mr_buf_addc(&zone, '\0');
	dns = open_dns(zone.p, 0, &err);
	ok(mr_dkim_publish_check(&told, owner, key, dns, MR_NO_DEADLINE, &err) == MR_OK,
	    "which fits");
	is(mr_buf_str(&told), "s._domainkey.a.example: fits the private key\n", "as it tells");
	mr_buf_clear(&told);
	ok(mr_dkim_publish_check(&told, owner, other, dns, MR_NO_DEADLINE, &err) == MR_PERM,
	    "another key does not");
	mr_buf_clear(&told);
	ok(mr_dkim_publish_check(
	       &told, MR_STR("u._domainkey.a.example"), key, dns, MR_NO_DEADLINE, &err)
	        == MR_PERM,
	    "nor what is not there");
	mr_buf_clear(&told);
	ok(mr_dkim_publish_check(&told, MR_STR("t._domainkey.a.example"), key, dns, MR_NO_DEADLINE,
	       &err) == MR_TEMP
	        && told.n == 0,
	    "an outage tells nothing: %s", err.text);
	mr_dns_close(dns);
	mr_pkey_free(key);
	mr_pkey_free(other);
	mr_buf_free(&text);
	mr_buf_free(&zone);
	mr_buf_free(&told);
	mr_arena_free(&arena);
}

int
main(void)
{
	strings();
	there_and_back(MR_PKEY_RSA);
	there_and_back(MR_PKEY_ED25519);
	return done_testing();
}
