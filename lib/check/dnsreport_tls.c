/* What says that mail is to come encrypted: MTA-STS (RFC 8461), TLS reports (RFC 8460), TLSA (RFC 7672). */
#include "check/dnsreport_pass.h"
#include "mail/addr.h"
#include "mail/taglist.h"

#include <string.h>
#include <time.h>

#define STS_ID_MAX 32u /* octets of id= (RFC 8461 3.1) */
#define RECORD_MAX 8192u

/* The records under one name that begin with "v=WORD", or were meant to. */
struct policy {
	struct mr_str owner;
	const char *word, *stem; /* "STSv1", "STS" */
	const struct mr_dns_answer *txt;
	const struct mr_dns_record *rec; /* the first */
	size_t n;
	bool is_version_good;
	struct mr_taglist *tags;
	struct mr_dnsreport_fix *fix;
};

static bool
has_word(struct mr_str text, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= text.n; i++)
		if (mr_str_caseis((struct mr_str){ text.p + i, n }, word))
			return true;
	return false;
}

/* False: there is none, or it is not known. */
static bool
find(struct mr_dnsreport_pass *p, struct policy *f, const char *front)
{
	f->owner = mr_dnsreport_name(p, front, p->domain);
	f->txt = mr_dnsreport_ask(p, f->owner, MR_DNS_TXT);
	f->fix = mr_dnsreport_fix(p);
	f->tags = mr_arena_alloc(p->arena, sizeof *f->tags);
	if (!f->fix || !f->tags) {
		p->fault = MR_TEMP;
		return false;
	}
	mr_dnsreport_chain(p, f->owner, f->txt);
	for (size_t i = 0; mr_is_found(f->txt) && i < f->txt->n; i++) {
		const struct mr_dns_record *r = &f->txt->rec[i];

		if (!has_word(r->text, f->stem))
			continue;
		if (f->txt->links == 0)
			mr_dnsreport_line(
			    p, &f->fix->remove, mr_dnsreport_strings(p, f->owner, "TXT", r));
		f->rec = f->n++ ? f->rec : r;
	}
	if (!f->rec)
		return false;
	f->is_version_good = mr_taglist_parse(f->tags, f->rec->text, NULL, NULL) == MR_OK
	    && f->tags->n && mr_str_is(f->tags->tag[0].name, "v")
	    && mr_str_is(f->tags->tag[0].value, f->word);
	return true;
}

static void
say_absent(struct mr_dnsreport_pass *p, enum mr_dnsreport_check check, const struct policy *f,
    const char *what)
{
	bool takes_mail = !p->is_null_mx && p->q->profile == MR_PROFILE_MAILBOX;

	if (mr_is_outage(f->txt))
		mr_dnsreport_say(p, check, MR_LEVEL_ERROR, f->owner, NULL, "%s record: %s", what,
		    mr_dnsreport_outage_word(f->txt));
	else if (f->txt && !f->rec && takes_mail)
		mr_dnsreport_say(p, check, MR_LEVEL_INFO, f->owner, NULL, "no %s record", what);
}

/* ---- MTA-STS -------------------------------------------------------------------------------------- */

static bool
is_sts_id(struct mr_str id)
{
	for (size_t i = 0; i < id.n; i++) {
		int c = mr_lower((unsigned char)id.p[i]);

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z'))
			return false;
	}
	return id.n && id.n <= STS_ID_MAX;
}

/* The host of the policy file. */
static void
check_host(struct mr_dnsreport_pass *p, bool is_wanted)
{
	struct mr_str name = mr_dnsreport_name(p, "mta-sts", p->domain);
	const struct mr_dns_answer *a = mr_dnsreport_ask(p, name, MR_DNS_A);
	const struct mr_dns_answer *aaaa = mr_dnsreport_ask(p, name, MR_DNS_AAAA);
	struct mr_dnsreport_fix *fix = mr_dnsreport_fix(p);

	if (!is_wanted || !fix || mr_is_found(a) || mr_is_found(aaaa))
		return;
	mr_dnsreport_chain(p, name, a);
	if (mr_is_outage(a) || mr_is_outage(aaaa)) {
		mr_dnsreport_say(p, MR_CHECK_MTASTS_HOST, MR_LEVEL_ERROR, name, NULL,
		    "address of %.*s: %s", (int)name.n, name.p,
		    mr_dnsreport_outage_word(mr_is_outage(a) ? a : aaaa));
		return;
	}
	if (!mr_is_none(a) || !mr_is_none(aaaa))
		return;
	if (mr_is_found(p->a))
		mr_dnsreport_line(p, &fix->add, mr_dnsreport_address(p, name, &p->a->rec[0].ip));
	else if (p->sender_n)
		mr_dnsreport_line(p, &fix->add, mr_dnsreport_address(p, name, &p->sender[0].ip));
	mr_dnsreport_say(p, MR_CHECK_MTASTS_HOST, MR_LEVEL_WARN, name, fix,
	    "%.*s has no address: nobody can fetch the policy", (int)name.n, name.p);
}

static void
check_sts(struct mr_dnsreport_pass *p)
{
	struct policy f = { .word = "STSv1", .stem = "STS" };
	time_t now = (time_t)p->q->now_s;
	const char *what = NULL;
	char text[64];
	struct tm tm;
	bool is_there = find(p, &f, "_mta-sts");

	check_host(p, is_there);
	if (!is_there) {
		say_absent(p, MR_CHECK_MTASTS_TXT, &f, "MTA-STS");
		return;
	}
	if (f.n > 1)
		what = "two records, both are ignored";
	else if (!f.is_version_good)
		what = "it must begin with v=STSv1;";
	else if (!is_sts_id(mr_taglist_get(f.tags, "id")))
		what = "id= must be 1 to 32 letters and digits";
	else
		return;
	if (gmtime_r(&now, &tm) && strftime(text, sizeof text, "v=STSv1; id=%Y%m%dT%H%M%S;", &tm))
		mr_dnsreport_line(p, &f.fix->add, mr_dnsreport_txt(p, f.owner, mr_str(text)));
	mr_dnsreport_say(
	    p, MR_CHECK_MTASTS_TXT, MR_LEVEL_WARN, f.owner, f.fix, "MTA-STS record: %s", what);
}

/* ---- reports on TLS ------------------------------------------------------------------------------- */

static bool
is_report_uri(struct mr_str uri)
{
	return (mr_str_casestarts(uri, "mailto:") && mr_str_chr(uri, '@') > 7)
	    || (mr_str_casestarts(uri, "https://") && uri.n > 8);
}

/* Where reports go, as it should be. */
static struct mr_str
report_record(struct mr_dnsreport_pass *p, const struct policy *f)
{
	struct mr_str rest = mr_taglist_get(f->tags, "rua"), uri, out = { NULL, 0 };
	struct mr_buf b;
	size_t n = 0;

	mr_buf_init(&b, RECORD_MAX);
	mr_buf_adds(&b, "v=TLSRPTv1; rua=");
	while (rest.n && mr_taglist_next(&rest, ',', &uri)) {
		bool is_good = is_report_uri(uri);

		if (is_good || (mr_str_chr(uri, '@') > 0 && mr_str_chr(uri, ':') < 0))
			mr_buf_addf(&b, "%s%s%.*s", n++ ? "," : "",
			    is_good ? "" : "mailto:", (int)uri.n, uri.p);
	}
	if (n == 0)
		mr_buf_addf(&b, "mailto:postmaster@%.*s", (int)p->domain.n, p->domain.p);
	if (!b.is_full)
		out = mr_arena_dup(p->arena, mr_buf_str(&b));
	mr_buf_free(&b);
	return out;
}

static void
check_report(struct mr_dnsreport_pass *p)
{
	struct policy f = { .word = "TLSRPTv1", .stem = "TLSRPT" };
	const char *what = NULL;
	struct mr_str rest, uri;

	if (!find(p, &f, "_smtp._tls")) {
		say_absent(p, MR_CHECK_TLSRPT_TXT, &f, "TLS-RPT");
		return;
	}
	rest = mr_taglist_get(f.tags, "rua");
	if (f.n > 1)
		what = "two records, both are ignored";
	else if (!f.is_version_good)
		what = "it must begin with v=TLSRPTv1;";
	else if (rest.n == 0)
		what = "no rua=: nobody gets reports";
	while (!what && rest.n && mr_taglist_next(&rest, ',', &uri))
		if (!is_report_uri(uri))
			what = "rua= takes mailto: and https: only";
	if (!what)
		return;
	mr_dnsreport_line(p, &f.fix->add, mr_dnsreport_txt(p, f.owner, report_record(p, &f)));
	mr_dnsreport_say(
	    p, MR_CHECK_TLSRPT_TXT, MR_LEVEL_WARN, f.owner, f.fix, "TLS-RPT record: %s", what);
}

/* ---- TLSA ----------------------------------------------------------------------------------------- */

struct tlsa {
	uint64_t usage, selector, matching;
	struct mr_str data; /* hexadecimal */
};

static bool
read_tlsa(struct tlsa *t, struct mr_str text)
{
	bool is_good = mr_str_num(mr_str_word(&text), 255, &t->usage)
	    && mr_str_num(mr_str_word(&text), 255, &t->selector)
	    && mr_str_num(mr_str_word(&text), 255, &t->matching);

	t->data = mr_str_trim(text);
	return is_good;
}

/* What is wrong with it (RFC 6698 2.1, RFC 7672 3.1), or NULL. */
static const char *
tlsa_fault(const struct tlsa *t)
{
	if (t->usage > 3)
		return "unknown usage";
	if (t->selector > 1)
		return "unknown selector";
	if (t->matching > 2)
		return "unknown matching type";
	if (t->matching == 1 && t->data.n != 64)
		return "a SHA-256 has 32 octets";
	if (t->matching == 2 && t->data.n != 128)
		return "a SHA-512 has 64 octets";
	return t->data.n == 0 ? "no data" : NULL;
}

static void
check_tlsa(struct mr_dnsreport_pass *p, struct mr_str host)
{
	struct mr_str owner = mr_dnsreport_name(p, "_25._tcp", host);
	const struct mr_dns_answer *a = mr_dnsreport_ask(p, owner, MR_DNS_TLSA);
	struct mr_dnsreport_fix *fix = mr_dnsreport_fix(p);
	size_t good_n = 0;
	struct tlsa t;

	if (!fix)
		return;
	if (mr_is_outage(a))
		mr_dnsreport_say(p, MR_CHECK_TLSA_DNSSEC, MR_LEVEL_ERROR, host, NULL,
		    "TLSA of %.*s: %s: who uses DANE cannot deliver", (int)host.n, host.p,
		    mr_dnsreport_outage_word(a));
	if (!mr_is_found(a))
		return;
	if (!a->is_authentic && p->q->is_ad_trusted)
		mr_dnsreport_say(p, MR_CHECK_TLSA_DNSSEC, MR_LEVEL_WARN, host, NULL,
		    "TLSA of %.*s is unsigned and has no effect: sign the zone", (int)host.n,
		    host.p);
	for (size_t i = 0; i < a->n; i++)
		good_n += read_tlsa(&t, a->rec[i].text) && !tlsa_fault(&t) && t.usage >= 2;
	for (size_t i = 0; i < a->n; i++) {
		struct mr_str text = a->rec[i].text;
		const char *what;

		if (!read_tlsa(&t, text))
			continue;
		what = tlsa_fault(&t);
		if (!what && t.usage >= 2)
			continue;
		if (what ? good_n > 0 : true)
			mr_dnsreport_line(p, &fix->remove,
			    mr_dnsreport_rr(p, owner, "TLSA", "%.*s", (int)text.n, text.p));
		if (!what)
			mr_dnsreport_line(p, &fix->add,
			    mr_dnsreport_rr(p, owner, "TLSA", "%u %u %u %.*s",
			        (unsigned)t.usage + 2, (unsigned)t.selector, (unsigned)t.matching,
			        (int)t.data.n, t.data.p));
		mr_dnsreport_say(p, MR_CHECK_TLSA_PARAMS, what ? MR_LEVEL_FAIL : MR_LEVEL_WARN,
		    host, what && good_n == 0 ? NULL : fix, "TLSA %u %u %u of %.*s: %s",
		    (unsigned)t.usage, (unsigned)t.selector, (unsigned)t.matching, (int)host.n,
		    host.p, what ? what : "mail uses 2 and 3 only (RFC 7672 3.1)");
	}
}

void
mr_dnsreport_tls(struct mr_dnsreport_pass *p)
{
	check_sts(p);
	check_report(p);
	for (size_t i = 0; i < p->host_n; i++)
		if (mr_dnsreport_is_host(p->host[i].name)
		    && !(mr_is_outage(p->host[i].a) && !mr_is_found(p->host[i].aaaa)))
			check_tlsa(p, p->host[i].name);
}
