/* The SPF record as it should be: mended, merged, cheaper, and with all that send. */
#include "check/dnsreport_spf.h"
#include "check/spf_draft.h"

#include <stdio.h>

#define LOOKUPS_GOOD 8u
#define PARTS_MAX    6u  /* records that a long one is split into */
#define FLATTEN_MAX  20u /* addresses that stand in for one term */

static size_t
find_term(const struct mr_spf_draft *draft, struct mr_str term)
{
	size_t i = 0;

	while (i < draft->n && !mr_str_caseeq(draft->term[i], term))
		i++;
	return i;
}

/* "ip4:192.0.2.1", in front of the term *at, which then is one further on. */
static void
insert_address(struct mr_dnsreport_pass *p, struct mr_spf_draft *draft, size_t *at,
    const struct mr_ip *ip, unsigned bits)
{
	char storage[MR_IP_TEXT_MAX];
	struct mr_str text = mr_ip_text(storage, ip), term;

	term = bits == mr_ip_bits(ip)
	    ? mr_arena_fmt(p->arena, "%s:%.*s", ip->is_v6 ? "ip6" : "ip4", (int)text.n, text.p)
	    : mr_arena_fmt(
	        p->arena, "%s:%.*s/%u", ip->is_v6 ? "ip6" : "ip4", (int)text.n, text.p, bits);
	if (term.p)
		*at += mr_spf_draft_insert(draft, *at, term);
	else
		p->fault = mr_err_set(p->err, MR_TEMP, "out of memory");
}

/* The addresses of `name` go into the draft; false: not known, or too many. */
static bool
insert_host(struct mr_dnsreport_pass *p, struct mr_spf_draft *draft, size_t *at, struct mr_str name,
    const struct mr_spf_term *t, size_t *left)
{
	static const enum mr_dns_type types[] = { MR_DNS_A, MR_DNS_AAAA };

	for (size_t k = 0; k < 2; k++) {
		const struct mr_dns_answer *a = mr_dnsreport_ask(p, name, types[k]);

		if (!a || mr_is_outage(a) || a->n > *left)
			return false;
		*left -= a->n;
		for (size_t i = 0; i < a->n; i++)
			insert_address(p, draft, at, &a->rec[i].ip, k ? t->bits6 : t->bits4);
	}
	return true;
}

/* The term `at`, an `a` or `mx`, becomes the addresses behind it. */
static bool
flatten(struct mr_dnsreport_pass *p, struct mr_spf_draft *draft, size_t at)
{
	struct mr_spf_draft with = *draft;
	struct mr_str rest = draft->term[at], name = p->domain;
	size_t left = FLATTEN_MAX;
	struct mr_spf_term t;

	if (mr_spf_term_next(&rest, &t, NULL) != MR_OK || t.qualifier != MR_SPF_PASS
	    || (t.kind != MR_SPF_A && t.kind != MR_SPF_MX)
	    || (t.spec.p && mr_str_chr(t.spec, '%') >= 0))
		return false;
	if (t.spec.p)
		name = t.spec;
	mr_spf_draft_drop(&with, at);
	if (t.kind == MR_SPF_A) {
		if (!insert_host(p, &with, &at, name, &t, &left))
			return false;
	} else {
		const struct mr_dns_answer *mx = mr_dnsreport_ask(p, name, MR_DNS_MX);

		for (size_t i = 0; mr_is_found(mx) && i < mx->n; i++)
			if (mx->rec[i].text.n
			    && !insert_host(p, &with, &at, mx->rec[i].text, &t, &left))
				return false;
		if (!mr_is_found(mx))
			return false;
	}
	*draft = with;
	return true;
}

/* What the tree says against terms of the first record. */
static void
mend_tree(struct mr_dnsreport_pass *p, struct mr_spf_draft *draft, const struct mr_spf_tree *tree)
{
	size_t voids_n = 0;

	for (size_t i = 0; i < tree->n; i++)
		voids_n += tree->note[i].kind == MR_SPF_NOTE_VOID;
	for (size_t i = 0; i < tree->n; i++) {
		const struct mr_spf_note *n = &tree->note[i];
		bool is_own = mr_str_caseeq(n->domain, p->domain);
		size_t at = find_term(draft, n->kind == MR_SPF_NOTE_LOOP ? n->root : n->term);
		struct mr_spf_term t;
		struct mr_str rest = n->term;
		bool is_mx = mr_spf_term_next(&rest, &t, NULL) == MR_OK && t.kind == MR_SPF_MX
		    && !mr_str_caseeq(n->name, t.spec.p ? t.spec : p->domain);

		if (at == draft->n || (!is_own && n->kind != MR_SPF_NOTE_LOOP))
			continue;
		if (n->kind == MR_SPF_NOTE_MANY_MX)
			flatten(p, draft, at);
		else if (n->kind == MR_SPF_NOTE_LOOP || n->kind == MR_SPF_NOTE_PTR
		    || (n->kind == MR_SPF_NOTE_NO_RECORD && n->n == 0)
		    || (n->kind == MR_SPF_NOTE_VOID && voids_n > MR_SPF_VOID_MAX && !is_mx))
			mr_spf_draft_drop(draft, at);
	}
	for (unsigned n = tree->lookups_n; n >= MR_DNSREPORT_SPF_LOOKUPS_WARN && n > LOOKUPS_GOOD;
	     n--) {
		size_t at = 0;

		while (at < draft->n && !flatten(p, draft, at))
			at++;
		if (at == draft->n)
			break;
	}
}

/* A network that is too wide becomes the senders in it, if there are any. */
static void
mend_wide(struct mr_dnsreport_pass *p, struct mr_spf_draft *draft)
{
	for (size_t i = draft->n; i-- > 0;) {
		struct mr_str rest = draft->term[i];
		struct mr_spf_draft with = *draft;
		struct mr_spf_term t;
		bool has_sender = false;
		size_t at = i;
		unsigned bits;

		if (mr_spf_term_next(&rest, &t, NULL) != MR_OK || !mr_dnsreport_spf_is_wide(&t)
		    || (t.kind != MR_SPF_IP4 && t.kind != MR_SPF_IP6))
			continue;
		bits = t.kind == MR_SPF_IP6 ? t.bits6 : t.bits4;
		mr_spf_draft_drop(&with, i);
		for (size_t k = 0; k < p->sender_n; k++) {
			const struct mr_ip *ip = &p->sender[k].ip;
			struct mr_net a, b;

			if (ip->is_v6 != t.ip.is_v6)
				continue;
			a = mr_net_of(ip, bits);
			b = mr_net_of(&t.ip, bits);
			if (!mr_ip_eq(&a.ip, &b.ip))
				continue;
			insert_address(p, &with, &at, ip, mr_ip_bits(ip));
			has_sender = true;
		}
		if (has_sender)
			*draft = with;
	}
}

/* All records that are SPF, or like it; MR_PERM: one cannot be understood. */
static enum mr_status
read_all(
    struct mr_dnsreport_pass *p, const struct mr_dnsreport_spf *spf, struct mr_spf_draft *draft)
{
	const struct mr_dns_answer *from[] = { p->txt,
		spf->good_n + spf->like_n ? NULL : spf->type99 };
	enum mr_status st = MR_OK;

	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; st == MR_OK && mr_is_found(from[k]) && i < from[k]->n; i++) {
			struct mr_str text, joined;

			if ((st = mr_spf_join(
			         &text, &joined, from[k]->rec[i].strings, p->arena, p->err)))
				break;
			if (mr_spf_is_record(text) || (!spf->good_n && mr_spf_is_like(text)))
				st = mr_spf_draft_add(draft, text, p->arena, p->err);
		}
	return st;
}

struct mr_str
mr_dnsreport_spf_draft(struct mr_dnsreport_pass *p, const struct mr_dnsreport_spf *spf)
{
	struct mr_spf_draft *draft = mr_arena_alloc(p->arena, sizeof *draft);
	struct mr_str text = { NULL, 0 };
	struct mr_spf_tree tree;
	enum mr_status st;
	size_t first;

	if (!draft || (st = read_all(p, spf, draft)) == MR_TEMP) {
		p->fault = MR_TEMP;
		return text;
	}
	if (st)
		return text;
	if (spf->good_n + spf->like_n == 0 && !mr_is_found(spf->type99) && p->host_n
	    && p->q->profile == MR_PROFILE_MAILBOX)
		mr_spf_draft_term(draft, MR_STR("mx"));
	if (draft->all ? draft->all == '+' || draft->all == '?' : !draft->redirect.p)
		draft->all = '-';
	mend_wide(p, draft);
	for (int round = 0; round < 3; round++) { /* each may bring what the next sees */
		text = mr_spf_draft_text(draft, p->arena);
		if (!text.p || !mr_dnsreport_spf_tree(p, &tree, text))
			return (struct mr_str){ NULL, 0 };
		mend_tree(p, draft, &tree);
	}
	text = mr_spf_draft_text(draft, p->arena);
	first = 0;
	for (size_t i = 0; text.p && i < p->sender_n; i++) {
		struct mr_spf result;

		if (!mr_dnsreport_spf_evaluate(p, &p->sender[i], text, &result))
			continue;
		if (result.result != MR_SPF_PASS && result.result != MR_SPF_TEMPERROR)
			insert_address(
			    p, draft, &first, &p->sender[i].ip, mr_ip_bits(&p->sender[i].ip));
	}
	return mr_spf_draft_text(draft, p->arena);
}

/* ---- records that are too long ---------------------------------------------------------------------- */

/* A record of networks, under a name below the domain that is free. */
struct part {
	struct mr_buf text;
	struct mr_str owner;
};

/* False: no name is free, or that is not known yet. */
static bool
find_owner(struct mr_dnsreport_pass *p, struct part *part, size_t n)
{
	char front[32];

	snprintf(front, sizeof front, "_spf%zu", n + 1);
	part->owner = mr_dnsreport_name(p, front, p->domain);
	return mr_is_none(mr_dnsreport_ask(p, part->owner, MR_DNS_TXT));
}

/* Sorts the terms: networks that may send into parts, all else into `rest`.  How many parts; 0: it cannot be
 * done. */
static size_t
sort_terms(struct part *part, struct mr_buf *rest, struct mr_str text)
{
	struct mr_str terms = mr_str_from(text, 6);
	struct mr_spf_term t;
	size_t n = 0;

	while (mr_spf_term_next(&terms, &t, NULL) == MR_OK) {
		struct mr_buf *to = rest;

		if (t.kind < MR_SPF_REDIRECT && t.kind != MR_SPF_ALL && t.qualifier != MR_SPF_PASS)
			return 0; /* "-ip4:192.0.2.1 ip4:192.0.2.0/24": the order counts */
		if ((t.kind == MR_SPF_IP4 || t.kind == MR_SPF_IP6) && t.qualifier == MR_SPF_PASS) {
			if (n == 0
			    || part[n - 1].text.n + t.text.n + 6 > MR_DNSREPORT_SPF_SIZE_GOOD) {
				if (n == PARTS_MAX)
					return 0;
				mr_buf_adds(&part[n++].text, "v=spf1");
			}
			to = &part[n - 1].text;
		}
		mr_buf_addc(to, ' ');
		mr_buf_add(to, t.text);
	}
	return n;
}

bool
mr_dnsreport_spf_split(struct mr_dnsreport_pass *p, struct mr_str *text)
{
	struct part part[PARTS_MAX];
	struct mr_spf_tree tree;
	struct mr_buf rest, all;
	bool is_good = false;
	size_t n;

	if (text->n <= MR_DNSREPORT_SPF_SIZE_GOOD || !mr_dnsreport_spf_tree(p, &tree, *text))
		return false;
	for (size_t i = 0; i < PARTS_MAX; i++)
		mr_buf_init(&part[i].text, MR_SPF_RECORD_MAX);
	mr_buf_init(&rest, MR_SPF_RECORD_MAX);
	mr_buf_init(&all, MR_SPF_RECORD_MAX);
	n = sort_terms(part, &rest, *text);
	is_good = n && tree.lookups_n + n <= LOOKUPS_GOOD;
	mr_buf_adds(&all, "v=spf1");
	for (size_t i = 0; i < n; i++) {
		is_good &= find_owner(p, &part[i], i);
		mr_buf_addf(&all, " include:%.*s", (int)part[i].owner.n, part[i].owner.p);
		mr_buf_adds(&part[i].text, " -all");
	}
	mr_buf_add(&all, mr_buf_str(&rest));
	is_good &= !all.is_full && all.n <= MR_DNSREPORT_SPF_SIZE_GOOD;
	for (size_t i = 0; is_good && i < n; i++)
		mr_dnsreport_line(p, &p->spf_fix->add,
		    mr_dnsreport_txt(p, part[i].owner, mr_buf_str(&part[i].text)));
	if (is_good)
		*text = mr_arena_dup(p->arena, mr_buf_str(&all));
	for (size_t i = 0; i < PARTS_MAX; i++)
		mr_buf_free(&part[i].text);
	mr_buf_free(&rest);
	mr_buf_free(&all);
	return is_good;
}
