#include "table/table.h"

#include "base/io.h"
#include "mail/addr.h"
#include "table/table_cdb.h"
#include "table/table_meta.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct mr_table {
	struct mr_cdb *cdb;
	enum mr_table_kind kind;
	struct mr_str bits[2]; /* prefix lengths in use, longest first: IPv4, IPv6 */
};

static const char *const kind_words[] = {
	[MR_TABLE_MAP] = "map",
	[MR_TABLE_ACCESS] = "access",
	[MR_TABLE_ROUTES] = "routes",
	[MR_TABLE_ALIAS] = "alias",
	[MR_TABLE_ATTACH] = "attachments",
	[MR_TABLE_FOREIGN] = "foreign",
	[MR_TABLE_ANY] = "any",
};

const char *
mr_table_kind_word(enum mr_table_kind kind)
{
	return kind_words[kind];
}

bool
mr_table_kind_of_word(struct mr_str word, enum mr_table_kind *kind)
{
	for (int k = MR_TABLE_MAP; k < MR_TABLE_FOREIGN; k++)
		if (mr_str_is(word, kind_words[k])) {
			*kind = (enum mr_table_kind)k;
			return true;
		}
	return false;
}

/* ---- open ------------------------------------------------------------------------------------ */

/* A text table, compiled into memory: the descriptor of an unnamed file in *fd. */
static enum mr_status
compile_text(int *fd, const char *path, enum mr_table_kind kind, struct mr_err *err)
{
	struct mr_buf text;
	enum mr_status st;

	mr_buf_init(&text, MR_TABLE_TEXT_MAX);
	st = mr_io_read_file(path, &text, err);
	if (st == MR_OK && (*fd = memfd_create("mr-table", MFD_CLOEXEC)) < 0)
		st = mr_err_sys(err, MR_TEMP, "%s: memory file", path);
	if (st == MR_OK)
		st = mr_table_compile(*fd, mr_buf_str(&text), path, kind, NULL, err);
	mr_buf_free(&text);
	return st;
}

static enum mr_status
open_compiled(int *fd, const char *path, struct mr_err *err)
{
	struct stat st;

	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0)
		return mr_err_sys(err, errno == ENOENT ? MR_NOTFOUND : MR_TEMP, "%s", path);
	if (fstat(*fd, &st) < 0)
		return mr_err_sys(err, MR_TEMP, "%s", path);
	if (!S_ISREG(st.st_mode))
		return mr_err_set(err, MR_TEMP, "%s: not a regular file", path);
	return MR_OK;
}

static bool
are_bits(struct mr_str bits, unsigned max)
{
	for (size_t i = 0; i < bits.n; i++)
		if ((unsigned char)bits.p[i] > max)
			return false;
	return true;
}

static enum mr_status
read_meta(struct mr_table *t, const char *path, struct mr_err *err)
{
	struct mr_str kind, version;
	enum mr_status st = mr_cdb_get(t->cdb, MR_TABLE_META_KIND, &kind);

	if (st == MR_NOTFOUND) {
		t->kind = MR_TABLE_FOREIGN;
		return MR_OK;
	}
	if (st == MR_OK && mr_cdb_get(t->cdb, MR_TABLE_META_VERSION, &version) == MR_OK
	    && !mr_str_eq(version, MR_TABLE_VERSION))
		return mr_err_set(err, MR_USAGE,
		    "%s: made by another version of mr-table; compile it again", path);
	if (st || !mr_table_kind_of_word(kind, &t->kind)
	    || mr_cdb_get(t->cdb, MR_TABLE_META_V4, &t->bits[0])
	    || mr_cdb_get(t->cdb, MR_TABLE_META_V6, &t->bits[1]) || !are_bits(t->bits[0], 32)
	    || !are_bits(t->bits[1], 128))
		return mr_err_set(err, MR_TEMP, "%s: damaged; compile it again", path);
	return MR_OK;
}

static enum mr_status
check_kind(enum mr_table_kind is, enum mr_table_kind want, const char *path, struct mr_err *err)
{
	if (is == want || want == MR_TABLE_ANY
	    || (is == MR_TABLE_FOREIGN && want == MR_TABLE_ACCESS))
		return MR_OK;
	if (is == MR_TABLE_FOREIGN)
		return mr_err_set(err, MR_USAGE,
		    "%s: not made by mr-table; compile its text with 'mr-table -k %s'", path,
		    mr_table_kind_word(want));
	return mr_err_set(err, MR_USAGE,
	    "%s: a table of kind %s where one of kind %s is needed; compile its text with "
	    "'mr-table -k %s'",
	    path, mr_table_kind_word(is), mr_table_kind_word(want), mr_table_kind_word(want));
}

enum mr_status
mr_table_open(
    struct mr_table **table, const char *path, enum mr_table_kind kind, struct mr_err *err)
{
	size_t n = strlen(path);
	bool is_compiled = n >= 4 && strcmp(path + n - 4, ".cdb") == 0;
	struct mr_table *t = calloc(1, sizeof *t);
	struct mr_err why = { "" };
	enum mr_status st;
	int fd = -1;

	*table = NULL;
	if (!t)
		return mr_err_set(err, MR_TEMP, "out of memory");
	st = is_compiled ? open_compiled(&fd, path, err)
	                 : compile_text(&fd, path, kind == MR_TABLE_ANY ? MR_TABLE_MAP : kind, err);
	if (st)
		goto out;
	if ((st = mr_cdb_open(&t->cdb, fd, &why))) {
		mr_err_set(err, st, "%s: %s; compile it again with mr-table", path, why.text);
		goto out;
	}
	if ((st = read_meta(t, path, err)) || (st = check_kind(t->kind, kind, path, err)))
		goto out;
	*table = t;
	t = NULL;
out:
	mr_table_close(t);
	if (fd >= 0)
		close(fd);
	return st;
}

void
mr_table_close(struct mr_table *table)
{
	if (!table)
		return;
	mr_cdb_close(table->cdb);
	free(table);
}

enum mr_table_kind
mr_table_kind_of(const struct mr_table *table)
{
	return table->kind;
}

/* ---- lookups --------------------------------------------------------------------------------- */

enum mr_status
mr_table_get(const struct mr_table *table, struct mr_str key, struct mr_str *value)
{
	return mr_cdb_get(table->cdb, key, value);
}

enum mr_status
mr_table_get_ip(
    const struct mr_table *table, const struct mr_ip *ip, struct mr_net *net, struct mr_str *value)
{
	struct mr_str bits = table->bits[ip->is_v6];

	for (size_t i = 0; i < bits.n; i++) {
		char storage[MR_NET_TEXT_MAX];
		enum mr_status st;

		*net = mr_net_of(ip, (unsigned char)bits.p[i]);
		st = mr_table_get(table, mr_net_text(storage, net), value);
		if (st != MR_NOTFOUND)
			return st;
	}
	return MR_NOTFOUND;
}

/* `s` in lower case in `storage` of `cap` bytes; p is NULL if it does not fit, and then no table has
 * it as a key. */
static struct mr_str
lower(char *storage, size_t cap, struct mr_str s)
{
	if (s.n > cap)
		return (struct mr_str){ NULL, 0 };
	for (size_t i = 0; i < s.n; i++)
		storage[i] = (char)mr_lower((unsigned char)s.p[i]);
	return (struct mr_str){ storage, s.n };
}

enum mr_status
mr_table_get_mailbox(const struct mr_table *table, struct mr_str mailbox, struct mr_str *value)
{
	char storage[MR_ADDR_MAX];
	struct mr_str key = lower(storage, sizeof storage, mailbox);

	return key.n && key.p[0] ? mr_table_get(table, key, value) : MR_NOTFOUND;
}

/* False for what would find an entry of another kind: ".x", "*", mailboxes, networks, and what a
 * table says of itself. */
static bool
is_domain_key(struct mr_str s)
{
	static const char others[] = { '*', '@', '/', '\0' };

	for (size_t i = 0; i < sizeof others; i++)
		if (mr_str_chr(s, others[i]) >= 0)
			return false;
	return s.n > 0 && s.p[0] != '.';
}

enum mr_status
mr_table_get_domain(
    const struct mr_table *table, struct mr_str domain, struct mr_str *key, struct mr_str *value)
{
	char storage[MR_DOMAIN_MAX];
	struct mr_str low = lower(storage, sizeof storage, domain);
	enum mr_status st;

	if (!is_domain_key(low))
		return MR_NOTFOUND;
	st = mr_table_get(table, low, value);
	if (st == MR_OK && key)
		*key = domain;
	for (size_t i = 1; st == MR_NOTFOUND && low.p[0] != '[' && i < low.n; i++) {
		if (low.p[i] != '.')
			continue;
		st = mr_table_get(table, mr_str_from(low, i), value);
		if (st == MR_OK && key)
			*key = mr_str_from(domain, i);
	}
	return st;
}

enum mr_status
mr_table_get_default(const struct mr_table *table, struct mr_str *value)
{
	return mr_table_get(table, MR_STR("*"), value);
}

/* ---- all entries -------------------------------------------------------------------- */

enum mr_status
mr_table_next(const struct mr_table *table, uint32_t *pos, struct mr_str *key, struct mr_str *value)
{
	enum mr_status st;

	do
		st = mr_cdb_next(table->cdb, pos, key, value);
	while (st == MR_OK && table->kind != MR_TABLE_FOREIGN && key->n && key->p[0] == '\0');
	return st;
}

enum mr_status
mr_table_load(struct mr_table **table, struct mr_watch *watch, const char *path,
    enum mr_table_kind kind,
    enum mr_status (*check)(void *ctx, struct mr_str key, struct mr_str value, struct mr_err *err),
    void *ctx, struct mr_err *err)
{
	struct mr_str key, value;
	uint32_t pos = 0;
	enum mr_status st;

	*table = NULL;
	if ((st = mr_watch_add(watch, path, err)) || (st = mr_table_open(table, path, kind, err)))
		return st;
	while (check && (st = mr_table_next(*table, &pos, &key, &value)) == MR_OK) {
		struct mr_err why = { "" };

		if ((st = check(ctx, key, value, &why))) {
			mr_err_set(err, st, "%s: %.*s: %s", path,
			    (int)(key.n < MR_ADDR_MAX ? key.n : MR_ADDR_MAX), key.p, why.text);
			goto out;
		}
	}
	if (st == MR_OK || st == MR_NOTFOUND)
		return MR_OK;
	mr_err_set(err, MR_TEMP, "%s: damaged; compile it again", path);
out:
	mr_table_close(*table);
	*table = NULL;
	return st;
}

enum mr_rule
mr_rule_parse(struct mr_str value, struct mr_str *comment)
{
	struct mr_str verb = mr_str_word(&value);

	*comment = mr_str_trim(value);
	return mr_str_is(verb, "permit") ? MR_RULE_PERMIT
	    : mr_str_is(verb, "forbid")  ? MR_RULE_FORBID
	    : mr_str_is(verb, "both")    ? MR_RULE_BOTH
	                                 : MR_RULE_DAMAGED;
}

/* The key, and a blank and `words` if there are any.  '#' in front would make a comment of it, and
 * U+FEFF a byte order mark, so a mailbox that begins so gets the quotes it may have.  Of aliases, what
 * stands for a domain has '@' in front, and what stands for a local part has none at its end. */
static void
write_key(struct mr_buf *out, enum mr_table_kind kind, struct mr_str key, struct mr_str words)
{
	bool is_alias = kind == MR_TABLE_ALIAS;
	ptrdiff_t at = mr_str_rchr(key, '@');
	struct mr_str local = key, rest = { "", 0 };
	bool is_quoted;

	if (at > 0) {
		local.n = (size_t)at;
		rest = mr_str_from(key, local.n);
	}
	if (is_alias && rest.n == 1)
		rest.n = 0;
	is_quoted = at > 0
	    && (key.p[0] == '#' || mr_str_starts(key, "\xef\xbb\xbf")
	        || (is_alias && mr_str_is(local, "*")));
	mr_buf_addf(out, "%s%s%.*s%s%.*s%s%.*s\n", is_alias && at < 0 ? "@" : "",
	    is_quoted ? "\"" : "", (int)local.n, local.p, is_quoted ? "\"" : "", (int)rest.n,
	    rest.p, words.n ? " " : "", (int)words.n, words.n ? words.p : "");
}

static bool
is_printable(struct mr_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (((unsigned char)s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
			return false;
	return true;
}

enum mr_status
mr_table_write_entry(
    enum mr_table_kind kind, struct mr_str key, struct mr_str value, struct mr_buf *out)
{
	struct mr_str comment;
	enum mr_rule rule;

	if (kind == MR_TABLE_FOREIGN || key.n == 0 || !is_printable(key) || !is_printable(value))
		return MR_TEMP;
	if (kind == MR_TABLE_ATTACH) { /* its number comes from its place */
		mr_buf_addf(out, "%.*s\n", (int)value.n, value.p);
		return MR_OK;
	}
	if (kind != MR_TABLE_ACCESS) {
		write_key(out, kind, key, value);
		return MR_OK;
	}
	rule = mr_rule_parse(value, &comment);
	if (rule == MR_RULE_DAMAGED)
		return MR_TEMP;
	mr_buf_adds(out, rule == MR_RULE_FORBID ? "forbid " : "permit ");
	write_key(out, kind, key, comment);
	if (rule == MR_RULE_BOTH) {
		mr_buf_adds(out, "forbid ");
		write_key(out, kind, key, MR_STR(""));
	}
	return MR_OK;
}
