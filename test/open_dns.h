/* open_dns.h - a resolver that answers from lines given in the test. */
#ifndef MR_TEST_OPEN_DNS_H
#define MR_TEST_OPEN_DNS_H

#include "dns/dns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* `memory_max`: as in struct mr_dns_conf.  NULL and a reason if the lines are refused. */
static inline struct mr_dns *
open_dns(const char *lines, size_t memory_max, struct mr_err *err)
{
	char name[] = "/tmp/mr-dns.XXXXXX", option[64];
	int fd = mkstemp(name);
	struct mr_dns_conf conf;
	struct mr_dns *dns;

	if (fd < 0 || write(fd, lines, strlen(lines)) != (ssize_t)strlen(lines))
		exit(111);
	close(fd);
	snprintf(option, sizeof option, "file:%s", name);
	mr_dns_conf_parse(&conf, option, err);
	conf.memory_max = memory_max;
	mr_dns_open(&dns, &conf, err);
	unlink(name);
	return dns;
}

#endif
