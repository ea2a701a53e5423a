#include "filter/filter.h"
#include "mail/addr.h"
#include "table/table.h"

#define REPORT_MAX       (1u << 20) /* bytes of the lines for people */
#define ENTRY_MEMORY_MAX (4u << 20) /* to check one entry */

struct copy {
	struct mr_table *table;
	bool is_outgoing; /* -o: the sender decides, not the recipients */
};

/* ---- options and table ------------------------------------------------------------------------- */

/* The value of an entry must be addresses. */
static enum mr_status
check_entry(void *ctx, struct mr_str key, struct mr_str value, struct mr_err *err)
{
	enum mr_status st = MR_OK;
	struct mr_arena arena;
	struct mr_addr addr;
	struct mr_str word;
	struct mr_err why;

	(void)ctx;
	(void)key;
	if (!mr_str_trim(value).n)
		return mr_err_set(err, MR_USAGE, "need the address of the copy");
	mr_arena_init(&arena, ENTRY_MEMORY_MAX);
	while (st == MR_OK && (word = mr_str_word(&value)).n)
		if (mr_addr_parse(&addr, &arena, word, &why))
			st = mr_err_set(err, MR_USAGE, "%.*s: %s", (int)word.n, word.p, why.text);
	mr_arena_free(&arena);
	return st;
}

static void
copy_close(void *state)
{
	struct copy *c = state;

	mr_table_close(c->table);
}

static enum mr_status
copy_open(void **state, const struct mr_filter_conf *conf, struct mr_err *err)
{
	struct copy *c = mr_arena_alloc(conf->arena, sizeof *c);
	const char *path = conf->operand_n == 1 ? conf->operand[0] : NULL;

	if (!c)
		return mr_err_set(err, MR_TEMP, "out of memory");
	c->is_outgoing = conf->opt_n > 0; /* -o is the only one */
	if (!path)
		return mr_err_set(err, MR_USAGE, "need exactly one table");
	*state = c;
	return mr_table_load(&c->table, conf->watch, path, MR_TABLE_MAP, check_entry, NULL, err);
}

/* ---- one record ------------------------------------------------------------------------------------ */

/* The addresses of the copies of what `address` sends or gets: its own entry, its domain's, a parent's, "*". */
static enum mr_status
find(const struct copy *c, struct mr_str address, struct mr_str *to, struct mr_err *err)
{
	ptrdiff_t at = mr_str_rchr(address, '@');
	enum mr_status st = mr_table_get_mailbox(c->table, address, to);

	if (st == MR_NOTFOUND && at >= 0)
		st = mr_table_get_domain(c->table, mr_str_from(address, (size_t)at + 1), NULL, to);
	if (st == MR_NOTFOUND)
		st = mr_table_get_default(c->table, to);
	if (st == MR_NOTFOUND)
		*to = MR_STR("");
	return st && st != MR_NOTFOUND ? mr_err_set(err, MR_TEMP, "the table is damaged") : MR_OK;
}

/* Boxes are compared without case, lest a copy of a copy be made. */
static bool
has_box(const struct mr_env *env, struct mr_str addr)
{
	for (size_t i = 0; i < env->rcpt_n; i++)
		if (mr_str_caseeq(env->rcpt[i].addr, addr))
			return true;
	return false;
}

/* Adds the copies of what `address` sends or gets, nothing twice.  The mail of a copy's own box, to it or from
 * it, is not copied: it would be a copy of a copy, or of its bounce. */
static enum mr_status
add_copies(const struct copy *c, struct mr_env *edited, struct mr_str sender, struct mr_str address,
    struct mr_err *err)
{
	struct mr_str rest, word;
	enum mr_status st = find(c, address, &rest, err);

	while (st == MR_OK && (word = mr_str_word(&rest)).n) {
		struct mr_addr to;

		if ((st = mr_addr_parse(&to, edited->arena, word, err)))
			return mr_err_set(err, MR_TEMP, "the table is damaged");
		if (has_box(edited, to.text) || mr_str_caseeq(to.text, sender))
			continue;
		if ((st = mr_env_add_rcpt(edited, to.text, err)) == MR_OK)
			st = mr_attrs_set(&edited->rcpt[edited->rcpt_n - 1].attrs, edited->arena,
			    MR_STR("dsn_notify"), MR_STR("NEVER"), err);
	}
	return st;
}

/* The recipients as they are, with all that belongs to them. */
static enum mr_status
take_recipients(struct mr_env *edited, const struct mr_env *env, struct mr_err *err)
{
	enum mr_status st = mr_env_join(edited, env, err);

	for (size_t i = 0; st == MR_OK && i < env->rcpt_n; i++)
		st = mr_env_copy_rcpt(edited, env->rcpt[i].addr, &env->rcpt[i], err);
	return st;
}

/* For people: the copies, one a line. */
static enum mr_status
add_report(struct mr_answer *answer, const struct mr_env *edited, size_t from, struct mr_err *err)
{
	struct mr_buf b;

	mr_buf_init(&b, REPORT_MAX);
	for (size_t i = from; i < edited->rcpt_n; i++)
		mr_buf_addf(
		    &b, "copy to %.*s\n", (int)edited->rcpt[i].addr.n, edited->rcpt[i].addr.p);
	if (from == edited->rcpt_n)
		mr_buf_adds(&b, "no copy\n");
	answer->report = mr_arena_dup(answer->arena, mr_buf_str(&b));
	answer->note = mr_arena_fmt(answer->arena, "%zu copies", edited->rcpt_n - from);
	mr_buf_free(&b);
	return answer->report.p && answer->note.p ? MR_OK
	                                          : mr_err_set(err, MR_TEMP, "out of memory");
}

static enum mr_status
copy_envelope(void *state, const struct mr_env *env, struct mr_answer *answer, struct mr_err *err)
{
	const struct copy *c = state;
	struct mr_env *edited = mr_arena_alloc(answer->arena, sizeof *edited);
	struct mr_str sender = mr_env_get(env, "sender");
	enum mr_status st;

	if (!edited)
		return mr_err_set(err, MR_TEMP, "out of memory");
	mr_env_init(edited, answer->arena);
	st = take_recipients(edited, env, err);
	if (c->is_outgoing && sender.n && st == MR_OK)
		st = add_copies(c, edited, sender, sender, err);
	for (size_t i = 0; !c->is_outgoing && i < env->rcpt_n && st == MR_OK; i++)
		st = add_copies(c, edited, sender, env->rcpt[i].addr, err);
	if (st)
		return st;
	answer->edited = edited;
	return add_report(answer, edited, env->rcpt_n, err);
}

const struct mr_filter mr_filter_copy = {
	.name = "mr-copy",
	.purpose = "copies of mail to one more address",
	.synopsis = "[-o] table",
	.letters = "o",
	.edits = true,
	.open = copy_open,
	.envelope = copy_envelope,
	.close = copy_close,
};
