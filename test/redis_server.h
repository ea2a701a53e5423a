/* redis_server.h - a real redis-server of a test's own on loopback. */
#ifndef MR_TEST_REDIS_SERVER_H
#define MR_TEST_REDIS_SERVER_H

#include "base/child.h"
#include "base/clock.h"
#include "base/io.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define REDIS_PASSWORD "sesame%open"
#define WAIT_MS        120000 /* generous: events are waited for, not timed */

/* A listening socket on a free port of 127.0.0.1. */
static inline int
listen_anywhere(int *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&a, n) < 0 || listen(fd, 16) < 0
	    || getsockname(fd, (struct sockaddr *)&a, &n) < 0)
		return -1;
	*port = ntohs(a.sin_port);
	return fd;
}

/* Starts it on `port` (0: a free one) and waits until it answers; its pid. */
static inline pid_t
redis_start(int *port)
{
	char number[16];
	char *argv[] = { (char[]){ "redis-server" }, (char[]){ "--port" }, number,
		(char[]){ "--bind" }, (char[]){ "127.0.0.1" }, (char[]){ "--save" }, (char[]){ "" },
		(char[]){ "--appendonly" }, (char[]){ "no" }, (char[]){ "--requirepass" },
		(char[]){ REDIS_PASSWORD }, NULL };
	const int fds[] = { -1, -1, -1 };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int64_t until_ms = mr_clock_mono_ms() + WAIT_MS;
	pid_t pid;

	if (!*port)
		close(listen_anywhere(port));
	snprintf(number, sizeof number, "%d", *port);
	a.sin_port = htons((uint16_t)*port);
	if (mr_child_start(&pid, argv, fds, 3, NULL))
		return -1;
	while (mr_clock_mono_ms() < until_ms) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		bool is_there = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;

		close(fd);
		if (is_there)
			return pid;
		usleep(10000);
	}
	return -1;
}

static inline void
redis_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

#endif
