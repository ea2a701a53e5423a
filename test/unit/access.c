#include "check/access.h"

#include "../open_table.h"
#include "../tap.h"

#include <string.h>

/* What is asked in most tests: of the entries "X for the address", "bob@example.org", and
 * "example.org", each is absent (-), permitted (p), forbidden (f), or both (b). */
static const char states[] = "-pfb";

/* The answers for all 64 tables: a line an IP state and mailbox state, a letter a domain state. */
static const struct {
	char ip, mailbox;
	const char *proven, *unproven; /* with and without SPF pass; the second under -s */
} want[] = {
	{ '-', '-', "-pfp", "--f-" },
	{ '-', 'p', "pppp", "--f-" },
	{ '-', 'f', "ffff", "ffff" },
	{ '-', 'b', "pppp", "--f-" },
	{ 'p', '-', "ppfp", "ppfp" },
	{ 'p', 'p', "pppp", "ppfp" },
	{ 'p', 'f', "ffff", "ffff" },
	{ 'p', 'b', "pppp", "ppfp" },
	{ 'f', '-', "ffff", "ffff" },
	{ 'f', 'p', "ffff", "ffff" },
	{ 'f', 'f', "ffff", "ffff" },
	{ 'f', 'b', "ffff", "ffff" },
	{ 'b', '-', "ppfp", "ppfp" },
	{ 'b', 'p', "pppp", "ppfp" },
	{ 'b', 'f', "ffff", "ffff" },
	{ 'b', 'b', "pppp", "ppfp" },
};

static void
add_entry(struct mr_buf *text, char state, const char *key)
{
	if (state == 'f' || state == 'b')
		mr_buf_addf(text, "forbid %s\n", key);
	if (state == 'p' || state == 'b')
		mr_buf_addf(text, "permit %s\n", key);
}

static struct mr_access
judge(const struct mr_table *t, struct mr_arena *arena, const char *ip_text, const char *sender,
    bool is_proven)
{
	struct mr_access_query q = { .sender = mr_str(sender), .sender_is_proven = is_proven };
	struct mr_err err = { "" };
	struct mr_access a;
	struct mr_ip ip;

	if (ip_text && mr_ip_parse(&ip, mr_str(ip_text)) == MR_OK)
		q.ip = &ip;
	if (mr_access_judge(t, &q, arena, &a, &err)) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
	return a;
}

static char
letter(const struct mr_access *a)
{
	return a->verdict == MR_ACCESS_FORBID ? 'f' : a->verdict == MR_ACCESS_PERMIT ? 'p' : '-';
}

static void
test_all(const char *client, const char *net)
{
	for (size_t row = 0; row < sizeof want / sizeof *want; row++)
		for (size_t d = 0; d < 4; d++) {
			struct mr_arena arena;
			struct mr_access yes, no;
			struct mr_table *t;
			struct mr_buf text;

			mr_arena_init(&arena, 65536);
			mr_buf_init(&text, 65536);
			add_entry(&text, want[row].ip, net);
			add_entry(&text, want[row].mailbox, "bob@example.org");
			add_entry(&text, states[d], "example.org");
			mr_buf_addc(&text, '\0');
			t = open_text(text.p, MR_TABLE_ACCESS);
			yes = judge(t, &arena, client, "Bob@Example.org", true);
			no = judge(t, &arena, client, "Bob@Example.org", false);
			ok(letter(&yes) == want[row].proven[d]
			        && letter(&no) == want[row].unproven[d],
			    "%s: ip %c, mailbox %c, domain %c: %c, without SPF pass %c", client,
			    want[row].ip, want[row].mailbox, states[d], letter(&yes), letter(&no));
			mr_table_close(t);
			mr_buf_free(&text);
			mr_arena_free(&arena);
		}
}

static const char table[] = "forbid 10.0.0.0/8 the whole\n"
                            "permit 10.1.0.0/16\n"
                            "forbid 10.1.2.3\n"
                            "permit 2001:db8::/32\n"
                            "forbid 2001:db8::bad\n"
                            "permit 192.0.2.0/255.255.255.0\n"
                            "forbid example.org\n"
                            "permit .example.org subs\n"
                            "forbid .bad.example.org\n"
                            "permit good.bad.example.org\n"
                            "permit alice@example.org\n"
                            "forbid \"quoted\"@good.bad.example.org\n"
                            "forbid \"john doe\"@example.com\n"
                            "forbid [192.0.2.99]\n";

static const struct {
	const char *client, *sender;
	char want;
	enum mr_access_by by;
	const char *key;
} cases[] = {
	{ "10.9.9.9", "", 'f', MR_ACCESS_BY_IP, "10.0.0.0/8" },
	{ "10.1.9.9", "", 'p', MR_ACCESS_BY_IP, "10.1.0.0/16" },
	{ "10.1.2.3", "", 'f', MR_ACCESS_BY_IP, "10.1.2.3" },
	{ "::ffff:10.1.2.3", "", 'f', MR_ACCESS_BY_IP, "10.1.2.3" },
	{ "10.1.2.3", "alice@example.org", 'f', MR_ACCESS_BY_IP, "10.1.2.3" },
	{ "2001:db8::1", "", 'p', MR_ACCESS_BY_IP, "2001:db8::/32" },
	{ "2001:db8::bad", "", 'f', MR_ACCESS_BY_IP, "2001:db8::bad" },
	{ "192.0.2.7", "", 'p', MR_ACCESS_BY_IP, "192.0.2.0/24" },
	{ "192.0.2.7", "bob@example.org", 'f', MR_ACCESS_BY_DOMAIN, "example.org" },
	{ NULL, "", '-', MR_ACCESS_BY_NOTHING, "" },
	{ NULL, "bob@example.org", 'f', MR_ACCESS_BY_DOMAIN, "example.org" },
	{ NULL, "bob@EXAMPLE.ORG", 'f', MR_ACCESS_BY_DOMAIN, "example.org" },
	{ NULL, "alice@example.org", 'p', MR_ACCESS_BY_MAILBOX, "alice@example.org" },
	{ NULL, "ALICE@example.org", 'p', MR_ACCESS_BY_MAILBOX, "ALICE@example.org" },
	{ NULL, "\"alice\"@example.org", 'p', MR_ACCESS_BY_MAILBOX, "alice@example.org" },
	{ NULL, "bob@sub.example.org", 'p', MR_ACCESS_BY_DOMAIN, ".example.org" },
	{ NULL, "bob@bad.example.org", 'p', MR_ACCESS_BY_DOMAIN, ".example.org" },
	{ NULL, "bob@x.bad.example.org", 'f', MR_ACCESS_BY_DOMAIN, ".bad.example.org" },
	{ NULL, "bob@good.bad.example.org", 'p', MR_ACCESS_BY_DOMAIN, "good.bad.example.org" },
	{ NULL, "quoted@good.bad.example.org", 'f', MR_ACCESS_BY_MAILBOX,
	    "quoted@good.bad.example.org" },
	{ NULL, "bob@notexample.org", '-', MR_ACCESS_BY_NOTHING, "" },
	{ NULL, "\"john doe\"@example.com", 'f', MR_ACCESS_BY_MAILBOX, "\"john doe\"@example.com" },
	/* Postfix's policy protocol leaves the quotes out. */
	{ NULL, "john doe@example.com", 'f', MR_ACCESS_BY_MAILBOX, "\"john doe\"@example.com" },
	{ NULL, "a@b@example.org", 'f', MR_ACCESS_BY_DOMAIN, "example.org" },
	{ NULL, "a\"b\\@example.org", 'f', MR_ACCESS_BY_DOMAIN, "example.org" },
	{ NULL, "x@[192.0.2.99]", 'f', MR_ACCESS_BY_DOMAIN, "[192.0.2.99]" },
	/* No address at all: no opinion. */
	{ NULL, "example.org", '-', MR_ACCESS_BY_NOTHING, "" },
	{ NULL, "@", '-', MR_ACCESS_BY_NOTHING, "" },
	{ NULL, "bob@", '-', MR_ACCESS_BY_NOTHING, "" },
	{ NULL, "bob@.example.org", '-', MR_ACCESS_BY_NOTHING, "" },
	{ NULL, "bob@example.org.", '-', MR_ACCESS_BY_NOTHING, "" },
	{ NULL, "\"", '-', MR_ACCESS_BY_NOTHING, "" },
	{ NULL, "\x80\xff@example.org", '-', MR_ACCESS_BY_NOTHING, "" },
	{ NULL, "MAILER-DAEMON", '-', MR_ACCESS_BY_NOTHING, "" },
};

static void
test_cases(void)
{
	struct mr_table *t = open_text(table, MR_TABLE_ACCESS);
	static char longest[3000];
	struct mr_arena arena;
	struct mr_access a;

	mr_arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		a = judge(t, &arena, cases[i].client, cases[i].sender, true);
		ok(letter(&a) == cases[i].want && a.by == cases[i].by, "client %s, sender <%s>: %c",
		    cases[i].client ? cases[i].client : "none", cases[i].sender, letter(&a));
		is(a.key.p ? a.key : MR_STR(""), cases[i].key, "by the entry");
	}
	memset(longest, '"', sizeof longest - 1);
	memcpy(longest + sizeof longest - 1 - 12, "@example.org", 12);
	a = judge(t, &arena, NULL, longest, true);
	ok(a.verdict == MR_ACCESS_NONE, "a sender that is too long has no opinion");
	a = judge(t, &arena, "10.9.9.9", "", true);
	is(a.comment, "the whole", "the comment of the entry");
	a = judge(t, &arena, NULL, "bob@sub.example.org", false);
	is(a.unproven, ".example.org", "a permit that does not count is told");
	mr_arena_free(&arena);
	mr_table_close(t);
}

static void
test_trust(void)
{
	static const struct {
		const char *text, *key; /* key NULL: fine */
	} v[] = {
		{ "permit 10.0.0.0/8\npermit ::1\n", NULL },
		{ "forbid 0.0.0.0/0\npermit 10.0.0.0/8\n", NULL },
		{ "permit 0.0.0.0/0\n", "0.0.0.0/0" },
		{ "permit ::/0\n", "::/0" },
		{ "forbid ::/0\npermit ::/0\n", "::/0" },
		{ "permit ::ffff:0:0/96\n", "0.0.0.0/0" },
		{ "permit 0.0.0.0/0.0.0.0\n", "0.0.0.0/0" },
	};

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct mr_table *t = open_text(v[i].text, MR_TABLE_ACCESS);
		struct mr_str key;
		bool trusts_all;

		ok(mr_access_trusts_all(t, &trusts_all, &key) == MR_OK
		        && trusts_all == (v[i].key != NULL),
		    "%s everybody", v[i].key ? "trusts" : "does not trust");
		if (trusts_all)
			is(key, v[i].key, "by the entry");
		mr_table_close(t);
	}
}

int
main(void)
{
	test_all("192.0.2.1", "192.0.2.1");
	test_all("192.0.2.1", "192.0.2.0/24");
	test_all("2001:db8::1", "2001:db8::1");
	test_all("2001:db8::1", "2001:db8::/32");
	test_cases();
	test_trust();
	return done_testing();
}
