/* mime.c - lib/mail/mime: where parts are found, in one piece and byte by byte. */
#include "mail/mime.h"

#include "../tap.h"

static struct mr_buf seen;  /* <path:number of fields>, bytes of bodies, | where all end */
static struct mr_buf files; /* {codec name:bytes} */

static void
part(void *ctx, const struct mr_mime_head *head)
{
	(void)ctx;
	mr_buf_addf(&seen, "<%.*s:%zu>", (int)head->path.n, head->path.p, head->n);
}

static void
body(void *ctx, struct mr_str bytes)
{
	(void)ctx;
	for (size_t i = 0; i < bytes.n; i++)
		if (bytes.p[i] != '\r' && bytes.p[i] != '\n')
			mr_buf_addc(&seen, bytes.p[i]);
}

static void
end(void *ctx)
{
	(void)ctx;
	mr_buf_adds(&seen, "|");
}

static void
file(void *ctx, enum mr_codec codec, struct mr_str name)
{
	(void)ctx;
	mr_buf_addf(&files, "{%d %.*s:", (int)codec, (int)name.n, name.p);
}

static void
file_body(void *ctx, enum mr_codec codec, struct mr_str bytes)
{
	(void)ctx;
	(void)codec;
	mr_buf_add(&files, bytes);
}

static void
file_end(void *ctx, enum mr_codec codec)
{
	(void)ctx;
	(void)codec;
	mr_buf_adds(&files, "}");
}

static void
limit(void *ctx, enum mr_mime_limit which)
{
	(void)ctx;
	mr_buf_addf(&seen, "!%d", (int)which);
}

static const struct mr_mime_ops ops = { part, body, end, file, file_body, file_end, limit };

static struct mr_str
read_as(struct mr_str text, size_t step, bool is_message)
{
	struct mr_mime *m = mr_mime_new(&ops, NULL, is_message, NULL, MR_STR(""), 0);

	mr_buf_clear(&seen);
	mr_buf_clear(&files);
	for (size_t i = 0; i < text.n; i += step)
		mr_mime_feed(
		    m, (struct mr_str){ text.p + i, text.n - i < step ? text.n - i : step });
	mr_mime_end(m);
	mr_buf_add(&seen, mr_buf_str(&files));
	return mr_buf_str(&seen);
}

#define CT "Content-Type: "
#define MP CT "multipart/mixed; boundary=b\n"

static void
messages(void)
{
	static const struct {
		const char *text, *want, *what;
	} t[] = {
		{ "", "|<:0>|", "nothing" },
		{ "A: b\n\nhi\n", "|<:0>hi|", "plain" },
		{ MP "\npre\n--b\n\none\n--b\n" CT "x\n\ntwo\n--b--\npost\n",
		    "|<:1>pre||<1:0>one||<2:1>two|post|", "parts" },
		{ MP "\n--b\n\none\n--b--\n--b\n\ntwo\n", "|<:1>||<1:0>one|||<2:0>two|",
		    "resumed behind the end" },
		{ MP "\n--b\n\none\n--b--\n--q\n" CT "x\n\ntwo\n--q--\n",
		    "|<:1>||<1:0>one|--q" CT "x|<1:1>two||", "a boundary nobody declared" },
		{ CT "text/plain\n" MP "\n--b\n\none\n", "|<:2>||<1:0>one|", "two types" },
		{ MP "\n--b \t\n\none\n", "|<:1>||<1:0>one|", "blanks behind a delimiter" },
		{ MP "\n--b\n" CT "x\njunk\nContent-Disposition: y\n\none\n",
		    "|<:1>||<1:1>junkContent-Disposition: y<1:2>one|", "junk among fields" },
		{ CT "x\rContent-Disposition: y\n\none\n", "|<:2>one|", "CR between fields" },
		{ CT "x\r\r\nContent-Disposition: y\r\r\n\r\r\none\r\r\n", "|<:2>one|",
		    "CR CR LF" },
		{ "From x\n" CT "x\n\none\n", "|<:0>From xContent-Type: x<:1>one|", "From_" },
		{ CT "message/rfc822\n\nTo: x\n" CT "y\n\none\n",
		    "|<:1>To: xContent-Type: y|<:1>one|", "a message within" },
		{ MP "\n--b\n" CT "multipart/x; boundary=bb\n\n--bb\n\none\n--b\n\ntwo\n",
		    "|<:1>||<1:1>||<1.1:0>one||<2:0>two|", "within each other" },
		{ "A: b\n\nbegin 644 a.exe\n#86%A\n`\nend\n",
		    "|<:0>begin 644 a.exe#86%A`end|{2 a.exe:aaa}", "uuencode" },
		{ "A: b\n\nbegin 644 times\nlearn it.\nend\n", "|<:0>begin 644 timeslearn it.end|",
		    "text that says begin" },
		{ "A: b\n\nbegin-base64 644 x\naGVs\n====\n",
		    "|<:0>begin-base64 644 xaGVs====|{0 x:hel}", "begin-base64" },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct mr_str got = read_as(mr_str(t[i].text), 1 << 20, true);
		struct mr_buf first;

		is(got, t[i].want, t[i].what);
		mr_buf_init(&first, 1 << 16);
		mr_buf_add(&first, got);
		mr_buf_addc(&first, '\0');
		is(read_as(mr_str(t[i].text), 1, true), first.p, "the same byte by byte");
		mr_buf_free(&first);
	}
	is(read_as(MR_STR("text\n\n" CT "x\n\n"), 99, false), "text" CT "x|", "what is no message");
	is(read_as(MR_STR("--q\n" CT "x\n\none\n"), 99, false), "--q" CT "x|<1:1>one|",
	    "a part at the start of what was decoded");
}

int
main(void)
{
	mr_buf_init(&seen, 1 << 20);
	mr_buf_init(&files, 1 << 20);
	messages();
	mr_buf_free(&seen);
	mr_buf_free(&files);
	return done_testing();
}
