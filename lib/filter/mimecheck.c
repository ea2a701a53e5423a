#include "base/clock.h"
#include "base/io.h"
#include "check/exam.h"
#include "filter/filter.h"
#include "ui/json.h"

static const char refused[] = "5.7.1 Attachment refused: %s (%s %s)";

#define PIECE_MAX  (64u << 10) /* bytes that are read at once */
#define SHOWN_MAX  120u        /* bytes of what others wrote, in replies and header fields */
#define REPORT_MAX (4u << 20)

struct mimecheck {
	const struct mr_filter_conf *conf;
	struct mr_rules *rules;
	bool is_json; /* -j */
};

static enum mr_status
read_table(struct mimecheck *m, const struct mr_filter_conf *conf, struct mr_err *err)
{
	const char *path = conf->operand_n ? conf->operand[0] : NULL;
	struct mr_table *table = NULL;
	enum mr_status st;

	if (path
	    && (st = mr_table_load(&table, conf->watch, path, MR_TABLE_ATTACH, NULL, NULL, err)))
		return st;
	st = mr_rules_read(&m->rules, conf->arena, table, path, err);
	mr_table_close(table);
	return st;
}

static enum mr_status
mimecheck_open(void **state, const struct mr_filter_conf *conf, struct mr_err *err)
{
	struct mimecheck *m = mr_arena_alloc(conf->arena, sizeof *m);

	if (!m)
		return mr_err_set(err, MR_TEMP, "out of memory");
	m->conf = conf;
	m->is_json = conf->opt_n > 0; /* -j is the only one */
	if (conf->operand_n > 1)
		return mr_err_set(err, MR_USAGE, "need one table at most");
	*state = m;
	return read_table(m, conf, err);
}

/* ---- answering -------------------------------------------------------------------------------- */

/* What others wrote, in safe characters: its end, where the extension is. */
static const char *
shown(struct mr_arena *arena, struct mr_str s)
{
	if (s.n > SHOWN_MAX)
		s = mr_str_from(s, s.n - SHOWN_MAX);
	s = mr_arena_shown(arena, s, SHOWN_MAX, "\"");
	return s.p ? s.p : "";
}

static const char *
file_of(struct mr_arena *arena, const struct mr_exam_hit *h)
{
	struct mr_str s = h->name.n ? h->name : h->path;

	return s.n ? shown(arena, s) : "the message";
}

static const char *
action_word(const struct mr_exam_hit *h)
{
	return !h ? "pass" : h->action == MR_RULE_BLOCK ? "block" : "tag";
}

static void
tell_log(const struct mimecheck *m, const struct mr_env *env, const struct mr_exam_result *r)
{
	for (size_t i = 0; env->attrs.n && i < r->hit_n; i++) {
		const struct mr_exam_hit *h = &r->hit[i];

		MR_LOG(m->conf->log, MR_LOG_INFO, "attachment",
		    { "id", mr_env_get(env, "queue_id") }, { "action", mr_str(action_word(h)) },
		    { "kind", mr_str(mr_rule_kind_word(h->kind)) }, { "value", h->value },
		    { "rule", h->rule }, { "path", h->path }, { "name", h->name },
		    { "reading", h->reading });
	}
}

static void
add_json_hit(struct mr_buf *b, const struct mr_exam_hit *h)
{
	mr_buf_adds(b, "{");
	mr_json_field(b, "action", mr_str(action_word(h)));
	mr_json_field(b, "kind", mr_str(mr_rule_kind_word(h->kind)));
	mr_json_field(b, "value", h->value);
	mr_json_field(b, "rule", h->rule);
	mr_json_field(b, "scope", mr_str(mr_rule_scope_word(h->scope)));
	mr_json_field(b, "path", h->path);
	mr_json_field(b, "name", h->name);
	mr_json_field(b, "reading", h->reading);
	mr_buf_adds(b, "}");
}

static void
add_json(struct mr_buf *b, const struct mr_exam_result *r)
{
	mr_buf_adds(b, "{");
	mr_json_field(b, "verdict", mr_str(action_word(r->worst)));
	mr_buf_adds(b, ",\"hits\":[");
	for (size_t i = 0; i < r->hit_n; i++) {
		mr_buf_adds(b, i ? "," : "");
		add_json_hit(b, &r->hit[i]);
	}
	mr_buf_adds(b, "],\"files\":[");
	for (size_t i = 0; i < r->file_n; i++) {
		const struct mr_exam_file *f = &r->file[i];

		mr_buf_adds(b, i ? ",{" : "{");
		mr_json_num(b, "depth", f->depth);
		mr_json_field(b, "path", f->path);
		mr_json_field(b, "name", f->name);
		mr_json_field(b, "reading", f->reading);
		mr_json_field(b, "content", f->content);
		mr_json_num(b, "bytes", (int64_t)f->len);
		mr_buf_adds(b, "}");
	}
	mr_buf_adds(b, "]}\n");
}

static void
add_hit(struct mr_buf *b, struct mr_arena *arena, const struct mr_exam_hit *h)
{
	mr_buf_addf(b, "%s: %s %s, %s, by %s", action_word(h), mr_rule_kind_word(h->kind),
	    shown(arena, h->value), file_of(arena, h), shown(arena, h->rule));
	mr_buf_addf(b, " (%s in %s, read as %s)\n", mr_rule_scope_word(h->scope),
	    h->path.n ? shown(arena, h->path) : "the message", shown(arena, h->reading));
}

/* The tree of files: what each was read as, its length, its name, what it is. */
static void
add_tree(struct mr_buf *b, struct mr_arena *arena, const struct mr_exam_result *r)
{
	for (size_t i = 0; i < r->file_n; i++) {
		const struct mr_exam_file *f = &r->file[i];

		mr_buf_addf(b, "%*s%s", (int)(2 * f->depth) - 2, "",
		    f->path.n ? shown(arena, f->path) : "message");
		mr_buf_addf(
		    b, "  %s, %llu bytes", shown(arena, f->reading), (unsigned long long)f->len);
		if (f->name.n)
			mr_buf_addf(b, ", \"%s\"", shown(arena, f->name));
		if (f->content.n)
			mr_buf_addf(b, ": %s", shown(arena, f->content));
		mr_buf_adds(b, "\n");
	}
}

static enum mr_status
add_report(const struct mimecheck *m, struct mr_answer *answer, const struct mr_exam_result *r,
    struct mr_err *err)
{
	struct mr_buf b;

	mr_buf_init(&b, REPORT_MAX);
	if (m->is_json)
		add_json(&b, r);
	else {
		add_tree(&b, answer->arena, r);
		for (size_t i = 0; i < r->hit_n; i++)
			add_hit(&b, answer->arena, &r->hit[i]);
		if (!r->hit_n)
			mr_buf_adds(&b, "pass\n");
	}
	answer->report = mr_arena_dup(answer->arena, mr_buf_str(&b));
	if (b.is_full)
		answer->report.p = NULL;
	mr_buf_free(&b);
	return answer->report.p ? MR_OK : mr_err_set(err, MR_TEMP, "out of memory");
}

/* A header field for each tag. */
static enum mr_status
add_tags(struct mr_answer *answer, const struct mr_exam_result *r, struct mr_err *err)
{
	struct mr_buf b;

	mr_buf_init(&b, MR_ANSWER_MAX / 2);
	for (size_t i = 0; i < r->hit_n; i++)
		if (r->hit[i].action == MR_RULE_TAG)
			mr_buf_addf(&b, "X-Attachment-Tag: %s %s; file=\"%s\"\n",
			    mr_rule_kind_word(r->hit[i].kind),
			    shown(answer->arena, r->hit[i].value),
			    file_of(answer->arena, &r->hit[i]));
	if (b.n)
		answer->headers = mr_arena_dup(answer->arena, mr_buf_str(&b));
	mr_buf_free(&b);
	return b.n == 0 || answer->headers.p ? MR_OK : mr_err_set(err, MR_TEMP, "out of memory");
}

static enum mr_status
answer_with(const struct mimecheck *m, const struct mr_env *env, const struct mr_exam_result *r,
    struct mr_answer *answer, struct mr_err *err)
{
	const struct mr_exam_hit *h = r->worst;
	enum mr_status st;

	tell_log(m, env, r);
	if (h && h->action == MR_RULE_BLOCK)
		mr_answer_say(answer, MR_REFUSE, refused, file_of(answer->arena, h),
		    mr_rule_kind_word(h->kind), shown(answer->arena, h->value));
	st = mr_attrs_set(
	    &answer->attrs, answer->arena, MR_STR("mime_result"), mr_str(action_word(h)), err);
	if (st == MR_OK && h)
		st = mr_attrs_set(&answer->attrs, answer->arena, MR_STR("mime_rule"), h->rule, err);
	if (st == MR_OK)
		st = add_tags(answer, r, err);
	return st ? st : add_report(m, answer, r, err);
}

static enum mr_status
mimecheck_message(
    void *state, int fd, const struct mr_env *env, struct mr_answer *answer, struct mr_err *err)
{
	const struct mimecheck *m = state;
	uint64_t time_s =
	    m->conf->time_s && m->conf->time_s < MR_EXAM_TIME_S ? m->conf->time_s : MR_EXAM_TIME_S;
	struct mr_exam_conf conf = { .rules = m->rules,
		.classes = mr_env_get(env, "class"),
		.arena = answer->arena,
		.wants_all = m->is_json || m->conf->is_verbose,
		.deadline_ms = mr_clock_mono_ms() + (int64_t)time_s * 1000,
		.spoil = m->conf->spoil };
	struct mr_exam_result result;
	struct mr_reader in;
	struct mr_exam *x;
	enum mr_status st, read_st = MR_OK;

	if ((st = mr_reader_init(&in, fd, PIECE_MAX, err)))
		return st;
	if ((st = mr_exam_new(&x, &conf, err))) {
		mr_reader_free(&in);
		return st;
	}
	while (
	    !mr_exam_is_over(x) && (read_st = mr_reader_fill(&in, MR_NO_DEADLINE, err)) == MR_OK) {
		struct mr_str piece = mr_reader_window(&in);

		mr_exam_feed(x, piece);
		mr_reader_take(&in, piece.n);
	}
	mr_reader_free(&in);
	st = mr_exam_end(x, &result, err);
	if (read_st == MR_TEMP || read_st == MR_PERM)
		return MR_TEMP;
	return st ? st : answer_with(m, env, &result, answer, err);
}

const struct mr_filter mr_filter_mimecheck = {
	.name = "mr-mimecheck",
	.purpose = "whether a message carries files that run",
	.synopsis = "[-j] [table]",
	.letters = "j",
	.open = mimecheck_open,
	.message = mimecheck_message,
};
