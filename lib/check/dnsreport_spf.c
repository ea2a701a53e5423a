#include "check/dnsreport_spf.h"

#include "check/spf_draft.h"

#include <stdio.h>
#include <string.h>

#define WIDE_BITS4 16u
#define WIDE_BITS6 32u

/* ---- the record itself ---------------------------------------------------------------------------- */

bool
mr_dnsreport_spf_is_wide(const struct mr_spf_term *t)
{
	return (t->kind == MR_SPF_IP4 || t->kind == MR_SPF_A || t->kind == MR_SPF_MX)
	        && t->bits4 < WIDE_BITS4
	    ? true
	    : (t->kind == MR_SPF_IP6 || t->kind == MR_SPF_A || t->kind == MR_SPF_MX)
	        && t->bits6 < WIDE_BITS6;
}

static void
say(struct mr_dnsreport_pass *p, enum mr_dnsreport_check check, enum mr_dnsreport_level level,
    const char *before, struct mr_str term, const char *behind)
{
	mr_dnsreport_say(p, check, level, p->domain, p->spf_fix, "%s%.*s%s", before, (int)term.n,
	    term.p, behind);
}

/* Terms that parse: what is too wide, and what is never reached. */
static void
judge_terms(struct mr_dnsreport_pass *p, struct mr_str text)
{
	struct mr_str rest = mr_str_from(text, 6), redirect = { NULL, 0 };
	bool has_all = false;
	struct mr_spf_term t;

	while (mr_spf_term_next(&rest, &t, NULL) == MR_OK) {
		if (has_all && t.kind != MR_SPF_EXP && t.kind != MR_SPF_UNKNOWN
		    && t.kind != MR_SPF_REDIRECT)
			say(p, MR_CHECK_SPF_AFTER_ALL, MR_LEVEL_WARN, "'", t.text,
			    "' after all is never used");
		if (t.kind == MR_SPF_REDIRECT)
			redirect = t.text;
		has_all |= t.kind == MR_SPF_ALL;
		if (mr_dnsreport_spf_is_wide(&t) && t.qualifier == MR_SPF_PASS)
			mr_dnsreport_say(p, MR_CHECK_SPF_WIDE, MR_LEVEL_WARN, p->domain, p->spf_fix,
			    "'%.*s' lets 2^%u addresses send", (int)t.text.n, t.text.p,
			    t.kind == MR_SPF_IP6 || t.bits6 < WIDE_BITS6 ? 128 - t.bits6
			                                                 : 32 - t.bits4);
	}
	if (has_all && redirect.p)
		say(p, MR_CHECK_SPF_AFTER_ALL, MR_LEVEL_WARN, "'", redirect,
		    "' beside all is never used");
}

/* The term that does not parse. */
static void
judge_syntax(struct mr_dnsreport_pass *p, struct mr_str text)
{
	struct mr_str rest = mr_str_from(text, 6);
	struct mr_spf_record record;
	struct mr_spf_term t;
	struct mr_err why;
	enum mr_status st;

	if (mr_spf_record_parse(&record, text, &why) == MR_OK)
		return;
	while ((st = mr_spf_term_next(&rest, &t, NULL)) == MR_OK)
		;
	if (st == MR_NOTFOUND) /* each term for itself is right */
		say(p, MR_CHECK_SPF_SYNTAX, MR_LEVEL_FAIL, "not valid SPF: ", mr_str(why.text), "");
	else
		say(p, MR_CHECK_SPF_SYNTAX, MR_LEVEL_FAIL, "'", t.text, "' is not valid SPF");
}

/* ---- the tree ------------------------------------------------------------------------------------- */

static void
judge_all(struct mr_dnsreport_pass *p, const struct mr_spf_tree *tree)
{
	char q = tree->last.n ? tree->last.p[0] : '\0';

	if (!tree->is_last_known || q == '-')
		return;
	if (q == '\0')
		say(p, MR_CHECK_SPF_ALL, MR_LEVEL_WARN, "neither all nor redirect: the record of ",
		    tree->last_domain, " says nothing about other senders");
	else if (q == '?')
		say(p, MR_CHECK_SPF_ALL, MR_LEVEL_WARN, "?all in the record of ", tree->last_domain,
		    " says nothing about other senders");
	else if (q == '~')
		say(p, MR_CHECK_SPF_ALL, MR_LEVEL_INFO, "~all in the record of ", tree->last_domain,
		    ": others are suspect, not refused");
	else
		say(p, MR_CHECK_SPF_ALL, MR_LEVEL_FAIL, "+all in the record of ", tree->last_domain,
		    " lets anybody send");
}

static void
judge_note(struct mr_dnsreport_pass *p, const struct mr_spf_note *n)
{
	int name_n = (int)n->name.n, term_n = (int)n->term.n, domain_n = (int)n->domain.n;
	bool is_below = !mr_str_caseeq(n->domain, p->domain);
	struct mr_spf_term t;
	struct mr_str rest = n->term;

	switch (n->kind) {
	case MR_SPF_NOTE_MANY_MX:
		mr_dnsreport_say(p, MR_CHECK_SPF_MX_LIMIT, MR_LEVEL_FAIL, n->domain, p->spf_fix,
		    "'%.*s' yields %zu hosts, over %u", term_n, n->term.p, n->n, MR_SPF_MX_MAX);
		break;
	case MR_SPF_NOTE_LOOP:
		mr_dnsreport_say(p, MR_CHECK_SPF_LOOP, MR_LEVEL_FAIL, n->name, p->spf_fix,
		    "%.*s includes itself through %.*s", name_n, n->name.p, domain_n, n->domain.p);
		break;
	case MR_SPF_NOTE_NO_RECORD:
		mr_dnsreport_say(p, MR_CHECK_SPF_INCLUDE, MR_LEVEL_FAIL, n->name, p->spf_fix,
		    n->n ? "'%.*s': %.*s has more than one SPF record"
		         : "'%.*s': %.*s has no SPF record",
		    term_n, n->term.p, name_n, n->name.p);
		break;
	case MR_SPF_NOTE_WRONG:
		mr_dnsreport_say(p, MR_CHECK_SPF_INCLUDE, MR_LEVEL_FAIL, n->name, p->spf_fix,
		    "'%.*s': the SPF record of %.*s is not valid: %.*s", term_n, n->term.p, name_n,
		    n->name.p, (int)n->why.n, n->why.p);
		break;
	case MR_SPF_NOTE_PTR:
		mr_dnsreport_say(p, MR_CHECK_SPF_PTR, MR_LEVEL_WARN, n->domain, p->spf_fix,
		    "'%.*s' should not be used%s%.*s", term_n, n->term.p,
		    is_below ? ": record of " : "", is_below ? domain_n : 0, n->domain.p);
		break;
	case MR_SPF_NOTE_OUTAGE:
		if (mr_spf_term_next(&rest, &t, NULL) == MR_OK
		    && (t.kind == MR_SPF_INCLUDE || t.kind == MR_SPF_REDIRECT))
			mr_dnsreport_say(p, MR_CHECK_SPF_INCLUDE, MR_LEVEL_ERROR, n->name, NULL,
			    "'%.*s': look-up of %.*s: %.*s", term_n, n->term.p, name_n, n->name.p,
			    (int)n->why.n, n->why.p);
		break;
	case MR_SPF_NOTE_VOID:
		break;
	}
}

static void
judge_voids(struct mr_dnsreport_pass *p, const struct mr_spf_tree *tree)
{
	struct mr_buf names;
	size_t n = 0;

	mr_buf_init(&names, 400);
	for (size_t i = 0; i < tree->n; i++)
		if (tree->note[i].kind == MR_SPF_NOTE_VOID) {
			n++;
			mr_buf_addf(&names, "%s%.*s", n > 1 ? ", " : "", (int)tree->note[i].name.n,
			    tree->note[i].name.p);
		}
	if (n > MR_SPF_VOID_MAX)
		mr_dnsreport_say(p, MR_CHECK_SPF_VOID, MR_LEVEL_FAIL, p->domain, p->spf_fix,
		    "%zu lookups find nothing, over %u: %.*s", n, MR_SPF_VOID_MAX, (int)names.n,
		    names.p);
	mr_buf_free(&names);
}

static struct mr_spf_query
query_of(const struct mr_dnsreport_pass *p, struct mr_str sender, struct mr_str record)
{
	return (struct mr_spf_query){ .sender = sender,
		.record = record,
		.receiver = MR_STR("localhost"),
		.helo = p->domain,
		.matcher = p->q->matcher };
}

static struct mr_str
sender_of(struct mr_dnsreport_pass *p)
{
	return mr_arena_fmt(p->arena, "postmaster@%.*s", (int)p->domain.n, p->domain.p);
}

/* True if a walk came to its end; else what is missing, or went wrong, is in the pass. */
static bool
is_settled(struct mr_dnsreport_pass *p, enum mr_status st)
{
	if (st == MR_NOTFOUND)
		p->is_pending = true;
	else if (st)
		p->fault = MR_TEMP;
	return st == MR_OK;
}

bool
mr_dnsreport_spf_tree(struct mr_dnsreport_pass *p, struct mr_spf_tree *tree, struct mr_str text)
{
	struct mr_spf_query q = query_of(p, sender_of(p), text);

	return is_settled(p, mr_spf_tree_walk(tree, &q, p->dns, p->arena, p->err));
}

/* A record that is one: its terms, its tree. */
static void
judge_record(struct mr_dnsreport_pass *p, struct mr_str text)
{
	struct mr_spf_record record;
	struct mr_spf_tree tree;

	judge_syntax(p, text);
	if (text.n > MR_DNSREPORT_SPF_SIZE_GOOD)
		mr_dnsreport_say(p, MR_CHECK_SPF_SIZE, MR_LEVEL_WARN, p->domain, p->spf_fix,
		    "SPF record is %zu octets, over %u: split it by include", text.n,
		    MR_DNSREPORT_SPF_SIZE_GOOD);
	if (mr_spf_record_parse(&record, text, NULL))
		return;
	judge_terms(p, text);
	if (!mr_dnsreport_spf_tree(p, &tree, text))
		return;
	judge_all(p, &tree);
	if (tree.lookups_n >= MR_DNSREPORT_SPF_LOOKUPS_WARN)
		mr_dnsreport_say(p, MR_CHECK_SPF_LOOKUPS,
		    tree.lookups_n > MR_SPF_TERM_MAX ? MR_LEVEL_FAIL : MR_LEVEL_WARN, p->domain,
		    p->spf_fix, "%u of %u DNS lookups used", tree.lookups_n, MR_SPF_TERM_MAX);
	judge_voids(p, &tree);
	for (size_t i = 0; i < tree.n; i++)
		judge_note(p, &tree.note[i]);
}

/* ---- senders -------------------------------------------------------------------------------------- */

bool
mr_dnsreport_spf_evaluate(struct mr_dnsreport_pass *p, const struct mr_dnsreport_sender *s,
    struct mr_str record, struct mr_spf *spf)
{
	struct mr_spf_query q = query_of(p, sender_of(p), record);

	if (!mr_dnsreport_has_room(p, MR_DNSREPORT_SPF_ASKS))
		return false;
	q.ip = &s->ip;
	if (s->helo.n)
		q.helo = s->helo;
	return is_settled(p, mr_spf_check(spf, &q, p->dns, p->arena, p->err));
}

/* `record`: p NULL for what is published. */
static void
judge_senders(struct mr_dnsreport_pass *p, struct mr_str record)
{
	for (size_t i = 0; i < p->sender_n; i++) {
		const struct mr_dnsreport_sender *s = &p->sender[i];
		enum mr_dnsreport_level level = MR_LEVEL_FAIL;
		struct mr_spf spf;

		if (!mr_dnsreport_spf_evaluate(p, s, record, &spf))
			continue;
		if (spf.result == MR_SPF_PASS)
			level = MR_LEVEL_OK;
		else if (spf.result == MR_SPF_TEMPERROR)
			level = MR_LEVEL_ERROR;
		else if (spf.result == MR_SPF_SOFTFAIL || spf.result == MR_SPF_NEUTRAL)
			level = MR_LEVEL_WARN;
		mr_dnsreport_say(p, MR_CHECK_SPF_SENDER, level, s->text,
		    level == MR_LEVEL_ERROR || level == MR_LEVEL_OK ? NULL : p->spf_fix,
		    "%.*s gets %s%s%.*s", (int)s->text.n, s->text.p, mr_spf_result_word(spf.result),
		    spf.problem.n ? ": " : "", (int)spf.problem.n,
		    spf.problem.n ? spf.problem.p : "");
	}
}

/* ---- what to publish ------------------------------------------------------------------------------- */

static bool
is_bad(const struct mr_dnsreport_pass *p)
{
	for (size_t c = MR_CHECK_SPF_PRESENT; c <= MR_CHECK_SPF_SENDER; c++)
		if (p->is_bad[c])
			return true;
	return false;
}

/* Fills the fix, and takes it away from findings that it does not help. */
static void
plan(struct mr_dnsreport_pass *p, const struct mr_dnsreport_spf *spf)
{
	struct mr_str text = mr_dnsreport_spf_draft(p, spf);

	if (!text.p)
		return;
	for (size_t i = 0; mr_is_found(p->txt) && i < p->txt->n; i++) {
		const struct mr_dns_record *r = &p->txt->rec[i];
		struct mr_str joined, whole;

		if (mr_spf_join(&whole, &joined, r->strings, p->arena, p->err) == MR_OK
		    && (mr_spf_is_record(whole) || mr_spf_is_like(whole)))
			mr_dnsreport_line(
			    p, &p->spf_fix->remove, mr_dnsreport_strings(p, p->domain, "TXT", r));
	}
	for (size_t i = 0; mr_is_found(spf->type99) && i < spf->type99->n; i++)
		mr_dnsreport_line(p, &p->spf_fix->remove,
		    mr_dnsreport_strings(p, p->domain, "SPF", &spf->type99->rec[i]));
	memset(p->is_bad, 0, sizeof p->is_bad);
	p->is_dry = true;
	judge_record(p, text);
	judge_senders(p, text);
	p->is_dry = false;
	if (mr_dnsreport_spf_split(p, &text))
		p->is_bad[MR_CHECK_SPF_SIZE] = false;
	mr_dnsreport_line(p, &p->spf_fix->add, mr_dnsreport_txt(p, p->domain, text));
	for (size_t i = 0; i < p->report->n; i++)
		if (p->report->finding[i].fix == p->spf_fix
		    && p->is_bad[p->report->finding[i].check])
			p->report->finding[i].fix = NULL;
}

/* ---- what is published ------------------------------------------------------------------------------ */

/* Records that were meant to be SPF, and are none. */
static void
say_like(struct mr_dnsreport_pass *p, const struct mr_dns_record *r)
{
	struct mr_str text, joined;
	int n = (int)(r->text.n < 60 ? r->text.n : 60);

	if (mr_spf_join(&text, &joined, r->strings, p->arena, p->err)) {
		p->fault = MR_TEMP;
		return;
	}
	if (mr_spf_has_quotes(r->text))
		mr_dnsreport_say(p, MR_CHECK_SPF_QUOTES, MR_LEVEL_FAIL, p->domain, p->spf_fix,
		    "quotes or backslashes were pasted into the record");
	else if (joined.p)
		say(p, MR_CHECK_SPF_SPLIT, MR_LEVEL_FAIL, "TXT strings join as '", joined,
		    "': a blank is missing at a string's end");
	else
		mr_dnsreport_say(p, MR_CHECK_SPF_VERSION, MR_LEVEL_FAIL, p->domain, p->spf_fix,
		    "'%.*s' is not an SPF record: write v=spf1 with the digit one, then a blank", n,
		    r->text.p);
}

static void
collect(struct mr_dnsreport_pass *p, struct mr_dnsreport_spf *spf)
{
	*spf = (struct mr_dnsreport_spf){ .type99 = mr_dnsreport_ask(p, p->domain, MR_DNS_SPF) };
	for (size_t i = 0; mr_is_found(p->txt) && i < p->txt->n; i++) {
		const struct mr_dns_record *r = &p->txt->rec[i];

		if (mr_spf_is_record(r->text) && !mr_spf_has_quotes(r->text)) {
			if (spf->good_n++ == 0)
				spf->good = r;
		} else if (mr_spf_is_like(r->text)) {
			if (spf->like_n++ == 0)
				spf->like = r;
			say_like(p, r);
		}
	}
	if (spf->good)
		spf->text = spf->good->text;
}

/* Blanks lost between the strings of the record that counts. */
static void
check_split(struct mr_dnsreport_pass *p, const struct mr_dns_record *r)
{
	struct mr_str text, joined;

	if (mr_spf_join(&text, &joined, r->strings, p->arena, p->err))
		p->fault = MR_TEMP;
	else if (joined.p)
		say(p, MR_CHECK_SPF_SPLIT, MR_LEVEL_FAIL, "TXT strings join as '", joined,
		    "': a blank is missing at a string's end");
}

static void
check_present(struct mr_dnsreport_pass *p, const struct mr_dnsreport_spf *spf)
{
	if (mr_is_found(spf->type99))
		mr_dnsreport_say(p, MR_CHECK_SPF_TYPE99,
		    spf->good_n ? MR_LEVEL_INFO : MR_LEVEL_FAIL, p->domain,
		    spf->good_n ? NULL : p->spf_fix, "SPF stands in the obsolete type SPF%s",
		    spf->good_n ? ", too" : ", which nobody reads");
	else if (spf->good_n + spf->like_n == 0)
		mr_dnsreport_say(
		    p, MR_CHECK_SPF_PRESENT, MR_LEVEL_FAIL, p->domain, p->spf_fix, "no SPF record");
	else if (spf->good_n == 1)
		mr_dnsreport_say(p, MR_CHECK_SPF_PRESENT, MR_LEVEL_OK, p->domain, NULL, "%.*s",
		    (int)spf->text.n, spf->text.p);
	if (spf->good_n > 1)
		mr_dnsreport_say(p, MR_CHECK_SPF_SINGLE, MR_LEVEL_FAIL, p->domain, p->spf_fix,
		    "%zu SPF records: a permanent error", spf->good_n);
}

void
mr_dnsreport_spf(struct mr_dnsreport_pass *p)
{
	struct mr_dnsreport_spf spf;

	if (!(p->spf_fix = mr_dnsreport_fix(p)))
		return;
	memset(p->is_bad, 0, sizeof p->is_bad);
	collect(p, &spf);
	if (!p->txt || mr_is_outage(p->txt)) /* said already */
		return;
	check_present(p, &spf);
	if (spf.good_n == 1) {
		check_split(p, spf.good);
		if (!p->is_bad[MR_CHECK_SPF_SPLIT])
			judge_record(p, spf.text);
	}
	judge_senders(p, (struct mr_str){ NULL, 0 });
	if (is_bad(p))
		plan(p, &spf);
}
