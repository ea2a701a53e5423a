/* dns_carry.h - a batch of questions and its answers as bytes, between two processes of this machine.  For
 * this room only. */
#ifndef MR_DNS_DNS_CARRY_H
#define MR_DNS_DNS_CARRY_H

#include "base/buf.h"
#include "dns/dns_ask.h"

/* Writes the deadline and q[0 .. n), whose names travel in presentation form: they are parsed anew. */
void mr_dns_carry_questions(struct mr_buf *out, const struct mr_ldns *ldns,
    struct mr_dns_question *const *q, size_t n, int64_t deadline_ms);

/* Take what stands at the front of *text; the name is a view of it.  False at the end, or where it is no such
 * thing. */
bool mr_dns_carry_deadline(struct mr_str *text, int64_t *deadline_ms);
bool mr_dns_carry_question(struct mr_str *text, struct mr_str *name, enum mr_dns_type *type);

void mr_dns_carry_answer(struct mr_buf *out, const struct mr_dns_answer *a);

/* Answers q[0 .. n) with what mr_dns_carry_answer wrote of them, in the same order; those that are
 * not there are MR_DNS_BROKEN.  Records are in `arena`. */
void
mr_dns_carry_read(struct mr_str text, struct mr_dns_question **q, size_t n, struct mr_arena *arena);

#endif
