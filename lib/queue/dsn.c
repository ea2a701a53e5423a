#include "queue/dsn.h"

#include "base/clock.h"
#include "base/log.h"
#include "mail/date.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX  (64u << 20) /* bytes of a bounce, all recipients */
#define ARENA_MAX (1u << 20)
#define FOLD_AT   900u /* octets of a line of ours; RFC 5322 2.1.1 allows 998 */

/* What a bounce is made of. */
struct dsn {
	struct mr_str host, id; /* our name; the original's queue id */
	int64_t now_s, arrived_s;
	int fd;
	const struct mr_spool_file *file;
	const struct mr_event *failed;
	size_t failed_n;
};

bool
mr_dsn_is_wanted(const struct mr_spool_file *file, size_t rcpt)
{
	struct mr_str rest = mr_attrs_get(&file->env.rcpt[rcpt].attrs, "dsn_notify"), word;

	if (!rest.n)
		return true;
	while (mr_str_split(&rest, ',', &word))
		if (mr_str_caseis(mr_str_trim(word), "FAILURE"))
			return true;
	return false;
}

/* ---- values of fields ---- */

/* Text of a stranger in a field of ours: no control characters, not too long for a line.  What is
 * not ASCII becomes '?', because these fields are ASCII (RFC 3464 section 2.1.2). */
static void
add_text(struct mr_buf *out, struct mr_str s)
{
	for (size_t i = 0; i < s.n && i < FOLD_AT; i++)
		mr_buf_addc(out, s.p[i] >= ' ' && s.p[i] <= '~' ? s.p[i] : '?');
}

static bool
is_ascii(struct mr_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

/* One character of UTF-8 off the front of *s; what is malformed is U+FFFD. */
static uint32_t
take_char(struct mr_str *s)
{
	unsigned char c = (unsigned char)s->p[0];
	size_t n = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
	uint32_t v = c & (0x3fu >> n);

	*s = mr_str_from(*s, 1);
	for (; n && s->n && (s->p[0] & 0xc0) == 0x80; n--) {
		v = v << 6 | (uint32_t)(s->p[0] & 0x3f);
		*s = mr_str_from(*s, 1);
	}
	return n ? 0xfffd : v;
}

/* "rfc822; a@b", or "utf-8; \x{E9}@b" (RFC 6533 section 3). */
static void
add_address(struct mr_buf *out, struct mr_str s)
{
	if (is_ascii(s)) {
		mr_buf_adds(out, "rfc822; ");
		add_text(out, s);
		return;
	}
	mr_buf_adds(out, "utf-8; ");
	while (s.n) {
		unsigned char c = (unsigned char)s.p[0];

		if (c >= 0x80)
			mr_buf_addf(out, "\\x{%X}", (unsigned)take_char(&s));
		else {
			if (c <= ' ' || c == '+' || c == '=' || c == '\\' || c == 0x7f)
				mr_buf_addf(out, "\\x{%02X}", (unsigned)c);
			else
				mr_buf_addc(out, (char)c);
			s = mr_str_from(s, 1);
		}
	}
}

static int
hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* ORCPT's "type;xtext" as "type; text" (RFC 3461 sections 4 and 4.2, RFC 3464 section 2.3.1). */
static void
add_orcpt(struct mr_buf *out, struct mr_str s)
{
	ptrdiff_t semi = mr_str_chr(s, ';');

	add_text(out, (struct mr_str){ s.p, semi < 0 ? 0 : (size_t)semi });
	mr_buf_adds(out, semi < 0 ? "rfc822; " : "; ");
	s = mr_str_trim(mr_str_from(s, (size_t)(semi + 1)));
	while (s.n) {
		char c = s.p[0];
		size_t n = 1;

		if (c == '+' && s.n > 2 && hex(s.p[1]) >= 0 && hex(s.p[2]) >= 0) {
			c = (char)(hex(s.p[1]) << 4 | hex(s.p[2]));
			n = 3;
		}
		add_text(out, (struct mr_str){ &c, 1 });
		s = mr_str_from(s, n);
	}
}

/* The name in "mx.example.org[192.0.2.1]:25". */
static struct mr_str
host_name(struct mr_str host)
{
	ptrdiff_t end = mr_str_chr(host, '[');

	if (end <= 0)
		end = mr_str_chr(host, ':');
	return end > 0 ? (struct mr_str){ host.p, (size_t)end } : host;
}

/* ---- the parts ---- */

static void
write_header(const struct dsn *d, const char *id, struct mr_buf *out)
{
	struct mr_str sender = mr_env_get(&d->file->env, "sender");
	char date[MR_DATE_MAX];

	mr_buf_adds(out, "Date: ");
	mr_buf_add(out, mr_date_text(date, d->now_s));
	mr_buf_adds(out, "\r\nFrom: Mail Delivery System <MAILER-DAEMON@");
	add_text(out, d->host);
	mr_buf_adds(out, ">\r\nTo: <");
	mr_buf_add(out, sender); /* an address that was parsed when it was taken */
	mr_buf_addf(out, ">\r\nMessage-ID: <%s@", id);
	add_text(out, d->host);
	mr_buf_adds(out,
	    ">\r\nSubject: Undelivered mail returned to sender\r\n"
	    "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"");
	mr_buf_addf(out, "mr-%s\"\r\n\r\n", id);
}

static void
write_part(const char *id, const char *type, const char *description, struct mr_buf *out)
{
	mr_buf_addf(out, "--mr-%s\r\nContent-Type: %s\r\nContent-Description: %s\r\n\r\n", id, type,
	    description);
}

static void
write_text(const struct dsn *d, struct mr_buf *out)
{
	char date[MR_DATE_MAX];

	mr_buf_adds(out, "This is the mail system at ");
	add_text(out, d->host);
	mr_buf_adds(out, ".\r\n\r\nYour message of ");
	mr_buf_add(out, mr_date_text(date, d->arrived_s));
	mr_buf_adds(out, "\r\ncould not be delivered to the recipients below.\r\n");
	mr_buf_adds(out,
	    "It will not be tried again; its header is attached.\r\n\r\n"
	    "If you ask the postmaster for help, please name this id: ");
	add_text(out, d->id);
	mr_buf_adds(out, "\r\n");
	for (size_t i = 0; i < d->failed_n; i++) {
		const struct mr_event *e = &d->failed[i];

		mr_buf_adds(out, "\r\n<");
		mr_buf_add(out, e->addr);
		mr_buf_adds(out, ">:\r\n    ");
		if (e->host.n) {
			add_text(out, e->host);
			mr_buf_adds(out, " said:\r\n    ");
		}
		add_text(out, e->reply.n ? e->reply : MR_STR("(no words)"));
		mr_buf_adds(out, "\r\n");
	}
	mr_buf_adds(out, "\r\n");
}

static void
write_rcpt_status(const struct dsn *d, const struct mr_event *e, struct mr_buf *out)
{
	const struct mr_attrs *attrs = &d->file->env.rcpt[e->rcpt].attrs;
	struct mr_str orcpt = mr_attrs_get(attrs, "dsn_orcpt"),
	              original = mr_attrs_get(attrs, "original_recipient");
	char date[MR_DATE_MAX];

	mr_buf_adds(out, "\r\n");
	if (orcpt.n || original.n) {
		mr_buf_adds(out, "Original-Recipient: ");
		if (orcpt.n)
			add_orcpt(out, orcpt);
		else
			add_address(out, original);
		mr_buf_adds(out, "\r\n");
	}
	mr_buf_adds(out, "Final-Recipient: ");
	add_address(out, e->addr);
	mr_buf_adds(out, "\r\nAction: failed\r\nStatus: ");
	add_text(out, e->status.n ? e->status : MR_STR("5.0.0"));
	if (e->host.n) {
		mr_buf_adds(out, "\r\nRemote-MTA: dns; ");
		add_text(out, host_name(e->host));
	}
	if (e->reply.n) {
		mr_buf_adds(
		    out, e->host.n ? "\r\nDiagnostic-Code: smtp; " : "\r\nDiagnostic-Code: X-mr; ");
		add_text(out, e->reply);
	}
	mr_buf_adds(out, "\r\nLast-Attempt-Date: ");
	mr_buf_add(out, mr_date_text(date, e->time_s));
	mr_buf_adds(out, "\r\n");
}

static void
write_status(const struct dsn *d, struct mr_buf *out)
{
	struct mr_str envid = mr_env_get(&d->file->env, "dsn_envid");
	char date[MR_DATE_MAX];

	mr_buf_adds(out, "Reporting-MTA: dns; ");
	add_text(out, d->host);
	if (envid.n) {
		mr_buf_adds(out, "\r\nOriginal-Envelope-Id: ");
		add_text(out, envid);
	}
	mr_buf_adds(out, "\r\nArrival-Date: ");
	mr_buf_add(out, mr_date_text(date, d->arrived_s));
	mr_buf_adds(out, "\r\n");
	for (size_t i = 0; i < d->failed_n; i++)
		write_rcpt_status(d, &d->failed[i], out);
	mr_buf_adds(out, "\r\n");
}

static enum mr_status
read_some(int fd, uint64_t off, uint64_t len, struct mr_buf *out, struct mr_err *err)
{
	while (len) {
		char *to = mr_buf_room(out, (size_t)len);
		ssize_t n = to ? pread(fd, to, (size_t)len, (off_t)off) : 0;

		if (!to)
			return mr_err_set(err, MR_TEMP, "out of memory");
		if (n < 0 && errno != EINTR)
			return mr_err_sys(err, MR_TEMP, "read of the original");
		if (n == 0)
			return mr_err_set(err, MR_TEMP, "the original was cut");
		if (n > 0) {
			out->n += (size_t)n;
			off += (uint64_t)n;
			len -= (uint64_t)n;
		}
	}
	return MR_OK;
}

static uint64_t
at_most(uint64_t n, uint64_t max)
{
	return n < max ? n : max;
}

/* Front fields and the message's own header, up to its empty line or MR_DSN_HEADER_MAX. */
static enum mr_status
write_original(const struct dsn *d, struct mr_buf *out, struct mr_err *err)
{
	const struct mr_spool_file *f = d->file;
	uint64_t front = at_most(f->front_len, MR_DSN_HEADER_MAX);
	struct mr_buf head;
	enum mr_status st;
	size_t end = 0;

	mr_buf_init(&head, MR_DSN_HEADER_MAX);
	if ((st = read_some(d->fd, f->front_off, front, &head, err))
	    || (st = read_some(
	            d->fd, 0, at_most(f->message_len, MR_DSN_HEADER_MAX - front), &head, err)))
		goto out;
	/* Whole lines only; a message that begins with an empty line has no header. */
	for (struct mr_str rest = mr_buf_str(&head); end < head.n;) {
		ptrdiff_t lf = mr_str_chr(rest, '\n');

		if (lf < 0 || (lf == 1 && end >= front))
			break;
		end += (size_t)lf + 1;
		rest = mr_str_from(rest, (size_t)lf + 1);
	}
	mr_buf_add(out, (struct mr_str){ head.p, end });
out:
	mr_buf_free(&head);
	return st;
}

static enum mr_status
set_env(
    struct mr_env *env, const struct dsn *d, const char *id, struct mr_str text, struct mr_err *err)
{
	struct mr_str sender = mr_env_get(&d->file->env, "sender"),
	              utf8 = mr_env_get(&d->file->env, "smtputf8");
	enum mr_status st;

	if ((st = mr_env_set(env, MR_STR("sender"), MR_STR(""), err))
	    || (st = mr_env_set(env, MR_STR("queue_id"), mr_str(id), err))
	    || (st = mr_env_set(
	            env, MR_STR("body"), is_ascii(text) ? MR_STR("7BIT") : MR_STR("8BITMIME"), err))
	    || (st = mr_env_set(env, MR_STR("size"), MR_NUM(text.n), err))
	    || (utf8.n && (st = mr_env_set(env, MR_STR("smtputf8"), utf8, err))))
		return st;
	return mr_env_add_rcpt(env, sender, err);
}

static enum mr_status
write_message(const struct dsn *d, const char *id, struct mr_buf *out, struct mr_err *err)
{
	enum mr_status st;

	write_header(d, id, out);
	write_part(id, "text/plain; charset=utf-8", "Notification", out);
	write_text(d, out);
	write_part(id, "message/delivery-status", "Delivery report", out);
	write_status(d, out);
	write_part(id, "text/rfc822-headers", "Header of the undelivered message", out);
	if ((st = write_original(d, out, err)))
		return st;
	mr_buf_addf(out, "\r\n--mr-%s--\r\n", id);
	return out->is_full ? mr_err_set(err, MR_TEMP, "out of memory for the bounce") : MR_OK;
}

enum mr_status
mr_dsn_send(struct mr_spool *spool, const char *host, const struct mr_spool_file *file, int fd,
    const char *id, const struct mr_event *failed, size_t failed_n, char dsn_id[MR_ID_MAX],
    struct mr_err *err)
{
	const struct dsn d = { .host = mr_str(host),
		.id = mr_str(id),
		.now_s = mr_clock_now_s(),
		.arrived_s = mr_spool_id_time_s(mr_str(id)),
		.fd = fd,
		.file = file,
		.failed = failed,
		.failed_n = failed_n };
	struct mr_spool_msg msg = { .fd = -1 };
	struct mr_arena arena;
	struct mr_env env;
	struct mr_buf text;
	enum mr_status st;

	mr_spool_new_id(dsn_id);
	mr_arena_init(&arena, ARENA_MAX);
	mr_env_init(&env, &arena);
	mr_buf_init(&text, TEXT_MAX);
	if ((st = write_message(&d, dsn_id, &text, err)) == MR_OK
	    && (st = set_env(&env, &d, dsn_id, mr_buf_str(&text), err)) == MR_OK
	    && (st = mr_spool_begin(spool, &msg, err)) == MR_OK
	    && (st = mr_spool_append(&msg, mr_buf_str(&text), err)) == MR_OK)
		st = mr_spool_commit(spool, &msg, dsn_id, MR_STR(""), &env, err);
	mr_spool_abort(&msg);
	mr_buf_free(&text);
	mr_arena_free(&arena);
	return st == MR_OK ? MR_OK : MR_TEMP;
}
