#include "check/helo.h"

#include "dns/names.h"
#include "mail/addr.h"
#include "mail/idn.h"

static const struct {
	const char *word;
	unsigned level;
} faults[] = {
	[MR_HELO_OK] = { "ok", 0 },
	[MR_HELO_MALFORMED] = { "malformed", 0 },
	[MR_HELO_OURS] = { "ours", 0 },
	[MR_HELO_NO_NAME] = { "no-name", 1 },
	[MR_HELO_OTHER_ADDRESS] = { "other-address", 1 },
	[MR_HELO_UNKNOWN] = { "unknown", 2 },
	[MR_HELO_NO_REVERSE] = { "no-reverse", 3 },
	[MR_HELO_OUTAGE] = { "outage", 2 },
};

unsigned
mr_helo_level(enum mr_helo_fault fault)
{
	return faults[fault].level;
}

const char *
mr_helo_word(enum mr_helo_fault fault)
{
	return faults[fault].word;
}

/* What hosts call themselves in practice has at least these bytes: '_' is common, brackets are forgotten. */
static bool
is_malformed(struct mr_str helo)
{
	for (size_t i = 0; i < helo.n; i++) {
		int c = mr_lower((unsigned char)helo.p[i]);

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && c < 0x80
		    && mr_str_chr(MR_STR("-._:[]"), (char)c) < 0)
			return true;
	}
	return helo.n > MR_DOMAIN_MAX;
}

static bool
is_own_ip(const struct mr_helo_query *q, const struct mr_ip *ip)
{
	struct mr_ip own;

	for (size_t i = 0; i < q->own_n; i++)
		if (mr_ip_parse(&own, q->own[i]) == MR_OK && mr_ip_eq(ip, &own))
			return true;
	return false;
}

static bool
is_loopback(const struct mr_ip *ip)
{
	static const struct mr_ip one = { .is_v6 = true, .b = { [15] = 1 } };

	return ip->is_v6 ? mr_ip_eq(ip, &one) : ip->b[0] == 127;
}

static bool
is_ours(const struct mr_helo_query *q, const struct mr_ip *literal)
{
	if (!q->ip || is_loopback(q->ip) || is_own_ip(q, q->ip))
		return false;
	if (literal)
		return is_loopback(literal) || is_own_ip(q, literal);
	for (size_t i = 0; i < q->own_n; i++)
		if (q->own[i].n && mr_str_caseeq(q->helo, q->own[i]))
			return true;
	return false;
}

/* RFC 5321 2.3.5: a name in HELO is one that the DNS resolves. */
static bool
look_up_name(enum mr_helo_fault *fault, struct mr_dns *dns, struct mr_str name)
{
	static const enum mr_dns_type types[] = { MR_DNS_A, MR_DNS_AAAA, MR_DNS_MX };
	bool is_missing = false, is_outage = false, is_found = false;

	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		const struct mr_dns_answer *a = mr_dns_want(dns, name, types[i]);

		is_missing |= !a;
		is_found |= a && a->result == MR_DNS_FOUND;
		is_outage |= a && a->result >= MR_DNS_SERVFAIL;
	}
	*fault = is_found ? MR_HELO_OK : is_outage ? MR_HELO_OUTAGE : MR_HELO_UNKNOWN;
	return !is_missing;
}

static bool
look_up_client(enum mr_helo_fault *fault, const struct mr_helo_query *q, struct mr_dns *dns)
{
	struct mr_dns_names names;

	*fault = MR_HELO_OK;
	if (!q->ip || q->client_name.n)
		return true;
	if (!mr_dns_names(dns, q->ip, &names))
		return false;
	if (names.iprev != MR_IPREV_PASS)
		*fault = names.iprev == MR_IPREV_TEMPERROR ? MR_HELO_OUTAGE : MR_HELO_NO_REVERSE;
	return true;
}

/* What can be said without the DNS; *name is what it is to be asked for, n 0 for a literal. */
static enum mr_helo_fault
judge_text(const struct mr_helo_query *q, struct mr_str *name, struct mr_arena *arena)
{
	struct mr_ip ip;
	bool is_literal = mr_domain_literal(&ip, q->helo),
	     is_address = is_literal || mr_ip_parse(&ip, q->helo) == MR_OK;

	*name = (struct mr_str){ NULL, 0 };
	if (is_malformed(q->helo))
		return MR_HELO_MALFORMED;
	if (is_ours(q, is_address ? &ip : NULL))
		return MR_HELO_OURS;
	if (q->level < 1)
		return MR_HELO_OK;
	if (is_literal)
		return q->ip && !mr_ip_eq(q->ip, &ip) ? MR_HELO_OTHER_ADDRESS : MR_HELO_OK;
	if (is_address || !mr_domain_is_valid(q->helo) || mr_str_chr(q->helo, '.') < 0
	    || mr_domain_to_ascii(name, arena, q->helo, NULL))
		return MR_HELO_NO_NAME;
	return MR_HELO_OK;
}

bool
mr_helo_check(enum mr_helo_fault *fault, const struct mr_helo_query *given, struct mr_dns *dns,
    struct mr_arena *arena)
{
	struct mr_helo_query q = *given;
	enum mr_helo_fault of_client = MR_HELO_OK;
	struct mr_str name;
	bool is_known = true;

	if (q.helo.n && q.helo.p[q.helo.n - 1] == '.') /* the root: some write it */
		q.helo.n--;
	*fault = judge_text(&q, &name, arena);
	if (*fault != MR_HELO_OK)
		return true;
	if (q.level >= 2 && name.n)
		is_known = look_up_name(fault, dns, name);
	if (q.level >= 3)
		is_known &= look_up_client(&of_client, &q, dns);
	if (*fault == MR_HELO_OK || (*fault == MR_HELO_OUTAGE && of_client == MR_HELO_NO_REVERSE))
		*fault = of_client;
	return is_known;
}
