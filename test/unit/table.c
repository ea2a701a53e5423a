#include "table/table.h"

#include "../open_table.h"
#include "../tap.h"
#include "table/table_text.h"

#include <sys/mman.h>

/* ---- keys ------------------------------------------------------------------------------------ */

static const struct {
	const char *text, *key; /* key NULL: refused */
} keys[] = {
	{ "*", "*" },
	{ "192.0.2.1", "192.0.2.1/32" },
	{ "10.0.0.0/8", "10.0.0.0/8" },
	{ "10.0.0.0/255.0.0.0", "10.0.0.0/8" },
	{ "10.0.0.5/255.255.255.255", "10.0.0.5/32" },
	{ "0.0.0.0/0", "0.0.0.0/0" },
	{ "2001:DB8::/32", "2001:db8::/32" },
	{ "2001:db8::1", "2001:db8::1/128" },
	{ "::ffff:192.0.2.1", "192.0.2.1/32" },
	{ "::ffff:192.0.2.0/120", "192.0.2.0/24" },
	{ "Bob@Example.ORG", "bob@example.org" },
	{ "\"bob\"@example.org", "bob@example.org" },
	{ "\"john doe\"@example.org", "\"john doe\"@example.org" },
	{ "bob@[192.0.2.1]", "bob@[192.0.2.1]" },
	{ "Example.ORG", "example.org" },
	{ ".Example.ORG", ".example.org" },
	{ "[192.0.2.1]", "[192.0.2.1]" },
	{ "local", "local" },
	{ "a1.b2", "a1.b2" },
	{ "", NULL },
	{ ".", NULL },
	{ "..org", NULL },
	{ "example.org.", NULL },
	{ "10.0.0.1/8", NULL },
	{ "10.0.0.0/33", NULL },
	{ "10.0.0.0/255.0.255.0", NULL },
	{ "10.20.", NULL },
	{ "10.20.30", NULL },
	{ "2001:db8::/129", NULL },
	{ "@example.org", NULL },
	{ "bob@", NULL },
	{ "bob@@example.org", NULL },
	{ "\"bob@example.org", NULL },
	{ ".[192.0.2.1]", NULL },
	{ "-x.org", NULL },
	{ "a,b.org", NULL },
};

static void
test_keys(void)
{
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		struct mr_arena arena;
		struct mr_err err = { "" };
		struct mr_key key;
		enum mr_status st;

		mr_arena_init(&arena, 65536);
		st = mr_key_parse(&key, &arena, mr_str(keys[i].text), &err);
		if (keys[i].key)
			is(st ? mr_str(err.text) : key.text, keys[i].key, keys[i].text);
		else
			ok(st == MR_PERM && err.text[0], "refused: '%s' (%s)", keys[i].text,
			    err.text);
		mr_arena_free(&arena);
	}
}

/* ---- lines ----------------------------------------------------------------------------------- */

static const struct {
	enum mr_table_kind kind;
	const char *text, *dump; /* what the table's entries are as text; NULL: refused */
	const char *why;         /* part of the reason */
} texts[] = {
	{ MR_TABLE_MAP, "", "", NULL },
	{ MR_TABLE_MAP, "\n \t\n# all\n   # of it\n", "", NULL },
	{ MR_TABLE_MAP, "a.org one two # three\nb.org\n", "a.org one two\nb.org\n", NULL },
	{ MR_TABLE_MAP, "a.org  x#y  ", "a.org x#y\n", NULL },
	{ MR_TABLE_MAP, "a.org\tx\r\nb.org y\r\n", "a.org x\nb.org y\n", NULL },
	{ MR_TABLE_MAP, "\"j # d\"@a.org x # c", "\"j # d\"@a.org x\n", NULL },
	{ MR_TABLE_MAP, "\"#j\"@a.org x", "\"#j\"@a.org x\n", NULL },
	{ MR_TABLE_MAP, "\"\xef\xbb\xbfj\"@a.org x", "\"\xef\xbb\xbfj\"@a.org x\n", NULL },
	{ MR_TABLE_MAP, "a|b@a.org x", "a|b@a.org x\n", NULL },
	{ MR_TABLE_MAP, "* any", "* any\n", NULL },
	{ MR_TABLE_MAP, "a.org x\n\nA.ORG y\n", NULL, ":3: the same key as in line 1; remove" },
	{ MR_TABLE_MAP, "10.0.0.1 x\n10.0.0.1/32 x\n", NULL, ":2: the same key as in line 1" },
	{ MR_TABLE_MAP, "a.org x\rb.org y\n", NULL, ":1: a CR within the line" },
	{ MR_TABLE_MAP, "ok.org\na.org \001\n", NULL, ":2: control character 0x01" },
	{ MR_TABLE_MAP,
	    "\xef\xbb\xbf"
	    "a.org\n",
	    NULL, ":1: a byte order mark" },
	{ MR_TABLE_MAP, " \xef\xbb\xbfj1 x\n", NULL, ":1: a byte order mark" },
	{ MR_TABLE_ALIAS, "Sales\tAnn, \"bob\"@A.org ,c # d\n", "sales Ann bob@a.org c\n", NULL },
	{ MR_TABLE_ALIAS, "x y until=2028-02-29 z", "x until=2028-02-29 y z\n", NULL },
	{ MR_TABLE_ALIAS, "\"j, d\" \"a b\"@a.org", "\"j, d\" \"a b\"@a.org\n", NULL },
	{ MR_TABLE_ALIAS, "\"#x\" \"#y\" \"until=z\"@a.org", "\"#x\" \"#y\" \"until=z\"@a.org\n",
	    NULL },
	{ MR_TABLE_ALIAS, "@A.org @B.org\n@.a.org box\n@[192.0.2.1] x\n\"*\" y",
	    "@a.org @b.org\n@.a.org box\n@[192.0.2.1] x\n\"*\" y\n", NULL },
	{ MR_TABLE_ALIAS, "a@a.org a b\nb@a.org b a until=2020-01-01\n", NULL,
	    ":2: a circle of aliases; take one out: a@a.org -> b@a.org -> a@a.org" },
	{ MR_TABLE_ALIAS, "a b\nb c+x\nc a", NULL, ": a circle of aliases" },
	{ MR_TABLE_ALIAS, "a b\n\na@A.org c\nA d\n", NULL, ":4: the same key as in line 1" },
	{ MR_TABLE_ALIAS, "a # b", NULL, ":1: no address behind 'a'; write where its mail goes" },
	{ MR_TABLE_ALIAS, "a until=2020-01-01", NULL, ":1: no address behind 'a'" },
	{ MR_TABLE_ALIAS, "a b until=2027-02-29", NULL, ":1: 'until=2027-02-29': need one date" },
	{ MR_TABLE_ALIAS, "a b until=", NULL, ":1: 'until=': need one date" },
	{ MR_TABLE_ALIAS, "* b", NULL, ":1: '*' is no key here; write @domain" },
	{ MR_TABLE_ALIAS, "a @b.org", NULL, ":1: '@b.org' stands for the same mailbox there" },
	{ MR_TABLE_ALIAS, "@a.org @.b.org", NULL, ":1: '@.b.org' is not @domain; write" },
	{ MR_TABLE_ALIAS, "a \"b", NULL, ":1: '\"b' is not an address" },
	{ MR_TABLE_ALIAS, "a@ b", NULL, ":1: 'a@' is not an address" },
	{ MR_TABLE_ALIAS, ", b", NULL, ":1: no address behind 'b'" },
	{ MR_TABLE_ACCESS, "permit 10.0.0.0/8 our # x\nFORBID A.org spam, spam\n",
	    "permit 10.0.0.0/8 our\nforbid a.org spam, spam\n", NULL },
	{ MR_TABLE_ACCESS, "forbid a.org no\npermit a.org yes\n",
	    "permit a.org yes\nforbid a.org\n", NULL },
	{ MR_TABLE_ACCESS, "permit a.org yes\nforbid a.org no\npermit a.org\n",
	    "permit a.org yes\nforbid a.org\n", NULL },
	{ MR_TABLE_ACCESS, "forbid a.org 1\nforbid a.org 2\n", "forbid a.org 1\n", NULL },
	{ MR_TABLE_ACCESS, "permit\n", NULL, ":1: nothing behind 'permit'; write" },
	{ MR_TABLE_ACCESS, "permit # x\n", NULL, ":1: nothing behind 'permit'" },
	{ MR_TABLE_ACCESS, "allow a.org\n", NULL, ":1: 'allow' is neither permit nor forbid" },
	{ MR_TABLE_ACCESS, "permit *\n", NULL, ":1: '*' is not a key here" },
	{ MR_TABLE_ACCESS, "permit 10.0.0.5/8\n", NULL, ":1: '10.0.0.5/8' has bits behind" },
};

/* A line as long as it may be, of addresses as short as they may be. */
static void
test_long_line(void)
{
	struct mr_err err = { "" };
	struct mr_table *t;
	struct mr_buf b;

	mr_buf_init(&b, MR_TABLE_LINE_MAX);
	for (unsigned i = 0; i < MR_TABLE_LINE_MAX / 2; i++)
		mr_buf_addf(&b, "%c ", i ? 'b' : 'a');
	ok(open_bytes(&t, mr_buf_str(&b), "", MR_TABLE_ALIAS, &err) == MR_OK,
	    "a line full of addresses %s", err.text);
	mr_table_close(t);
	mr_buf_free(&b);
}

static void
test_lines(void)
{
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct mr_err err = { "" };
		struct mr_str key, value;
		struct mr_table *t;
		struct mr_buf dump;
		uint32_t pos = 0;
		enum mr_status st = open_bytes(&t, mr_str(texts[i].text), "", texts[i].kind, &err);

		if (!texts[i].dump) {
			ok(st == MR_PERM && strstr(err.text, texts[i].why), "refused: %s",
			    texts[i].why);
			printf("# %s\n", err.text);
			mr_table_close(t);
			continue;
		}
		mr_buf_init(&dump, 65536);
		while (st == MR_OK && (st = mr_table_next(t, &pos, &key, &value)) == MR_OK)
			st = mr_table_write_entry(texts[i].kind, key, value, &dump);
		ok(st == MR_NOTFOUND, "lines %zu: all entries read %s", i, err.text);
		is(mr_buf_str(&dump), texts[i].dump, "and written");
		mr_buf_free(&dump);
		mr_table_close(t);
	}
}

static void
test_limits(void)
{
	static char line[MR_TABLE_LINE_MAX + 2];
	struct mr_err err = { "" };
	struct mr_table *t;

	memset(line, 'x', sizeof line);
	memcpy(line, "a.org ", 6);
	ok(open_bytes(&t, (struct mr_str){ line, MR_TABLE_LINE_MAX }, "", MR_TABLE_MAP, &err)
	        == MR_OK,
	    "a line of the maximum length");
	mr_table_close(t);
	ok(open_bytes(&t, (struct mr_str){ line, MR_TABLE_LINE_MAX + 1 }, "", MR_TABLE_MAP, &err)
	            == MR_PERM
	        && strstr(err.text, ":1: line over"),
	    "a line longer than that: %s", err.text);
	ok(open_bytes(&t, (struct mr_str){ "a.org x\0y\n", 10 }, "", MR_TABLE_MAP, &err) == MR_PERM,
	    "NUL is refused");
	ok(mr_table_open(&t, "/nowhere/x.cdb", MR_TABLE_MAP, &err) == MR_NOTFOUND, "no such table");
	ok(mr_table_open(&t, "/nowhere/x", MR_TABLE_MAP, &err) == MR_NOTFOUND, "no such text");
	ok(open_bytes(&t, MR_STR("a.org x\n"), ".cdb", MR_TABLE_MAP, &err) == MR_TEMP
	        && strstr(err.text, "not a CDB"),
	    "text under the name of a compiled table: %s", err.text);
}

/* ---- lookups --------------------------------------------------------------------------------- */

static void
ip_is(const struct mr_table *t, const char *text, const char *net_want, const char *want)
{
	char storage[MR_NET_TEXT_MAX];
	struct mr_str value = { NULL, 0 };
	struct mr_net net;
	struct mr_ip ip;
	enum mr_status st;

	mr_ip_parse(&ip, mr_str(text));
	st = mr_table_get_ip(t, &ip, &net, &value);
	ok(st == (want ? MR_OK : MR_NOTFOUND), "%s: status", text);
	if (st == MR_OK && want) {
		is(value, want, text);
		is(mr_net_text(storage, &net), net_want, "by the network");
	}
}

static void
domain_is(const struct mr_table *t, const char *domain, const char *key_want, const char *want)
{
	struct mr_str key = { NULL, 0 }, value = { NULL, 0 };
	enum mr_status st = mr_table_get_domain(t, mr_str(domain), &key, &value);

	ok(st == (want ? MR_OK : MR_NOTFOUND), "'%s': status", domain);
	if (st == MR_OK) {
		is(value, want, domain);
		is(key, key_want, "by the entry");
	}
}

static void
test_lookups(void)
{
	struct mr_table *t = open_text("10.0.0.0/8 eight\n10.1.0.0/16 sixteen\n10.1.2.3 one\n"
	                               "2001:db8::/32 doc\n2001:db8::1 one6\n"
	                               "bob@example.org bob\nexample.org whole\n"
	                               ".example.org below\n.deep.example.org deeper\n* any\n",
	    MR_TABLE_MAP);
	static char longer[600];
	struct mr_str value;

	ip_is(t, "10.9.9.9", "10.0.0.0/8", "eight");
	ip_is(t, "10.1.9.9", "10.1.0.0/16", "sixteen");
	ip_is(t, "10.1.2.3", "10.1.2.3/32", "one");
	ip_is(t, "::ffff:10.1.2.3", "10.1.2.3/32", "one");
	ip_is(t, "11.0.0.0", NULL, NULL);
	ip_is(t, "2001:db8::2", "2001:db8::/32", "doc");
	ip_is(t, "2001:db8::1", "2001:db8::1/128", "one6");
	ip_is(t, "2001:db9::1", NULL, NULL);
	domain_is(t, "example.org", "example.org", "whole");
	domain_is(t, "EXAMPLE.org", "EXAMPLE.org", "whole");
	domain_is(t, "a.example.org", ".example.org", "below");
	domain_is(t, "a.b.example.org", ".example.org", "below");
	domain_is(t, "deep.example.org", ".example.org", "below");
	domain_is(t, "x.Deep.example.org", ".Deep.example.org", "deeper");
	domain_is(t, "badexample.org", NULL, NULL);
	domain_is(t, "org", NULL, NULL);
	domain_is(t, "", NULL, NULL);
	domain_is(t, "*", NULL, NULL);
	domain_is(t, "bob@example.org", NULL, NULL);
	domain_is(t, "10.0.0.0/8", NULL, NULL);
	domain_is(t, ".example.org", NULL, NULL);
	memset(longer, 'a', sizeof longer - 1);
	domain_is(t, longer, NULL, NULL);
	ok(mr_table_get_domain(t, (struct mr_str){ "\0kind", 5 }, NULL, &value) == MR_NOTFOUND,
	    "what the table says of itself is not an entry");
	ok(mr_table_get_mailbox(t, MR_STR("BOB@Example.org"), &value) == MR_OK,
	    "mailbox, any case");
	is(value, "bob", "its value");
	ok(mr_table_get_mailbox(t, MR_STR("rob@example.org"), &value) == MR_NOTFOUND, "no mailbox");
	ok(mr_table_get_mailbox(t, mr_str(longer), &value) == MR_NOTFOUND, "too long a mailbox");
	ok(mr_table_get_default(t, &value) == MR_OK, "the default");
	mr_table_close(t);

	t = open_text("permit 0.0.0.0/0\n", MR_TABLE_ACCESS);
	ip_is(t, "255.255.255.255", "0.0.0.0/0", "permit");
	ip_is(t, "::1", NULL, NULL);
	mr_table_close(t);
}

/* ---- compiled, and damaged ------------------------------------------------------------------- */

static void
compile_to(struct mr_buf *bytes, const char *text, enum mr_table_kind kind)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	size_t n = 0;

	mr_buf_init(bytes, 1 << 20);
	if (mr_table_compile(fd, mr_str(text), "test", kind, &n, NULL) || n == 0
	    || lseek(fd, 0, SEEK_SET) < 0 || mr_io_read_all(fd, bytes, NULL)) {
		puts("Bail out! cannot compile");
		exit(1);
	}
	close(fd);
}

static void
test_kinds(void)
{
	static const struct {
		enum mr_table_kind is, want;
		enum mr_status st;
	} cases[] = {
		{ MR_TABLE_MAP, MR_TABLE_MAP, MR_OK },
		{ MR_TABLE_MAP, MR_TABLE_ANY, MR_OK },
		{ MR_TABLE_MAP, MR_TABLE_ROUTES, MR_USAGE },
		{ MR_TABLE_ROUTES, MR_TABLE_ROUTES, MR_OK },
		{ MR_TABLE_ROUTES, MR_TABLE_ACCESS, MR_USAGE },
		{ MR_TABLE_ROUTES, MR_TABLE_MAP, MR_USAGE },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mr_err err = { "" };
		struct mr_table *t;
		struct mr_buf b;

		compile_to(&b, "a.org local\n", cases[i].is);
		ok(open_bytes(&t, mr_buf_str(&b), ".cdb", cases[i].want, &err) == cases[i].st,
		    "%s opened as %s %s", mr_table_kind_word(cases[i].is),
		    mr_table_kind_word(cases[i].want), err.text);
		ok(!t || mr_table_kind_of(t) == cases[i].is, "and is what it is");
		mr_table_close(t);
		mr_buf_free(&b);
	}
}

/* All lookups on what may be a damaged table; true if the walk over its entries ended. */
static bool
ask_all(struct mr_str bytes)
{
	static const char *const ips[] = { "10.1.2.3", "2001:db8::1" };
	struct mr_str key, value;
	struct mr_table *t;
	uint32_t pos = 0;
	size_t n = 0, found = 0;

	if (open_bytes(&t, bytes, ".cdb", MR_TABLE_ANY, NULL))
		return true;
	for (size_t i = 0; i < 2; i++) {
		struct mr_net net;
		struct mr_ip ip;

		mr_ip_parse(&ip, mr_str(ips[i]));
		mr_table_get_ip(t, &ip, &net, &value);
	}
	mr_table_get_mailbox(t, MR_STR("bob@example.org"), &value);
	mr_table_get_domain(t, MR_STR("a.example.org"), &key, &value);
	mr_table_get_default(t, &value);
	while (mr_table_next(t, &pos, &key, &value) == MR_OK && n < bytes.n) {
		/* Looks at every byte: a view that is not in the map would be seen. */
		if (mr_str_chr(key, '\n') >= 0 || mr_str_chr(value, '\n') >= 0)
			found++;
		n++;
	}
	mr_table_close(t);
	return n < bytes.n && found <= n;
}

static void
test_damage(void)
{
	static const unsigned char into[] = { 0x00, 0xff, 0x7f, 0x80 };
	bool ended = true;
	struct mr_err err;
	struct mr_table *t;
	struct mr_buf b;

	compile_to(&b,
	    "permit 10.0.0.0/8 a\nforbid 2001:db8::/32\nforbid bob@example.org\n"
	    "permit .example.org\n",
	    MR_TABLE_ACCESS);
	for (size_t n = 0; n < b.n; n += n < 2048 ? 64 : 1)
		ended &= ask_all((struct mr_str){ b.p, n });
	ok(ended, "cut short anywhere: no crash, no endless walk");
	ok(open_bytes(&t, (struct mr_str){ b.p, b.n - 1 }, ".cdb", MR_TABLE_ACCESS, &err)
	        != MR_USAGE,
	    "cut short is no matter of usage");
	mr_table_close(t);
	for (size_t i = 0; i < b.n; i++)
		for (size_t k = 0; k < sizeof into; k++) {
			char was = b.p[i];

			b.p[i] = (char)into[k];
			ended &= ask_all(mr_buf_str(&b));
			b.p[i] = was;
		}
	ok(ended, "any byte changed: no crash, no endless walk");
	mr_buf_free(&b);
}

int
main(void)
{
	test_keys();
	test_lines();
	test_limits();
	test_lookups();
	test_long_line();
	test_kinds();
	test_damage();
	return done_testing();
}
