/* dkim_keys.c - lib/check/dkim_keys: what a table may say, and whose files are keys. */
#include "check/dkim_keys.h"

#include "../tap.h"
#include "base/io.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct mr_arena arena;
static struct mr_err err;

static void
plans(void)
{
	static const struct {
		const char *key, *value, *why;
	} bad[] = {
		{ "example.org", "", "no SELECTOR:KEYFILE" },
		{ "example.org", "c=simple/simple", "no SELECTOR:KEYFILE" },
		{ "example.org", "sel",
		    "'sel': need SELECTOR:KEYFILE, d=DOMAIN, c=HEADER/BODY or x=SECONDS" },
		{ "example.org",
		    "sel:", "'sel:': need SELECTOR:KEYFILE, d=DOMAIN, c=HEADER/BODY or x=SECONDS" },
		{ "example.org", ":/k", "the selector '' is no name in the DNS" },
		{ "example.org", "a;b:/k", "the selector 'a;b' is no name in the DNS" },
		{ "example.org", "sel:/k d=a..b", "'a..b' is no domain name" },
		{ "example.org", "sel:/k d=a.b d=c.d",
		    "'d=c.d': need SELECTOR:KEYFILE, d=DOMAIN, c=HEADER/BODY or x=SECONDS" },
		{ "example.org", "sel:/k c=relaxed",
		    "'relaxed': need relaxed or simple, '/', and the same" },
		{ "example.org", "sel:/k c=simple/x",
		    "'simple/x': need relaxed or simple, '/', and the same" },
		{ "example.org", "sel:/k x=0", "x=: need seconds, at most 31622400" },
		{ "example.org", "sel:/k x=31622401", "x=: need seconds, at most 31622400" },
		{ "*", "sel:/k", "'*' needs d=DOMAIN" },
		{ "a@example.org", "sel:/k", "'a@example.org' is no domain name" },
		{ "192.0.2.0/24", "sel:/k", "'192.0.2.0/24' is no domain name" },
		{ "example.org", "a:/1 b:/2 c:/3 d:/4 e:/5 f:/6 g:/7 h:/8 i:/9",
		    "more than 8 signatures" },
	};
	struct mr_dkim_plan p;

	ok(mr_dkim_plan_read(&p, &arena, MR_STR(".Example.org"),
	       MR_STR("S1:/etc/k:1 c=simple/relaxed x=86400  s2.b:k2"),
	       &err) == MR_OK
	        && p.n == 2,
	    "two keys of a domain's parent");
	is(p.signer[0].domain, "example.org", "its domain");
	is(p.signer[0].selector, "s1", "a selector");
	is(mr_str(p.path[0]), "/etc/k:1", "a file");
	is(p.signer[1].selector, "s2.b", "the other");
	ok(p.signer[1].header == MR_DKIM_SIMPLE && p.signer[1].body == MR_DKIM_RELAXED
	        && p.signer[1].lifetime_s == 86400,
	    "options are of all");
	ok(mr_dkim_plan_read(&p, &arena, MR_STR("*"), MR_STR("d=b.example x._domainkey.y:k"), &err)
	        == MR_OK,
	    "the default");
	is(p.signer[0].domain, "b.example", "with a domain");
	is(p.signer[0].selector, "x._domainkey.y", "a selector with _domainkey in it");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		enum mr_status st =
		    mr_dkim_plan_read(&p, &arena, mr_str(bad[i].key), mr_str(bad[i].value), &err);

		ok(st == MR_USAGE, "wrong: %s %s", bad[i].key, bad[i].value);
		is(mr_str(err.text), bad[i].why, "and why");
	}
}

static void
files(void)
{
	char dir[] = "/tmp/mr-keys.XXXXXX", path[64];
	struct mr_pkey *key, *again;
	struct stat s;
	static const struct {
		mode_t mode;
		bool is_good;
	} modes[] = { { 0600, true }, { 0400, true }, { 0640, true }, { 0440, true },
		{ 0604, false }, { 0644, false }, { 0602, false }, { 0620, false }, { 0660, false },
		{ 0601, false } };

	if (!mkdtemp(dir))
		exit(111);
	snprintf(path, sizeof path, "%s/key", dir);
	ok(mr_dkim_key_make(&key, path, MR_PKEY_ED25519, 0, &err) == MR_OK && stat(path, &s) == 0
	        && (s.st_mode & 07777) == 0600,
	    "a new key, for its owner alone");
	ok(mr_dkim_key_load(&again, path, &err) == MR_OK && mr_pkey_is_same(key, again), "is read");
	mr_pkey_free(again);
	ok(mr_dkim_key_make(&again, path, MR_PKEY_RSA, 1024, &err) == MR_USAGE && !again,
	    "a file is never overwritten: %s", err.text);
	ok(mr_dkim_key_load(&again, path, &err) == MR_OK && mr_pkey_is_same(key, again),
	    "and is as it was");
	mr_pkey_free(again);
	mr_pkey_free(key);
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		enum mr_status st;

		chmod(path, modes[i].mode);
		st = mr_dkim_key_stat(path, &err);
		ok((st == MR_OK) == modes[i].is_good && st != MR_PERM, "mode %o", modes[i].mode);
		st = mr_dkim_key_load(&key, path, &err);
		ok((st == MR_OK) == modes[i].is_good && (key != NULL) == modes[i].is_good,
		    "mode %o, read", modes[i].mode);
		mr_pkey_free(key);
	}
	unlink(path);
	ok(mr_dkim_key_load(&key, path, &err) == MR_TEMP && mr_dkim_key_stat(path, &err) == MR_TEMP,
	    "no file");
	ok(mr_dkim_key_load(&key, dir, &err) == MR_TEMP, "a folder");
	mkfifo(path, 0600);
	ok(mr_dkim_key_load(&key, path, &err) == MR_TEMP, "a pipe, which does not hold us up");
	unlink(path);
	rmdir(dir);
}

int
main(void)
{
	mr_arena_init(&arena, 1 << 20);
	plans();
	files();
	mr_arena_free(&arena);
	return done_testing();
}
