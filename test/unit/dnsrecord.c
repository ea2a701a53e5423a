/* One record by itself. */
#include "check/dnsrecord.h"

#include "base/buf.h"
#include "base/clock.h"

#include "../open_dns.h"
#include "../tap.h"

static const char zone[] =
    "a.example A 192.0.2.1\na.example AAAA 2001:db8::1\nhalf.example A 192.0.2.2\n"
    "half.example ! servfail AAAA\ndown.example ! timeout\n_dmarc.down.example ! refused\n"
    "lost.example ! servfail AAAA\nlost.example TXT x\n"
    "m.example MX 20 b.example\nm.example MX 10 c.example\nm.example MX 10 a.example\n"
    "n.example MX 0 .\n"
    "1.2.0.192.in-addr.arpa PTR a.example\n9.2.0.192.in-addr.arpa PTR a.example\n"
    "8.2.0.192.in-addr.arpa ! servfail\n"
    "s.example TXT \"v=spf1 -all\"\ns.example TXT other\nt.example TXT \"v=spf1 x\"\n"
    "k._domainkey.d.example TXT \"v=DKIM1; p=\"\n"
    "_dmarc.d.example TXT \"v=DMARC1; p=none\"\n_dmarc.e.example TXT \"v=DMARC1\"\n";

static const struct {
	const char *kind, *name;
	enum mr_dnsrecord_state state;
	const char *lines; /* ';' between */
	const char *why;   /* begins so */
} cases[] = {
	{ "a", "a.example", MR_RECORD_GOOD, "192.0.2.1;2001:db8::1;", "" },
	{ "a", "half.example", MR_RECORD_GOOD, "192.0.2.2;", "" },
	{ "a", "lost.example", MR_RECORD_UNKNOWN, "", "no usable answer" },
	{ "a", "none.example", MR_RECORD_BAD, "", "no address" },
	{ "a", "down.example", MR_RECORD_UNKNOWN, "",
	    "no usable answer for down.example: timeout" },
	{ "mx", "m.example", MR_RECORD_GOOD, "10 c.example;10 a.example;20 b.example;", "" },
	{ "mx", "n.example", MR_RECORD_GOOD, "0 .;", "" },
	{ "mx", "a.example", MR_RECORD_BAD, "", "no MX record" },
	{ "ptr", "192.0.2.1", MR_RECORD_GOOD, "a.example;", "" },
	{ "ptr", "192.0.2.9", MR_RECORD_BAD, "", "a.example does not lead back" },
	{ "ptr", "192.0.2.7", MR_RECORD_BAD, "", "192.0.2.7 has no PTR" },
	{ "ptr", "192.0.2.8", MR_RECORD_UNKNOWN, "", "no usable answer" },
	{ "spf", "s.example", MR_RECORD_GOOD, "v=spf1 -all;", "" },
	{ "spf", "t.example", MR_RECORD_BAD, "v=spf1 x;", "wrong term" },
	{ "spf", "a.example", MR_RECORD_BAD, "", "no SPF record" },
	{ "spf", "down.example", MR_RECORD_UNKNOWN, "", "no usable answer" },
	{ "dkim", "k._domainkey.d.example", MR_RECORD_BAD, "v=DKIM1; p=;", "the key is revoked" },
	{ "dkim", "l._domainkey.d.example", MR_RECORD_BAD, "", "no DKIM key" },
	{ "dmarc", "x.d.example", MR_RECORD_GOOD, "v=DMARC1; p=none;", "" },
	{ "dmarc", "e.example", MR_RECORD_BAD, "v=DMARC1;", "" },
	{ "dmarc", "a.example", MR_RECORD_BAD, "", "no DMARC record" },
	{ "dmarc", "down.example", MR_RECORD_UNKNOWN, "", "no usable answer" },
};

int
main(void)
{
	enum mr_dnsrecord_kind kind;
	struct mr_orgdomain *org;
	struct mr_err err = { "" };
	struct mr_dns *dns = open_dns(zone, 0, &err);
	struct mr_dnsrecord r;
	struct mr_arena arena;

	ok(dns && mr_orgdomain_open(&org, &err) == MR_OK, "a world %s", err.text);
	mr_arena_init(&arena, 1 << 20);
	for (size_t i = 0; dns && i < sizeof cases / sizeof *cases; i++) {
		struct mr_buf lines;
		enum mr_status st;

		ok(mr_dnsrecord_kind(&kind, cases[i].kind), "kind %s", cases[i].kind);
		while ((st = mr_dnsrecord_look_up(
		            &r, kind, mr_str(cases[i].name), org, dns, &arena, &err))
		    == MR_NOTFOUND)
			mr_dns_run(dns, mr_clock_mono_ms() + 1000);
		ok(st == MR_OK && r.state == cases[i].state, "%s %s: state %d", cases[i].kind,
		    cases[i].name, (int)r.state);
		mr_buf_init(&lines, 1000);
		for (size_t k = 0; k < r.n; k++) {
			mr_buf_add(&lines, r.line[k]);
			mr_buf_addc(&lines, ';');
		}
		is(lines.n ? mr_buf_str(&lines) : MR_STR(""), cases[i].lines, "its lines");
		ok(r.why.p ? mr_str_starts(r.why, cases[i].why) : r.state == MR_RECORD_GOOD,
		    "why: %.*s", (int)r.why.n, r.why.p ? r.why.p : "");
		mr_buf_free(&lines);
	}
	ok(!mr_dnsrecord_kind(&kind, "txt"), "no other kind");
	ok(mr_dnsrecord_look_up(&r, MR_RECORD_PTR, MR_STR("a.example"), org, dns, &arena, &err)
	        == MR_USAGE,
	    "a name is no address: %s", err.text);
	mr_arena_free(&arena);
	mr_orgdomain_close(org);
	mr_dns_close(dns);
	return done_testing();
}
