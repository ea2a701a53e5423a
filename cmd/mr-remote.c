/* mr-remote - sends mail by SMTP: a worker of the queue, or one message by hand. */
#include "base/clock.h"
#include "base/opt.h"
#include "base/sandbox.h"
#include "mail/addr.h"
#include "smtp/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define KEEP_S    5          /* an idle connection is kept that long */
#define ARENA_MAX (4u << 20) /* bytes of one job and its results */
#define COPY_MAX  65536u     /* bytes of input copied at a time */
#define HOST_MAX  256u       /* bytes of our host name */

enum { EXIT_OK = 0, EXIT_FAILED = 100, EXIT_TEMP = 111 };

static const char usage_text[] =
    "usage: mr-remote -w [-N name] [-T seconds] [-k seconds] [-D resolver] [-p port]\n"
    "       mr-remote [-N name] [-T seconds] [-D resolver] [-p port]\n"
    "           -f sender -r recipient ... [host[:port] ...] < message\n";

struct settings {
	bool is_worker;
	struct mr_str name, sender;
	struct mr_str *rcpt; /* addresses as given, then as parsed */
	size_t rcpt_n;
	uint64_t wait_max_s, keep_s, mx_port;
	struct mr_dns_conf resolver;
	struct mr_arena arena;
};

/* ---- worker ---- */

static enum mr_status
send_result(const struct mr_job_result *result, struct mr_buf *packet, struct mr_err *err)
{
	mr_buf_clear(packet);
	mr_job_result_write(result, packet);
	if (packet->is_full)
		return mr_err_set(err, MR_TEMP, "result over %zu bytes", packet->max);
	return mr_io_send_packet(0, mr_buf_str(packet), -1, err);
}

/* One packet: results of all recipients, and the end. */
static enum mr_status
do_job(struct mr_relay *relay, struct mr_str packet, int fd, struct mr_arena *arena,
    const struct mr_log *log, struct mr_err *err)
{
	struct mr_job_result done = { .is_done = true };
	struct mr_smtp_rcpt *rcpt = NULL;
	enum mr_status st = MR_OK;
	struct mr_buf answer;
	struct mr_job job;

	mr_buf_init(&answer, MR_JOB_RESULT_MAX);
	st = mr_job_parse(&job, arena, packet, err);
	if (st == MR_OK && !(rcpt = mr_arena_alloc(arena, job.rcpt_n * sizeof *rcpt)))
		st = mr_err_set(err, MR_TEMP, "out of memory");
	if (st) {
		/* Recipients without a result are the scheduler's: it tries again later. */
		MR_LOG(log, MR_LOG_FAULT, "job", { "why", mr_str(err->text) });
		st = MR_OK;
	} else {
		done.host_down = mr_relay_job(relay, &job, fd, rcpt, arena);
		for (size_t i = 0; i < job.rcpt_n && st == MR_OK; i++)
			st = send_result(&rcpt[i].result, &answer, err);
	}
	if (st == MR_OK)
		st = send_result(&done, &answer, err);
	mr_buf_free(&answer);
	return st;
}

/* Until a job is there.  A connection that has been idle for long enough, or on which the server
 * says something (that is: goodbye), is ended meanwhile. */
static void
wait_for_job(struct mr_relay *relay, uint64_t keep_s)
{
	while (relay->smtp.fd >= 0) {
		struct pollfd p[2] = { { .fd = 0, .events = POLLIN },
			{ .fd = relay->smtp.fd, .events = POLLIN } };
		int n = poll(p, 2, (int)keep_s * 1000);

		if (n > 0 && p[0].revents)
			return;
		if (n >= 0 || errno != EINTR)
			mr_smtp_quit(&relay->smtp);
	}
}

static int
work(struct mr_relay *relay, uint64_t keep_s, const struct mr_log *log)
{
	struct mr_arena arena;
	struct mr_buf packet;
	enum mr_status st;
	struct mr_err err;
	int fd;

	mr_arena_init(&arena, ARENA_MAX);
	mr_buf_init(&packet, MR_JOB_MAX);
	for (;;) {
		wait_for_job(relay, keep_s);
		st = mr_io_recv_packet(0, &packet, &fd, &err);
		if (st == MR_OK)
			st = do_job(relay, mr_buf_str(&packet), fd, &arena, log, &err);
		if (fd >= 0)
			close(fd);
		mr_arena_free(&arena);
		if (st != MR_OK)
			break;
	}
	if (st != MR_NOTFOUND)
		MR_LOG(log, MR_LOG_FAULT, "worker", { "why", mr_str(err.text) });
	mr_buf_free(&packet);
	return st == MR_NOTFOUND ? EXIT_OK : EXIT_TEMP;
}

/* ---- by hand ---- */

/* An unnamed file, on disk if that can be. */
static int
unnamed_file(void)
{
	const char *dir = getenv("TMPDIR");
	int fd = open(dir && *dir ? dir : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd >= 0 ? fd : memfd_create("mr-remote", MFD_CLOEXEC);
}

/* Copies a message from `in` in wire form: LF becomes CRLF, the last line gets its end. */
static enum mr_status
copy_message(int in, int to, struct mr_job *job, struct mr_err *err)
{
	struct mr_reader r;
	struct mr_buf out;
	enum mr_status st;
	char last = '\n';

	mr_buf_init(&out, 2 * COPY_MAX + 2);
	if ((st = mr_reader_init(&r, in, COPY_MAX, err)))
		return st;
	while ((st = mr_reader_fill(&r, MR_NO_DEADLINE, err)) == MR_OK) {
		struct mr_str s = mr_reader_window(&r);

		for (size_t i = 0; i < s.n; last = s.p[i++]) {
			if (last == '\r' && s.p[i] != '\n')
				goto out;
			if (s.p[i] == '\n' && last != '\r')
				mr_buf_addc(&out, '\r');
			mr_buf_addc(&out, s.p[i]);
			job->is_8bit |= (unsigned char)s.p[i] >= 0x80;
		}
		mr_reader_take(&r, s.n);
		job->message_len += out.n;
		if ((st = mr_io_write(to, mr_buf_str(&out), err)))
			goto out;
		mr_buf_clear(&out);
	}
	if (st == MR_NOTFOUND && last != '\r') {
		struct mr_str end = last == '\n' ? MR_STR("") : MR_STR("\r\n");

		job->message_len += end.n;
		st = mr_io_write(to, end, err);
	}
out:
	if (last == '\r' && (st == MR_OK || st == MR_NOTFOUND))
		st = mr_err_set(err, MR_PERM, "message has a CR without LF; nothing was sent");
	mr_buf_free(&out);
	mr_reader_free(&r);
	return st;
}

static struct mr_str
domain_of(struct mr_str addr)
{
	return mr_str_from(addr, (size_t)(mr_str_rchr(addr, '@') + 1));
}

/* A job of the recipient at `from` and those behind it that go the same way, moved next to it. */
static struct mr_job
next_job(const struct settings *s, struct mr_job job, size_t from, struct mr_arena *arena)
{
	struct mr_str *rcpt = s->rcpt + from;
	bool by_mx = job.nexthop.n == 0;

	job.rcpt = rcpt;
	job.rcpt_n = 1;
	for (size_t i = 1; from + i < s->rcpt_n && job.rcpt_n < MR_JOB_RCPT_MAX; i++) {
		struct mr_str swap = rcpt[i];

		if (by_mx && !mr_str_caseeq(domain_of(swap), domain_of(rcpt[0])))
			continue;
		rcpt[i] = rcpt[job.rcpt_n];
		rcpt[job.rcpt_n++] = swap;
	}
	if (by_mx) {
		struct mr_str domain = domain_of(rcpt[0]);

		job.nexthop = mr_arena_fmt(arena, "mx:%.*s", (int)domain.n, domain.p);
	}
	return job;
}

/* "b@example.org: delivered: mx.example.org[192.0.2.1]:25: 250 2.0.0 kept" */
static void
print_result(struct mr_str addr, const struct mr_job_result *r)
{
	struct mr_buf line;
	struct mr_err err;

	mr_buf_init(&line, MR_JOB_RESULT_MAX);
	mr_buf_add(&line, addr);
	mr_buf_addf(&line, ": %s: ", mr_outcome_word(r->outcome));
	if (r->host.n)
		mr_buf_addf(&line, "%.*s: ", (int)r->host.n, r->host.p);
	mr_buf_addf(&line, "%.*s\n", (int)r->reply.n, r->reply.p);
	mr_io_write(1, mr_buf_str(&line), &err);
	mr_buf_free(&line);
}

static int
send_all(struct mr_relay *relay, const struct settings *s, const struct mr_job *message, int fd)
{
	bool any[MR_FAILED + 1] = { false };
	struct mr_arena arena;

	mr_arena_init(&arena, ARENA_MAX);
	for (size_t from = 0, n; from < s->rcpt_n; from += n) {
		struct mr_smtp_rcpt rcpt[MR_JOB_RCPT_MAX];
		struct mr_job job = next_job(s, *message, from, &arena);

		n = job.rcpt_n;
		mr_relay_job(relay, &job, fd, rcpt, &arena);
		for (size_t i = 0; i < n; i++) {
			print_result(job.rcpt[i], &rcpt[i].result);
			any[rcpt[i].result.outcome] = true;
		}
		mr_arena_free(&arena);
	}
	return any[MR_DEFERRED] ? EXIT_TEMP : any[MR_FAILED] ? EXIT_FAILED : EXIT_OK;
}

/* ---- options ---- */

static enum mr_status
parse_addresses(struct settings *s, bool by_mx, struct mr_err *err)
{
	struct mr_addr a;
	enum mr_status st;

	if (s->rcpt_n == 0 || !s->sender.p)
		return mr_err_set(err, MR_USAGE, "need -f and -r");
	if (s->sender.n && (st = mr_addr_parse(&a, &s->arena, s->sender, err)))
		return st;
	if (s->sender.n)
		s->sender = a.text;
	for (size_t i = 0; i < s->rcpt_n; i++) {
		if ((st = mr_addr_parse(&a, &s->arena, s->rcpt[i], err)))
			return st;
		if (by_mx && a.domain.n == 0)
			return mr_err_set(err, MR_USAGE, "-r needs a domain, or name a host");
		s->rcpt[i] = a.text;
	}
	return MR_OK;
}

static enum mr_status
take_option(struct settings *s, int letter, const char *arg, struct mr_err *err)
{
	switch (letter) {
	case 'w':
		s->is_worker = true;
		return MR_OK;
	case 'N':
		s->name = mr_str(arg);
		return MR_OK;
	case 'f':
		s->sender = mr_str(arg);
		return MR_OK;
	case 'r':
		s->rcpt[s->rcpt_n++] = mr_str(arg);
		return MR_OK;
	case 'T':
		return mr_opt_span_s('T', arg, 1, 3600, &s->wait_max_s, err);
	case 'k':
		return mr_opt_span_s('k', arg, 0, 3600, &s->keep_s, err);
	case 'p':
		return mr_opt_num('p', arg, 1, 65535, &s->mx_port, err);
	default:
		return mr_dns_conf_parse(&s->resolver, arg, err);
	}
}

/* Options and operands; the next hops of the operands, joined. */
static enum mr_status
read_options(struct settings *s, int argc, char *argv[], struct mr_str *nexthop, struct mr_err *err)
{
	struct mr_opt o = { .argc = argc, .argv = argv, .letters = "wN:f:r:T:k:p:D:" };
	char *name = mr_arena_alloc(&s->arena, HOST_MAX);
	enum mr_status st;
	int c;

	s->rcpt = mr_arena_alloc(&s->arena, (size_t)argc * sizeof *s->rcpt);
	if (!name || !s->rcpt)
		return mr_err_set(err, MR_TEMP, "out of memory");
	while ((c = mr_opt_next(&o, err)) > 0)
		if ((st = take_option(s, c, o.arg, err)))
			return st;
	if (c < 0)
		return MR_USAGE;
	if (!s->name.p && gethostname(name, HOST_MAX - 1) == 0)
		s->name = mr_str(name);
	if (!mr_domain_is_valid(s->name) && !mr_domain_is_literal(s->name))
		return mr_err_set(err, MR_USAGE, "'%.*s' is no host name; give one with -N",
		    (int)s->name.n, s->name.p ? s->name.p : "");
	for (int i = o.at; i < argc; i++)
		*nexthop = mr_arena_fmt(&s->arena, "%s%s%s", nexthop->p ? nexthop->p : "",
		    i > o.at ? " " : "", argv[i]);
	if (s->is_worker)
		return o.at < argc || s->rcpt_n || s->sender.p
		    ? mr_err_set(err, MR_USAGE, "-w takes its mail from descriptor 0")
		    : MR_OK;
	return parse_addresses(s, nexthop->n == 0, err);
}

static int
by_hand(struct mr_relay *relay, const struct settings *s, struct mr_str nexthop, int fd,
    const struct mr_log *log)
{
	struct mr_job job = { .id = MR_STR("-"), .sender = s->sender, .nexthop = nexthop };
	struct mr_err err;
	enum mr_status st =
	    fd < 0 ? mr_err_sys(&err, MR_TEMP, "temporary file") : copy_message(0, fd, &job, &err);

	if (st == MR_OK)
		return send_all(relay, s, &job, fd);
	MR_LOG(log, MR_LOG_FAULT, "message", { "why", mr_str(err.text) });
	return st == MR_PERM ? EXIT_FAILED : EXIT_TEMP;
}

static int
run(const struct settings *s, struct mr_str nexthop, const struct mr_log *log)
{
	int code, fd = s->is_worker ? -1 : unnamed_file();
	struct mr_relay relay;

	mr_sandbox_enter((const char *const[]){ NULL }, log);
	mr_relay_init(&relay, s->name, (int)s->wait_max_s);
	relay.resolver = s->resolver;
	relay.mx_port = (unsigned)s->mx_port;
	code = s->is_worker ? work(&relay, s->keep_s, log) : by_hand(&relay, s, nexthop, fd, log);
	mr_relay_free(&relay);
	return code;
}

int
main(int argc, char *argv[])
{
	struct settings s = { .keep_s = KEEP_S, .mx_port = MR_RELAY_PORT };
	const struct mr_log log = { .prog = "mr-remote", .fd = 2 };
	struct mr_str nexthop = MR_STR("");
	struct mr_err err;
	int code = EXIT_TEMP;

	mr_arena_init(&s.arena, ARENA_MAX);
	signal(SIGPIPE, SIG_IGN);
	if (mr_io_std_fds(&err) || read_options(&s, argc, argv, &nexthop, &err))
		mr_opt_usage("mr-remote", &err, usage_text);
	else
		code = run(&s, nexthop, &log);
	mr_arena_free(&s.arena);
	return code;
}
