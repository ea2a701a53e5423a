/* mr-state - the state store: list, get, delete, expire, dump, load, stats, check. */
#include "base/clock.h"
#include "base/io.h"
#include "base/opt.h"
#include "store/text.h"
#include "ui/json.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OUT_STEP  65536u /* bytes written at once */
#define OUT_MAX   (OUT_STEP + 8 * MR_STORE_LINE_MAX)
#define KINDS_MAX 64u /* kinds that stats tells apart */
#define KIND_N    16u /* bytes of a kind */

enum { EXIT_NONE = 100, EXIT_FAULT = 111 };

static const char header[] = "mr-state 1"; /* first line of a dump: its format */

static const char usage_text[] =
    "usage: mr-state -S store list [-j] [-p prefix]    entries, and how long they live\n"
    "       mr-state -S store get [-j] key ...\n"
    "       mr-state -S store delete key ...\n"
    "       mr-state -S store expire                   take out what is dead\n"
    "       mr-state -S store dump [-p prefix] > file\n"
    "       mr-state -S store load < file\n"
    "       mr-state -S store stats [-j] [-p prefix]   entries of each kind, and the size\n"
    "       mr-state -S store check                    read all; move a damaged file aside\n"
    "store: lmdb:DIR[?max=SIZE] or redis://[user:password@]HOST:PORT[/DB]\n";

static const struct mr_opt_name names[] = { { "store", 'S' }, { "json", 'j' }, { "prefix", 'p' },
	{ NULL, 0 } };

static const struct mr_str kind_bytes = { "abcdefghijklmnopqrstuvwxyz0123456789", 36 };

struct kind {
	char name[KIND_N + 1];
	uint64_t entries, bytes;
};

struct state {
	struct mr_log log;
	struct mr_stores set;
	struct mr_store *store;
	const char *url;
	bool is_json, is_terminal;
	struct mr_buf prefix, bytes, out;
	int64_t now_s;
	struct kind kinds[KINDS_MAX + 1];
	size_t kind_n;
};

static enum mr_status
flush(struct state *s, size_t step, struct mr_err *err)
{
	enum mr_status st = MR_OK;

	if (s->out.n > step) {
		st = s->out.is_full ? mr_err_set(err, MR_TEMP, "out of memory")
		                    : mr_io_write(1, mr_buf_str(&s->out), err);
		mr_buf_clear(&s->out);
	}
	return st;
}

/* ---- entries ----------------------------------------------------------------------------------- */

static void
span(struct mr_buf *out, int64_t s)
{
	if (s >= 86400)
		mr_buf_addf(out, "%3" PRId64 "d %2" PRId64 "h", s / 86400, s % 86400 / 3600);
	else if (s >= 3600)
		mr_buf_addf(out, "%3" PRId64 "h %2" PRId64 "m", s / 3600, s % 3600 / 60);
	else
		mr_buf_addf(out, "%3" PRId64 "m %2" PRId64 "s", s / 60, s % 60);
}

/* Keys stand as text in all three forms, so that each can be typed again; so do values, but in JSON. */
static enum mr_status
show(void *ctx, const struct mr_store_entry *e, struct mr_err *err)
{
	struct state *s = ctx;

	mr_buf_clear(&s->bytes);
	mr_store_text_add(&s->bytes, e->key);
	if (s->is_json) {
		struct mr_buf line;

		mr_buf_init(&line, OUT_MAX);
		mr_buf_addc(&line, '{');
		mr_json_field(&line, "key", mr_buf_str(&s->bytes));
		mr_buf_clear(&s->bytes);
		mr_store_text_add(&s->bytes, e->value);
		mr_json_field(&line, "value", mr_buf_str(&s->bytes));
		mr_json_num(&line, "left_s", e->left_s);
		mr_buf_adds(&line, "}\n");
		mr_buf_add(&s->out, mr_buf_str(&line));
		mr_buf_free(&line);
	} else {
		size_t width = s->is_terminal ? 48 : 0;

		if (s->is_terminal) {
			span(&s->out, e->left_s);
			mr_buf_adds(&s->out, "  ");
		}
		mr_buf_add(&s->out, mr_buf_str(&s->bytes));
		for (size_t n = s->bytes.n; n < width; n++)
			mr_buf_addc(&s->out, ' ');
		mr_buf_adds(&s->out, s->is_terminal ? "  " : "\t");
		mr_store_text_add(&s->out, e->value);
		if (!s->is_terminal)
			mr_buf_addf(&s->out, "\t%" PRId64, e->left_s);
		mr_buf_addc(&s->out, '\n');
	}
	return flush(s, OUT_STEP, err);
}

static enum mr_status
do_list(struct state *s, char *const *operand, struct mr_err *err)
{
	(void)operand;
	return mr_store_each(s->store, mr_buf_str(&s->prefix), s->now_s, show, s, err);
}

/* One operation for each key of the command line; MR_NOTFOUND at the end if any is not there. */
static enum mr_status
for_keys(struct state *s, enum mr_store_verb verb, char *const *operand, struct mr_err *err)
{
	struct mr_buf key;
	struct mr_store_op op;
	enum mr_status st = MR_OK, found = MR_OK;

	mr_buf_init(&key, MR_STORE_KEY_MAX);
	for (; st == MR_OK && *operand; operand++) {
		struct mr_err why;

		mr_buf_clear(&key);
		if ((st = mr_store_text_read(&key, mr_str(*operand), &why))) {
			mr_err_set(err, st, "%s: %s", *operand, why.text);
			break;
		}
		op = (struct mr_store_op){ .verb = verb, .key = mr_buf_str(&key) };
		st = mr_store_run(s->store, &op, 1, s->now_s, err);
		if (st == MR_OK && !op.is_found) {
			fprintf(stderr, "mr-state: %s: no such key\n", *operand);
			found = MR_NOTFOUND;
		} else if (st == MR_OK && verb == MR_STORE_GET)
			st = show(s,
			    &(struct mr_store_entry){ mr_buf_str(&key), op.got, op.left_s }, err);
	}
	mr_buf_free(&key);
	return st ? st : found;
}

static enum mr_status
do_get(struct state *s, char *const *operand, struct mr_err *err)
{
	return for_keys(s, MR_STORE_GET, operand, err);
}

static enum mr_status
do_delete(struct state *s, char *const *operand, struct mr_err *err)
{
	return for_keys(s, MR_STORE_DELETE, operand, err);
}

static enum mr_status
do_expire(struct state *s, char *const *operand, struct mr_err *err)
{
	uint64_t n;
	enum mr_status st = mr_store_expire(s->store, s->now_s, &n, err);

	(void)operand;
	if (st == MR_OK)
		mr_buf_addf(&s->out, "%" PRIu64 " dead entries taken out\n", n);
	return st;
}

/* ---- dump, load -------------------------------------------------------------------------------- */

static enum mr_status
dump_one(void *ctx, const struct mr_store_entry *e, struct mr_err *err)
{
	struct state *s = ctx;

	mr_store_line_add(&s->out, e, s->now_s);
	return flush(s, OUT_STEP, err);
}

static enum mr_status
do_dump(struct state *s, char *const *operand, struct mr_err *err)
{
	(void)operand;
	mr_buf_addf(&s->out, "%s\n", header);
	return mr_store_each(s->store, mr_buf_str(&s->prefix), s->now_s, dump_one, s, err);
}

/* The entries of one transaction; their bytes are in ops[].bytes and keys[]. */
struct batch {
	struct mr_store_op ops[MR_STORE_OPS_MAX];
	char keys[MR_STORE_OPS_MAX][MR_STORE_KEY_MAX], values[MR_STORE_OPS_MAX][MR_STORE_VALUE_MAX];
	size_t n;
};

static enum mr_status
store_batch(struct state *s, struct batch *b, struct mr_err *err)
{
	size_t n = b->n;

	b->n = 0;
	return n ? mr_store_run(s->store, b->ops, n, s->now_s, err) : MR_OK;
}

static enum mr_status
load_one(struct state *s, struct batch *b, const struct mr_store_entry *e, struct mr_err *err)
{
	memcpy(b->keys[b->n], e->key.p, e->key.n);
	memcpy(b->values[b->n], e->value.p, e->value.n);
	b->ops[b->n] = (struct mr_store_op){ .verb = MR_STORE_PUT,
		.key = { b->keys[b->n], e->key.n },
		.value = { b->values[b->n], e->value.n },
		.ttl_s = e->left_s };
	return ++b->n == MR_STORE_OPS_MAX ? store_batch(s, b, err) : MR_OK;
}

static enum mr_status
load_lines(struct state *s, struct mr_reader *in, struct batch *b, struct mr_err *err)
{
	uint64_t line_n = 1, loaded = 0, dead = 0;
	struct mr_store_entry e;
	struct mr_str line;
	struct mr_err why;
	enum mr_status st;

	for (; (st = mr_reader_line(in, &line, MR_NO_DEADLINE, &why)) == MR_OK; line_n++) {
		if (line_n == 1) {
			if (mr_str_is(line, header))
				continue;
			st = mr_err_set(&why, MR_PERM, "not a dump of mr-state: need '%s'", header);
			break;
		}
		if ((st = mr_store_line_read(&e, &s->bytes, line, s->now_s, &why)))
			break;
		dead += e.left_s < 1;
		loaded += e.left_s >= 1;
		if (e.left_s >= 1 && (st = load_one(s, b, &e, err)))
			return st;
	}
	if (st == MR_NOTFOUND && line_n == 1)
		return mr_err_set(err, MR_PERM, "nothing to load");
	if (st != MR_NOTFOUND)
		return mr_err_set(err, st, "line %" PRIu64 ": %s", line_n, why.text);
	if ((st = store_batch(s, b, err)))
		return st;
	mr_buf_addf(&s->out, "%" PRIu64 " entries loaded, %" PRIu64 " were dead\n", loaded, dead);
	return MR_OK;
}

static enum mr_status
do_load(struct state *s, char *const *operand, struct mr_err *err)
{
	struct batch b = { .n = 0 };
	struct mr_reader in;
	enum mr_status st = mr_reader_init(&in, 0, MR_STORE_LINE_MAX + 1, err);

	(void)operand;
	if (st == MR_OK) {
		st = load_lines(s, &in, &b, err);
		mr_reader_free(&in);
	}
	return st;
}

/* ---- stats, check ------------------------------------------------------------------------------ */

/* A kind is what stands before the first blank or '#', as mr_store_key makes it; the last row is for
 * what has none, and for all kinds beyond KINDS_MAX. */
static enum mr_status
tally(void *ctx, const struct mr_store_entry *e, struct mr_err *err)
{
	struct state *s = ctx;
	size_t n = 0, i = 0;

	(void)err;
	while (n < e->key.n && n < KIND_N && mr_str_chr(kind_bytes, e->key.p[n]) >= 0)
		n++;
	if (n == 0 || n == e->key.n || (e->key.p[n] != ' ' && e->key.p[n] != '#'))
		i = KINDS_MAX;
	while (
	    i < s->kind_n && !mr_str_eq((struct mr_str){ e->key.p, n }, mr_str(s->kinds[i].name)))
		i++;
	if (i == s->kind_n && i < KINDS_MAX) {
		memcpy(s->kinds[i].name, e->key.p, n);
		s->kind_n++;
	}
	s->kinds[i].entries++;
	s->kinds[i].bytes += e->key.n + e->value.n;
	return MR_OK;
}

static void
show_row(struct state *s, const struct kind *k)
{
	struct mr_buf line;

	if (!k->entries)
		return;
	if (!s->is_json) {
		mr_buf_addf(&s->out,
		    s->is_terminal ? "%-*s %12" PRIu64 " entries %15" PRIu64 " bytes\n"
		                   : "%*s\t%" PRIu64 "\t%" PRIu64 "\n",
		    s->is_terminal ? (int)KIND_N : 0, k->name, k->entries, k->bytes);
		return;
	}
	mr_buf_init(&line, OUT_MAX);
	mr_buf_addc(&line, '{');
	mr_json_field(&line, "kind", mr_str(k->name));
	mr_json_num(&line, "entries", (int64_t)k->entries);
	mr_json_num(&line, "bytes", (int64_t)k->bytes);
	mr_buf_adds(&line, "}\n");
	mr_buf_add(&s->out, mr_buf_str(&line));
	mr_buf_free(&line);
}

/* Each kind and, last, the store: its bytes with all that is around entries, and its ceiling. */
static enum mr_status
do_stats(struct state *s, char *const *operand, struct mr_err *err)
{
	uint64_t used = 0, max = 0;
	enum mr_status st =
	    mr_store_each(s->store, mr_buf_str(&s->prefix), s->now_s, tally, s, err);

	(void)operand;
	if (st || (st = mr_store_size(s->store, &used, &max, err)))
		return st;
	memcpy(s->kinds[KINDS_MAX].name, "other", 6);
	for (size_t i = 0; i <= KINDS_MAX; i++)
		show_row(s, &s->kinds[i]);
	if (s->is_json)
		mr_buf_addf(&s->out, "{\"used\":%" PRIu64 ",\"max\":%" PRIu64 "}\n", used, max);
	else if (max)
		mr_buf_addf(&s->out, "%" PRIu64 " of %" PRIu64 " bytes in use\n", used, max);
	else
		mr_buf_addf(&s->out, "%" PRIu64 " bytes in use\n", used);
	return MR_OK;
}

static enum mr_status
do_check(struct state *s, char *const *operand, struct mr_err *err)
{
	uint64_t n;
	enum mr_status st = mr_store_check(s->store, &s->log, &n, err);

	(void)operand;
	if (st == MR_OK && mr_str_starts(mr_str(s->url), "lmdb:"))
		mr_buf_addf(&s->out, "sound: %" PRIu64 " entries\n", n);
	else if (st == MR_OK)
		mr_buf_adds(&s->out, "it answers\n");
	return st;
}

/* ---- the command line -------------------------------------------------------------------------- */

static const struct verb {
	const char *name;
	bool takes_keys;
	enum mr_status (*run)(struct state *s, char *const *operand, struct mr_err *err);
} verbs[] = {
	{ "list", false, do_list },
	{ "get", true, do_get },
	{ "delete", true, do_delete },
	{ "expire", false, do_expire },
	{ "dump", false, do_dump },
	{ "load", false, do_load },
	{ "stats", false, do_stats },
	{ "check", false, do_check },
};

/* Options may stand before and behind the verb. */
static enum mr_status
read_options(struct state *s, int argc, char **argv, int *used, struct mr_err *err)
{
	struct mr_opt opt = { .argc = argc, .argv = argv, .letters = "S:jp:", .names = names };
	enum mr_status st = MR_OK;
	int c;

	while (st == MR_OK && (c = mr_opt_next(&opt, err)) > 0)
		if (c == 'S')
			s->url = opt.arg;
		else if (c == 'j')
			s->is_json = true;
		else
			st = mr_store_text_read(&s->prefix, mr_str(opt.arg), err);
	*used = opt.at;
	return st || c < 0 ? MR_USAGE : MR_OK;
}

static enum mr_status
read_command(struct state *s, int argc, char **argv, const struct verb **verb, char ***operand,
    struct mr_err *err)
{
	int at, used;

	if (read_options(s, argc, argv, &at, err))
		return MR_USAGE;
	for (size_t i = 0; at < argc && i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(argv[at], verbs[i].name) == 0)
			*verb = &verbs[i];
	if (!*verb)
		return mr_err_set(
		    err, MR_USAGE, "need a verb: list get delete expire dump load stats check");
	if (read_options(s, argc - at, argv + at, &used, err))
		return MR_USAGE;
	*operand = argv + at + used;
	if ((**operand != NULL) != (*verb)->takes_keys)
		return mr_err_set(err, MR_USAGE, "%s: %s", (*verb)->name,
		    (*verb)->takes_keys ? "need a key" : "takes no operand");
	if (!s->url)
		return mr_err_set(err, MR_USAGE, "need -S store");
	return mr_stores_add(&s->set, &s->store, s->url, err);
}

int
main(int argc, char **argv)
{
	struct state s = { .log = { .prog = "mr-state", .fd = 2 }, .now_s = mr_clock_now_s() };
	const struct verb *verb = NULL;
	struct mr_err err;
	char **operand = NULL;
	enum mr_status st;

	if (mr_io_std_fds(&err)) {
		fprintf(stderr, "mr-state: %s\n", err.text);
		return EXIT_FAULT;
	}
	signal(SIGCHLD, SIG_DFL); /* check waits for its child */
	mr_buf_init(&s.prefix, MR_STORE_KEY_MAX);
	mr_buf_init(&s.bytes, MR_STORE_LINE_MAX);
	mr_buf_init(&s.out, OUT_MAX);
	s.is_terminal = isatty(1);
	err.text[0] = '\0';
	if (read_command(&s, argc, argv, &verb, &operand, &err)) {
		mr_opt_usage("mr-state", &err, usage_text);
		st = MR_USAGE;
	} else {
		st = verb->run(&s, operand, &err);
		if (st == MR_OK || st == MR_NOTFOUND) {
			enum mr_status written = flush(&s, 0, &err);

			st = written ? written : st;
		}
		if (st && err.text[0])
			fprintf(stderr, "mr-state: %s\n", err.text);
	}
	mr_stores_close(&s.set);
	mr_buf_free(&s.prefix);
	mr_buf_free(&s.bytes);
	mr_buf_free(&s.out);
	return st == MR_OK ? 0 : st == MR_NOTFOUND ? EXIT_NONE : EXIT_FAULT;
}
