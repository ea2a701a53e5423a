#include "mail/mimeword.h"

#include "mail/decode.h"

#include <string.h>

#define WORD_MAX MR_MIME_WORDS_MAX /* bytes of a value that are decoded; values are no longer */

struct text {
	char p[WORD_MAX];
	size_t n;
};

static void
add(void *ctx, struct mr_str s)
{
	struct text *t = ctx;

	if (s.n > sizeof t->p - t->n)
		s.n = sizeof t->p - t->n;
	memcpy(t->p + t->n, s.p, s.n);
	t->n += s.n;
}

static struct mr_str
text(const struct text *t)
{
	return (struct mr_str){ t->p, t->n };
}

/* ---- charsets that hide ASCII ------------------------------------------------------------------- */

size_t
mr_mime_narrow(char *out, struct mr_str in, bool is_be)
{
	size_t n = 0;

	for (size_t i = 0; i + 1 < in.n; i += 2) {
		char high = in.p[i + !is_be], low = in.p[i + is_be];

		out[n++] = high ? '?' : low;
	}
	return n;
}

static void
from_utf16(struct text *out, struct mr_str in, bool is_be)
{
	char room[WORD_MAX / 2];

	if (in.n >= 2 && (unsigned char)in.p[0] == (is_be ? 0xff : 0xfe)
	    && (unsigned char)in.p[1] == (is_be ? 0xfe : 0xff))
		is_be = !is_be; /* the byte order mark says so */
	if (in.n > 2 * sizeof room)
		in.n = 2 * sizeof room;
	add(out, (struct mr_str){ room, mr_mime_narrow(room, in, is_be) });
}

/* RFC 2152: base64 of UTF-16 between '+' and '-'. */
static void
from_utf7(struct text *out, struct mr_str in)
{
	while (in.n) {
		struct text utf16 = { .n = 0 };
		struct mr_decoder d;
		size_t i = 1;

		if (in.p[0] != '+') {
			add(out, (struct mr_str){ in.p, 1 });
			in = mr_str_from(in, 1);
			continue;
		}
		while (i < in.n && in.p[i] != '='
		    && mr_decode_is_base64((struct mr_str){ in.p + i, 1 }))
			i++;
		mr_decoder_init(&d, MR_CODEC_BASE64);
		mr_decode(&d, (struct mr_str){ in.p + 1, i - 1 }, add, &utf16);
		mr_decode(&d, MR_STR("="), add, &utf16);
		from_utf16(out, text(&utf16), true);
		if (i == 1)
			add(out, MR_STR("+"));
		in = mr_str_from(in, i < in.n && in.p[i] == '-' ? i + 1 : i);
	}
}

/* RFC 1468 and its kin: escape sequences, and between them characters of two bytes. */
static void
from_iso2022(struct text *out, struct mr_str in)
{
	bool is_wide = false;

	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == 0x1b && i + 1 < in.n) {
			is_wide = in.p[i + 1] == '$';
			for (i++; i < in.n && in.p[i] >= ' ' && in.p[i] <= '/'; i++)
				;
			continue;
		}
		add(out, is_wide ? MR_STR("?") : (struct mr_str){ in.p + i, 1 });
	}
}

static void
add_charset(struct text *out, struct mr_str charset, struct mr_str in)
{
	ptrdiff_t star = mr_str_chr(charset, '*'); /* RFC 2231 5: a language */

	if (star >= 0)
		charset.n = (size_t)star;
	if (mr_str_caseis(charset, "utf-7") || mr_str_caseis(charset, "unicode-1-1-utf-7"))
		from_utf7(out, in);
	else if (mr_str_casestarts(charset, "utf-16") || mr_str_casestarts(charset, "ucs-2"))
		from_utf16(out, in, !mr_str_caseis(charset, "utf-16le"));
	else if (mr_str_casestarts(charset, "iso-2022"))
		from_iso2022(out, in);
	else
		add(out, in);
}

/* ---- encoded words ------------------------------------------------------------------------------- */

static int
hex_at(struct mr_str s, size_t i)
{
	int c = i < s.n ? mr_lower((unsigned char)s.p[i]) : 0;

	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes `mark` and two hex digits. */
static size_t
unhex(char *out, struct mr_str s, char mark, bool underscore_is_blank)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == mark && hex_at(s, i + 1) >= 0 && hex_at(s, i + 2) >= 0) {
			out[n++] = (char)(hex_at(s, i + 1) << 4 | hex_at(s, i + 2));
			i += 2;
		} else
			out[n++] = underscore_is_blank && s.p[i] == '_' ? ' ' : s.p[i];
	}
	return n;
}

struct mr_str
mr_mime_unpercent(char *out, struct mr_str value)
{
	struct mr_str rest = value, piece;

	if (mr_str_split(&rest, '\'', &piece) && rest.p && mr_str_split(&rest, '\'', &piece)
	    && rest.p)
		value = rest;
	return (struct mr_str){ out, unhex(out, value, '%', false) };
}

/* The word at the start of `s`, "=?charset?b?...?=", into `out`; the bytes that it takes, 0 for none.  The
 * end may be missing. */
static size_t
decode_word(struct text *out, struct mr_str s)
{
	struct mr_str rest = mr_str_from(s, 2), charset, how, body;
	struct text raw = { .n = 0 };
	size_t end = 0;

	if (!mr_str_split(&rest, '?', &charset) || !rest.p || !mr_str_split(&rest, '?', &how)
	    || !rest.p || how.n != 1)
		return 0;
	while (end < rest.n && !(rest.p[end] == '?' && end + 1 < rest.n && rest.p[end + 1] == '='))
		end++;
	body = (struct mr_str){ rest.p, end < WORD_MAX ? end : WORD_MAX };
	if (how.p[0] == 'b' || how.p[0] == 'B') {
		struct mr_decoder d;

		mr_decoder_init(&d, MR_CODEC_BASE64);
		mr_decode(&d, body, add, &raw);
		mr_decode(&d, MR_STR("="), add, &raw);
	} else
		raw.n = unhex(raw.p, body, '=', true);
	add_charset(out, charset, text(&raw));
	end += (size_t)(rest.p - s.p) + 2;
	return end < s.n ? end : s.n;
}

static bool
is_between_words(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '"';
}

/* All encoded words in `in`, wherever they stand; blanks between two of them are nothing. */
static void
decode_words(struct text *out, struct mr_str in)
{
	size_t blanks = 0; /* at the end of out, behind a word */
	bool after_word = false;

	while (in.n) {
		size_t n = 0;

		if (in.n > 4 && in.p[0] == '=' && in.p[1] == '?') {
			size_t keep = out->n;

			if (after_word)
				out->n -= blanks;
			n = decode_word(out, in);
			if (!n)
				out->n = keep;
		}
		if (n) {
			after_word = true;
			blanks = 0;
			in = mr_str_from(in, n);
			continue;
		}
		if (is_between_words(in.p[0]))
			blanks += out->n < sizeof out->p;
		else
			after_word = false, blanks = 0;
		add(out, (struct mr_str){ in.p, 1 });
		in = mr_str_from(in, 1);
	}
}

struct mr_str
mr_mime_unword(char *out, struct mr_str value)
{
	struct text t = { .n = 0 };

	decode_words(&t, value);
	memcpy(out, t.p, t.n);
	return (struct mr_str){ out, t.n };
}

/* ---- clean-up ------------------------------------------------------------------------------------ */

/* Bytes of a mark that shows nothing at the start of s: directions, zero width, soft hyphen, byte order
 * mark, control characters. */
static size_t
mark_len(struct mr_str s)
{
	const unsigned char *p = (const unsigned char *)s.p;

	if (p[0] < ' ' || p[0] == 0x7f)
		return 1;
	if (s.n >= 2 && ((p[0] == 0xc2 && p[1] == 0xad) || (p[0] == 0xd8 && p[1] == 0x9c)))
		return 2;
	if (s.n < 3 || (p[0] != 0xe2 && p[0] != 0xef))
		return 0;
	if (p[0] == 0xef)
		return p[1] == 0xbb && p[2] == 0xbf ? 3 : 0;
	if (p[1] == 0x80) /* U+200B..U+200F, U+2028..U+202E */
		return (p[2] >= 0x8b && p[2] <= 0x8f) || (p[2] >= 0xa8 && p[2] <= 0xae) ? 3 : 0;
	return p[1] == 0x81 && p[2] >= 0xa0 && p[2] <= 0xaf ? 3 : 0; /* U+2060..U+206F */
}

/* Bytes of what Windows drops at the end of a name, and of quotes that were not taken for such. */
static size_t
end_len(struct mr_str s)
{
	const unsigned char *end = (const unsigned char *)s.p + s.n;

	if (s.n && end[-1] && strchr(" .\t'\"/\\>)", end[-1]))
		return 1;
	if (s.n >= 2 && end[-2] == 0xc2 && end[-1] == 0xa0) /* no-break space */
		return 2;
	if (s.n >= 3 && end[-3] == 0xe2 && end[-2] == 0x80 && end[-1] >= 0x98 && end[-1] <= 0x9f)
		return 3; /* quotation marks of word processors */
	return s.n >= 3 && end[-3] == 0xe3 && end[-2] == 0x80 && end[-1] == 0x80 ? 3 : 0;
}

static void
take_trimmed(struct mr_str name, const struct mr_mime_taker *taker)
{
	size_t n;

	while ((n = end_len(name)))
		name.n -= n;
	for (size_t i = name.n; i > 0; i--)
		if (name.p[i - 1] == '/' || name.p[i - 1] == '\\') {
			name = mr_str_from(name, i);
			break;
		}
	while (name.n && name.p[0] && strchr(" \t'\"<", name.p[0]))
		name = mr_str_from(name, 1);
	if (name.n)
		taker->take(taker->ctx, name);
}

/* `with_all`: what stands behind a NUL counts, too. */
static void
clean(struct mr_str in, bool with_all, const struct mr_mime_taker *taker)
{
	struct text t = { .n = 0 };
	ptrdiff_t colon;

	while (in.n && (in.p[0] || with_all)) {
		size_t n = mark_len(in);

		if (!n)
			add(&t, (struct mr_str){ in.p, 1 });
		in = mr_str_from(in, n ? n : 1);
	}
	take_trimmed(text(&t), taker);
	colon = mr_str_chr(text(&t), ':');
	if (colon < 0)
		return;
	take_trimmed((struct mr_str){ t.p, (size_t)colon }, taker);    /* a stream of NTFS */
	take_trimmed(mr_str_from(text(&t), (size_t)colon + 1), taker); /* behind a drive */
}

static void
clean_all(struct mr_str in, const struct mr_mime_taker *taker)
{
	clean(in, false, taker);
	if (in.n && memchr(in.p, '\0', in.n))
		clean(in, true, taker);
}

void
mr_mime_clean_name(struct mr_str name, const struct mr_mime_taker *taker)
{
	struct text t = { .n = 0 };

	if (name.n > WORD_MAX)
		name = mr_str_from(name, name.n - WORD_MAX);
	clean_all(name, taker);
	if (name.n < 4 || !memmem(name.p, name.n, "=?", 2))
		return;
	decode_words(&t, name);
	clean_all(text(&t), taker);
}

void
mr_mime_word_readings(struct mr_str value, const struct mr_mime_taker *taker)
{
	char room[WORD_MAX];

	if (value.n > WORD_MAX)
		value = mr_str_from(value, value.n - WORD_MAX);
	mr_mime_clean_name(value, taker);
	if (mr_str_chr(value, '%') >= 0 || mr_str_chr(value, '\'') >= 0) {
		struct text t = { .n = 0 };
		struct mr_str plain = mr_mime_unpercent(room, value);
		struct mr_str charset = { value.p, (size_t)(mr_str_chr(value, '\'') + 1) };

		mr_mime_clean_name(plain, taker);
		if (!charset.n)
			return;
		charset.n--;
		add_charset(&t, charset, plain);
		mr_mime_clean_name(text(&t), taker);
	}
}

struct mr_str
mr_mime_extension(struct mr_str name)
{
	ptrdiff_t dot = mr_str_rchr(name, '.');

	return dot < 0 ? (struct mr_str){ NULL, 0 }
	               : mr_str_trim(mr_str_from(name, (size_t)dot + 1));
}
