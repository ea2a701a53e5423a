#include "mail/mimefile.h"

#include <string.h>

#define BINHEX_LINE_MIN 32u /* a line that begins ':' and is shorter begins no BinHex */

void
mr_mimefile_init(struct mr_mimefile *f, const struct mr_mime_ops *ops, void *ctx)
{
	f->ops = ops;
	f->ctx = ctx;
	for (size_t i = 0; i < sizeof f->slot / sizeof *f->slot; i++)
		f->slot[i].is_ready = f->slot[i].is_open = false;
}

static void
end(struct mr_mimefile *f, enum mr_codec codec)
{
	struct mr_mimefile_slot *s = &f->slot[codec];

	if (s->is_open)
		f->ops->file_end(f->ctx, codec);
	s->is_ready = s->is_open = false;
}

void
mr_mimefile_end(struct mr_mimefile *f)
{
	for (int i = MR_CODEC_BASE64; i <= MR_CODEC_BINHEX; i++)
		end(f, (enum mr_codec)i);
}

static void
begin(struct mr_mimefile *f, enum mr_codec codec, struct mr_str name)
{
	struct mr_mimefile_slot *s = &f->slot[codec];

	end(f, codec);
	if (name.n > sizeof s->name)
		name = mr_str_from(name, name.n - sizeof s->name);
	if (name.n)
		memcpy(s->name, name.p, name.n);
	s->name_n = name.n;
	s->is_ready = true;
	mr_decoder_init(&s->decoder, codec);
}

static void
emit(void *ctx, struct mr_str bytes)
{
	struct mr_mimefile *f = ctx;
	struct mr_mimefile_slot *s = &f->slot[f->now];
	struct mr_str name = { s->name, s->name_n };

	if (!s->is_open)
		f->ops->file(f->ctx, f->now, s->decoder.name.p ? s->decoder.name : name);
	s->is_open = true;
	f->ops->file_body(f->ctx, f->now, bytes);
}

static void
decode(struct mr_mimefile *f, enum mr_codec codec, struct mr_str line)
{
	f->now = codec;
	mr_decode(&f->slot[codec].decoder, line, emit, f);
}

/* "begin 644 name", "begin-base64 644 name" */
static void
begin_line(struct mr_mimefile *f, struct mr_str line)
{
	struct mr_str rest = line, word = mr_str_word(&rest), mode = mr_str_word(&rest);

	if (mode.n < 3 || mode.n > 6)
		return;
	for (size_t i = 0; i < mode.n; i++)
		if (mode.p[i] < '0' || mode.p[i] > '7')
			return;
	rest = mr_str_trim(rest);
	if (mr_str_is(word, "begin")) {
		begin(f, MR_CODEC_UU, rest);
		begin(f, MR_CODEC_XX, rest);
	} else if (mr_str_starts(word, "begin-base64"))
		begin(f, MR_CODEC_BASE64, rest);
}

static void
yenc_line(struct mr_mimefile *f, struct mr_str line)
{
	const char *name = memmem(line.p, line.n, " name=", 6);

	if (mr_str_starts(line, "=ybegin ") && name)
		begin(f, MR_CODEC_YENC, mr_str_from(line, (size_t)(name + 6 - line.p)));
	else if (mr_str_starts(line, "=yend"))
		end(f, MR_CODEC_YENC);
	else if (f->slot[MR_CODEC_YENC].is_ready && !mr_str_starts(line, "=ypart "))
		decode(f, MR_CODEC_YENC, line);
}

static void
lines_of_uu(struct mr_mimefile *f, enum mr_codec codec, struct mr_str line)
{
	if (!f->slot[codec].is_ready || line.n == 0)
		return;
	if (mr_decode_is_line(codec, line))
		decode(f, codec, line);
	else
		end(f, codec);
}

void
mr_mimefile_line(struct mr_mimefile *f, struct mr_str line)
{
	struct mr_mimefile_slot *s = f->slot;
	char first = line.n ? line.p[0] : '\0';

	if (s[MR_CODEC_YENC].is_ready || first == '=')
		yenc_line(f, line);
	if (s[MR_CODEC_BINHEX].is_ready) {
		decode(f, MR_CODEC_BINHEX, line);
		if (s[MR_CODEC_BINHEX].decoder.has_ended)
			end(f, MR_CODEC_BINHEX);
	} else if (first == ':' && line.n >= BINHEX_LINE_MIN) {
		begin(f, MR_CODEC_BINHEX, MR_STR(""));
		decode(f, MR_CODEC_BINHEX, mr_str_from(line, 1));
	}
	if (first == 'b' && mr_str_starts(line, "begin")) {
		begin_line(f, line);
		return;
	}
	lines_of_uu(f, MR_CODEC_UU, line);
	lines_of_uu(f, MR_CODEC_XX, line);
	if (s[MR_CODEC_BASE64].is_ready) {
		if (mr_decode_is_base64(line) && !mr_str_is(line, "===="))
			decode(f, MR_CODEC_BASE64, line);
		else
			end(f, MR_CODEC_BASE64);
	}
}
