/* mr-table - compile, ask and dump rule tables; mr-table(1). */
#include "base/io.h"
#include "base/opt.h"
#include "table/aliases.h"
#include "table/table_text.h"
#include "table/tcprules.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Exit codes: those of mr's filters (DESIGN.md section 2), so that no fault looks like an answer. */
enum { DONE = 0, NOT_FOUND = 100, FAULT = 111 };

#define ASK_MEMORY_MAX 65536u
#define DUMP_STEP      65536u /* bytes of the dump written at once */
#define TABLE_MODE     0644   /* of a table that replaces none */

struct job {
	enum mr_table_kind kind; /* MR_TABLE_ANY: no -k */
	bool is_check, is_dump;
	const char *query;
	char *const *operand;
	size_t operand_n;
};

static int
fail(const struct mr_err *err)
{
	fprintf(stderr, "mr-table: %s\n", err->text);
	return FAULT;
}

static const char usage_text[] = "usage: mr-table [-k kind] text out.cdb\n"
                                 "       mr-table -c [-k kind] text\n"
                                 "       mr-table -q key [-k kind] table\n"
                                 "       mr-table -d [-k kind] table\n"
                                 "kinds: map, access, routes, alias, attachments\n";

static int
usage(const struct mr_err *err)
{
	mr_opt_usage("mr-table", err, usage_text);
	return FAULT;
}

static enum mr_status
read_options(struct job *job, int argc, char **argv, struct mr_err *err)
{
	struct mr_opt o = { .argc = argc, .argv = argv, .letters = "ck:dq:" };
	size_t want;
	int c;

	while ((c = mr_opt_next(&o, err)) > 0) {
		if (c == 'c')
			job->is_check = true;
		else if (c == 'd')
			job->is_dump = true;
		else if (c == 'q')
			job->query = o.arg;
		else if (!mr_table_kind_of_word(mr_str(o.arg), &job->kind))
			return mr_err_set(err, MR_USAGE,
			    "-k %s: need map, access, routes, alias or attachments", o.arg);
	}
	if (c < 0)
		return MR_USAGE;
	if (job->is_check + job->is_dump + (job->query != NULL) > 1)
		return mr_err_set(err, MR_USAGE, "only one of -c, -d and -q at a time");
	job->operand = argv + o.at;
	job->operand_n = (size_t)(argc - o.at);
	want = job->is_check || job->is_dump || job->query ? 1 : 2;
	if (job->operand_n != want)
		return mr_err_set(err, MR_USAGE,
		    want == 2 ? "need a text and the name of the table to make"
		              : "need exactly one file");
	return MR_OK;
}

/* ---- compile --------------------------------------------------------------------------------- */

/* The folder that `path` is in, in `dir` of `cap` bytes. */
static enum mr_status
folder_of(char *dir, size_t cap, const char *path, struct mr_err *err)
{
	const char *slash = strrchr(path, '/');
	int n = slash ? snprintf(dir, cap, "%.*s", (int)(slash - path) + 1, path)
	              : snprintf(dir, cap, ".");

	return n > 0 && (size_t)n < cap ? MR_OK
	                                : mr_err_set(err, MR_USAGE, "%s: name too long", path);
}

static enum mr_status
sync_folder(const char *dir, struct mr_err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum mr_status st = MR_OK;

	if (fd < 0 || fsync(fd) < 0)
		st = mr_err_sys(err, MR_TEMP, "%s: sync", dir);
	if (fd >= 0)
		close(fd);
	return st;
}

/* Makes the table under another name beside `out`, and renames it when it is complete. */
static enum mr_status
make_table(const struct job *job, struct mr_str text, const char *name, const char *out,
    struct mr_err *err)
{
	char temp[4096], dir[4096];
	int n = snprintf(temp, sizeof temp, "%s.tmp.XXXXXX", out), fd;
	struct stat old;
	mode_t mode = stat(out, &old) == 0 ? old.st_mode & 0777 : TABLE_MODE;
	enum mr_status st;

	if (n < 0 || (size_t)n >= sizeof temp)
		return mr_err_set(err, MR_USAGE, "%s: name too long", out);
	if ((st = folder_of(dir, sizeof dir, out, err)))
		return st;
	if ((fd = mkostemp(temp, O_CLOEXEC)) < 0)
		return mr_err_sys(err, MR_TEMP, "%s", temp);
	st = mr_table_compile(fd, text, name, job->kind, NULL, err);
	if (st == MR_OK && (fchmod(fd, mode) < 0 || fsync(fd) < 0 || rename(temp, out) < 0))
		st = mr_err_sys(err, MR_TEMP, "%s", out);
	close(fd);
	if (st) {
		unlink(temp);
		return st;
	}
	return sync_folder(dir, err);
}

static enum mr_status
compile(struct job *job, struct mr_err *err)
{
	const char *in = job->operand[0], *out = job->is_check ? NULL : job->operand[1];
	bool is_stdin = strcmp(in, "-") == 0;
	const char *name = is_stdin ? "standard input" : in;
	size_t out_n = out ? strlen(out) : 0;
	struct mr_buf text;
	enum mr_status st;

	if (job->kind == MR_TABLE_ANY)
		job->kind = MR_TABLE_MAP;
	if (out && (out_n < 4 || strcmp(out + out_n - 4, ".cdb") != 0))
		return mr_err_set(err, MR_USAGE,
		    "%s: the name of a compiled table must end in .cdb; others are read as text",
		    out);
	mr_buf_init(&text, MR_TABLE_TEXT_MAX);
	st = is_stdin ? mr_io_read_all(0, &text, err) : mr_io_read_file(in, &text, err);
	if (st == MR_OK)
		st = out ? make_table(job, mr_buf_str(&text), name, out, err)
		         : mr_table_compile(-1, mr_buf_str(&text), name, job->kind, NULL, err);
	mr_buf_free(&text);
	return st;
}

/* ---- ask ------------------------------------------------------------------------------------- */

/* The way of the filters: an address's longest network; a mailbox; a domain and what is above it;
 * then "*".  *found is the entry's key. */
static enum mr_status
look_up(const struct mr_table *t, const struct mr_key *key, struct mr_arena *arena,
    struct mr_str *found, struct mr_str *value)
{
	char storage[MR_NET_TEXT_MAX];
	enum mr_status st = MR_NOTFOUND;
	struct mr_net net;

	*found = key->text;
	if (key->kind == MR_KEY_NET && key->net.bits == mr_ip_bits(&key->net.ip)) {
		if ((st = mr_table_get_ip(t, &key->net.ip, &net, value)) == MR_OK)
			*found = mr_arena_dup(arena, mr_net_text(storage, &net));
	} else if (key->kind == MR_KEY_MAILBOX) {
		size_t at = (size_t)mr_str_rchr(key->text, '@');

		if ((st = mr_table_get_mailbox(t, key->text, value)) == MR_NOTFOUND)
			st = mr_table_get_domain(t, mr_str_from(key->text, at + 1), found, value);
	} else if (key->kind == MR_KEY_DOMAIN) {
		st = mr_table_get_domain(t, key->text, found, value);
	} else {
		return mr_table_get(t, key->text, value);
	}
	if (st == MR_NOTFOUND) {
		*found = MR_STR("*");
		st = mr_table_get_default(t, value);
	}
	return st == MR_OK && !found->p ? MR_TEMP : st;
}

static enum mr_status
ask_tcprules(const struct mr_table *t, const struct mr_key *key, struct mr_arena *arena,
    struct mr_buf *out, struct mr_err *err)
{
	struct mr_tcprule rule;
	enum mr_status st;

	if (key->kind != MR_KEY_NET || key->net.bits != mr_ip_bits(&key->net.ip))
		return mr_err_set(
		    err, MR_USAGE, "a table of tcprules can be asked for addresses only");
	st = mr_tcprules_find(t, arena, &key->net.ip, MR_STR(""), &rule);
	if (st == MR_OK)
		mr_buf_addf(out, "%.*s:%s\n", (int)rule.key.n, rule.key.p,
		    rule.is_deny              ? "deny"
		        : rule.is_relayclient ? "allow,RELAYCLIENT"
		                              : "allow");
	return st;
}

static enum mr_status
ask(const struct job *job, struct mr_err *err)
{
	struct mr_table *t = NULL;
	struct mr_str found, value;
	struct mr_arena arena;
	struct mr_buf out;
	struct mr_key key;
	enum mr_status st;

	mr_arena_init(&arena, ASK_MEMORY_MAX);
	mr_buf_init(&out, MR_TABLE_TEXT_MAX);
	if ((st = mr_table_open(&t, job->operand[0], job->kind, err))
	    || (st = (mr_table_kind_of(t) == MR_TABLE_ALIAS ? mr_alias_key_parse : mr_key_parse)(
	            &key, &arena, mr_str(job->query), err))) {
		st = st == MR_NOTFOUND ? MR_TEMP : st; /* no table is not "no entry" */
		goto out;
	}
	if (mr_table_kind_of(t) == MR_TABLE_ATTACH) {
		st = mr_err_set(err, MR_USAGE,
		    "%s: rules have no keys; ask mr-mimecheck, or see them all with -d",
		    job->operand[0]);
		goto out;
	}
	mr_err_set(err, MR_TEMP, "%s: damaged; compile it again", job->operand[0]);
	if (mr_table_kind_of(t) == MR_TABLE_FOREIGN)
		st = ask_tcprules(t, &key, &arena, &out, err);
	else if (mr_table_kind_of(t) == MR_TABLE_ALIAS) {
		if ((st = mr_table_get(t, key.text, &value)) == MR_OK)
			st = mr_table_write_entry(MR_TABLE_ALIAS, key.text, value, &out);
	} else if ((st = look_up(t, &key, &arena, &found, &value)) == MR_OK)
		st = mr_table_write_entry(mr_table_kind_of(t), found, value, &out);
	if (st == MR_OK)
		st = mr_io_write(1, mr_buf_str(&out), err);
out:
	mr_table_close(t);
	mr_arena_free(&arena);
	mr_buf_free(&out);
	return st;
}

/* ---- dump ------------------------------------------------------------------------------------ */

static enum mr_status
dump(const struct job *job, struct mr_err *err)
{
	struct mr_table *t;
	struct mr_str key, value;
	struct mr_buf out;
	uint32_t pos = 0;
	enum mr_status st = mr_table_open(&t, job->operand[0], job->kind, err);

	if (st)
		return st;
	mr_buf_init(&out, MR_TABLE_TEXT_MAX);
	if (mr_table_kind_of(t) == MR_TABLE_FOREIGN)
		st = mr_err_set(err, MR_USAGE, "%s: not made by mr-table", job->operand[0]);
	while (st == MR_OK) {
		mr_err_set(err, MR_TEMP, "%s: damaged; compile it again", job->operand[0]);
		st = mr_table_next(t, &pos, &key, &value);
		if (st == MR_OK)
			st = mr_table_write_entry(mr_table_kind_of(t), key, value, &out);
		if (out.n > DUMP_STEP || st == MR_NOTFOUND) {
			enum mr_status written = mr_io_write(1, mr_buf_str(&out), err);

			st = written ? written : st;
			mr_buf_clear(&out);
		}
	}
	mr_buf_free(&out);
	mr_table_close(t);
	return st == MR_NOTFOUND ? MR_OK : st;
}

int
main(int argc, char **argv)
{
	struct job job = { .kind = MR_TABLE_ANY };
	struct mr_err err = { "" };
	enum mr_status st;

	if (mr_io_std_fds(&err))
		return fail(&err);
	if (read_options(&job, argc, argv, &err))
		return usage(&err);
	st = job.query ? ask(&job, &err) : job.is_dump ? dump(&job, &err) : compile(&job, &err);
	if (st == MR_NOTFOUND && job.query)
		return NOT_FOUND;
	return st ? fail(&err) : DONE;
}
