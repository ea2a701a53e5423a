/* exam_pdf.c - PDF (ISO 32000-1): files embedded in it, their names, and actions that start programs. */
#include "base/inflate.h"
#include "check/exam_object.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW 16384u
#define NEAR   512u
#define LOOK_MAX \
	1024u /* bytes of a dictionary before its stream, and of a string, that are looked at */

/* Marks are found wherever they stand, without the table of objects: readers repair a broken one, too. */
struct pdf {
	char window[WINDOW];
	size_t n, done;         /* bytes in it; of these, before what is still to be looked at */
	size_t skip;            /* of what is to be looked at, no bytes of the file */
	struct mr_object *file; /* the embedded file whose stream this is, or NULL */
	struct mr_inflate *inflate;
};

static bool
wants_pdf(const struct mr_object *o)
{
	return o->head.n && !(o->is_raw && o->holds == MR_HOLDS_TEXT)
	    && memmem(o->head.p, o->head.n < LOOK_MAX ? o->head.n : LOOK_MAX, "%PDF-", 5);
}

static void *
begin_pdf(struct mr_object *o)
{
	(void)o;
	return calloc(1, sizeof(struct pdf));
}

static bool
holds(struct mr_str s, const char *word)
{
	return memmem(s.p, s.n, word, strlen(word)) != NULL;
}

static bool
emit(void *ctx, struct mr_str bytes)
{
	struct mr_object *o = ctx;

	mr_object_feed(o, bytes);
	return !o->x->is_over;
}

static void
end_file(struct pdf *p)
{
	mr_inflate_free(p->inflate);
	p->inflate = NULL;
	mr_object_end(p->file);
	p->file = NULL;
}

static void
feed_file(struct pdf *p, struct mr_str bytes)
{
	size_t used;

	if (!p->file || bytes.n == 0)
		return;
	if (!p->inflate)
		mr_object_feed(p->file, bytes);
	else if (mr_inflate(p->inflate, bytes, &used, emit, p->file) != MR_OK)
		end_file(p);
}

/* A stream begins; `dict` ends with the dictionary before it. */
static void
begin_stream(struct mr_object *o, struct pdf *p, struct mr_str dict)
{
	const char *start = dict.p;

	for (size_t i = dict.n; i >= 3 && start == dict.p; i--)
		if (memcmp(dict.p + i - 3, "obj", 3) == 0)
			start = dict.p + i;
	dict = mr_str_from(dict, (size_t)(start - dict.p));
	if (p->file || !holds(dict, "/EmbeddedFile") || !mr_object_count_member(o))
		return;
	p->file = mr_object_new(o, MR_IN_ARCHIVE, MR_STR("embedded"), MR_STR(""), "PDF");
	if (p->file && (holds(dict, "/FlateDecode") || holds(dict, "/Fl ") || holds(dict, "/Fl]"))
	    && !(p->inflate = mr_inflate_new(true)))
		mr_exam_fault(o->x, "out of memory");
}

/* "(report.exe)" behind /F or /UF: escapes and UTF-16 undone. */
static void
take_string(struct mr_object *o, struct mr_str s)
{
	struct mr_object *m;
	char name[LOOK_MAX];
	size_t n = 0;

	for (size_t i = 1; i < s.n && s.p[i] != ')' && n < sizeof name; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		if (s.p[i] && (unsigned char)s.p[i] < 0xfe)
			name[n++] = s.p[i];
	}
	if (n == 0)
		return;
	m = mr_object_ask(o, MR_IN_ARCHIVE, MR_STR("embedded"), (struct mr_str){ name, n }, "PDF");
	if (m)
		mr_object_named(m, (struct mr_str){ name, n });
	mr_object_end(m);
}

/* A name, which begins with '/', at `i` of the window. */
static void
take_key(struct mr_object *o, const struct pdf *p, size_t i)
{
	struct mr_str s = { p->window + i, p->n - i }, value = { NULL, 0 };
	size_t before = i < NEAR ? i : NEAR, after = s.n < NEAR ? s.n : NEAR;

	if (mr_str_starts(s, "/Launch"))
		mr_object_found(o, MR_RULE_CONTENT, MR_STR("launch"), mr_str(o->name));
	else if (mr_str_starts(s, "/F"))
		value = mr_str_trim(mr_str_from(s, 2));
	else if (mr_str_starts(s, "/UF"))
		value = mr_str_trim(mr_str_from(s, 3));
	/* Of a file that is embedded, not of one elsewhere. */
	if (value.n && value.p[0] == '('
	    && holds((struct mr_str){ s.p - before, before + after }, "/EF"))
		take_string(o, value);
}

/* Looks at what begins before `end` of the window; a mark may reach behind it. */
static void
advance(struct mr_object *o, struct pdf *p, size_t end)
{
	size_t fed = p->done + p->skip;

	for (size_t i = p->done; i < end && !o->x->is_over; i++) {
		struct mr_str s = { p->window + i, p->n - i };
		size_t before = i < LOOK_MAX ? i : LOOK_MAX;

		if (s.p[0] == '/')
			take_key(o, p, i);
		if (s.p[0] != 's' || !mr_str_starts(s, "stream"))
			continue;
		if (i >= 3 && memcmp(s.p - 3, "end", 3) == 0) {
			if (fed + 3 < i)
				feed_file(p, (struct mr_str){ p->window + fed, i - 3 - fed });
			end_file(p);
		} else if (!p->file) {
			begin_stream(o, p, (struct mr_str){ s.p - before, before });
			fed = i + 6;
			fed += fed < p->n && p->window[fed] == '\r';
			fed += fed < p->n && p->window[fed] == '\n';
		}
	}
	if (fed < end)
		feed_file(p, (struct mr_str){ p->window + fed, end - fed });
	p->skip = fed > end ? fed - end : 0;
	p->done = end;
}

static void
feed_pdf(struct mr_object *o, void *state, struct mr_str bytes)
{
	struct pdf *p = state;

	while (bytes.n && !o->x->is_over) {
		size_t n = sizeof p->window - p->n;

		if (n > bytes.n)
			n = bytes.n;
		memcpy(p->window + p->n, bytes.p, n);
		p->n += n;
		bytes = mr_str_from(bytes, n);
		if (p->n < sizeof p->window)
			continue;
		advance(o, p, p->n - LOOK_MAX);
		memmove(p->window, p->window + p->n - 2 * LOOK_MAX, 2 * LOOK_MAX);
		p->n = 2 * LOOK_MAX;
		p->done = LOOK_MAX;
	}
}

static void
end_pdf(struct mr_object *o, void *state)
{
	struct pdf *p = state;

	advance(o, p, p->n);
	end_file(p);
	free(p);
}

const struct mr_consumer mr_consume_pdf = { true, wants_pdf, begin_pdf, feed_pdf, end_pdf };
