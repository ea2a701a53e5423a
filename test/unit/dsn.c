#include "queue/dsn.h"

#include "../tap.h"
#include "base/child.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[] = "/tmp/mr-dsn.XXXXXX";
static struct mr_spool spool;
static struct mr_err err;
static const char id[] = "0123456789a.01234567";

static void
make_original(
    struct mr_spool_file *file, struct mr_arena *arena, const char *message, size_t front_n)
{
	struct mr_env *env = &file->env;

	*file = (struct mr_spool_file){ .message_len = strlen(message) - front_n,
		.front_off = strlen(message) - front_n,
		.front_len = front_n };
	mr_env_init(env, arena);
	mr_env_set(env, MR_STR("sender"), MR_STR("a@a.example"), &err);
	mr_env_set(env, MR_STR("dsn_envid"), MR_STR("QQ314"), &err);
	mr_env_add_rcpt(env, MR_STR("b@b.example"), &err);
	mr_env_add_rcpt(env, MR_STR("c@c.example"), &err);
	mr_attrs_set(&env->rcpt[1].attrs, arena, MR_STR("original_recipient"),
	    MR_STR("list@a.example"), &err);
	mr_env_add_rcpt(env, MR_STR("\xc3\xa9@d.example"), &err);
	mr_attrs_set(&env->rcpt[2].attrs, arena, MR_STR("dsn_orcpt"),
	    MR_STR("rfc822;d+2Be@d.example"), &err);
}

/* The bounce as text, and its record. */
static enum mr_status
send(const struct mr_spool_file *file, const char *message, const struct mr_event *failed, size_t n,
    struct mr_buf *text, struct mr_spool_file *dsn, struct mr_arena *arena)
{
	int in = mr_child_memfile(mr_str(message)), out;
	char dsn_id[MR_ID_MAX];
	enum mr_status st =
	    mr_dsn_send(&spool, "me.example", file, in, id, failed, n, dsn_id, &err);

	close(in);
	mr_buf_clear(text);
	if (st || mr_spool_open_file(spool.incoming_fd, dsn_id, &out, &err)
	    || mr_spool_read(out, dsn, arena, &err))
		return MR_TEMP;
	mr_io_read_all(out, text, &err);
	text->n = dsn->message_len;
	mr_buf_addc(text, '\0');
	close(out);
	unlinkat(spool.incoming_fd, dsn_id, 0);
	return MR_OK;
}

static bool
has(const struct mr_buf *text, const char *what)
{
	if (strstr(text->p, what))
		return true;
	printf("# not there: %s\n# in: %s\n", what, text->p);
	return false;
}

static void
test_parts(struct mr_buf *text, struct mr_arena *arena)
{
	static const char message[] = "From: a\r\nSubject: \xc3\xa9\r\n\r\nsecret body\r\n"
	                              "Received: by me\r\n";
	struct mr_spool_file file, dsn;
	const struct mr_event failed[] = {
		{ .time_s = 1000000000,
		    .rcpt = 0,
		    .addr = MR_STR("b@b.example"),
		    .outcome = MR_FAILED,
		    .status = MR_STR("5.1.1"),
		    .host = MR_STR("mx.b.example[192.0.2.1]:25"),
		    .reply = MR_STR("550 5.1.1 no\r\n such \x01user") },
		{ .rcpt = 1,
		    .addr = MR_STR("c@c.example"),
		    .status = MR_STR("5.4.7"),
		    .host = MR_STR(""),
		    .reply = MR_STR("given up") },
		{ .rcpt = 2,
		    .addr = MR_STR("\xc3\xa9@d.example"),
		    .status = MR_STR(""),
		    .host = MR_STR(""),
		    .reply = MR_STR("") },
	};

	make_original(&file, arena, message, 17);
	ok(send(&file, message, failed, 3, text, &dsn, arena) == MR_OK, "sent: %s", err.text);
	is(mr_env_get(&dsn.env, "sender"), "", "from the null reverse-path");
	ok(dsn.env.rcpt_n == 1, "to one recipient");
	is(dsn.env.rcpt[0].addr, "a@a.example", "the original's sender");
	is(mr_env_get(&dsn.env, "body"), "8BITMIME", "it returns 8-bit text");
	ok(has(text, "From: Mail Delivery System <MAILER-DAEMON@me.example>\r\n"), "From");
	ok(has(text, "\r\nAuto-Submitted: auto-replied\r\n"), "Auto-Submitted");
	ok(has(text, "multipart/report; report-type=delivery-status;"), "multipart/report");
	ok(has(text,
	       "\r\n\r\nReporting-MTA: dns; me.example\r\nOriginal-Envelope-Id: QQ314\r\n"
	       "Arrival-Date: "),
	    "fields of the message");
	ok(has(text,
	       "\r\n\r\nFinal-Recipient: rfc822; b@b.example\r\nAction: failed\r\n"
	       "Status: 5.1.1\r\nRemote-MTA: dns; mx.b.example\r\n"
	       "Diagnostic-Code: smtp; 550 5.1.1 no?? such ?user\r\n"
	       "Last-Attempt-Date: Sun, 09 Sep 2001 01:46:40 +0000\r\n"),
	    "fields of a recipient, and no line of its own for the remote");
	ok(has(text,
	       "\r\n\r\nOriginal-Recipient: rfc822; list@a.example\r\n"
	       "Final-Recipient: rfc822; c@c.example\r\n"),
	    "the recipient before aliases");
	ok(has(text, "\r\nDiagnostic-Code: X-mr; given up\r\n"), "our words are not smtp's");
	ok(has(text,
	       "\r\n\r\nOriginal-Recipient: rfc822; d+e@d.example\r\n"
	       "Final-Recipient: utf-8; \\x{E9}@d.example\r\nAction: failed\r\nStatus: 5.0.0\r\n"),
	    "ORCPT decoded, an address that is not ASCII encoded");
	ok(has(text, "Content-Type: text/rfc822-headers"), "the original's header");
	ok(has(text, "\r\n\r\nReceived: by me\r\nFrom: a\r\nSubject: \xc3\xa9\r\n\r\n--mr-"),
	    "front fields first, then its own, and an end");
	ok(!strstr(text->p, "secret body"), "no body");
}

static void
test_header_cut(struct mr_buf *text, struct mr_arena *arena)
{
	const struct mr_event failed = { .addr = MR_STR("b@b.example"),
		.status = MR_STR("5.0.0"),
		.host = MR_STR(""),
		.reply = MR_STR("no") };
	static const char none[] = "\r\nno header at all\r\n";
	struct mr_spool_file file, dsn;
	struct mr_buf big;

	mr_buf_init(&big, 1 << 20);
	while (big.n < MR_DSN_HEADER_MAX + 1000)
		mr_buf_adds(&big, "X-Long: 0123456789012345678901234567890123456789\r\n");
	mr_buf_addc(&big, '\0');
	make_original(&file, arena, big.p, 0);
	ok(send(&file, big.p, &failed, 1, text, &dsn, arena) == MR_OK, "a header without an end");
	ok(text->n > MR_DSN_HEADER_MAX && text->n < MR_DSN_HEADER_MAX + 3000, "is cut");
	ok(has(text, "X-Long: 0123456789012345678901234567890123456789\r\n\r\n--mr-"),
	    "at the end of a line");
	is(mr_env_get(&dsn.env, "body"), "7BIT", "7-bit");
	make_original(&file, arena, none, 0);
	ok(send(&file, none, &failed, 1, text, &dsn, arena) == MR_OK, "no header");
	ok(!strstr(text->p, "no header at all"), "is no reason to return the body");
	file.message_len += 100000;
	ok(send(&file, none, &failed, 1, text, &dsn, arena) == MR_TEMP,
	    "a file that was cut is a fault of ours: %s", err.text);
	mr_buf_free(&big);
}

static void
test_wanted(struct mr_arena *arena)
{
	struct mr_spool_file file;
	struct mr_attrs *attrs;

	make_original(&file, arena, "", 0);
	attrs = &file.env.rcpt[0].attrs;
	ok(mr_dsn_is_wanted(&file, 0), "wanted if nothing was said");
	mr_attrs_set(attrs, arena, MR_STR("dsn_notify"), MR_STR("SUCCESS,failure"), &err);
	ok(mr_dsn_is_wanted(&file, 0), "NOTIFY=SUCCESS,FAILURE");
	mr_attrs_set(attrs, arena, MR_STR("dsn_notify"), MR_STR("NEVER"), &err);
	ok(!mr_dsn_is_wanted(&file, 0), "NOTIFY=NEVER");
	mr_attrs_set(attrs, arena, MR_STR("dsn_notify"), MR_STR("SUCCESS,DELAY"), &err);
	ok(!mr_dsn_is_wanted(&file, 0), "NOTIFY without FAILURE");
}

int
main(void)
{
	struct mr_arena arena;
	struct mr_buf text;

	if (!mkdtemp(dir) || mr_spool_open(&spool, dir, &err))
		return 1;
	mr_arena_init(&arena, MR_SPOOL_ARENA_MAX);
	mr_buf_init(&text, 1 << 20);
	test_parts(&text, &arena);
	test_header_cut(&text, &arena);
	test_wanted(&arena);
	mr_buf_free(&text);
	mr_arena_free(&arena);
	unlinkat(spool.dir_fd, "incoming", AT_REMOVEDIR);
	unlinkat(spool.dir_fd, "deferred", AT_REMOVEDIR);
	mr_spool_close(&spool);
	ok(rmdir(dir) == 0, "nothing is left in the spool");
	return done_testing();
}
