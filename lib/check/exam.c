#include "check/exam.h"

#include "base/clock.h"
#include "check/exam_object.h"
#include "mail/mimefield.h"

#include <stdlib.h>
#include <string.h>

#define SETTLE_LEN   4096u      /* bytes by which it is decided who looks into a file */
#define LOOK_EVERY   (1u << 18) /* bytes between two looks at the clock */
#define PATH_LEN_MAX 400u       /* bytes of a path that are kept */

/* In the order in which they end: the zip's names are known before the archive is read. */
static const struct mr_consumer *const consumers[] = { &mr_consume_zip, &mr_consume_gzip,
	&mr_consume_archive, &mr_consume_tnef, &mr_consume_cms, &mr_consume_ole, &mr_consume_pdf,
	&mr_consume_html, &mr_consume_utf16, &mr_consume_text };
#define CONSUMERS (sizeof consumers / sizeof *consumers)
_Static_assert(CONSUMERS == MR_CONSUMER_N, "an object has a state for each");

void
mr_exam_fault(struct mr_exam *x, const char *why)
{
	if (x->status == MR_OK)
		x->status = mr_err_set(&x->why, MR_TEMP, "%s", why);
	x->is_over = true;
}

void
mr_exam_look_at_clock(struct mr_exam *x)
{
	if (mr_clock_mono_ms() >= x->conf.deadline_ms)
		mr_exam_fault(x, "it took too long");
}

static char *
copy(struct mr_str s)
{
	char *p = malloc(s.n + 1);

	if (p) {
		if (s.n)
			memcpy(p, s.p, s.n);
		p[s.n] = '\0';
	}
	return p;
}

/* ---- what is found ------------------------------------------------------------------------------------ */

static bool
is_known(const struct mr_exam *x, const struct mr_exam_hit *h)
{
	for (size_t i = 0; i < x->hit_n; i++)
		if (x->hit[i].kind == h->kind && mr_str_eq(x->hit[i].value, h->value)
		    && mr_str_eq(x->hit[i].path, h->path) && mr_str_eq(x->hit[i].name, h->name))
			return true;
	return false;
}

/* The words of a listed file's content, each once. */
static void
list_content(struct mr_object *o, struct mr_str word)
{
	struct mr_exam_file *f = o->listed ? &o->x->file[o->listed - 1] : NULL;

	if (f && !memmem(f->content.p, f->content.n, word.p, word.n))
		f->content = mr_arena_fmt(o->x->conf.arena, "%.*s%s%.*s", (int)f->content.n,
		    f->content.p, f->content.n ? " " : "", (int)word.n, word.p);
}

void
mr_object_found(
    struct mr_object *o, enum mr_rule_kind kind, struct mr_str value, struct mr_str name)
{
	struct mr_exam *x = o->x;
	struct mr_exam_hit h = { .kind = kind,
		.scope = o->scope,
		.value = value,
		.path = mr_str(o->path),
		.name = name,
		.reading = mr_str(o->reading) };

	if (kind == MR_RULE_CONTENT || kind == MR_RULE_MAGIC || kind == MR_RULE_LIMIT)
		list_content(o, value);
	h.action = mr_rules_find(x->conf.rules, kind, value, o->scope, x->conf.classes, &h.rule);
	if (h.action == MR_RULE_PASS || is_known(x, &h))
		return;
	/* A block always finds room, if need be that of the last hit. */
	if (x->hit_n == MR_EXAM_HIT_MAX) {
		if (h.action != MR_RULE_BLOCK)
			return;
		x->hit_n--;
	}
	h.value = mr_arena_dup(x->conf.arena, h.value);
	h.path = mr_arena_dup(x->conf.arena, h.path);
	h.name = mr_arena_dup(x->conf.arena, h.name);
	if (!h.value.p || !h.path.p || !h.name.p
	    || !mr_arena_grow(x->conf.arena, &x->hit, x->hit_n, &x->hit_cap, sizeof *x->hit)) {
		mr_exam_fault(x, "out of memory");
		return;
	}
	x->hit[x->hit_n++] = h;
	if (h.action == MR_RULE_BLOCK && !x->conf.wants_all)
		x->is_over = true;
}

void
mr_object_limit(struct mr_object *o, const char *which)
{
	mr_object_found(o, MR_RULE_LIMIT, mr_str(which), mr_str(o->name));
}

void
mr_object_name_reading(struct mr_object *o, struct mr_str name)
{
	struct mr_str ext = mr_mime_extension(name);

	if (++o->x->name_n == MR_EXAM_NAME_MAX)
		mr_object_limit(o, "names");
	if (o->x->is_over)
		return;
	mr_object_found(o, MR_RULE_NAME, name, name);
	if (ext.n)
		mr_object_found(o, MR_RULE_EXT, ext, name);
}

static void
take_name(void *ctx, struct mr_str name)
{
	mr_object_name_reading(ctx, name);
}

void
mr_object_named(struct mr_object *o, struct mr_str name)
{
	const struct mr_mime_taker taker = { take_name, o };

	mr_mime_clean_name(name, &taker);
}

bool
mr_object_count_member(struct mr_object *o)
{
	mr_exam_look_at_clock(o->x);
	if (++o->x->member_n == MR_EXAM_MEMBER_MAX)
		mr_object_limit(o, "members");
	return o->x->member_n < MR_EXAM_MEMBER_MAX && !o->x->is_over;
}

/* ---- files --------------------------------------------------------------------------------------------- */

static void
list(struct mr_object *o)
{
	struct mr_exam *x = o->x;
	struct mr_arena *arena = x->conf.arena;

	if (!x->conf.wants_all || x->file_n == MR_EXAM_FILE_MAX
	    || !mr_arena_grow(arena, &x->file, x->file_n, &x->file_cap, sizeof *x->file))
		return;
	x->file[x->file_n++] = (struct mr_exam_file){ .depth = o->depth,
		.path = mr_arena_dup(arena, mr_str(o->path)),
		.name = mr_arena_dup(arena, mr_str(o->name)),
		.reading = mr_str(o->reading),
		.content = MR_STR("") };
	o->listed = x->file_n;
}

static char *
join_path(const struct mr_object *parent, struct mr_str place)
{
	struct mr_buf b;
	char *path;

	mr_buf_init(&b, 4 * PATH_LEN_MAX);
	if (parent)
		mr_buf_adds(&b, parent->path);
	if (place.n > PATH_LEN_MAX)
		place = mr_str_from(place, place.n - PATH_LEN_MAX);
	if (b.n && place.n)
		mr_buf_addc(&b, '/');
	mr_buf_add(&b, place);
	path = copy(mr_buf_str(&b));
	mr_buf_free(&b);
	return path;
}

static struct mr_object *
create(struct mr_object *parent, enum mr_rule_scope scope, struct mr_str place, struct mr_str name,
    const char *reading)
{
	struct mr_object *o;

	if (parent && parent->x->is_over)
		return NULL;
	if (parent && parent->depth == MR_EXAM_DEPTH_MAX) {
		mr_object_limit(parent, "depth");
		return NULL;
	}
	if (!(o = calloc(1, sizeof *o)))
		return NULL;
	o->parent = parent;
	o->scope = scope;
	o->reading = reading;
	o->depth = parent ? parent->depth + 1 : 0;
	o->path = join_path(parent, place);
	o->name = copy(name);
	mr_buf_init(&o->head, MR_FILETYPE_HEAD_MAX);
	if (parent)
		o->x = parent->x;
	if (!o->path || !o->name) {
		free(o->path);
		free(o->name);
		free(o);
		if (parent)
			mr_exam_fault(parent->x, "out of memory");
		return NULL;
	}
	return o;
}

struct mr_object *
mr_object_new(struct mr_object *parent, enum mr_rule_scope scope, struct mr_str place,
    struct mr_str name, const char *reading)
{
	struct mr_object *o = create(parent, scope, place, name, reading);

	if (o)
		list(o);
	return o;
}

struct mr_object *
mr_object_ask(struct mr_object *parent, enum mr_rule_scope scope, struct mr_str place,
    struct mr_str name, const char *reading)
{
	struct mr_object *o = create(parent, scope, place, name, reading);

	if (o)
		o->is_settled = true;
	return o;
}

static void
keep_tail(struct mr_object *o, struct mr_str s)
{
	if (s.n > MR_FILETYPE_TAIL_MAX)
		s = mr_str_from(s, s.n - MR_FILETYPE_TAIL_MAX);
	if (o->tail_n + s.n > sizeof o->tail) {
		memmove(o->tail, o->tail + o->tail_n - MR_FILETYPE_TAIL_MAX, MR_FILETYPE_TAIL_MAX);
		o->tail_n = MR_FILETYPE_TAIL_MAX;
	}
	memcpy(o->tail + o->tail_n, s.p, s.n);
	o->tail_n += s.n;
}

static void
feed_consumers(struct mr_object *o, struct mr_str bytes)
{
	for (size_t i = 0; i < CONSUMERS && bytes.n && !o->x->is_over; i++)
		if (o->state[i])
			consumers[i]->feed(o, o->state[i], bytes);
}

/* From here on who reads may be taken over. */
static void
spoil(struct mr_exam *x)
{
	if (x->conf.spoil)
		x->conf.spoil();
	x->conf.spoil = NULL;
}

static void
begin(struct mr_object *o, size_t i)
{
	if (consumers[i]->opens)
		spoil(o->x);
	if (!(o->state[i] = consumers[i]->begin(o)))
		mr_exam_fault(o->x, "out of memory");
}

/* Decides who looks into it, and hands out what has come so far. */
static void
settle(struct mr_object *o)
{
	o->is_settled = true;
	o->holds = mr_filetype_container(mr_buf_str(&o->head));
	for (size_t i = 0; i < CONSUMERS && !o->x->is_over; i++)
		if (consumers[i]->wants(o))
			begin(o, i);
	feed_consumers(o, mr_buf_str(&o->head));
}

/* Archives may not expand without end, nor anything take without end. */
static void
account(struct mr_object *o, size_t n)
{
	struct mr_exam *x = o->x;

	x->since_look += n;
	if (o->scope & (MR_IN_ARCHIVE | MR_IN_TAR)) {
		x->expanded += n;
		if (x->expanded > MR_EXAM_EXPANDED_MAX
		    || (x->expanded > MR_EXAM_EXPANDED_FREE
		        && x->expanded / MR_EXAM_EXPANDED_RATIO > x->fed)) {
			mr_object_limit(o, "expansion");
			x->is_over = true;
		}
	}
	if (x->since_look > LOOK_EVERY) {
		x->since_look = 0;
		mr_exam_look_at_clock(x);
	}
}

void
mr_object_feed(struct mr_object *o, struct mr_str bytes)
{
	struct mr_str head = bytes;

	if (!o || o->x->is_over || bytes.n == 0)
		return;
	account(o, bytes.n);
	o->len += bytes.n;
	keep_tail(o, bytes);
	if (o->is_settled)
		feed_consumers(o, bytes);
	if (head.n > MR_FILETYPE_HEAD_MAX - o->head.n)
		head.n = MR_FILETYPE_HEAD_MAX - o->head.n;
	mr_buf_add(&o->head, head);
	if (o->is_settled || o->head.n < SETTLE_LEN)
		return;
	settle(o);
	feed_consumers(o, mr_str_from(bytes, head.n));
}

static void
take_word(void *ctx, const char *word)
{
	struct mr_object *o = ctx;

	mr_object_found(o, MR_RULE_CONTENT, mr_str(word), mr_str(o->name));
}

static void
ask_magic(struct mr_object *o, struct mr_magic **magic, enum mr_rule_kind kind)
{
	char word[MR_FILETYPE_WORD_MAX];
	struct mr_err err;

	spoil(o->x);
	if ((!*magic && mr_magic_open(magic, kind == MR_RULE_MAGIC, &err))
	    || mr_magic_word(*magic, mr_buf_str(&o->head), word, &err))
		mr_exam_fault(o->x, err.text);
	else if (word[0])
		mr_object_found(o, kind, mr_str(word), mr_str(o->name));
}

/* What it is by its bytes: own checks first, for libmagic costs a load. */
static void
detect(struct mr_object *o)
{
	struct mr_exam *x = o->x;

	mr_filetype_by_head(mr_buf_str(&o->head), take_word, o);
	mr_filetype_by_tail((struct mr_str){ o->tail, o->tail_n }, take_word, o);
	if (o->head.n && o->holds != MR_HOLDS_TEXT && !mr_filetype_is_told(mr_buf_str(&o->head))
	    && !x->is_over)
		ask_magic(o, &x->magic, MR_RULE_CONTENT);
	if (o->head.n && mr_rules_have(x->conf.rules, MR_RULE_MAGIC) && !x->is_over)
		ask_magic(o, &x->system_magic, MR_RULE_MAGIC);
}

void
mr_object_end(struct mr_object *o)
{
	if (!o)
		return;
	if (!o->is_settled && !o->x->is_over)
		settle(o);
	for (size_t i = 0; i < CONSUMERS; i++)
		if (o->state[i])
			consumers[i]->end(o, o->state[i]);
	if (!o->x->is_over)
		detect(o);
	if (o->listed)
		o->x->file[o->listed - 1].len = o->len;
	mr_buf_free(&o->head);
	free(o->path);
	free(o->name);
	free(o);
}

/* ---- the message ---------------------------------------------------------------------------------------- */

enum mr_status
mr_exam_new(struct mr_exam **exam, const struct mr_exam_conf *conf, struct mr_err *err)
{
	struct mr_exam *x = calloc(1, sizeof *x);

	if (!x)
		return mr_err_set(err, MR_TEMP, "out of memory");
	x->conf = *conf;
	x->root = mr_object_ask(NULL, MR_IN_BODY, MR_STR(""), MR_STR(""), "message");
	if (x->root) {
		x->root->x = x;
		x->root->state[CONSUMERS - 1] = mr_text_open(x->root, true);
	}
	if (!x->root || !x->root->state[CONSUMERS - 1]) {
		free(x->root);
		free(x);
		return mr_err_set(err, MR_TEMP, "out of memory");
	}
	*exam = x;
	return MR_OK;
}

void
mr_exam_feed(struct mr_exam *x, struct mr_str bytes)
{
	x->fed += bytes.n;
	feed_consumers(x->root, bytes);
}

bool
mr_exam_is_over(const struct mr_exam *x)
{
	return x->is_over;
}

enum mr_status
mr_exam_end(struct mr_exam *x, struct mr_exam_result *result, struct mr_err *err)
{
	enum mr_status st;

	mr_consume_text.end(x->root, x->root->state[CONSUMERS - 1]);
	mr_buf_free(&x->root->head);
	free(x->root->path);
	free(x->root->name);
	free(x->root);
	mr_magic_close(x->magic);
	mr_magic_close(x->system_magic);
	*result = (struct mr_exam_result){
		.hit = x->hit, .hit_n = x->hit_n, .file = x->file, .file_n = x->file_n
	};
	for (size_t i = 0; i < x->hit_n; i++)
		if (!result->worst || x->hit[i].action > result->worst->action)
			result->worst = &x->hit[i];
	st = x->status;
	if (st && result->worst && result->worst->action == MR_RULE_BLOCK)
		st = MR_OK;
	if (st)
		mr_err_set(err, st, "%s", x->why.text);
	free(x);
	return st;
}
