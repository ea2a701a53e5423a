/* envelope.c - lib/mail/envelope. */
#include "mail/envelope.h"

#include "../tap.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct mr_arena arena;
static struct mr_err err;
static struct mr_buf out;
static struct mr_env env;

static void
fresh(void)
{
	mr_arena_free(&arena);
	mr_env_init(&env, &arena);
	mr_buf_clear(&out);
}

static struct mr_str
written(void)
{
	mr_buf_clear(&out);
	mr_env_write(&env, &out);
	return mr_buf_str(&out);
}

static enum mr_status
parse(const char *text, size_t *used)
{
	fresh();
	return mr_env_parse(&env, mr_str(text), used, &err);
}

static void
reads(void)
{
	size_t used = 0;

	ok(parse("request=smtpd_access_policy\nsender=\nx=a=b\r\n\nnext=1\n", &used) == MR_OK
	        && used == 44,
	    "a record and what is behind it");
	is(mr_env_get(&env, "sender"), "", "an empty value is there");
	is(mr_env_get(&env, "x"), "a=b", "a value with =, CRLF");
	is(mr_env_get(&env, "next"), NULL, "behind the end is not read");
	is(mr_env_get(&env, "recipient"), NULL, "no recipient");
	ok(parse("a=1\r\n\r\nb=2", &used) == MR_OK && used == 7, "an empty line with CRLF");
	ok(parse("a=1", &used) == MR_OK && used == 3, "the end of the text ends it");
	is(mr_env_get(&env, "a"), "1", "without a line end");
	ok(parse("", &used) == MR_OK && used == 0 && env.attrs.n == 0, "nothing");
	ok(parse("\na=1\n", &used) == MR_OK && used == 1 && env.attrs.n == 0, "an empty record");
	ok(parse("a=1\na=2\n\n", &used) == MR_OK && env.attrs.n == 1, "the same twice");
	is(mr_env_get(&env, "a"), "2", "the last counts");

	ok(parse("original_recipient=m\nrecipient=a@x\ndsn_notify=NEVER\nsize=5\nrecipient=b@x\n"
	         "original_recipient=o\n\n",
	       &used)
	        == MR_OK,
	    "recipients");
	ok(env.rcpt_n == 2 && env.rcpt[0].attrs.n == 1 && env.rcpt[1].attrs.n == 1,
	    "with attributes");
	is(mr_env_get(&env, "recipient"), "a@x", "the first is the attribute");
	is(mr_attrs_get(&env.rcpt[1].attrs, "original_recipient"), "o", "of the second");
	is(mr_env_get(&env, "original_recipient"), "m", "of the message");
	is(written(),
	    "original_recipient=m\nsize=5\nrecipient=a@x\ndsn_notify=NEVER\nrecipient=b@x\n"
	    "original_recipient=o\n\n",
	    "recipients stand last");
}

static void
refuses(void)
{
	static const char *const t[] = { "word\n", "=x\n", "A=1\n", "a-b=1\n", "a b=1\n", " a=1\n",
		"a=1\rb\n", "a=1\r\r\n", "recipient=a\rb\n", "\xc3\xbc=1\n" };
	size_t used = 0;

	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		ok(parse(t[i], &used) == MR_PERM && strncmp(err.text, "line 1: ", 8) == 0,
		    "refused: %s", err.text);
	fresh();
	ok(mr_env_parse(&env, MR_STR("a=1\nb=\0\n"), &used, &err) == MR_PERM, "NUL");
	is(mr_str(err.text), "line 2: b: NUL, CR or LF in the value", "the reason names the line");
	ok(mr_env_set(&env, MR_STR("b"), MR_STR("x\ny"), &err) == MR_PERM, "LF cannot be set");
	ok(mr_env_set(&env, MR_STR("b\nc"), MR_STR("x"), &err) == MR_PERM, "nor in a name");
	ok(mr_env_add_rcpt(&env, MR_STR("a\n@x"), &err) == MR_PERM && env.rcpt_n == 0,
	    "nor in a recipient");
	ok(mr_env_set(&env, MR_STR("recipient"), MR_STR("a@x"), &err) == MR_PERM,
	    "recipient is no attribute of the message");
	ok(mr_env_set(&env, MR_STR(""), MR_STR("x"), &err) == MR_PERM, "a name of nothing");
	is(mr_env_get(&env, "b"), NULL, "what was refused is not set");
}

static void
limits(void)
{
	char *big = malloc(MR_ENV_MAX + 100), name[16];
	enum mr_status st = MR_OK;
	size_t used;

	memset(big, 'a', MR_ENV_MAX + 100);
	fresh();
	ok(mr_env_set(&env, (struct mr_str){ big, MR_ENV_NAME_MAX }, MR_STR("x"), &err) == MR_OK,
	    "the longest name");
	ok(mr_env_set(&env, (struct mr_str){ big, MR_ENV_NAME_MAX + 1 }, MR_STR("x"), &err)
	        == MR_PERM,
	    "one more");
	ok(mr_env_set(&env, MR_STR("n"), (struct mr_str){ big, MR_ENV_LINE_MAX - 2 }, &err)
	        == MR_OK,
	    "the longest line");
	ok(mr_env_set(&env, MR_STR("n"), (struct mr_str){ big, MR_ENV_LINE_MAX - 1 }, &err)
	        == MR_PERM,
	    "one more");
	ok(mr_env_get(&env, "n").n == MR_ENV_LINE_MAX - 2, "the old value stays");
	ok(mr_env_add_rcpt(&env, (struct mr_str){ big, MR_ENV_LINE_MAX - 10 }, &err) == MR_OK
	        && mr_env_add_rcpt(&env, (struct mr_str){ big, MR_ENV_LINE_MAX - 9 }, &err)
	            == MR_PERM,
	    "the longest recipient, and one more");

	fresh();
	for (size_t i = 0; i < MR_ENV_ATTR_MAX && st == MR_OK; i++) {
		snprintf(name, sizeof name, "n%zu", i);
		st = mr_env_set(&env, mr_str(name), MR_STR("x"), &err);
	}
	ok(st == MR_OK && env.attrs.n == MR_ENV_ATTR_MAX, "as many attributes as there may be");
	ok(mr_env_set(&env, MR_STR("more"), MR_STR("x"), &err) == MR_PERM, "one more: %s",
	    err.text);
	ok(mr_env_set(&env, MR_STR("n7"), MR_STR("y"), &err) == MR_OK, "one that is there");
	for (size_t i = 0; i < MR_ENV_RCPT_MAX && st == MR_OK; i++)
		st = mr_env_add_rcpt(&env, MR_STR("a@x"), &err);
	ok(st == MR_OK && env.rcpt_n == MR_ENV_RCPT_MAX, "as many recipients as there may be");
	ok(mr_env_add_rcpt(&env, MR_STR("a@x"), &err) == MR_PERM, "one more: %s", err.text);

	/* a=...\n, lines of 16384, up to the last byte */
	for (size_t i = 0; i < MR_ENV_MAX; i += MR_ENV_LINE_MAX) {
		big[i + 1] = '=';
		big[i + MR_ENV_LINE_MAX - 1] = '\n';
	}
	fresh();
	ok(mr_env_parse(&env, (struct mr_str){ big, MR_ENV_MAX }, &used, &err) == MR_OK
	        && used == MR_ENV_MAX,
	    "the largest record");
	big[MR_ENV_MAX] = '\n';
	fresh();
	ok(mr_env_parse(&env, (struct mr_str){ big, MR_ENV_MAX + 50 }, &used, &err) == MR_OK
	        && used == MR_ENV_MAX + 1,
	    "and its empty line");
	memcpy(big + MR_ENV_MAX, "b=1\n", 4);
	fresh();
	ok(mr_env_parse(&env, (struct mr_str){ big, MR_ENV_MAX + 4 }, &used, &err) == MR_PERM,
	    "a line more: %s", err.text);
	free(big);
}

/* Whatever step has no memory: it is temporary, and nothing half is left. */
static void
no_memory(void)
{
	struct mr_arena small;
	struct mr_env e;
	size_t fails = 0, halves = 0, used;
	enum mr_status st = MR_TEMP;

	for (size_t max = 0; max < 8192 && st; max += 16) {
		mr_arena_init(&small, max);
		mr_env_init(&e, &small);
		st = mr_env_parse(
		    &e, MR_STR("sender=a@x\nrecipient=b@x\ndsn_notify=NEVER\n\n"), &used, &err);
		fails += st == MR_TEMP;
		halves += mr_env_get(&e, "sender").p && mr_env_get(&e, "sender").n == 0;
		mr_arena_free(&small);
	}
	ok(st == MR_OK && fails > 5, "no memory is temporary: %zu steps", fails);
	ok(halves == 0, "a sender is never set to null by it");
}

static void
empty(void)
{
	fresh();
	mr_env_init(&env, &arena);
	is(written(), "\n", "an empty record is an empty line");
}

/* The same from a stream, with a window of `cap`. */
static enum mr_status
stream(struct mr_reader *in, const char *text, size_t cap)
{
	int fd = memfd_create("test", 0);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return MR_USAGE;
	mr_reader_init(in, fd, cap, &err);
	fresh();
	return mr_env_read(&env, in, MR_NO_DEADLINE, &err);
}

static void
stop(struct mr_reader *in)
{
	close(in->fd);
	mr_reader_free(in);
}

static void
streams(void)
{
	char *big = malloc(MR_ENV_MAX + 100);
	struct mr_reader in;

	ok(stream(&in, "a=1\r\nrecipient=a@x\n\nb=2\n\n", 16) == MR_OK, "a record from a stream");
	is(written(), "a=1\nrecipient=a@x\n\n", "up to its empty line");
	fresh();
	ok(mr_env_read(&env, &in, MR_NO_DEADLINE, &err) == MR_OK, "the next");
	is(written(), "b=2\n\n", "its attribute");
	ok(mr_env_read(&env, &in, MR_NO_DEADLINE, &err) == MR_NOTFOUND, "the end");
	stop(&in);
	ok(stream(&in, "a=1\n", 16) == MR_PERM, "cut off: %s", err.text);
	stop(&in);
	ok(stream(&in, "a=1", 16) == MR_PERM, "cut off in a line: %s", err.text);
	stop(&in);
	ok(stream(&in, "a=1\nb=23456789012345\n\n", 16) == MR_PERM, "a long line: %s", err.text);
	stop(&in);
	ok(stream(&in, "a=1\nword\n\n", 16) == MR_PERM, "a bad line");
	is(mr_str(err.text), "line 2: no '=' in the line", "the reason names it");
	stop(&in);

	memset(big, 'a', MR_ENV_MAX);
	for (size_t i = 0; i < MR_ENV_MAX; i += MR_ENV_LINE_MAX) {
		big[i + 1] = '=';
		big[i + MR_ENV_LINE_MAX - 1] = '\n';
	}
	memcpy(big + MR_ENV_MAX, "\n", 2);
	ok(stream(&in, big, MR_ENV_LINE_MAX) == MR_OK, "the largest record");
	stop(&in);
	memcpy(big + MR_ENV_MAX, "b=1\n\n", 6);
	ok(stream(&in, big, MR_ENV_LINE_MAX) == MR_PERM, "a line more: %s", err.text);
	stop(&in);
	free(big);
}

static void
joins(void)
{
	struct mr_env more;
	char name[16];
	size_t used;

	parse("a=1\nb=2\nrecipient=a@x\n\n", &used);
	mr_env_init(&more, &arena);
	mr_env_parse(&more, MR_STR("b=3\nc=4\nrecipient=b@x\n\n"), &used, &err);
	ok(mr_env_join(&env, &more, &err) == MR_OK, "join");
	is(written(), "a=1\nb=3\nc=4\nrecipient=a@x\n\n", "replaces, adds, leaves recipients");
	for (size_t i = env.attrs.n; i < MR_ENV_ATTR_MAX; i++) {
		snprintf(name, sizeof name, "n%zu", i);
		mr_env_set(&env, mr_str(name), MR_STR("x"), &err);
	}
	ok(mr_env_join(&env, &more, &err) == MR_OK, "a full record takes what replaces");
	mr_env_set(&more, MR_STR("more"), MR_STR("x"), &err);
	ok(mr_env_join(&env, &more, &err) == MR_PERM && env.attrs.n == MR_ENV_ATTR_MAX,
	    "and no attribute over its limit: %s", err.text);
}

int
main(void)
{
	mr_arena_init(&arena, 64 << 20);
	mr_buf_init(&out, MR_ENV_MAX);
	mr_env_init(&env, &arena);
	reads();
	refuses();
	limits();
	no_memory();
	empty();
	streams();
	joins();
	ok(mr_env_is_rcpt_attr(MR_STR("dsn_orcpt")) && !mr_env_is_rcpt_attr(MR_STR("dsn_ret"))
	        && !mr_env_is_rcpt_attr(MR_STR("recipient")),
	    "attributes of a recipient");
	mr_arena_free(&arena);
	mr_buf_free(&out);
	return done_testing();
}
