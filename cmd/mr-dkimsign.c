/* mr-dkimsign - signs messages by DKIM; with -g, -p or -C in front: makes, publishes, checks keys. */
#include "base/clock.h"
#include "base/io.h"
#include "base/opt.h"
#include "base/sandbox.h"
#include "check/dkim_keys.h"
#include "check/dkim_publish.h"
#include "filter/filter.h"
#include "table/table.h"

#include <string.h>

enum { EXIT_MISFIT = 100, EXIT_FAULT = 111 };

#define OUT_MAX    (1u << 20)
#define CHECK_S    10u /* for all questions of one record */
#define MEMORY_MAX (64u << 20)
#define BITS       2048u

static const char usage_text[] =
    "usage: mr-dkimsign -g [-a rsa|ed25519] [-b bits] -k keyfile           makes a key\n"
    "       mr-dkimsign -p -d domain -s selector -k keyfile                its record\n"
    "       mr-dkimsign -C [-D host:port] -d domain -s selector -k keyfile\n"
    "       mr-dkimsign -C [-D host:port] -t table                         is it published?\n";

struct tool {
	char verb; /* g, p, C */
	enum mr_pkey_kind kind;
	uint64_t bits;
	const char *domain, *selector, *path, *table;
	struct mr_dns_conf resolver;
	bool has_resolver;
	struct mr_arena arena;
	struct mr_buf out;
	bool is_misfit;
};

static enum mr_status
take_option(struct tool *t, int letter, const char *arg, struct mr_err *err)
{
	switch (letter) {
	case 'a':
		t->kind = strcmp(arg, "ed25519") == 0 ? MR_PKEY_ED25519 : MR_PKEY_RSA;
		return strcmp(arg, mr_pkey_kind_word(t->kind)) == 0
		    ? MR_OK
		    : mr_err_set(err, MR_USAGE, "-a %s: need rsa or ed25519", arg);
	case 'b':
		return mr_opt_num('b', arg, MR_RSA_GENERATE_MIN, MR_RSA_BITS_MAX, &t->bits, err);
	case 'd':
		t->domain = arg;
		return MR_OK;
	case 's':
		t->selector = arg;
		return MR_OK;
	case 'k':
		t->path = arg;
		return MR_OK;
	case 't':
		t->table = arg;
		return MR_OK;
	default: /* 'D' */
		t->has_resolver = true;
		return mr_dns_conf_parse(&t->resolver, arg, err);
	}
}

static enum mr_status
read_options(struct tool *t, int argc, char **argv, struct mr_err *err)
{
	struct mr_opt o = { .argc = argc,
		.argv = argv,
		.at = 2, /* behind the verb */
		.letters = t->verb == 'g' ? "a:b:k:"
		    : t->verb == 'p'      ? "d:s:k:"
		                          : "d:s:k:t:D:" };
	enum mr_status st = MR_OK;
	int c;

	while (st == MR_OK && (c = mr_opt_next(&o, err)) != 0)
		st = c < 0 ? MR_USAGE : take_option(t, c, o.arg, err);
	if (st)
		return st;
	if (o.at < argc)
		return mr_err_set(err, MR_USAGE, "no operand is needed");
	if (t->verb == 'g' ? !t->path
	        : t->table ? t->domain || t->selector || t->path
	                   : !t->domain || !t->selector || !t->path)
		return mr_err_set(err, MR_USAGE,
		    t->verb == 'g' ? "-k is missing"
		        : t->table ? "-t and a key by hand"
		                   : "need -d, -s and -k");
	return MR_OK;
}

/* ---- -p ----------------------------------------------------------------------------------------- */

/* The record of the one key: as a line of a zone file, and behind ';' for web forms. */
static enum mr_status
publish(struct tool *t, struct mr_err *err)
{
	struct mr_dkim_plan plan = { .n = 0 };
	struct mr_str owner;
	struct mr_buf text;
	enum mr_status st;

	if ((st = mr_dkim_owner(&owner, &t->arena, mr_str(t->selector), mr_str(t->domain), err))
	    || (st = mr_dkim_plan_add(
	            &plan, &t->arena, mr_str(t->domain), mr_str(t->selector), t->path, err))
	    || (st = mr_dkim_plan_load(&plan, err)))
		return st;
	mr_buf_init(&text, MR_DKIM_PUBLISH_MAX);
	st = mr_dkim_publish_zone(&t->out, owner, plan.signer[0].key, err);
	if (st == MR_OK)
		st = mr_dkim_publish_text(&text, plan.signer[0].key, err);
	mr_dkim_plan_unload(&plan);
	mr_buf_addf(&t->out, "; for a web form, name %.*s, type TXT, as one string:\n; ",
	    (int)owner.n, owner.p);
	mr_buf_add(&t->out, mr_buf_str(&text));
	mr_buf_adds(&t->out, "\n; or, if it wants strings of at most 255 octets:\n; ");
	mr_dkim_publish_strings(&t->out, mr_buf_str(&text));
	mr_buf_adds(&t->out, "\n");
	mr_buf_free(&text);
	return st;
}

/* ---- -C ----------------------------------------------------------------------------------------- */

/* Each key of a plan.  What cannot be found out is told, and is the status in the end. */
static enum mr_status
check_plan(struct tool *t, struct mr_dkim_plan *plan, struct mr_dns *dns, struct mr_err *err)
{
	enum mr_status st = mr_dkim_plan_load(plan, err), bad = st;

	for (size_t i = 0; i < plan->n && st == MR_OK; i++) {
		const struct mr_dkim_signer *s = &plan->signer[i];
		struct mr_str owner;
		struct mr_err why;

		st = mr_dkim_owner(&owner, &t->arena, s->selector, s->domain, err);
		if (st)
			break;
		st = mr_dkim_publish_check(&t->out, owner, s->key, dns,
		    mr_clock_mono_ms() + (int64_t)CHECK_S * 1000, &why);
		if (st == MR_PERM)
			t->is_misfit = true;
		else if (st)
			bad = mr_err_set(err, st, "%s", why.text);
		st = MR_OK;
	}
	mr_dkim_plan_unload(plan);
	return st ? st : bad;
}

static enum mr_status
check_table(struct tool *t, struct mr_dns *dns, struct mr_err *err)
{
	struct mr_table *table;
	struct mr_str key, value;
	uint32_t pos = 0;
	enum mr_status st = mr_table_open(&table, t->table, MR_TABLE_MAP, err), bad = MR_OK;

	if (st)
		return st;
	while ((st = mr_table_next(table, &pos, &key, &value)) == MR_OK) {
		struct mr_dkim_plan plan;

		st = mr_dkim_plan_read(&plan, &t->arena, key, value, err);
		if (st == MR_OK)
			st = check_plan(t, &plan, dns, err);
		if (st)
			bad = st;
	}
	mr_table_close(table);
	return bad ? bad : st == MR_NOTFOUND ? MR_OK : mr_err_set(err, st, "%s: damaged", t->table);
}

static enum mr_status
check(struct tool *t, struct mr_err *err)
{
	struct mr_dkim_plan plan = { .n = 0 };
	struct mr_dns *dns = NULL;
	enum mr_status st = MR_OK;

	if (!t->has_resolver)
		st = mr_dns_conf_read(&t->resolver, MR_DNS_RESOLV_CONF, err);
	if (st == MR_OK)
		st = mr_dns_load(err);
	if (st == MR_OK)
		st = mr_dns_open(&dns, &t->resolver, err);
	if (st)
		return st;
	if (t->table)
		st = check_table(t, dns, err);
	else if ((st = mr_dkim_plan_add(
	              &plan, &t->arena, mr_str(t->domain), mr_str(t->selector), t->path, err))
	    == MR_OK)
		st = check_plan(t, &plan, dns, err);
	mr_dns_close(dns);
	return st;
}

/* ---- main --------------------------------------------------------------------------------------- */

static int
run_tool(int argc, char **argv)
{
	static const char *const nowhere[] = { NULL };
	struct mr_log log = { .prog = "mr-dkimsign", .fd = 2 };
	struct tool t = { .verb = argv[1][1], .bits = BITS };
	struct mr_pkey *key = NULL;
	struct mr_err err;
	enum mr_status st;

	if (mr_io_std_fds(&err))
		return EXIT_FAULT;
	mr_arena_init(&t.arena, MEMORY_MAX);
	mr_buf_init(&t.out, OUT_MAX);
	st = read_options(&t, argc, argv, &err);
	if (st == MR_USAGE)
		mr_opt_usage(log.prog, &err, usage_text);
	else if (t.verb == 'g') {
		st = mr_dkim_key_make(&key, t.path, t.kind, (unsigned)t.bits, &err);
		mr_pkey_free(key);
	} else {
		mr_sandbox_enter(nowhere, &log);
		st = t.verb == 'p' ? publish(&t, &err) : check(&t, &err);
	}
	if (t.out.is_full)
		st = mr_err_set(&err, MR_TEMP, "too much to tell");
	if (t.verb == 'C' || st == MR_OK) {
		enum mr_status written = mr_io_write(1, mr_buf_str(&t.out), &err);

		st = st ? st : written;
	}
	if (st)
		MR_LOG(&log, MR_LOG_FAULT, "filter", { "why", mr_str(err.text) });
	mr_buf_free(&t.out);
	mr_arena_free(&t.arena);
	return st ? EXIT_FAULT : t.is_misfit ? EXIT_MISFIT : 0;
}

int
main(int argc, char **argv)
{
	if (argc > 1 && argv[1][0] == '-' && strchr("gpC", argv[1][1]) && argv[1][1] && !argv[1][2])
		return run_tool(argc, argv);
	return mr_filter_main(&mr_filter_dkimsign, argc, argv);
}
