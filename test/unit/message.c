/* message.c - lib/mail/message: header fields and body of a file, in wire form. */
#include "mail/message.h"

#include "../tap.h"
#include "base/child.h"

#include <stdlib.h>
#include <unistd.h>

#define FIELD_MAX 64u

static struct mr_err err;

/* Reads all: each field as {text}, with ! before one that is none and ~ behind one that is cut, then |body. */
static void
read_all(struct mr_str file, struct mr_buf *out, struct mr_message *m)
{
	int fd = mr_child_memfile(file);
	struct mr_message_field f;
	struct mr_str piece;
	enum mr_status st;

	mr_buf_clear(out);
	if (fd < 0 || mr_message_open(m, fd, FIELD_MAX, &err))
		abort();
	while ((st = mr_message_next(m, &f, &err)) == MR_OK) {
		mr_buf_adds(out, f.name.p ? "{" : "!{");
		mr_buf_add(out, f.text);
		mr_buf_adds(out, f.is_cut ? "~}" : "}");
	}
	ok(st == MR_NOTFOUND && mr_message_next(m, &f, &err) == MR_NOTFOUND, "the header is over");
	mr_buf_adds(out, "|");
	while ((st = mr_message_body(m, &piece, &err)) == MR_OK)
		mr_buf_add(out, piece);
	ok(st == MR_NOTFOUND && mr_message_body(m, &piece, &err) == MR_NOTFOUND, "the body, too");
	mr_message_close(m);
	close(fd);
}

static void
whole(void)
{
	static const struct {
		const char *file;
		const char *want;
		bool has_lone_cr, has_bad_line;
	} t[] = {
		{ "", "|", false, false },
		{ "\r\n", "|", false, false },
		{ "\nx\n", "|x\r\n", false, false },
		{ "A: b", "{A: b}|", false, false },
		{ "A: b\n", "{A: b}|", false, false },
		{ "A: b\n\n", "{A: b}|", false, false },
		{ "A: b\r\nC: d\r\n\r\nx\r\n\r\n", "{A: b}{C: d}|x\r\n\r\n", false, false },
		{ "A: b\n c\n\td\nE : f\n\nx\ny", "{A: b\r\n c\r\n\td}{E : f}|x\r\ny\r\n", false,
		    false },
		{ "A: b\r\n c\n \r\n\r\n", "{A: b\r\n c\r\n }|", false, false },
		{ "A: b\nno field\nC: d\n\nx", "{A: b}!{no field}{C: d}|x\r\n", false, true },
		{ " A: b\nC: d\n\n", "!{ A: b}{C: d}|", false, true },
		{ "From a@b Mon\nA: b\n\n", "{A: b}|", false, false },
		{ "From : a@b\nA: b\n\n", "{From : a@b}{A: b}|", false, false },
		{ "A: b\nFrom a@b Mon\n\n", "{A: b}!{From a@b Mon}|", false, true },
		{ "A: b\rC\n\nx\n", "{A: b\rC}|x\r\n", true, false },
		{ "A: b\n\nx\r", "{A: b}|x\r\r\n", true, false },
		{ "A: b\n\nx\ry\n", "{A: b}|x\ry\r\n", true, false },
		{ "A: b\n\nx\r\r\ny\r\n", "{A: b}|x\r\r\ny\r\n", true, false },
		{ "A: b\r\r\n\r\n", "{A: b\r}|", true, false },
		{ "A: b\n\r", "{A: b}!{\r}|", true, true },
		{ "A: b\n\n\n\r\n\nx", "{A: b}|\r\n\r\n\r\nx\r\n", false, false },
		{ "A: 345678901234567890123456789012345678901234567890123456789012345\nC: d\n\n",
		    "{A: 3456789012345678901234567890123456789012345678901234567890123~}{C: d}|",
		    false, false },
		{ "A: 34567890123456789012345678901234567890123456789012345678901\n b\n\n",
		    "{A: 34567890123456789012345678901234567890123456789012345678901\r\n~}|", false,
		    false },
	};

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct mr_message m;
		struct mr_buf out;

		mr_buf_init(&out, 4096);
		read_all(mr_str(t[i].file), &out, &m);
		is(mr_buf_str(&out), t[i].want, "fields and body");
		ok(m.has_lone_cr == t[i].has_lone_cr && m.has_bad_line == t[i].has_bad_line,
		    "case %zu: lone CR, lines that are no field", i);
		mr_buf_free(&out);
	}
}

/* The same bytes wherever the window ends: lines of all ends around each place. */
static void
windows(void)
{
	static const char *const ends[] = { "\n", "\r\n" };

	for (unsigned pad = 65536 - 24; pad <= 65536; pad++)
		for (unsigned e = 0; e < 2; e++) {
			struct mr_buf file, out;
			struct mr_message m;

			mr_buf_init(&file, 1u << 20);
			mr_buf_init(&out, 1u << 20);
			mr_buf_addf(&file, "A: b\n\n");
			while (file.n < pad)
				mr_buf_addc(&file, 'x');
			for (unsigned i = 0; i < 12; i++)
				mr_buf_adds(&file, ends[(i + e) % 2]);
			read_all(mr_buf_str(&file), &out, &m);
			ok(!m.has_lone_cr && out.n == pad - 6 + 24 + sizeof "{A: b}|" - 1,
			    "a window that ends %u bytes before the end", 65536 - pad);
			mr_buf_free(&file);
			mr_buf_free(&out);
		}
}

int
main(void)
{
	whole();
	windows();
	return done_testing();
}
