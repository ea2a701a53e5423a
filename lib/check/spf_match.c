#include "check/spf_match.h"

#include "base/buf.h"
#include "base/lazy.h"

#include <netinet/in.h>
#include <spf2/spf.h>
#include <spf2/spf_dns_null.h>
#include <stdlib.h>
#include <string.h>

/* libspf2's compiler overflows its stack on some records (CVE-2023-42118), drops terms past 511
 * octets of its compiled form without a word, and reads "/0" as all bits.  So it is handed nothing
 * but records written here, of networks and at most this many of them. */
#define TERMS_MAX  16u
#define RECORD_MAX (TERMS_MAX * (MR_NET_TEXT_MAX + 5) + 16)
#define ASKED_MAX  4u /* answers of libspf2 that are remembered */

#define LIB(name) SPF_##name
/* clang-format off */
#define FUNCTIONS(F) \
	F(dns_free) F(dns_null_new) F(record_compile) F(record_free) F(record_interpret) \
	F(request_free) F(request_new) F(request_set_ipv4) F(request_set_ipv6) \
	F(response_free) F(response_new) F(response_result) F(server_free) F(server_new_dns) \
	F(strerror)
/* clang-format on */

struct libspf2 {
	FUNCTIONS(MR_LAZY_FIELD)
};

struct asked {
	struct mr_ip client;
	struct mr_buf record; /* with its NUL; empty: nothing was asked here */
	bool matches;
};

struct mr_spf_matcher {
	struct libspf2 lib;
	SPF_server_t *server;
	/* A check begins anew with each answer of the DNS, and asks the same again. */
	struct asked asked[ASKED_MAX];
	unsigned oldest;
};

enum mr_status
mr_spf_matcher_open(struct mr_spf_matcher **matcher, struct mr_err *err)
{
	struct mr_spf_matcher *m = calloc(1, sizeof *m);
	SPF_dns_server_t *none;
	enum mr_status st;

	*matcher = NULL;
	if (!m)
		return mr_err_set(err, MR_TEMP, "out of memory");
	if ((st = MR_LAZY_LOAD(&m->lib, FUNCTIONS, err))) {
		free(m);
		return st;
	}
	none = m->lib.dns_null_new(NULL, NULL, 0);
	if (none && !(m->server = m->lib.server_new_dns(none, 0)))
		m->lib.dns_free(none);
	if (!m->server) {
		free(m);
		return mr_err_set(err, MR_TEMP, "out of memory");
	}
	/* The server does not own a resolver that it was given, unless told so. */
	m->server->destroy_resolver = 1;
	*matcher = m;
	return MR_OK;
}

void
mr_spf_matcher_close(struct mr_spf_matcher *matcher)
{
	if (!matcher)
		return;
	for (size_t i = 0; i < ASKED_MAX; i++)
		mr_buf_free(&matcher->asked[i].record);
	matcher->lib.server_free(matcher->server);
	free(matcher);
}

/* Evaluates one record of ours.  It is interpreted as it is: a query would let every client on
 * loopback pass. */
static enum mr_status
evaluate(const struct mr_spf_matcher *m, const struct mr_ip *client, const char *record,
    bool *matches, struct mr_err *err)
{
	static const char domain[] = "x.invalid";
	const struct libspf2 *spf = &m->lib;
	SPF_request_t *request = spf->request_new(m->server);
	SPF_response_t *response = request ? spf->response_new(request) : NULL;
	SPF_record_t *compiled = NULL;
	SPF_errcode_t code = SPF_E_NO_MEMORY;
	struct in6_addr v6;
	struct in_addr v4;

	memcpy(&v6, client->b, sizeof v6);
	memcpy(&v4, client->b, sizeof v4);
	if (response)
		code = client->is_v6 ? spf->request_set_ipv6(request, v6)
		                     : spf->request_set_ipv4(request, v4);
	if (!code)
		code = spf->record_compile(m->server, response, &compiled, record);
	if (!code) {
		response->spf_record_exp = compiled;
		request->cur_dom = domain;
		code = spf->record_interpret(compiled, request, response, 0);
		*matches = spf->response_result(response) == SPF_RESULT_PASS;
	}
	if (compiled)
		spf->record_free(compiled);
	if (response)
		spf->response_free(response);
	if (request)
		spf->request_free(request);
	return code ? mr_err_set(err, MR_TEMP, "libspf2: %s", spf->strerror(code)) : MR_OK;
}

/* The same, unless that was asked a moment ago.  Takes the record's memory. */
static enum mr_status
ask(struct mr_spf_matcher *m, const struct mr_ip *client, struct mr_buf *record, bool *matches,
    struct mr_err *err)
{
	struct asked *a = m->asked;
	enum mr_status st;

	while (a < m->asked + ASKED_MAX
	    && !(mr_ip_eq(&a->client, client)
	        && mr_str_eq(mr_buf_str(&a->record), mr_buf_str(record))))
		a++;
	if (a < m->asked + ASKED_MAX) {
		*matches = a->matches;
		mr_buf_free(record);
		return MR_OK;
	}
	if ((st = evaluate(m, client, record->p, matches, err))) {
		mr_buf_free(record);
		return st;
	}
	a = &m->asked[m->oldest++ % ASKED_MAX];
	mr_buf_free(&a->record);
	*a = (struct asked){ .client = *client, .record = *record, .matches = *matches };
	return MR_OK;
}

/* True if any of at most TERMS_MAX networks holds the client. */
static enum mr_status
match_any(struct mr_spf_matcher *m, const struct mr_ip *client, const struct mr_net *net, size_t n,
    bool *matches, struct mr_err *err)
{
	char storage[MR_NET_TEXT_MAX];
	enum mr_status st = MR_OK;
	struct mr_buf record;
	size_t terms_n = 0;

	*matches = false;
	mr_buf_init(&record, RECORD_MAX);
	mr_buf_adds(&record, "v=spf1");
	for (size_t i = 0; i < n; i++) {
		if (net[i].ip.is_v6 != client->is_v6)
			continue;
		terms_n++;
		*matches |= net[i].bits == 0;
		mr_buf_adds(&record, client->is_v6 ? " ip6:" : " ip4:");
		mr_buf_add(&record, mr_net_text(storage, &net[i]));
	}
	mr_buf_adds(&record, " ?all");
	mr_buf_addc(&record, '\0');
	if (record.is_full)
		st = mr_err_set(err, MR_TEMP, "out of memory");
	else if (terms_n && !*matches)
		return ask(m, client, &record, matches, err);
	mr_buf_free(&record);
	return st;
}

enum mr_status
mr_spf_match(struct mr_spf_matcher *matcher, const struct mr_ip *client, const struct mr_net *net,
    size_t n, size_t *at, struct mr_err *err)
{
	enum mr_status st = MR_OK;
	bool matches = false;
	size_t i = 0, many = 0;

	while (i < n && !matches) {
		many = n - i < TERMS_MAX ? n - i : TERMS_MAX;
		if ((st = match_any(matcher, client, net + i, many, &matches, err)))
			return st;
		if (!matches)
			i += many;
	}
	/* One of these; if they are several, which of them? */
	for (matches &= many == 1; i < n && !matches; i += !matches)
		if ((st = match_any(matcher, client, net + i, 1, &matches, err)))
			return st;
	*at = i;
	return matches ? MR_OK : MR_NOTFOUND;
}
