#include "check/dnsbl.h"

#include "dns/names.h"
#include "mail/addr.h"

static const char *const words[] = {
	[MR_DNSBL_PENDING] = "pending",
	[MR_DNSBL_CLEAR] = "clear",
	[MR_DNSBL_OTHER] = "other",
	[MR_DNSBL_LISTED] = "listed",
	[MR_DNSBL_LATE] = "late",
	[MR_DNSBL_REFUSES] = "refuses",
	[MR_DNSBL_NO_LIST] = "no-list",
	[MR_DNSBL_LISTS_ALL] = "lists-all",
	[MR_DNSBL_LISTS_NOBODY] = "lists-nobody",
};

const char *
mr_dnsbl_word(enum mr_dnsbl_said said)
{
	return words[said];
}

/* ---- the syntax of sites ------------------------------------------------------------------------ */

bool
mr_dnsbl_weight(struct mr_str text, int *weight)
{
	bool is_negative = text.n && text.p[0] == '-';
	uint64_t n;

	if (!mr_str_num(is_negative ? mr_str_from(text, 1) : text, MR_DNSBL_WEIGHT_MAX, &n))
		return false;
	*weight = is_negative ? -(int)n : (int)n;
	return true;
}

static bool
take_char(struct mr_str *rest, char c)
{
	if (!rest->n || rest->p[0] != c)
		return false;
	*rest = mr_str_from(*rest, 1);
	return true;
}

static bool
take_octet(struct mr_str *rest, unsigned *value)
{
	struct mr_str digits = { rest->p, 0 };
	uint64_t n;

	while (digits.n < rest->n && rest->p[digits.n] >= '0' && rest->p[digits.n] <= '9')
		digits.n++;
	if (!mr_str_num(digits, 255, &n))
		return false;
	*value = (unsigned)n;
	*rest = mr_str_from(*rest, digits.n);
	return true;
}

/* "7", or "7..9" where that is let. */
static bool
take_range(struct mr_str *rest, uint8_t *octet, bool may_end)
{
	unsigned from, to;

	if (!take_octet(rest, &from))
		return false;
	to = from;
	if (may_end && take_char(rest, '.')
	    && (!take_char(rest, '.') || !take_octet(rest, &to) || to < from))
		return false;
	for (unsigned v = from; v <= to; v++)
		octet[v / 8] |= (uint8_t)(1u << v % 8);
	return true;
}

static bool
take_pattern(struct mr_str *rest, uint8_t *octet)
{
	if (!take_char(rest, '['))
		return take_range(rest, octet, false);
	do
		if (!take_range(rest, octet, true))
			return false;
	while (take_char(rest, ';'));
	return take_char(rest, ']');
}

static bool
octet_may_be(const uint8_t *octet, unsigned value)
{
	return octet[value / 8] >> value % 8 & 1;
}

static bool
read_filter(struct mr_dnsbl_site *site, struct mr_str filter)
{
	for (size_t i = 0; i < 4; i++)
		if ((i && !take_char(&filter, '.')) || !take_pattern(&filter, site->octet[i]))
			return false;
	for (unsigned v = 0; v < 256; v++)
		if (octet_may_be(site->octet[0], v) != (v == 127))
			return false;
	return filter.n == 0;
}

enum mr_status
mr_dnsbl_site_parse(struct mr_dnsbl_site *site, struct mr_str text, struct mr_err *err)
{
	struct mr_str rest = text, filter = MR_STR("127.[0..255].[0..255].[0..255]");
	ptrdiff_t star = mr_str_rchr(text, '*'), equals;
	struct mr_ip ip;

	*site = (struct mr_dnsbl_site){ .weight = 1 };
	if (star >= 0) {
		if (!mr_dnsbl_weight(mr_str_from(text, (size_t)star + 1), &site->weight))
			return mr_err_set(err, MR_USAGE,
			    "'%.*s': behind '*' need a number up to %d", (int)text.n, text.p,
			    MR_DNSBL_WEIGHT_MAX);
		rest.n = (size_t)star;
	}
	equals = mr_str_chr(rest, '=');
	if (equals >= 0) {
		filter = mr_str_from(rest, (size_t)equals + 1);
		rest.n = (size_t)equals;
	}
	if (!read_filter(site, filter))
		return mr_err_set(err, MR_USAGE,
		    "'%.*s': behind '=' need 127.d.d.d, each d a number or like [2;4;10..11]",
		    (int)text.n, text.p);
	if (!mr_domain_is_valid(rest) || mr_ip_parse(&ip, rest) == MR_OK)
		return mr_err_set(err, MR_USAGE,
		    "'%.*s': no domain of a list (an address by hand: -i)", (int)text.n, text.p);
	site->zone = rest;
	return MR_OK;
}

/* ---- asking ------------------------------------------------------------------------------------- */

/* What follows RFC 5782: an A record in 127.0.0.0/8.  Lists say in 127.255.255.0/24 that they do not serve who
 * asks; that and what is outside comes first, for then nothing of it can be believed. */
static enum mr_dnsbl_said
read_answer(const struct mr_dnsbl_site *site, const struct mr_dns_answer *answer)
{
	enum mr_dnsbl_said said = MR_DNSBL_CLEAR;

	if (answer->result >= MR_DNS_SERVFAIL)
		return MR_DNSBL_LATE;
	for (size_t i = 0; i < answer->n; i++) {
		const uint8_t *b = answer->rec[i].ip.b;
		bool counts = true;

		if (b[0] != 127)
			return MR_DNSBL_NO_LIST;
		if (b[1] == 255 && b[2] == 255)
			return MR_DNSBL_REFUSES;
		for (size_t k = 0; k < 4; k++)
			counts &= octet_may_be(site->octet[k], b[k]);
		if (counts || said == MR_DNSBL_CLEAR)
			said = counts ? MR_DNSBL_LISTED : MR_DNSBL_OTHER;
	}
	return said;
}

/* Asks about `key`; *f becomes what it says if that weighs more than what is there. */
static void
ask(struct mr_dnsbl_finding *f, const struct mr_dnsbl_site *site, struct mr_str key,
    struct mr_dns *dns, struct mr_arena *arena)
{
	/* What hides nothing, and what must not hide anything. */
	static const int rank[] = { [MR_DNSBL_CLEAR] = 0,
		[MR_DNSBL_OTHER] = 1,
		[MR_DNSBL_LATE] = 2,
		[MR_DNSBL_LISTED] = 3,
		[MR_DNSBL_PENDING] = 4,
		[MR_DNSBL_REFUSES] = 5,
		[MR_DNSBL_NO_LIST] = 5 };
	struct mr_str asked =
	    mr_arena_fmt(arena, "%.*s.%.*s", (int)key.n, key.p, (int)site->zone.n, site->zone.p);
	const struct mr_dns_answer *answer = mr_dns_want(dns, asked, MR_DNS_A);
	enum mr_dnsbl_said said = answer ? read_answer(site, answer) : MR_DNSBL_PENDING;

	if (!f->asked.p || rank[said] > rank[f->said])
		*f = (struct mr_dnsbl_finding){ .said = said, .asked = asked, .answer = answer };
}

/* What the list says of all of `key`, joined. */
static struct mr_dnsbl_finding
ask_all(const struct mr_dnsbl_site *site, const struct mr_str *key, size_t n, struct mr_dns *dns,
    struct mr_arena *arena)
{
	struct mr_dnsbl_finding f = { .said = MR_DNSBL_CLEAR };

	for (size_t i = 0; i < n; i++)
		ask(&f, site, key[i], dns, arena);
	return f;
}

/* RFC 5782 section 5.  A list that serves both families may have the entries of one only.  False: more
 * was asked. */
static bool
test_list(struct mr_dnsbl_finding *f, const struct mr_dnsbl_site *site, bool of_names, bool is_v6,
    struct mr_dns *dns, struct mr_arena *arena)
{
	static const struct mr_ip two = { .b = { 127, 0, 0, 2 } }, one = { .b = { 127, 0, 0, 1 } },
	                          two6 = { .is_v6 = true,
		                          .b = { [10] = 255, [11] = 255, [12] = 127, [15] = 2 } },
	                          one6 = { .is_v6 = true,
		                          .b = { [10] = 255, [11] = 255, [12] = 127, [15] = 1 } };
	char text[4][MR_DNS_REVERSE_MAX];
	struct mr_str must[2] = { MR_STR("test") }, must_not[2] = { MR_STR("invalid") };
	size_t n = is_v6 && !of_names ? 2 : 1;
	struct mr_dnsbl_finding good, bad;

	if (!of_names) {
		must[0] = mr_dns_reverse(text[0], &two);
		must[1] = mr_dns_reverse(text[1], &two6);
		must_not[0] = mr_dns_reverse(text[2], &one);
		must_not[1] = mr_dns_reverse(text[3], &one6);
	}
	good = ask_all(site, must, n, dns, arena);
	bad = ask_all(site, must_not, n, dns, arena);
	if (good.said == MR_DNSBL_PENDING || bad.said == MR_DNSBL_PENDING)
		return false;
	if (bad.said == MR_DNSBL_LISTED || bad.said == MR_DNSBL_OTHER) {
		*f = bad;
		f->said = MR_DNSBL_LISTS_ALL;
	} else if (good.said == MR_DNSBL_CLEAR) {
		*f = good;
		f->said = MR_DNSBL_LISTS_NOBODY;
	} else if (good.said >= MR_DNSBL_REFUSES || bad.said >= MR_DNSBL_REFUSES)
		*f = good.said >= MR_DNSBL_REFUSES ? good : bad;
	return true;
}

bool
mr_dnsbl_check(struct mr_dnsbl_finding *f, const struct mr_dnsbl_site *site, bool of_names,
    const struct mr_dnsbl_subject *subject, bool wants_test, struct mr_dns *dns,
    struct mr_arena *arena)
{
	bool is_v6 = subject->ip && subject->ip->is_v6, is_tested = true;
	char reverse[MR_DNS_REVERSE_MAX];
	struct mr_dnsbl_finding test;

	if (of_names)
		*f = ask_all(site, subject->name, subject->name_n, dns, arena);
	else {
		struct mr_str key = { NULL, 0 };

		if (subject->ip)
			key = mr_dns_reverse(reverse, subject->ip);
		*f = ask_all(site, &key, subject->ip != NULL, dns, arena);
	}
	if (of_names && f->said == MR_DNSBL_LISTED)
		f->about = (struct mr_str){ f->asked.p, f->asked.n - site->zone.n - 1 };
	if (wants_test || f->said == MR_DNSBL_LISTED) {
		test = *f;
		is_tested = test_list(&test, site, of_names, is_v6, dns, arena);
		if (is_tested && f->said != MR_DNSBL_PENDING && f->said < MR_DNSBL_REFUSES)
			*f = test;
	}
	return is_tested && f->said != MR_DNSBL_PENDING;
}
