#include "queue/dsn.h"

#include "base/clock.h"
#include "base/log.h"
#include "mail/date.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define DSN_MAX (64u << 20) /* bytes of a bounce */

/* The original's header block, to its empty line or the ceiling. */
static void
add_header(struct mr_buf *out, int fd, uint64_t len)
{
	uint64_t want = len < MR_DSN_HEADER_MAX ? len : MR_DSN_HEADER_MAX, off = 0;
	struct mr_buf head;
	char *to, *end = NULL;

	mr_buf_init(&head, MR_DSN_HEADER_MAX);
	if (!want || !(to = mr_buf_room(&head, want)))
		return;
	while (off < want) {
		ssize_t n = pread(fd, to + off, want - off, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		off += (uint64_t)n;
	}
	head.n = off;
	if (head.n >= 2 && memcmp(head.p, "\r\n", 2) == 0)
		head.n = 0;
	else if ((end = memmem(head.p, head.n, "\r\n\r\n", 4)))
		head.n = (size_t)(end - head.p) + 2;
	else /* cut in a long header: whole lines only */
		while (head.n && head.p[head.n - 1] != '\n')
			head.n--;
	mr_buf_add(out, mr_buf_str(&head));
	mr_buf_free(&head);
}

/* Words of a remote in a header field or text: printable ASCII, cut to keep the line short. */
static void
add_words(struct mr_buf *out, struct mr_str s)
{
	for (size_t i = 0; i < s.n && i < 800; i++)
		mr_buf_addc(out, s.p[i] >= ' ' && s.p[i] <= '~' ? s.p[i] : '?');
}

static void
add_field(struct mr_buf *out, const char *name, struct mr_str value)
{
	mr_buf_adds(out, name);
	add_words(out, value);
	mr_buf_adds(out, "\r\n");
}

/* For people. */
static void
add_text(
    struct mr_buf *out, const char *host, const char *id, const struct mr_event *failed, size_t n)
{
	mr_buf_addf(out,
	    "This is the mail system at %s.\r\n\r\n"
	    "Your message could not be delivered to the recipients below. It will not\r\n"
	    "be tried again. The header of your message is attached.\r\n\r\n"
	    "If you ask the postmaster for help, please name this id: %s\r\n",
	    host, id);
	for (size_t i = 0; i < n; i++) {
		mr_buf_adds(out, "\r\n<");
		add_words(out, failed[i].addr);
		mr_buf_adds(out, ">\r\n    ");
		if (failed[i].host.n) {
			mr_buf_adds(out, "host ");
			add_words(out, failed[i].host);
			mr_buf_adds(out, " said:\r\n    ");
		}
		add_words(out, failed[i].reply);
		mr_buf_adds(out, "\r\n");
	}
}

/* RFC 3464 section 2.3. */
static void
add_status(struct mr_buf *out, const struct mr_spool_file *file, const struct mr_event *e)
{
	const struct mr_attrs *attrs = &file->env.rcpt[e->rcpt].attrs;
	struct mr_str orcpt = mr_attrs_get(attrs, "dsn_orcpt"),
	              original = mr_attrs_get(attrs, "original_recipient");
	char date[MR_DATE_MAX];
	uint64_t code;
	/* The remote's own words begin with its reply code; ours do not. */
	bool is_smtp = e->host.n && e->reply.n >= 3
	    && mr_str_num((struct mr_str){ e->reply.p, 3 }, 599, &code);

	mr_buf_adds(out, "\r\n");
	if (orcpt.n)
		add_field(out, "Original-Recipient: ", orcpt);
	else if (original.n)
		add_field(out, "Original-Recipient: rfc822; ", original);
	add_field(out, "Final-Recipient: rfc822; ", e->addr);
	mr_buf_adds(out, "Action: failed\r\n");
	add_field(out, "Status: ", e->status.n ? e->status : MR_STR("5.0.0"));
	if (e->host.n)
		add_field(out, "Remote-MTA: dns; ",
		    (struct mr_str){ e->host.p,
		        mr_str_chr(e->host, '[') > 0 ? (size_t)mr_str_chr(e->host, '[')
		                                     : e->host.n });
	add_field(out, is_smtp ? "Diagnostic-Code: smtp; " : "Diagnostic-Code: x-mr; ", e->reply);
	mr_buf_addf(out, "Last-Attempt-Date: %s\r\n", mr_date_text(date, e->time_s).p);
}

static void
build(struct mr_buf *out, const char *host, const struct mr_spool_file *file, int fd,
    const char *id, const struct mr_event *failed, size_t n, const char *dsn_id)
{
	char date[MR_DATE_MAX];
	struct mr_str sender = mr_env_get(&file->env, "sender");

	mr_buf_addf(out,
	    "Date: %s\r\n"
	    "From: Mail Delivery System <MAILER-DAEMON@%s>\r\n"
	    "To: <%.*s>\r\n"
	    "Subject: Undelivered mail returned to sender\r\n"
	    "Message-ID: <%s@%s>\r\n"
	    "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"=_%s\"\r\n\r\n",
	    mr_date_text(date, mr_clock_now_s()).p, host, (int)sender.n, sender.p, dsn_id, host,
	    dsn_id);
	mr_buf_addf(out, "--=_%s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n", dsn_id);
	add_text(out, host, id, failed, n);
	mr_buf_addf(out,
	    "\r\n--=_%s\r\nContent-Type: message/delivery-status\r\n\r\n"
	    "Reporting-MTA: dns; %s\r\n"
	    "X-Queue-ID: %s\r\n"
	    "Arrival-Date: %s\r\n",
	    dsn_id, host, id, mr_date_text(date, mr_spool_id_time_s(mr_str(id))).p);
	for (size_t i = 0; i < n; i++)
		add_status(out, file, &failed[i]);
	mr_buf_addf(out, "\r\n--=_%s\r\nContent-Type: text/rfc822-headers\r\n\r\n", dsn_id);
	add_header(out, fd, file->message_len);
	mr_buf_addf(out, "\r\n--=_%s--\r\n", dsn_id);
}

static enum mr_status
store(struct mr_spool *spool, struct mr_str text, struct mr_str to, const char *dsn_id,
    struct mr_err *err)
{
	struct mr_spool_msg msg;
	struct mr_arena arena;
	struct mr_env env;
	enum mr_status st = mr_spool_begin(spool, &msg, err);

	if (st)
		return st;
	mr_arena_init(&arena, 1 << 20);
	mr_env_init(&env, &arena);
	if ((st = mr_spool_append(&msg, text, err))
	    || (st = mr_env_set(&env, MR_STR("queue_id"), mr_str(dsn_id), err))
	    || (st = mr_env_set(&env, MR_STR("sender"), MR_STR(""), err))
	    || (st = mr_env_set(&env, MR_STR("size"), MR_NUM(text.n), err))
	    || (st = mr_env_add_rcpt(&env, to, err)))
		mr_spool_abort(&msg);
	else
		st = mr_spool_commit(spool, &msg, dsn_id, MR_STR(""), &env, err);
	mr_arena_free(&arena);
	return st;
}

enum mr_status
mr_dsn_send(struct mr_spool *spool, const char *host, const struct mr_spool_file *file, int fd,
    const char *id, const struct mr_event *failed, size_t failed_n, char dsn_id[MR_ID_MAX],
    struct mr_err *err)
{
	struct mr_buf text;
	enum mr_status st;

	mr_spool_new_id(dsn_id);
	mr_buf_init(&text, DSN_MAX);
	build(&text, host, file, fd, id, failed, failed_n, dsn_id);
	st = text.is_full
	    ? mr_err_set(err, MR_TEMP, "bounce over %u bytes", DSN_MAX)
	    : store(spool, mr_buf_str(&text), mr_env_get(&file->env, "sender"), dsn_id, err);
	mr_buf_free(&text);
	return st;
}
