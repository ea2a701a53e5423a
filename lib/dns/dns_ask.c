#include "dns/dns_ask.h"

#include "base/buf.h"
#include "base/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TCP_PREFIX 2u /* bytes of the length before a packet: RFC 1035 4.2.2 */

/* A question on its way.  Attempt k goes to server (k + first) % n in round k / n. */
struct flight {
	struct mr_dns_question *q;
	struct mr_dns_query query;
	int fd; /* -1: none */
	bool is_tcp, has_edns;
	bool is_truncated; /* what came over UDP */
	unsigned server, next_attempt;
	unsigned failed;            /* bit i: server i has spoken, and it was no knowledge */
	enum mr_dns_result outcome; /* if nothing better comes */
	int64_t until_ms;           /* then the next attempt is due */
	size_t sent;                /* over TCP */
	struct mr_buf tcp;          /* came over TCP: length and packet */
};

struct batch {
	struct flight *flight;
	size_t n, left, socket_n, socket_max;
	const struct mr_ldns *ldns;
	const struct mr_dns_conf *conf;
	struct mr_arena *arena;
	struct mr_dns_stats *stats;
	unsigned first, answered; /* the server that is asked first; that answered last */
	int64_t start_ms, now_ms;
};

static void
shut(struct batch *b, struct flight *f)
{
	if (f->fd >= 0) {
		close(f->fd);
		b->socket_n--;
	}
	f->fd = -1;
	mr_buf_free(&f->tcp);
}

static void
finish(struct batch *b, struct flight *f, const struct mr_dns_answer *answer)
{
	shut(b, f);
	f->q->answer = *answer;
	f->q->answer.ms = (unsigned)(b->now_ms - b->start_ms);
	f->q->answer.is_truncated = f->is_truncated;
	f->q->is_answered = true;
	b->left--;
}

static int64_t
wait_ms(const struct batch *b, const struct flight *f)
{
	unsigned round = (f->next_attempt - 1) / (unsigned)b->conf->server_n;

	return (int64_t)b->conf->attempt_ms << round;
}

/* A connected socket, so that the kernel takes packets of this server only; the port is the kernel's
 * choice.  False: as if the packet were lost. */
static bool
open_socket(struct batch *b, struct flight *f, bool is_tcp)
{
	const struct mr_dns_server *s = &b->conf->server[f->server];
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)s->port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
		.sin6_port = htons((uint16_t)s->port),
		.sin6_scope_id = s->scope };
	bool is_v6 = s->ip.is_v6;

	memcpy(&v4.sin_addr, s->ip.b, 4);
	memcpy(&v6.sin6_addr, s->ip.b, 16);
	shut(b, f);
	f->is_tcp = is_tcp;
	f->sent = 0;
	mr_buf_init(&f->tcp, TCP_PREFIX + MR_DNS_TCP_MAX);
	errno = 0;
	if (!mr_dns_query_make(&f->query, f->q->name, f->q->type, f->has_edns))
		return false;
	f->fd = socket(is_v6 ? AF_INET6 : AF_INET,
	    (is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (f->fd < 0)
		return false;
	b->socket_n++;
	if (connect(f->fd, is_v6 ? (const struct sockaddr *)&v6 : (const struct sockaddr *)&v4,
	        is_v6 ? sizeof v6 : sizeof v4)
	        == 0
	    || errno == EINPROGRESS)
		return true;
	shut(b, f);
	return false;
}

/* No more descriptors, but our own will come back: never more of them at a time from now on. */
static bool
must_queue(struct batch *b, struct flight *f)
{
	if ((errno != EMFILE && errno != ENFILE) || b->socket_n == 0)
		return false;
	b->socket_max = b->socket_n;
	f->next_attempt--;
	f->until_ms = b->now_ms;
	return true;
}

static unsigned
server_of(const struct batch *b, unsigned attempt)
{
	return (attempt + b->first) % (unsigned)b->conf->server_n;
}

static bool
is_spent(const struct batch *b, const struct flight *f, unsigned attempt)
{
	return f->failed >> server_of(b, attempt) & 1;
}

/* To the next server now, if this round has one; else after the wait that is under way: a server that is
 * being restarted is back then. */
static void
unreachable(struct batch *b, struct flight *f)
{
	for (unsigned k = f->next_attempt; k % b->conf->server_n; k++)
		if (!is_spent(b, f, k))
			f->until_ms = b->now_ms;
}

/* Sends over UDP; a second attempt at one server goes over the same socket under the same id, so
 * that a late answer to the first is taken, too. */
static void
send_udp(struct batch *b, struct flight *f)
{
	if ((f->fd < 0 || f->is_tcp) && !open_socket(b, f, false)) {
		if (!must_queue(b, f))
			unreachable(b, f);
		return;
	}
	b->stats->packets++;
	if (send(f->fd, f->query.wire, f->query.n, MSG_NOSIGNAL) < 0)
		unreachable(b, f);
}

static void
next_attempt(struct batch *b, struct flight *f)
{
	unsigned end = (unsigned)b->conf->server_n * b->conf->attempts, last = f->server;

	while (f->next_attempt < end && is_spent(b, f, f->next_attempt))
		f->next_attempt++;
	if (f->next_attempt == end) {
		finish(b, f, &(struct mr_dns_answer){ .result = f->outcome });
		return;
	}
	f->server = server_of(b, f->next_attempt++);
	f->until_ms = b->now_ms + wait_ms(b, f);
	if (f->server != last) {
		f->has_edns = true;
		shut(b, f);
	}
	send_udp(b, f);
}

/* This server will not tell; the others may. */
static void
server_failed(struct batch *b, struct flight *f, enum mr_dns_result outcome)
{
	f->failed |= 1u << f->server;
	f->outcome = outcome;
	next_attempt(b, f);
}

static bool
is_trusted(const struct batch *b, const struct mr_ip *server)
{
	static const uint8_t loopback_v6[16] = { [15] = 1 };

	return b->conf->is_ad_trusted
	    || (server->is_v6 ? memcmp(server->b, loopback_v6, 16) == 0 : server->b[0] == 127);
}

static void
take_packet(struct batch *b, struct flight *f, struct mr_str packet)
{
	struct mr_dns_answer a;

	switch (mr_dns_wire_read(b->ldns, &a, b->arena, &f->query, f->q->type, f->is_tcp, packet)) {
	case MR_DNS_READ_FOREIGN:
		b->stats->foreign++;
		f->outcome = f->outcome == MR_DNS_TIMEOUT ? MR_DNS_BROKEN : f->outcome;
		if (f->is_tcp) /* nobody else can have said this */
			server_failed(b, f, MR_DNS_BROKEN);
		break;
	case MR_DNS_READ_BY_TCP:
		b->stats->tcp++;
		f->is_truncated |= a.is_truncated;
		f->until_ms = b->now_ms + wait_ms(b, f);
		if (!open_socket(b, f, true))
			server_failed(b, f, MR_DNS_BROKEN);
		break;
	case MR_DNS_READ_NO_EDNS:
		f->has_edns = false;
		f->until_ms = b->now_ms + wait_ms(b, f);
		shut(b, f);
		send_udp(b, f);
		break;
	case MR_DNS_READ:
		a.is_authentic &= is_trusted(b, &b->conf->server[f->server].ip);
		if (a.result < MR_DNS_SERVFAIL) {
			b->answered = f->server;
			finish(b, f, &a);
		} else
			server_failed(b, f, a.result);
		break;
	}
}

static void
on_udp(struct batch *b, struct flight *f)
{
	char packet[MR_DNS_EDNS_SIZE];
	ssize_t n = recv(f->fd, packet, sizeof packet, MSG_TRUNC);

	if (n >= 0) /* a longer one than we asked for is cut, and thus broken */
		take_packet(b, f,
		    (struct mr_str){
		        packet, n < (ssize_t)sizeof packet ? (size_t)n : sizeof packet });
	else if (errno != EAGAIN && errno != EINTR)
		unreachable(b, f);
}

static bool
send_tcp(struct flight *f)
{
	uint8_t out[TCP_PREFIX + MR_DNS_QUERY_MAX] = { (uint8_t)(f->query.n >> 8),
		(uint8_t)f->query.n };
	ssize_t n;

	memcpy(out + TCP_PREFIX, f->query.wire, f->query.n);
	n = send(f->fd, out + f->sent, TCP_PREFIX + f->query.n - f->sent, MSG_NOSIGNAL);
	if (n > 0)
		f->sent += (size_t)n;
	return n > 0 || errno == EAGAIN || errno == EINTR;
}

/* How many bytes of the answer are missing: first of its length, then of itself; 0: it is whole. */
static size_t
tcp_missing(const struct flight *f)
{
	const uint8_t *p = (const uint8_t *)f->tcp.p;

	return f->tcp.n < TCP_PREFIX ? TCP_PREFIX - f->tcp.n
	                             : TCP_PREFIX + ((size_t)p[0] << 8 | p[1]) - f->tcp.n;
}

/* False: the server has gone, or says too much. */
static bool
recv_tcp(struct flight *f)
{
	size_t missing = tcp_missing(f);
	char *room = mr_buf_room(&f->tcp, missing);
	ssize_t n = room ? recv(f->fd, room, missing, 0) : 0;

	if (n > 0)
		f->tcp.n += (size_t)n;
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void
on_tcp(struct batch *b, struct flight *f)
{
	if (f->sent < TCP_PREFIX + f->query.n) {
		if (!send_tcp(f))
			server_failed(b, f, MR_DNS_BROKEN);
	} else if (!recv_tcp(f))
		server_failed(b, f, MR_DNS_BROKEN);
	else if (tcp_missing(f) == 0)
		take_packet(b, f, mr_str_from(mr_buf_str(&f->tcp), TCP_PREFIX));
}

static bool
may_open(const struct batch *b, const struct flight *f)
{
	return f->fd >= 0 || b->socket_n < b->socket_max;
}

/* Starts what is due, as far as there are sockets; returns when next something is due. */
static int64_t
start_due(struct batch *b, int64_t deadline_ms)
{
	int64_t due_ms = deadline_ms;

	for (size_t i = 0; i < b->n; i++) {
		struct flight *f = &b->flight[i];

		while (!f->q->is_answered && may_open(b, f) && f->until_ms <= b->now_ms)
			next_attempt(b, f);
		if (!f->q->is_answered && may_open(b, f) && f->until_ms < due_ms)
			due_ms = f->until_ms;
	}
	return due_ms;
}

static void
wait_and_take(struct batch *b, int64_t due_ms)
{
	struct pollfd p[MR_DNS_SOCKET_MAX];
	struct flight *of[MR_DNS_SOCKET_MAX];
	nfds_t n = 0;

	for (size_t i = 0; i < b->n; i++) {
		struct flight *f = &b->flight[i];
		bool is_out = f->is_tcp && f->sent < TCP_PREFIX + f->query.n;

		if (f->fd < 0)
			continue;
		of[n] = f;
		p[n++] = (struct pollfd){ .fd = f->fd, .events = is_out ? POLLOUT : POLLIN };
	}
	if (poll(p, n, mr_clock_left_ms(due_ms)) <= 0)
		return;
	b->now_ms = mr_clock_mono_ms();
	for (nfds_t i = 0; i < n; i++)
		if (p[i].revents)
			(of[i]->is_tcp ? on_tcp : on_udp)(b, of[i]);
}

void
mr_dns_ask(const struct mr_ldns *ldns, struct mr_dns_question **q, size_t n,
    const struct mr_dns_conf *conf, unsigned *first, struct mr_arena *arena, int64_t deadline_ms,
    struct mr_dns_stats *stats)
{
	struct batch b = { .n = n,
		.left = n,
		.socket_max = MR_DNS_SOCKET_MAX,
		.ldns = ldns,
		.conf = conf,
		.arena = arena,
		.stats = stats,
		.first = *first,
		.answered = *first,
		.start_ms = mr_clock_mono_ms() };

	if (!(b.flight = calloc(n, sizeof *b.flight))) {
		for (size_t i = 0; i < n; i++) {
			q[i]->answer = (struct mr_dns_answer){ .result = MR_DNS_TIMEOUT };
			q[i]->is_answered = true;
		}
		return;
	}
	for (size_t i = 0; i < n; i++)
		b.flight[i] = (struct flight){
			.q = q[i], .fd = -1, .has_edns = true, .outcome = MR_DNS_TIMEOUT
		};
	while (b.left && (b.now_ms = mr_clock_mono_ms()) < deadline_ms) {
		size_t left = b.left;
		int64_t due_ms = start_due(&b, deadline_ms);

		if (b.left == left) /* else a socket is free for what was passed over */
			wait_and_take(&b, due_ms);
	}
	b.now_ms = mr_clock_mono_ms();
	for (size_t i = 0; i < n; i++)
		if (!q[i]->is_answered)
			finish(&b, &b.flight[i],
			    &(struct mr_dns_answer){ .result = b.flight[i].outcome });
	*first = b.answered;
	free(b.flight);
}
