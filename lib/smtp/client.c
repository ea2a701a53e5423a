#include "smtp/client.h"

#include "base/clock.h"
#include "smtp/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RAW_MAX 32768u

/* Our words, where the remote has said none. */
static const char too_large[] =
    "message of %" PRIu64 " bytes is over this host's limit of %" PRIu64;
static const char no_utf8[] = "this host does not take addresses in UTF-8 (SMTPUTF8)";
static const char damaged[] = "stored message has a CR or LF alone; not sent";
static const char unreadable[] = "stored message cannot be read: %s; not sent";
static const char maybe_sent[] =
    "no answer to the end of the message: %s; it will be sent again and may arrive twice";

/* One call: opening a connection or one transaction on it. */
struct call {
	struct mr_smtp *c;
	struct mr_arena *arena;
	struct mr_job_result *why;
	/* of a transaction only */
	const struct mr_job *job;
	int fd;
	struct mr_smtp_rcpt *rcpt;
	size_t accepted_n;
	bool has_mail; /* MAIL was answered 2xx */
	bool may_send; /* DATA was answered 354 */
};

/* Results without memory for their words are still results. */
static struct mr_str
kept(struct mr_arena *arena, struct mr_str s)
{
	struct mr_str copy = s.p ? mr_arena_dup(arena, s) : s;

	return copy.p ? copy : MR_STR("");
}

static int64_t
limit(const struct mr_smtp *c, int seconds)
{
	if (c->wait_max_s && seconds > c->wait_max_s)
		seconds = c->wait_max_s;
	return mr_clock_mono_ms() + (int64_t)seconds * 1000;
}

static void
hang_up(struct mr_smtp *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->in.off = c->in.end = 0;
	mr_buf_clear(&c->out);
}

/* The answer as a result.  A 4xx or 5xx without an enhanced code of its class gets the plainest one
 * (RFC 3463 section 3.1). */
static struct mr_job_result
answer(struct call *t, enum mr_outcome outcome)
{
	const struct mr_reply *r = &t->c->reply;
	static const char *const plain[] = { "2.0.0", "4.0.0", "5.0.0" };
	bool fits = r->status[0] == plain[outcome][0];

	return (struct mr_job_result){ .outcome = outcome,
		.host = kept(t->arena, mr_buf_str(&t->c->peer)),
		.reply = kept(t->arena, mr_reply_text(r)),
		.status = fits ? kept(t->arena, mr_str(r->status)) : mr_str(plain[outcome]) };
}

static struct mr_job_result
ours(struct call *t, enum mr_outcome outcome, const char *status, struct mr_str words)
{
	return (struct mr_job_result){ .outcome = outcome,
		.host = kept(t->arena, mr_buf_str(&t->c->peer)),
		.reply = words.p ? words : MR_STR(""),
		.status = mr_str(status) };
}

/* The connection is over; false, for the caller to pass on. */
static bool
lost(struct call *t, const char *status, struct mr_str words)
{
	*t->why = ours(t, MR_DEFERRED, status, words);
	hang_up(t->c);
	return false;
}

/* An answer that makes no sense at this point. */
static bool
nonsense(struct call *t, const char *to)
{
	return lost(t, "4.5.0",
	    mr_arena_fmt(t->arena, "strange answer to %s: %.*s", to, (int)t->c->reply.text_n,
	        t->c->reply.text));
}

/* Writes what has been gathered: one write where the kernel takes it. */
static bool
put(struct call *t)
{
	struct mr_smtp *c = t->c;
	struct mr_err err, none;

	if (c->out.is_full)
		return lost(t, "4.3.0", MR_STR("out of memory, or commands too long"));
	if (mr_io_write_by(c->fd, mr_buf_str(&c->out), limit(c, MR_SMTP_BLOCK_S), &err) == MR_OK) {
		mr_buf_clear(&c->out);
		return true;
	}
	/* A server that hangs up often says why before. */
	if (mr_reply_read(&c->reply, &c->in, mr_clock_mono_ms(), NULL, NULL, &none) == MR_OK
	    && mr_reply_class(&c->reply) >= 4) {
		*t->why = answer(t, MR_DEFERRED);
		hang_up(c);
		return false;
	}
	return lost(t, "4.4.2", mr_arena_fmt(t->arena, "connection lost: %s", err.text));
}

/* Reads the answer to `to`.  False if there is none, or if it is 421: the server closes then,
 * whatever it was asked (RFC 5321 3.8, 4.2.2). */
static bool
get_each(struct call *t, int seconds, const char *to,
    void (*each)(void *c, unsigned line, struct mr_str words))
{
	struct mr_smtp *c = t->c;
	struct mr_err err;
	enum mr_status st = mr_reply_read(&c->reply, &c->in, limit(c, seconds), each, c, &err);

	if (st != MR_OK)
		return lost(t, st == MR_PERM ? "4.5.0" : "4.4.2",
		    mr_arena_fmt(t->arena, "no answer to %s: %s", to, err.text));
	if (c->reply.code != 421)
		return true;
	*t->why = answer(t, MR_DEFERRED);
	hang_up(c);
	return false;
}

static bool
get(struct call *t, int seconds, const char *to)
{
	return get_each(t, seconds, to, NULL);
}

/* ---- connecting ---- */

static bool
dial(struct call *t, const struct mr_ip *ip, unsigned port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	int rc, e = 0,
	        fd = socket(
	            ip->is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct mr_smtp *c = t->c;
	struct mr_err err;

	c->fd = c->in.fd = fd;
	if (fd < 0)
		return lost(t, "4.4.1", mr_arena_fmt(t->arena, "socket: %s", strerror(errno)));
	memcpy(&v4.sin_addr, ip->b, sizeof v4.sin_addr);
	memcpy(&v6.sin6_addr, ip->b, sizeof v6.sin6_addr);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	rc = ip->is_v6 ? connect(fd, (struct sockaddr *)&v6, sizeof v6)
	               : connect(fd, (struct sockaddr *)&v4, sizeof v4);
	if (rc && errno == EINPROGRESS) {
		if (mr_io_wait(fd, POLLOUT, limit(c, MR_SMTP_CONNECT_S), &err))
			return lost(t, "4.4.1", mr_arena_fmt(t->arena, "connect: %s", err.text));
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &(socklen_t){ sizeof e });
	} else if (rc)
		e = errno;
	return e ? lost(t, "4.4.1", mr_arena_fmt(t->arena, "connect: %s", strerror(e))) : true;
}

/* A line of the answer to EHLO (RFC 5321 4.1.1.1); the first is the server's name. */
static void
take_extension(void *ctx, unsigned line, struct mr_str words)
{
	struct mr_str keyword = mr_str_word(&words);
	struct mr_smtp *c = ctx;
	uint64_t n;

	if (line == 1)
		return;
	if (mr_str_caseis(keyword, "PIPELINING"))
		c->has_pipelining = true;
	else if (mr_str_caseis(keyword, "8BITMIME"))
		c->has_8bitmime = true;
	else if (mr_str_caseis(keyword, "SMTPUTF8"))
		c->has_smtputf8 = true;
	else if (mr_str_caseis(keyword, "SIZE")) {
		c->has_size = true;
		c->size_max = mr_str_num(mr_str_word(&words), INT64_MAX, &n) ? n : 0;
	}
}

static bool
hello(struct call *t, const char *verb)
{
	struct mr_smtp *c = t->c;

	mr_buf_addf(&c->out, "%s %.*s\r\n", verb, (int)c->own_name.n, c->own_name.p);
	return put(t) && get_each(t, MR_SMTP_HELLO_S, verb, verb[0] == 'E' ? take_extension : NULL);
}

/* The answer refuses us.  5xx: MR_PERM. */
static enum mr_status
refused(struct call *t)
{
	bool for_good = mr_reply_class(&t->c->reply) == 5;

	*t->why = answer(t, for_good ? MR_FAILED : MR_DEFERRED);
	mr_smtp_quit(t->c);
	return for_good ? MR_PERM : MR_TEMP;
}

enum mr_status
mr_smtp_open(struct mr_smtp *c, struct mr_str name, const struct mr_ip *ip, unsigned port,
    struct mr_arena *arena, struct mr_job_result *why)
{
	struct call t = { .c = c, .arena = arena, .why = why };
	char z[MR_IP_TEXT_MAX];

	mr_smtp_quit(c);
	c->uses = 0;
	c->needs_rset = c->has_pipelining = c->has_8bitmime = c->has_smtputf8 = c->has_size = false;
	c->size_max = 0;
	mr_buf_clear(&c->peer);
	mr_buf_addf(&c->peer, "%.*s[%s]:%u", (int)name.n, name.p, mr_ip_text(z, ip).p, port);
	if (!c->in.p && mr_reader_init(&c->in, -1, MR_REPLY_LINE_MAX, NULL)) {
		lost(&t, "4.3.0", MR_STR("out of memory"));
		return MR_TEMP;
	}
	if (!dial(&t, ip, port) || !get(&t, MR_SMTP_GREETING_S, "the connection"))
		return MR_TEMP;
	if (mr_reply_class(&c->reply) != 2)
		return refused(&t);
	if (!hello(&t, "EHLO"))
		return MR_TEMP;
	if (mr_reply_class(&c->reply) == 5) {
		c->has_pipelining = c->has_8bitmime = c->has_smtputf8 = c->has_size = false;
		if (!hello(&t, "HELO"))
			return MR_TEMP;
	}
	return mr_reply_class(&c->reply) == 2 ? MR_OK : refused(&t);
}

/* ---- a transaction ---- */

static void
decide(struct call *t, size_t i, struct mr_job_result result)
{
	t->rcpt[i].is_decided = true;
	t->rcpt[i].result = result;
	t->rcpt[i].result.rcpt = i;
}

/* Decides those that are not, or only those of them that the server has accepted. */
static void
decide_all(struct call *t, bool only_accepted, struct mr_job_result result)
{
	for (size_t i = 0; i < t->job->rcpt_n; i++)
		if (!t->rcpt[i].is_decided && (t->rcpt[i].is_accepted || !only_accepted))
			decide(t, i, result);
}

static bool
is_utf8(struct mr_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return true;
	return false;
}

/* What this server cannot take is not asked of it.  *needs_utf8: what remains has UTF-8. */
static void
judge(struct call *t, bool *needs_utf8)
{
	uint64_t size = t->job->front_len + t->job->message_len;
	struct mr_smtp *c = t->c;
	bool sender = is_utf8(t->job->sender);

	*needs_utf8 = sender;
	if (c->size_max && size > c->size_max) /* RFC 1870 section 6.1 */
		decide_all(t, false,
		    ours(t, MR_FAILED, "5.3.4",
		        mr_arena_fmt(t->arena, too_large, size, c->size_max)));
	for (size_t i = 0; i < t->job->rcpt_n; i++) {
		if (t->rcpt[i].is_decided || !(sender || is_utf8(t->job->rcpt[i])))
			continue;
		*needs_utf8 = true;
		if (!c->has_smtputf8) /* RFC 6531 section 3.2 */
			decide(t, i, ours(t, MR_FAILED, "5.6.7", mr_str(no_utf8)));
	}
	*needs_utf8 = *needs_utf8 && c->has_smtputf8;
}

/* The commands in order; DATA is STEP_RCPT + rcpt_n. */
enum { STEP_RSET, STEP_MAIL, STEP_RCPT };

static void
say(struct call *t, size_t step, bool needs_utf8)
{
	const struct mr_job *job = t->job;
	struct mr_smtp *c = t->c;

	if (step == STEP_RSET)
		mr_buf_adds(&c->out, "RSET\r\n");
	else if (step == STEP_MAIL) {
		mr_buf_adds(&c->out, "MAIL FROM:<");
		mr_buf_add(&c->out, job->sender);
		mr_buf_addc(&c->out, '>');
		if (c->has_size)
			mr_buf_addf(&c->out, " SIZE=%" PRIu64, job->front_len + job->message_len);
		if (c->has_8bitmime && job->is_8bit)
			mr_buf_adds(&c->out, " BODY=8BITMIME");
		if (needs_utf8)
			mr_buf_adds(&c->out, " SMTPUTF8");
		mr_buf_adds(&c->out, "\r\n");
	} else if (step == STEP_RCPT + job->rcpt_n)
		mr_buf_adds(&c->out, "DATA\r\n");
	else {
		mr_buf_adds(&c->out, "RCPT TO:<");
		mr_buf_add(&c->out, job->rcpt[step - STEP_RCPT]);
		mr_buf_adds(&c->out, ">\r\n");
	}
}

static bool
hear_mail(struct call *t)
{
	unsigned class;

	if (!get(t, MR_SMTP_MAIL_S, "MAIL"))
		return false;
	class = mr_reply_class(&t->c->reply);
	if (class == 3)
		return nonsense(t, "MAIL");
	t->has_mail = t->c->needs_rset = class == 2;
	if (!t->has_mail)
		decide_all(t, false, answer(t, class == 5 ? MR_FAILED : MR_DEFERRED));
	return true;
}

static bool
hear_rcpt(struct call *t, size_t i)
{
	unsigned class;

	if (!get(t, MR_SMTP_RCPT_S, "RCPT"))
		return false;
	class = mr_reply_class(&t->c->reply);
	if (!t->has_mail)
		return true;
	if (class == 3)
		return nonsense(t, "RCPT");
	if (class == 2) {
		t->rcpt[i].is_accepted = true;
		t->accepted_n++;
	} else if (class == 4 || t->c->reply.code == 552) /* too many: RFC 5321 4.5.3.1.10 */
		decide(t, i, answer(t, MR_DEFERRED));
	else
		decide(t, i, answer(t, MR_FAILED));
	return true;
}

static bool
hear_data(struct call *t)
{
	unsigned class;

	if (!get(t, MR_SMTP_DATA_S, "DATA"))
		return false;
	class = mr_reply_class(&t->c->reply);
	t->may_send = t->c->reply.code == 354;
	if (t->may_send || t->accepted_n == 0)
		return true;
	if (class < 4)
		return nonsense(t, "DATA");
	decide_all(t, true, answer(t, class == 5 ? MR_FAILED : MR_DEFERRED));
	return true;
}

static bool
hear(struct call *t, size_t step)
{
	if (step == STEP_MAIL)
		return hear_mail(t);
	if (step == STEP_RCPT + t->job->rcpt_n)
		return hear_data(t);
	if (step != STEP_RSET)
		return hear_rcpt(t, step - STEP_RCPT);
	if (!get(t, MR_SMTP_MAIL_S, "RSET"))
		return false;
	if (mr_reply_class(&t->c->reply) != 2)
		return nonsense(t, "RSET");
	t->c->needs_rset = false;
	return true;
}

/* RSET where it is due, MAIL, RCPT, DATA: in one write with PIPELINING, else one by one. */
static bool
envelope(struct call *t, bool needs_utf8)
{
	size_t data = STEP_RCPT + t->job->rcpt_n, mail = t->c->needs_rset ? STEP_RSET : STEP_MAIL;
	bool skip[STEP_RCPT + MR_JOB_RCPT_MAX + 1] = { false };

	for (size_t i = 0; i < t->job->rcpt_n; i++)
		skip[STEP_RCPT + i] = t->rcpt[i].is_decided;
	for (size_t step = mail; step <= data; step++) {
		if (skip[step])
			continue;
		if (!t->c->has_pipelining
		    && ((step > STEP_MAIL && !t->has_mail) || (step == data && !t->accepted_n)))
			break;
		say(t, step, needs_utf8);
		if (!t->c->has_pipelining && (!put(t) || !hear(t, step)))
			return false;
	}
	if (!t->c->has_pipelining)
		return true;
	if (!put(t))
		return false;
	for (size_t step = mail; step <= data; step++)
		if (!skip[step] && !hear(t, step))
			return false;
	return true;
}

/* All that the server had accepted are deferred, and the connection ends as it is: for a fault of
 * ours in the middle of a message without the final dot. */
static bool
give_up(struct call *t, const char *status, struct mr_str words)
{
	decide_all(t, true, ours(t, MR_DEFERRED, status, words));
	hang_up(t->c);
	return false;
}

static bool
send_part(struct call *t, struct mr_wire *w, uint64_t off, uint64_t len)
{
	struct mr_smtp *c = t->c;

	while (len) {
		size_t want = len < RAW_MAX ? (size_t)len : RAW_MAX;
		char *raw = mr_buf_room(&c->raw, RAW_MAX);
		ssize_t n;

		if (!raw)
			return give_up(t, "4.3.0", MR_STR("out of memory"));
		n = pread(t->fd, raw, want, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return give_up(t, "4.3.0",
			    mr_arena_fmt(t->arena, unreadable,
			        n ? strerror(errno) : "shorter than its record says"));
		if (!mr_wire_add(w, (struct mr_str){ raw, (size_t)n }, &c->out))
			return give_up(t, "4.6.0", mr_str(damaged));
		if (c->out.n >= MR_SMTP_BLOCK && !put(t))
			return false;
		off += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return true;
}

/* The message and its end.  False: the connection is over. */
static bool
content(struct call *t)
{
	struct mr_smtp *c = t->c;
	struct mr_wire w = { .in_line = false };
	enum mr_status st;
	struct mr_err err;
	unsigned class;

	if (!send_part(t, &w, t->job->front_off, t->job->front_len)
	    || !send_part(t, &w, 0, t->job->message_len))
		return false;
	if (!mr_wire_end(&w, &c->out))
		return give_up(t, "4.6.0", mr_str(damaged));
	if (!put(t))
		return false;
	st = mr_reply_read(&c->reply, &c->in, limit(c, MR_SMTP_DOT_S), NULL, NULL, &err);
	if (st != MR_OK || mr_reply_class(&c->reply) == 3)
		return give_up(t, "4.4.2",
		    mr_arena_fmt(t->arena, maybe_sent, st ? err.text : "a strange answer"));
	class = mr_reply_class(&c->reply);
	c->needs_rset = false;
	decide_all(t, true,
	    answer(t,
	        class == 2       ? MR_DELIVERED
	            : class == 5 ? MR_FAILED
	                         : MR_DEFERRED));
	if (c->reply.code == 421)
		hang_up(c);
	return true;
}

/* Nothing may have come since the last answer: neither the end nor a reply out of turn, which would
 * be taken for the answer to MAIL. */
static bool
is_quiet(const struct mr_smtp *c)
{
	return mr_reader_window(&c->in).n == 0
	    && poll(&(struct pollfd){ .fd = c->fd, .events = POLLIN }, 1, 0) == 0;
}

static bool
all_decided(const struct call *t)
{
	for (size_t i = 0; i < t->job->rcpt_n; i++)
		if (!t->rcpt[i].is_decided)
			return false;
	return true;
}

static bool
transact(struct call *t, bool needs_utf8)
{
	struct mr_smtp *c = t->c;

	if (!envelope(t, needs_utf8))
		return false;
	if (t->accepted_n && t->may_send)
		return content(t);
	if (t->may_send) {
		/* DATA was accepted with no recipients: an empty message, and RSET before the
		 * next transaction (RFC 2920 section 3.1). */
		mr_buf_adds(&c->out, ".\r\n");
		c->needs_rset = true;
		return put(t) && get(t, MR_SMTP_DOT_S, "an empty message");
	}
	return true;
}

enum mr_status
mr_smtp_send(struct mr_smtp *c, const struct mr_job *job, int fd, struct mr_smtp_rcpt *rcpt,
    struct mr_arena *arena, struct mr_job_result *why)
{
	struct call t = { .c = c, .arena = arena, .why = why, .job = job, .fd = fd, .rcpt = rcpt };
	bool was_used = c->uses++ > 0, needs_utf8;

	if (was_used && !is_quiet(c)) {
		hang_up(c);
		return MR_NOTFOUND;
	}
	for (size_t i = 0; i < job->rcpt_n; i++)
		rcpt[i].is_accepted = false;
	judge(&t, &needs_utf8);
	if (all_decided(&t) || transact(&t, needs_utf8) || all_decided(&t))
		return MR_OK;
	return was_used && !t.has_mail ? MR_NOTFOUND : MR_TEMP;
}

/* ---- its life ---- */

void
mr_smtp_init(struct mr_smtp *c, struct mr_str own_name, int wait_max_s)
{
	*c = (struct mr_smtp){ .own_name = own_name, .wait_max_s = wait_max_s, .fd = -1 };
	mr_buf_init(&c->peer, MR_REPLY_TEXT_MAX);
	mr_buf_init(&c->out, MR_SMTP_OUT_MAX);
	mr_buf_init(&c->raw, RAW_MAX);
}

void
mr_smtp_quit(struct mr_smtp *c)
{
	/* We do not wait for the 221: nothing depends on it, and the next mail does wait. */
	if (c->fd >= 0)
		send(c->fd, "QUIT\r\n", 6, MSG_DONTWAIT | MSG_NOSIGNAL);
	hang_up(c);
}

void
mr_smtp_free(struct mr_smtp *c)
{
	mr_smtp_quit(c);
	mr_buf_free(&c->peer);
	mr_buf_free(&c->out);
	mr_buf_free(&c->raw);
	if (c->in.p)
		mr_reader_free(&c->in);
}
