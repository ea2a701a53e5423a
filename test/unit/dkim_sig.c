/* dkim_sig.c - lib/check/dkim_sig: what a DKIM-Signature field says. */
#include "check/dkim_sig.h"

#include "../tap.h"

#define NOW 1800000000
#define BH  "bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="

static void
whole(void)
{
	struct mr_dkim_sig sig;
	struct mr_arena arena;
	struct mr_str name;
	struct mr_err err;

	mr_arena_init(&arena, 1u << 20);
	ok(mr_dkim_sig_parse(&sig,
	       MR_STR(" v=1; a=rsa-sha256; d=Example.ORG; s=Sel.x;\r\n\tc=relaxed/simple; h=From : "
	              "To\r\n"
	              "\t :x; " BH "; b=AA\r\n AA; l=12; i=a@sub.example.org"),
	       NOW, &arena, &err)
	        == MR_OK,
	    "it is read");
	ok(sig.word == MR_DKIM_PASS && !sig.why.p, "nothing is wrong");
	is(sig.domain, "example.org", "domain");
	is(sig.selector, "sel.x", "selector");
	is(sig.owner, "sel.x._domainkey.example.org", "name of the key");
	is(sig.written_domain, "Example.ORG", "domain as written");
	is(sig.written_selector, "Sel.x", "selector as written");
	is(sig.algorithm, "rsa-sha256", "algorithm");
	is(sig.b, "AAAA", "b= without white space");
	ok(sig.kind == MR_PKEY_RSA && sig.header == MR_DKIM_RELAXED && sig.body == MR_DKIM_SIMPLE,
	    "kind, forms");
	ok(sig.length == 12 && sig.is_identity_below, "length, identity");
	ok(mr_dkim_sig_next_name(&sig.h, &name), "a first name");
	is(name, "From", "From");
	ok(mr_dkim_sig_next_name(&sig.h, &name) && mr_str_is(name, "To"), "a second");
	ok(mr_dkim_sig_next_name(&sig.h, &name) && mr_str_is(name, "x"), "a third");
	ok(!mr_dkim_sig_next_name(&sig.h, &name), "no more");
	mr_arena_free(&arena);
}

static void
faults(void)
{
	static const struct {
		const char *tags;
		enum mr_dkim_word word;
	} t[] = {
		{ "", MR_DKIM_PASS },
		{ "; x=1799999701", MR_DKIM_PASS },
		{ "; x=1799999700", MR_DKIM_FAIL },
		{ "; t=1800000300", MR_DKIM_PASS },
		{ "; t=1800000301", MR_DKIM_FAIL },
		{ "; t=1800000000; x=1800000000", MR_DKIM_NEUTRAL },
		{ "; t=1000000000000000", MR_DKIM_NEUTRAL },
		{ "; l=999999999999999", MR_DKIM_PASS },
		{ "; l=1000000000000000", MR_DKIM_NEUTRAL },
		{ "; i=@example.org", MR_DKIM_PASS },
		{ "; i=@B.Example.Org", MR_DKIM_PASS },
		{ "; i=@bexample.org", MR_DKIM_NEUTRAL },
		{ "; i=a", MR_DKIM_NEUTRAL },
		{ "; i=", MR_DKIM_NEUTRAL },
		{ "; q=dns/txt", MR_DKIM_PASS },
		{ "; q=", MR_DKIM_NEUTRAL },
		{ "; d=example.org", MR_DKIM_NEUTRAL },
		{ "; n=\xc3\xa9", MR_DKIM_NEUTRAL },
	};
	struct mr_arena arena;
	struct mr_err err;

	mr_arena_init(&arena, 1u << 20);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct mr_str s = mr_arena_fmt(&arena,
		    "v=1; a=ed25519-sha256; d=example.org; s=s; h=from; " BH "; b=AAAA%s",
		    t[i].tags);
		struct mr_dkim_sig sig;

		if (!ok(mr_dkim_sig_parse(&sig, s, NOW, &arena, &err) == MR_OK, "'%s' is read",
		        t[i].tags))
			continue;
		ok(sig.word == t[i].word && (sig.why.n > 0) == (sig.word != MR_DKIM_PASS),
		    "%s %.*s", mr_dkim_word(sig.word), (int)sig.why.n, sig.why.n ? sig.why.p : "");
	}
	mr_arena_free(&arena);
}

/* Names that are no names do not come out. */
static void
names(void)
{
	static const char *const bad[] = { "d=a b; s=s", "d=a/b; s=s", "d=example.org; s=a/b",
		"d=; s=s", "d=example.org; s=", "d=example.org", "s=s", "d=[192.0.2.1]; s=s",
		"d=a..b; s=s", "d=example.org; s=-", "d=\xff; s=s", "d=a\001b; s=s" };
	struct mr_dkim_sig sig;
	struct mr_arena arena;
	struct mr_err err;

	mr_arena_init(&arena, 1u << 20);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ok(mr_dkim_sig_parse(&sig, mr_str(bad[i]), NOW, &arena, &err) == MR_OK
		        && !sig.domain.p && !sig.selector.p && !sig.owner.p
		        && sig.word == MR_DKIM_NEUTRAL,
		    "no name: %s", bad[i]);
	ok(mr_dkim_sig_parse(&sig,
	       MR_STR("v=1; d=b\xc3\xbc"
	              "cher.example; s=\xc3\xa9"),
	       NOW, &arena, &err)
	        == MR_OK,
	    "U-labels");
	is(sig.owner, "xn--9ca._domainkey.xn--bcher-kva.example",
	    "are A-labels in the name of the key");
	is(sig.domain, "xn--bcher-kva.example", "and in the domain");
	mr_arena_free(&arena);
	mr_arena_init(&arena, 64);
	ok(mr_dkim_sig_parse(&sig, MR_STR("v=1; d=example.org; s=s"), NOW, &arena, &err) == MR_TEMP,
	    "no memory");
	mr_arena_free(&arena);
}

int
main(void)
{
	whole();
	faults();
	names();
	return done_testing();
}
