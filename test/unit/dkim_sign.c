/* dkim_sign.c - lib/check/dkim_sign: what is signed, what is refused, each limit. */
#include "check/dkim_sign.h"

#include "../tap.h"
#include "base/child.h"

#include <stdlib.h>
#include <unistd.h>

#define NOW_S 1700000000

static struct mr_err err;
static struct mr_pkey *key;

/* Signs `message` by two signers (relaxed/relaxed; simple/simple with x=); *fields is in the arena. */
static enum mr_status
sign(struct mr_arena *arena, struct mr_str message, struct mr_str *fields)
{
	const struct mr_dkim_signer signer[] = {
		{ MR_STR("example.org"), MR_STR("s1"), key, MR_DKIM_RELAXED, MR_DKIM_RELAXED, 0 },
		{ MR_STR("example.org"), MR_STR("s2"), key, MR_DKIM_SIMPLE, MR_DKIM_SIMPLE, 100 },
	};
	int fd = mr_child_memfile(message);
	struct mr_dkim_draft *draft;
	enum mr_status st = mr_dkim_draft_begin(&draft, arena, fd, &err);

	*fields = (struct mr_str){ NULL, 0 };
	if (st == MR_OK)
		st = mr_dkim_draft_sign(draft, signer, 2, NOW_S, fields, &err);
	mr_dkim_draft_end(draft);
	close(fd);
	return st;
}

/* Without the folding, and what stands behind b=. */
static struct mr_str
unfolded(struct mr_arena *arena, struct mr_str s)
{
	struct mr_buf b;
	struct mr_str out;

	mr_buf_init(&b, 65536);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\t')
			continue;
		mr_buf_addc(&b, s.p[i]);
	}
	out = mr_arena_dup(arena, mr_buf_str(&b));
	mr_buf_free(&b);
	return out;
}

static void
lists(void)
{
	static const char message[] =
	    "Received: x\nTo: b@example.net\nFrom: a@example.org\nDKIM-Signature: z\n"
	    "X-Other: y\nsubject: one\nSubject : two\nList-Id: l\n\nHello\n";
	struct mr_arena arena;
	struct mr_str fields, text;
	size_t lines = 0;
	bool is_short = true;

	mr_arena_init(&arena, 4 << 20);
	ok(sign(&arena, mr_str(message), &fields) == MR_OK, "two signatures");
	text = unfolded(&arena, fields);
	ok(text.p
	        && strstr(text.p,
	            "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; "
	            "d=example.org;s=s1; t=1700000000;h=From:From:To:To:Cc:Subject:"
	            "Subject:Subject:Date:Reply-To: MIME-Version:Content-Type:"),
	    "what is there, and once more; nothing else: %s", text.p);
	ok(strstr(text.p, "Content-Transfer-Encoding:List-Id;bh="), "not oversigned: List-Id");
	ok(strstr(text.p, "c=simple/simple; d=example.org; s=s2;t=1700000000; x=1700000100;h="),
	    "x=, the other form");
	ok(!strstr(text.p, "l=") && !strstr(text.p, "z="), "neither l= nor z=");
	for (struct mr_str rest = fields, line; mr_str_split(&rest, '\n', &line) && rest.p; lines++)
		is_short &= line.n <= 79 && line.p[line.n - 1] == '\r';
	ok(is_short && lines > 8, "lines of at most 78 characters, with CRLF");
	mr_arena_free(&arena);
}

static void
same(void)
{
	struct mr_arena arena;
	struct mr_str lf, crlf, none;

	mr_arena_init(&arena, 4 << 20);
	ok(sign(&arena, MR_STR("From: a@b\nSubject: x\n y\n\nHello\n"), &lf) == MR_OK
	        && sign(&arena, MR_STR("From: a@b\r\nSubject: x\r\n y\r\n\r\nHello\r\n"), &crlf)
	            == MR_OK
	        && mr_str_eq(lf, crlf),
	    "LF and CRLF: the same signatures");
	ok(sign(&arena, MR_STR("From: a@b\nSubject: x\n y\n\nHello"), &none) == MR_OK
	        && mr_str_eq(lf, none),
	    "no line end at the end: the same");
	ok(sign(&arena, MR_STR("From: a@b\n\n"), &lf) == MR_OK
	        && sign(&arena, MR_STR("From: a@b\n"), &none) == MR_OK && mr_str_eq(lf, none),
	    "no body, and not even an empty line");
	mr_arena_free(&arena);
}

/* A message that cannot be signed. */
static void
refuses(struct mr_str message, const char *why)
{
	struct mr_arena arena;
	struct mr_str fields;

	mr_arena_init(&arena, 8 << 20);
	ok(sign(&arena, message, &fields) == MR_PERM && !fields.p, "refused: %s", why);
	is(mr_str(err.text), why, "and why");
	mr_arena_free(&arena);
}

/* `n` fields of a name behind From, the value of the last `len` octets long. */
static struct mr_str
with(struct mr_buf *b, const char *name, unsigned n, size_t len)
{
	mr_buf_clear(b);
	mr_buf_adds(b, "From: a@b\n");
	for (unsigned i = 0; i < n; i++)
		mr_buf_addf(b, "%s:%*s\n", name, (int)len, "x");
	mr_buf_adds(b, "\nHello\n");
	return mr_buf_str(b);
}

static void
limits(void)
{
	struct mr_arena arena;
	struct mr_str fields;
	struct mr_buf b;

	mr_buf_init(&b, 4 << 20);
	mr_arena_init(&arena, 8 << 20);
	ok(sign(&arena, with(&b, "To", MR_DKIM_SIGN_REPEAT_MAX, 1), &fields) == MR_OK,
	    "as often as a field may be there");
	ok(sign(&arena, with(&b, "To", 1, MR_DKIM_SIGN_FIELD_MAX - 3), &fields) == MR_OK,
	    "the longest field");
	ok(sign(&arena, with(&b, "X-To", 1, MR_DKIM_SIGN_FIELD_MAX), &fields) == MR_OK,
	    "a longer one that is not signed");
	mr_arena_free(&arena);
	refuses(with(&b, "To", MR_DKIM_SIGN_REPEAT_MAX + 1, 1), "more than 10 fields To");
	refuses(with(&b, "To", 1, MR_DKIM_SIGN_FIELD_MAX - 2), "a field To of over 65536 octets");
	mr_buf_clear(&b);
	for (unsigned i = 0; i < 20; i++)
		mr_buf_addf(&b, "%s: %*s\n", i < 10 ? "To" : "Cc", 60000, "x");
	mr_buf_adds(&b, "From: a@b\n\n");
	refuses(mr_buf_str(&b), "a header of over 1048576 octets");
	mr_buf_free(&b);
}

int
main(void)
{
	if (mr_pkey_parse(&key, MR_STR("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="), &err))
		return 1;
	lists();
	same();
	refuses(MR_STR("Subject: x\n\nFrom: a@b\n"), "no From field");
	refuses(MR_STR(""), "no From field");
	refuses(MR_STR("From: a@b\nfrom : c@d\n\n"), "more than one From field");
	refuses(MR_STR("From: a@b\nno field\n\n"), "a line of the header is no field");
	refuses(MR_STR("From: a@b\rTo: c\n\n"), "a CR without LF");
	refuses(MR_STR("From: a@b\n\na\rb\n"), "a CR without LF");
	refuses(MR_STR("From a Mon\nFrom: a@b\n\n"), "it begins with the From line of a mailbox");
	limits();
	mr_pkey_free(key);
	return done_testing();
}
