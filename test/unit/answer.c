/* answer.c - lib/mail/answer. */
#include "mail/answer.h"

#include "../tap.h"

#include <stdlib.h>

static struct mr_arena arena;
static struct mr_buf out;
static struct mr_err err;
static struct mr_answer a;

static struct mr_str
written(void)
{
	mr_buf_clear(&out);
	mr_answer_write(&a, &out);
	return mr_buf_str(&out);
}

static struct mr_str
policy(void)
{
	mr_buf_clear(&out);
	mr_answer_to_policy(&a, &out);
	return mr_buf_str(&out);
}

static enum mr_status
parse(enum mr_verdict verdict, const char *text)
{
	mr_answer_init(&a, &arena);
	return mr_answer_parse(&a, verdict, mr_str(text), &err);
}

static void
says(void)
{
	char big[MR_REPLY_MAX + 10];

	mr_answer_init(&a, &arena);
	is(written(), "action=DUNNO\n\n", "a fresh one objects to nothing");
	mr_answer_say(&a, MR_REFUSE, "5.7.1 %s", "Forbidden\r\n250 Ok\xc3\xbc");
	is(a.text, "5.7.1 Forbidden??250 Ok??", "what may not stand in a reply becomes ?");
	is(written(), "action=REJECT 5.7.1 Forbidden??250 Ok??\n\n", "refused");
	a.hang_up = true;
	is(written(), "action=521 5.7.1 Forbidden??250 Ok??\n\n", "and hung up");
	mr_answer_say(&a, MR_DEFER, "4.7.1 Later");
	is(policy(), "421 4.7.1 Later", "the same to Postfix");
	a.hang_up = false;
	is(policy(), "DEFER_IF_PERMIT 4.7.1 Later", "later");
	is(written(), "action=DEFER 4.7.1 Later\n\n", "in our words");
	mr_answer_say(&a, MR_MEMBER, "x");
	is(policy(), "DUNNO", "a member is no action");

	memset(big, 'x', sizeof big);
	big[sizeof big - 1] = '\0';
	mr_answer_say(&a, MR_DEFER, "%s", big);
	ok(a.text.n == MR_REPLY_MAX, "cut at MR_REPLY_MAX");
	memset(big + 3, ' ', sizeof big - 5);
	mr_answer_init(&a, &arena);
	ok(mr_answer_from_policy(&a, mr_arena_fmt(&arena, "DEFER %s", big), &err) == MR_OK
	        && mr_str_is(a.text, "xxx"),
	    "without the blanks that the cut lays bare");

	mr_answer_init(&a, &arena);
	a.headers = MR_STR("A: b\r\n c\r\nD: e\r\n");
	is(policy(), "PREPEND A: b c", "the first field on one line");
	a.headers = MR_STR("A: b\n\n");
	is(policy(), "PREPEND A: b", "with LF");
	ok(mr_answer_add_ar(&a, MR_STR("spf=pass\nx"), &err) == MR_PERM && a.ar.n == 0,
	    "no LF in a result");
}

static void
reads(void)
{
	char text[] = "action=REJECT 5.7.1 No\r\nar=spf=fail\nspf_result=fail\nar=dkim=none\n\n"
	              "X-A: b\n c\n";

	mr_answer_init(&a, &arena);
	ok(mr_answer_parse(&a, MR_REFUSE, mr_str(text), &err) == MR_OK, "an answer");
	memset(text, '!', sizeof text); /* nothing of it may be looked at again */
	is(written(),
	    "action=REJECT 5.7.1 No\nar=spf=fail\nar=dkim=none\nspf_result=fail\n\nX-A: b\n c\n",
	    "copied, and the same when written");
	ok(parse(MR_DUNNO, "") == MR_OK && a.verdict == MR_DUNNO, "nothing is an answer");
	ok(parse(MR_MEMBER, "action=DUNNO\n") == MR_OK && a.verdict == MR_MEMBER, "member");
	ok(parse(MR_MEMBER, "action=OK\n") == MR_OK, "OK is a member");
	ok(parse(MR_DEFER, "action=421 4.3.0 Bye") == MR_OK && a.hang_up, "421, no line end");
	ok(parse(MR_REFUSE, "action=550 5.1.1 No such user\n") == MR_OK && !a.hang_up, "a code");
	ok(parse(MR_REFUSE, "action=reject\n") == MR_OK && !a.text.p, "case; no words");
	ok(parse(MR_REFUSE, "x=1\n") == MR_OK && !a.text.p, "no action");
}

static void
refuses(void)
{
	static const struct {
		enum mr_verdict verdict;
		const char *text;
	} t[] = { { MR_DUNNO, "action=REJECT 5.7.1 x\n" }, { MR_REFUSE, "action=DUNNO\n" },
		{ MR_REFUSE, "action=DEFER x\n" }, { MR_DEFER, "action=REJECT x\n" },
		{ MR_DEFER, "action=550 x\n" }, { MR_DUNNO, "action=OK\n" },
		{ MR_MEMBER, "action=421 x\n" }, { MR_DUNNO, "action=HOLD\n" },
		{ MR_DUNNO, "action=\n" }, { MR_DUNNO, "action=PREPEND A: b\n" },
		{ MR_REFUSE, "action=REJECT 5.7.1 x\nword\n" }, { MR_DUNNO, "=x\n" },
		{ MR_DUNNO, "A=x\n" }, { MR_DUNNO, "sender=x@y\n" },
		{ MR_DUNNO, "sasl_username=x\n" }, { MR_DUNNO, "class=trusted\n" },
		{ MR_DUNNO, "recipient=x\n" }, { MR_DUNNO, "dsn_ret=x\n" },
		{ MR_DUNNO, "client_address=127.0.0.1\n" }, { MR_DUNNO, "x=1\ry\n" },
		{ MR_DUNNO, "ar=1\ry\n" }, { MR_REFUSE, "\nword\n" },
		{ MR_REFUSE, "action=REJECT x\n\nA: b" }, { MR_DUNNO, "\n\nA: b\n" },
		{ MR_DUNNO, "\nA: b\n\n" }, { MR_DUNNO, "\nA: b\rc\n" }, { MR_DUNNO, "\n b\n" } };

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		ok(parse(t[i].verdict, t[i].text) == MR_PERM, "refused: %s", err.text);
		ok(a.verdict == t[i].verdict && !a.text.p && !a.headers.p && !a.ar.n && !a.attrs.n
		        && !a.hang_up && a.arena == &arena,
		    "what is left is safe");
	}
	mr_answer_init(&a, &arena);
	ok(mr_answer_parse(&a, MR_DUNNO, MR_STR("x=\0\n"), &err) == MR_PERM, "NUL");
	ok(mr_answer_parse(&a, MR_DUNNO, MR_STR("\nA: \0\n"), &err) == MR_PERM, "NUL in a field");
	ok(mr_answer_parse(&a, MR_REFUSE, MR_STR("action=REJECT a\0b\n"), &err) == MR_OK,
	    "in words");
	is(a.text, "a?b", "is no NUL any more");
}

static void
policies(void)
{
	static const struct {
		const char *action;
		enum mr_verdict verdict;
		const char *text;
	} t[] = { { "DUNNO", MR_DUNNO, NULL }, { "ok", MR_MEMBER, NULL },
		{ "Permit", MR_MEMBER, NULL }, { "REJECT", MR_REFUSE, NULL },
		{ "REJECT  a  b ", MR_REFUSE, "a  b" }, { "DEFER 4.1.1 x", MR_DEFER, "4.1.1 x" },
		{ "DEFER_IF_PERMIT x", MR_DEFER, "x" }, { "DEFER_IF_REJECT x", MR_DEFER, "x" },
		{ "450 x", MR_DEFER, "x" }, { "599 x", MR_REFUSE, "x" },
		{ "PREPEND A: b", MR_DUNNO, NULL } };
	static const char *const bad[] = { "", " ", "HOLD", "FILTER x:y", "REJECTED x", "250 x",
		"45 x", "4500 x", "4.1 x", "45a x", "DISCARD", "PREPEND", "PREPEND x",
		"PREPEND A: b\rc", "PREPEND : b" };

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		mr_answer_init(&a, &arena);
		ok(mr_answer_from_policy(&a, mr_str(t[i].action), &err) == MR_OK
		        && a.verdict == t[i].verdict && !a.hang_up,
		    "%s", t[i].action);
		is(a.text, t[i].text, "its words");
	}
	is(a.headers, "A: b\n", "the field");
	ok(mr_answer_from_policy(&a, MR_STR("521 x"), &err) == MR_OK && a.hang_up, "521 hangs up");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		mr_answer_init(&a, &arena);
		ok(mr_answer_from_policy(&a, mr_str(bad[i]), &err) == MR_PERM && !a.text.p
		        && !a.headers.p && a.verdict == MR_DUNNO,
		    "refused: %s", err.text);
	}
	ok(mr_answer_from_policy(&a, MR_STR("PREPEND A: b\0c"), &err) == MR_PERM, "NUL in a field");
	ok(mr_answer_from_policy(&a, MR_STR("PREPEND A: b\nC: d"), &err) == MR_PERM,
	    "LF in a field");
}

static void
limits(void)
{
	char *big = malloc(MR_ANSWER_MAX + 2);
	struct mr_arena small;
	size_t fails = 0;
	enum mr_status st = MR_TEMP;

	memset(big, 'a', MR_ANSWER_MAX + 1);
	memcpy(big, "\nA: ", 4);
	big[MR_ANSWER_MAX - 1] = '\n';
	big[MR_ANSWER_MAX] = '\0';
	ok(parse(MR_DUNNO, big) == MR_OK, "the largest answer");
	memcpy(big + MR_ANSWER_MAX - 1, "a\n", 3);
	ok(parse(MR_DUNNO, big) == MR_PERM && !a.headers.p, "one byte more: %s", err.text);
	free(big);

	for (size_t max = 0; max < 8192 && st; max += 16) {
		mr_arena_init(&small, max);
		mr_answer_init(&a, &small);
		st = mr_answer_parse(
		    &a, MR_DUNNO, MR_STR("ar=spf=pass\nspf_result=pass\n\nA: b\n"), &err);
		fails += st == MR_TEMP && !a.headers.p;
		mr_arena_free(&small);
	}
	ok(st == MR_OK && fails > 5, "no memory is temporary: %zu steps", fails);
	mr_arena_init(&small, 0);
	mr_answer_init(&a, &small);
	mr_answer_say(&a, MR_REFUSE, "5.7.1 x");
	ok(a.verdict == MR_REFUSE && !a.text.p, "without memory the verdict stands");
}

int
main(void)
{
	mr_arena_init(&arena, 1 << 20);
	mr_buf_init(&out, MR_ANSWER_MAX);
	says();
	reads();
	refuses();
	policies();
	limits();
	ok(mr_answer_is_free_name(MR_STR("spf_result"))
	        && mr_answer_is_free_name(MR_STR("greylist_class"))
	        && !mr_answer_is_free_name(MR_STR("client_")),
	    "free names");
	mr_arena_free(&arena);
	mr_buf_free(&out);
	return done_testing();
}
