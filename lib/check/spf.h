/* spf.h - whether a domain lets a client send in its name (RFC 7208, RFC 8616). */
#ifndef MR_CHECK_SPF_H
#define MR_CHECK_SPF_H

#include "base/log.h"
#include "check/spf_match.h"
#include "check/spf_record.h"
#include "dns/dns.h"

/* Limits of one check, includes and redirects counted in (section 4.6.4).  Over them: permerror. */
#define MR_SPF_TERM_MAX 10u /* include, a, mx, ptr, exists, redirect */
#define MR_SPF_VOID_MAX 2u  /* void lookups: no such name, no data */
#define MR_SPF_MX_MAX   10u /* hosts of one mx */
#define MR_SPF_PTR_MAX  10u /* names of the client; more are ignored */
#define MR_SPF_TIME_S   20u /* all lookups of a check, by default; over it: temperror */

#define MR_SPF_EXPLANATION_MAX 8192u      /* octets, macros expanded; longer: the default one */
#define MR_SPF_EXPANDED_MAX    65536u     /* octets of a domain-spec, macros expanded */
#define MR_SPF_MEMORY_MAX      (2u << 20) /* bytes that one walk may take */

struct mr_spf_query {
	const struct mr_ip *ip; /* the client's */
	struct mr_str helo;     /* what it said in HELO or EHLO */
	struct mr_str sender;   /* reverse-path without <>; empty: postmaster@helo (2.4) */
	struct mr_str receiver; /* our host's name, for %{r} */
	struct mr_str record;   /* the sender's domain's record; p NULL: ask the DNS */
	struct mr_str
	    explanation; /* an explain-string for fail, if the domain has none; p NULL: none */
	struct mr_spf_matcher *matcher;
	const struct mr_log *trace; /* a debug line for each term and lookup; NULL: none */
};

/* All views live in the arena given to the check, or in the query. */
struct mr_spf {
	enum mr_spf_result result;
	struct mr_str domain;      /* that was checked: A-labels, no final dot */
	struct mr_str term;        /* the one that decided, of the first record; p NULL: none did */
	struct mr_str problem;     /* why there is none, temperror, permerror; p NULL else */
	struct mr_str explanation; /* of a fail, printable ASCII; p NULL: none */
	bool is_explained_by_domain; /* not by the query's */
};

/* check_host() (section 4) with what is in dns's memory.  MR_OK: *spf is the result.  MR_NOTFOUND: answers
 * are missing; these questions, and others that will be needed if nothing matches before, were added
 * to the batch: run it and check again.  MR_TEMP: no memory. */
enum mr_status mr_spf_check(struct mr_spf *spf, const struct mr_spf_query *query,
    struct mr_dns *dns, struct mr_arena *arena, struct mr_err *err);

#endif
