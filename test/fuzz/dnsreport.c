/* dnsreport.c - a domain whose TXT records may have any bytes: whatever stands there, what is to be published or
 * taken out is lines of a zone file, and the report is one line of JSON.  Records end at a NUL; which name they
 * stand at goes round. */
#include "check/dnsreport.h"

#include "base/clock.h"
#include "base/io.h"
#include "check/dnsreport_show.h"
#include "dns/dns_wire.h"

#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

static struct mr_orgdomain *org;
static struct mr_spf_matcher *matcher;
static struct mr_ldns *ldns;

static const char *const owners[] = { "d.example", "_dmarc.d.example", "s1._domainkey.d.example",
	"_mta-sts.d.example", "_smtp._tls.d.example", "i.d.example" };

#define OWNER_N (sizeof owners / sizeof *owners)

static void
add_record(struct mr_buf *b, const char *owner, struct mr_str text)
{
	mr_buf_addf(b, "%s TXT \"", owner);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '|' || i % 255 == 254)
			mr_buf_adds(b, "\" \"");
		if (text.p[i] != '|')
			mr_buf_addf(b, "\\%03u", (unsigned char)text.p[i]);
	}
	mr_buf_adds(b, "\"\n");
}

/* A resolver that answers out of `lines`. */
static struct mr_dns *
open_lines(struct mr_str lines)
{
	char path[64];
	int fd = memfd_create("zone", MFD_CLOEXEC);
	struct mr_dns_conf conf;
	struct mr_dns *dns = NULL;

	must(fd >= 0 && mr_io_write(fd, lines, NULL) == MR_OK);
	snprintf(path, sizeof path, "file:/proc/self/fd/%d", fd);
	must(mr_dns_conf_parse(&conf, path, NULL) == MR_OK);
	must(mr_dns_open(&dns, &conf, NULL) == MR_OK);
	close(fd);
	return dns;
}

static void
check_lines(const struct mr_dnsreport_lines *lines, struct mr_arena *arena)
{
	for (size_t i = 0; i < lines->n; i++) {
		struct mr_dns_line line;

		must(mr_str_is_line(lines->line[i]));
		must(mr_dns_line_parse(ldns, &line, arena, lines->line[i], NULL) == MR_OK);
	}
}

static void
check_report(const struct mr_dnsreport *r, struct mr_arena *arena)
{
	struct mr_buf out;

	must(r->score <= 1000);
	for (size_t i = 0; i < r->n; i++) {
		const struct mr_dnsreport_finding *f = &r->finding[i];

		must(mr_str_is_line(f->message) && f->subject.n);
		must(!f->fix || f->fix->remove.n + f->fix->add.n);
		if (f->fix) {
			check_lines(&f->fix->remove, arena);
			check_lines(&f->fix->add, arena);
		}
	}
	mr_buf_init(&out, 16 << 20);
	mr_dnsreport_json(&out, r, MR_STR("d.example"));
	must(!out.is_full && mr_str_chr(mr_buf_str(&out), '\n') == (ptrdiff_t)out.n - 1);
	mr_dnsreport_table(&out, r, MR_STR("d.example"), arena, true);
	must(!out.is_full);
	mr_buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t one[4] = { 192, 0, 2, 1 };
	struct mr_str rest = { (const char *)data, size }, piece;
	struct mr_dnsreport_selector selector = { .name = MR_STR("s1") };
	struct mr_ip ip = { .is_v6 = false };
	struct mr_dnsreport_query q = { .domain = MR_STR("d.example"),
		.ip = &ip,
		.ip_n = 1,
		.helo = MR_STR("mx.d.example"),
		.selector = &selector,
		.selector_n = 1,
		.chance = MR_STR("chance") };
	struct mr_dnsreport r;
	struct mr_arena arena;
	struct mr_buf lines;
	struct mr_dns *dns;
	enum mr_status st;
	size_t n = 0;

	if (size > 4000)
		return 0;
	must(ldns
	    || (mr_ldns_open(&ldns, NULL) == MR_OK && mr_orgdomain_open(&org, NULL) == MR_OK
	        && mr_spf_matcher_open(&matcher, NULL) == MR_OK));
	memcpy(ip.b, one, sizeof one);
	q.org = org;
	q.matcher = matcher;
	mr_buf_init(&lines, 1 << 20);
	mr_buf_adds(&lines, "d.example MX 10 mx.d.example\nmx.d.example A 192.0.2.1\n");
	while (mr_str_split(&rest, '\0', &piece))
		add_record(&lines, owners[n++ % OWNER_N], piece);
	dns = open_lines(mr_buf_str(&lines));
	mr_arena_init(&arena, MR_DNSREPORT_MEMORY_MAX);
	do {
		mr_arena_free(&arena);
		st = mr_dnsreport_check(&r, &q, dns, &arena, NULL);
		must(st == MR_OK || st == MR_NOTFOUND);
		mr_dns_run(dns, mr_clock_mono_ms() + 1000);
	} while (st == MR_NOTFOUND);
	mr_dns_close(dns); /* the report does not need it */
	check_report(&r, &arena);
	mr_arena_free(&arena);
	mr_buf_free(&lines);
	return 0;
}
