/* Whose mail it claims to be: the domains of the From fields (mail/from.h). */
#include "mail/from.h"

#include "../tap.h"
#include "base/io.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* A value of a From field, and its domains; `why` is part of the reason for those that have none. */
static const struct {
	const char *value, *domains, *why;
} cases[] = {
	{ "bob@example.org", "example.org", NULL },
	{ "Bob <bob@Example.ORG>", "example.org", NULL },
	{ " =?utf-8?q?B=C3=B6b?=\r\n\t<bob@example.org>\r\n", "example.org", NULL },
	{ "\"bob@other.example\" <bob@example.org>", "example.org", NULL },
	{ "\"a, b\" <bob@example.org>", "example.org", NULL },
	{ "\"a \\\" <x@other.example>\" <bob@example.org>", "example.org", NULL },
	{ "B\xc3\xb6"
	  "b <bob@example.org>",
	    "example.org", NULL },
	{ "B\xf6"
	  "b <bob@example.org>",
	    "example.org", NULL },
	{ "John Q. Public <bob@example.org>", "example.org", NULL },
	{ "[EXT] Bob <bob@example.org>", "example.org", NULL },
	{ "<bob@example.org> (x@other.example)", "example.org", NULL },
	{ "(a (nested \\) <x@other.example>)) bob (b) @ (c) example . (d) org", "example.org",
	    NULL },
	{ "bob@victim.example(x).example.org", "victim.example.example.org", NULL },
	{ "\"bob smith\"@example.org", "example.org", NULL },
	{ "\"bob@a.example\"@example.org", "example.org", NULL },
	{ "<@a.example,@b.example:bob@example.org>", "example.org", NULL },
	{ "bob@b\xc3\xbc"
	  "cher.example",
	    "xn--bcher-kva.example", NULL },
	{ "bob@XN--BCHER-KVA.example, b\xc3\xb6"
	  "b@b\xc3\xbc"
	  "cher.example",
	    "xn--bcher-kva.example", NULL },
	/* lists and groups */
	{ "a@a.example, B <b@b.example>,, c@A.example", "a.example b.example", NULL },
	{ "Team: a@a.example, B <b@b.example>;", "a.example b.example", NULL },
	{ "Team: a@a.example; c@c.example", "a.example c.example", NULL },
	{ "Team: a@a.example", "a.example", NULL },
	{ "Smith, John <bob@example.org>", "example.org", NULL },
	{ "undisclosed:;", "", NULL },
	{ "", "", NULL },
	{ "nobody", "", NULL },
	/* what some readers show counts, too */
	{ "ceo@victim.example <x@a.example>", "a.example victim.example", NULL },
	{ "bob@example.org <bob@example.org>", "example.org", NULL },
	{ "the ceo@victim.example <x@a.example>", NULL, "local part" },
	/* no address, or not one domain name */
	{ "bob@[192.0.2.1]", NULL, "without a domain name" },
	{ "<>", NULL, "without a domain name" },
	{ "<postmaster>", NULL, "without a domain name" },
	{ "bob@example.org.", NULL, "bad domain" },
	{ "bob@exa mple.org", NULL, "bad domain" },
	{ "bob smith@example.org", NULL, "local part" },
	{ "bob@@example.org", NULL, "bad domain" },
	{ "bob@", NULL, "bad domain" },
	{ "<bob@example.org", NULL, "without '>'" },
	{ "<bob@example.org> x", NULL, "behind '>'" },
	{ "<a@a.example> <b@b.example>", NULL, "two addresses" },
	{ "<<a@a.example>>", NULL, "syntax" },
	{ "a@a.example: b@b.example;", NULL, "group" },
	{ "a: b: c@c.example;", NULL, "group" },
	{ "bob@example.org (", NULL, "comment" },
	{ "bob@example.org (\\", NULL, "comment" },
	{ "\"bob <bob@example.org>", NULL, "syntax" },
	{ "bob\x01 <bob@example.org>", NULL, "syntax" },
	{ "bob) <bob@example.org>", NULL, "syntax" },
	{ "bob@\xe2\x80\xae.example", NULL, "no domain name" },
	{ "bob@b\xfc"
	  "cher.example",
	    NULL, "bad domain" },
	{ "a@1.x, a@2.x, a@3.x, a@4.x, a@5.x, a@6.x, a@7.x, a@8.x, a@9.x, a@10.x",
	    "1.x 2.x 3.x 4.x 5.x 6.x 7.x 8.x 9.x 10.x", NULL },
	{ "a@1.x, a@2.x, a@3.x, a@4.x, a@5.x, a@6.x, a@7.x, a@8.x, a@9.x, a@10.x, a@11.x", NULL,
	    "more than 10 domains" },
};

static struct mr_str
joined(const struct mr_from *from, struct mr_arena *arena)
{
	struct mr_str s = MR_STR("");

	for (size_t i = 0; i < from->n; i++)
		s = mr_arena_fmt(arena, "%.*s%s%.*s", (int)s.n, s.p, i ? " " : "",
		    (int)from->domain[i].n, from->domain[i].p);
	return s;
}

static void
test_values(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct mr_from from = { .n = 0 };
		struct mr_err err = { "" };
		struct mr_arena arena;
		enum mr_status st;

		mr_arena_init(&arena, 1 << 20);
		st = mr_from_add(&from, &arena, mr_str(cases[i].value), &err);
		if (cases[i].why)
			ok(st == MR_PERM && strstr(err.text, cases[i].why), "none: %s: %s",
			    cases[i].why, err.text);
		else if (ok(st == MR_OK, "case %zu is read: %s", i, err.text))
			is(joined(&from, &arena), cases[i].domains, cases[i].domains);
		mr_arena_free(&arena);
	}
}

/* A file with these bytes, at its start. */
static int
file_of(struct mr_str text)
{
	int fd = memfd_create("message", MFD_CLOEXEC);

	if (fd < 0 || mr_io_write(fd, text, NULL) || lseek(fd, 0, SEEK_SET) != 0)
		exit(111);
	return fd;
}

static enum mr_status
read_message(struct mr_from *from, struct mr_arena *arena, struct mr_str text, struct mr_err *err)
{
	int fd = file_of(text);
	enum mr_status st = mr_from_read(from, arena, fd, err);

	close(fd);
	return st;
}

static const struct {
	const char *text, *domains, *why;
} messages[] = {
	{ "From: a@a.example\n\nFrom: b@b.example\n", "a.example", NULL },
	{ "Subject: x\r\nfrom : a@a.example\r\n\r\nFrom: b@b.example\r\n", "a.example", NULL },
	{ "From: A\n <a@a.example>\nTo: b@b.example\n\n", "a.example", NULL },
	{ "From: a@a.example\nFrom: b@b.example\n\n", "a.example b.example", NULL },
	{ "From b@b.example Mon\nFrom: a@a.example\n\n", "a.example", NULL },
	{ "no field\nFrom: a@a.example\n\n", "a.example", NULL },
	{ "From: a@a.example", "a.example", NULL },
	{ "From:\n \n a@a.example\n\n", "a.example", NULL },
	{ "X-From: a@a.example\n\n", NULL, "no From field" },
	{ "", NULL, "no From field" },
	{ "\nFrom: a@a.example\n\n", NULL, "no From field" },
	{ "From: undisclosed:;\n\n", NULL, "From: no address" },
	{ "From: a@\n\n", NULL, "From: bad domain" },
	{ "From: a@a.example, <x\nFrom: b@b.example\n\n", "a.example b.example", "without '>'" },
};

static void
test_messages(void)
{
	for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
		struct mr_from from;
		struct mr_err err = { "" };
		struct mr_arena arena;
		enum mr_status st;

		mr_arena_init(&arena, 1 << 20);
		st = read_message(&from, &arena, mr_str(messages[i].text), &err);
		if (messages[i].why) {
			ok(st == MR_PERM && strstr(err.text, messages[i].why), "message %zu: %s", i,
			    err.text);
			if (messages[i].domains)
				is(joined(&from, &arena), messages[i].domains,
				    "what is there counts");
		} else if (ok(st == MR_OK, "message %zu is read: %s", i, err.text))
			is(joined(&from, &arena), messages[i].domains, messages[i].domains);
		mr_arena_free(&arena);
	}
}

/* Far down, behind a line longer than the window; and at and over the limits. */
static void
test_size(size_t padding, unsigned field_n, size_t value_n, const char *want)
{
	struct mr_from from;
	struct mr_err err = { "" };
	struct mr_arena arena;
	struct mr_buf b;
	enum mr_status st;

	mr_arena_init(&arena, 1 << 20);
	mr_buf_init(&b, 1 << 22);
	mr_buf_adds(&b, "X-Pad: ");
	for (size_t i = 0; i < padding; i++)
		mr_buf_addc(&b, 'x');
	mr_buf_adds(&b, "\nFrom: a@example.org (");
	for (size_t i = sizeof "From: a@example.org ()" - 1; i < value_n; i++)
		mr_buf_adds(&b, "c");
	mr_buf_addc(&b, ')');
	for (unsigned i = 1; i < field_n; i++)
		mr_buf_adds(&b, "\nFrom: a@example.org");
	mr_buf_adds(&b, "\n\n");
	st = read_message(&from, &arena, mr_buf_str(&b), &err);
	if (mr_str_eq(mr_str(want), MR_STR("example.org")))
		ok(st == MR_OK && mr_str_is(joined(&from, &arena), want),
		    "%zu bytes before %u fields: %s", padding, field_n, err.text);
	else
		ok(st == MR_PERM && strstr(err.text, want), "over it: %s", err.text);
	mr_buf_free(&b);
	mr_arena_free(&arena);
}

int
main(void)
{
	struct mr_from from;
	struct mr_err err;
	struct mr_arena arena;

	test_values();
	test_messages();
	test_size(0, 1, 0, "example.org");
	test_size(3 << 20, 1, 0, "example.org");
	test_size(0, MR_FROM_FIELD_MAX, 0, "example.org");
	test_size(0, MR_FROM_FIELD_MAX + 1, 0, "too many fields");
	test_size(0, 1, MR_FROM_BYTES_MAX, "example.org");
	test_size(0, 1, MR_FROM_BYTES_MAX + 1, "over 65536 bytes");
	mr_arena_init(&arena, 1 << 20);
	ok(mr_from_read(&from, &arena, -1, &err) == MR_TEMP, "what cannot be read: %s", err.text);
	mr_arena_free(&arena);
	return done_testing();
}
