/* spf_record.h - SPF records (RFC 7208 section 12): a strict reader, and macros (section 7).
 * Records are hostile text: everything here is a view into the record, or bounded by its buffer. */
#ifndef MR_CHECK_SPF_RECORD_H
#define MR_CHECK_SPF_RECORD_H

#include "base/buf.h"
#include "base/ip.h"

#define MR_SPF_RECORD_MAX 8192u /* octets of a record; RFC 7208 3.4 advises 450 */
#define MR_SPF_NAME_MAX   253u  /* octets of a name, dots included (7.3, RFC 1035 2.3.4) */

enum mr_spf_result { /* section 2.6 */
	MR_SPF_NONE,
	MR_SPF_NEUTRAL,
	MR_SPF_PASS,
	MR_SPF_FAIL,
	MR_SPF_SOFTFAIL,
	MR_SPF_TEMPERROR,
	MR_SPF_PERMERROR
};

/* "none", "neutral", ... */
const char *mr_spf_result_word(enum mr_spf_result result);

enum mr_spf_kind {
	MR_SPF_ALL,
	MR_SPF_INCLUDE,
	MR_SPF_A,
	MR_SPF_MX,
	MR_SPF_PTR,
	MR_SPF_IP4,
	MR_SPF_IP6,
	MR_SPF_EXISTS,
	MR_SPF_REDIRECT,
	MR_SPF_EXP,
	MR_SPF_UNKNOWN /* a modifier that says nothing here (section 6) */
};

struct mr_spf_term {
	enum mr_spf_kind kind;
	enum mr_spf_result qualifier; /* of a mechanism: the result if it matches */
	struct mr_str text;           /* the whole term */
	struct mr_str spec;    /* domain-spec, macros not expanded; p NULL if there is none */
	struct mr_ip ip;       /* MR_SPF_IP4, MR_SPF_IP6, as written: a v4-mapped one stays IPv6 */
	unsigned bits4, bits6; /* prefix lengths of ip4, ip6, a, mx; without one 32 and 128 */
};

/* True for what the limit of section 4.6.4 counts: include, a, mx, ptr, exists, redirect. */
bool mr_spf_term_is_counted(const struct mr_spf_term *t);

/* True if `text` is a record of this version at all (4.5): "v=spf1", then a blank or the end. */
bool mr_spf_is_record(struct mr_str text);

/* The next term off *rest, which at the start is the record behind "v=spf1".  MR_NOTFOUND: the end;
 * MR_PERM: wrong syntax, with the reason. */
enum mr_status mr_spf_term_next(struct mr_str *rest, struct mr_spf_term *t, struct mr_err *err);

/* A record, all of its syntax checked (4.6): the terms are in `terms`, for mr_spf_term_next. */
struct mr_spf_record {
	struct mr_str terms;
	struct mr_str redirect, exp; /* domain-specs; p NULL if there is none */
	unsigned counted_n;          /* terms that the limit counts */
};

/* `text` must be mr_spf_is_record.  MR_PERM with the reason. */
enum mr_status
mr_spf_record_parse(struct mr_spf_record *record, struct mr_str text, struct mr_err *err);

/* What macros stand for (7.2).  Names have no final dot. */
struct mr_spf_macros {
	struct mr_str sender, local, sender_domain; /* s l o */
	struct mr_str domain;                       /* d: whose record is read */
	struct mr_str helo;                         /* h */
	struct mr_str validated;                    /* p */
	struct mr_str receiver;                     /* r */
	const struct mr_ip *ip;                     /* i c v */
	int64_t now_s;                              /* t */
};

/* True if `text` is an explain-string (6.2): macros, c r t among them, blanks and printable ASCII. */
bool mr_spf_is_explanation(struct mr_str text);

/* True if `text` uses the macro `letter` (in lower case) in either case. */
bool mr_spf_uses(struct mr_str text, char letter);

/* Appends `text`, whose syntax was checked (spec, explanation), with its macros expanded.  The
 * buffer's ceiling bounds it: out->is_full when it does not fit. */
void mr_spf_expand(struct mr_buf *out, struct mr_str text, const struct mr_spf_macros *m);

#endif
