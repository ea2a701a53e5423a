#include "check/dnsrecord.h"

#include "check/dkim_record.h"
#include "check/dmarc_record.h"
#include "check/spf_record.h"
#include "dns/names.h"

#include <string.h>

/* What a look-up needs, and fills. */
struct look_up {
	struct mr_dnsrecord *record;
	struct mr_str name;
	const struct mr_orgdomain *org;
	struct mr_dns *dns;
	struct mr_arena *arena;
	struct mr_err *err;
};

static enum mr_status
out_of_memory(const struct look_up *l)
{
	return mr_err_set(l->err, MR_TEMP, "out of memory");
}

static enum mr_status
add_line(struct look_up *l, struct mr_str line)
{
	struct mr_dnsrecord *r = l->record;

	if (!line.p || !mr_arena_grow(l->arena, &r->line, r->n, &r->cap, sizeof line))
		return out_of_memory(l);
	r->line[r->n++] = line;
	return MR_OK;
}

static enum mr_status
end_with(struct look_up *l, enum mr_dnsrecord_state state, struct mr_str why)
{
	if (!why.p)
		return out_of_memory(l);
	l->record->state = state;
	l->record->why = why;
	return MR_OK;
}

/* There is none, or nobody tells. */
static enum mr_status
end_without(struct look_up *l, const struct mr_dns_answer *a, const char *what)
{
	if (a->result >= MR_DNS_SERVFAIL)
		return end_with(l, MR_RECORD_UNKNOWN,
		    mr_arena_fmt(l->arena, "no usable answer for %.*s: %s", (int)l->name.n,
		        l->name.p, a->result == MR_DNS_TIMEOUT ? "timeout" : "server failure"));
	return end_with(l, MR_RECORD_BAD,
	    mr_arena_fmt(l->arena, "no %s for %.*s", what, (int)l->name.n, l->name.p));
}

/* ---- kinds ---------------------------------------------------------------------------------------- */

static enum mr_status
look_up_a(struct look_up *l)
{
	const struct mr_dns_answer *all[] = { mr_dns_want(l->dns, l->name, MR_DNS_A),
		mr_dns_want(l->dns, l->name, MR_DNS_AAAA) };
	char storage[MR_IP_TEXT_MAX];
	enum mr_status st = MR_OK;

	if (!all[0] || !all[1])
		return MR_NOTFOUND;
	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; st == MR_OK && i < all[k]->n; i++)
			st = add_line(
			    l, mr_arena_dup(l->arena, mr_ip_text(storage, &all[k]->rec[i].ip)));
	if (st || l->record->n)
		return st;
	return end_without(l, all[0]->result >= MR_DNS_SERVFAIL ? all[0] : all[1], "address");
}

static enum mr_status
look_up_mx(struct look_up *l)
{
	const struct mr_dns_answer *a = mr_dns_want(l->dns, l->name, MR_DNS_MX);
	enum mr_status st = MR_OK;
	unsigned from = 0;

	if (!a)
		return MR_NOTFOUND;
	/* By preference, and in the order of the answer where it is the same. */
	for (size_t n = 0; st == MR_OK && n < a->n;) {
		unsigned next = UINT16_MAX + 1;

		for (size_t i = 0; i < a->n; i++)
			if (a->rec[i].preference >= from && a->rec[i].preference < next)
				next = a->rec[i].preference;
		for (size_t i = 0; st == MR_OK && i < a->n; i++)
			if (a->rec[i].preference == next) {
				n++;
				st = add_line(l,
				    mr_arena_fmt(l->arena, "%u %.*s", next,
				        a->rec[i].text.n ? (int)a->rec[i].text.n : 1,
				        a->rec[i].text.n ? a->rec[i].text.p : "."));
			}
		from = next + 1;
	}
	return st || a->n ? st : end_without(l, a, "MX record");
}

static enum mr_status
look_up_ptr(struct look_up *l)
{
	struct mr_dns_names names;
	struct mr_ip ip;

	if (mr_ip_parse(&ip, l->name) != MR_OK)
		return mr_err_set(l->err, MR_USAGE, "ptr: '%.*s' is not an address",
		    (int)(l->name.n < 300 ? l->name.n : 300), l->name.p);
	if (!mr_dns_names(l->dns, &ip, &names))
		return MR_NOTFOUND;
	switch (names.iprev) {
	case MR_IPREV_PASS:
		return add_line(l, names.client);
	case MR_IPREV_FAIL:
		return end_with(l, MR_RECORD_BAD,
		    mr_arena_fmt(l->arena, "%.*s does not lead back to %.*s", (int)names.reverse.n,
		        names.reverse.p, (int)l->name.n, l->name.p));
	case MR_IPREV_TEMPERROR:
		return end_with(l, MR_RECORD_UNKNOWN,
		    mr_arena_fmt(l->arena, "no usable answer for the names of %.*s", (int)l->name.n,
		        l->name.p));
	default:
		return end_with(l, MR_RECORD_BAD,
		    mr_arena_fmt(l->arena, "%.*s has no PTR record that is a host name",
		        (int)l->name.n, l->name.p));
	}
}

static bool
is_any(struct mr_str text)
{
	return text.p;
}

/* The TXT records at `name` that are of the kind become lines. */
static enum mr_status
take_txt(struct look_up *l, struct mr_str name, bool (*is_it)(struct mr_str),
    const struct mr_dns_answer **a)
{
	enum mr_status st = MR_OK;

	if (!(*a = mr_dns_want(l->dns, name, MR_DNS_TXT)))
		return MR_NOTFOUND;
	for (size_t i = 0; st == MR_OK && i < (*a)->n; i++)
		if (is_it((*a)->rec[i].text))
			st = add_line(l, (*a)->rec[i].text);
	return st;
}

/* More than one is none: RFC 7208 4.5, RFC 6376 3.6.2.2, RFC 7489 6.6.3. */
static enum mr_status
want_one(struct look_up *l, const struct mr_dns_answer *a, const char *what)
{
	if (l->record->n == 0)
		return end_without(l, a, what);
	return l->record->n == 1
	    ? MR_OK
	    : end_with(l, MR_RECORD_BAD,
	        mr_arena_fmt(l->arena, "%zu records for %.*s: there may be one", l->record->n,
	            (int)l->name.n, l->name.p));
}

static enum mr_status
look_up_spf(struct look_up *l)
{
	const struct mr_dns_answer *a;
	struct mr_spf_record record;
	enum mr_status st = take_txt(l, l->name, mr_spf_is_record, &a);
	struct mr_err why;

	if (st || (st = want_one(l, a, "SPF record")) || l->record->state != MR_RECORD_GOOD)
		return st;
	return mr_spf_record_parse(&record, l->record->line[0], &why) == MR_OK
	    ? MR_OK
	    : end_with(l, MR_RECORD_BAD, mr_arena_dup(l->arena, mr_str(why.text)));
}

static enum mr_status
look_up_dkim(struct look_up *l)
{
	const struct mr_dns_answer *a;
	struct mr_dkim_record record;
	enum mr_status st = take_txt(l, l->name, is_any, &a);
	enum mr_dkim_fault worst;

	if (st || (st = want_one(l, a, "DKIM key")) || l->record->state != MR_RECORD_GOOD)
		return st;
	if (mr_dkim_record_parse(&record, l->record->line[0], l->arena, l->err))
		return MR_TEMP;
	worst = mr_dkim_record_worst(&record);
	return worst == MR_DKIM_FAULTS
	    ? MR_OK
	    : end_with(l, MR_RECORD_BAD, mr_str(mr_dkim_fault_text(worst)));
}

static enum mr_status
look_up_dmarc(struct look_up *l)
{
	struct mr_str org = mr_orgdomain_of(l->org, l->name), owner[2];
	const struct mr_dns_answer *a = NULL, *parent;
	struct mr_dmarc_record record;
	struct mr_err why;
	enum mr_status st = MR_OK;

	owner[0] = mr_arena_fmt(l->arena, "_dmarc.%.*s", (int)l->name.n, l->name.p);
	owner[1] = mr_arena_fmt(l->arena, "_dmarc.%.*s", (int)org.n, org.p);
	if (!owner[0].p || !owner[1].p)
		return out_of_memory(l);
	parent = mr_dns_want(l->dns, owner[1], MR_DNS_TXT);
	st = take_txt(l, owner[0], mr_dmarc_is_record, &a);
	if (st == MR_OK && !parent)
		st = MR_NOTFOUND;
	if (st == MR_OK && l->record->n == 0 && a->result < MR_DNS_SERVFAIL)
		st = take_txt(l, owner[1], mr_dmarc_is_record, &a);
	if (st || (st = want_one(l, a, "DMARC record")) || l->record->state != MR_RECORD_GOOD)
		return st;
	return mr_dmarc_record_parse(&record, l->record->line[0], &why) == MR_OK
	    ? MR_OK
	    : end_with(l, MR_RECORD_BAD, mr_arena_dup(l->arena, mr_str(why.text)));
}

/* ---- the table ------------------------------------------------------------------------------------ */

static const struct {
	const char *word;
	enum mr_status (*look_up)(struct look_up *l);
} kinds[] = {
	[MR_RECORD_A] = { "a", look_up_a },
	[MR_RECORD_MX] = { "mx", look_up_mx },
	[MR_RECORD_PTR] = { "ptr", look_up_ptr },
	[MR_RECORD_SPF] = { "spf", look_up_spf },
	[MR_RECORD_DKIM] = { "dkim", look_up_dkim },
	[MR_RECORD_DMARC] = { "dmarc", look_up_dmarc },
};

bool
mr_dnsrecord_kind(enum mr_dnsrecord_kind *kind, const char *word)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(word, kinds[i].word) == 0) {
			*kind = (enum mr_dnsrecord_kind)i;
			return true;
		}
	return false;
}

enum mr_status
mr_dnsrecord_look_up(struct mr_dnsrecord *record, enum mr_dnsrecord_kind kind, struct mr_str name,
    const struct mr_orgdomain *org, struct mr_dns *dns, struct mr_arena *arena, struct mr_err *err)
{
	struct look_up l = { record, name, org, dns, arena, err };

	*record = (struct mr_dnsrecord){ .state = MR_RECORD_GOOD };
	return kinds[kind].look_up(&l);
}
