#include "check/alias.h"

#include "table/aliases.h"
#include "table/routes.h"

/* One expansion.  `path` holds the numbers of the groups from the top to where we are. */
struct walk {
	struct mr_alias_tree *tree;
	const struct mr_alias_conf *conf;
	struct mr_arena *arena;
	size_t path[MR_ALIAS_DEPTH_MAX + 1];
};

static enum mr_status
no_memory(struct mr_err *err)
{
	return mr_err_set(err, MR_TEMP, "out of memory");
}

/* The address that `target` means, found in an entry for `of`.  *is_named: an address that has no entry of
 * its own may still be one for all of its domain. */
static enum mr_status
read_target(const struct walk *w, struct mr_addr *to, bool *is_named, struct mr_str target,
    const struct mr_addr *of, struct mr_err *err)
{
	bool is_domain = target.p[0] == '@';
	bool is_bare = mr_str_rchr(target, '@') < 0 || target.p[target.n - 1] == '"';
	struct mr_str text = target;
	struct mr_err why;
	enum mr_status st;

	*is_named = is_domain;
	if (is_domain)
		text = mr_arena_fmt(
		    w->arena, "%.*s%.*s", (int)of->local.n, of->local.p, (int)target.n, target.p);
	else if (is_bare)
		text = mr_arena_fmt(w->arena, "%.*s@%.*s", (int)target.n, target.p,
		    (int)of->domain.n, of->domain.p);
	if (!text.p)
		return no_memory(err);
	st = mr_addr_parse(to, w->arena, text, &why);
	return st ? mr_err_set(err, MR_TEMP, "alias %.*s: %s", (int)text.n, text.p, why.text)
	          : MR_OK;
}

/* True if both have one mailbox: tags of `whole` do not count. */
static bool
is_same_mailbox(const struct mr_addr *a, const struct mr_addr *whole)
{
	return mr_str_eq(a->domain, whole->domain)
	    && (mr_str_caseeq(a->local, whole->local)
	        || mr_str_caseeq(a->local, mr_alias_without_tag(whole->local)));
}

static enum mr_status
add_node(const struct walk *w, struct mr_str addr, unsigned depth, struct mr_err *err)
{
	struct mr_alias_tree *t = w->tree;

	if (!mr_arena_grow(w->arena, &t->node, t->n, &t->cap, sizeof *t->node))
		return no_memory(err);
	t->node[t->n++] = (struct mr_alias_node){ .addr = addr, .depth = depth };
	return MR_OK;
}

static enum mr_status
fail_circle(
    const struct walk *w, struct mr_str addr, unsigned depth, size_t from, struct mr_err *err)
{
	struct mr_alias_tree *t = w->tree;
	struct mr_buf b;

	mr_buf_init(&b, (MR_ALIAS_DEPTH_MAX + 2) * (MR_ADDR_MAX + 4));
	for (; from < depth; from++)
		mr_buf_addf(&b, "%.*s -> ", (int)t->node[w->path[from]].addr.n,
		    t->node[w->path[from]].addr.p);
	mr_buf_add(&b, addr);
	t->result = MR_ALIAS_CIRCLE;
	t->why = b.is_full ? (struct mr_str){ NULL, 0 } : mr_arena_dup(w->arena, mr_buf_str(&b));
	mr_buf_free(&b);
	return t->why.p ? MR_OK : no_memory(err);
}

static enum mr_status
too_many(const struct walk *w, const char *what)
{
	w->tree->result = MR_ALIAS_TOO_MANY;
	w->tree->why = mr_str(what);
	return MR_OK;
}

/* The address has no entry: it gets the mail, once. */
static enum mr_status
take_recipient(const struct walk *w, struct mr_alias_node *node, struct mr_err *err)
{
	struct mr_alias_tree *t = w->tree;

	if (w->conf->lowers_local && !(node->addr = mr_arena_lower(w->arena, node->addr)).p)
		return no_memory(err);
	node->role = MR_ALIAS_RECIPIENT;
	for (size_t i = 0; &t->node[i] < node; i++)
		if (t->node[i].role == MR_ALIAS_RECIPIENT
		    && mr_str_eq(t->node[i].addr, node->addr)) {
			node->role = MR_ALIAS_TWICE;
			return MR_OK;
		}
	return t->rcpt_n++ < MR_ALIAS_RCPT_MAX ? MR_OK : too_many(w, "recipients");
}

static enum mr_status walk_down(struct walk *w, const struct mr_addr *addr, bool is_named,
    bool keeps_mail, unsigned depth, struct mr_err *err);

/* The node at `at` has an entry: goes down to all that it names. */
static enum mr_status
take_group(struct walk *w, size_t at, const struct mr_addr *addr, const struct mr_alias *alias,
    struct mr_err *err)
{
	struct mr_alias_node *node = &w->tree->node[at];
	struct mr_str rest = alias->target, target;
	enum mr_status st = MR_OK;
	unsigned depth = node->depth;

	node->key = alias->key;
	node->until = alias->until;
	for (size_t i = 0; i < depth; i++)
		if (mr_str_caseeq(w->tree->node[w->path[i]].addr, node->addr))
			return fail_circle(w, node->addr, depth, i, err);
	for (size_t i = 0; i < at; i++)
		if (w->tree->node[i].role == MR_ALIAS_GROUP
		    && mr_str_caseeq(w->tree->node[i].addr, node->addr)) {
			node->role = MR_ALIAS_TWICE;
			return MR_OK;
		}
	if (depth == MR_ALIAS_DEPTH_MAX)
		return too_many(w, "aliases of aliases");
	w->path[depth] = at;
	while (st == MR_OK && w->tree->result == MR_ALIAS_OK && (target = mr_alias_next(&rest)).n) {
		struct mr_addr to;
		bool is_named;

		st = read_target(w, &to, &is_named, target, addr, err);
		if (st == MR_OK && is_same_mailbox(&to, addr))
			st = walk_down(w, addr, false, true, depth + 1, err);
		else if (st == MR_OK)
			st = walk_down(w, &to, is_named, false, depth + 1, err);
	}
	return st;
}

static enum mr_status
walk_down(struct walk *w, const struct mr_addr *addr, bool is_named, bool keeps_mail,
    unsigned depth, struct mr_err *err)
{
	struct mr_alias_tree *t = w->tree;
	struct mr_alias_node *node;
	struct mr_route route;
	struct mr_alias alias;
	enum mr_status st;
	size_t at = t->n;

	if (at == MR_ALIAS_NODE_MAX)
		return too_many(w, "addresses on the way");
	if ((st = add_node(w, addr->text, depth, err)))
		return st;
	node = &t->node[at];
	if ((node->keeps_mail = keeps_mail))
		return take_recipient(w, node, err);
	if ((st = mr_route_find(w->conf->routes, addr->domain, &route, err)))
		return st;
	st = mr_alias_find(w->conf->aliases, w->arena, addr->local, addr->domain,
	    mr_route_is_ours(&route), is_named, w->conf->today, &alias, err);
	return st == MR_NOTFOUND ? take_recipient(w, node, err)
	    : st                 ? st
	                         : take_group(w, at, addr, &alias, err);
}

enum mr_status
mr_alias_expand(struct mr_alias_tree *tree, const struct mr_alias_conf *conf,
    struct mr_arena *arena, struct mr_str addr, struct mr_err *err)
{
	struct walk w = { .tree = tree, .conf = conf, .arena = arena };
	struct mr_addr a;
	enum mr_status st = mr_addr_parse_unquoted(&a, arena, addr, err);

	*tree = (struct mr_alias_tree){ .result = MR_ALIAS_OK };
	return st ? st : walk_down(&w, &a, true, false, 0, err);
}
