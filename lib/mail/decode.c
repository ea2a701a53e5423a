#include "mail/decode.h"

#include <string.h>

#define NONE     0x40 /* no character of the alphabet */
#define OUT_MAX  4096u
#define UU_GROUP 4u

/* The alphabets: value of each character, NONE for others. */
#define R4(a) (a), (a) + 1, (a) + 2, (a) + 3
#define N4    NONE, NONE, NONE, NONE
#define N16   N4, N4, N4, N4
#define N64   N16, N16, N16, N16
static const uint8_t base64_value[256] = { N16, N16, N4, N4, NONE, NONE, NONE, 62, NONE, NONE, NONE,
	63, R4(52), R4(56), 60, 61, NONE, NONE, N4, NONE, 0, 1, 2, R4(3), R4(7), R4(11), R4(15),
	R4(19), 23, 24, 25, NONE, N4, NONE, 26, 27, 28, R4(29), R4(33), R4(37), R4(41), R4(45), 49,
	50, 51, NONE, N4, N64, N64 };
static const char binhex_letters[] =
    "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";
static const char xx_letters[] = "+-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* What has been decoded and not been given out. */
struct out {
	char p[OUT_MAX];
	size_t n;
	void (*emit)(void *ctx, struct mr_str bytes);
	void *ctx;
};

static void
flush(struct out *o)
{
	if (o->n)
		o->emit(o->ctx, (struct mr_str){ o->p, o->n });
	o->n = 0;
}

static void
put(struct out *o, int c)
{
	if (o->n == sizeof o->p)
		flush(o);
	o->p[o->n++] = (char)c;
}

void
mr_decoder_init(struct mr_decoder *d, enum mr_codec codec)
{
	*d = (struct mr_decoder){ .codec = codec };
}

bool
mr_decode_is_base64(struct mr_str s)
{
	size_t i = 0;

	while (i < s.n && (base64_value[(unsigned char)s.p[i]] != NONE || s.p[i] == '='))
		i++;
	return i == s.n;
}

static unsigned
hex(int c)
{
	c = mr_lower(c);
	return c >= '0' && c <= '9' ? (unsigned)c - '0'
	    : c >= 'a' && c <= 'f'  ? (unsigned)c - 'a' + 10
	                            : NONE;
}

/* ---- base64 ----------------------------------------------------------------------------------- */

/* Four characters of six bits, of which `n` were there. */
static void
put_group(struct out *o, uint32_t bits, unsigned n)
{
	bits <<= 6 * (UU_GROUP - n);
	for (unsigned i = 0; i + 1 < n; i++)
		put(o, (int)(bits >> (16 - 8 * i) & 0xff));
}

/* Whole groups without anything between them: nearly all of an attachment. */
static size_t
base64_fast(struct out *o, const unsigned char *p, size_t n)
{
	size_t i = 0;

	while (i + 4 <= n && o->n + 3 <= sizeof o->p) {
		uint32_t a = base64_value[p[i]], b = base64_value[p[i + 1]],
		         c = base64_value[p[i + 2]], e = base64_value[p[i + 3]];

		if ((a | b | c | e) & NONE)
			break;
		a = a << 18 | b << 12 | c << 6 | e;
		o->p[o->n] = (char)(a >> 16);
		o->p[o->n + 1] = (char)(a >> 8);
		o->p[o->n + 2] = (char)a;
		o->n += 3;
		i += 4;
	}
	return i;
}

static void
base64(struct mr_decoder *d, struct mr_str in, struct out *o)
{
	const unsigned char *p = (const unsigned char *)in.p;

	for (size_t i = 0; i < in.n; i++) {
		unsigned v;

		if (d->n == 0) {
			if (o->n + 3 > sizeof o->p)
				flush(o);
			i += base64_fast(o, p + i, in.n - i);
			if (i == in.n)
				return;
		}
		v = base64_value[p[i]];
		if (v != NONE) {
			d->bits = d->bits << 6 | v;
			d->n++;
		}
		if (d->n == UU_GROUP || (p[i] == '=' && d->n)) {
			put_group(o, d->bits, d->n);
			d->bits = d->n = 0;
		}
	}
}

/* ---- quoted-printable --------------------------------------------------------------------------- */

enum qp { QP_TEXT, QP_EQUALS, QP_HEX, QP_BLANKS, QP_CR };

static void
qp(struct mr_decoder *d, struct mr_str in, struct out *o)
{
	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i];

		switch ((enum qp)d->n) {
		case QP_EQUALS:
			if (hex(c) != NONE) {
				d->held = c;
				d->n = QP_HEX;
				continue;
			}
			__attribute__((fallthrough)); /* blanks and a line end: a soft line break */
		case QP_BLANKS:
			if (c == ' ' || c == '\t') {
				d->n = QP_BLANKS;
				continue;
			}
			d->n = c == '\r' ? QP_CR : QP_TEXT;
			if (c == '\r' || c == '\n')
				continue;
			put(o, '=');
			break;
		case QP_HEX:
			d->n = QP_TEXT;
			if (hex(c) != NONE) {
				put(o, (int)(hex(d->held) << 4 | hex(c)));
				continue;
			}
			put(o, '=');
			put(o, d->held);
			break;
		case QP_CR:
			d->n = QP_TEXT;
			if (c == '\n')
				continue;
			break;
		case QP_TEXT:
			break;
		}
		if (c == '=')
			d->n = QP_EQUALS;
		else
			put(o, c);
	}
}

/* ---- uuencode, xxencode ------------------------------------------------------------------------- */

static unsigned
uu_value(enum mr_codec codec, char c)
{
	const char *at;

	if (codec == MR_CODEC_UU)
		return c >= ' ' && c <= '`' ? (unsigned)(c - ' ') & 0x3f : NONE;
	at = c ? strchr(xx_letters, c) : NULL;
	return at ? (unsigned)(at - xx_letters) : NONE;
}

/* Blanks at the end may be lost on the way, and uuencode's zeros are blanks; a check character may stand
 * behind. */
bool
mr_decode_is_line(enum mr_codec codec, struct mr_str line)
{
	unsigned n = line.n ? uu_value(codec, line.p[0]) : NONE;
	size_t need = (n + 2) / 3 * UU_GROUP + 1;

	if (n == NONE || line.n > need + 2 || (line.n < need && codec == MR_CODEC_XX))
		return false;
	for (size_t i = 1; i < line.n; i++)
		if (uu_value(codec, line.p[i]) == NONE)
			return false;
	return true;
}

static void
uu_line(struct mr_decoder *d, struct mr_str line, struct out *o)
{
	unsigned n = line.n ? uu_value(d->codec, line.p[0]) : NONE;

	if (n == NONE)
		return;
	for (size_t i = 1; n; i += UU_GROUP) {
		uint32_t bits = 0;

		for (size_t k = i; k < i + UU_GROUP; k++) {
			unsigned v = k < line.n ? uu_value(d->codec, line.p[k]) : 0;

			bits = bits << 6 | (v == NONE ? 0 : v);
		}
		for (unsigned k = 0; k < 3 && n; k++, n--)
			put(o, (int)(bits >> (16 - 8 * k) & 0xff));
	}
}

/* ---- yEnc ----------------------------------------------------------------------------------------- */

static void
yenc(struct mr_decoder *d, struct mr_str in, struct out *o)
{
	for (size_t i = 0; i < in.n; i++) {
		unsigned c = (unsigned char)in.p[i];

		if (c == '\r' || c == '\n')
			continue;
		if (c == '=' && !d->n) {
			d->n = 1;
			continue;
		}
		put(o, (int)((c - 42 - (d->n ? 64 : 0)) & 0xff));
		d->n = 0;
	}
}

/* ---- BinHex --------------------------------------------------------------------------------------- */

static uint32_t
be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* RFC 1741: length and name, version, type, creator, flags, both forks' lengths, CRC. */
static void
binhex_head(struct mr_decoder *d, unsigned char c)
{
	unsigned name_n = d->head_n ? d->head[0] : c, at;

	d->head[d->head_n++] = c;
	if (name_n > MR_BINHEX_NAME_MAX || name_n == 0) {
		d->has_ended = true;
		return;
	}
	at = 1 + name_n + 1 + 4 + 4 + 2;
	if (d->head_n < at + 10)
		return;
	d->name = (struct mr_str){ (const char *)d->head + 1, name_n };
	d->left = be32(d->head + at);
	d->resource = be32(d->head + at + 4);
}

static void
binhex_byte(struct mr_decoder *d, int c, struct out *o)
{
	d->held = (char)c;
	if (!d->name.p)
		binhex_head(d, (unsigned char)c);
	else if (d->skip)
		d->skip--;
	else if (d->left) {
		put(o, c);
		d->left--;
	}
	if (d->name.p && d->left == 0 && d->resource) {
		d->left = d->resource; /* behind the CRC of the data fork */
		d->resource = 0;
		d->skip = 2;
	}
}

/* Runs: 0x90 and a count repeat the byte before, 0x90 and 0 is 0x90. */
static void
binhex_run(struct mr_decoder *d, int c, struct out *o)
{
	char repeated = d->held;

	if (d->is_run) {
		d->is_run = false;
		if (c == 0)
			binhex_byte(d, 0x90, o);
		for (int i = 1; i < c && !d->has_ended; i++)
			binhex_byte(d, (unsigned char)repeated, o);
	} else if (c == 0x90)
		d->is_run = true;
	else
		binhex_byte(d, c, o);
}

static void
binhex(struct mr_decoder *d, struct mr_str in, struct out *o)
{
	for (size_t i = 0; i < in.n && !d->has_ended; i++) {
		const char *at = in.p[i] ? strchr(binhex_letters, in.p[i]) : NULL;

		if (!at) {
			d->has_ended = in.p[i] == ':';
			continue;
		}
		d->bits = d->bits << 6 | (uint32_t)(at - binhex_letters);
		if (d->n++ % UU_GROUP)
			binhex_run(
			    d, (int)(d->bits >> (6 - 2 * ((d->n - 1) % UU_GROUP)) & 0xff), o);
	}
}

void
mr_decode(
    struct mr_decoder *d, struct mr_str in, void (*emit)(void *ctx, struct mr_str bytes), void *ctx)
{
	static void (*const codecs[])(struct mr_decoder *, struct mr_str, struct out *) = {
		[MR_CODEC_BASE64] = base64,
		[MR_CODEC_QP] = qp,
		[MR_CODEC_UU] = uu_line,
		[MR_CODEC_XX] = uu_line,
		[MR_CODEC_YENC] = yenc,
		[MR_CODEC_BINHEX] = binhex,
	};
	struct out o;

	o.n = 0;
	o.emit = emit;
	o.ctx = ctx;
	codecs[d->codec](d, in, &o);
	flush(&o);
}
