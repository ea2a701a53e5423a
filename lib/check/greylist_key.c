#include "check/greylist_key.h"

#include "mail/addr.h"

#include <stdio.h>
#include <string.h>

#define ID_MIN 8u /* letters and digits together are an id from this length on */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool
is_alnum(char c)
{
	return is_digit(c) || is_letter((char)mr_lower((unsigned char)c));
}

/* ---- the sender ---------------------------------------------------------------------------------- */

/* What is behind the next `n` pieces that end in '='; false if there are fewer. */
static bool
skip_pieces(struct mr_str *s, unsigned n)
{
	struct mr_str rest = *s, piece;

	while (n-- > 0)
		if (!mr_str_split(&rest, '=', &piece) || !rest.p)
			return false;
	*s = rest;
	return true;
}

/* A local part is written anew as `front`, then `rest`; both are views of it, or constants. */
struct local {
	struct mr_str front, host, rest;
	bool is_srs;
};

/* srs0=HASH=TIME=domain=local, srs1=HASH=host==HASH=TIME=domain=local, prvs=TAG=local.  Behind srs0 and srs1 may
 * stand '+' or '-', too. */
static void
unwrap(struct local *l)
{
	struct mr_str s = l->rest, host;
	bool is_srs0 = mr_str_starts(s, "srs0"), is_srs1 = mr_str_starts(s, "srs1");

	if (mr_str_starts(s, "prvs=")) {
		s = mr_str_from(s, 5);
		if (skip_pieces(&s, 1))
			l->rest = s;
		return;
	}
	if ((!is_srs0 && !is_srs1) || s.n < 6 || mr_str_chr(MR_STR("=+-"), s.p[4]) < 0)
		return;
	s = mr_str_from(s, 5);
	if (is_srs0 ? !skip_pieces(&s, 2) : !skip_pieces(&s, 1))
		return;
	if (is_srs1) {
		if (!mr_str_split(&s, '=', &host) || !s.n)
			return;
		l->host = host;
		s = mr_str_from(s, 1); /* the separator of the inner address */
		if (!skip_pieces(&s, 2))
			return;
	}
	l->front = is_srs0 ? MR_STR("srs0=") : MR_STR("srs1=");
	l->rest = s;
	l->is_srs = true;
}

/* Cuts off the recipient that a mailing list has put in: list-12-user=domain, and what is behind '+'.  Returns
 * what stands for it. */
static struct mr_str
cut(struct mr_str *s)
{
	ptrdiff_t equal = mr_str_chr(*s, '='), plus = mr_str_chr(*s, '+');

	if (plus > 0 && (equal < 0 || plus < equal)) {
		s->n = (size_t)plus;
		return MR_STR("+");
	}
	if (equal < 0)
		return MR_STR("");
	s->n = (size_t)equal;
	s->n = (size_t)(mr_str_rchr(*s, '-') + 1);
	return MR_STR("=");
}

/* Writes `s` to `out` with '#' for numbers and ids; returns the bytes written, at most s.n. */
static size_t
fold(char *out, struct mr_str s)
{
	size_t n = 0, end;

	for (size_t i = 0; i < s.n; i = end) {
		bool has_digit = false, has_letter = false;

		for (end = i; end < s.n && is_alnum(s.p[end]); end++) {
			has_digit |= is_digit(s.p[end]);
			has_letter |= is_letter(s.p[end]);
		}
		if (end == i)
			out[n++] = s.p[end++];
		else if (has_digit && (!has_letter || end - i >= ID_MIN))
			out[n++] = '#';
		else {
			memcpy(out + n, s.p + i, end - i);
			n += end - i;
		}
	}
	return n;
}

struct mr_str
mr_greylist_sender(struct mr_arena *arena, struct mr_str sender)
{
	char *lower = mr_arena_alloc(arena, sender.n + 1), *out;
	ptrdiff_t at = mr_str_rchr(sender, '@');
	struct local l = { .front = MR_STR(""), .host = MR_STR("") };
	struct mr_str domain, end;
	size_t n = 0;

	/* Longer by what is constant in it, at most. */
	out = mr_arena_alloc(arena, sender.n + sizeof "srs1==+");
	if (!lower || !out)
		return (struct mr_str){ NULL, 0 };
	for (size_t i = 0; i < sender.n; i++)
		lower[i] = (char)mr_lower((unsigned char)sender.p[i]);
	l.rest = (struct mr_str){ lower, at < 0 ? sender.n : (size_t)at };
	domain = (struct mr_str){ lower + l.rest.n, sender.n - l.rest.n };
	unwrap(&l);
	end = l.is_srs ? MR_STR("") : cut(&l.rest);
	memcpy(out, l.front.p, l.front.n);
	n = l.front.n;
	if (l.is_srs && l.host.n) {
		memcpy(out + n, l.host.p, l.host.n);
		n += l.host.n;
		out[n++] = '=';
	}
	n += fold(out + n, l.rest);
	memcpy(out + n, end.p, end.n);
	n += end.n;
	memcpy(out + n, domain.p, domain.n);
	return (struct mr_str){ out, n + domain.n };
}

/* ---- the client ---------------------------------------------------------------------------------- */

static bool
is_pool_word(struct mr_str word)
{
	static const char *const words[] = { "dyn", "dynamic", "dynip", "dhcp", "dial", "dialin",
		"dialup", "dsl", "adsl", "sdsl", "vdsl", "xdsl", "ppp", "pppoe", "pool", "pools",
		"cable", "catv", "cust", "customer", "broadband", "residential", "mobile" };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (mr_str_caseis(word, words[i]))
			return true;
	return false;
}

/* Two of the octets, as numbers that no letter touches (mx1 is a name), whatever the order; equal octets want
 * as many numbers. */
static bool
has_octets(struct mr_str host, const struct mr_ip *ip)
{
	bool is_seen[4] = { false };
	unsigned seen = 0;
	size_t end;

	for (size_t i = 0; i < host.n; i = end + 1) {
		uint64_t number;

		for (end = i; end < host.n && is_alnum(host.p[end]); end++)
			;
		if (!mr_str_num((struct mr_str){ host.p + i, end - i }, 255, &number))
			continue;
		for (unsigned k = 0; k < 4; k++)
			if (!is_seen[k] && ip->b[k] == number) {
				is_seen[k] = true;
				seen++;
				break;
			}
	}
	return seen >= 2;
}

/* The last 32 bits in hex, whatever stands between the digits. */
static bool
has_hex(struct mr_str host, const struct mr_ip *ip)
{
	const uint8_t *last = ip->b + (ip->is_v6 ? 12 : 0);
	char bare[MR_DOMAIN_MAX], hex[9];
	size_t n = 0;

	snprintf(hex, sizeof hex, "%02x%02x%02x%02x", last[0], last[1], last[2], last[3]);
	for (size_t i = 0; i < host.n && n < sizeof bare; i++)
		if (mr_str_chr(MR_STR("-.:"), host.p[i]) < 0)
			bare[n++] = (char)mr_lower((unsigned char)host.p[i]);
	return memmem(bare, n, hex, sizeof hex - 1) != NULL;
}

bool
mr_greylist_is_generic(struct mr_str host, const struct mr_ip *ip)
{
	size_t end;

	for (size_t i = 0; i < host.n; i = end + 1) {
		for (end = i; end < host.n && is_letter((char)mr_lower((unsigned char)host.p[end]));
		     end++)
			;
		if (is_pool_word((struct mr_str){ host.p + i, end - i }))
			return true;
	}
	return has_hex(host, ip) || (!ip->is_v6 && has_octets(host, ip));
}
