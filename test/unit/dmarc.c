/* Whether a message is its author's: alignment, where the policy is, and what an outage means. */
#include "check/dmarc.h"

#include "../open_dns.h"
#include "../tap.h"
#include "base/io.h"

#define ROUNDS 4 /* batches of one check */

static const char world[] = "_dmarc.org.example TXT \"v=DMARC1; p=reject\"\n"
                            "_dmarc.sub.org.example TXT \"v=DMARC1; p=quarantine\"\n"
                            "_dmarc.strict.example TXT \"v=DMARC1; p=reject; adkim=s; aspf=s\"\n"
                            "_dmarc.half.example TXT \"v=DMARC1; p=reject; adkim=s\"\n"
                            "_dmarc.sp.example TXT \"v=DMARC1; p=reject; sp=none\"\n"
                            "_dmarc.np.example TXT \"v=DMARC1; p=none; sp=quarantine; np=reject\"\n"
                            "there.np.example MX 10 mx.example\n"
                            "text.np.example TXT \"no address\"\n"
                            "away.np.example ! servfail A\n"
                            "six.np.example AAAA 2001:db8::1\n"
                            "six.np.example ! servfail MX\n"
                            "_dmarc.two.example TXT \"v=DMARC1; p=reject\"\n"
                            "_dmarc.two.example TXT \"v=DMARC1; p=none\"\n"
                            "_dmarc.a.two.org.example TXT \"v=DMARC1; p=none\"\n"
                            "_dmarc.a.two.org.example TXT \"v=DMARC1; p=quarantine\"\n"
                            "_dmarc.mixed.example TXT \"v=spf1 -all\"\n"
                            "_dmarc.mixed.example TXT \"v=DMARC1; p=reject\"\n"
                            "_dmarc.spf.example TXT \"v=spf1 -all\"\n"
                            "_dmarc.bad.example TXT \"v=DMARC1; p=x\"\n"
                            "_dmarc.rua.example TXT \"v=DMARC1; p=x; rua=mailto:a@b.example\"\n"
                            "_dmarc.away.example ! servfail TXT\n"
                            "_dmarc.slow.org.example ! timeout TXT\n"
                            "_dmarc.alias.example CNAME _dmarc.org.example\n"
                            /* public suffixes */
                            "_dmarc.example.co.uk TXT \"v=DMARC1; p=reject\"\n"
                            "_dmarc.co.uk TXT \"v=DMARC1; p=reject; psd=y\"\n"
                            "_dmarc.b.test.ck TXT \"v=DMARC1; p=reject\"\n"
                            "_dmarc.c.test.ck TXT \"v=DMARC1; p=reject\"\n"
                            "_dmarc.www.ck TXT \"v=DMARC1; p=reject\"\n"
                            "_dmarc.me.github.io TXT \"v=DMARC1; p=reject\"\n"
                            "_dmarc.xn--bcher-kva.xn--p1ai TXT \"v=DMARC1; p=reject\"\n"
                            "_dmarc.b.xn--55qx5d.cn TXT \"v=DMARC1; p=reject\"\n"
                            /* tree walk */
                            "_dmarc.u.walk TXT \"v=DMARC1; p=reject; sp=quarantine\"\n"
                            "_dmarc.mid.u.walk TXT \"v=DMARC1; p=none\"\n"
                            "_dmarc.dept.u.walk TXT \"v=DMARC1; p=quarantine; psd=n\"\n"
                            "_dmarc.psd TXT \"v=DMARC1; p=reject; sp=quarantine; psd=y\"\n"
                            "_dmarc.b.psd TXT \"v=DMARC1; p=none\"\n"
                            "_dmarc.x.c.psd TXT \"v=DMARC1; p=none\"\n"
                            "_dmarc.d7.l5.l4.l3.l2.l1.deep TXT \"v=DMARC1; p=none\"\n"
                            "_dmarc.l8.l7.l6.l5.l4.l3.l2.l1.deep TXT \"v=DMARC1; p=reject\"\n"
                            "_dmarc.l6.l5.l4.l3.l2.l1.deep TXT \"v=DMARC1; p=quarantine\"\n"
                            "_dmarc.top.hid ! servfail TXT\n"
                            "_dmarc.own.top.hid TXT \"v=DMARC1; p=reject\"\n";

/* Signatures as in the record of mr-dkimverify: DOMAIN/SELECTOR/RESULT. */
static size_t
read_signatures(struct mr_dmarc_signature *s, const char *text)
{
	struct mr_str rest = mr_str(text), word;
	size_t n = 0;

	while ((word = mr_str_word(&rest)).n) {
		mr_str_split(&word, '/', &s[n].domain);
		mr_str_split(&word, '/', &s[n].selector);
		s[n++].result = word;
	}
	return n;
}

struct dmarc_case {
	const char *author;
	const char *spf;  /* "result domain"; NULL: not checked */
	const char *dkim; /* NULL: not checked */
	const char *want; /* result, tag=policy@domain, spf, dkim, problem */
};

/* By the Public Suffix List. */
static const struct dmarc_case by_list[] = {
	/* alignment */
	{ "org.example", "pass org.example", "", "pass p=reject@org.example spf" },
	{ "org.example", "pass ORG.example", "", "pass p=reject@org.example spf" },
	{ "org.example", "pass a.org.example", "", "pass p=reject@org.example spf" },
	{ "a.org.example", "pass org.example", "", "pass p=reject@org.example spf" },
	{ "a.org.example", "pass b.org.example", "", "pass p=reject@org.example spf" },
	{ "org.example", "pass other.example", "", "fail p=reject@org.example" },
	{ "org.example", "pass evilorg.example", "", "fail p=reject@org.example" },
	{ "org.example", "pass org.example.evil.example", "", "fail p=reject@org.example" },
	{ "org.example", "pass example", "", "fail p=reject@org.example" },
	{ "org.example", "fail org.example", "", "fail p=reject@org.example" },
	{ "org.example", "softfail org.example", "org.example/s/fail",
	    "fail p=reject@org.example" },
	{ "org.example", "none ", "", "fail p=reject@org.example" },
	{ "org.example", "pass [192.0.2.1]", "", "fail p=reject@org.example" },
	{ "org.example", "fail x.example", "org.example/s/pass", "pass p=reject@org.example dkim" },
	{ "org.example", "fail x.example", "x.example/s/pass a.org.example/t/pass",
	    "pass p=reject@org.example dkim" },
	{ "org.example", "pass org.example", "org.example/s/pass",
	    "pass p=reject@org.example spf dkim" },
	{ "org.example", "pass x.example", "x.example/s/pass org.example/t/fail",
	    "fail p=reject@org.example" },
	{ "strict.example", "pass strict.example", "", "pass p=reject@strict.example spf" },
	{ "strict.example", "pass a.strict.example", "a.strict.example/s/pass",
	    "fail p=reject@strict.example" },
	{ "strict.example", "none ", "Strict.Example/s/pass", "pass p=reject@strict.example dkim" },
	{ "half.example", "pass a.half.example", "a.half.example/s/pass",
	    "pass p=reject@half.example spf" },
	/* where the policy is */
	{ "none.example", "fail x.example", "", "none - no record for none.example" },
	{ "example", "fail x.example", "", "none - no record for example" },
	{ "sub.org.example", "fail x.example", "", "fail p=quarantine@sub.org.example" },
	{ "x.sub.org.example", "fail x.example", "", "fail p=reject@org.example" },
	{ "a.sp.example", "fail x.example", "", "fail sp=none@sp.example" },
	{ "sp.example", "fail x.example", "", "fail p=reject@sp.example" },
	{ "there.np.example", "fail x.example", "", "fail sp=quarantine@np.example" },
	{ "gone.np.example", "fail x.example", "", "fail np=reject@np.example" },
	{ "text.np.example", "fail x.example", "", "fail np=reject@np.example" },
	{ "six.np.example", "fail x.example", "", "fail sp=quarantine@np.example" },
	{ "away.np.example", "fail x.example", "", "fail sp=quarantine@np.example" },
	{ "two.example", "fail x.example", "", "none - several records: two.example" },
	{ "a.two.org.example", "fail x.example", "", "none - several records: a.two.org.example" },
	{ "mixed.example", "fail x.example", "", "fail p=reject@mixed.example" },
	{ "spf.example", "fail x.example", "", "none - no record for spf.example" },
	{ "bad.example", "fail x.example", "", "none - a record without policy: bad.example" },
	{ "rua.example", "fail x.example", "", "fail p=none@rua.example" },
	{ "alias.example", "fail x.example", "", "fail p=reject@alias.example" },
	/* an outage */
	{ "away.example", "fail x.example", "",
	    "temperror - no answer for the record of away.example" },
	{ "slow.org.example", "pass slow.org.example", "",
	    "temperror - no answer for the record of slow.org.example" },
	{ "org.example", "temperror org.example", "",
	    "temperror p=reject@org.example not known now: SPF of org.example" },
	{ "org.example", "fail x.example", "a.org.example/s/temperror",
	    "temperror p=reject@org.example not known now: DKIM of a.org.example" },
	{ "org.example", "temperror x.example", "x.example/s/temperror",
	    "fail p=reject@org.example" },
	{ "org.example", "temperror org.example", "org.example/s/pass",
	    "pass p=reject@org.example dkim" },
	/* what did not run is no failure */
	{ "org.example", NULL, NULL,
	    "temperror p=reject@org.example neither SPF nor DKIM was checked" },
	{ "org.example", NULL, "", "temperror p=reject@org.example SPF was not checked" },
	{ "org.example", "fail x.example", NULL,
	    "temperror p=reject@org.example DKIM was not checked" },
	{ "org.example", "pass org.example", NULL, "pass p=reject@org.example spf" },
	{ "org.example", NULL, "org.example/s/pass", "pass p=reject@org.example dkim" },
	{ "none.example", NULL, NULL, "none - no record for none.example" },
	/* public suffixes: one is no organisation's, and what is below it are strangers */
	{ "example.co.uk", "pass other.co.uk", "", "fail p=reject@example.co.uk" },
	{ "a.example.co.uk", "pass b.example.co.uk", "", "pass p=reject@example.co.uk spf" },
	{ "example.co.uk", "pass co.uk", "co.uk/s/pass", "fail p=reject@example.co.uk" },
	{ "co.uk", "pass example.co.uk", "", "fail p=reject@co.uk" },
	{ "co.uk", "pass co.uk", "", "pass p=reject@co.uk spf" },
	{ "none.co.uk", "pass none.co.uk", "", "none - no record for none.co.uk" },
	{ "b.test.ck", "pass c.test.ck", "", "fail p=reject@b.test.ck" },
	{ "b.test.ck", "pass a.b.test.ck", "", "pass p=reject@b.test.ck spf" },
	{ "b.test.ck", "pass test.ck", "", "fail p=reject@b.test.ck" },
	{ "a.www.ck", "pass b.www.ck", "", "pass p=reject@www.ck spf" },
	{ "me.github.io", "pass you.github.io", "", "fail p=reject@me.github.io" },
	{ "xn--bcher-kva.xn--p1ai", "pass xn--mller-kva.xn--p1ai", "",
	    "fail p=reject@xn--bcher-kva.xn--p1ai" },
	{ "a.xn--bcher-kva.xn--p1ai", "pass b.xn--bcher-kva.xn--p1ai", "",
	    "pass p=reject@xn--bcher-kva.xn--p1ai spf" },
	{ "b.xn--55qx5d.cn", "pass c.xn--55qx5d.cn", "", "fail p=reject@b.xn--55qx5d.cn" },
	{ "b.xn--55qx5d.cn", "pass a.b.xn--55qx5d.cn", "", "pass p=reject@b.xn--55qx5d.cn spf" },
};

/* By the tree walk. */
static const struct dmarc_case by_walk[] = {
	{ "u.walk", "pass u.walk", "", "pass p=reject@u.walk spf" },
	{ "a.b.u.walk", "pass c.u.walk", "", "pass sp=quarantine@u.walk spf" },
	{ "a.b.u.walk", "pass x.walk", "", "fail sp=quarantine@u.walk" },
	{ "a.b.u.walk", "pass evilu.walk", "", "fail sp=quarantine@u.walk" },
	/* only the author's record and that of the organisational domain count */
	{ "mid.u.walk", "pass u.walk", "", "pass p=none@mid.u.walk spf" },
	{ "a.mid.u.walk", "pass u.walk", "", "pass sp=quarantine@u.walk spf" },
	/* psd=n ends the walk */
	{ "dept.u.walk", "pass u.walk", "", "fail p=quarantine@dept.u.walk" },
	{ "a.dept.u.walk", "pass b.dept.u.walk", "", "pass p=quarantine@dept.u.walk spf" },
	{ "u.walk", "pass a.dept.u.walk", "a.dept.u.walk/s/pass", "fail p=reject@u.walk" },
	/* psd=y: the organisational domain is one label below */
	{ "a.b.psd", "pass b.psd", "", "pass p=none@b.psd spf" },
	{ "b.psd", "pass c.psd", "", "fail p=none@b.psd" },
	{ "b.psd", "pass psd", "", "fail p=none@b.psd" },
	{ "a.d.psd", "pass e.d.psd", "", "pass sp=quarantine@psd spf" },
	{ "a.d.psd", "pass b.psd", "", "fail sp=quarantine@psd" },
	{ "y.c.psd", "pass x.c.psd", "", "pass sp=quarantine@psd spf" },
	{ "a.x.c.psd", "pass c.psd", "", "pass sp=quarantine@psd spf" },
	{ "psd", "pass psd", "", "pass p=reject@psd spf" },
	{ "psd", "pass b.psd", "", "fail p=reject@psd" },
	/* 8 names: the author's, then those of 7 labels and less */
	{ "l8.l7.l6.l5.l4.l3.l2.l1.deep", "fail x.example", "",
	    "fail p=reject@l8.l7.l6.l5.l4.l3.l2.l1.deep" },
	{ "l9.l8.l7.l6.l5.l4.l3.l2.l1.deep", "fail x.example", "",
	    "fail p=quarantine@l6.l5.l4.l3.l2.l1.deep" },
	/* multiple records are none, and the walk goes on */
	{ "a.two.org.example", "fail x.example", "", "fail p=reject@org.example" },
	{ "none.example", "pass none.example", "", "none - no record for none.example" },
	/* an outage on the way */
	{ "a.top.hid", "pass a.top.hid", "", "temperror - no answer for the record of a.top.hid" },
	{ "own.top.hid", "pass own.top.hid", "", "pass p=reject@own.top.hid spf" },
	{ "own.top.hid", "pass top.hid", "",
	    "temperror p=reject@own.top.hid not known now: alignment of top.hid" },
	{ "own.top.hid", "fail top.hid", "", "fail p=reject@own.top.hid" },
	{ "org.example", "pass slow.org.example", "",
	    "temperror p=reject@org.example not known now: alignment of slow.org.example" },
	{ "co.uk", "pass example.co.uk", "", "fail p=reject@co.uk" },
	{ "example.co.uk", "pass other.co.uk", "", "fail p=reject@example.co.uk" },
};

static struct mr_str
told(const struct mr_dmarc *d, struct mr_arena *arena)
{
	struct mr_str place = MR_STR("-");

	if (d->policy_domain.p)
		place = mr_arena_fmt(arena, "%s=%s@%.*s", d->policy_tag,
		    mr_dmarc_policy_word(d->policy), (int)d->policy_domain.n, d->policy_domain.p);
	return mr_arena_fmt(arena, "%s %.*s%s%s%s%.*s", mr_dmarc_result_word(d->result),
	    (int)place.n, place.p, d->is_spf_aligned ? " spf" : "",
	    d->is_dkim_aligned ? " dkim" : "", d->problem.p ? " " : "", (int)d->problem.n,
	    d->problem.p ? d->problem.p : "");
}

static void
test_case(const struct dmarc_case *c, const struct mr_orgdomain *list, struct mr_dns *dns)
{
	struct mr_dmarc_signature signature[8];
	struct mr_str spf = mr_str(c->spf);
	struct mr_dmarc_query q = { .author = mr_str(c->author),
		.has_dkim = c->dkim,
		.signature = signature,
		.signature_n = read_signatures(signature, c->dkim),
		.list = list };
	struct mr_dmarc d;
	struct mr_arena arena;
	enum mr_status st;
	unsigned rounds = 0;

	mr_arena_init(&arena, 1 << 20);
	mr_dns_forget(dns);
	if (spf.p) {
		q.spf_result = mr_str_word(&spf);
		q.spf_domain = mr_str_trim(spf);
	}
	while (
	    (st = mr_dmarc_check(&d, &q, dns, &arena, NULL)) == MR_NOTFOUND && rounds++ < ROUNDS) {
		ok(mr_dns_waiting(dns) > 0 && mr_dns_waiting(dns) <= 2 * MR_DMARC_WALK_MAX,
		    "%s: some questions", c->author);
		mr_dns_run(dns, MR_NO_DEADLINE);
	}
	if (ok(st == MR_OK && rounds <= (list ? 2 : 3), "%s: %u rounds", c->author, rounds))
		is(told(&d, &arena), c->want, c->author);
	mr_arena_free(&arena);
}

static void
test_questions(struct mr_dns *dns, const struct mr_orgdomain *list)
{
	struct mr_dmarc_signature many[MR_DMARC_SIGNATURE_MAX + 1];
	struct mr_dmarc_query q = { .author = MR_STR("a.b.c.d.e.f.g.h.i.j.mail.walk"),
		.spf_result = MR_STR("fail"),
		.has_dkim = true,
		.signature = many,
		.signature_n = MR_DMARC_SIGNATURE_MAX };
	struct mr_arena arena;
	struct mr_dmarc d;

	mr_arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < sizeof many / sizeof *many; i++)
		many[i] =
		    (struct mr_dmarc_signature){ MR_STR("x.example"), MR_STR("s"), MR_STR("pass") };
	many[MR_DMARC_SIGNATURE_MAX - 1].domain = MR_STR("org.example");
	mr_dns_forget(dns);
	ok(mr_dmarc_check(&d, &q, dns, &arena, NULL) == MR_NOTFOUND && mr_dns_waiting(dns) == 8,
	    "a walk is 8 questions at once");
	mr_dns_run(dns, MR_NO_DEADLINE);
	ok(mr_dns_peek(dns, MR_STR("_dmarc.a.b.c.d.e.f.g.h.i.j.mail.walk"), MR_DNS_TXT)
	        && mr_dns_peek(dns, MR_STR("_dmarc.e.f.g.h.i.j.mail.walk"), MR_DNS_TXT) == NULL
	        && mr_dns_peek(dns, MR_STR("_dmarc.f.g.h.i.j.mail.walk"), MR_DNS_TXT)
	        && mr_dns_peek(dns, MR_STR("_dmarc.walk"), MR_DNS_TXT),
	    "the author's name, then seven labels and less");
	q.author = MR_STR("org.example");
	q.list = list;
	ok(mr_dmarc_check(&d, &q, dns, &arena, NULL) == MR_NOTFOUND && mr_dns_waiting(dns) == 1,
	    "one question by the list");
	mr_dns_run(dns, MR_NO_DEADLINE);
	ok(mr_dmarc_check(&d, &q, dns, &arena, NULL) == MR_OK && d.result == MR_DMARC_RESULT_PASS,
	    "%u signatures are looked at", MR_DMARC_SIGNATURE_MAX);
	many[MR_DMARC_SIGNATURE_MAX] = many[MR_DMARC_SIGNATURE_MAX - 1];
	many[MR_DMARC_SIGNATURE_MAX - 1] = many[0];
	q.signature_n++;
	ok(mr_dmarc_check(&d, &q, dns, &arena, NULL) == MR_OK && d.result == MR_DMARC_RESULT_FAIL,
	    "and no more");
	mr_arena_free(&arena);
}

int
main(void)
{
	struct mr_orgdomain *list;
	struct mr_err err = { "" };
	struct mr_dns *dns = open_dns(world, 0, &err);

	if (!ok(dns && mr_orgdomain_open(&list, &err) == MR_OK, "a resolver and a list: %s",
	        err.text))
		return 1;
	for (size_t i = 0; i < sizeof by_list / sizeof *by_list; i++)
		test_case(&by_list[i], list, dns);
	for (size_t i = 0; i < sizeof by_walk / sizeof *by_walk; i++)
		test_case(&by_walk[i], NULL, dns);
	test_questions(dns, list);
	mr_orgdomain_close(list);
	mr_dns_close(dns);
	return done_testing();
}
