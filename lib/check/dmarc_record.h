/* dmarc_record.h - what a domain publishes for DMARC (RFC 7489 6.3 and 6.4, RFC 9989 4.7 and 4.8). */
#ifndef MR_CHECK_DMARC_RECORD_H
#define MR_CHECK_DMARC_RECORD_H

#include "base/err.h"
#include "base/str.h"

#define MR_DMARC_RECORD_MAX 4096u /* octets; one that is longer is none */

/* What to do with mail that fails, from the mildest on. */
enum mr_dmarc_policy { MR_DMARC_NONE, MR_DMARC_QUARANTINE, MR_DMARC_REJECT };

enum mr_dmarc_psd { MR_DMARC_PSD_U, MR_DMARC_PSD_N, MR_DMARC_PSD_Y };

/* Tags that are not there, or wrong, have their defaults.  Views of the record's text. */
struct mr_dmarc_record {
	enum mr_dmarc_policy p, sp, np; /* sp is p, and np is sp, where they are not given */
	bool has_sp, has_np;            /* given */
	bool is_adkim_strict, is_aspf_strict;
	bool is_test; /* t=y */
	unsigned pct; /* 0 to 100 */
	enum mr_dmarc_psd psd;
	struct mr_str fo, rua; /* as they stand there; p NULL: not given */
};

/* True if the text begins with v=DMARC1: any other is no record of DMARC at all. */
bool mr_dmarc_is_record(struct mr_str text);

/* Reads a record.  A tag that is wrong is as if it was not there, of tags given twice the first counts.
 * MR_PERM: no DMARC processing by it (RFC 7489 6.6.3 step 6): p is missing, or p, sp or np is wrong, and no
 * rua asks for reports; *r is filled none the less.  With such a rua its policies are none. */
enum mr_status
mr_dmarc_record_parse(struct mr_dmarc_record *r, struct mr_str text, struct mr_err *err);

/* "none", "quarantine", "reject". */
const char *mr_dmarc_policy_word(enum mr_dmarc_policy policy);

#endif
