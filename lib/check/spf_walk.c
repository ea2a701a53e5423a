#include "check/spf_walk.h"

#include "mail/addr.h"

#include "dns/names.h"

#include <stdarg.h>
#include <stdio.h>

enum mr_spf_outcome
mr_spf_end_with(struct mr_spf_walk *w, enum mr_spf_result result, const char *fmt, ...)
{
	char words[MR_ERR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	w->end = result;
	w->problem = mr_arena_dup(w->arena, mr_str(words));
	return MR_SPF_END;
}

enum mr_spf_outcome
mr_spf_give_up(struct mr_spf_walk *w)
{
	w->fault = MR_TEMP;
	w->end = MR_SPF_TEMPERROR;
	return MR_SPF_END;
}

/* ---- the DNS ---------------------------------------------------------------------------------- */

bool
mr_spf_is_name(struct mr_str s)
{
	struct mr_str label;

	if (s.n == 0 || s.n > MR_SPF_NAME_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	while (mr_str_split(&s, '.', &label))
		if (label.n == 0 || label.n > 63)
			return false;
	return true;
}

static const char *
type_word(enum mr_dns_type type)
{
	return type == MR_DNS_A   ? "A"
	    : type == MR_DNS_AAAA ? "AAAA"
	    : type == MR_DNS_MX   ? "MX"
	    : type == MR_DNS_PTR  ? "PTR"
	                          : "TXT";
}

const char *
mr_spf_answer_word(enum mr_dns_result result)
{
	static const char *const words[] = { "found", "no data", "no such name", "server failure",
		"refused", "time-out", "broken answer" };

	return words[result];
}

/* The answer for an mr_spf_is_name(), or NULL: it is asked now.  The name comes from records and senders:
 * in presentation form (RFC 1035 5.1) a backslash of theirs must not count as one. */
const struct mr_dns_answer *
mr_spf_look_up(struct mr_spf_walk *w, struct mr_str name, enum mr_dns_type type)
{
	const struct mr_dns_answer *answer;
	char storage[4 * MR_SPF_NAME_MAX + 1];
	struct mr_str text = { storage, 0 };

	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];

		if (c > ' ' && c < 0x7f && c != '\\')
			storage[text.n++] = (char)c;
		else
			text.n += (size_t)snprintf(storage + text.n, 5, "\\%03u", c);
	}
	answer = mr_dns_want(w->dns, text, type);
	if (!answer)
		w->is_pending = true;
	else if (w->query->trace) {
		MR_LOG(w->query->trace, MR_LOG_DEBUG, "spf", { "lookup", text },
		    { "type", mr_str(type_word(type)) },
		    { "answer", mr_str(mr_spf_answer_word(answer->result)) });
	}
	return answer;
}

enum mr_spf_outcome
mr_spf_end_outage(struct mr_spf_walk *w, struct mr_str name, enum mr_dns_type type,
    const struct mr_dns_answer *answer)
{
	return mr_spf_end_with(w, MR_SPF_TEMPERROR, "%s of %.*s: %s", type_word(type), (int)name.n,
	    name.p, mr_spf_answer_word(answer->result));
}

enum mr_spf_outcome
mr_spf_look_up_counted(struct mr_spf_walk *w, struct mr_str name, enum mr_dns_type type,
    const struct mr_dns_answer **found)
{
	const struct mr_dns_answer *a = mr_spf_look_up(w, name, type);

	*found = NULL;
	if (!a)
		return MR_SPF_NO;
	switch (a->result) {
	case MR_DNS_FOUND:
		*found = a;
		return MR_SPF_NO;
	case MR_DNS_NODATA:
	case MR_DNS_NXDOMAIN:
		if (++w->voids_n > MR_SPF_VOID_MAX)
			return mr_spf_end_with(w, MR_SPF_PERMERROR,
			    "more than %u void lookups (RFC 7208 4.6.4)", MR_SPF_VOID_MAX);
		return MR_SPF_NO;
	default:
		return mr_spf_end_outage(w, name, type, a);
	}
}

enum mr_dns_type
mr_spf_address_type(const struct mr_spf_walk *w)
{
	return w->query->ip->is_v6 ? MR_DNS_AAAA : MR_DNS_A;
}

/* ---- names ------------------------------------------------------------------------------------ */

bool
mr_spf_is_host(struct mr_str name)
{
	return mr_spf_is_name(name) && mr_str_chr(name, '\\') < 0;
}

struct mr_str
mr_spf_validated_name(
    struct mr_spf_walk *w, struct mr_str domain, bool is_any, const struct mr_dns_answer *ptr)
{
	struct mr_str best = { NULL, 0 };
	int best_rank = 0;

	for (size_t i = 0; i < ptr->n && i < MR_SPF_PTR_MAX; i++) {
		struct mr_str name = ptr->rec[i].text;
		const struct mr_dns_answer *a;
		int rank = mr_str_caseeq(name, domain) ? 3
		    : mr_domain_is_below(name, domain) ? 2
		                                       : is_any;

		if (rank == 0 || !mr_spf_is_host(name))
			continue;
		a = mr_spf_look_up(w, name, mr_spf_address_type(w));
		if (a && mr_dns_has_address(a, w->query->ip) && rank > best_rank) {
			best = name;
			best_rank = rank;
		}
	}
	return best;
}

/* %{p} (7.3). */
static struct mr_str
macro_p(struct mr_spf_walk *w, struct mr_str domain)
{
	char storage[MR_DNS_PTR_NAME_MAX];
	struct mr_str name = { NULL, 0 };
	const struct mr_dns_answer *ptr =
	    mr_spf_look_up(w, mr_dns_ptr_name(storage, w->query->ip), MR_DNS_PTR);

	if (ptr && ptr->result == MR_DNS_FOUND)
		name = mr_spf_validated_name(w, domain, true, ptr);
	return name.p ? name : MR_STR("unknown");
}

struct mr_str
mr_spf_expand_for(struct mr_spf_walk *w, struct mr_str text, struct mr_str domain, size_t max)
{
	struct mr_spf_macros macros = w->macros;
	struct mr_str out = { NULL, 0 };
	struct mr_buf b;

	macros.domain = domain;
	if (mr_spf_uses(text, 'p'))
		macros.validated = macro_p(w, domain);
	mr_buf_init(&b, max);
	mr_spf_expand(&b, text, &macros);
	if (!b.is_full && !(out = mr_arena_dup(w->arena, mr_buf_str(&b))).p)
		w->fault = mr_err_set(w->err, MR_TEMP, "out of memory");
	mr_buf_free(&b);
	return out;
}

bool
mr_spf_target_name(
    struct mr_spf_walk *w, struct mr_str spec, struct mr_str domain, struct mr_str *name)
{
	bool was_pending = w->is_pending, has_all;

	*name = domain;
	if (!spec.p)
		return true;
	w->is_pending = false;
	*name = mr_spf_expand_for(w, spec, domain, MR_SPF_EXPANDED_MAX);
	has_all = !w->is_pending;
	w->is_pending |= was_pending;
	if (!has_all)
		return false;
	if (name->n && name->p[name->n - 1] == '.')
		name->n--;
	/* 7.3: too long a name loses labels on the left. */
	while (name->n > MR_SPF_NAME_MAX) {
		ptrdiff_t dot = mr_str_chr(*name, '.');

		if (dot < 0)
			return false;
		*name = mr_str_from(*name, (size_t)dot + 1);
	}
	return mr_spf_is_name(*name);
}
