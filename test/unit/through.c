/* through.c - lib/filter/through: a message that passes through. */
#include "filter/through.h"

#include "../tap.h"
#include "base/child.h"
#include "base/io.h"

#include <stdlib.h>
#include <unistd.h>

static struct mr_err err;

/* What comes out when `message`, of which the first `start` bytes do not count, gets `fields`, and loses those
 * under the name `ours`. */
static void
gives_without(const char *name, struct mr_str message, int64_t start, const char *fields,
    const char *ours, const char *want)
{
	int in = mr_child_memfile(message), out = mr_child_memfile(MR_STR(""));
	struct mr_buf b;

	mr_buf_init(&b, 1 << 20);
	ok(mr_through_give(out, mr_str(fields), ours, in, start, &err) == MR_OK
	        && lseek(out, 0, SEEK_SET) == 0 && mr_io_read_all(out, &b, &err) == MR_OK,
	    "%s", name);
	is(b.n ? mr_buf_str(&b) : MR_STR(""), want, name);
	mr_buf_free(&b);
	close(in);
	close(out);
}

static void
gives(const char *name, struct mr_str message, int64_t start, const char *fields, const char *want)
{
	gives_without(name, message, start, fields, NULL, want);
}

static void
test_without(void)
{
	static const char with[] = "A: b\nAuthentication-Results: Mx.example;\n\tx=y\nC: d\n\n"
	                           "Authentication-Results: mx.example; body\n";
	struct mr_buf in, want;

	gives_without("fields under our name", mr_str(with), 0, "X: y\n", "mx.example",
	    "X: y\nA: b\nC: d\n\nAuthentication-Results: mx.example; body\n");
	gives_without("of others", mr_str(with), 0, "X: y\n", "my.example",
	    "X: y\nA: b\nAuthentication-Results: Mx.example;\n\tx=y\nC: d\n\n"
	    "Authentication-Results: mx.example; body\n");
	gives_without("as the last thing", MR_STR("A: b\nAuthentication-Results: mx.example"), 0,
	    NULL, "mx.example", "A: b\n");
	gives_without("not there, no line end", MR_STR("A: b"), 0, NULL, "mx.example", "A: b");
	gives_without("nothing", MR_STR(""), 0, NULL, "mx.example", "");
	/* The line and its end are in two pieces, the name, too. */
	for (size_t pad = 65536 - 60; pad <= 65536; pad++) {
		mr_buf_init(&in, 1 << 20);
		mr_buf_init(&want, 1 << 20);
		mr_buf_adds(&in, "A: ");
		while (in.n < pad)
			mr_buf_addc(&in, 'a');
		mr_buf_adds(&in, "\r\n");
		mr_buf_add(&want, mr_buf_str(&in));
		mr_buf_adds(&in, "Authentication-Results : mx.example; x=y\r\n\r\nbody");
		mr_buf_adds(&want, "\r\nbody");
		mr_buf_addc(&want, '\0');
		gives_without("across the window", mr_buf_str(&in), 0, NULL, "mx.example", want.p);
		mr_buf_free(&in);
		mr_buf_free(&want);
	}
}

static void
test_take(void)
{
	int p[2], file = mr_child_memfile(MR_STR("abc"));
	struct mr_buf b;

	ok(mr_through_take(file, "/nowhere", &err) == MR_OK, "a file stays as it is");
	close(file);
	if (pipe(p) || mr_io_write(p[1], MR_STR("from a pipe"), &err))
		exit(111);
	close(p[1]);
	ok(mr_through_take(p[0], "/nowhere", &err) == MR_TEMP, "no folder for a file");
	ok(mr_through_take(p[0], "/tmp", &err) == MR_OK && lseek(p[0], 0, SEEK_CUR) == 0,
	    "a pipe becomes a file, at its start");
	mr_buf_init(&b, 100);
	mr_io_read_all(p[0], &b, &err);
	is(mr_buf_str(&b), "from a pipe", "with what the pipe gave");
	mr_buf_free(&b);
	close(p[0]);
	ok(mr_through_take(p[0], "/tmp", &err) == MR_TEMP, "a descriptor that is closed");
}

static void
test_long_line(void)
{
	struct mr_buf in, want;

	mr_buf_init(&in, 1 << 20);
	mr_buf_init(&want, 1 << 20);
	mr_buf_adds(&want, "X: y\r\n");
	for (int i = 0; i < 4095; i++)
		mr_buf_addc(&in, 'a');
	mr_buf_adds(&in, "\r\nb\n");
	mr_buf_add(&want, mr_buf_str(&in));
	mr_buf_addc(&want, '\0');
	gives("CR and LF in two pieces", mr_buf_str(&in), 0, "X: y\n", want.p);
	mr_buf_free(&in);
	mr_buf_free(&want);
}

int
main(void)
{
	gives("LF", MR_STR("A: b\n\nc\r\n"), 0, "X: y\r\n\tz\r\n", "X: y\n\tz\nA: b\n\nc\r\n");
	gives("CRLF", MR_STR("A: b\r\n\r\nc\n"), 0, "X: y\n\tz\r\n",
	    "X: y\r\n\tz\r\nA: b\r\n\r\nc\n");
	gives("no line end", MR_STR("abc"), 0, "X: y\r\n", "X: y\nabc");
	gives("nothing", MR_STR(""), 0, "X: y\r\n", "X: y\n");
	gives("no fields", MR_STR("A: b\r\n"), 0, NULL, "A: b\r\n");
	gives("a start that is not the file's", MR_STR("x\r\nA: b\n"), 3, "X: y\n", "X: y\nA: b\n");
	test_long_line();
	test_without();
	test_take();
	return done_testing();
}
