#include "check/alias.h"
#include "base/clock.h"
#include "filter/filter.h"

#include <time.h>

static const char in_a_circle[] = "4.4.6 Aliases of this address go in a circle";
static const char stands_for_many[] = "4.5.3 Too many recipients behind this address";
static const char no_address[] = "5.1.3 Bad recipient address";

#define REPORT_MAX (MR_ALIAS_NODE_MAX * 1024u) /* bytes of the tree for people */

struct alias {
	const struct mr_filter_conf *conf;
	struct mr_table *aliases, *routes;
	bool lowers_local; /* -c */
};

static void
alias_close(void *state)
{
	struct alias *a = state;

	mr_table_close(a->aliases);
	mr_table_close(a->routes);
}

static enum mr_status
alias_open(void **state, const struct mr_filter_conf *conf, struct mr_err *err)
{
	struct alias *a = mr_arena_alloc(conf->arena, sizeof *a);
	const char *routes = NULL;
	enum mr_status st;

	if (!a)
		return mr_err_set(err, MR_TEMP, "out of memory");
	a->conf = conf;
	for (size_t i = 0; i < conf->opt_n; i++) {
		a->lowers_local |= conf->opt[i].letter == 'c';
		if (conf->opt[i].letter == 'R')
			routes = conf->opt[i].arg;
	}
	if (!routes)
		return mr_err_set(err, MR_USAGE,
		    "need -R routes: aliases without a domain are for those that are ours");
	if (conf->operand_n != 1)
		return mr_err_set(err, MR_USAGE, "need exactly one table");
	if ((st = mr_table_load(&a->routes, conf->watch, routes, MR_TABLE_ROUTES, NULL, NULL, err))
	    == MR_OK)
		st = mr_table_load(
		    &a->aliases, conf->watch, conf->operand[0], MR_TABLE_ALIAS, NULL, NULL, err);
	if (st)
		alias_close(a);
	*state = a;
	return st;
}

/* "2026-12-31" in the time zone of the host, where the people are that go on vacation. */
static struct mr_str
today(struct mr_arena *arena)
{
	time_t now = (time_t)mr_clock_now_s();
	struct tm tm;

	if (!localtime_r(&now, &tm))
		return (struct mr_str){ NULL, 0 };
	return mr_arena_fmt(arena, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

/* A line for each address, indented by its depth. */
static void
add_tree(struct mr_buf *out, const struct mr_alias_tree *tree)
{
	for (size_t i = 0; i < tree->n; i++) {
		const struct mr_alias_node *n = &tree->node[i];

		mr_buf_addf(out, "%*s%.*s", (int)n->depth * 2, "", (int)n->addr.n, n->addr.p);
		if (n->key.p)
			mr_buf_addf(out, "  (entry %.*s%s%.*s)", (int)n->key.n, n->key.p,
			    n->until.p ? ", until " : "", (int)n->until.n,
			    n->until.p ? n->until.p : "");
		if (n->role == MR_ALIAS_TWICE)
			mr_buf_adds(out, "  has it already");
		else if (n->keeps_mail)
			mr_buf_adds(out, "  keeps its mail");
		mr_buf_addc(out, '\n');
	}
	if (tree->result != MR_ALIAS_OK)
		mr_buf_addf(out, "%s: %.*s\n",
		    tree->result == MR_ALIAS_CIRCLE ? "a circle" : "too many", (int)tree->why.n,
		    tree->why.p);
}

/* The recipients of the tree into the record that takes the place of the old one; what stood with `from`
 * stands with each. */
static enum mr_status
add_recipients(struct mr_env *edited, const struct mr_alias_tree *tree, const struct mr_rcpt *from,
    struct mr_err *err)
{
	enum mr_status st = MR_OK;

	for (size_t i = 0; i < tree->n && st == MR_OK; i++) {
		struct mr_str addr = tree->node[i].addr;
		struct mr_attrs *attrs;

		/* Another recipient of the record may have led to it, too. */
		if (tree->node[i].role != MR_ALIAS_RECIPIENT || mr_env_has_rcpt(edited, addr))
			continue;
		if ((st = mr_env_copy_rcpt(edited, addr, from, err)))
			return st;
		attrs = &edited->rcpt[edited->rcpt_n - 1].attrs;
		if (!mr_str_eq(addr, from->addr) && !mr_attrs_get(attrs, "original_recipient").p)
			st = mr_attrs_set(
			    attrs, edited->arena, MR_STR("original_recipient"), from->addr, err);
	}
	return st;
}

static void
refuse(const struct alias *a, const struct mr_env *env, struct mr_str rcpt,
    const struct mr_alias_tree *tree, struct mr_answer *answer)
{
	bool is_circle = tree->result == MR_ALIAS_CIRCLE;

	MR_LOG(a->conf->log, MR_LOG_FAULT, "alias", { "id", mr_env_get(env, "instance") },
	    { "rcpt", rcpt }, { "problem", mr_str(is_circle ? "circle" : "too-many") },
	    { "why", tree->why });
	mr_answer_say(answer, MR_DEFER, "%s", is_circle ? in_a_circle : stands_for_many);
	answer->note = tree->why;
}

static enum mr_status
edit(const struct alias *a, const struct mr_env *env, struct mr_answer *answer,
    struct mr_buf *report, struct mr_err *err)
{
	struct mr_alias_conf conf = { .aliases = a->aliases,
		.routes = a->routes,
		.today = today(answer->arena),
		.lowers_local = a->lowers_local };
	struct mr_env *edited = mr_arena_alloc(answer->arena, sizeof *edited);
	enum mr_status st = MR_OK;

	if (!conf.today.p || !edited)
		return mr_err_set(err, MR_TEMP, "out of memory");
	mr_env_init(edited, answer->arena);
	st = mr_env_join(edited, env, err);
	for (size_t i = 0; i < env->rcpt_n && st == MR_OK; i++) {
		struct mr_str rcpt = env->rcpt[i].addr;
		struct mr_alias_tree tree;

		st = mr_alias_expand(&tree, &conf, answer->arena, rcpt, err);
		if (st == MR_PERM) {
			mr_answer_say(answer, MR_REFUSE, "%s", no_address);
			return MR_OK;
		}
		if (st)
			return st;
		add_tree(report, &tree);
		if (tree.result != MR_ALIAS_OK) {
			refuse(a, env, rcpt, &tree, answer);
			return MR_OK;
		}
		st = add_recipients(edited, &tree, &env->rcpt[i], err);
	}
	answer->edited = edited;
	answer->note = mr_arena_fmt(
	    answer->arena, "%zu recipient%s", edited->rcpt_n, edited->rcpt_n == 1 ? "" : "s");
	return st;
}

static enum mr_status
alias_envelope(void *state, const struct mr_env *env, struct mr_answer *answer, struct mr_err *err)
{
	struct mr_buf report;
	enum mr_status st;

	mr_buf_init(&report, REPORT_MAX);
	st = edit(state, env, answer, &report, err);
	if (st == MR_OK && report.n) {
		answer->report = mr_arena_dup(answer->arena, mr_buf_str(&report));
		if (report.is_full || !answer->report.p)
			st = mr_err_set(err, MR_TEMP, "out of memory");
	}
	mr_buf_free(&report);
	return st;
}

const struct mr_filter mr_filter_alias = {
	.name = "mr-alias",
	.purpose = "whom an address stands for: aliases, groups, forwarding",
	.synopsis = "[-c] -R routes table",
	.letters = "cR:",
	.edits = true,
	.open = alias_open,
	.envelope = alias_envelope,
	.close = alias_close,
};
