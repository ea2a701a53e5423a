/* load - sends N messages over P sessions at once, M a connection, to an SMTP server on loopback.
 * usage: load PORT N P M RCPT MESSAGE...
 * MESSAGE is a file as it goes over the wire, with the dot at the end; its name is CLIENT,SENDER, the address
 * that it comes from and its reverse-path.  A connection takes the next one, and sends it M times.
 * Prints one line: accepted, refused, seconds, p50_ms and p99_ms (connect to 250 after the dot, or MAIL
 * to 250 for later messages of a connection). */
#include "base/clock.h"
#include "base/opt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum step { BANNER, EHLO, MAIL, RCPT, DATA, DOT, QUIT };

struct message {
	struct in_addr client;
	const char *sender, *domain;
	const char *wire;
	size_t wire_n;
};

struct client {
	int fd;
	const struct message *message;
	enum step step;
	uint64_t left; /* messages that this connection may still send */
	int64_t begin_us;
	char in[4096];
	size_t in_n;
};

struct load {
	uint64_t port, todo, sessions, each;
	const char *rcpt;
	struct message *message;
	size_t message_n, connections;
	uint64_t accepted, refused, started;
	int64_t *took_us;
};

static void
die(const char *what)
{
	perror(what);
	exit(111);
}

static void
read_message(struct message *m, char *path)
{
	char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	int fd = open(path, O_RDONLY);
	struct stat st;
	char *comma;

	if (fd < 0 || fstat(fd, &st) < 0)
		die(path);
	m->wire_n = (size_t)st.st_size;
	m->wire = mmap(NULL, m->wire_n, PROT_READ, MAP_PRIVATE, fd, 0);
	if (m->wire == MAP_FAILED)
		die(path);
	close(fd);
	errno = EINVAL;
	if (!(comma = strchr(name, ',')))
		die(path);
	*comma = '\0';
	m->sender = comma + 1;
	if (inet_pton(AF_INET, name, &m->client) != 1 || !strchr(m->sender, '@'))
		die(path);
	m->domain = strchr(m->sender, '@') + 1;
}

static void
say(struct client *c, const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(c->fd, p, n);

		if (w < 0)
			die("write");
		p += w;
		n -= (size_t)w;
	}
}

static void
command(struct client *c, enum step next, const char *before, const char *arg, const char *after)
{
	char line[512];
	int n = snprintf(line, sizeof line, "%s%s%s\r\n", before, arg, after);

	c->step = next;
	say(c, line, (size_t)n);
}

static void
open_client(struct load *l, struct client *c)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)l->port) };
	struct sockaddr_in from = { .sin_family = AF_INET };
	uint64_t open = l->todo - l->started;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*c =
	    (struct client){ .fd = socket(AF_INET, SOCK_STREAM, 0), .begin_us = mr_clock_now_us() };
	c->message = &l->message[l->connections++ % l->message_n];
	from.sin_addr = c->message->client;
	if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&from, sizeof from) < 0
	    || connect(c->fd, (struct sockaddr *)&sa, sizeof sa) < 0)
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	c->left = open < l->each ? open : l->each;
	l->started += c->left;
}

/* A whole reply of code `code` came in. */
static void
on_reply(struct load *l, struct client *c, int code)
{
	if (c->step != DATA && code >= 400) {
		l->refused += c->left;
		c->left = 0;
		command(c, QUIT, "QUIT", "", "");
		return;
	}
	switch (c->step) {
	case BANNER:
		command(c, EHLO, "EHLO mail.", c->message->domain, "");
		break;
	case EHLO:
		command(c, MAIL, "MAIL FROM:<", c->message->sender, ">");
		break;
	case MAIL:
		command(c, RCPT, "RCPT TO:<", l->rcpt, ">");
		break;
	case RCPT:
		command(c, DATA, "DATA", "", "");
		break;
	case DATA:
		c->step = DOT;
		say(c, c->message->wire, c->message->wire_n);
		break;
	case DOT:
		l->took_us[l->accepted++] = mr_clock_now_us() - c->begin_us;
		c->begin_us = mr_clock_now_us();
		if (--c->left)
			command(c, MAIL, "MAIL FROM:<", c->message->sender, ">");
		else
			command(c, QUIT, "QUIT", "", "");
		break;
	case QUIT:
		break;
	}
}

/* False: the connection is over. */
static bool
on_input(struct load *l, struct client *c)
{
	ssize_t n = read(c->fd, c->in + c->in_n, sizeof c->in - c->in_n);
	char *lf;

	if (n <= 0) {
		if (c->step != QUIT)
			l->refused += c->left;
		close(c->fd);
		c->fd = -1;
		return false;
	}
	c->in_n += (size_t)n;
	while ((lf = memchr(c->in, '\n', c->in_n))) {
		size_t used = (size_t)(lf - c->in) + 1;
		bool is_last = used > 4 && c->in[3] == ' ';
		int code = (c->in[0] - '0') * 100 + (c->in[1] - '0') * 10 + (c->in[2] - '0');

		memmove(c->in, c->in + used, c->in_n - used);
		c->in_n -= used;
		if (is_last)
			on_reply(l, c, code);
	}
	return true;
}

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

int
main(int argc, char **argv)
{
	struct load l = { 0 };
	uint64_t *const number[] = { &l.port, &l.todo, &l.sessions, &l.each };
	struct client *client;
	struct pollfd *p;
	int64_t begin;
	double s;

	if (argc < 7)
		return fprintf(stderr, "usage: load PORT N P M RCPT MESSAGE...\n"), 111;
	for (int i = 0; i < 4; i++)
		if (!mr_str_num(mr_str(argv[i + 1]), 100000000, number[i]) || !*number[i])
			return fprintf(stderr, "load: bad number %s\n", argv[i + 1]), 111;
	l.rcpt = argv[5];
	l.message_n = (size_t)argc - 6;
	l.message = calloc(l.message_n, sizeof *l.message);
	client = calloc(l.sessions, sizeof *client);
	p = calloc(l.sessions, sizeof *p);
	l.took_us = calloc(l.todo, sizeof *l.took_us);
	if (!client || !p || !l.took_us || !l.message)
		die("memory");
	for (size_t i = 0; i < l.message_n; i++)
		read_message(&l.message[i], argv[6 + i]);
	begin = mr_clock_now_us();
	for (uint64_t i = 0; i < l.sessions; i++)
		client[i].fd = -1;
	for (;;) {
		uint64_t open = 0;

		for (uint64_t i = 0; i < l.sessions; i++) {
			if (client[i].fd < 0 && l.started < l.todo)
				open_client(&l, &client[i]);
			p[i] = (struct pollfd){ .fd = client[i].fd, .events = POLLIN };
			open += client[i].fd >= 0;
		}
		if (!open)
			break;
		if (poll(p, l.sessions, 120000) <= 0)
			die("poll");
		for (uint64_t i = 0; i < l.sessions; i++)
			if (p[i].revents)
				on_input(&l, &client[i]);
	}
	s = (double)(mr_clock_now_us() - begin) / 1e6;
	qsort(l.took_us, l.accepted, sizeof *l.took_us, by_value);
	printf("accepted=%llu refused=%llu seconds=%.3f p50_ms=%.2f p99_ms=%.2f\n",
	    (unsigned long long)l.accepted, (unsigned long long)l.refused, s,
	    l.accepted ? (double)l.took_us[l.accepted / 2] / 1e3 : 0,
	    l.accepted ? (double)l.took_us[l.accepted * 99 / 100] / 1e3 : 0);
	return l.refused != 0;
}
