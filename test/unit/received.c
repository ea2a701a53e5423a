/* received.c - lib/mail/received. */
#include "mail/received.h"

#include "mail/header.h"

#include "../tap.h"

static struct mr_arena arena;
static struct mr_buf out;
static struct mr_err err;

static struct mr_str
received(const char *record)
{
	struct mr_env env;
	size_t used;

	mr_buf_clear(&out);
	mr_env_init(&env, &arena);
	if (mr_env_parse(&env, mr_str(record), &used, &err))
		return mr_str(NULL);
	mr_received_write(&out, &env, MR_STR("mx.example"), 1795492086);
	return mr_buf_str(&out);
}

#define DATE "; Tue, 24 Nov 2026 03:48:06 +0000\r\n"

/* Every value as long as a record lets it be: still lines of 998 octets at most. */
static void
long_values(void)
{
	static const char *const names[] = { "client_address", "client_name", "helo_name",
		"protocol_name", "queue_id" };
	static char big[MR_ENV_LINE_MAX - 20];
	struct mr_str s = { big, sizeof big }, rest, line;
	struct mr_env env;
	size_t longest = 0;

	memset(big, ':', sizeof big);
	mr_env_init(&env, &arena);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		mr_env_set(&env, mr_str(names[i]), s, &err);
	mr_env_add_rcpt(&env, s, &err);
	mr_buf_clear(&out);
	mr_received_write(&out, &env, s, 0);
	rest = mr_buf_str(&out);
	while (mr_str_split(&rest, '\n', &line))
		longest = line.n > longest ? line.n : longest;
	ok(mr_header_is_block(mr_buf_str(&out), &err) && longest <= 999 && longest > 255,
	    "lines stay under 998 octets: %zu", longest - 1);
}

int
main(void)
{
	mr_arena_init(&arena, 1 << 20);
	mr_buf_init(&out, 1 << 16);
	is(received("client_address=192.0.2.1\nclient_name=a.example\nhelo_name=h.example\n"
	            "protocol_name=ESMTP\nqueue_id=abc.1\nrecipient=b@x\n\n"),
	    "Received: from h.example (a.example [192.0.2.1])\r\n\tby mx.example with ESMTP id "
	    "abc.1"
	    "\r\n\tfor <b@x>" DATE,
	    "all that is known");
	is(received("client_address=2001:db8::1\nrecipient=b@x\nrecipient=c@x\n\n"),
	    "Received: from [IPv6:2001:db8::1] (unknown [IPv6:2001:db8::1])\r\n\tby "
	    "mx.example" DATE,
	    "IPv6, nothing else; two recipients are not told");
	is(received("protocol_name=local\n\n"), "Received: by mx.example with local" DATE,
	    "no client");
	is(received("client_address=192.0.2.1\nhelo_name=[192.0.2.1]\n\n"),
	    "Received: from [192.0.2.1] (unknown [192.0.2.1])\r\n\tby mx.example" DATE,
	    "a literal as HELO");
	is(received("client_address=192.0.2.1\nhelo_name=a)(b\\\"<>;, \t\x01\xff\n"
	            "client_name=x (evil)\nrecipient=\"a b\"@x\n\n"),
	    "Received: from a??b?????????? (x??evil? [192.0.2.1])\r\n\tby mx.example\r\n"
	    "\tfor <?a?b?@x>" DATE,
	    "what a client chose is harmless");
	long_values();
	mr_arena_free(&arena);
	mr_buf_free(&out);
	return done_testing();
}
