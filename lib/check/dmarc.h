/* dmarc.h - whether an author's domain is who sent the mail, and what it wants done if not: RFC 7489 with
 * the Public Suffix List, RFC 9989 with the DNS tree walk. */
#ifndef MR_CHECK_DMARC_H
#define MR_CHECK_DMARC_H

#include "base/arena.h"
#include "check/dmarc_record.h"
#include "dns/dns.h"
#include "dns/orgdomain.h"

#define MR_DMARC_TIME_S        20u /* all lookups of a message, by default; over it: temperror */
#define MR_DMARC_WALK_MAX      8u  /* names of one tree walk (RFC 9989 4.10) */
#define MR_DMARC_SIGNATURE_MAX 20u /* signatures that are looked at */

enum mr_dmarc_result {
	MR_DMARC_RESULT_NONE, /* no policy */
	MR_DMARC_RESULT_PASS,
	MR_DMARC_RESULT_FAIL,
	MR_DMARC_RESULT_TEMPERROR, /* it cannot be told now */
	MR_DMARC_RESULT_PERMERROR  /* no author to be judged; never by mr_dmarc_check */
};

/* "none", "pass", ... (RFC 8601 2.7). */
const char *mr_dmarc_result_word(enum mr_dmarc_result result);

/* A DKIM signature: what it says, and what became of it ("pass", "fail", ...). */
struct mr_dmarc_signature {
	struct mr_str domain, selector, result;
};

/* What is known of the message.  Domains: A-labels, case does not count. */
struct mr_dmarc_query {
	struct mr_str author;     /* domain of the From field */
	struct mr_str spf_result; /* of MAIL FROM ("pass", ...); p NULL: was not checked */
	struct mr_str spf_domain;
	bool has_dkim; /* signatures were checked; there may have been none */
	const struct mr_dmarc_signature *signature;
	size_t signature_n;
	const struct mr_orgdomain *list; /* organisational domains by it; NULL: by tree walk */
};

/* Views of the query, of the memory of the resolver, or in the arena given to the check. */
struct mr_dmarc {
	enum mr_dmarc_result result;
	struct mr_str policy_domain;   /* where the record is; p NULL: no record */
	struct mr_dmarc_record record; /* its */
	enum mr_dmarc_policy policy;   /* p, sp or np of it, whichever is for the author */
	const char *policy_tag;        /* "p", "sp" or "np" */
	bool is_spf_aligned;           /* pass, and aligned */
	bool is_dkim_aligned;          /* one signature is: pass, and aligned */
	struct mr_str problem;         /* why it is none, temperror; p NULL else */
};

/* Judges one author with what is in dns's memory.  MR_OK: *d is the result.  MR_NOTFOUND: answers are
 * missing; the questions were added to the batch: run it and check again.  MR_TEMP: no memory. */
enum mr_status mr_dmarc_check(struct mr_dmarc *d, const struct mr_dmarc_query *query,
    struct mr_dns *dns, struct mr_arena *arena, struct mr_err *err);

#endif
