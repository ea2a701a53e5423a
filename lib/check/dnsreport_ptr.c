/* The names of the sending addresses, and what they call themselves. */
#include "check/dnsreport_pass.h"
#include "dns/names.h"

#include <stdio.h>
#include <string.h>

#define TOKENS_MAX    64u /* of a name */
#define V6_DIGITS_MIN 8u  /* of an IPv6 address that are no chance in a name */

/* ---- generic names ---------------------------------------------------------------------------------- */

/* A run of digits, or of letters, of a name. */
struct token {
	struct mr_str text;
	bool is_number, is_glued; /* glued: no separator before it */
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_separator(char c)
{
	return c == '.' || c == '-' || c == '_';
}

static size_t
tokenize(struct token *t, struct mr_str name)
{
	size_t n = 0, i = 0;

	while (i < name.n && n < TOKENS_MAX) {
		size_t from = i;

		if (is_separator(name.p[i])) {
			i++;
			continue;
		}
		while (i < name.n && !is_separator(name.p[i])
		    && is_digit(name.p[i]) == is_digit(name.p[from]))
			i++;
		t[n++] = (struct token){ .text = { name.p + from, i - from },
			.is_number = is_digit(name.p[from]),
			.is_glued = from && !is_separator(name.p[from - 1]) };
	}
	return n;
}

static bool
is_word_of(struct mr_str word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (mr_str_caseis(word, list[i]))
			return true;
	return false;
}

/* A word for what is handed out to customers, beside digits other than those of "mx1". */
static bool
has_access_word(const struct token *t, size_t n)
{
	static const char *const words[] = { "dyn", "dynamic", "dynip", "dhcp", "pool", "ppp",
		"pppoe", "dsl", "adsl", "vdsl", "xdsl", "sdsl", "fttx", "ftth", "cable", "cust",
		"customer", "customers", "client", "clients", "dial", "dialup", "dialin",
		"broadband", "catv", "wimax", "unassigned" };
	static const char *const mail[] = { "mx", "mail", "smtp", "mta", "out", "relay", "mout",
		"ns", "srv", "server" };
	bool has_word = false, has_number = false;

	for (size_t i = 0; i < n; i++) {
		if (!t[i].is_number) {
			has_word |= is_word_of(t[i].text, words, sizeof words / sizeof *words);
			continue;
		}
		has_number |= !(i && t[i].is_glued
		    && is_word_of(t[i - 1].text, mail, sizeof mail / sizeof *mail));
	}
	return has_word && has_number;
}

/* Three octets of the address or more, in either direction, stand there as numbers. */
static bool
has_octets(const struct token *t, size_t n, const uint8_t *b)
{
	for (int is_back = 0; is_back < 2; is_back++)
		for (size_t from = 0; from < 2; from++) /* the first octet or the last may lack */
			for (size_t i = 0; i < n; i++) {
				size_t k = 0, j = i;

				for (; k < 3 && j < n; j++) {
					uint64_t value;
					size_t at = from + k;

					if (!t[j].is_number)
						break;
					if (!mr_str_num(t[j].text, 255, &value)
					    || value != b[is_back ? 3 - at : at])
						break;
					k++;
				}
				if (k == 3)
					return true;
			}
	return false;
}

/* The name with nothing between its letters and digits. */
static bool
has_digits(struct mr_str name, struct mr_str digits)
{
	char z[256];
	size_t n = 0;

	for (size_t i = 0; i < name.n && n < sizeof z; i++)
		if (!is_separator(name.p[i]))
			z[n++] = (char)mr_lower((unsigned char)name.p[i]);
	for (size_t i = 0; digits.n && i + digits.n <= n; i++)
		if (memcmp(z + i, digits.p, digits.n) == 0)
			return true;
	return false;
}

static bool
has_address(const struct token *t, size_t n, struct mr_str name, const struct mr_ip *ip)
{
	char z[MR_DNS_REVERSE_MAX];
	const uint8_t *b = ip->b;
	struct mr_str reverse, text;
	size_t len = 0, n6 = 0;

	if (ip->is_v6) {
		char back[33] = "", forth[33] = "";

		reverse = mr_dns_reverse(z, ip);
		for (size_t i = 0; i < reverse.n && len < 32; i += 2)
			back[len++] = reverse.p[i];
		for (size_t i = 0; i < len; i++)
			forth[i] = back[len - 1 - i];
		/* As it is written, or half of all digits: the network, or the host. */
		text = mr_ip_text(z, ip);
		for (size_t i = 0; i < text.n; i++)
			if (text.p[i] != ':')
				z[n6++] = text.p[i];
		if (n6 >= V6_DIGITS_MIN && has_digits(name, (struct mr_str){ z, n6 }))
			return true;
		return has_digits(name, (struct mr_str){ forth, 16 })
		    || has_digits(name, (struct mr_str){ back, 16 });
	}
	if (has_octets(t, n, b))
		return true;
	snprintf(z, sizeof z, "%03u%03u%03u%03u", b[0], b[1], b[2], b[3]);
	if (has_digits(name, mr_str(z)))
		return true;
	snprintf(z, sizeof z, "%02x%02x%02x%02x", b[0], b[1], b[2], b[3]);
	return has_digits(name, mr_str(z));
}

/* What stands in front of the organisational domain counts. */
static bool
is_generic(const struct mr_dnsreport_pass *p, struct mr_str name, const struct mr_ip *ip)
{
	struct mr_str org = mr_orgdomain_of(p->q->org, name);
	struct mr_str front = { name.p, name.n - org.n };
	struct token t[TOKENS_MAX];
	size_t n = tokenize(t, front);

	return has_address(t, n, front, ip) || has_access_word(t, n);
}

/* ---- one address -------------------------------------------------------------------------------------- */

static const struct mr_dns_answer *
addresses(struct mr_dnsreport_pass *p, struct mr_str name, const struct mr_ip *ip)
{
	return mr_dnsreport_ask(p, name, ip->is_v6 ? MR_DNS_AAAA : MR_DNS_A);
}

/* The PTR record as it should be: the name that the host uses, with its address. */
static void
plan_ptr(struct mr_dnsreport_pass *p, const struct mr_dnsreport_sender *s, struct mr_str owner,
    const struct mr_dns_answer *ptr, struct mr_dnsreport_fix *fix)
{
	const struct mr_dns_answer *a;
	struct mr_str helo = s->helo;

	if (!mr_dnsreport_is_host(helo) || is_generic(p, helo, &s->ip))
		return;
	a = addresses(p, helo, &s->ip);
	if (!a || !mr_dns_has_address(a, &s->ip)) {
		if (!mr_is_none(a) || !mr_domain_is_below(helo, p->domain))
			return;
		mr_dnsreport_line(p, &fix->add, mr_dnsreport_address(p, helo, &s->ip));
	}
	for (size_t i = 0; mr_is_found(ptr) && i < ptr->n; i++)
		if (!mr_str_caseeq(ptr->rec[i].text, helo))
			mr_dnsreport_line(p, &fix->remove,
			    mr_dnsreport_rr(p, owner, "PTR", "%.*s.", (int)ptr->rec[i].text.n,
			        ptr->rec[i].text.p));
	mr_dnsreport_line(
	    p, &fix->add, mr_dnsreport_rr(p, owner, "PTR", "%.*s.", (int)helo.n, helo.p));
}

/* What is wrong with the names themselves; how many are host names. */
static size_t
check_names(struct mr_dnsreport_pass *p, const struct mr_dnsreport_sender *s,
    const struct mr_dns_answer *ptr, struct mr_dnsreport_fix *fix)
{
	size_t host_n = 0;

	for (size_t i = 0; i < ptr->n; i++) {
		struct mr_str name = ptr->rec[i].text;

		if (!mr_dnsreport_is_host(name) || mr_str_caseis(name, "localhost.localdomain")) {
			mr_dnsreport_say(p, MR_CHECK_PTR_NAME, MR_LEVEL_FAIL, s->text, fix,
			    "PTR %.*s is not a public host name", (int)name.n, name.p);
			continue;
		}
		host_n++;
		if (is_generic(p, name, &s->ip))
			mr_dnsreport_say(p, MR_CHECK_PTR_GENERIC, MR_LEVEL_WARN, s->text, fix,
			    "PTR %.*s looks generic: as of a customer's line, not of a mail server",
			    (int)name.n, name.p);
	}
	if (ptr->n > 1)
		mr_dnsreport_say(p, MR_CHECK_PTR_MULTIPLE, MR_LEVEL_INFO, s->text, NULL,
		    "%zu PTR records for %.*s: keep one", ptr->n, (int)s->text.n, s->text.p);
	return host_n;
}

/* Whether a name leads back to the address. */
static void
check_back(struct mr_dnsreport_pass *p, const struct mr_dnsreport_sender *s,
    const struct mr_dns_answer *ptr, struct mr_dnsreport_fix *fix)
{
	const struct mr_dns_answer *lost = NULL;
	struct mr_str name = { NULL, 0 };
	bool is_all_known = true;

	for (size_t i = 0; i < ptr->n && i < MR_DNS_PTR_MAX; i++) {
		const struct mr_dns_answer *a;

		if (!mr_dnsreport_is_host(ptr->rec[i].text))
			continue;
		a = addresses(p, ptr->rec[i].text, &s->ip);
		mr_dnsreport_chain(p, ptr->rec[i].text, a);
		if (a && mr_dns_has_address(a, &s->ip)) {
			mr_dnsreport_say(p, MR_CHECK_PTR_FCRDNS, MR_LEVEL_OK, s->text, NULL,
			    "%.*s is %.*s, both ways", (int)s->text.n, s->text.p,
			    (int)ptr->rec[i].text.n, ptr->rec[i].text.p);
			return;
		}
		is_all_known &= a != NULL;
		lost = mr_is_outage(a) ? a : lost;
		if (!name.p)
			name = ptr->rec[i].text;
	}
	if (!is_all_known || !name.p)
		return;
	if (fix && fix->add.n == 0 && mr_domain_is_below(name, p->domain)
	    && mr_is_none(addresses(p, name, &s->ip)))
		mr_dnsreport_line(p, &fix->add, mr_dnsreport_address(p, name, &s->ip));
	if (lost)
		mr_dnsreport_say(p, MR_CHECK_PTR_FCRDNS, MR_LEVEL_ERROR, s->text, NULL,
		    "address of PTR %.*s: %s", (int)name.n, name.p, mr_dnsreport_outage_word(lost));
	else
		mr_dnsreport_say(p, MR_CHECK_PTR_FCRDNS, MR_LEVEL_FAIL, s->text, fix,
		    "PTR %.*s does not resolve to %.*s", (int)name.n, name.p, (int)s->text.n,
		    s->text.p);
}

static bool
names_it(const struct mr_dns_answer *ptr, struct mr_str helo)
{
	for (size_t i = 0; mr_is_found(ptr) && i < ptr->n; i++)
		if (mr_str_caseeq(ptr->rec[i].text, helo))
			return true;
	return false;
}

/* Only what the name's own records say, and a PTR that is in order but another: the rest was said. */
static void
check_helo(struct mr_dnsreport_pass *p, const struct mr_dnsreport_sender *s,
    const struct mr_dns_answer *ptr, bool is_ptr_good, struct mr_dnsreport_fix *ptr_fix)
{
	const struct mr_dns_answer *a;
	struct mr_dnsreport_fix *fix = mr_dnsreport_fix(p);

	if (s->helo.n == 0 || !s->is_helo_given || !fix)
		return;
	a = addresses(p, s->helo, &s->ip);
	mr_dnsreport_chain(p, s->helo, a);
	if (!a || mr_is_outage(a)) {
		if (a)
			mr_dnsreport_say(p, MR_CHECK_HELO_MATCH, MR_LEVEL_ERROR, s->text, NULL,
			    "address of HELO %.*s: %s", (int)s->helo.n, s->helo.p,
			    mr_dnsreport_outage_word(a));
		return;
	}
	if (!mr_dns_has_address(a, &s->ip)) {
		if (mr_domain_is_below(s->helo, p->domain) && a->links == 0)
			mr_dnsreport_line(p, &fix->add, mr_dnsreport_address(p, s->helo, &s->ip));
		if (is_ptr_good && !names_it(ptr, s->helo))
			for (size_t i = 0; fix->add.n && i < ptr_fix->remove.n; i++)
				mr_dnsreport_line(p, &fix->remove, ptr_fix->remove.line[i]);
		for (size_t i = 0; fix->add.n && i < ptr_fix->add.n; i++)
			mr_dnsreport_line(p, &fix->add, ptr_fix->add.line[i]);
		mr_dnsreport_say(p, MR_CHECK_HELO_MATCH, MR_LEVEL_WARN, s->text, fix,
		    "HELO %.*s does not resolve to %.*s", (int)s->helo.n, s->helo.p, (int)s->text.n,
		    s->text.p);
	} else if (is_ptr_good && !names_it(ptr, s->helo))
		mr_dnsreport_say(p, MR_CHECK_HELO_MATCH, MR_LEVEL_WARN, s->text, ptr_fix,
		    "HELO %.*s and the PTR record of %.*s do not belong together", (int)s->helo.n,
		    s->helo.p, (int)s->text.n, s->text.p);
}

static void
check_sender(struct mr_dnsreport_pass *p, const struct mr_dnsreport_sender *s)
{
	char storage[MR_DNS_PTR_NAME_MAX];
	struct mr_str owner = mr_arena_dup(p->arena, mr_dns_ptr_name(storage, &s->ip));
	struct mr_dnsreport_fix *fix = mr_dnsreport_fix(p);
	const struct mr_dns_answer *ptr;
	bool is_good = false;

	if (!owner.p || !fix)
		return;
	ptr = mr_dnsreport_ask(p, owner, MR_DNS_PTR);
	mr_dnsreport_chain(p, owner, ptr);
	if (ptr && ptr->links && !mr_is_outage(ptr)) /* RFC 2317: where the record is */
		owner = ptr->canonical;
	if (!ptr)
		addresses(p, s->helo.n ? s->helo : p->domain, &s->ip); /* will be needed */
	else if (mr_is_outage(ptr))
		mr_dnsreport_say(p, MR_CHECK_PTR_PRESENT, MR_LEVEL_ERROR, s->text, NULL,
		    "PTR of %.*s: %s", (int)s->text.n, s->text.p, mr_dnsreport_outage_word(ptr));
	else {
		plan_ptr(p, s, owner, ptr, fix);
		if (ptr->n == 0)
			mr_dnsreport_say(p, MR_CHECK_PTR_PRESENT, MR_LEVEL_FAIL, s->text, fix,
			    "%.*s has no PTR record (the provider of the address sets it)",
			    (int)s->text.n, s->text.p);
		else if (check_names(p, s, ptr, fix)) {
			size_t n = p->report->n;

			check_back(p, s, ptr, fix);
			is_good = n < p->report->n
			    && p->report->finding[p->report->n - 1].level == MR_LEVEL_OK;
		}
	}
	check_helo(p, s, ptr, is_good, fix);
}

void
mr_dnsreport_ptr(struct mr_dnsreport_pass *p)
{
	for (size_t i = 0; i < p->sender_n; i++)
		check_sender(p, &p->sender[i]);
}
