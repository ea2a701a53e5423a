#include "check/dmarc.h"

#include "check/dmarc_walk.h"
#include "mail/addr.h"

/* How an identifier stands to the author. */
enum aligned { UNALIGNED, ALIGNED, ASKED, UNKNOWN };

struct check {
	struct mr_dmarc *d;
	const struct mr_dmarc_query *q;
	struct mr_dns *dns;
	struct mr_arena *arena;
	struct mr_dmarc_way way;  /* of the author */
	bool is_asked;            /* an answer is missing */
	const char *unknown;      /* what an outage hides that may be a pass, ... */
	struct mr_str unknown_of; /* ... and whose; the first of them */
};

const char *
mr_dmarc_result_word(enum mr_dmarc_result result)
{
	static const char *const words[] = { "none", "pass", "fail", "temperror", "permerror" };

	return words[result];
}

static enum mr_status
say(struct check *c, enum mr_dmarc_result result, const char *why, struct mr_str domain,
    struct mr_err *err)
{
	c->d->result = result;
	c->d->problem = mr_arena_fmt(c->arena, "%s%.*s", why, (int)domain.n, domain.p);
	return c->d->problem.p ? MR_OK : mr_err_set(err, MR_TEMP, "out of memory");
}

/* ---- the policy -------------------------------------------------------------------------------------- */

/* RFC 9989 3.2: a domain without any of these is none; RFC 9091 2.7 says the same. */
static enum aligned
exists(struct check *c)
{
	static const enum mr_dns_type types[] = { MR_DNS_A, MR_DNS_AAAA, MR_DNS_MX };
	enum aligned st = UNALIGNED;
	bool is_asked = false;

	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		const struct mr_dns_answer *a = mr_dns_want(c->dns, c->q->author, types[i]);

		if (!a)
			is_asked = true;
		else if (a->result == MR_DNS_FOUND)
			st = ALIGNED;
		else if (a->result >= MR_DNS_SERVFAIL && st != ALIGNED)
			st = UNKNOWN;
	}
	return is_asked ? ASKED : st;
}

/* p is for the domain of the record, sp for what is below, np for what is below and not there. */
static void
choose_policy(struct check *c)
{
	struct mr_dmarc *d = c->d;
	const struct mr_dmarc_record *r = &d->record;
	enum aligned there = ALIGNED;

	d->policy = r->p;
	d->policy_tag = "p";
	if (d->policy_domain.n == c->q->author.n)
		return;
	if (r->has_np)
		there = exists(c);
	c->is_asked = there == ASKED;
	d->policy = there == UNALIGNED ? r->np : r->sp;
	d->policy_tag = there == UNALIGNED ? "np" : r->has_sp ? "sp" : "p";
	if (there == UNKNOWN && r->np < r->sp) { /* an outage must not make it stricter */
		d->policy = r->np;
		d->policy_tag = "np";
	}
}

/* ---- alignment --------------------------------------------------------------------------------------- */

/* True if `name` is `top` or below it. */
static bool
is_within(struct mr_str name, struct mr_str top)
{
	size_t below = name.n - top.n;

	if (name.n < top.n || !mr_str_caseeq(mr_str_from(name, below), top))
		return false;
	return below == 0 || name.p[below - 1] == '.';
}

static enum aligned
align(struct check *c, struct mr_str domain, bool is_strict)
{
	struct mr_dmarc_way way;

	if (mr_str_caseeq(domain, c->q->author))
		return ALIGNED;
	if (is_strict || !mr_domain_is_valid(domain))
		return UNALIGNED;
	if (c->q->list)
		return mr_str_caseeq(mr_orgdomain_of(c->q->list, domain), c->way.org) ? ALIGNED
		                                                                      : UNALIGNED;
	if (!c->way.is_org_known)
		return UNKNOWN;
	/* A stranger's domain is not worth a question. */
	if (!is_within(domain, c->way.org))
		return UNALIGNED;
	mr_dmarc_find(&way, c->dns, NULL, domain);
	return way.is_asked                      ? ASKED
	    : !way.is_org_known                  ? UNKNOWN
	    : mr_str_caseeq(way.org, c->way.org) ? ALIGNED
	                                         : UNALIGNED;
}

/* True if this identifier passed and is aligned; `unknown` tells what it is if it cannot be told now. */
static bool
vouches(struct check *c, const char *unknown, struct mr_str result, struct mr_str domain,
    bool is_strict)
{
	bool is_pass = mr_str_is(result, "pass");
	enum aligned a;

	if (!is_pass && !mr_str_is(result, "temperror"))
		return false;
	a = align(c, domain, is_strict);
	if (a == ASKED)
		c->is_asked = true;
	else if (!c->unknown && (a == UNKNOWN || (a == ALIGNED && !is_pass))) {
		c->unknown = a == UNKNOWN ? "not known now: alignment of " : unknown;
		c->unknown_of = domain;
	}
	return a == ALIGNED && is_pass;
}

static void
look_for_pass(struct check *c)
{
	const struct mr_dmarc_query *q = c->q;
	const struct mr_dmarc_record *r = &c->d->record;

	if (q->spf_result.p)
		c->d->is_spf_aligned = vouches(
		    c, "not known now: SPF of ", q->spf_result, q->spf_domain, r->is_aspf_strict);
	for (size_t i = 0; i < q->signature_n && i < MR_DMARC_SIGNATURE_MAX; i++)
		if (vouches(c, "not known now: DKIM of ", q->signature[i].result,
		        q->signature[i].domain, r->is_adkim_strict))
			c->d->is_dkim_aligned = true;
}

/* ---- the result -------------------------------------------------------------------------------------- */

/* What follows from the record's place, if there is no record that could be used; true: nothing more. */
static bool
ends_without_record(struct check *c, enum mr_status *st, struct mr_err *err)
{
	const struct mr_dmarc_place *place = &c->way.policy;
	struct mr_err why;

	switch (place->found) {
	case MR_DMARC_RECORD:
		if (mr_dmarc_record_parse(&c->d->record, place->text, &why) == MR_OK)
			return false;
		*st = say(c, MR_DMARC_RESULT_NONE, "a record without policy: ", place->domain, err);
		return true;
	case MR_DMARC_OUTAGE:
		*st = say(c, MR_DMARC_RESULT_TEMPERROR, "no answer for the record of ",
		    place->domain, err);
		return true;
	case MR_DMARC_SEVERAL:
		*st = say(c, MR_DMARC_RESULT_NONE, "several records: ", place->domain, err);
		return true;
	default:
		*st = say(c, MR_DMARC_RESULT_NONE, "no record for ", c->q->author, err);
		return true;
	}
}

enum mr_status
mr_dmarc_check(struct mr_dmarc *d, const struct mr_dmarc_query *query, struct mr_dns *dns,
    struct mr_arena *arena, struct mr_err *err)
{
	struct check c = { .d = d, .q = query, .dns = dns, .arena = arena };
	struct mr_str nobody = MR_STR("");
	enum mr_status st = MR_OK;

	*d = (struct mr_dmarc){ .policy_tag = "p" };
	mr_dmarc_find(&c.way, dns, query->list, query->author);
	if (c.way.is_asked)
		return MR_NOTFOUND;
	if (ends_without_record(&c, &st, err))
		return st;
	d->policy_domain = c.way.policy.domain;
	choose_policy(&c);
	look_for_pass(&c);
	if (c.is_asked)
		return MR_NOTFOUND;
	d->result = MR_DMARC_RESULT_PASS;
	if (d->is_spf_aligned || d->is_dkim_aligned)
		return MR_OK;
	/* What was not looked at is no failure of the author's. */
	if (!query->spf_result.p || !query->has_dkim)
		return say(&c, MR_DMARC_RESULT_TEMPERROR,
		    query->has_dkim           ? "SPF was not checked"
		        : query->spf_result.p ? "DKIM was not checked"
		                              : "neither SPF nor DKIM was checked",
		    nobody, err);
	if (c.unknown)
		return say(&c, MR_DMARC_RESULT_TEMPERROR, c.unknown, c.unknown_of, err);
	d->result = MR_DMARC_RESULT_FAIL;
	return MR_OK;
}
