#include "check/spf_tree.h"

#include "check/spf_walk.h"

#define TERM_ASKS 22u /* questions of one term: an mx, and two for each of its ten hosts */

/* A record on the way down to the present one. */
struct level {
	const struct level *above; /* NULL: the first */
	struct mr_str domain;
	struct mr_str root; /* the term of the first record that led here; p NULL: none */
	bool is_policy; /* its "all" is the domain's: the first record, and where it redirects */
	unsigned depth;
};

struct walk {
	struct mr_spf_walk *w;
	struct mr_spf_tree *tree;
};

static void
note(struct walk *k, const struct level *at, const struct mr_spf_term *t, struct mr_spf_note n)
{
	struct mr_spf_tree *tree = k->tree;

	n.domain = at->domain;
	n.term = t->text;
	n.root = at->root.p ? at->root : t->text;
	if (mr_arena_grow(k->w->arena, &tree->note, tree->n, &tree->cap, sizeof n))
		tree->note[tree->n++] = n;
	else
		k->w->fault = mr_err_set(k->w->err, MR_TEMP, "out of memory");
}

/* What only the sender of a message decides is no fault of the record. */
static bool
is_of_sender(struct mr_str spec)
{
	static const char letters[] = "slhpiv";

	for (size_t i = 0; spec.p && letters[i]; i++)
		if (mr_spf_uses(spec, letters[i]))
			return true;
	return false;
}

static void
note_outage(struct walk *k, const struct level *at, const struct mr_spf_term *t, struct mr_str name,
    const struct mr_dns_answer *a)
{
	note(k, at, t,
	    (struct mr_spf_note){ .kind = MR_SPF_NOTE_OUTAGE,
	        .name = name,
	        .why = mr_str(mr_spf_answer_word(a->result)) });
}

/* A name of which an address is wanted: void if it has none of either family. */
static void
visit_host(struct walk *k, const struct level *at, const struct mr_spf_term *t, struct mr_str name)
{
	const struct mr_dns_answer *a = mr_spf_look_up(k->w, name, MR_DNS_A);
	const struct mr_dns_answer *aaaa = mr_spf_look_up(k->w, name, MR_DNS_AAAA);

	if (!a || !aaaa || a->result == MR_DNS_FOUND || aaaa->result == MR_DNS_FOUND)
		return;
	if (a->result >= MR_DNS_SERVFAIL || aaaa->result >= MR_DNS_SERVFAIL)
		note_outage(k, at, t, name, a->result >= MR_DNS_SERVFAIL ? a : aaaa);
	else
		note(k, at, t, (struct mr_spf_note){ .kind = MR_SPF_NOTE_VOID, .name = name });
}

static void
visit_mx(struct walk *k, const struct level *at, const struct mr_spf_term *t, struct mr_str name)
{
	const struct mr_dns_answer *a = mr_spf_look_up(k->w, name, MR_DNS_MX);

	if (!a)
		return;
	if (a->result >= MR_DNS_SERVFAIL)
		note_outage(k, at, t, name, a);
	else if (a->result != MR_DNS_FOUND)
		note(k, at, t, (struct mr_spf_note){ .kind = MR_SPF_NOTE_VOID, .name = name });
	else if (a->n > MR_SPF_MX_MAX)
		note(k, at, t,
		    (struct mr_spf_note){ .kind = MR_SPF_NOTE_MANY_MX, .name = name, .n = a->n });
	for (size_t i = 0; i < a->n && i < MR_SPF_MX_MAX; i++)
		if (mr_spf_is_host(a->rec[i].text))
			visit_host(k, at, t, a->rec[i].text);
}

static void
visit_exists(
    struct walk *k, const struct level *at, const struct mr_spf_term *t, struct mr_str name)
{
	const struct mr_dns_answer *a = mr_spf_look_up(k->w, name, MR_DNS_A);

	if (a && a->result >= MR_DNS_SERVFAIL)
		note_outage(k, at, t, name, a);
	else if (a && a->result != MR_DNS_FOUND)
		note(k, at, t, (struct mr_spf_note){ .kind = MR_SPF_NOTE_VOID, .name = name });
}

static void visit_record(struct walk *k, const struct level *at, struct mr_str text);

/* The record of `name`, one level down. */
static void
visit_below(struct walk *k, const struct level *at, const struct mr_spf_term *t, struct mr_str name)
{
	struct level below = { .above = at,
		.domain = name,
		.root = at->root.p ? at->root : t->text,
		.is_policy = at->is_policy && t->kind == MR_SPF_REDIRECT,
		.depth = at->depth + 1 };
	const struct mr_dns_answer *a;
	struct mr_str text = { NULL, 0 };
	struct mr_spf_record record;
	struct mr_err why;
	size_t n = 0;

	for (const struct level *l = at; l; l = l->above)
		if (mr_str_caseeq(l->domain, name)) {
			note(k, at, t,
			    (struct mr_spf_note){ .kind = MR_SPF_NOTE_LOOP, .name = name });
			return;
		}
	a = mr_spf_look_up(k->w, name, MR_DNS_TXT);
	if (!a || below.depth > MR_SPF_TREE_DEPTH_MAX)
		return;
	if (a->result >= MR_DNS_SERVFAIL) {
		note_outage(k, at, t, name, a);
		return;
	}
	for (size_t i = 0; a->result == MR_DNS_FOUND && i < a->n; i++)
		if (mr_spf_is_record(a->rec[i].text)) {
			text = a->rec[i].text;
			n++;
		}
	if (n != 1)
		note(k, at, t,
		    (struct mr_spf_note){ .kind = MR_SPF_NOTE_NO_RECORD, .name = name, .n = n });
	else if (mr_spf_record_parse(&record, text, &why))
		note(k, at, t,
		    (struct mr_spf_note){ .kind = MR_SPF_NOTE_WRONG,
		        .name = name,
		        .why = mr_arena_dup(k->w->arena, mr_str(why.text)) });
	else
		visit_record(k, &below, text);
}

/* False: what a term may ask does not fit into the batch; the next walk has room. */
static bool
has_room(struct walk *k)
{
	if (mr_dns_waiting(k->w->dns) + TERM_ASKS <= MR_DNS_BATCH_MAX)
		return true;
	k->w->is_pending = true;
	return false;
}

static void
visit_term(struct walk *k, const struct level *at, const struct mr_spf_term *t)
{
	struct mr_str name;

	if (t->kind == MR_SPF_PTR)
		note(k, at, t, (struct mr_spf_note){ .kind = MR_SPF_NOTE_PTR });
	if (++k->tree->lookups_n > MR_SPF_TREE_TERMS_MAX || is_of_sender(t->spec) || !has_room(k)
	    || !mr_spf_target_name(k->w, t->spec, at->domain, &name))
		return;
	switch (t->kind) {
	case MR_SPF_A:
		visit_host(k, at, t, name);
		break;
	case MR_SPF_MX:
		visit_mx(k, at, t, name);
		break;
	case MR_SPF_EXISTS:
		visit_exists(k, at, t, name);
		break;
	case MR_SPF_INCLUDE:
	case MR_SPF_REDIRECT:
		visit_below(k, at, t, name);
		break;
	default:
		break;
	}
}

/* Mechanisms up to "all", else redirect at the end (sections 5.1, 6.1).  Its depth is bounded. */
static void
visit_record(struct walk *k, const struct level *at, struct mr_str text)
{
	struct mr_spf_term t, redirect = { .kind = MR_SPF_ALL };
	struct mr_str rest = mr_str_from(text, 6);

	if (at->is_policy) {
		k->tree->last_domain = at->domain;
		k->tree->is_last_known = true;
	}
	while (mr_spf_term_next(&rest, &t, NULL) == MR_OK) {
		if (t.kind == MR_SPF_REDIRECT)
			redirect = t;
		else if (t.kind == MR_SPF_ALL) {
			if (at->is_policy)
				k->tree->last = t.text;
			return;
		} else if (mr_spf_term_is_counted(&t))
			visit_term(k, at, &t);
	}
	if (redirect.kind == MR_SPF_REDIRECT) {
		k->tree->is_last_known &= !at->is_policy;
		visit_term(k, at, &redirect);
	}
}

enum mr_status
mr_spf_tree_walk(struct mr_spf_tree *tree, const struct mr_spf_query *query, struct mr_dns *dns,
    struct mr_arena *arena, struct mr_err *err)
{
	struct mr_spf_walk w = { .query = query, .dns = dns, .arena = arena, .err = err };
	struct walk k = { &w, tree };
	struct level first = { .domain = mr_spf_set_identity(&w), .is_policy = true };

	*tree = (struct mr_spf_tree){ .lookups_n = 0 };
	visit_record(&k, &first, query->record);
	return w.fault ? w.fault : w.is_pending ? MR_NOTFOUND : MR_OK;
}
