/* srs.c - lib/mail/srs: there and back, what is damaged or too old, several keys, files of keys. */
#include "mail/srs.h"

#include "../tap.h"
#include "base/io.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_S INT64_C(86400)
#define DAY   INT64_C(20781) /* 2026-11-24, number 301 of its 1024: JN */
#define NOW   (DAY * DAY_S + 4711)

#define KEY_NEW "0123456789abcdef, new"
#define KEY_OLD "0123456789abcdef, old"

static char path[] = "/tmp/mr-srs.XXXXXX";
static struct mr_arena arena;
static struct mr_err err;

static void
write_keys(const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0 || mr_io_write(fd, mr_str(text), &err)) {
		printf("Bail out! %s\n", path);
		exit(1);
	}
	close(fd);
}

static void
open_srs(struct mr_srs *srs, const char *keys, const char *domain)
{
	write_keys(keys);
	if (mr_srs_open(srs, path, mr_str(domain), &err)) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
}

static struct mr_str
forward(const struct mr_srs *srs, const char *sender, int64_t now_s)
{
	struct mr_str to = { NULL, 0 };

	return mr_srs_forward(&to, srs, &arena, mr_str(sender), now_s, &err)
	    ? (struct mr_str){ NULL, 0 }
	    : to;
}

/* The address behind `text`, or in <> what it is. */
static struct mr_str
reverse(const struct mr_srs *srs, struct mr_str text, int64_t now_s)
{
	static const char *const words[] = { "<other>", "", "<forged>", "<expired>" };
	enum mr_srs_result result;
	struct mr_addr addr;
	struct mr_str to;

	if (mr_addr_parse(&addr, &arena, text, &err))
		return MR_STR("<no address>");
	if (mr_srs_reverse(&result, &to, srs, &arena, &addr, now_s, &err))
		return MR_STR("<fault>");
	return result == MR_SRS_VALID ? to : mr_str(words[result]);
}

/* Computed with hmac of Python and openssl dgst -sha1 -hmac. */
static void
test_vectors(void)
{
	struct mr_srs srs;

	open_srs(&srs, KEY_NEW "\n", "Fwd.Example");
	is(srs.domain, "fwd.example", "the domain in lower case");
	is(forward(&srs, "User@example.com", NOW), "SRS0=phiTfePJ=JN=example.com=User@fwd.example",
	    "SRS0");
	is(forward(&srs, "SRS0=abcd=JN=a.example=b@far.example", NOW),
	    "SRS1=CZ/nT7oA=far.example==abcd=JN=a.example=b@fwd.example", "SRS1 of SRS0");
	is(forward(&srs, "SRS1+zzzz=far.example==abcd=JN=a.example=b@mid.example", NOW),
	    "SRS1=CZ/nT7oA=far.example==abcd=JN=a.example=b@fwd.example",
	    "SRS1 of SRS1: the one in the middle is left out");
	mr_srs_free(&srs);
}

static void
test_there_and_back(void)
{
	static const char *const sender[] = { "a@b", "User+tag@example.com", "a=b=c@x.example",
		"SRS0@x.example", "SRS0foo=x@y.example", "srs0-x@y.example", "SRS0=@x.example",
		"SRS1=nothing@x.example", "\"a b\"@x.example", "\"a\\\"b\\\\c\"@x.example",
		"\"\"@x.example", "\".a\"@x.example", "\"a.\"@x.example", "\"a@b\"@x.example",
		"\"SRS0=a b\"@x.example", "\"=\\\"=\"@x.example", "a@[192.0.2.1]",
		"\"b c\"@[ipv6:2001:db8::1]", "m\xc3\xbcller@m\xc3\xbcller.example",
		"\"m\xc3\xbcller x\"@x.example", "bounce-1=2=user=there.example@list.example" };
	struct mr_srs srs;

	open_srs(&srs, KEY_NEW "\n", "fwd.example");
	for (size_t i = 0; i < sizeof sender / sizeof *sender; i++) {
		struct mr_str to = forward(&srs, sender[i], NOW);
		struct mr_addr a;

		ok(mr_addr_parse(&a, &arena, to, &err) == MR_OK && mr_str_eq(a.text, to)
		        && mr_str_is(a.domain, "fwd.example"),
		    "%s: a canonical address in our domain", sender[i]);
		if (!mr_str_casestarts(a.local, "SRS1") && !mr_str_casestarts(a.local, "\"SRS1"))
			is(reverse(&srs, to, NOW), sender[i], "and back");
		else
			ok(mr_str_caseeq(reverse(&srs, to, NOW), mr_str(sender[i])),
			    "and back; case of the tag does not count");
	}
	mr_srs_free(&srs);
}

static void
test_length(void)
{
	struct mr_srs srs;
	struct mr_str to;
	char text[MR_ADDR_MAX + 2];
	const char *domain = "@x.example";
	/* SRS0=HHHHHHHH=TT=x.example=...@fwd.example */
	const size_t more = 5 + MR_SRS_HASH + 1 + 3 + strlen("x.example=") + strlen("@fwd.example"),
	             most = MR_ADDR_MAX - more;

	open_srs(&srs, KEY_NEW "\n", "fwd.example");
	memset(text, 'a', sizeof text);
	memcpy(text + most, domain, strlen(domain) + 1);
	ok(forward(&srs, text, NOW).n == MR_ADDR_MAX, "as long as an address may be");
	is(reverse(&srs, forward(&srs, text, NOW), NOW), text, "and back, far over 64 octets");
	memset(text, 'a', sizeof text);
	memcpy(text + most + 1, domain, strlen(domain) + 1);
	ok(mr_srs_forward(&to, &srs, &arena, mr_str(text), NOW, &err) == MR_PERM,
	    "one octet more is too long");
	is(mr_str(err.text), "address over 254 octets", "and says so");
	ok(mr_srs_forward(&to, &srs, &arena, MR_STR("nobody"), NOW, &err) == MR_PERM, "no address");
	mr_srs_free(&srs);
}

static void
test_forged(void)
{
	struct mr_srs srs;
	struct mr_str good, bad;

	open_srs(&srs, KEY_NEW "\n", "fwd.example");
	good = forward(&srs, "User@example.com", NOW);
	is(reverse(&srs, mr_arena_lower(&arena, good), NOW), "user@example.com",
	    "case is lost on the way");
	is(reverse(&srs, MR_STR("SRS0=abc=JN=example.com=User@far.example"), NOW), "<other>",
	    "another domain's");
	is(reverse(&srs, MR_STR("User@fwd.example"), NOW), "<other>", "no tag");
	is(reverse(&srs, MR_STR("SRS0@fwd.example"), NOW), "<other>", "a tag alone");
	is(reverse(&srs, MR_STR("SRS2=x=y=z@fwd.example"), NOW), "<other>", "a tag of nobody");
	for (size_t i = 5; i + strlen("@fwd.example") < good.n; i++) {
		char *p;

		bad = mr_arena_dup(&arena, good);
		p = mr_arena_alloc(&arena, bad.n);
		memcpy(p, bad.p, bad.n);
		p[i] = p[i] == 'x' ? 'y' : 'x';
		if (!mr_str_is(reverse(&srs, (struct mr_str){ p, bad.n }, NOW), "<forged>"))
			ok(false, "octet %zu changed", i);
	}
	ok(true, "no octet may change");
	bad = mr_arena_fmt(&arena, "SRS0=%.*s", (int)good.n - 6, good.p + 6);
	is(reverse(&srs, bad, NOW), "<forged>", "a hash that is too short, though right");
	is(reverse(&srs, MR_STR("SRS0==JN=example.com=User@fwd.example"), NOW), "<forged>", "none");
	is(reverse(&srs,
	       MR_STR("SRS0=abcdefghijklmnopqrstuvwxyz0123=JN=example.com=User@fwd.example"), NOW),
	    "<forged>", "one that is too long");
	is(reverse(&srs, MR_STR("SRS0=abcd@fwd.example"), NOW), "<forged>", "parts missing");
	is(reverse(&srs, MR_STR("SRS0=abcd=JN=example.com@fwd.example"), NOW), "<forged>", "one");
	is(reverse(&srs, MR_STR("SRS1=abcd=example.com@fwd.example"), NOW), "<forged>", "of SRS1");
	is(reverse(&srs, MR_STR("SRS1=abcd=example.com=x@fwd.example"), NOW), "<forged>",
	    "no second separator");
	mr_srs_free(&srs);
}

/* What postsrsd and others have made has four characters of hash. */
static void
test_hash_length(void)
{
	struct mr_srs srs;
	struct mr_str whole, four;

	open_srs(&srs, KEY_NEW "\n", "fwd.example");
	whole = forward(&srs, "User@example.com", NOW);
	four = mr_arena_fmt(&arena, "%.9s%.*s", whole.p, (int)whole.n - 13, whole.p + 13);
	is(reverse(&srs, four, NOW), "<forged>", "four characters of hash are not enough");
	srs.hash_min = 4;
	is(reverse(&srs, four, NOW), "User@example.com", "unless they are let");
	is(reverse(&srs, whole, NOW), "User@example.com", "more are good");
	mr_srs_free(&srs);
}

static void
test_time(void)
{
	static const struct {
		int64_t days;
		const char *want;
	} cases[] = { { 0, "a@b.example" }, { 1, "a@b.example" }, { 21, "a@b.example" },
		{ 22, "<expired>" }, { 500, "<expired>" }, { 1022, "<expired>" },
		{ -1, "a@b.example" }, { -2, "<expired>" } };
	struct mr_str made;
	struct mr_srs srs;

	open_srs(&srs, KEY_NEW "\n", "fwd.example");
	made = forward(&srs, "a@b.example", NOW);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ok(true, "after %d days:", (int)cases[i].days);
		is(reverse(&srs, made, NOW + cases[i].days * DAY_S), cases[i].want, "as it should");
	}
	srs.days = 3;
	is(reverse(&srs, made, NOW + 3 * DAY_S), "a@b.example", "another limit: within");
	is(reverse(&srs, made, NOW + 4 * DAY_S), "<expired>", "and over");
	/* The number goes round. */
	made = forward(&srs, "a@b.example", 1023 * DAY_S);
	is(reverse(&srs, made, 1024 * DAY_S), "a@b.example", "round the end of the numbers");
	made = forward(&srs, "SRS0=abcd=JN=a.example=b@far.example", NOW);
	is(reverse(&srs, made, NOW + 1000 * DAY_S), "SRS0=abcd=JN=a.example=b@far.example",
	    "SRS1 has no time: the one it goes to has");
	mr_srs_free(&srs);
}

static void
test_rotation(void)
{
	struct mr_srs old, both, new;
	struct mr_str made;

	open_srs(&old, KEY_OLD "\n", "fwd.example");
	open_srs(&both, "# new\n" KEY_NEW "\n\n  " KEY_OLD "\t\n", "fwd.example");
	open_srs(&new, KEY_NEW, "fwd.example");
	ok(old.key_n == 1 && both.key_n == 2 && new.key_n == 1, "keys are read");
	made = forward(&old, "a@b.example", NOW);
	is(reverse(&both, made, NOW), "a@b.example", "made before the new key");
	is(reverse(&new, made, NOW), "<forged>", "until the old one goes");
	made = forward(&both, "a@b.example", NOW);
	is(reverse(&new, made, NOW), "a@b.example", "the first key signs");
	is(reverse(&old, made, NOW), "<forged>", "and only it");
	mr_srs_free(&old);
	mr_srs_free(&both);
	mr_srs_free(&new);
}

static void
refuse(const char *keys, const char *domain, const char *want)
{
	struct mr_srs srs;
	enum mr_status st;

	write_keys(keys);
	st = mr_srs_open(&srs, path, mr_str(domain), &err);
	ok(st == MR_USAGE, "refused: %s", want);
	is(mr_str(mr_str_starts(mr_str(err.text), path) ? err.text + strlen(path) : err.text), want,
	    "and why");
}

static void
test_bad_files(void)
{
	struct mr_srs srs;
	char text[MR_SRS_KEYS_MAX * 30 + 31] = "", one[MR_SRS_KEY_MAX + 3];

	refuse("", "fwd.example", ": no key in it");
	refuse("# none\n\n", "fwd.example", ": no key in it");
	refuse("# none\nshort\n", "fwd.example", ":2: a key has 16 to 512 octets, not 5");
	refuse(KEY_NEW "\r\n", "fwd.example", ":1: a control character in a key");
	refuse(KEY_NEW "\n", "not a domain", "'not a domain' is not a domain");
	refuse(KEY_NEW "\n", "", "'' is not a domain");
	for (size_t i = 0; i <= MR_SRS_KEYS_MAX; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%zu\n", KEY_NEW, i);
	refuse(text, "fwd.example", ":17: more than 16 keys; take out the oldest");
	memset(one, 'k', sizeof one);
	one[MR_SRS_KEY_MAX + 1] = '\0';
	refuse(one, "fwd.example", ":1: a key has 16 to 512 octets, not 513");
	write_keys(KEY_NEW "\n");
	chmod(path, 0644);
	ok(mr_srs_open(&srs, path, MR_STR("fwd.example"), &err) == MR_USAGE, "open to everybody");
	ok(strstr(err.text, "open to everybody; chmod o= /tmp/mr-srs."), "and the cure");
	chmod(path, 0640);
	ok(mr_srs_open(&srs, path, MR_STR("fwd.example"), &err) == MR_OK, "to a group it may be");
	mr_srs_free(&srs);
	ok(mr_srs_open(&srs, "/tmp", MR_STR("fwd.example"), &err) == MR_USAGE, "a folder");
	ok(mr_srs_open(&srs, "/nonexistent", MR_STR("x"), &err) == MR_USAGE, "no file");
}

int
main(void)
{
	int fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	mr_arena_init(&arena, 8 << 20);
	test_vectors();
	test_there_and_back();
	test_length();
	test_forged();
	test_hash_length();
	test_time();
	test_rotation();
	test_bad_files();
	unlink(path);
	mr_arena_free(&arena);
	return done_testing();
}
