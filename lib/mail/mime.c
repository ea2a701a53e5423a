#include "mail/mime.h"

#include "mail/header.h"
#include "mail/mimefield.h"
#include "mail/mimefile.h"

#include <stdlib.h>
#include <string.h>

struct boundary {
	struct mr_str text;
	struct mr_str path; /* of the multipart */
	unsigned depth;     /* of its parts */
	unsigned part_n;
};

/* How much is known of the header block that is being read. */
enum head_state {
	NO_HEAD,
	MAYBE_HEAD, /* a body may be running as well; counts if it has a field of MIME */
	SURE_HEAD
};

struct mr_mime {
	const struct mr_mime_ops *ops;
	void *ctx;
	struct mr_arena arena;
	struct mr_buf partial; /* a line whose end has not come yet */
	struct mr_str run;     /* lines of body in the caller's bytes, not handed out yet */
	bool in_line;          /* the line began in a piece that was handed on */

	enum head_state state;
	bool in_field;      /* the last field is one that is kept: continuation lines join it */
	bool has_mime;      /* the block has a Content- field */
	bool has_begun;     /* a body was begun within it already */
	bool guess_is_open; /* the guessed boundary is still to be kept */
	struct mr_buf guess, text;
	struct {
		enum mr_mime_field field;
		size_t at;
	} field[MR_MIME_FIELD_MAX];
	size_t field_n;

	bool at_start;  /* the next line that is not empty is a body's first */
	bool may_guess; /* no part is known to run here: any "--x" may be a delimiter */
	unsigned depth, part_n;
	struct mr_str path;
	struct boundary *boundary;
	size_t boundary_n, boundary_cap;
	bool told[MR_MIME_HEAD_TOO_LARGE + 1];
	struct mr_mimefile file;
};

static void
limit(struct mr_mime *m, enum mr_mime_limit which)
{
	if (!m->told[which])
		m->ops->limit(m->ctx, which);
	m->told[which] = true;
}

static void
flush(struct mr_mime *m)
{
	if (m->run.n)
		m->ops->body(m->ctx, m->run);
	m->run.n = 0;
}

static void
end_bodies(struct mr_mime *m)
{
	flush(m);
	mr_mimefile_end(&m->file);
	m->ops->end(m->ctx);
}

static void
set_depth(struct mr_mime *m, unsigned depth)
{
	m->depth = depth;
	if (depth > MR_MIME_DEPTH_MAX)
		limit(m, MR_MIME_TOO_DEEP);
}

/* ---- header blocks ------------------------------------------------------------------------------- */

static void
begin_head(struct mr_mime *m, enum head_state state)
{
	m->state = state;
	m->in_field = m->has_mime = m->has_begun = m->guess_is_open = false;
	m->field_n = 0;
	m->at_start = false;
	mr_buf_clear(&m->text);
}

static struct boundary *
find(struct mr_mime *m, struct mr_str text)
{
	for (size_t i = 0; i < m->boundary_n; i++)
		if (mr_str_eq(m->boundary[i].text, text))
			return &m->boundary[i];
	return NULL;
}

static void
declare(void *ctx, struct mr_str text)
{
	struct mr_mime *m = ctx;

	if (find(m, text))
		return;
	text = mr_arena_dup(&m->arena, text);
	if (m->boundary_n == MR_MIME_BOUNDARY_MAX || !text.p
	    || !mr_arena_grow(
	        &m->arena, &m->boundary, m->boundary_n, &m->boundary_cap, sizeof *m->boundary)) {
		limit(m, MR_MIME_TOO_MANY_BOUNDARIES);
		return;
	}
	m->boundary[m->boundary_n++] =
	    (struct boundary){ .text = text, .path = m->path, .depth = m->depth + 1 };
}

static void
enter(struct mr_mime *m, struct boundary *b)
{
	b->part_n++;
	m->path = mr_arena_fmt(
	    &m->arena, "%.*s%s%u", (int)b->path.n, b->path.p, b->path.n ? "." : "", b->part_n);
	if (!m->path.p) {
		limit(m, MR_MIME_TOO_MANY_PARTS);
		m->path = MR_STR("...");
	}
	set_depth(m, b->depth);
	m->may_guess = false;
}

static void
take_type(void *ctx, struct mr_str type)
{
	bool *is_multipart = ctx;

	*is_multipart |= mr_str_starts(type, "multipart");
}

/* A body may begin here, by the fields read so far. */
static void
begin_body(struct mr_mime *m)
{
	struct mr_mime_head head = { .path = m->path, .depth = m->depth, .n = m->field_n };
	struct mr_mime_taker boundaries = { declare, m };
	bool is_multipart = false;
	struct mr_mime_taker types = { take_type, &is_multipart };
	struct mr_str all = mr_buf_str(&m->text);

	if (!m->has_begun)
		end_bodies(m);
	m->has_begun = true;
	flush(m);
	if (++m->part_n > MR_MIME_PART_MAX) {
		limit(m, MR_MIME_TOO_MANY_PARTS);
		return;
	}
	for (size_t i = 0; i < m->field_n; i++) {
		size_t end = i + 1 < m->field_n ? m->field[i + 1].at : all.n;

		head.field[i].field = m->field[i].field;
		head.field[i].value =
		    (struct mr_str){ all.p + m->field[i].at, end - m->field[i].at };
		if (head.field[i].field == MR_MIME_TYPE)
			mr_mime_types(head.field[i].value, &types);
	}
	m->ops->part(m->ctx, &head);
	m->may_guess = is_multipart;
	for (size_t i = 0; i < m->field_n; i++)
		if (!mr_mime_boundaries(head.field[i].value, &boundaries))
			limit(m, MR_MIME_TOO_MANY_BOUNDARIES);
	m->at_start = true;
}

/* The block is complete. */
static void
end_head(struct mr_mime *m)
{
	bool is_maybe = m->state == MAYBE_HEAD;
	struct boundary *b;

	m->state = NO_HEAD;
	if (is_maybe && !m->has_mime)
		return;
	if (is_maybe && m->guess_is_open) {
		declare(m, mr_buf_str(&m->guess));
		if ((b = find(m, mr_buf_str(&m->guess))))
			enter(m, b);
	} else if (is_maybe)
		set_depth(m, m->depth + 1);
	begin_body(m);
}

/* The field's name as the most lenient reader sees it. */
static enum mr_mime_field
field_of(struct mr_str name)
{
	static const char *const names[] = { [MR_MIME_TYPE] = "contenttype",
		[MR_MIME_ENCODING] = "contenttransferencoding",
		[MR_MIME_DISPOSITION] = "contentdisposition" };
	char letters[32];
	size_t n = 0;

	for (size_t i = 0; i < name.n && n < sizeof letters; i++) {
		int c = mr_lower((unsigned char)name.p[i]);

		if (c >= 'a' && c <= 'z')
			letters[n++] = (char)c;
	}
	for (int i = MR_MIME_TYPE; i < MR_MIME_OTHER; i++)
		if (mr_str_is((struct mr_str){ letters, n }, names[i]))
			return (enum mr_mime_field)i;
	return MR_MIME_OTHER;
}

static void
add_text(struct mr_mime *m, struct mr_str s)
{
	mr_buf_add(&m->text, s);
	if (m->text.is_full)
		limit(m, MR_MIME_HEAD_TOO_LARGE);
}

static void
begin_field(struct mr_mime *m, struct mr_str line, struct mr_str name)
{
	enum mr_mime_field f = field_of(name);
	ptrdiff_t colon;

	m->in_field = f != MR_MIME_OTHER;
	if (!m->in_field)
		return;
	m->has_mime = true;
	if (m->field_n == MR_MIME_FIELD_MAX) {
		limit(m, MR_MIME_HEAD_TOO_LARGE);
		m->in_field = false;
		return;
	}
	m->field[m->field_n].field = f;
	m->field[m->field_n++].at = m->text.n;
	colon = mr_str_chr(line, ':');
	if (colon >= 0)
		add_text(m, mr_str_from(line, (size_t)colon + 1));
}

/* A line while a header block is read; `is_firm`: it ends in LF, as lines should. */
static void
head_line(struct mr_mime *m, struct mr_str line, bool is_firm)
{
	struct mr_str name;

	if (line.n == 0 && is_firm) {
		end_head(m);
		return;
	}
	if (line.n && (line.p[0] == ' ' || line.p[0] == '\t') && mr_str_trim(line).n) {
		if (m->in_field) {
			struct mr_str more = mr_str_trim(line);

			/* The line broke before the colon. */
			if (m->text.n == m->field[m->field_n - 1].at && more.p[0] == ':')
				line = mr_str_from(more, 1);
			mr_buf_addc(&m->text, '\n');
			add_text(m, line);
		}
		return;
	}
	name = mr_header_name(line);
	if (!name.p && line.n < 32 && field_of(line) != MR_MIME_OTHER)
		name = line; /* its colon may stand on the next line */
	if (name.p)
		begin_field(m, line, name);
	else if (m->state == MAYBE_HEAD)
		m->state = NO_HEAD;
	else {
		/* Some take it for the body's first line, or for the empty line before it. */
		unsigned depth = m->depth;

		m->in_field = false;
		if (m->part_n < MR_MIME_PART_MAX && (!m->has_begun || m->has_mime))
			begin_body(m);
		m->depth = depth;
		m->has_mime = m->at_start = false; /* not again without more fields */
	}
}

/* ---- delimiters -------------------------------------------------------------------------------------- */

static void
known_delimiter(struct mr_mime *m, struct boundary *b, bool is_closing)
{
	if (m->state != NO_HEAD)
		end_head(m); /* a part that is nothing but its header */
	end_bodies(m);
	m->state = NO_HEAD;
	if (is_closing) {
		m->depth = b->depth - 1;
		m->path = b->path;
		m->may_guess = true;
		m->at_start = false;
		return;
	}
	enter(m, b);
	begin_head(m, SURE_HEAD);
}

/* `line` begins "--".  True if it belongs to no body. */
static bool
delimiter(struct mr_mime *m, struct mr_str line)
{
	struct boundary *close = NULL, *longer = NULL;
	struct mr_str rest = mr_str_from(line, 2);

	while (rest.n && (rest.p[rest.n - 1] == ' ' || rest.p[rest.n - 1] == '\t'))
		rest.n--;
	for (size_t i = m->boundary_n; i > 0; i--) {
		struct boundary *b = &m->boundary[i - 1];
		struct mr_str more;

		if (rest.n < b->text.n || memcmp(rest.p, b->text.p, b->text.n) != 0)
			continue;
		more = mr_str_from(rest, b->text.n);
		if (more.n == 0) {
			known_delimiter(m, b, false);
			return true;
		}
		if (!close && mr_str_is(more, "--"))
			close = b;
		if (!longer && b->text.n)
			longer = b;
	}
	if (close) {
		known_delimiter(m, close, true);
		return true;
	}
	if (m->state == SURE_HEAD || (!longer && !m->may_guess && !m->at_start) || rest.n == 0)
		return false;
	begin_head(m, MAYBE_HEAD);
	m->guess_is_open = true;
	mr_buf_clear(&m->guess);
	mr_buf_add(&m->guess, rest);
	return false;
}

/* ---- lines --------------------------------------------------------------------------------------------- */

static void
body_bytes(struct mr_mime *m, struct mr_str bytes)
{
	if (m->run.n && m->run.p + m->run.n == bytes.p) {
		m->run.n += bytes.n;
		return;
	}
	flush(m);
	m->run = bytes;
}

/* True for the line "--x" that began a header block perhaps. */
static bool
is_guess(const struct mr_mime *m, struct mr_str line)
{
	return m->guess_is_open && mr_str_starts(line, "--")
	    && mr_str_eq(mr_str_trim(mr_str_from(line, 2)), mr_str_trim(mr_buf_str(&m->guess)));
}

/* The line, or a piece of one that is too long; `line` is it without line end. */
static void
take_line(struct mr_mime *m, struct mr_str bytes, struct mr_str line, bool is_whole)
{
	bool is_first = !m->in_line, was_head = m->state == SURE_HEAD;
	bool is_firm = bytes.n > line.n && bytes.p[bytes.n - 1] == '\n';

	m->in_line = !is_whole;
	if (!is_first) {
		if (m->state != NO_HEAD && m->in_field)
			add_text(m, line);
	} else {
		if (line.n >= 2 && line.p[0] == '-' && line.p[1] == '-' && delimiter(m, line))
			return;
		if (m->state != NO_HEAD && !is_guess(m, line))
			head_line(m, line, is_firm);
		else if (m->at_start && line.n && !mr_str_starts(line, "From ")
		    && !mr_str_starts(line, ">From ")) {
			m->at_start = false;
			if (mr_header_name(line).n > 1) {
				begin_head(m, MAYBE_HEAD);
				head_line(m, line, is_firm);
			}
		}
		/* The line that ended the block is not the body's. */
		if (was_head && m->state == NO_HEAD && line.n == 0)
			return;
		if (!was_head || m->has_begun)
			mr_mimefile_line(&m->file, line);
	}
	if (!was_head || m->has_begun)
		body_bytes(m, bytes);
}

/* Length of the line at the start of s with its end, LF or a CR before neither CR nor LF; 0: its end is
 * not there.  *lf is where the next LF was found to be; lines that end in CR shall not look for it again. */
static size_t
line_len(struct mr_str s, const char **lf)
{
	const char *end = s.p + s.n, *cr;

	if (!*lf || *lf < s.p) {
		*lf = memchr(s.p, '\n', s.n);
		*lf = *lf ? *lf : end;
	}
	cr = memchr(s.p, '\r', (size_t)(*lf - s.p));
	if (cr) {
		while (cr < *lf && *cr == '\r')
			cr++;
		if (cr == end)
			return 0; /* what follows decides */
		if (*cr != '\n')
			return (size_t)(cr - s.p);
	}
	return *lf < end ? (size_t)(*lf - s.p) + 1 : 0;
}

static struct mr_str
without_end(struct mr_str line)
{
	while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
		line.n--;
	return line;
}

static void
take_partial(struct mr_mime *m, bool is_whole)
{
	struct mr_str line = mr_buf_str(&m->partial);

	flush(m);
	take_line(m, line, without_end(line), is_whole);
	flush(m);
	mr_buf_clear(&m->partial);
}

/* Puts bytes behind what is there of the line; how many it took. */
static size_t
fill_partial(struct mr_mime *m, struct mr_str bytes, const char **lf)
{
	size_t n = line_len(bytes, lf);

	/* A CR at its end was waiting for what comes now. */
	if (m->partial.n && m->partial.p[m->partial.n - 1] == '\r' && bytes.p[0] != '\n'
	    && bytes.p[0] != '\r') {
		take_partial(m, true);
		return 0;
	}
	if (n == 0)
		n = bytes.n;
	if (n > MR_MIME_LINE_MAX - m->partial.n)
		n = MR_MIME_LINE_MAX - m->partial.n;
	mr_buf_add(&m->partial, (struct mr_str){ bytes.p, n });
	if (m->partial.p[m->partial.n - 1] == '\n')
		take_partial(m, true);
	else if (m->partial.n == MR_MIME_LINE_MAX)
		take_partial(m, false);
	return n;
}

void
mr_mime_feed(struct mr_mime *m, struct mr_str bytes)
{
	const char *lf = NULL;

	while (bytes.n) {
		size_t n;

		if (m->partial.n == 0 && (n = line_len(bytes, &lf)) && n <= MR_MIME_LINE_MAX)
			take_line(m, (struct mr_str){ bytes.p, n },
			    without_end((struct mr_str){ bytes.p, n }), true);
		else
			n = fill_partial(m, bytes, &lf);
		bytes = mr_str_from(bytes, n);
	}
	flush(m);
}

struct mr_mime *
mr_mime_new(const struct mr_mime_ops *ops, void *ctx, bool is_message, const struct mr_mime *parent,
    struct mr_str path, unsigned depth)
{
	struct mr_mime *m = calloc(1, sizeof *m);

	if (!m)
		return NULL;
	m->ops = ops;
	m->ctx = ctx;
	m->path = path;
	mr_arena_init(&m->arena, MR_MIME_MEMORY_MAX);
	mr_buf_init(&m->partial, MR_MIME_LINE_MAX);
	mr_buf_init(&m->text, MR_MIME_HEAD_MAX);
	mr_buf_init(&m->guess, MR_MIME_LINE_MAX);
	mr_mimefile_init(&m->file, ops, ctx);
	set_depth(m, depth);
	for (size_t i = 0; parent && i < parent->boundary_n; i++)
		declare(m, parent->boundary[i].text);
	begin_head(m, is_message ? SURE_HEAD : NO_HEAD);
	m->at_start = m->may_guess = !is_message;
	return m;
}

void
mr_mime_end(struct mr_mime *m)
{
	if (!m)
		return;
	if (m->partial.n)
		take_partial(m, true);
	if (m->state != NO_HEAD)
		end_head(m);
	end_bodies(m);
	mr_arena_free(&m->arena);
	mr_buf_free(&m->partial);
	mr_buf_free(&m->text);
	mr_buf_free(&m->guess);
	free(m);
}
