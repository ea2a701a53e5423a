#include "check/dmarc_walk.h"

#include "check/dmarc.h"
#include "mail/addr.h"

#include <string.h>

#define PREFIX          "_dmarc."
#define DNS_NAME_MAX    253u /* octets of a name in presentation form (RFC 1035 2.3.4) */
#define WALK_LABELS_MAX 7u   /* labels of the names of a walk behind its first (RFC 9989 4.10) */

/* ---- one name -------------------------------------------------------------------------------------- */

static struct mr_dmarc_place
look(struct mr_dns *dns, struct mr_str domain)
{
	struct mr_dmarc_place place = { .found = MR_DMARC_NOTHING, .domain = domain };
	const struct mr_dns_answer *answer;
	char name[DNS_NAME_MAX];
	size_t prefix_n = sizeof PREFIX - 1;

	if (domain.n > sizeof name - prefix_n || !mr_domain_is_valid(domain))
		return place;
	memcpy(name, PREFIX, prefix_n);
	memcpy(name + prefix_n, domain.p, domain.n);
	answer = mr_dns_want(dns, (struct mr_str){ name, prefix_n + domain.n }, MR_DNS_TXT);
	if (!answer || answer->result >= MR_DNS_SERVFAIL)
		place.found = answer ? MR_DMARC_OUTAGE : MR_DMARC_ASKED;
	for (size_t i = 0; answer && i < answer->n; i++) {
		if (!mr_dmarc_is_record(answer->rec[i].text))
			continue;
		place.text = answer->rec[i].text;
		place.found = place.found == MR_DMARC_NOTHING ? MR_DMARC_RECORD : MR_DMARC_SEVERAL;
	}
	return place;
}

/* ---- by the Public Suffix List (RFC 7489 6.6.3) ------------------------------------------------------ */

static void
find_by_list(struct mr_dmarc_way *way, struct mr_dns *dns, const struct mr_orgdomain *list,
    struct mr_str domain)
{
	struct mr_dmarc_place own = look(dns, domain), org;

	way->org = mr_orgdomain_of(list, domain);
	way->is_org_known = true;
	org = way->org.n == domain.n ? own : look(dns, way->org);
	way->is_asked = own.found == MR_DMARC_ASKED || org.found == MR_DMARC_ASKED;
	way->policy = own.found == MR_DMARC_NOTHING ? org : own;
}

/* ---- by the tree walk (RFC 9989 4.10) ---------------------------------------------------------------- */

static size_t
label_n(struct mr_str domain)
{
	struct mr_str label;
	size_t n = 0;

	while (mr_str_split(&domain, '.', &label))
		n++;
	return n;
}

static struct mr_str
parent(struct mr_str domain)
{
	ptrdiff_t dot = mr_str_chr(domain, '.');

	return dot < 0 ? (struct mr_str){ NULL, 0 } : mr_str_from(domain, (size_t)dot + 1);
}

/* The parent of `child` that is `n` labels below `top`, by octets: the end of `child`. */
static struct mr_str
one_label_below(struct mr_str child, struct mr_str top)
{
	while (child.n > top.n) {
		struct mr_str up = parent(child);

		if (up.n <= top.n)
			break;
		child = up;
	}
	return child;
}

/* The names of a walk that were looked at, longest first. */
struct walk {
	struct mr_dmarc_place place[MR_DMARC_WALK_MAX];
	size_t n;
	bool is_asked;
};

static void
walk(struct walk *w, struct mr_dns *dns, struct mr_str domain)
{
	struct mr_str name = domain;

	*w = (struct walk){ .n = 0 };
	while (name.p && w->n < MR_DMARC_WALK_MAX) {
		w->place[w->n] = look(dns, name);
		w->is_asked = w->is_asked || w->place[w->n].found == MR_DMARC_ASKED;
		w->n++;
		do
			name = parent(name);
		while (name.p && label_n(name) > WALK_LABELS_MAX);
	}
}

/* Rules 1 to 3 of 4.10.2.  Returns the place of the record that made it the organisational domain, or of
 * the public suffix above it; NULL: no record, or an outage. */
static const struct mr_dmarc_place *
choose_org(struct mr_dmarc_way *way, const struct walk *w, struct mr_str domain)
{
	const struct mr_dmarc_place *top = NULL;

	way->org = domain;
	way->is_org_known = true;
	for (size_t i = 0; i < w->n; i++) {
		const struct mr_dmarc_place *p = &w->place[i];
		struct mr_dmarc_record record;

		if (p->found == MR_DMARC_OUTAGE) {
			way->is_org_known = false;
			return NULL;
		}
		if (p->found != MR_DMARC_RECORD)
			continue;
		mr_dmarc_record_parse(&record, p->text, NULL);
		way->org = p->domain;
		if (record.psd == MR_DMARC_PSD_N || (record.psd == MR_DMARC_PSD_Y && i == 0))
			return p;
		if (record.psd == MR_DMARC_PSD_Y) {
			way->org = one_label_below(domain, p->domain);
			/* The organisational domain's own record goes before that of its suffix. */
			return top && top->domain.n == way->org.n ? top : p;
		}
		top = p;
	}
	return top;
}

static void
find_by_walk(struct mr_dmarc_way *way, struct mr_dns *dns, struct mr_str domain)
{
	const struct mr_dmarc_place *chosen;
	struct walk w;

	walk(&w, dns, domain);
	way->is_asked = w.is_asked;
	if (way->is_asked)
		return;
	chosen = choose_org(way, &w, domain);
	way->policy = w.place[0];
	if (w.place[0].found == MR_DMARC_NOTHING || w.place[0].found == MR_DMARC_SEVERAL) {
		if (chosen)
			way->policy = *chosen;
		else if (!way->is_org_known)
			way->policy.found = MR_DMARC_OUTAGE;
	}
}

void
mr_dmarc_find(struct mr_dmarc_way *way, struct mr_dns *dns, const struct mr_orgdomain *list,
    struct mr_str domain)
{
	*way = (struct mr_dmarc_way){ .org = domain };
	if (list)
		find_by_list(way, dns, list, domain);
	else
		find_by_walk(way, dns, domain);
}
