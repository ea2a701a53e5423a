/* mime.c - a text: parts begin and end in order; the same parts whatever the pieces; bodies are bytes of the
 * text. */
#include "mail/mime.h"

#include "fuzz.h"

struct seen {
	size_t part_n, body_n, end_n, path_n;
	unsigned open[MR_CODEC_BINHEX + 1];
};

static void
part(void *ctx, const struct mr_mime_head *head)
{
	struct seen *s = ctx;

	must(head->n <= MR_MIME_FIELD_MAX);
	for (size_t i = 0; i < head->n; i++)
		must(head->field[i].field < MR_MIME_OTHER);
	s->part_n++;
	s->path_n += head->path.n;
}

static void
body(void *ctx, struct mr_str bytes)
{
	struct seen *s = ctx;

	must(bytes.n > 0);
	s->body_n += bytes.n;
}

static void
end(void *ctx)
{
	struct seen *s = ctx;

	s->end_n++;
}

static void
file(void *ctx, enum mr_codec codec, struct mr_str name)
{
	struct seen *s = ctx;

	must(s->open[codec]++ == 0 && name.n <= 256);
}

static void
file_body(void *ctx, enum mr_codec codec, struct mr_str bytes)
{
	struct seen *s = ctx;

	must(s->open[codec] == 1 && bytes.n > 0);
}

static void
file_end(void *ctx, enum mr_codec codec)
{
	struct seen *s = ctx;

	must(s->open[codec]-- == 1);
}

static void
limit(void *ctx, enum mr_mime_limit which)
{
	(void)ctx;
	must(which <= MR_MIME_HEAD_TOO_LARGE);
}

static struct seen
read_in_pieces(struct mr_str s, size_t step, bool is_message)
{
	static const struct mr_mime_ops ops = { part, body, end, file, file_body, file_end, limit };
	struct seen seen = { .part_n = 0 };
	struct mr_mime *m = mr_mime_new(&ops, &seen, is_message, NULL, MR_STR(""), 0);

	must(m);
	for (size_t i = 0; i < s.n; i += step)
		mr_mime_feed(m, (struct mr_str){ s.p + i, s.n - i < step ? s.n - i : step });
	mr_mime_end(m);
	for (int i = 0; i <= MR_CODEC_BINHEX; i++)
		must(seen.open[i] == 0);
	must(seen.body_n <= s.n);
	return seen;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str s = fuzz_copy(data, size);

	for (int is_message = 0; is_message <= 1; is_message++) {
		struct seen a = read_in_pieces(s, size + 1, is_message),
		            b = read_in_pieces(s, 7, is_message);

		must(a.part_n == b.part_n && a.end_n == b.end_n && a.path_n == b.path_n);
		must(a.body_n == b.body_n);
	}
	fuzz_free(s);
	return 0;
}
