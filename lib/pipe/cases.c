#include "pipe/cases.h"

#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUFFIX      ".case"
#define NAME_COLUMN 40 /* where a reason begins */

/* What a case says will happen; p NULL: nothing is said. */
struct expected {
	struct mr_str verdict, stage, text, field;
};

static const char *const verdicts[] = { "accept", "defer", "refuse" };

static const char *
word_of(enum mr_verdict v)
{
	return verdicts[v == MR_REFUSE ? 2 : v == MR_DEFER ? 1 : 0];
}

static bool
is_word(struct mr_str s)
{
	for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++)
		if (mr_str_is(s, verdicts[i]))
			return true;
	return false;
}

/* Parts what is expected from what is known. */
static enum mr_status
part(const struct mr_env *all, struct mr_env *known, struct expected *e, struct mr_err *err)
{
	const struct {
		const char *name;
		struct mr_str *to;
	} wanted[] = { { "expect", &e->verdict }, { "expect_stage", &e->stage },
		{ "expect_text", &e->text }, { "expect_field", &e->field } };
	enum mr_status st = MR_OK;

	*e = (struct expected){ .verdict = { NULL, 0 } };
	for (size_t i = 0; i < all->attrs.n && st == MR_OK; i++) {
		struct mr_attr a = all->attrs.v[i];
		size_t k = 0;

		while (k < sizeof wanted / sizeof *wanted && !mr_str_is(a.name, wanted[k].name))
			k++;
		if (k < sizeof wanted / sizeof *wanted)
			*wanted[k].to = a.value;
		else if (mr_str_starts(a.name, "expect"))
			st = mr_err_set(err, MR_PERM,
			    "%.*s: need expect, expect_stage, expect_text or expect_field",
			    (int)a.name.n, a.name.p);
		else
			st = mr_env_set(known, a.name, a.value, err);
	}
	known->rcpt = all->rcpt;
	known->rcpt_n = all->rcpt_n;
	if (st == MR_OK && !is_word(e->verdict))
		st = mr_err_set(err, MR_PERM, "need expect=accept, expect=defer or expect=refuse");
	return st;
}

static bool
holds(struct mr_str all, struct mr_str piece)
{
	return piece.n == 0 || (all.n && memmem(all.p, all.n, piece.p, piece.n));
}

/* What is not as expected, into `why`; true if nothing is. */
static bool
is_met(const struct expected *e, const struct mr_replay_result *r, struct mr_buf *why)
{
	const char *got = word_of(r->verdict);

	if (!mr_str_is(e->verdict, got))
		mr_buf_addf(why, "expected %.*s, got %s", (int)e->verdict.n, e->verdict.p, got);
	else if (e->stage.p && !mr_str_is(e->stage, r->stage ? r->stage : ""))
		mr_buf_addf(why, "expected stage %.*s", (int)e->stage.n, e->stage.p);
	else if (!holds(r->text, e->text))
		mr_buf_addf(why, "expected the words '%.*s'", (int)e->text.n, e->text.p);
	else if (!holds(r->fields, e->field)) {
		mr_buf_addf(why, "expected a field with '%.*s'", (int)e->field.n, e->field.p);
		return false;
	} else
		return true;
	if (r->stage)
		mr_buf_addf(why, ", of stage %s", r->stage);
	if (r->text.n)
		mr_buf_addf(why, ": %.*s", (int)r->text.n, r->text.p);
	return false;
}

/* Runs the case in `fd`, whose record is read from its text.  MR_PERM: it is wrong. */
static enum mr_status
run_case(struct mr_pipeline *pl, const struct mr_replay *how, int fd, struct mr_buf *why,
    struct mr_buf *trace, struct mr_err *err)
{
	struct mr_replay what = *how;
	struct mr_replay_result result;
	struct mr_env all, known;
	struct mr_arena arena;
	struct expected e;
	struct mr_buf text;
	enum mr_status st;
	size_t used = 0;

	mr_arena_init(&arena, 2 * MR_CASE_MAX);
	mr_buf_init(&text, MR_CASE_MAX);
	mr_env_init(&all, &arena);
	mr_env_init(&known, &arena);
	if ((st = mr_io_read_all(fd, &text, err))
	    || (st = mr_env_parse(&all, mr_buf_str(&text), &used, err))
	    || (st = part(&all, &known, &e, err)))
		goto out;
	what.env = &known;
	what.message_fd = fd;
	if (lseek(fd, (off_t)used, SEEK_SET) < 0)
		st = mr_err_sys(err, MR_TEMP, "seek");
	mr_stores_empty(&pl->shared.stores);
	if (st == MR_OK && (st = mr_replay_run(pl, &what, &result, trace, err)) == MR_OK)
		is_met(&e, &result, why);
out:
	mr_buf_free(&text);
	mr_arena_free(&arena);
	return st;
}

static int
is_case(const struct dirent *d)
{
	size_t n = strlen(d->d_name), k = strlen(SUFFIX);

	return n > k && strcmp(d->d_name + n - k, SUFFIX) == 0 && d->d_name[0] != '.';
}

/* One line for the case, and what it went through if it is wrong. */
static enum mr_status
tell_case(struct mr_pipeline *pl, const struct mr_replay *how, int dir_fd, const char *name,
    struct mr_cases *cases, struct mr_buf *out, struct mr_err *err)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct mr_buf why, trace;
	struct mr_err fault = { "" };
	enum mr_status st;

	if (fd < 0)
		return mr_err_sys(err, MR_TEMP, "%s", name);
	mr_buf_init(&why, MR_FIELDS_MAX);
	mr_buf_init(&trace, MR_CASE_MAX);
	st = run_case(pl, how, fd, &why, &trace, &fault);
	close(fd);
	if (st)
		mr_buf_addf(&why, "%s", fault.text);
	cases->n++;
	cases->wrong_n += why.n > 0;
	mr_buf_addf(out, "%-6s %s", why.n ? "WRONG" : "ok", name);
	if (why.n)
		mr_buf_addf(out, "%*s  %.*s",
		    (int)strlen(name) < NAME_COLUMN ? NAME_COLUMN - (int)strlen(name) : 0, "",
		    (int)why.n, why.p);
	mr_buf_adds(out, "\n");
	if (why.n && how->is_verbose)
		mr_buf_add(out, mr_buf_str(&trace));
	mr_buf_free(&why);
	mr_buf_free(&trace);
	return st == MR_TEMP ? mr_err_set(err, MR_TEMP, "%s: %s", name, fault.text) : MR_OK;
}

enum mr_status
mr_cases_run(struct mr_pipeline *pl, const struct mr_replay *how, const char *dir,
    struct mr_cases *cases, struct mr_buf *out, struct mr_err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **name = NULL;
	int n = fd < 0 ? -1 : scandirat(fd, ".", &name, is_case, alphasort);
	enum mr_status st = MR_OK;

	*cases = (struct mr_cases){ .n = 0 };
	if (n < 0)
		st = mr_err_sys(err, errno == ENOENT ? MR_NOTFOUND : MR_TEMP, "%s", dir);
	for (int i = 0; i < n; i++) {
		if (st == MR_OK)
			st = tell_case(pl, how, fd, name[i]->d_name, cases, out, err);
		free(name[i]);
	}
	free(name);
	if (fd >= 0)
		close(fd);
	if (st == MR_OK && n == 0)
		st = mr_err_set(err, MR_NOTFOUND, "%s: no file whose name ends in %s", dir, SUFFIX);
	if (st == MR_OK)
		mr_buf_addf(out, "%zu case%s, %zu wrong\n", cases->n, cases->n == 1 ? "" : "s",
		    cases->wrong_n);
	return st == MR_OK && out->is_full ? mr_err_set(err, MR_TEMP, "too much to tell") : st;
}
