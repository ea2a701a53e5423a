#include "check/spf.h"

#include "base/clock.h"
#include "check/spf_walk.h"
#include "dns/names.h"
#include "mail/addr.h"
#include "mail/idn.h"

#include <string.h>

/* RFC 8616 section 4: a local part that is not ASCII never makes a term match. */
static bool
never_matches(const struct mr_spf_walk *w, struct mr_str spec)
{
	for (size_t i = 0; i < w->macros.local.n; i++)
		if ((unsigned char)w->macros.local.p[i] >= 0x80)
			return spec.p && (mr_spf_uses(spec, 'l') || mr_spf_uses(spec, 's'));
	return false;
}

/* ---- mechanisms (section 5) ------------------------------------------------------------------- */

static enum mr_spf_result
check_host(struct mr_spf_walk *w, struct mr_str domain, struct mr_str text);

static enum mr_spf_outcome
match_nets(struct mr_spf_walk *w, const struct mr_net *net, size_t n, size_t *at)
{
	switch (mr_spf_match(w->query->matcher, w->query->ip, net, n, at, w->err)) {
	case MR_OK:
		return MR_SPF_YES;
	case MR_NOTFOUND:
		return MR_SPF_NO;
	default:
		return mr_spf_give_up(w);
	}
}

/* Whether an address of `name` is the client's, as far as the prefix length goes. */
static enum mr_spf_outcome
match_host(struct mr_spf_walk *w, const struct mr_spf_term *t, struct mr_str name)
{
	const struct mr_dns_answer *a;
	enum mr_spf_outcome m = mr_spf_look_up_counted(w, name, mr_spf_address_type(w), &a);
	struct mr_net *net;
	size_t at;

	if (m != MR_SPF_NO || !a)
		return m;
	if (!(net = mr_arena_alloc(w->arena, a->n * sizeof *net))) {
		mr_err_set(w->err, MR_TEMP, "out of memory");
		return mr_spf_give_up(w);
	}
	for (size_t i = 0; i < a->n; i++) {
		net[i].ip = a->rec[i].ip;
		net[i].bits = net[i].ip.is_v6 ? t->bits6 : t->bits4;
	}
	return match_nets(w, net, a->n, &at);
}

static enum mr_spf_outcome
match_mx(struct mr_spf_walk *w, const struct mr_spf_term *t, struct mr_str name)
{
	const struct mr_dns_answer *a;
	enum mr_spf_outcome m = mr_spf_look_up_counted(w, name, MR_DNS_MX, &a), found = MR_SPF_NO;

	if (m != MR_SPF_NO || !a)
		return m;
	if (a->n > MR_SPF_MX_MAX)
		return mr_spf_end_with(w, MR_SPF_PERMERROR,
		    "more than %u hosts for %.*s (RFC 7208 4.6.4)", MR_SPF_MX_MAX, (int)t->text.n,
		    t->text.p);
	for (size_t i = 0; i < a->n && found == MR_SPF_NO; i++)
		if (mr_spf_is_host(a->rec[i].text)) /* not "", the null MX (RFC 7505) */
			found = match_host(w, t, a->rec[i].text);
	return found;
}

static enum mr_spf_outcome
match_ptr(struct mr_spf_walk *w, struct mr_str name)
{
	char storage[MR_DNS_PTR_NAME_MAX];
	const struct mr_dns_answer *a;
	enum mr_spf_outcome m =
	    mr_spf_look_up_counted(w, mr_dns_ptr_name(storage, w->query->ip), MR_DNS_PTR, &a);

	if (m == MR_SPF_END && w->end == MR_SPF_TEMPERROR)
		return MR_SPF_NO; /* 5.5: an error of this lookup is no match */
	if (m != MR_SPF_NO || !a)
		return m;
	return mr_spf_validated_name(w, name, false, a).p ? MR_SPF_YES : MR_SPF_NO;
}

static enum mr_spf_outcome
match_include(struct mr_spf_walk *w, struct mr_str name)
{
	enum mr_spf_result result = check_host(w, name, (struct mr_str){ NULL, 0 });

	switch (result) {
	case MR_SPF_PASS:
		return MR_SPF_YES;
	case MR_SPF_NONE:
		return mr_spf_end_with(w, MR_SPF_PERMERROR, "include of %.*s, which has no record",
		    (int)name.n, name.p);
	case MR_SPF_TEMPERROR:
	case MR_SPF_PERMERROR:
		w->end = result;
		return MR_SPF_END;
	default:
		return MR_SPF_NO;
	}
}

#define RUN_MAX 16u /* neighbours that are asked of libspf2 in one record */

/* The ip4 and ip6 terms that begin with *t; *rest moves behind them.  *t is the one that matches. */
static enum mr_spf_outcome
match_networks(struct mr_spf_walk *w, struct mr_spf_term *t, struct mr_str *rest)
{
	struct mr_spf_term run[RUN_MAX];
	struct mr_net net[RUN_MAX];
	struct mr_str behind = *rest;
	size_t n = 0, at = 0;
	enum mr_spf_outcome m;

	run[0] = *t;
	do {
		*rest = behind;
		net[n].ip = run[n].ip;
		net[n].bits = run[n].kind == MR_SPF_IP6 ? run[n].bits6 : run[n].bits4;
		n++;
	} while (n < RUN_MAX && mr_spf_term_next(&behind, &run[n], NULL) == MR_OK
	    && (run[n].kind == MR_SPF_IP4 || run[n].kind == MR_SPF_IP6));
	m = match_nets(w, net, n, &at);
	if (m == MR_SPF_YES)
		*t = run[at];
	return m;
}

/* A mechanism that is not ip4 or ip6, in the record of `domain`. */
static enum mr_spf_outcome
match_one(struct mr_spf_walk *w, const struct mr_spf_term *t, struct mr_str domain)
{
	const struct mr_dns_answer *a;
	struct mr_str name;
	enum mr_spf_outcome m;

	if (t->kind == MR_SPF_ALL)
		return MR_SPF_YES;
	if (never_matches(w, t->spec))
		return MR_SPF_NO;
	if (!mr_spf_target_name(w, t->spec, domain, &name))
		return t->kind != MR_SPF_INCLUDE || w->is_pending
		    ? MR_SPF_NO
		    : mr_spf_end_with(
		        w, MR_SPF_PERMERROR, "%.*s makes no name", (int)t->text.n, t->text.p);
	switch (t->kind) {
	case MR_SPF_A:
		return match_host(w, t, name);
	case MR_SPF_MX:
		return match_mx(w, t, name);
	case MR_SPF_PTR:
		return match_ptr(w, name);
	case MR_SPF_INCLUDE:
		return match_include(w, name);
	default: /* MR_SPF_EXISTS */
		m = mr_spf_look_up_counted(w, name, MR_DNS_A, &a);
		return m == MR_SPF_NO && a ? MR_SPF_YES : m;
	}
}

/* ---- records (section 4) ---------------------------------------------------------------------- */

/* The record of `domain` (4.4, 4.5).  False: *result, or it is not there yet. */
static bool
fetch(struct mr_spf_walk *w, struct mr_str domain, struct mr_str *text, enum mr_spf_result *result)
{
	const struct mr_dns_answer *a = mr_spf_look_up(w, domain, MR_DNS_TXT);
	size_t n = 0;

	*result = MR_SPF_NEUTRAL; /* what a record that is not there yet counts as */
	if (!a)
		return false;
	if (a->result > MR_DNS_NXDOMAIN) {
		mr_spf_end_outage(w, domain, MR_DNS_TXT, a);
		*result = MR_SPF_TEMPERROR;
		return false;
	}
	for (size_t i = 0; a->result == MR_DNS_FOUND && i < a->n; i++)
		if (mr_spf_is_record(a->rec[i].text)) {
			*text = a->rec[i].text;
			n++;
		}
	if (n == 1)
		return true;
	mr_spf_end_with(w, n ? MR_SPF_PERMERROR : MR_SPF_NONE, "%s for %.*s",
	    n ? "more than one record" : "no record", (int)domain.n, domain.p);
	*result = w->end;
	return false;
}

/* One more term that the limit counts. */
static enum mr_spf_outcome
count_term(struct mr_spf_walk *w)
{
	w->ahead_n--;
	if (++w->terms_n > MR_SPF_TERM_MAX)
		return mr_spf_end_with(w, MR_SPF_PERMERROR,
		    "more than %u terms that need lookups (RFC 7208 4.6.4)", MR_SPF_TERM_MAX);
	return MR_SPF_NO;
}

/* redirect (6.1): the result of another domain. */
static enum mr_spf_result
follow(struct mr_spf_walk *w, struct mr_str spec, struct mr_str domain)
{
	enum mr_spf_result result = MR_SPF_NONE;
	struct mr_str name;

	if (mr_spf_target_name(w, spec, domain, &name))
		result = check_host(w, name, (struct mr_str){ NULL, 0 });
	if (result != MR_SPF_NONE)
		return result;
	mr_spf_end_with(w, MR_SPF_PERMERROR, "redirect to %.*s, which has no record", (int)name.n,
	    name.p ? name.p : "");
	return MR_SPF_PERMERROR;
}

static void
trace_term(const struct mr_spf_walk *w, struct mr_str domain, const struct mr_spf_term *t,
    enum mr_spf_outcome m)
{
	if (w->query->trace)
		MR_LOG(w->query->trace, MR_LOG_DEBUG, "spf", { "domain", domain },
		    { "term", t->text },
		    { "match",
		        m == MR_SPF_YES      ? MR_STR("yes")
		            : m == MR_SPF_NO ? MR_STR("no")
		                             : w->problem });
}

/* True if a walk that lacks an answer should not go on.  Where more terms are to come than the limit
 * allows they are asked one by one: such records cost no more lookups than in order, but for those
 * asked before that was known. */
static bool
is_far_enough(const struct mr_spf_walk *w)
{
	return w->is_pending && w->terms_n + w->ahead_n > MR_SPF_TERM_MAX;
}

/* Evaluates the terms in order (4.6.2). */
static enum mr_spf_result
evaluate(struct mr_spf_walk *w, const struct mr_spf_record *record, struct mr_str domain)
{
	struct mr_str rest = record->terms;
	unsigned counted_n = 0;
	struct mr_spf_term t;
	enum mr_spf_outcome m;

	while (mr_spf_term_next(&rest, &t, NULL) == MR_OK) {
		if (t.kind >= MR_SPF_REDIRECT)
			continue; /* 4.6.3: modifiers count after all mechanisms */
		m = MR_SPF_NO;
		if (mr_spf_term_is_counted(&t)) {
			counted_n++;
			m = count_term(w);
		}
		if (m == MR_SPF_NO)
			m = t.kind == MR_SPF_IP4 || t.kind == MR_SPF_IP6
			    ? match_networks(w, &t, &rest)
			    : match_one(w, &t, domain);
		trace_term(w, domain, &t, m);
		if (is_far_enough(w))
			return MR_SPF_NEUTRAL;
		if (m == MR_SPF_NO)
			continue;
		w->ahead_n -= record->counted_n - counted_n;
		w->exp = record->exp;
		w->exp_domain = domain;
		w->term = t.text;
		return m == MR_SPF_YES ? t.qualifier : w->end;
	}
	w->term = (struct mr_str){ NULL, 0 };
	if (!record->redirect.p)
		return MR_SPF_NEUTRAL; /* 4.7 */
	if (count_term(w) != MR_SPF_NO)
		return w->end;
	return follow(w, record->redirect, domain);
}

/* check_host() itself; the record is `text`, or without it what the DNS has.  Its depth is bounded by
 * the limit of terms, since each include and redirect is one. */
static enum mr_spf_result
check_host(struct mr_spf_walk *w, struct mr_str domain, struct mr_str text)
{
	struct mr_spf_record record;
	enum mr_spf_result result;
	struct mr_err why;

	/* 4.3: a malformed domain, or one of a single label. */
	if (!mr_spf_is_name(domain) || mr_str_chr(domain, '.') < 0) {
		mr_spf_end_with(w, MR_SPF_NONE, "no domain name");
		return MR_SPF_NONE;
	}
	if (!text.p && !fetch(w, domain, &text, &result))
		return result;
	if (w->query->trace)
		MR_LOG(
		    w->query->trace, MR_LOG_DEBUG, "spf", { "domain", domain }, { "record", text });
	if (mr_spf_record_parse(&record, text, &why)) {
		mr_spf_end_with(
		    w, MR_SPF_PERMERROR, "record of %.*s: %s", (int)domain.n, domain.p, why.text);
		return MR_SPF_PERMERROR;
	}
	w->ahead_n += record.counted_n;
	return is_far_enough(w) ? MR_SPF_NEUTRAL : evaluate(w, &record, domain);
}

/* ---- explanations (section 6.2) --------------------------------------------------------------- */

/* The explain-string `text` as it reads in the end; p NULL if it is none, or gets longer than it may.
 * What a sender's local part brings in may be anything: only printable ASCII is let out. */
static struct mr_str
read_explanation(struct mr_spf_walk *w, struct mr_str text, struct mr_str domain)
{
	struct mr_str out = { NULL, 0 };

	if (text.p && mr_spf_is_explanation(text))
		out = mr_spf_expand_for(w, text, domain, MR_SPF_EXPLANATION_MAX);
	for (size_t i = 0; i < out.n; i++)
		if (out.p[i] < ' ' || out.p[i] > '~')
			return (struct mr_str){ NULL, 0 };
	return out;
}

/* The domain's text.  Whatever is wrong with it, it is as if there were none. */
static struct mr_str
fetch_explanation(struct mr_spf_walk *w)
{
	const struct mr_dns_answer *a;
	struct mr_str name;

	if (!w->exp.p || never_matches(w, w->exp)
	    || !mr_spf_target_name(w, w->exp, w->exp_domain, &name) || w->is_pending)
		return (struct mr_str){ NULL, 0 };
	a = mr_spf_look_up(w, name, MR_DNS_TXT);
	return a && a->result == MR_DNS_FOUND && a->n == 1
	    ? read_explanation(w, a->rec[0].text, w->exp_domain)
	    : (struct mr_str){ NULL, 0 };
}

static void
explain(struct mr_spf_walk *w, struct mr_spf *spf)
{
	spf->explanation = fetch_explanation(w);
	spf->is_explained_by_domain = spf->explanation.p;
	if (!spf->explanation.p)
		spf->explanation = read_explanation(w, w->query->explanation, spf->domain);
}

/* ---- the whole check -------------------------------------------------------------------------- */

/* `name` without its final dot and with A-labels (RFC 8616 4), or as it is where it has none. */
static struct mr_str
ascii_name(struct mr_spf_walk *w, struct mr_str name)
{
	struct mr_str out;
	enum mr_status st;

	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	st = mr_domain_to_ascii(&out, w->arena, name, w->err);
	if (st == MR_TEMP)
		w->fault = st;
	return st == MR_OK ? out : name;
}

struct mr_str
mr_spf_set_identity(struct mr_spf_walk *w)
{
	const struct mr_spf_query *q = w->query;
	struct mr_spf_macros *m = &w->macros;
	ptrdiff_t at = mr_str_rchr(q->sender, '@');

	m->ip = q->ip;
	m->now_s = mr_clock_now_s();
	m->receiver = q->receiver;
	m->helo = ascii_name(w, q->helo);
	m->sender_domain =
	    q->sender.n ? ascii_name(w, mr_str_from(q->sender, (size_t)(at + 1))) : m->helo;
	m->local = at > 0 ? (struct mr_str){ q->sender.p, (size_t)at } : MR_STR("postmaster");
	m->sender = mr_arena_fmt(w->arena, "%.*s@%.*s", (int)m->local.n, m->local.p,
	    (int)m->sender_domain.n, m->sender_domain.n ? m->sender_domain.p : "");
	return m->sender_domain;
}

/* The walk; *spf has views of its arena. */
static enum mr_status
walk_through(struct mr_spf *spf, struct mr_spf_walk *w)
{
	spf->domain = mr_spf_set_identity(w);
	if (mr_domain_is_valid(spf->domain))
		spf->result = check_host(w, spf->domain, w->query->record);
	else
		mr_spf_end_with(w, MR_SPF_NONE, "no domain name");
	if (spf->result == MR_SPF_FAIL && !w->is_pending)
		explain(w, spf);
	if (spf->result == MR_SPF_NONE || spf->result >= MR_SPF_TEMPERROR)
		spf->problem = w->problem;
	spf->term = w->term;
	return w->fault ? w->fault : w->is_pending ? MR_NOTFOUND : MR_OK;
}

enum mr_status
mr_spf_check(struct mr_spf *spf, const struct mr_spf_query *query, struct mr_dns *dns,
    struct mr_arena *arena, struct mr_err *err)
{
	struct mr_str *const kept[] = { &spf->domain, &spf->term, &spf->problem,
		&spf->explanation };
	struct mr_arena scratch;
	struct mr_spf_walk w = {
		.query = query, .dns = dns, .arena = &scratch, .err = err, .end = MR_SPF_NEUTRAL
	};
	enum mr_status st;

	*spf = (struct mr_spf){ .result = MR_SPF_NONE };
	mr_arena_init(&scratch, MR_SPF_MEMORY_MAX);
	st = walk_through(spf, &w);
	for (size_t i = 0; st == MR_OK && i < sizeof kept / sizeof *kept; i++)
		if (kept[i]->p && !(*kept[i] = mr_arena_dup(arena, *kept[i])).p)
			st = mr_err_set(err, MR_TEMP, "out of memory");
	mr_arena_free(&scratch);
	return st;
}
