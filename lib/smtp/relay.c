#include "smtp/relay.h"

#include "base/clock.h"
#include "table/routes.h"

#include <string.h>

/* One job. */
struct trip {
	struct mr_relay *relay;
	const struct mr_job *job;
	int fd;
	struct mr_smtp_rcpt *rcpt;
	struct mr_arena *arena;
	unsigned tries;
	bool was_there; /* a host took the session */
	bool is_over;   /* nothing more to try */
	bool has_why;
	struct mr_job_result why; /* for those that remain: what may be better later comes first */
};

static void
note(struct trip *t, const struct mr_job_result *why)
{
	if (!t->has_why || t->why.outcome == MR_FAILED || why->outcome == MR_DEFERRED)
		t->why = *why;
	t->has_why = true;
}

static void
note_words(struct trip *t, enum mr_outcome outcome, const char *status, const char *words)
{
	struct mr_str copy = mr_arena_dup(t->arena, mr_str(words));

	note(t,
	    &(struct mr_job_result){ .outcome = outcome,
	        .host = MR_STR(""),
	        .reply = copy.p ? copy : MR_STR(""),
	        .status = mr_str(status) });
}

static void
try_address(struct trip *t, struct mr_str name, const struct mr_ip *ip, unsigned port)
{
	struct mr_smtp *smtp = &t->relay->smtp;
	struct mr_job_result why;

	if (t->tries++ == MR_RELAY_TRY_MAX) {
		t->is_over = true;
		return;
	}
	if (mr_smtp_open(smtp, name, ip, port, t->arena, &why) != MR_OK) {
		note(t, &why);
		return;
	}
	t->was_there = true;
	t->is_over = mr_smtp_send(smtp, t->job, t->fd, t->rcpt, t->arena, &why) == MR_OK;
	if (!t->is_over)
		note(t, &why);
}

static void
try_addresses(struct trip *t, struct mr_str name, const struct mr_ip *ip, size_t n, unsigned port)
{
	for (size_t i = 0; i < n && !t->is_over; i++)
		try_address(t, name, &ip[i], port);
}

/* A long-lived worker sees a new resolv.conf. */
static enum mr_status
open_dns(struct mr_dns **dns, const struct mr_relay *relay, struct mr_err *err)
{
	struct mr_dns_conf conf = relay->resolver;
	enum mr_status st = MR_OK;

	if (conf.server_n == 0 && !conf.fixture)
		st = mr_dns_conf_read(&conf, MR_DNS_RESOLV_CONF, err);
	return st ? st : mr_dns_open(dns, &conf, err);
}

static int64_t
dns_deadline_ms(const struct mr_relay *relay)
{
	int wait_s = relay->smtp.wait_max_s;

	if (wait_s == 0 || wait_s > MR_RELAY_DNS_S)
		wait_s = MR_RELAY_DNS_S;
	return mr_clock_mono_ms() + (int64_t)wait_s * 1000;
}

static void
try_mx_host(struct trip *t, struct mr_dns *dns, const struct mr_mx *mx, struct mr_str name)
{
	struct mr_ip ip[MR_MX_ADDR_MAX];
	struct mr_err err;
	enum mr_status st;
	size_t n;

	st = mx->is_literal ? mr_host_addresses(ip, &n, name, &err)
	                    : mr_mx_addresses(ip, &n, dns, name, dns_deadline_ms(t->relay), &err);
	if (st == MR_NOTFOUND)
		note_words(t, MR_FAILED, mx->is_implicit ? "5.1.2" : "5.4.4", err.text);
	else if (st)
		note_words(t, MR_DEFERRED, "4.4.3", err.text);
	else
		try_addresses(t, name, ip, n, t->relay->mx_port);
}

static void
try_mx(struct trip *t, struct mr_str domain)
{
	const struct mr_relay *relay = t->relay;
	struct mr_dns *dns = NULL;
	struct mr_err err;
	struct mr_mx mx;

	if (open_dns(&dns, relay, &err))
		note_words(t, MR_DEFERRED, "4.3.5", err.text);
	else if (mr_mx_find(&mx, t->arena, dns, domain, relay->smtp.own_name,
	             dns_deadline_ms(relay), &err)) {
		bool for_good = mx.status[0] == '5';

		note_words(t, for_good ? MR_FAILED : MR_DEFERRED, mx.status, err.text);
		if (for_good)
			t->was_there = true; /* an answer, and about this domain only */
	} else
		for (size_t i = 0; i < mx.n && !t->is_over; i++)
			try_mx_host(t, dns, &mx, mx.host[i].name);
	mr_dns_close(dns);
}

/* A host that the administrator named: what is wrong with it is a fault of ours, so temporary. */
static void
try_host(struct trip *t, struct mr_str word)
{
	struct mr_ip ip[MR_MX_ADDR_MAX];
	struct mr_str host;
	struct mr_err err;
	unsigned port;
	size_t n;

	if (mr_nexthop_parse(word, &host, &port, &err))
		note_words(t, MR_DEFERRED, "4.3.5", err.text);
	else if (mr_host_addresses(ip, &n, host, &err))
		note_words(t, MR_DEFERRED, "4.4.3", err.text);
	else
		try_addresses(t, host, ip, n, port);
}

static void
try_all(struct trip *t)
{
	struct mr_str rest = t->job->nexthop, word;

	while (!t->is_over && (word = mr_str_word(&rest)).n) {
		if (mr_str_starts(word, "mx:"))
			try_mx(t, mr_str_from(word, 3));
		else
			try_host(t, word);
	}
}

/* The connection of the job before, if it goes to the same place. */
static void
try_kept(struct trip *t)
{
	struct mr_relay *relay = t->relay;
	struct mr_job_result why;
	enum mr_status st;

	if (relay->smtp.fd < 0 || !mr_str_eq(mr_buf_str(&relay->nexthop), t->job->nexthop))
		return;
	st = mr_smtp_send(&relay->smtp, t->job, t->fd, t->rcpt, t->arena, &why);
	t->is_over = st == MR_OK;
	t->was_there = st != MR_NOTFOUND;
	if (st == MR_TEMP)
		note(t, &why);
}

static void
remember(struct mr_relay *relay, struct mr_str nexthop)
{
	mr_buf_clear(&relay->nexthop);
	mr_buf_add(&relay->nexthop, nexthop);
	if (relay->nexthop.is_full)
		mr_smtp_quit(&relay->smtp);
}

bool
mr_relay_job(struct mr_relay *relay, const struct mr_job *job, int fd, struct mr_smtp_rcpt *rcpt,
    struct mr_arena *arena)
{
	struct trip t = { .relay = relay, .job = job, .fd = fd, .rcpt = rcpt, .arena = arena };

	memset(rcpt, 0, job->rcpt_n * sizeof *rcpt);
	try_kept(&t);
	if (!t.is_over) {
		mr_smtp_quit(&relay->smtp);
		try_all(&t);
		remember(relay, job->nexthop);
	}
	if (!t.has_why)
		note_words(&t, MR_DEFERRED, "4.3.5", "no next hop was given");
	for (size_t i = 0; i < job->rcpt_n; i++)
		if (!rcpt[i].is_decided) {
			rcpt[i].is_decided = true;
			rcpt[i].result = t.why;
			rcpt[i].result.rcpt = i;
		}
	return !t.was_there;
}

void
mr_relay_init(struct mr_relay *relay, struct mr_str own_name, int wait_max_s)
{
	*relay = (struct mr_relay){ .mx_port = MR_RELAY_PORT };
	mr_smtp_init(&relay->smtp, own_name, wait_max_s);
	mr_buf_init(&relay->nexthop, MR_RELAY_HOP_MAX);
}

void
mr_relay_free(struct mr_relay *relay)
{
	mr_smtp_free(&relay->smtp);
	mr_buf_free(&relay->nexthop);
}
