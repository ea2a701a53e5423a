/* dns_ask.h - a batch of questions over sockets: servers, attempts, TCP.  For this room only. */
#ifndef MR_DNS_DNS_ASK_H
#define MR_DNS_DNS_ASK_H

#include "dns/dns_wire.h"

struct mr_dns_question {
	struct mr_dns_question *next; /* of the same hash */
	struct mr_str name;           /* wire form, lower case */
	enum mr_dns_type type;
	bool is_answered;
	struct mr_dns_answer answer;
};

/* Answers all q[0 .. n) by `deadline_ms`.  `*first`: the server to be asked first, and then the one that
 * answered last, so that a dead one costs its wait once.  Answers are in `arena`. */
void mr_dns_ask(const struct mr_ldns *ldns, struct mr_dns_question **q, size_t n,
    const struct mr_dns_conf *conf, unsigned *first, struct mr_arena *arena, int64_t deadline_ms,
    struct mr_dns_stats *stats);

#endif
