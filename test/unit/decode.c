/* decode.c - lib/mail/decode: each encoding whole and in pieces, and what lenient readers make of bent ones. */
#include "mail/decode.h"

#include "../tap.h"
#include "base/buf.h"

static void
add(void *ctx, struct mr_str s)
{
	mr_buf_add(ctx, s);
}

/* Decodes `in` in pieces of `step` bytes. */
static struct mr_str
decoded(struct mr_buf *out, enum mr_codec codec, struct mr_str in, size_t step)
{
	struct mr_decoder d;

	mr_buf_clear(out);
	mr_decoder_init(&d, codec);
	for (size_t i = 0; i < in.n; i += step)
		mr_decode(
		    &d, (struct mr_str){ in.p + i, in.n - i < step ? in.n - i : step }, add, out);
	return mr_buf_str(out);
}

static void
streams(struct mr_buf *out)
{
	static const struct {
		enum mr_codec codec;
		const char *in, *want, *what;
	} t[] = {
		{ MR_CODEC_BASE64, "aGVsbG8gd29ybGQ=", "hello world", "base64" },
		{ MR_CODEC_BASE64, "aGVs!bG8*g\r\n d29y.bGQ=", "hello world", "junk within" },
		{ MR_CODEC_BASE64, "aGVsbG8=IHdvcmxk", "hello world", "padding in the middle" },
		{ MR_CODEC_BASE64, "aGVsbA==bw==", "hello", "two paddings" },
		{ MR_CODEC_BASE64, "=aGVs", "hel", "padding at the start" },
		{ MR_CODEC_BASE64, "aGVsb", "hel", "a group that is cut" },
		{ MR_CODEC_QP, "a=3Db=3db", "a=b=b", "both cases" },
		{ MR_CODEC_QP, "a=\r\nb=\nc= \t\nd", "abcd", "soft line breaks" },
		{ MR_CODEC_QP, "a\r\nb\n", "a\r\nb\n", "hard ones" },
		{ MR_CODEC_QP, "1=2 = x =G=4Gz", "1=2 =x =G=4Gz",
		    "equals signs that begin nothing" },
		{ MR_CODEC_YENC, "\x92\x8f\x96\x96\x99", "hello", "yEnc" },
		{ MR_CODEC_YENC, "\x92\r\n=\xcf=\xd6\x96=\xd9\n", "hello",
		    "its escapes and line ends" },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		for (size_t step = 1; step <= 64; step += 63)
			is(decoded(out, t[i].codec, mr_str(t[i].in), step), t[i].want, t[i].what);
}

static void
lines(struct mr_buf *out)
{
	struct mr_str uu = MR_STR("+:&5L;&\\@=V]R;&0 "), xx = MR_STR("9O4JgP4wURqxmP4E+");

	is(decoded(out, MR_CODEC_UU, uu, 99), "hello world", "uuencode");
	is(decoded(out, MR_CODEC_XX, xx, 99), "hello world", "xxencode");
	ok(mr_decode_is_line(MR_CODEC_UU, uu) && mr_decode_is_line(MR_CODEC_XX, xx),
	    "lines of data");
	ok(mr_decode_is_line(MR_CODEC_UU, MR_STR("`")), "the last line");
	ok(!mr_decode_is_line(MR_CODEC_UU, MR_STR("learn it.")), "a line of text");
	ok(mr_decode_is_line(MR_CODEC_UU, MR_STR("M")), "blanks lost");
	ok(!mr_decode_is_line(MR_CODEC_XX, MR_STR("h")), "xxencode has none");
	ok(!mr_decode_is_line(MR_CODEC_UU, MR_STR("#1234567")), "too long");
	ok(!mr_decode_is_line(MR_CODEC_UU, MR_STR("")), "an empty line");
	ok(mr_decode_is_base64(MR_STR("aGVsbA==")) && !mr_decode_is_base64(MR_STR("a b")),
	    "base64");
}

static void
binhex(struct mr_buf *out)
{
	/* By test/mime/mimekit.py: report.exe, a data fork with escaped run marks. */
	static const char in[] =
	    "#R*PF'pbG#jPH'8!39\"36$mr2cm!!!!!!!S!!!!!,(T0@T!!N!#3!'&KB@&Krk%!!!:";
	struct mr_decoder d;

	for (size_t step = 1; step <= 64; step += 63) {
		size_t n = sizeof in - 1;

		mr_buf_clear(out);
		mr_decoder_init(&d, MR_CODEC_BINHEX);
		for (size_t i = 0; i < n; i += step)
			mr_decode(
			    &d, (struct mr_str){ in + i, n - i < step ? n - i : step }, add, out);
		is(d.name, "report.exe", "BinHex: the name");
		is(mr_buf_str(out),
		    "MZ\x90\x90\x90"
		    "aaaaa",
		    "BinHex: the data fork");
		ok(d.has_ended, "BinHex: the second colon");
	}
	mr_decoder_init(&d, MR_CODEC_BINHEX);
	mr_decode(&d, MR_STR("!!!!!!"), add, out);
	ok(d.has_ended && !d.name.p, "no name: not BinHex");
}

int
main(void)
{
	struct mr_buf out;

	mr_buf_init(&out, 1 << 16);
	streams(&out);
	lines(&out);
	binhex(&out);
	mr_buf_free(&out);
	return done_testing();
}
