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

struct mr_spf_matcher {
	struct libspf2 lib;
	SPF_server_t *server;
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
	matcher->lib.server_free(matcher->server);
	free(matcher);
}

/* Evaluates one record of ours.  It is interpreted as it is: a query would let every client on
 * loopback pass. */
static enum mr_status
evaluate(const struct libspf2 *spf, SPF_request_t *request, const char *record, bool *matches,
    struct mr_err *err)
{
	static const char domain[] = "x.invalid";
	SPF_response_t *response = spf->response_new(request);
	SPF_record_t *compiled = NULL;
	SPF_errcode_t code = SPF_E_NO_MEMORY;

	if (response)
		code = spf->record_compile(request->spf_server, response, &compiled, record);
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
	return code ? mr_err_set(err, MR_TEMP, "libspf2: %s", spf->strerror(code)) : MR_OK;
}

/* True if any of at most TERMS_MAX networks holds the client. */
static enum mr_status
match_any(const struct libspf2 *spf, SPF_request_t *request, bool is_v6, const struct mr_net *net,
    size_t n, bool *matches, struct mr_err *err)
{
	char storage[MR_NET_TEXT_MAX];
	enum mr_status st = MR_OK;
	struct mr_buf record;
	size_t terms_n = 0;

	*matches = false;
	mr_buf_init(&record, RECORD_MAX);
	mr_buf_adds(&record, "v=spf1");
	for (size_t i = 0; i < n; i++) {
		struct mr_str text;

		if (net[i].ip.is_v6 != is_v6)
			continue;
		terms_n++;
		*matches |= net[i].bits == 0;
		text = mr_net_text(storage, &net[i]);
		mr_buf_adds(&record, is_v6 ? " ip6:" : " ip4:");
		mr_buf_add(&record, text);
	}
	mr_buf_adds(&record, " ?all");
	mr_buf_addc(&record, '\0');
	if (record.is_full)
		st = mr_err_set(err, MR_TEMP, "out of memory");
	else if (terms_n && !*matches)
		st = evaluate(spf, request, record.p, matches, err);
	mr_buf_free(&record);
	return st;
}

enum mr_status
mr_spf_match(struct mr_spf_matcher *matcher, const struct mr_ip *client, const struct mr_net *net,
    size_t n, size_t *at, struct mr_err *err)
{
	const struct libspf2 *spf = &matcher->lib;
	SPF_request_t *request = spf->request_new(matcher->server);
	enum mr_status st = MR_OK;
	bool matches = false;
	size_t i = 0, many = 0;
	struct in6_addr v6;
	struct in_addr v4;

	memcpy(&v6, client->b, sizeof v6);
	memcpy(&v4, client->b, sizeof v4);
	if (!request
	    || (client->is_v6 ? spf->request_set_ipv6(request, v6)
	                      : spf->request_set_ipv4(request, v4))) {
		st = mr_err_set(err, MR_TEMP, "out of memory");
		goto out;
	}
	while (i < n && !matches) {
		many = n - i < TERMS_MAX ? n - i : TERMS_MAX;
		st = match_any(spf, request, client->is_v6, net + i, many, &matches, err);
		if (st)
			goto out;
		if (!matches)
			i += many;
	}
	/* One of these; if they are several, which of them? */
	for (matches &= many == 1; i < n && !matches; i += !matches)
		if ((st = match_any(spf, request, client->is_v6, net + i, 1, &matches, err)))
			goto out;
	*at = i;
out:
	if (request)
		spf->request_free(request);
	return st ? st : matches ? MR_OK : MR_NOTFOUND;
}
