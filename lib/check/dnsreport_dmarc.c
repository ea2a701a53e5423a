/* DMARC (RFC 7489): the record in force, and whether others agreed to get the reports. */
#include "check/dmarc_record.h"
#include "check/dnsreport_pass.h"
#include "mail/addr.h"
#include "mail/taglist.h"

#include <string.h>

#define RECORD_MAX 16384u /* bytes of a record that is written */

/* The record in force. */
struct dmarc {
	struct mr_str domain, owner; /* whose it is: the domain or its organisational domain */
	bool is_inherited;
	const struct mr_dns_answer *txt;
	const struct mr_dns_record *rec; /* the first that is one, or was meant to be one */
	size_t n, like_n;                /* how many are; and were meant to be */
	struct mr_dnsreport_fix *fix;
	struct mr_taglist *tags;
};

/* What is wrong, so that what to publish can be written. */
struct faults {
	const char *policy; /* instead of p=; NULL: as it is */
	bool drops_sp, drops_pct;
	struct mr_str rua; /* instead; p NULL: as it is */
};

/* ---- records -------------------------------------------------------------------------------------- */

static bool
is_like(struct mr_str text)
{
	for (size_t i = 0; i + 5 <= text.n; i++)
		if (mr_str_caseis((struct mr_str){ text.p + i, 5 }, "dmarc"))
			return true;
	return false;
}

static bool
is_policy(struct mr_str word)
{
	return mr_str_caseis(word, "none") || mr_str_caseis(word, "quarantine")
	    || mr_str_caseis(word, "reject");
}

static unsigned
strength(struct mr_str policy)
{
	return mr_str_caseis(policy, "reject") ? 2 : mr_str_caseis(policy, "quarantine");
}

/* ---- the record as it should be ------------------------------------------------------------------- */

static void
add_tag(struct mr_buf *b, const char *name, struct mr_str value)
{
	if (value.n)
		mr_buf_addf(b, "; %s=%.*s", name, (int)value.n, value.p);
}

static struct mr_str
compose(struct mr_dnsreport_pass *p, const struct dmarc *d, const struct faults *faults)
{
	static const char *const others[] = { "np", "adkim", "aspf", "psd", "t" },
	                         *const behind[] = { "ruf", "fo", "rf", "ri" };
	struct mr_str out = { NULL, 0 }, policy = mr_taglist_get(d->tags, "p");
	struct mr_buf b;

	if (faults->policy)
		policy = mr_str(faults->policy);
	mr_buf_init(&b, RECORD_MAX);
	mr_buf_adds(&b, "v=DMARC1");
	add_tag(&b, "p", policy);
	if (!faults->drops_sp)
		add_tag(&b, "sp", mr_taglist_get(d->tags, "sp"));
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		add_tag(&b, others[i], mr_taglist_get(d->tags, others[i]));
	if (!faults->drops_pct)
		add_tag(&b, "pct", mr_taglist_get(d->tags, "pct"));
	add_tag(&b, "rua", faults->rua.p ? faults->rua : mr_taglist_get(d->tags, "rua"));
	for (size_t i = 0; i < sizeof behind / sizeof *behind; i++)
		add_tag(&b, behind[i], mr_taglist_get(d->tags, behind[i]));
	if (!b.is_full)
		out = mr_arena_dup(p->arena, mr_buf_str(&b));
	mr_buf_free(&b);
	return out;
}

static void
plan(struct mr_dnsreport_pass *p, struct dmarc *d, const struct faults *faults)
{
	struct mr_str owner = mr_dnsreport_name(p, "_dmarc", p->domain);
	bool is_own = !d->is_inherited && (!d->txt || d->txt->links == 0);

	for (size_t i = 0; is_own && mr_is_found(d->txt) && i < d->txt->n; i++)
		if (mr_dmarc_is_record(d->txt->rec[i].text) || is_like(d->txt->rec[i].text))
			mr_dnsreport_line(p, &d->fix->remove,
			    mr_dnsreport_strings(p, owner, "TXT", &d->txt->rec[i]));
	if (is_own || d->is_inherited)
		mr_dnsreport_line(
		    p, &d->fix->add, mr_dnsreport_txt(p, owner, compose(p, d, faults)));
}

/* ---- reports -------------------------------------------------------------------------------------- */

static bool
has_scheme(struct mr_str uri)
{
	ptrdiff_t colon = mr_str_chr(uri, ':');

	for (ptrdiff_t i = 0; i < colon; i++) {
		int c = mr_lower((unsigned char)uri.p[i]);

		if (!(c >= 'a' && c <= 'z')
		    && (i == 0 || mr_str_chr(MR_STR("0123456789+-."), (char)c) < 0))
			return false;
	}
	return colon > 0;
}

/* The domain of "mailto:a@b.example!10m"; n 0: another scheme, or none. */
static struct mr_str
domain_of(struct mr_str uri)
{
	ptrdiff_t at = mr_str_rchr(uri, '@');
	size_t n = 0;

	if (!mr_str_casestarts(uri, "mailto:") || at < 0)
		return MR_STR("");
	uri = mr_str_from(uri, (size_t)at + 1);
	while (n < uri.n && uri.p[n] != '!' && uri.p[n] != '?')
		n++;
	return (struct mr_str){ uri.p, n };
}

static bool
is_uri(struct mr_str uri)
{
	struct mr_str domain = domain_of(uri);

	if (!has_scheme(uri))
		return false;
	return !mr_str_casestarts(uri, "mailto:")
	    || (domain.n && mr_domain_is_valid(domain) && mr_str_chr(domain, '.') > 0);
}

/* All URIs of rua; the list as it should be. */
static void
check_rua(struct mr_dnsreport_pass *p, struct dmarc *d, struct faults *faults)
{
	struct mr_str rest = mr_taglist_get(d->tags, "rua"), uri;
	struct mr_buf good;
	bool is_bad = false;

	if (!rest.n) {
		mr_dnsreport_say(p, MR_CHECK_DMARC_RUA, MR_LEVEL_INFO, d->owner, NULL,
		    "no rua: nobody gets reports");
		return;
	}
	mr_buf_init(&good, RECORD_MAX);
	while (mr_taglist_next(&rest, ',', &uri)) {
		if (is_uri(uri)) {
			mr_buf_addf(&good, "%s%.*s", good.n ? "," : "", (int)uri.n, uri.p);
			continue;
		}
		is_bad = true;
		if (mr_str_chr(uri, '@') > 0 && !has_scheme(uri))
			mr_buf_addf(&good, "%smailto:%.*s", good.n ? "," : "", (int)uri.n, uri.p);
		mr_dnsreport_say(p, MR_CHECK_DMARC_RUA, MR_LEVEL_WARN, d->owner, d->fix,
		    "rua '%.*s' is not a URI: write mailto: and an address", (int)uri.n, uri.p);
	}
	if (is_bad && good.n == 0)
		mr_buf_addf(&good, "mailto:postmaster@%.*s", (int)p->domain.n, p->domain.p);
	if (is_bad && !(faults->rua = mr_arena_dup(p->arena, mr_buf_str(&good))).p)
		p->fault = MR_TEMP;
	mr_buf_free(&good);
}

/* RFC 7489 7.1: who gets reports of another organisation says so. */
static void
check_consent(struct mr_dnsreport_pass *p, const struct dmarc *d, struct mr_str uris)
{
	struct mr_str uri, org = mr_orgdomain_of(p->q->org, d->domain);

	while (uris.n && mr_taglist_next(&uris, ',', &uri)) {
		struct mr_str other = domain_of(uri), owner;
		const struct mr_dns_answer *a;
		struct mr_dnsreport_fix *fix;
		bool has_consent = false;

		if (!is_uri(uri) || other.n == 0
		    || mr_str_caseeq(mr_orgdomain_of(p->q->org, other), org))
			continue;
		owner = mr_arena_fmt(p->arena, "%.*s._report._dmarc.%.*s", (int)d->domain.n,
		    d->domain.p, (int)other.n, other.p);
		if (!owner.p || !(fix = mr_dnsreport_fix(p)))
			return;
		a = mr_dnsreport_ask(p, owner, MR_DNS_TXT);
		for (size_t i = 0; mr_is_found(a) && i < a->n; i++)
			has_consent |= mr_dmarc_is_record(a->rec[i].text);
		if (mr_is_outage(a))
			mr_dnsreport_say(p, MR_CHECK_DMARC_EXT, MR_LEVEL_ERROR, other, NULL,
			    "consent of %.*s to take reports: %s", (int)other.n, other.p,
			    mr_dnsreport_outage_word(a));
		else if (a && !has_consent) {
			mr_dnsreport_line(
			    p, &fix->add, mr_dnsreport_txt(p, owner, MR_STR("v=DMARC1")));
			mr_dnsreport_say(p, MR_CHECK_DMARC_EXT, MR_LEVEL_WARN, other, fix,
			    "%.*s has not agreed to take reports", (int)other.n, other.p);
		}
	}
}

/* ---- the policy ----------------------------------------------------------------------------------- */

static void
say_syntax(struct mr_dnsreport_pass *p, const struct dmarc *d, const char *what)
{
	mr_dnsreport_say(
	    p, MR_CHECK_DMARC_SYNTAX, MR_LEVEL_FAIL, d->owner, d->fix, "DMARC: %s", what);
}

static void
check_policy(struct mr_dnsreport_pass *p, const struct dmarc *d, struct faults *faults)
{
	struct mr_str policy = mr_taglist_get(d->tags, "p"), sp = mr_taglist_get(d->tags, "sp"),
	              pct = mr_taglist_get(d->tags, "pct"), force;
	uint64_t n;

	if (!policy.n || !is_policy(policy)) {
		faults->policy = "quarantine";
		say_syntax(
		    p, d, policy.n ? "p= is none of none, quarantine, reject" : "p= is missing");
	}
	if (sp.n && !is_policy(sp)) {
		faults->drops_sp = true;
		say_syntax(p, d, "sp= is none of none, quarantine, reject");
		sp.n = 0;
	}
	force = d->is_inherited && sp.n ? sp : policy;
	if (mr_str_caseis(force, "none")) {
		faults->policy = "quarantine";
		mr_dnsreport_say(p, MR_CHECK_DMARC_POLICY, MR_LEVEL_WARN, d->owner, d->fix,
		    "p=none only watches: p=quarantine, then p=reject");
	}
	if (sp.n && strength(sp) < strength(policy) && !d->is_inherited) {
		faults->drops_sp = true;
		mr_dnsreport_say(p, MR_CHECK_DMARC_SP, MR_LEVEL_WARN, d->owner, d->fix,
		    "subdomains have the weaker policy %.*s", (int)sp.n, sp.p);
	}
	if (faults->policy && strength(sp) < 1) /* beside the stronger policy it would be weaker */
		faults->drops_sp = true;
	if (d->is_inherited && faults->policy)
		faults->drops_sp = true;
	if (pct.n && (!mr_str_num(pct, 100, &n) || n < 100)) {
		faults->drops_pct = true;
		mr_dnsreport_say(p, MR_CHECK_DMARC_PCT, MR_LEVEL_WARN, d->owner, d->fix,
		    "the policy covers %.*s %% of the mail", (int)pct.n, pct.p);
	}
}

static void
check_record(struct mr_dnsreport_pass *p, struct dmarc *d)
{
	struct faults faults = { .policy = NULL };
	struct mr_err why;
	size_t n = p->report->n;

	if (mr_taglist_parse(d->tags, d->rec->text, NULL, &why))
		say_syntax(p, d, why.text);
	else if (!mr_dmarc_is_record(d->rec->text))
		say_syntax(p, d, "the record must begin with v=DMARC1");
	if (d->n > 1)
		mr_dnsreport_say(p, MR_CHECK_DMARC_SINGLE, MR_LEVEL_FAIL, d->owner, d->fix,
		    "%zu DMARC records: all are ignored", d->n);
	check_policy(p, d, &faults);
	check_rua(p, d, &faults);
	check_consent(p, d, mr_taglist_get(d->tags, "rua"));
	check_consent(p, d, mr_taglist_get(d->tags, "ruf"));
	plan(p, d, &faults);
	if (d->is_inherited)
		mr_dnsreport_say(p, MR_CHECK_DMARC_PRESENT, MR_LEVEL_INFO, p->domain, NULL,
		    "the record of %.*s counts", (int)d->domain.n, d->domain.p);
	else if (p->report->n == n)
		mr_dnsreport_say(p, MR_CHECK_DMARC_PRESENT, MR_LEVEL_OK, d->owner, NULL, "%.*s",
		    (int)d->rec->text.n, d->rec->text.p);
}

/* ---- finding it ----------------------------------------------------------------------------------- */

/* Records at _dmarc.`domain`.  False: not known yet. */
static bool
find(struct mr_dnsreport_pass *p, struct dmarc *d, struct mr_str domain)
{
	const struct mr_dns_record *like = NULL;

	d->domain = domain;
	d->owner = mr_dnsreport_name(p, "_dmarc", domain);
	d->txt = mr_dnsreport_ask(p, d->owner, MR_DNS_TXT);
	d->rec = NULL;
	for (size_t i = 0; mr_is_found(d->txt) && i < d->txt->n; i++) {
		const struct mr_dns_record *r = &d->txt->rec[i];

		if (mr_dmarc_is_record(r->text)) {
			d->rec = d->n++ ? d->rec : r;
		} else if (is_like(r->text)) {
			like = like ? like : r;
			d->like_n++;
		}
	}
	if (!d->rec)
		d->rec = like;
	return d->txt;
}

void
mr_dnsreport_dmarc(struct mr_dnsreport_pass *p)
{
	struct dmarc d = { .fix = mr_dnsreport_fix(p) };
	struct mr_str org = mr_orgdomain_of(p->q->org, p->domain);
	bool has_parent = !mr_str_caseeq(org, p->domain), is_known;

	if (!d.fix || !(d.tags = mr_arena_alloc(p->arena, sizeof *d.tags))) {
		p->fault = MR_TEMP;
		return;
	}
	if (has_parent) /* asked at the same time */
		find(p, &(struct dmarc){ .n = 0 }, org);
	is_known = find(p, &d, p->domain);
	mr_dnsreport_chain(p, d.owner, d.txt);
	if (is_known && !d.rec && !mr_is_outage(d.txt) && has_parent) {
		is_known = find(p, &d, org);
		d.is_inherited = true;
	}
	if (!is_known)
		return;
	if (mr_is_outage(d.txt))
		mr_dnsreport_say(p, MR_CHECK_DMARC_PRESENT, MR_LEVEL_ERROR, d.owner, NULL,
		    "DMARC record at %.*s: %s", (int)d.owner.n, d.owner.p,
		    mr_dnsreport_outage_word(d.txt));
	else if (d.rec)
		check_record(p, &d);
	else {
		struct mr_str owner = mr_dnsreport_name(p, "_dmarc", p->domain);

		mr_dnsreport_line(p, &d.fix->add,
		    mr_dnsreport_txt(p, owner,
		        p->is_null_mx || p->q->profile == MR_PROFILE_NOMAIL
		            ? MR_STR("v=DMARC1; p=reject")
		            : mr_arena_fmt(p->arena,
		                "v=DMARC1; p=quarantine; rua=mailto:postmaster@%.*s",
		                (int)p->domain.n, p->domain.p)));
		mr_dnsreport_say(
		    p, MR_CHECK_DMARC_PRESENT, MR_LEVEL_FAIL, p->domain, d.fix, "no DMARC record");
	}
}
