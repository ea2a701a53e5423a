#include "smtp/probe.h"

#include "base/clock.h"
#include "base/io.h"
#include "dns/mx.h"
#include "smtp/reply.h"
#include "smtp/tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define COMMAND_MAX 1024u
#define DATA_MAX    8192u /* bytes of a TLSA record's data */

/* One address of one exchange. */
struct session {
	struct mr_dnsreport *report;
	const struct mr_probe *probe;
	struct mr_arena *arena;
	struct mr_str host, where; /* "mx.example.org [192.0.2.1]" */
	const struct mr_dns_answer *tlsa;
	int fd;
	struct mr_reader in;
	struct mr_reply reply;
	bool has_starttls;
};

static void say(const struct session *s, enum mr_dnsreport_check check,
    enum mr_dnsreport_level level, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void
say(const struct session *s, enum mr_dnsreport_check check, enum mr_dnsreport_level level,
    const char *fmt, ...)
{
	char text[MR_REPLY_TEXT_MAX + 200];
	int n = snprintf(text, sizeof text, "%.*s: ", (int)s->where.n, s->where.p);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + n, sizeof text - (size_t)n, fmt, ap);
	va_end(ap);
	mr_dnsreport_add(s->report, s->arena, check, level, s->host, text);
}

/* ---- the dialogue --------------------------------------------------------------------------------- */

static int64_t
limit(void)
{
	return mr_clock_mono_ms() + (int64_t)MR_PROBE_TIME_S * 1000;
}

static enum mr_status
open_socket(struct session *s, const struct mr_ip *ip, struct mr_err *err)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)s->probe->port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
		.sin6_port = htons((uint16_t)s->probe->port) };
	int e = 0, rc;

	memcpy(&v4.sin_addr, ip->b, sizeof v4.sin_addr);
	memcpy(&v6.sin6_addr, ip->b, sizeof v6.sin6_addr);
	s->fd =
	    socket(ip->is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return mr_err_sys(err, MR_TEMP, "socket");
	rc = ip->is_v6 ? connect(s->fd, (struct sockaddr *)&v6, sizeof v6)
	               : connect(s->fd, (struct sockaddr *)&v4, sizeof v4);
	if (rc && errno == EINPROGRESS) {
		if (mr_io_wait(s->fd, POLLOUT, limit(), err))
			return MR_TEMP;
		getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &e, &(socklen_t){ sizeof e });
		errno = e;
	} else
		e = rc ? errno : 0;
	return e ? mr_err_sys(err, MR_TEMP, "connect") : MR_OK;
}

static void
take_extension(void *ctx, unsigned line, struct mr_str words)
{
	struct session *s = ctx;

	if (line > 1 && mr_str_caseis(mr_str_word(&words), "STARTTLS"))
		s->has_starttls = true;
}

/* Reads a reply; 0: there is none, and why was said. */
static unsigned
hear(struct session *s, enum mr_dnsreport_check check)
{
	struct mr_err why;

	s->reply = (struct mr_reply){ .code = 0 };
	if (mr_reply_read(&s->reply, &s->in, limit(), take_extension, s, &why) == MR_OK)
		return mr_reply_class(&s->reply);
	say(s, check, MR_LEVEL_ERROR, "%s", why.text);
	return 0;
}

/* Sends a command and reads the reply to it. */
static unsigned ask(struct session *s, enum mr_dnsreport_check check, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static unsigned
ask(struct session *s, enum mr_dnsreport_check check, const char *fmt, ...)
{
	char line[COMMAND_MAX];
	struct mr_err why;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof line - 2, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof line - 2)
		return 0;
	memcpy(line + n, "\r\n", 2);
	if (mr_io_write_by(s->fd, (struct mr_str){ line, (size_t)n + 2 }, limit(), &why)) {
		say(s, check, MR_LEVEL_ERROR, "%s", why.text);
		return 0;
	}
	return hear(s, check);
}

static int
words(const struct session *s)
{
	return (int)mr_reply_text(&s->reply).n;
}

/* False: there is nobody to talk to. */
static bool
greet(struct session *s)
{
	unsigned class = hear(s, MR_CHECK_CONNECT_BANNER);

	if (class == 0)
		return false;
	if (class != 2) {
		say(s, MR_CHECK_CONNECT_BANNER, class == 5 ? MR_LEVEL_FAIL : MR_LEVEL_WARN,
		    "it greets with %.*s", words(s), mr_reply_text(&s->reply).p);
		return false;
	}
	say(s, MR_CHECK_CONNECT_BANNER, MR_LEVEL_OK, "%.*s", words(s), mr_reply_text(&s->reply).p);
	class = ask(
	    s, MR_CHECK_CONNECT_EHLO, "EHLO %.*s", (int)s->probe->own_name.n, s->probe->own_name.p);
	if (class == 0)
		return false;
	say(s, MR_CHECK_CONNECT_EHLO, class == 2 ? MR_LEVEL_OK : MR_LEVEL_FAIL, "EHLO: %.*s",
	    words(s), mr_reply_text(&s->reply).p);
	return class == 2;
}

/* The null sender and postmaster: RFC 5321 4.5.5, 4.5.1.  A refusal for now may be a greylist.  False: the
 * connection is lost. */
static bool
try_postmaster(struct session *s)
{
	unsigned class = ask(s, MR_CHECK_CONNECT_POSTMASTER, "MAIL FROM:<>");

	if (class == 2)
		class = ask(s, MR_CHECK_CONNECT_POSTMASTER, "RCPT TO:<postmaster@%.*s>",
		    (int)s->probe->domain.n, s->probe->domain.p);
	if (class == 0)
		return false;
	say(s, MR_CHECK_CONNECT_POSTMASTER,
	    class == 2                               ? MR_LEVEL_OK
	        : class == 4 || s->reply.code == 530 ? MR_LEVEL_INFO
	                                             : MR_LEVEL_FAIL,
	    "from <> to postmaster@%.*s: %.*s", (int)s->probe->domain.n, s->probe->domain.p,
	    words(s), mr_reply_text(&s->reply).p);
	return ask(s, MR_CHECK_CONNECT_POSTMASTER, "RSET") == 2;
}

/* Mail for somebody else: a domain for documentation (RFC 2606).  False: the connection is lost. */
static bool
try_relay(struct session *s)
{
	struct mr_str d = s->probe->domain;
	bool is_com = d.n >= 11 && mr_str_caseis(mr_str_from(d, d.n - 11), "example.com");
	unsigned class =
	    ask(s, MR_CHECK_CONNECT_RELAY, "MAIL FROM:<postmaster@%.*s>", (int)d.n, d.p);

	if (class == 2)
		class = ask(s, MR_CHECK_CONNECT_RELAY, "RCPT TO:<postmaster@example.%s>",
		    is_com ? "net" : "com");
	if (class == 0)
		return false;
	say(s, MR_CHECK_CONNECT_RELAY, class == 2 ? MR_LEVEL_FAIL : MR_LEVEL_OK,
	    class == 2 ? "it relays for this host to anywhere: %.*s" : "it does not relay: %.*s",
	    words(s), mr_reply_text(&s->reply).p);
	return ask(s, MR_CHECK_CONNECT_RELAY, "RSET") == 2;
}

/* ---- TLS ------------------------------------------------------------------------------------------ */

/* Hexadecimal digits, even in number, to bytes. */
static size_t
unhex(char *out, struct mr_str hex)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (; n < DATA_MAX && 2 * n + 1 < hex.n; n++) {
		const char *a = strchr(digits, mr_lower((unsigned char)hex.p[2 * n]));
		const char *b = strchr(digits, mr_lower((unsigned char)hex.p[2 * n + 1]));

		if (!a || !b)
			return 0;
		out[n] = (char)((a - digits) << 4 | (b - digits));
	}
	return n;
}

/* Signed TLSA records of the usages 2 and 3 name what must be there (RFC 7672 3.1). */
static void
check_tlsa(struct session *s, const struct mr_tls *tls)
{
	char *data = mr_arena_alloc(s->arena, DATA_MAX);
	size_t usable_n = 0, matching_n = 0;

	for (size_t i = 0; data && s->tlsa && i < s->tlsa->n; i++) {
		struct mr_str text = s->tlsa->rec[i].text;
		uint64_t u, sel, m;

		if (!mr_str_num(mr_str_word(&text), 255, &u)
		    || !mr_str_num(mr_str_word(&text), 255, &sel)
		    || !mr_str_num(mr_str_word(&text), 255, &m) || u < 2 || u > 3)
			continue;
		usable_n++;
		matching_n += mr_tls_matches(tls, (unsigned)u, (unsigned)sel, (unsigned)m,
		    (struct mr_str){ data, unhex(data, mr_str_trim(text)) });
	}
	if (usable_n == 0)
		return;
	say(s, MR_CHECK_CONNECT_TLSA, matching_n ? MR_LEVEL_OK : MR_LEVEL_FAIL,
	    matching_n ? "a TLSA record names its certificate"
	               : "no TLSA record names its certificate: who uses DANE cannot deliver");
}

static void
check_certificate(struct session *s, const struct mr_tls *tls)
{
	const char *why;
	bool is_trusted = mr_tls_is_trusted(tls, &why);

	if (!is_trusted)
		say(s, MR_CHECK_CONNECT_CERT, MR_LEVEL_WARN, "certificate: %s", why);
	else if (!mr_tls_has_name(tls, s->host))
		say(s, MR_CHECK_CONNECT_CERT, MR_LEVEL_WARN,
		    "the certificate is for another name than %.*s", (int)s->host.n, s->host.p);
	else
		say(s, MR_CHECK_CONNECT_CERT, MR_LEVEL_OK, "the certificate is for %.*s, trusted",
		    (int)s->host.n, s->host.p);
}

static void
try_tls(struct session *s)
{
	struct mr_tls *tls;
	struct mr_err why;
	unsigned class;

	if (!s->has_starttls) {
		say(s, MR_CHECK_CONNECT_STARTTLS, MR_LEVEL_WARN,
		    "no STARTTLS: mail comes in clear");
		return;
	}
	class = ask(s, MR_CHECK_CONNECT_STARTTLS, "STARTTLS");
	if (class == 0)
		return;
	if (class != 2)
		say(s, MR_CHECK_CONNECT_STARTTLS, MR_LEVEL_FAIL, "STARTTLS: %.*s", words(s),
		    mr_reply_text(&s->reply).p);
	else if (mr_reader_window(&s->in).n) /* what is read in clear must not count later */
		say(s, MR_CHECK_CONNECT_STARTTLS, MR_LEVEL_FAIL,
		    "TLS: it goes on in clear behind its reply to STARTTLS");
	else if (mr_tls_connect(&tls, s->fd, s->host, limit(), &why))
		say(s, MR_CHECK_CONNECT_STARTTLS, MR_LEVEL_FAIL, "TLS: %s", why.text);
	else {
		say(s, MR_CHECK_CONNECT_STARTTLS, MR_LEVEL_OK, "STARTTLS: %s", mr_tls_version(tls));
		check_certificate(s, tls);
		check_tlsa(s, tls);
		mr_tls_free(tls);
	}
}

/* ---- all exchanges -------------------------------------------------------------------------------- */

static enum mr_status
probe_address(struct session *s, const struct mr_ip *ip, struct mr_err *err)
{
	char storage[MR_IP_TEXT_MAX];
	struct mr_str text = mr_ip_text(storage, ip);
	struct mr_err why;
	enum mr_status st;

	s->has_starttls = false;
	s->where =
	    mr_arena_fmt(s->arena, "%.*s [%.*s]", (int)s->host.n, s->host.p, (int)text.n, text.p);
	if (!s->where.p)
		return mr_err_set(err, MR_TEMP, "out of memory");
	if (open_socket(s, ip, &why)) {
		say(s, MR_CHECK_CONNECT_BANNER, MR_LEVEL_ERROR, "%s", why.text);
		st = MR_OK;
	} else if ((st = mr_reader_init(&s->in, s->fd, MR_REPLY_LINE_MAX, err)) == MR_OK) {
		if (greet(s) && try_postmaster(s) && try_relay(s))
			try_tls(s);
		mr_reader_free(&s->in);
	}
	if (s->fd >= 0)
		close(s->fd);
	return st;
}

enum mr_status
mr_probe_run(struct mr_dnsreport *report, const struct mr_probe *probe, struct mr_dns *dns,
    int64_t deadline_ms, struct mr_arena *arena, struct mr_err *err)
{
	struct session s = { .report = report, .probe = probe, .arena = arena, .fd = -1 };
	enum mr_status st = MR_OK;
	struct mr_mx mx;

	if (mr_mx_find(&mx, arena, dns, probe->domain, MR_STR(""), deadline_ms, err))
		return MR_OK; /* no domain, no mail, or an outage: the report has it */
	for (size_t h = 0; st == MR_OK && h < mx.n && h < MR_PROBE_HOST_MAX; h++) {
		struct mr_ip ip[MR_MX_ADDR_MAX];
		struct mr_str owner =
		    mr_arena_fmt(arena, "_25._tcp.%.*s", (int)mx.host[h].name.n, mx.host[h].name.p);
		size_t n = 0;

		s.host = mx.host[h].name;
		if (!owner.p)
			return mr_err_set(err, MR_TEMP, "out of memory");
		s.tlsa = mr_dns_get(dns, owner, MR_DNS_TLSA, deadline_ms);
		if (mr_mx_addresses(ip, &n, dns, s.host, deadline_ms, NULL))
			continue;
		for (size_t i = 0; st == MR_OK && i < n && i < MR_PROBE_ADDRESS_MAX; i++)
			st = probe_address(&s, &ip[i], err);
	}
	return st;
}
