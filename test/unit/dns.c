#include "dns/dns.h"

#include "base/clock.h"
#include "dns/dns_fixture.h"

#include "../open_dns.h"
#include "../tap.h"

static const char records[] = "# a world\n"
                              "a.example A 192.0.2.1\n"
                              "A.Example 60 IN A 192.0.2.2\n"
                              "a.example AAAA 2001:db8::1\n"
                              "a.example TXT \"one \" \"two;\\255\"\n"
                              "a.example MX 10 Mx.a.example.\n"
                              "\n"
                              "null.example MX 0 .\n"
                              "x.mid.example A 192.0.2.3\n"
                              "c1.example CNAME c2.example\n"
                              "c2.example CNAME a.example\n"
                              "dangling.example CNAME nowhere.example\n"
                              "loop.example CNAME loop.example\n"
                              "behind.example CNAME down.example\n"
                              "down.example ! servfail\n"
                              "half.example ! timeout MX\n"
                              "half.example A 192.0.2.4\n"
                              "gone.example ! NXDOMAIN\n"
                              "1.2.0.192.in-addr.arpa PTR a.example\n"
                              "zone.example SOA ns.zone.example h.zone.example 1 2 3 4 5\n"
                              "old.example SPF \"v=spf1 -all\"\n"
                              "_25._tcp.a.example TLSA 3 1 1 00ff\n";

static const struct {
	const char *name;
	enum mr_dns_type type;
	enum mr_dns_result result;
	size_t n;
	const char *canonical;
} answers[] = {
	{ "a.example", MR_DNS_A, MR_DNS_FOUND, 2, "a.example" },
	{ "A.EXAMPLE.", MR_DNS_A, MR_DNS_FOUND, 2, "a.example" },
	{ "\\065.example", MR_DNS_A, MR_DNS_FOUND, 2, "a.example" },
	{ "a.example", MR_DNS_NS, MR_DNS_NODATA, 0, "a.example" },
	{ "mid.example", MR_DNS_A, MR_DNS_NODATA, 0, "mid.example" },
	{ "id.example", MR_DNS_A, MR_DNS_NXDOMAIN, 0, "id.example" },
	{ "b.a.example", MR_DNS_A, MR_DNS_NXDOMAIN, 0, "b.a.example" },
	{ "c1.example", MR_DNS_A, MR_DNS_FOUND, 2, "a.example" },
	{ "c1.example", MR_DNS_NS, MR_DNS_NODATA, 0, "a.example" },
	{ "c1.example", MR_DNS_CNAME, MR_DNS_FOUND, 1, "c1.example" },
	{ "dangling.example", MR_DNS_A, MR_DNS_NXDOMAIN, 0, "nowhere.example" },
	{ "loop.example", MR_DNS_A, MR_DNS_BROKEN, 0, NULL },
	{ "behind.example", MR_DNS_A, MR_DNS_SERVFAIL, 0, NULL },
	{ "half.example", MR_DNS_MX, MR_DNS_TIMEOUT, 0, NULL },
	{ "half.example", MR_DNS_A, MR_DNS_FOUND, 1, "half.example" },
	{ "gone.example", MR_DNS_A, MR_DNS_NXDOMAIN, 0, "gone.example" },
	{ "", MR_DNS_A, MR_DNS_BROKEN, 0, NULL },
	{ "a..example", MR_DNS_A, MR_DNS_BROKEN, 0, NULL },
	{ ".example", MR_DNS_A, MR_DNS_BROKEN, 0, NULL },
	{ "a b.example", MR_DNS_A, MR_DNS_BROKEN, 0, NULL },
	{ "\303\244.example", MR_DNS_A, MR_DNS_BROKEN, 0, NULL },
	{ "a\\", MR_DNS_A, MR_DNS_BROKEN, 0, NULL },
	{ "a\\25", MR_DNS_A, MR_DNS_BROKEN, 0, NULL },
	{ "a\\256", MR_DNS_A, MR_DNS_BROKEN, 0, NULL },
};

static void
test_answers(struct mr_dns *dns)
{
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
		mr_dns_add(dns, mr_str(answers[i].name), answers[i].type);
	ok(mr_dns_stats(dns).batches == 0 && mr_dns_waiting(dns) == 14,
	    "questions that differ wait; those that cannot be asked do not");
	ok(!mr_dns_peek(dns, MR_STR("a.example"), MR_DNS_A), "no answer before the run");
	mr_dns_run(dns, mr_clock_mono_ms() + 1000);
	ok(mr_dns_waiting(dns) == 0, "none waits after it");
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		const struct mr_dns_answer *a =
		    mr_dns_peek(dns, mr_str(answers[i].name), answers[i].type);

		if (!ok(a && a->result == answers[i].result && a->n == answers[i].n, "'%s' type %d",
		        answers[i].name, answers[i].type))
			printf("# got %d, %zu records\n", a ? (int)a->result : -1, a ? a->n : 0);
		is(a->canonical, answers[i].canonical, "its canonical name");
	}
	mr_dns_add(dns, MR_STR("A.example"), MR_DNS_A);
	ok(mr_dns_waiting(dns) == 0, "what is answered is not asked again");
	ok(mr_dns_stats(dns).batches == 1, "one round trip for all");
}

static struct mr_dns_record
get(struct mr_dns *dns, const char *name, enum mr_dns_type type)
{
	const struct mr_dns_answer *a = mr_dns_get(dns, mr_str(name), type, INT64_MAX);

	return a->n ? a->rec[0] : (struct mr_dns_record){ .ttl_s = 0 };
}

static void
test_records(struct mr_dns *dns)
{
	char storage[MR_IP_TEXT_MAX];
	struct mr_dns_record r = get(dns, "a.example", MR_DNS_AAAA);

	is(mr_ip_text(storage, &r.ip), "2001:db8::1", "an IPv6 address");
	r = get(dns, "a.example", MR_DNS_TXT);
	is(r.text, "one two;\377", "strings of a TXT are joined");
	ok(r.strings.n == r.text.n + 2 && r.strings.p[0] == r.strings.p[1 + r.strings.p[0]] - 1,
	    "and kept as they are");
	is(get(dns, "old.example", MR_DNS_SPF).text, "v=spf1 -all", "type 99 is like TXT");
	is(get(dns, "_25._tcp.a.example", MR_DNS_TLSA).text, "3 1 1 00ff", "a TLSA");
	ok(mr_dns_get(dns, MR_STR("c1.example"), MR_DNS_A, 0)->links == 2, "links of a chain");
	ok(mr_dns_get(dns, MR_STR("zone.example"), MR_DNS_SOA_UNCHECKED, 0)->n == 1,
	    "a SOA without validation");
	r = get(dns, "a.example", MR_DNS_MX);
	ok(r.preference == 10, "preference of an MX");
	is(r.text, "mx.a.example", "its name is in lower case, without final dot");
	is(get(dns, "null.example", MR_DNS_MX).text, "", "null MX");
	is(get(dns, "1.2.0.192.in-addr.arpa", MR_DNS_PTR).text, "a.example", "a PTR");
	is(get(dns, "zone.example", MR_DNS_SOA).text, "ns.zone.example h.zone.example 1 2 3 4 5",
	    "other types in presentation form");
	ok(mr_dns_get(dns, MR_STR("a.example"), MR_DNS_A, 0)->rec[1].ttl_s == 60, "a TTL");
}

/* ---- a zone that is not published yet -------------------------------------------------------------- */

static const char zone_file[] = "$TTL 600\n"
                                "@	IN SOA ns.z.example. h 1 7200 3600 \\\n";

static const char zone_lines[] = "@ 300 IN SOA ns h ( 1 7200 ; refresh\n"
                                 "	3600 1209600 3600 )\n"
                                 "  NS ns\n"
                                 "$TTL 600\n"
                                 "ns A 192.0.2.1\n"
                                 "*.w TXT \"star\"\n"
                                 "there.w A 192.0.2.2\n"
                                 "deep.there.w A 192.0.2.3\n"
                                 "out CNAME far.example.\n"
                                 "in CNAME ns\n"
                                 "*.c CNAME ns\n"
                                 "sub NS ns.elsewhere.example.\n"
                                 "$ORIGIN o.z.example.\n"
                                 "x MX 10 y\n";

static const struct {
	const char *name;
	enum mr_dns_type type;
	enum mr_dns_result result;
	size_t n;
	const char *canonical;
	unsigned links;
} zone_answers[] = {
	{ "z.example", MR_DNS_SOA, MR_DNS_FOUND, 1, "z.example", 0 },
	{ "ns.z.example", MR_DNS_A, MR_DNS_FOUND, 1, "ns.z.example", 0 },
	{ "ns.z.example", MR_DNS_AAAA, MR_DNS_NODATA, 0, "ns.z.example", 0 },
	{ "none.z.example", MR_DNS_A, MR_DNS_NXDOMAIN, 0, "none.z.example", 0 },
	{ "any.w.z.example", MR_DNS_TXT, MR_DNS_FOUND, 1, "any.w.z.example", 0 },
	{ "a.b.w.z.example", MR_DNS_TXT, MR_DNS_FOUND, 1, "a.b.w.z.example", 0 },
	{ "any.w.z.example", MR_DNS_A, MR_DNS_NODATA, 0, "any.w.z.example", 0 },
	{ "there.w.z.example", MR_DNS_TXT, MR_DNS_NODATA, 0, "there.w.z.example", 0 },
	{ "no.there.w.z.example", MR_DNS_TXT, MR_DNS_NXDOMAIN, 0, "no.there.w.z.example", 0 },
	{ "in.z.example", MR_DNS_A, MR_DNS_FOUND, 1, "ns.z.example", 1 },
	{ "any.c.z.example", MR_DNS_A, MR_DNS_FOUND, 1, "ns.z.example", 1 },
	{ "out.z.example", MR_DNS_A, MR_DNS_FOUND, 1, "end.example", 2 },
	{ "out.z.example", MR_DNS_CNAME, MR_DNS_FOUND, 1, "out.z.example", 0 },
	{ "x.sub.z.example", MR_DNS_A, MR_DNS_FOUND, 1, "x.sub.z.example", 0 },
	{ "x.o.z.example", MR_DNS_MX, MR_DNS_FOUND, 1, "x.o.z.example", 0 },
	{ "end.example", MR_DNS_A, MR_DNS_FOUND, 1, "end.example", 0 },
};

/* A resolver with `lines` for all, and a zone. */
static struct mr_dns *
open_zone(const char *lines, struct mr_err *err)
{
	char zone[] = "/tmp/mr-zone.XXXXXX", world[] = "/tmp/mr-dns.XXXXXX", option[64];
	static const char others[] = "far.example CNAME end.example\nend.example A 192.0.2.9\n"
	                             "x.sub.z.example A 192.0.2.10\nnone.z.example A 192.0.2.11\n";
	struct mr_dns_conf conf;
	struct mr_dns *dns;
	int fd[] = { mkstemp(zone), mkstemp(world) };

	if (write(fd[0], lines, strlen(lines)) != (ssize_t)strlen(lines)
	    || write(fd[1], others, strlen(others)) != (ssize_t)strlen(others))
		exit(111);
	close(fd[0]);
	close(fd[1]);
	snprintf(option, sizeof option, "file:%s", world);
	mr_dns_conf_parse(&conf, option, err);
	conf.zone = zone;
	conf.zone_origin = "z.example";
	mr_dns_open(&dns, &conf, err);
	unlink(zone);
	unlink(world);
	return dns;
}

static void
test_zone(void)
{
	struct mr_err err = { "" };
	struct mr_dns *dns = open_zone(zone_lines, &err);

	if (!ok(dns != NULL, "a zone file"))
		printf("# %s\n", err.text);
	for (size_t i = 0; dns && i < sizeof zone_answers / sizeof *zone_answers; i++) {
		const struct mr_dns_answer *a =
		    mr_dns_get(dns, mr_str(zone_answers[i].name), zone_answers[i].type, INT64_MAX);

		ok(a->result == zone_answers[i].result && a->n == zone_answers[i].n
		        && a->links == zone_answers[i].links,
		    "zone: %s type %d: %d, %zu records, %u links", zone_answers[i].name,
		    zone_answers[i].type, (int)a->result, a->n, a->links);
		is(a->canonical, zone_answers[i].canonical, "its canonical name");
	}
	if (dns)
		ok(mr_dns_get(dns, MR_STR("ns.z.example"), MR_DNS_A, 0)->rec[0].ttl_s == 600,
		    "$TTL");
	mr_dns_close(dns);
	ok(!open_zone(zone_file, &err), "a line that does not end: %s", err.text);
	ok(!open_zone("", &err), "an empty file: %s", err.text);
	ok(!open_zone("a A 192.0.2.1\nb A x\n", &err) && strstr(err.text, "line 2"),
	    "a wrong line: %s", err.text);
	ok(!open_zone("$INCLUDE /etc/passwd\n", &err), "$INCLUDE: %s", err.text);
	dns = open_zone("a A 192.0.2.1", &err);
	ok(dns && mr_dns_get(dns, MR_STR("a.z.example"), MR_DNS_A, 0)->n == 1,
	    "no SOA, no line end: the origin is the zone");
	mr_dns_close(dns);
}

static const struct {
	const char *lines, *why;
} bad[] = {
	{ "a.example A 192.0.2.1\n\na.example A 192.0.2.999\n", ":3: " },
	{ "a.example MX mx.example\n", ":1: " },
	{ "a..example A 192.0.2.1\n", ":1: " },
	{ "a.example ! slow\n", ":1: '!' needs" },
	{ "a.example ! servfail HINFO\n", ":1: '!' needs" },
	{ "! servfail\n", ":1: " },
	{ "nonsense\n", ":1: " },
};

static void
test_bad(void)
{
	static char large[MR_DNS_FIXTURE_MAX + 2];
	struct mr_err err;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (!ok(!open_dns(bad[i].lines, 0, &err) && strstr(err.text, bad[i].why),
		        "refused with its line: %s", bad[i].why))
			printf("# %s\n", err.text);
	memset(large, '\n', MR_DNS_FIXTURE_MAX);
	mr_dns_close(open_dns(large, 0, &err));
	ok(true, "a file of MR_DNS_FIXTURE_MAX bytes");
	large[MR_DNS_FIXTURE_MAX] = '\n';
	ok(!open_dns(large, 0, &err), "a larger one is refused");
}

static void
test_memory(void)
{
	static char lines[1024 * 32];
	struct mr_dns *dns;
	size_t n = 0, used = 0;

	for (int i = 0; i < 1024; i++)
		n += (size_t)snprintf(lines + n, sizeof lines - n, "n%d.example A 192.0.2.1\n", i);
	dns = open_dns(lines, 50000, NULL);
	for (int i = 0; i < 1024; i++) {
		char name[32];

		snprintf(name, sizeof name, "n%d.example", i);
		used += get(dns, name, MR_DNS_A).ip.b[0] == 192;
	}
	ok(used > 50 && used < 1024 && mr_dns_stats(dns).memory <= 50000,
	    "memory has a ceiling: %zu answers", used);
	ok(mr_dns_peek(dns, MR_STR("n1023.example"), MR_DNS_A)->result == MR_DNS_BROKEN,
	    "what does not fit is an outage");
	is(mr_dns_peek(dns, MR_STR("n0.example"), MR_DNS_A)->canonical, "n0.example",
	    "what did is kept");
	mr_dns_forget(dns);
	ok(!mr_dns_peek(dns, MR_STR("n0.example"), MR_DNS_A) && mr_dns_stats(dns).memory == 0,
	    "until it is forgotten");
	ok(get(dns, "n1023.example", MR_DNS_A).ip.b[0] == 192, "then there is room");
	mr_dns_close(dns);
}

/* Nobody answers, and nobody needs to. */
static void
test_deadline(void)
{
	struct mr_dns_conf conf = { .server_n = 0 };
	struct mr_dns *dns;
	struct mr_err err;

	ok(mr_dns_open(&dns, &conf, &err) == MR_USAGE && !dns, "nobody to ask");
	mr_dns_conf_parse(&conf, "127.0.0.1:1", &err);
	mr_dns_open(&dns, &conf, &err);
	ok(mr_dns_get(dns, MR_STR("a.example"), MR_DNS_A, mr_clock_mono_ms() - 1)->result
	        == MR_DNS_TIMEOUT,
	    "a deadline that has passed");
	ok(mr_dns_stats(dns).packets == 0, "sends nothing");
	mr_dns_add(dns, MR_STR("b.example"), MR_DNS_A);
	mr_dns_forget(dns);
	mr_dns_run(dns, INT64_MAX);
	ok(mr_dns_stats(dns).batches == 1, "what waited and was forgotten is not asked");
	mr_dns_close(dns);
}

/* The other process of a carrier, which here is this one. */
struct other_side {
	struct mr_dns *dns;
	struct mr_buf answers;
	size_t cut; /* bytes of the answers that get lost */
};

static enum mr_status
carry(void *ctx, struct mr_str questions, struct mr_str *out, struct mr_err *err)
{
	struct other_side *o = ctx;

	(void)err;
	mr_buf_clear(&o->answers);
	mr_dns_serve(o->dns, questions, INT64_MAX, &o->answers);
	*out = mr_buf_str(&o->answers);
	out->n -= o->cut;
	return MR_OK;
}

static void
test_carried(struct mr_dns *there)
{
	struct other_side other = { .dns = there };
	struct mr_dns_carrier carrier = { carry, &other };
	struct mr_dns_conf conf = { .carrier = &carrier };
	struct mr_dns *dns;
	struct mr_err err;

	mr_buf_init(&other.answers, MR_DNS_CARRIED_MAX);
	if (!ok(mr_dns_open(&dns, &conf, &err) == MR_OK, "a resolver with a carrier"))
		return;
	test_answers(dns);
	test_records(dns);
	ok(mr_dns_get(dns, MR_STR("."), MR_DNS_A, INT64_MAX)->result == MR_DNS_NODATA, "the root");
	mr_dns_forget(dns);
	mr_dns_add(dns, MR_STR("a.example"), MR_DNS_A);
	mr_dns_add(dns, MR_STR("a.example"), MR_DNS_AAAA);
	other.cut = 1;
	mr_dns_run(dns, INT64_MAX);
	ok(mr_dns_peek(dns, MR_STR("a.example"), MR_DNS_A)->n == 2, "answers cut short: the first");
	ok(mr_dns_peek(dns, MR_STR("a.example"), MR_DNS_AAAA)->result == MR_DNS_BROKEN,
	    "and an outage for what is missing");
	mr_buf_free(&other.answers);
	mr_buf_init(&other.answers, 0);
	other.cut = 0;
	ok(mr_dns_get(dns, MR_STR("a.example"), MR_DNS_TXT, INT64_MAX)->result == MR_DNS_BROKEN,
	    "no room for answers is an outage");
	mr_buf_free(&other.answers);
	mr_dns_close(dns);
}

int
main(void)
{
	struct mr_err err;
	struct mr_dns *dns = open_dns(records, 0, &err);

	if (!ok(dns, "the fixture is read")) {
		printf("# %s\n", err.text);
		return 1;
	}
	test_answers(dns);
	test_records(dns);
	test_carried(dns);
	mr_dns_close(dns);
	test_bad();
	test_zone();
	test_memory();
	test_deadline();
	return done_testing();
}
