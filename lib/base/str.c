#include "base/str.h"

#include <string.h>

struct mr_str
mr_str(const char *cstr)
{
	return (struct mr_str){ cstr, cstr ? strlen(cstr) : 0 };
}

static bool
case_equal(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (mr_lower((unsigned char)a[i]) != mr_lower((unsigned char)b[i]))
			return false;
	return true;
}

bool
mr_str_is(struct mr_str a, const char *cstr)
{
	return mr_str_eq(a, mr_str(cstr));
}

bool
mr_str_caseeq(struct mr_str a, struct mr_str b)
{
	return a.n == b.n && case_equal(a.p, b.p, a.n);
}

bool
mr_str_caseis(struct mr_str a, const char *cstr)
{
	return mr_str_caseeq(a, mr_str(cstr));
}

bool
mr_str_starts(struct mr_str a, const char *prefix)
{
	size_t n = strlen(prefix);

	return a.n >= n && memcmp(a.p, prefix, n) == 0;
}

bool
mr_str_casestarts(struct mr_str a, const char *prefix)
{
	size_t n = strlen(prefix);

	return a.n >= n && case_equal(a.p, prefix, n);
}

bool
mr_str_caseholds(struct mr_str a, const char *word)
{
	int first = mr_lower((unsigned char)word[0]);
	bool is_letter = first >= 'a' && first <= 'z';

	for (; a.n && first; a = mr_str_from(a, 1)) {
		ptrdiff_t at = is_letter ? 0 : mr_str_chr(a, (char)first);

		if (at < 0)
			return false;
		a = mr_str_from(a, (size_t)at);
		if (mr_lower((unsigned char)a.p[0]) == first && mr_str_casestarts(a, word))
			return true;
	}
	return !first;
}

ptrdiff_t
mr_str_chr(struct mr_str a, char c)
{
	const char *hit = a.n ? memchr(a.p, c, a.n) : NULL;

	return hit ? hit - a.p : -1;
}

ptrdiff_t
mr_str_rchr(struct mr_str a, char c)
{
	for (size_t i = a.n; i > 0; i--)
		if (a.p[i - 1] == c)
			return (ptrdiff_t)i - 1;
	return -1;
}

struct mr_str
mr_str_from(struct mr_str a, size_t n)
{
	return n ? (struct mr_str){ a.p + n, a.n - n } : a;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct mr_str
mr_str_trim(struct mr_str a)
{
	while (a.n && is_blank(a.p[0]))
		a = mr_str_from(a, 1);
	while (a.n && is_blank(a.p[a.n - 1]))
		a.n--;
	return a;
}

bool
mr_str_split(struct mr_str *rest, char sep, struct mr_str *piece)
{
	ptrdiff_t at;

	if (!rest->p)
		return false;
	at = mr_str_chr(*rest, sep);
	if (at < 0) {
		*piece = *rest;
		*rest = (struct mr_str){ NULL, 0 };
		return true;
	}
	*piece = (struct mr_str){ rest->p, (size_t)at };
	*rest = mr_str_from(*rest, (size_t)at + 1);
	return true;
}

struct mr_str
mr_str_word(struct mr_str *rest)
{
	struct mr_str word;

	while (rest->n && is_blank(rest->p[0]))
		*rest = mr_str_from(*rest, 1);
	word = (struct mr_str){ rest->p, 0 };
	while (word.n < rest->n && !is_blank(rest->p[word.n]))
		word.n++;
	*rest = mr_str_from(*rest, word.n);
	return word;
}

bool
mr_str_num(struct mr_str a, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (a.n == 0)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		unsigned d = (unsigned char)a.p[i] - '0';

		if (d > 9 || v > (UINT64_MAX - d) / 10)
			return false;
		v = v * 10 + d;
	}
	if (v > max)
		return false;
	*out = v;
	return true;
}

bool
mr_str_is_line(struct mr_str a)
{
	for (size_t i = 0; i < a.n; i++)
		if (a.p[i] == '\0' || a.p[i] == '\r' || a.p[i] == '\n')
			return false;
	return true;
}

uint32_t
mr_str_hash(struct mr_str a)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < a.n; i++)
		h = (h ^ (unsigned char)a.p[i]) * 16777619u;
	return h;
}

size_t
mr_utf8_len(struct mr_str s)
{
	const unsigned char *u = (const unsigned char *)s.p;
	size_t n = u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : 2;

	if (u[0] < 0xc2 || u[0] > 0xf4 || s.n < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f)
	    || (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
		return 0;
	return n;
}
