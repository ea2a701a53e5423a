#include "check/dnsbl.h"
#include "base/clock.h"
#include "base/opt.h"
#include "dns/names.h"
#include "filter/filter.h"
#include "mail/addr.h"
#include "mail/idn.h"
#include "table/table.h"

#include <stdio.h>

static const char listed[] = "5.7.1 %.*s is listed by %.*s%s%.*s"; /* RFC 5782 2.1: with its TXT */
static const char listed_here[] = "5.7.1 %.*s is listed here";

#define LIST_MAX      32u /* lists of one filter: all their questions and tests fit into one batch */
#define LOCAL_MAX     16u /* tables */
#define THRESHOLD_MAX 100000
#define TIME_S        5   /* of all lookups; an answer that comes later counts 0 */
#define OUT_S         600 /* that a broken list is left alone */
#define STORE_READ_S  10  /* the store is read again after that */
#define SHOWN_MAX     200 /* octets of a TXT record in a reply */
#define MEMORY_MAX    (256u << 10)

_Static_assert(LIST_MAX <= MR_STORE_OPS_MAX, "one batch of the store for all lists");

struct list {
	struct mr_dnsbl_site site;
	bool of_names;       /* -d */
	struct mr_str shown; /* its name for all that others read; the zone's may hold a key (-k) */
	int64_t out_until_s; /* broken: not asked before */
};

/* A table of networks, -c. */
struct local {
	struct mr_table *table;
	struct mr_str shown;
	int weight; /* of an entry without its own */
};

struct dnsbl {
	const struct mr_filter_conf *conf;
	int threshold;
	struct list list[LIST_MAX];
	size_t list_n;
	struct local local[LOCAL_MAX];
	size_t local_n;
	struct mr_table *map; /* -k; NULL: none */
	bool has_names;
	int64_t read_s; /* when the store was read */
};

/* One record's lookups. */
struct look {
	struct mr_dnsbl_subject subject;
	struct mr_ip ip;
	char ip_text[MR_IP_TEXT_MAX];
	struct mr_dnsbl_finding found[LIST_MAX];
	bool is_out[LIST_MAX];
	struct mr_net net[LOCAL_MAX];
	int local_weight[LOCAL_MAX]; /* 0: not in it */
	int score, most;             /* `most`: the highest weight of one that lists */
	const struct list *decider;  /* it; NULL: a table, or none */
	size_t decider_at;
	const struct mr_dns_answer *words; /* its TXT */
};

/* ---- options ------------------------------------------------------------------------------------ */

static enum mr_status
add_list(struct dnsbl *d, struct mr_str site, bool of_names, struct mr_err *err)
{
	struct list *list = &d->list[d->list_n];

	if (d->list_n == LIST_MAX)
		return mr_err_set(err, MR_USAGE, "more than %u lists", LIST_MAX);
	d->list_n++;
	list->of_names = of_names;
	d->has_names |= of_names;
	return mr_dnsbl_site_parse(&list->site, site, err);
}

/* "path*weight"; what is behind the last '*' is part of the path if it is no weight. */
static enum mr_status
add_local(struct dnsbl *d, struct mr_str arg, struct mr_err *err)
{
	struct local *local = &d->local[d->local_n];
	ptrdiff_t star = mr_str_rchr(arg, '*');

	if (d->local_n == LOCAL_MAX)
		return mr_err_set(err, MR_USAGE, "more than %u tables", LOCAL_MAX);
	local->weight = 1;
	if (star >= 0 && mr_dnsbl_weight(mr_str_from(arg, (size_t)star + 1), &local->weight))
		arg.n = (size_t)star;
	local->shown = mr_arena_dup(d->conf->arena, arg);
	if (!local->shown.p)
		return mr_err_set(err, MR_TEMP, "out of memory");
	d->local_n++;
	return mr_table_load(
	    &local->table, d->conf->watch, local->shown.p, MR_TABLE_MAP, NULL, NULL, err);
}

static enum mr_status
read_options(struct dnsbl *d, const struct mr_filter_conf *conf, struct mr_err *err)
{
	uint64_t threshold = 1;
	enum mr_status st = MR_OK;

	for (size_t i = 0; st == MR_OK && i < conf->opt_n; i++) {
		const char *arg = conf->opt[i].arg;

		switch (conf->opt[i].letter) {
		case 't':
			st = mr_opt_num('t', arg, 1, THRESHOLD_MAX, &threshold, err);
			break;
		case 'd':
			st = add_list(d, mr_str(arg), true, err);
			break;
		case 'c':
			st = add_local(d, mr_str(arg), err);
			break;
		default: /* 'k' */
			if (d->map)
				return mr_err_set(err, MR_USAGE, "-k: given twice");
			st = mr_table_load(
			    &d->map, d->conf->watch, arg, MR_TABLE_MAP, NULL, NULL, err);
		}
	}
	for (size_t i = 0; st == MR_OK && i < conf->operand_n; i++)
		st = add_list(d, mr_str(conf->operand[i]), false, err);
	if (st == MR_OK && !d->list_n && !d->local_n)
		return mr_err_set(err, MR_USAGE, "no list");
	d->threshold = (int)threshold;
	return st;
}

static enum mr_status
find_shown_names(struct dnsbl *d, struct mr_err *err)
{
	for (size_t i = 0; i < d->list_n; i++) {
		struct list *list = &d->list[i];
		enum mr_status st = MR_NOTFOUND;

		list->shown = list->site.zone;
		if (d->map)
			st = mr_table_get_domain(d->map, list->site.zone, NULL, &list->shown);
		if (st && st != MR_NOTFOUND)
			return mr_err_set(err, st, "the table of -k is damaged");
		if (st == MR_NOTFOUND)
			list->shown = list->site.zone;
	}
	return MR_OK;
}

static void
dnsbl_close(void *state)
{
	struct dnsbl *d = state;

	for (size_t i = 0; i < d->local_n; i++)
		mr_table_close(d->local[i].table);
	mr_table_close(d->map);
}

static enum mr_status
dnsbl_open(void **state, const struct mr_filter_conf *conf, struct mr_err *err)
{
	struct dnsbl *d = mr_arena_alloc(conf->arena, sizeof *d);
	enum mr_status st;

	if (!d)
		return mr_err_set(err, MR_TEMP, "out of memory");
	d->conf = conf;
	if ((st = read_options(d, conf, err)) == MR_OK)
		st = find_shown_names(d, err);
	if (st)
		dnsbl_close(d);
	*state = d;
	return st;
}

/* ---- lists that are out -------------------------------------------------------------------------- */

/* The breaker is a help, not a judge: without the store each process finds out for itself. */
static void
store_fault(const struct dnsbl *d, const struct mr_err *why)
{
	MR_LOG(d->conf->log, MR_LOG_FAULT, "dnsbl",
	    { "store", mr_str(mr_store_name(d->conf->store)) }, { "why", mr_str(why->text) });
}

static enum mr_status
list_key(char *storage, struct mr_str *key, const struct list *list, struct mr_err *err)
{
	return mr_store_key(storage, key, "dnsbl1", &list->site.zone, 1, err);
}

/* What other processes have found broken. */
static void
read_store(struct dnsbl *d, struct mr_arena *arena)
{
	int64_t now_s = mr_clock_now_s();
	struct mr_store_op *op = mr_arena_alloc(arena, (LIST_MAX + 1) * sizeof *op);
	char *key = mr_arena_alloc(arena, (LIST_MAX + 1) * (size_t)MR_STORE_KEY_MAX);
	struct mr_err err;
	enum mr_status st = MR_OK;

	if (!d->conf->store || !d->list_n || !op || !key
	    || (d->read_s <= now_s && now_s < d->read_s + STORE_READ_S))
		return;
	d->read_s = now_s;
	for (size_t i = 0; i < d->list_n && st == MR_OK; i++)
		st = list_key(key + i * MR_STORE_KEY_MAX, &op[i].key, &d->list[i], &err);
	if (st == MR_OK)
		st = mr_store_run(d->conf->store, op, d->list_n, now_s, &err);
	for (size_t i = 0; i < d->list_n && st == MR_OK; i++)
		if (op[i].is_found)
			d->list[i].out_until_s = now_s + op[i].left_s;
	if (st)
		store_fault(d, &err);
}

/* True if nobody else has found it broken before. */
static bool
write_store(const struct dnsbl *d, const struct list *list, enum mr_dnsbl_said said, int64_t now_s)
{
	struct mr_store_op op = {
		.verb = MR_STORE_ADD, .value = mr_str(mr_dnsbl_word(said)), .ttl_s = OUT_S
	};
	char key[MR_STORE_KEY_MAX];
	struct mr_err err;

	if (!d->conf->store)
		return true;
	if (list_key(key, &op.key, list, &err) == MR_OK
	    && mr_store_run(d->conf->store, &op, 1, now_s, &err) == MR_OK)
		return !op.is_found;
	store_fault(d, &err);
	return true;
}

/* "127.0.0.2 127.0.0.10"; p is NULL for none. */
static struct mr_str
answers(const struct mr_dnsbl_finding *f, struct mr_arena *arena)
{
	char text[MR_IP_TEXT_MAX];
	struct mr_str all = { NULL, 0 };

	for (size_t i = 0; f->answer && i < f->answer->n && i < 8; i++) {
		mr_ip_text(text, &f->answer->rec[i].ip);
		all = mr_arena_fmt(
		    arena, "%.*s%s%s", (int)all.n, all.n ? all.p : "", i ? " " : "", text);
	}
	return all;
}

static void
take_out(
    struct dnsbl *d, struct list *list, const struct mr_dnsbl_finding *f, struct mr_arena *arena)
{
	static const char *const cure[] = {
		[MR_DNSBL_REFUSES] =
		    "it does not serve your resolver: ask by a resolver of your own, "
		    "not a public one, or get a key from the list",
		[MR_DNSBL_NO_LIST] =
		    "the zone is no list any more, or your resolver makes answers up: "
		    "look, and take the list out of the options",
		[MR_DNSBL_LISTS_ALL] =
		    "it lists 127.0.0.1 or invalid, thus everybody (RFC 5782 5): "
		    "take the list out of the options",
		[MR_DNSBL_LISTS_NOBODY] =
		    "it does not list 127.0.0.2 or test (RFC 5782 5), so it is no "
		    "working list: take it out of the options",
	};
	int64_t now_s = mr_clock_now_s();

	list->out_until_s = now_s + OUT_S;
	if (write_store(d, list, f->said, now_s))
		MR_LOG(d->conf->log, MR_LOG_WARN, "dnsbl", { "list", list->shown },
		    { "why", mr_str(mr_dnsbl_word(f->said)) }, { "answer", answers(f, arena) },
		    { "out_s", MR_NUM(OUT_S) }, { "cure", mr_str(cure[f->said]) });
}

/* ---- looking up ---------------------------------------------------------------------------------- */

/* A name that a list of names can have. */
static void
add_name(struct look *l, struct mr_str name, struct mr_arena *arena)
{
	struct mr_ip ip;

	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	if (mr_domain_is_valid(name) && mr_ip_parse(&ip, name) && mr_str_chr(name, '.') >= 0
	    && mr_domain_to_ascii(&name, arena, name, NULL) == MR_OK)
		l->subject.name[l->subject.name_n++] = name;
}

/* False: the client's name is not there yet. */
static bool
add_names(const struct dnsbl *d, struct look *l, const struct mr_env *env, struct mr_arena *arena)
{
	static const char *const told[] = { "reverse_client_name", "client_name" };
	struct mr_str sender = mr_env_get(env, "sender");
	ptrdiff_t at = mr_str_rchr(sender, '@');
	struct mr_dns_names names = { .reverse = { NULL, 0 } };
	bool is_known = true;

	if (at >= 0)
		add_name(l, mr_str_from(sender, (size_t)at + 1), arena);
	add_name(l, mr_env_get(env, "helo_name"), arena);
	for (size_t i = 0; i < 2 && !names.reverse.n; i++)
		if (!mr_str_is(mr_env_get(env, told[i]), "unknown"))
			names.reverse = mr_env_get(env, told[i]);
	if (!names.reverse.n && l->subject.ip) /* what it says of itself is enough here */
		is_known = mr_dns_names(d->conf->dns, l->subject.ip, &names) || names.reverse.n;
	add_name(l, names.reverse, arena);
	return is_known;
}

static enum mr_status
look_at_tables(const struct dnsbl *d, struct look *l, struct mr_err *err)
{
	for (size_t i = 0; i < d->local_n && l->subject.ip; i++) {
		const struct local *local = &d->local[i];
		struct mr_str value;
		enum mr_status st =
		    mr_table_get_ip(local->table, l->subject.ip, &l->net[i], &value);

		if (st == MR_NOTFOUND)
			continue;
		if (st)
			return mr_err_set(err, st, "%s: damaged", local->shown.p);
		if (!mr_dnsbl_weight(value, &l->local_weight[i]))
			l->local_weight[i] = local->weight;
	}
	return MR_OK;
}

/* The sum, and which one weighs most in it. */
static void
add_up(const struct dnsbl *d, struct look *l)
{
	for (size_t i = 0; i < d->local_n; i++) {
		l->score += l->local_weight[i];
		if (l->local_weight[i] > l->most)
			l->most = l->local_weight[i];
	}
	for (size_t i = 0; i < d->list_n; i++) {
		const struct list *list = &d->list[i];

		if (l->found[i].said != MR_DNSBL_LISTED)
			continue;
		l->score += list->site.weight;
		if (list->site.weight > l->most) {
			l->most = list->site.weight;
			l->decider = list;
			l->decider_at = i;
		}
	}
}

/* MR_NOTFOUND: more was asked. */
static enum mr_status
look(struct dnsbl *d, struct look *l, const struct mr_env *env, struct mr_arena *arena,
    struct mr_err *err)
{
	bool is_known = true, is_pending;
	enum mr_status st;

	*l = (struct look){ .score = 0 };
	if (mr_ip_parse(&l->ip, mr_env_get(env, "client_address")) == MR_OK) {
		l->subject.ip = &l->ip;
		mr_ip_text(l->ip_text, &l->ip);
	}
	if (d->has_names)
		is_known = add_names(d, l, env, arena);
	is_pending = !is_known;
	read_store(d, arena);
	for (size_t i = 0; i < d->list_n; i++) {
		const struct list *list = &d->list[i];

		l->is_out[i] = list->out_until_s > mr_clock_now_s();
		l->found[i].said = MR_DNSBL_CLEAR;
		if (!l->is_out[i])
			is_known &= mr_dnsbl_check(&l->found[i], &list->site, list->of_names,
			    &l->subject, d->conf->is_verbose, d->conf->dns, arena);
		is_pending |= l->found[i].said == MR_DNSBL_PENDING;
	}
	if ((st = look_at_tables(d, l, err)))
		return st;
	add_up(d, l);
	if (!is_pending && l->score >= d->threshold && l->decider) {
		struct mr_str asked = l->found[l->decider_at].asked;

		l->words = mr_dns_want(d->conf->dns, asked, MR_DNS_TXT);
		is_known &= l->words != NULL;
	}
	return is_known ? MR_OK : MR_NOTFOUND;
}

static enum mr_status
dnsbl_ask(void *state, const struct mr_env *env, struct mr_err *err)
{
	struct mr_arena arena;
	enum mr_status st;
	struct look l;

	mr_arena_init(&arena, MEMORY_MAX);
	st = look(state, &l, env, &arena, err);
	mr_arena_free(&arena);
	return st == MR_NOTFOUND ? MR_OK : st;
}

/* ---- answering ----------------------------------------------------------------------------------- */

static bool
contains(struct mr_str text, struct mr_str what)
{
	for (size_t i = 0; i + what.n <= text.n; i++)
		if (mr_str_caseeq((struct mr_str){ text.p + i, what.n }, what))
			return true;
	return false;
}

static void
say(const struct look *l, struct mr_answer *answer)
{
	const struct list *list = l->decider;
	struct mr_str about = mr_str(l->ip_text), text = MR_STR("");

	if (!list) {
		mr_answer_say(answer, MR_REFUSE, listed_here, (int)about.n, about.p);
		return;
	}
	if (l->found[l->decider_at].about.p)
		about = l->found[l->decider_at].about;
	if (l->words && l->words->n)
		text = l->words->rec[0].text;
	if (!mr_str_caseeq(list->shown, list->site.zone) && contains(text, list->site.zone))
		text = MR_STR(""); /* it would tell the key */
	mr_answer_say(answer, MR_REFUSE, listed, (int)about.n, about.p, (int)list->shown.n,
	    list->shown.p, text.n ? ": " : "", (int)(text.n < SHOWN_MAX ? text.n : SHOWN_MAX),
	    text.n ? text.p : "");
}

/* "score 5: zen.example.net 3, black 2" */
static void
add_note(const struct dnsbl *d, const struct look *l, struct mr_buf *b)
{
	const char *sep = ": ";

	mr_buf_addf(b, "score %d", l->score);
	for (size_t i = 0; i < d->list_n; i++)
		if (l->found[i].said == MR_DNSBL_LISTED) {
			mr_buf_addf(b, "%s%.*s %d", sep, (int)d->list[i].shown.n,
			    d->list[i].shown.p, d->list[i].site.weight);
			sep = ", ";
		}
	for (size_t i = 0; i < d->local_n; i++)
		if (l->local_weight[i]) {
			mr_buf_addf(b, "%s%s %d", sep, d->local[i].shown.p, l->local_weight[i]);
			sep = ", ";
		}
}

/* For -v: a line a list. */
static void
add_report(
    const struct dnsbl *d, const struct look *l, const struct mr_answer *answer, struct mr_buf *b)
{
	mr_buf_addf(b, "%-32s %6s %-12s %6s %s\n", "LIST", "WEIGHT", "SAYS", "MS", "ANSWERS");
	for (size_t i = 0; i < d->list_n; i++) {
		const struct list *list = &d->list[i];
		const struct mr_dnsbl_finding *f = &l->found[i];
		struct mr_str all = answers(f, answer->arena);

		mr_buf_addf(b, "%-32.*s %6d %-12s %6u %.*s\n", (int)list->shown.n, list->shown.p,
		    list->site.weight, l->is_out[i] ? "out" : mr_dnsbl_word(f->said),
		    f->answer ? f->answer->ms : 0, all.n ? (int)all.n : 1, all.n ? all.p : "-");
	}
	for (size_t i = 0; i < d->local_n; i++) {
		char net[MR_NET_TEXT_MAX] = "-";
		int weight = l->local_weight[i];

		if (weight)
			mr_net_text(net, &l->net[i]);
		mr_buf_addf(b, "%-32s %6d %-12s %6s %s\n", d->local[i].shown.p,
		    weight ? weight : d->local[i].weight, weight ? "listed" : "clear", "-", net);
	}
	mr_buf_addf(b, "score %d, %s from %d on\n", l->score,
	    answer->verdict == MR_REFUSE ? "refused" : "accepted; refused", d->threshold);
	if (answer->text.n)
		mr_buf_addf(b, "%.*s\n", (int)answer->text.n, answer->text.p);
}

static enum mr_status
dnsbl_envelope(void *state, const struct mr_env *env, struct mr_answer *answer, struct mr_err *err)
{
	struct dnsbl *d = state;
	char score[MR_NUM_MAX];
	enum mr_status st;
	struct mr_buf b;
	struct look l;

	st = look(d, &l, env, answer->arena, err);
	if (st)
		return st == MR_NOTFOUND ? mr_err_set(err, MR_TEMP, "the DNS was not asked") : st;
	for (size_t i = 0; i < d->list_n; i++)
		if (l.found[i].said >= MR_DNSBL_REFUSES)
			take_out(d, &d->list[i], &l.found[i], answer->arena);
	if (l.score >= d->threshold)
		say(&l, answer);
	mr_buf_init(&b, MR_ANSWER_MAX);
	add_note(d, &l, &b);
	answer->note = mr_arena_dup(answer->arena, mr_buf_str(&b));
	if (d->conf->is_verbose) {
		mr_buf_clear(&b);
		add_report(d, &l, answer, &b);
		answer->report = mr_arena_dup(answer->arena, mr_buf_str(&b));
	}
	mr_buf_free(&b);
	return mr_attrs_set(
	    &answer->attrs, answer->arena, MR_STR("dnsbl_score"), mr_log_num(score, l.score), err);
}

const struct mr_filter mr_filter_dnsbl = {
	.name = "mr-dnsbl",
	.purpose = "whether lists in the DNS, and tables, speak against the client",
	.synopsis = "[-t score] [-c table[*weight]]... [-d zone[=filter][*weight]]... [-k map] "
	            "[zone[=filter][*weight] ...]",
	.letters = "t:c:d:k:",
	.time_s = TIME_S,
	.uses_store = true,
	.open = dnsbl_open,
	.ask = dnsbl_ask,
	.envelope = dnsbl_envelope,
	.close = dnsbl_close,
};
