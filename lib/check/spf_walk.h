/* spf_walk.h - one walk of check_host(): what it knows, what it asks, which names it makes.  For spf.c and spf_tree.c
 * only.
 *
 * A walk goes through the records from the start, over what the DNS has answered so far.  Where an
 * answer is missing the question is added to the batch and the walk goes on as if the term did not
 * match: so it finds what will be needed, too, and all of that goes out at once. */
#ifndef MR_CHECK_SPF_WALK_H
#define MR_CHECK_SPF_WALK_H

#include "check/spf.h"

struct mr_spf_walk {
	const struct mr_spf_query *query;
	struct mr_dns *dns;
	struct mr_arena *arena; /* of this walk */
	struct mr_spf_macros macros;
	unsigned terms_n, voids_n;     /* so far */
	unsigned ahead_n;              /* counted terms that follow in the records being read */
	bool is_pending;               /* an answer is missing: the result does not count */
	enum mr_status fault;          /* of ours, ... */
	struct mr_err *err;            /* ... with its reason */
	enum mr_spf_result end;        /* after MR_SPF_END */
	struct mr_str problem;         /* its words */
	struct mr_str term;            /* the one that decided, of the record read first */
	struct mr_str exp, exp_domain; /* of the record that gave the result */
};

/* What became of a term. */
enum mr_spf_outcome {
	MR_SPF_NO, /* it does not match; or an answer is missing */
	MR_SPF_YES,
	MR_SPF_END /* the check ends with an error: w->end */
};

/* Ends the check with an error and its words. */
enum mr_spf_outcome mr_spf_end_with(struct mr_spf_walk *w, enum mr_spf_result result,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Ends it by a fault of ours, whose reason is in *w->err. */
enum mr_spf_outcome mr_spf_give_up(struct mr_spf_walk *w);

/* Who sends, as macros see it (2.3, 2.4, 4.3), out of w->query; returns the domain to check. */
struct mr_str mr_spf_set_identity(struct mr_spf_walk *w);

/* "found", "no data", ... */
const char *mr_spf_answer_word(enum mr_dns_result result);

/* True for a name that can be asked: ASCII, labels of 1 to 63 octets, no final dot. */
bool mr_spf_is_name(struct mr_str s);

/* True for a name of an answer (in presentation form) that is simple enough to be a host's: one with
 * escapes is none, and a dot that is part of a label must not look like one between labels. */
bool mr_spf_is_host(struct mr_str name);

/* The answer for a mr_spf_is_name(), or NULL: it is asked now, and the walk is pending. */
const struct mr_dns_answer *
mr_spf_look_up(struct mr_spf_walk *w, struct mr_str name, enum mr_dns_type type);

/* Ends the check by an outage: a result from MR_DNS_SERVFAIL on. */
enum mr_spf_outcome mr_spf_end_outage(struct mr_spf_walk *w, struct mr_str name,
    enum mr_dns_type type, const struct mr_dns_answer *answer);

/* mr_spf_look_up for a mechanism (section 5): *found has the records, or is NULL if there are none (a void
 * lookup, which is counted), or not yet.  MR_SPF_END: an outage, or one void lookup too many. */
enum mr_spf_outcome mr_spf_look_up_counted(struct mr_spf_walk *w, struct mr_str name,
    enum mr_dns_type type, const struct mr_dns_answer **found);

/* A or AAAA, as the client's address is. */
enum mr_dns_type mr_spf_address_type(const struct mr_spf_walk *w);

/* The client's validated name (5.5) out of the records `ptr`: `domain` itself, else one below it, else,
 * if `is_any`, any; p NULL if there is none, or not yet. */
struct mr_str mr_spf_validated_name(
    struct mr_spf_walk *w, struct mr_str domain, bool is_any, const struct mr_dns_answer *ptr);

/* `text` with macros expanded for the record of `domain`, in the arena; p NULL if it is longer than
 * `max` octets. */
struct mr_str
mr_spf_expand_for(struct mr_spf_walk *w, struct mr_str text, struct mr_str domain, size_t max);

/* The target-name (4.8) of a domain-spec, p NULL of which means `domain`.  False: it makes no name, or
 * %{p} is not known yet. */
bool mr_spf_target_name(
    struct mr_spf_walk *w, struct mr_str spec, struct mr_str domain, struct mr_str *name);

#endif
