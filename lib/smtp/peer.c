#include "smtp/server.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static bool
read_sockaddr(const struct sockaddr_storage *sa, char *address, char *port, size_t port_cap)
{
	struct mr_ip ip = { .is_v6 = sa->ss_family == AF_INET6 };
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;
	char text[MR_IP_TEXT_MAX];

	if (sa->ss_family != AF_INET && sa->ss_family != AF_INET6)
		return false;
	if (ip.is_v6)
		memcpy(ip.b, &in6->sin6_addr, 16);
	else
		memcpy(ip.b, &in->sin_addr, 4);
	/* Once more through the parser, which makes a v4-mapped address the IPv4 one. */
	if (mr_ip_parse(&ip, mr_ip_text(text, &ip)))
		return false;
	mr_ip_text(address, &ip);
	snprintf(
	    port, port_cap, "%u", ntohs(sa->ss_family == AF_INET6 ? in6->sin6_port : in->sin_port));
	return true;
}

void
mr_peer_of_socket(struct mr_peer *peer, struct mr_peer_text *t, int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;

	*peer = (struct mr_peer){ .is_trusted = false };
	if (getpeername(fd, (struct sockaddr *)&sa, &len) == 0
	    && read_sockaddr(&sa, t->address, t->port, sizeof t->port)) {
		peer->address = mr_str(t->address);
		peer->port = mr_str(t->port);
	}
	len = sizeof sa;
	if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0
	    && read_sockaddr(&sa, t->server_address, t->server_port, sizeof t->server_port)) {
		peer->server_address = mr_str(t->server_address);
		peer->server_port = mr_str(t->server_port);
	}
}
