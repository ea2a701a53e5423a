#include "dns/dns.h"

#include "dns/dns_ask.h"
#include "dns/dns_carry.h"
#include "dns/dns_fixture.h"

#include <stdlib.h>
#include <string.h>

#define BUCKET_N 256u /* a power of two */

struct mr_dns {
	struct mr_dns_conf conf;
	struct mr_ldns *ldns;
	struct mr_dns_fixture *fixture; /* NULL: the servers */
	struct mr_dns_fixture *zone;    /* NULL: none is answered out of a file */
	struct mr_arena arena;
	struct mr_dns_question *bucket[BUCKET_N];
	struct mr_dns_question *waiting[MR_DNS_BATCH_MAX];
	size_t waiting_n;
	bool is_full;   /* no memory for a question */
	unsigned first; /* server: of mr_dns_ask */
	struct mr_dns_stats stats;
};

static const struct mr_dns_answer broken = { .result = MR_DNS_BROKEN };

enum mr_status
mr_dns_load(struct mr_err *err)
{
	struct mr_ldns *ldns;
	enum mr_status st = mr_ldns_open(&ldns, err);

	mr_ldns_close(ldns);
	return st;
}

enum mr_status
mr_dns_open(struct mr_dns **dns, const struct mr_dns_conf *conf, struct mr_err *err)
{
	struct mr_dns *d = calloc(1, sizeof *d);
	enum mr_status st;

	*dns = NULL;
	if (!d)
		return mr_err_set(err, MR_TEMP, "out of memory");
	if (!conf->fixture && !conf->carrier && (conf->server_n == 0 || conf->attempts == 0)) {
		free(d);
		return mr_err_set(err, MR_USAGE, "no resolver to ask");
	}
	d->conf = *conf;
	mr_arena_init(&d->arena, conf->memory_max ? conf->memory_max : MR_DNS_MEMORY_MAX);
	st = mr_ldns_open(&d->ldns, err);
	if (st == MR_OK && conf->fixture)
		st = mr_dns_fixture_open(&d->fixture, d->ldns, conf->fixture, err);
	if (st == MR_OK && conf->zone)
		st =
		    mr_dns_fixture_open_zone(&d->zone, d->ldns, conf->zone, conf->zone_origin, err);
	if (st)
		mr_dns_close(d);
	else
		*dns = d;
	return st;
}

void
mr_dns_close(struct mr_dns *dns)
{
	if (!dns)
		return;
	mr_arena_free(&dns->arena);
	mr_dns_fixture_close(dns->fixture);
	mr_dns_fixture_close(dns->zone);
	mr_ldns_close(dns->ldns);
	free(dns);
}

void
mr_dns_forget(struct mr_dns *dns)
{
	mr_arena_free(&dns->arena);
	memset(dns->bucket, 0, sizeof dns->bucket);
	dns->waiting_n = 0;
	dns->is_full = false;
}

static size_t
bucket_of(const struct mr_dns_name *name, enum mr_dns_type type)
{
	return (mr_str_hash((struct mr_str){ (const char *)name->wire, name->n }) + type)
	    & (BUCKET_N - 1);
}

static struct mr_dns_question *
find(const struct mr_dns *dns, const struct mr_dns_name *name, enum mr_dns_type type)
{
	struct mr_dns_question *q = dns->bucket[bucket_of(name, type)];

	while (q
	    && (q->type != type
	        || !mr_str_eq(q->name, (struct mr_str){ (const char *)name->wire, name->n })))
		q = q->next;
	return q;
}

void
mr_dns_add(struct mr_dns *dns, struct mr_str text, enum mr_dns_type type)
{
	struct mr_dns_question *q, **bucket;
	struct mr_dns_name name;

	if (!mr_dns_name_parse(dns->ldns, &name, text) || find(dns, &name, type))
		return;
	q = mr_arena_alloc(&dns->arena, sizeof *q);
	if (q)
		q->name =
		    mr_arena_dup(&dns->arena, (struct mr_str){ (const char *)name.wire, name.n });
	if (!q || !q->name.p) {
		dns->is_full = true;
		return;
	}
	q->type = type;
	bucket = &dns->bucket[bucket_of(&name, type)];
	q->next = *bucket;
	*bucket = q;
	if (dns->waiting_n < MR_DNS_BATCH_MAX)
		dns->waiting[dns->waiting_n++] = q;
	else {
		q->answer = broken;
		q->is_answered = true;
	}
}

size_t
mr_dns_waiting(const struct mr_dns *dns)
{
	return dns->waiting_n;
}

/* Lets the carrier bring what waits.  Whatever does not come back is an outage. */
static void
carry(struct mr_dns *dns, size_t n, int64_t deadline_ms)
{
	const struct mr_dns_carrier *c = dns->conf.carrier;
	struct mr_str answers = { NULL, 0 };
	struct mr_buf out;

	mr_buf_init(&out, MR_DNS_CARRIED_MAX);
	mr_dns_carry_questions(&out, dns->ldns, dns->waiting, n, deadline_ms);
	if (out.is_full || c->carry(c->ctx, mr_buf_str(&out), &answers, NULL))
		answers.n = 0;
	mr_dns_carry_read(answers, dns->waiting, n, &dns->arena);
	mr_buf_free(&out);
}

static void
ask(struct mr_dns *dns, struct mr_dns_question **q, size_t n, int64_t deadline_ms)
{
	if (dns->fixture)
		mr_dns_fixture_answer(dns->fixture, q, n, &dns->arena);
	else
		mr_dns_ask(dns->ldns, q, n, &dns->conf, &dns->first, &dns->arena, deadline_ms,
		    &dns->stats);
}

/* Out of the zone what it has; others are asked for the rest, and for where its aliases lead. */
static void
ask_beside_zone(struct mr_dns *dns, size_t n, int64_t deadline_ms)
{
	struct mr_dns_question *asked[MR_DNS_BATCH_MAX], other[MR_DNS_BATCH_MAX];
	struct mr_dns_question *whose[MR_DNS_BATCH_MAX];
	unsigned links[MR_DNS_BATCH_MAX];
	size_t asked_n = 0;

	for (size_t i = 0; i < n; i++) {
		struct mr_dns_question *q = dns->waiting[i];
		struct mr_str name;

		if (mr_dns_fixture_answer_zone(dns->zone, q, &name, &links[asked_n], &dns->arena))
			continue;
		other[asked_n] = (struct mr_dns_question){ .name = name, .type = q->type };
		asked[asked_n] = &other[asked_n];
		whose[asked_n++] = q;
	}
	if (asked_n)
		ask(dns, asked, asked_n, deadline_ms);
	for (size_t i = 0; i < asked_n; i++) {
		whose[i]->answer = other[i].answer;
		whose[i]->answer.links += links[i];
		whose[i]->is_answered = true;
	}
}

void
mr_dns_run(struct mr_dns *dns, int64_t deadline_ms)
{
	size_t n = dns->waiting_n;

	if (n == 0)
		return;
	dns->waiting_n = 0;
	dns->stats.batches++;
	dns->stats.questions += n;
	if (dns->conf.carrier)
		carry(dns, n, deadline_ms);
	else if (dns->zone)
		ask_beside_zone(dns, n, deadline_ms);
	else
		ask(dns, dns->waiting, n, deadline_ms);
}

const struct mr_dns_answer *
mr_dns_peek(const struct mr_dns *dns, struct mr_str text, enum mr_dns_type type)
{
	const struct mr_dns_question *q;
	struct mr_dns_name name;

	if (!mr_dns_name_parse(dns->ldns, &name, text))
		return &broken;
	if ((q = find(dns, &name, type)))
		return q->is_answered ? &q->answer : NULL;
	return dns->is_full ? &broken : NULL;
}

const struct mr_dns_answer *
mr_dns_want(struct mr_dns *dns, struct mr_str name, enum mr_dns_type type)
{
	const struct mr_dns_answer *a = mr_dns_peek(dns, name, type);

	if (!a)
		mr_dns_add(dns, name, type);
	return a;
}

const struct mr_dns_answer *
mr_dns_get(struct mr_dns *dns, struct mr_str name, enum mr_dns_type type, int64_t deadline_ms)
{
	const struct mr_dns_answer *a = mr_dns_peek(dns, name, type);

	if (!a) {
		mr_dns_add(dns, name, type);
		mr_dns_run(dns, deadline_ms);
		a = mr_dns_peek(dns, name, type);
	}
	return a ? a : &broken;
}

void
mr_dns_serve(
    struct mr_dns *dns, struct mr_str questions, int64_t deadline_ms, struct mr_buf *answers)
{
	const struct mr_dns_answer *a;
	enum mr_dns_type type;
	struct mr_str name, text;
	int64_t wanted_ms;
	size_t n = 0;

	if (!mr_dns_carry_deadline(&questions, &wanted_ms))
		return;
	for (text = questions; n < MR_DNS_BATCH_MAX && mr_dns_carry_question(&text, &name, &type);
	     n++)
		mr_dns_add(dns, name, type);
	mr_dns_run(dns, wanted_ms < deadline_ms ? wanted_ms : deadline_ms);
	for (text = questions; n && mr_dns_carry_question(&text, &name, &type); n--) {
		a = mr_dns_peek(dns, name, type);
		mr_dns_carry_answer(answers, a ? a : &broken);
	}
}

struct mr_dns_stats
mr_dns_stats(const struct mr_dns *dns)
{
	struct mr_dns_stats stats = dns->stats;

	stats.memory = dns->arena.used;
	return stats;
}
