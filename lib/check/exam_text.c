/* exam_text.c - the message, and texts within it: each body by each of its readings. */
#include "check/exam_object.h"
#include "mail/mimefield.h"

#include <stdlib.h>
#include <string.h>

#define BODY_MAX        8u  /* readings that run at the same time */
#define BASE64_LINE_MIN 32u /* a first line of base64 alone is at least so long */

struct body {
	struct mr_object *o; /* NULL: free */
	bool is_decoded;
	struct mr_decoder decoder;
};

/* What the header block says of a body. */
struct said {
	struct mr_object *o; /* asks the rules */
	bool is_attachment, is_text, has_type, has_name;
	bool base64, qp;
	struct mr_buf name; /* the last reading */
};

struct reader {
	struct mr_object *of;
	struct mr_mime *mime;
	struct body body[BODY_MAX];
	unsigned next;
	bool is_base64;        /* it is declared */
	bool may_be_base64;    /* no line of it was there yet */
	bool is_first_line;    /* no line that is not empty was there yet */
	struct body *late;     /* begins within the present piece, ... */
	const char *late_from; /* ... here */
	enum mr_rule_scope scope;
	struct mr_buf path, name;
	struct mr_object *file[MR_CODEC_BINHEX + 1];
};

static void
emit(void *ctx, struct mr_str bytes)
{
	mr_object_feed(ctx, bytes);
}

/* ---- bodies --------------------------------------------------------------------------------------- */

static void
end_body(struct body *b)
{
	if (b->o && b->is_decoded && b->decoder.codec == MR_CODEC_BASE64)
		mr_decode(&b->decoder, MR_STR("="), emit, b->o); /* what is left of a group */
	mr_object_end(b->o);
	b->o = NULL;
}

/* A reading of the body; the oldest one ends if there are too many. */
static struct body *
new_body(struct reader *r, const char *reading, enum mr_codec codec, bool is_decoded)
{
	struct body *b = &r->body[r->next++ % BODY_MAX];

	end_body(b);
	b->o = mr_object_new(r->of, r->scope, mr_buf_str(&r->path), mr_buf_str(&r->name), reading);
	b->is_decoded = is_decoded;
	mr_decoder_init(&b->decoder, codec);
	if (b->o) {
		b->o->is_raw = !is_decoded;
		b->o->mime = r->mime;
	}
	return b;
}

static void
take_name(void *ctx, struct mr_str name)
{
	struct said *s = ctx;

	s->has_name = true;
	mr_buf_clear(&s->name); /* the last one is the most decoded */
	mr_buf_add(&s->name, name);
	mr_object_name_reading(s->o, name);
}

static void
take_type(void *ctx, struct mr_str type)
{
	struct said *s = ctx;

	s->has_type = true;
	s->is_text &= mr_str_starts(type, "text");
	mr_object_found(s->o, MR_RULE_TYPE, type, mr_buf_str(&s->name));
}

static void
take_disposition(void *ctx, struct mr_str word)
{
	struct said *s = ctx;

	s->is_attachment |= mr_str_starts(word, "attach");
}

/* Asks the rules about all that is said, on behalf of an object that has no bytes. */
static void
read_head(struct said *s, const struct mr_mime_head *head)
{
	const struct mr_mime_taker names = { take_name, s }, types = { take_type, s },
	                           dispositions = { take_disposition, s };

	for (size_t i = 0; i < head->n; i++) {
		struct mr_str v = head->field[i].value;

		if (head->field[i].field == MR_MIME_ENCODING) {
			s->base64 |= mr_mime_may_be_base64(v);
			s->qp |= mr_mime_may_be_qp(v);
			continue;
		}
		if (head->field[i].field == MR_MIME_DISPOSITION)
			mr_mime_types(v, &dispositions);
		if (!mr_mime_names(v, &names))
			mr_object_limit(s->o, "names");
	}
	for (size_t i = 0; i < head->n; i++)
		if (head->field[i].field == MR_MIME_TYPE)
			mr_mime_types(head->field[i].value, &types);
}

static void
part(void *ctx, const struct mr_mime_head *head)
{
	struct reader *r = ctx;
	struct said said = { .is_text = true };

	mr_exam_look_at_clock(r->of->x);
	mr_buf_clear(&r->path);
	mr_buf_add(&r->path, head->path);
	mr_buf_clear(&r->name);
	said.o = mr_object_ask(r->of, MR_IN_PART, head->path, MR_STR(""), "header");
	if (!said.o)
		return;
	mr_buf_init(&said.name, 2 * MR_MIME_PARAM_BYTES);
	read_head(&said, head);
	r->scope = said.is_text && !said.has_name && !said.is_attachment ? MR_IN_BODY : MR_IN_PART;
	if (r->of->scope & (MR_IN_ARCHIVE | MR_IN_TAR) && r->scope == MR_IN_BODY && head->n == 0)
		r->scope = r->of->scope;
	mr_buf_add(&r->name, mr_buf_str(&said.name));
	mr_buf_free(&said.name);
	mr_object_end(said.o);
	new_body(r, "raw", MR_CODEC_QP, false);
	if (said.base64)
		new_body(r, "base64", MR_CODEC_BASE64, true);
	if (said.qp)
		new_body(r, "quoted-printable", MR_CODEC_QP, true);
	r->is_base64 = said.base64;
	r->may_be_base64 = r->is_first_line = true;
}

/* A line of nothing but base64 may begin it where nothing says so, and where something else stands before
 * it.  In what people write only the first line counts. */
static void
look_for_base64(struct reader *r, struct mr_str bytes)
{
	struct mr_str line;

	while (r->may_be_base64 && mr_str_split(&bytes, '\n', &line)) {
		while (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0)
			continue;
		if (line.n >= BASE64_LINE_MIN && mr_decode_is_base64(line)) {
			r->may_be_base64 = false;
			if (r->is_first_line && r->is_base64)
				return; /* as declared */
			new_body(r, "base64 though not declared", MR_CODEC_BASE64, true);
			r->late = &r->body[(r->next - 1) % BODY_MAX];
			r->late_from = line.p;
			return;
		}
		r->is_first_line = false;
		r->may_be_base64 = r->scope != MR_IN_BODY;
	}
}

static void
body(void *ctx, struct mr_str bytes)
{
	struct reader *r = ctx;

	r->late = NULL;
	if (r->may_be_base64)
		look_for_base64(r, bytes);
	for (unsigned i = 0; i < BODY_MAX; i++) {
		struct body *b = &r->body[i];

		if (!b->o)
			continue;
		if (b->is_decoded)
			mr_decode(&b->decoder,
			    b == r->late ? mr_str_from(bytes, (size_t)(r->late_from - bytes.p))
			                 : bytes,
			    emit, b->o);
		else
			mr_object_feed(b->o, bytes);
	}
}

static void
end(void *ctx)
{
	struct reader *r = ctx;

	for (unsigned i = 0; i < BODY_MAX; i++)
		end_body(&r->body[i]);
	r->may_be_base64 = false;
}

/* ---- files within text -------------------------------------------------------------------------------- */

static void
file(void *ctx, enum mr_codec codec, struct mr_str name)
{
	static const char *const readings[] = { [MR_CODEC_BASE64] = "begin-base64",
		[MR_CODEC_QP] = "",
		[MR_CODEC_UU] = "uuencode",
		[MR_CODEC_XX] = "xxencode",
		[MR_CODEC_YENC] = "yEnc",
		[MR_CODEC_BINHEX] = "BinHex" };
	struct reader *r = ctx;
	struct mr_object *parent = r->of;

	if (!mr_object_count_member(parent))
		return;
	r->file[codec] = mr_object_new(parent, MR_IN_TEXT, name, name, readings[codec]);
	if (r->file[codec])
		mr_object_named(r->file[codec], name);
}

static void
file_body(void *ctx, enum mr_codec codec, struct mr_str bytes)
{
	struct reader *r = ctx;

	mr_object_feed(r->file[codec], bytes);
}

static void
file_end(void *ctx, enum mr_codec codec)
{
	struct reader *r = ctx;

	mr_object_end(r->file[codec]);
	r->file[codec] = NULL;
}

static void
limit(void *ctx, enum mr_mime_limit which)
{
	static const char *const words[] = { [MR_MIME_TOO_DEEP] = "depth",
		[MR_MIME_TOO_MANY_PARTS] = "parts",
		[MR_MIME_TOO_MANY_BOUNDARIES] = "boundaries",
		[MR_MIME_HEAD_TOO_LARGE] = "header" };
	struct reader *r = ctx;

	mr_object_limit(r->of, words[which]);
}

/* ---- a text ---------------------------------------------------------------------------------------------- */

void *
mr_text_open(struct mr_object *o, bool is_message)
{
	static const struct mr_mime_ops ops = { .part = part,
		.body = body,
		.end = end,
		.file = file,
		.file_body = file_body,
		.file_end = file_end,
		.limit = limit };
	struct reader *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	r->of = o;
	mr_buf_init(&r->path, MR_MIME_LINE_MAX);
	mr_buf_init(&r->name, MR_MIME_LINE_MAX);
	r->mime = mr_mime_new(&ops, r, is_message, o->mime, MR_STR(""), 0);
	if (r->mime)
		return r;
	free(r);
	return NULL;
}

/* Sources travel in Unix archives, mails for tests among them. */
static bool
wants_text(const struct mr_object *o)
{
	static const char *const mails[] = { "eml", "mht", "mhtml", "nws" };
	struct mr_str ext = mr_mime_extension(mr_str(o->name));

	if (o->holds != MR_HOLDS_TEXT || o->is_raw)
		return false;
	for (size_t i = 0; i < sizeof mails / sizeof *mails; i++)
		if (mr_str_caseis(ext, mails[i]))
			return true;
	return o->scope != MR_IN_TAR;
}

static void *
begin_text(struct mr_object *o)
{
	return mr_text_open(o, false);
}

static void
feed_text(struct mr_object *o, void *state, struct mr_str bytes)
{
	struct reader *r = state;

	(void)o;
	mr_mime_feed(r->mime, bytes);
}

static void
end_text(struct mr_object *o, void *state)
{
	struct reader *r = state;

	(void)o;
	mr_mime_end(r->mime);
	mr_buf_free(&r->path);
	mr_buf_free(&r->name);
	free(r);
}

const struct mr_consumer mr_consume_text = { false, wants_text, begin_text, feed_text, end_text };

/* ---- UTF-16 -------------------------------------------------------------------------------------------- */

struct narrow {
	struct mr_object *o;
	bool has_odd;
	char odd;
};

static bool
wants_utf16(const struct mr_object *o)
{
	return o->holds == MR_HOLDS_UTF16 || o->holds == MR_HOLDS_UTF16_BE;
}

static void *
begin_utf16(struct mr_object *o)
{
	struct narrow *w = calloc(1, sizeof *w);

	if (w)
		w->o = mr_object_new(o, o->scope, MR_STR(""), mr_str(o->name), "UTF-16");
	return w;
}

static void
feed_utf16(struct mr_object *o, void *state, struct mr_str bytes)
{
	bool is_be = o->holds == MR_HOLDS_UTF16_BE;
	struct narrow *w = state;
	char out[4096];

	if (w->has_odd && bytes.n) {
		const char pair[2] = { w->odd, bytes.p[0] };

		mr_object_feed(w->o,
		    (struct mr_str){ out, mr_mime_narrow(out, (struct mr_str){ pair, 2 }, is_be) });
		bytes = mr_str_from(bytes, 1);
	}
	w->has_odd = bytes.n & 1;
	if (w->has_odd)
		w->odd = bytes.p[--bytes.n];
	while (bytes.n) {
		struct mr_str piece = { bytes.p, bytes.n < 8192 ? bytes.n : 8192 };

		/* The byte order mark is no letter. */
		if (w->o && w->o->len == 0 && (unsigned char)piece.p[0] >= 0xfe) {
			bytes = mr_str_from(bytes, 2);
			piece = (struct mr_str){ bytes.p, bytes.n < 8192 ? bytes.n : 8192 };
		}
		mr_object_feed(w->o, (struct mr_str){ out, mr_mime_narrow(out, piece, is_be) });
		bytes = mr_str_from(bytes, piece.n);
	}
}

static void
end_utf16(struct mr_object *o, void *state)
{
	struct narrow *w = state;

	(void)o;
	mr_object_end(w->o);
	free(w);
}

const struct mr_consumer mr_consume_utf16 = { false, wants_utf16, begin_utf16, feed_utf16,
	end_utf16 };

/* ---- HTML that makes a file ------------------------------------------------------------------------------ */

#define WORD_LEN_MAX 32u

/* What a page needs to hand over a file that it carries: a script, the bytes, and the file. */
static const struct {
	const char *word;
	unsigned is;
} smuggling[] = { { "<script", 1 }, { " download=", 1 }, { "onload=", 1 }, { "onerror=", 1 },
	{ "atob(", 2 }, { "Uint8Array", 2 }, { "fromCharCode", 2 }, { "new Blob", 2 },
	{ ";base64,", 2 }, { "createObjectURL", 4 }, { "msSaveBlob", 4 }, { "msSaveOrOpenBlob", 4 },
	{ ".download", 4 }, { "data:application/", 4 },
	/* Base64 of MZ: a program, whatever is done with it. */
	{ ";base64,TVq", 7 }, { ";base64,TVp", 7 }, { "\"TVqQAA", 7 }, { "'TVqQAA", 7 } };

struct html {
	unsigned seen;
	size_t n; /* bytes of the piece before that are kept */
	char kept[2 * WORD_LEN_MAX];
};

static bool
wants_html(const struct mr_object *o)
{
	static const char *const tags[] = { "<html", "<!doctype", "<script", "<svg", "<body",
		"<head" };

	for (size_t i = 0; o->holds == MR_HOLDS_TEXT && i < sizeof tags / sizeof *tags; i++)
		if (mr_str_caseholds(mr_buf_str(&o->head), tags[i]))
			return true;
	return false;
}

static void *
begin_html(struct mr_object *o)
{
	(void)o;
	return calloc(1, sizeof(struct html));
}

static void
look(struct html *h, struct mr_str s)
{
	for (size_t i = 0; i < sizeof smuggling / sizeof *smuggling; i++)
		if ((h->seen & smuggling[i].is) != smuggling[i].is
		    && memmem(s.p, s.n, smuggling[i].word, strlen(smuggling[i].word)))
			h->seen |= smuggling[i].is;
}

static void
feed_html(struct mr_object *o, void *state, struct mr_str bytes)
{
	struct html *h = state;
	size_t n = bytes.n < WORD_LEN_MAX ? bytes.n : WORD_LEN_MAX;

	(void)o;
	memcpy(h->kept + h->n, bytes.p, n);
	look(h, (struct mr_str){ h->kept, h->n + n });
	look(h, bytes);
	if (bytes.n >= WORD_LEN_MAX) {
		h->n = WORD_LEN_MAX;
		memcpy(h->kept, bytes.p + bytes.n - WORD_LEN_MAX, WORD_LEN_MAX);
	} else {
		size_t all = h->n + n;

		h->n = all < WORD_LEN_MAX ? all : WORD_LEN_MAX;
		memmove(h->kept, h->kept + all - h->n, h->n);
	}
}

static void
end_html(struct mr_object *o, void *state)
{
	const struct html *h = state;

	if (h->seen == 7)
		mr_object_found(o, MR_RULE_CONTENT, MR_STR("smuggling"), mr_str(o->name));
	free(state);
}

const struct mr_consumer mr_consume_html = { false, wants_html, begin_html, feed_html, end_html };
