#include "check/dkim_keys.h"

#include "base/io.h"
#include "check/dkim_record.h"
#include "mail/idn.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum mr_status
no_memory(struct mr_err *err)
{
	return mr_err_set(err, MR_TEMP, "out of memory");
}

/* ---- plans -------------------------------------------------------------------------------------- */

enum mr_status
mr_dkim_plan_add(struct mr_dkim_plan *plan, struct mr_arena *arena, struct mr_str domain,
    struct mr_str selector, const char *path, struct mr_err *err)
{
	struct mr_dkim_signer *s = &plan->signer[plan->n];
	struct mr_str owner, ascii;
	struct mr_err why;
	enum mr_status st = mr_dkim_owner(&owner, arena, selector, domain, &why);

	if (st == MR_OK)
		st = mr_domain_to_ascii(&ascii, arena, selector, &why);
	if (st)
		return mr_err_set(err, st == MR_PERM ? MR_USAGE : st, "%s", why.text);
	if (plan->n == MR_DKIM_SIGN_MAX)
		return mr_err_set(err, MR_USAGE, "more than %u signatures", MR_DKIM_SIGN_MAX);
	*s = (struct mr_dkim_signer){ .header = MR_DKIM_RELAXED, .body = MR_DKIM_RELAXED };
	/* Both as they stand in the DNS. */
	s->selector = (struct mr_str){ owner.p, ascii.n };
	s->domain = mr_str_from(owner, ascii.n + sizeof "._domainkey." - 1);
	plan->path[plan->n++] = path;
	return MR_OK;
}

enum mr_status
mr_dkim_plan_canon(struct mr_dkim_signer *signer, struct mr_str word, struct mr_err *err)
{
	struct mr_str body = word, header;

	mr_str_split(&body, '/', &header);
	signer->header = mr_str_is(header, "simple") ? MR_DKIM_SIMPLE : MR_DKIM_RELAXED;
	signer->body = mr_str_is(body, "simple") ? MR_DKIM_SIMPLE : MR_DKIM_RELAXED;
	if (mr_str_is(header, mr_dkim_canon_word(signer->header))
	    && mr_str_is(body, mr_dkim_canon_word(signer->body)))
		return MR_OK;
	return mr_err_set(err, MR_USAGE, "'%.*s': need relaxed or simple, '/', and the same",
	    (int)(word.n < 40 ? word.n : 40), word.p);
}

/* What stands in a table's value besides keys; they come before or behind. */
struct options {
	struct mr_str domain, canon, lifetime;
};

static bool
take_option(struct options *o, struct mr_str word)
{
	const struct {
		const char *name;
		struct mr_str *value;
	} known[] = { { "d=", &o->domain }, { "c=", &o->canon }, { "x=", &o->lifetime } };

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (mr_str_starts(word, known[i].name) && !known[i].value->p) {
			*known[i].value = mr_str_from(word, 2);
			return true;
		}
	return false;
}

/* SELECTOR:KEYFILE */
static enum mr_status
add_word(struct mr_dkim_plan *plan, struct mr_arena *arena, const struct options *o,
    struct mr_str word, struct mr_err *err)
{
	struct mr_str path = word, selector;
	struct mr_dkim_signer *s = &plan->signer[plan->n];
	uint64_t lifetime_s = 0;
	enum mr_status st;

	mr_str_split(&path, ':', &selector);
	if (!path.n)
		return mr_err_set(err, MR_USAGE,
		    "'%.*s': need SELECTOR:KEYFILE, d=DOMAIN, c=HEADER/BODY or x=SECONDS",
		    (int)(word.n < 80 ? word.n : 80), word.p);
	path = mr_arena_dup(arena, path);
	if (!path.p)
		return no_memory(err);
	if ((st = mr_dkim_plan_add(plan, arena, o->domain, selector, path.p, err)))
		return st;
	if (o->lifetime.p
	    && (!mr_str_num(o->lifetime, MR_DKIM_LIFETIME_MAX, &lifetime_s) || !lifetime_s))
		return mr_err_set(
		    err, MR_USAGE, "x=: need seconds, at most %u", MR_DKIM_LIFETIME_MAX);
	s->lifetime_s = lifetime_s;
	return o->canon.p ? mr_dkim_plan_canon(s, o->canon, err) : MR_OK;
}

enum mr_status
mr_dkim_plan_read(struct mr_dkim_plan *plan, struct mr_arena *arena, struct mr_str key,
    struct mr_str value, struct mr_err *err)
{
	struct options o = { .domain = { NULL, 0 } }, seen = { .domain = { NULL, 0 } };
	struct mr_str rest = value, word;
	enum mr_status st = MR_OK;

	plan->n = 0;
	while ((word = mr_str_word(&rest)).n)
		take_option(&o, word);
	if (!o.domain.p && mr_str_is(key, "*"))
		return mr_err_set(err, MR_USAGE, "'*' needs d=DOMAIN");
	if (!o.domain.p)
		o.domain = mr_str_from(key, mr_str_starts(key, "."));
	for (rest = value; st == MR_OK && (word = mr_str_word(&rest)).n;)
		if (!take_option(&seen, word))
			st = add_word(plan, arena, &o, word, err);
	if (st == MR_OK && !plan->n)
		st = mr_err_set(err, MR_USAGE, "no SELECTOR:KEYFILE");
	return st;
}

enum mr_status
mr_dkim_plan_load(struct mr_dkim_plan *plan, struct mr_err *err)
{
	enum mr_status st = MR_OK;

	for (size_t i = 0; i < plan->n && st == MR_OK; i++) {
		struct mr_pkey *key;

		if ((st = mr_dkim_key_load(&key, plan->path[i], err)) == MR_OK)
			plan->signer[i].key = key;
	}
	if (st)
		mr_dkim_plan_unload(plan);
	return st;
}

void
mr_dkim_plan_unload(struct mr_dkim_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		mr_pkey_free(plan->signer[i].key);
		plan->signer[i].key = NULL;
	}
}

/* ---- files -------------------------------------------------------------------------------------- */

static enum mr_status
judge(const struct stat *s, const char *path, struct mr_err *err)
{
	if (!S_ISREG(s->st_mode))
		return mr_err_set(err, MR_TEMP, "%s: no file", path);
	if (s->st_mode & S_IRWXO)
		return mr_err_set(err, MR_TEMP,
		    "%s: everybody can read or write this private key; chmod 600 it", path);
	if (s->st_mode & S_IWGRP)
		return mr_err_set(
		    err, MR_TEMP, "%s: its group can write this private key; chmod 640 it", path);
	return MR_OK;
}

enum mr_status
mr_dkim_key_stat(const char *path, struct mr_err *err)
{
	struct stat s;

	if (stat(path, &s) < 0)
		return mr_err_sys(err, MR_TEMP, "%s", path);
	return judge(&s, path, err);
}

static enum mr_status
parse(struct mr_pkey **key, struct mr_str text, const char *path, struct mr_err *err)
{
	struct mr_err why;
	struct mr_pkey *k;
	enum mr_status st = mr_pkey_parse(&k, text, &why);

	if (st)
		return mr_err_set(err, MR_TEMP, "%s: %s", path, why.text);
	if (!mr_pkey_is_private(k))
		st = mr_err_set(err, MR_TEMP, "%s: a public key, which signs nothing", path);
	else if (mr_pkey_kind(k) == MR_PKEY_RSA && mr_pkey_bits(k) < MR_DKIM_RSA_MIN)
		st = mr_err_set(err, MR_TEMP,
		    "%s: an RSA key of %u bits, which no receiver accepts; need %u", path,
		    mr_pkey_bits(k), MR_DKIM_RSA_MIN);
	if (st)
		mr_pkey_free(k);
	else
		*key = k;
	return st;
}

enum mr_status
mr_dkim_key_load(struct mr_pkey **key, const char *path, struct mr_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct mr_buf text;
	struct mr_err why;
	struct stat s;
	enum mr_status st;

	*key = NULL;
	if (fd < 0)
		return mr_err_sys(err, MR_TEMP, "%s", path);
	/* Room for all of it at once, so that no copy is left behind. */
	mr_buf_init(&text, MR_PKEY_FILE_MAX + 4096);
	if (fstat(fd, &s) < 0)
		st = mr_err_sys(err, MR_TEMP, "%s", path);
	else if ((st = judge(&s, path, err)) == MR_OK && !mr_buf_room(&text, MR_PKEY_FILE_MAX + 1))
		st = no_memory(err);
	else if (st == MR_OK && (st = mr_io_read_all(fd, &text, &why)))
		st = mr_err_set(err, MR_TEMP, "%s: %s", path, why.text);
	if (st == MR_OK)
		st = parse(key, mr_buf_str(&text), path, err);
	if (text.p)
		explicit_bzero(text.p, text.cap);
	mr_buf_free(&text);
	close(fd);
	return st;
}

enum mr_status
mr_dkim_key_make(struct mr_pkey **key, const char *path, enum mr_pkey_kind kind, unsigned bits,
    struct mr_err *err)
{
	struct mr_buf pem;
	enum mr_status st = mr_pkey_generate(key, kind, bits, err);
	int fd;

	if (st)
		return st;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		st = mr_err_sys(err, errno == EEXIST ? MR_USAGE : MR_TEMP, "%s", path);
		mr_pkey_free(*key);
		*key = NULL;
		return st;
	}
	mr_buf_init(&pem, MR_PKEY_FILE_MAX);
	if ((st = mr_pkey_private(*key, &pem, err)) == MR_OK
	    && (st = mr_io_write(fd, mr_buf_str(&pem), err)) == MR_OK && fsync(fd) < 0)
		st = mr_err_sys(err, MR_TEMP, "%s", path);
	if (pem.p)
		explicit_bzero(pem.p, pem.cap);
	mr_buf_free(&pem);
	if (close(fd) < 0 && st == MR_OK)
		st = mr_err_sys(err, MR_TEMP, "%s", path);
	if (st) {
		unlink(path);
		mr_pkey_free(*key);
		*key = NULL;
	}
	return st;
}
