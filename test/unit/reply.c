/* Replies of an SMTP server as the client reads them. */
#include "smtp/reply.h"

#include "../tap.h"
#include "base/clock.h"

#include <stdlib.h>
#include <unistd.h>

/* Lines of `text` are added until one is the last or wrong. */
static enum mr_status
add_all(struct mr_reply *r, const char *text)
{
	struct mr_str rest = mr_str(text), line;
	enum mr_status st = MR_NOTFOUND;

	r->code = 0;
	while (st == MR_NOTFOUND && mr_str_split(&rest, '\n', &line))
		st = mr_reply_add(r, line, NULL, NULL);
	return st;
}

static void
good_replies(void)
{
	static const struct {
		const char *in, *status, *text;
		unsigned code;
	} t[] = {
		{ "250 ok\r", "", "250 ok", 250 },
		{ "250 ok", "", "250 ok", 250 },
		{ "250\r", "", "250", 250 },
		{ "250 \r", "", "250", 250 },
		{ "354 End data with <CR><LF>.<CR><LF>\r", "",
		    "354 End data with <CR><LF>.<CR><LF>", 354 },
		{ "550 5.1.1 No such user\r", "5.1.1", "550 5.1.1 No such user", 550 },
		{ "550-5.1.1 No such\r\n550 5.1.1 user\r", "5.1.1", "550 5.1.1 No such user", 550 },
		{ "550-No such\r\n550 5.1.1 user\r", "5.1.1", "550 No such 5.1.1 user", 550 },
		{ "451-\r\n451-\r\n451 later\r", "", "451 later", 451 },
		{ "550 5.1.1\r", "5.1.1", "550 5.1.1", 550 },
		{ "550 5.123.999 x\r", "5.123.999", "550 5.123.999 x", 550 },
		/* not enhanced codes: other class, too long, no detail, glued to a word */
		{ "550 4.1.1 x\r", "", "550 4.1.1 x", 550 },
		{ "250 5.1.1 x\r", "", "250 5.1.1 x", 250 },
		{ "550 5.1234.1 x\r", "", "550 5.1234.1 x", 550 },
		{ "550 5.1.1234\r", "", "550 5.1.1234", 550 },
		{ "550 5.1 x\r", "", "550 5.1 x", 550 },
		{ "550 5.1.1: x\r", "", "550 5.1.1: x", 550 },
		{ "550 5..1 x\r", "", "550 5..1 x", 550 },
		/* made safe */
		{ "550 a\tb\033[2Jc\177\r", "", "550 a?b?[2Jc?", 550 },
		{ "550 caf\303\251\r", "", "550 caf??", 550 },
		{ "550 a\rb\r", "", "550 a?b", 550 },
	};

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct mr_reply r;

		ok(add_all(&r, t[i].in) == MR_OK && r.code == t[i].code, "%s: code %u", t[i].text,
		    t[i].code);
		is(mr_str(r.status), t[i].status, "its enhanced code");
		is(mr_reply_text(&r), t[i].text, "its words");
		ok(mr_reply_class(&r) == t[i].code / 100, "its class");
	}
}

static void
bad_replies(void)
{
	static const char *const t[] = { "", "\r", "25", "25 ok", "2500 ok", "abc ok", "199 x",
		"600 x", "000 x", "250_ok", "250\tok", " 250 ok", "-50 x", "250-a\n251 b",
		"250-a\nb", "250-a\n\r", "HTTP/1.1 400 Bad Request\r" };

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct mr_reply r;

		ok(add_all(&r, t[i]) == MR_PERM, "no reply: '%.*s'", (int)strcspn(t[i], "\r\n"),
		    t[i]);
	}
}

static void
limits(void)
{
	enum mr_status st = MR_NOTFOUND;
	struct mr_reply r = { .code = 0 };
	char line[MR_REPLY_TEXT_MAX + 500];
	unsigned n;

	for (n = 0; st == MR_NOTFOUND && n < 2 * MR_REPLY_LINES_MAX; n++)
		st = mr_reply_add(&r, MR_STR("250-x"), NULL, NULL);
	ok(st == MR_PERM && n == MR_REPLY_LINES_MAX + 1, "line %u of a reply is one too many", n);
	r.code = 0;
	for (n = 1, st = MR_NOTFOUND; st == MR_NOTFOUND && n < MR_REPLY_LINES_MAX; n++)
		st = mr_reply_add(&r, MR_STR("250-x"), NULL, NULL);
	ok(mr_reply_add(&r, MR_STR("250 x"), NULL, NULL) == MR_OK && r.line_n == MR_REPLY_LINES_MAX,
	    "%u lines are not", MR_REPLY_LINES_MAX);
	memset(line, 'x', sizeof line);
	memcpy(line, "550 ", 4);
	r.code = 0;
	ok(mr_reply_add(&r, (struct mr_str){ line, sizeof line }, NULL, NULL) == MR_OK
	        && r.text_n == MR_REPLY_TEXT_MAX,
	    "a long text is cut at %u bytes", MR_REPLY_TEXT_MAX);
}

static char seen[256];

static void
each(void *ctx, unsigned line, struct mr_str words)
{
	size_t n = strlen(seen);

	snprintf(seen + n, sizeof seen - n, "%s%u:%.*s;", (const char *)ctx, line, (int)words.n,
	    words.p);
}

/* What the reader makes of bytes that come and then end. */
static enum mr_status
read_of(struct mr_reply *reply, const char *bytes, size_t n, bool is_open, struct mr_err *err)
{
	struct mr_reader r;
	enum mr_status st;
	char ctx[] = "#";
	int p[2];

	if (pipe(p) || write(p[1], bytes, n) != (ssize_t)n
	    || mr_reader_init(&r, p[0], MR_REPLY_LINE_MAX, NULL))
		exit(99);
	if (!is_open)
		close(p[1]);
	seen[0] = '\0';
	st = mr_reply_read(
	    reply, &r, is_open ? mr_clock_mono_ms() + 50 : MR_NO_DEADLINE, each, ctx, err);
	if (is_open)
		close(p[1]);
	mr_reader_free(&r);
	close(p[0]);
	return st;
}

#define READ(text, is_open) read_of(&r, text, sizeof text - 1, is_open, &err)

int
main(void)
{
	static char endless[MR_REPLY_LINE_MAX + 1];
	struct mr_reply r;
	struct mr_err err;

	good_replies();
	bad_replies();
	limits();

	ok(READ("250-a.example\r\n250-SIZE 1000\r\n250 8BITMIME\r\n220 next", false) == MR_OK,
	    "a reply is read to its end and no further");
	is(mr_str(seen), "#1:a.example;#2:SIZE 1000;#3:8BITMIME;",
	    "each line's words are handed out");
	ok(READ("250 lf only\n", false) == MR_OK, "a line that ends in LF alone is a line");
	ok(READ("", false) == MR_NOTFOUND, "closed without a reply");
	is(mr_str(err.text), "connection closed", "the reason says so");
	ok(READ("250-a\r\n", false) == MR_NOTFOUND, "closed within a reply");
	ok(READ("250 ok", false) == MR_NOTFOUND, "a line that was cut is no answer");
	ok(READ("250-a\r\n", true) == MR_TEMP, "the deadline passes within a reply");
	ok(READ("SSH-2.0-OpenSSH_9\r\n", false) == MR_PERM, "another protocol");
	memset(endless, '2', sizeof endless);
	ok(read_of(&r, endless, sizeof endless, false, &err) == MR_PERM, "a line without an end");
	return done_testing();
}
