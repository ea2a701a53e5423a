/* srs.h - the sender that forwarded mail leaves under: SRS0 and SRS1 of the Sender Rewriting Scheme.
 *
 *	SRS0=HASH=TT=their.domain=local@our.domain              a@their.domain, forwarded by us
 *	SRS1=HASH=their.domain==HASH=TT=far.domain=local@our.domain
 *	                                          SRS0=HASH=TT=far.domain=local@their.domain, by us
 *
 * TT is the day, so that the address ends; HASH, a keyed one, says that we made it.  Keys and addresses
 * are those of Mail::SRS, libsrs2, pysrs and postsrsd: HMAC-SHA-1 over day, domain and local part in lower
 * case, since case is lost on the way here and there. */
#ifndef MR_MAIL_SRS_H
#define MR_MAIL_SRS_H

#include "mail/addr.h"

#define MR_SRS_KEYS_MAX 16u  /* keys of a file */
#define MR_SRS_KEY_MIN  16u  /* octets of a key: fewer can be guessed */
#define MR_SRS_KEY_MAX  512u /* octets */
#define MR_SRS_HASH     8u   /* characters of a hash that we make, ... */
#define MR_SRS_HASH_MIN 4u   /* ... the fewest that may be taken (others make no more), ... */
#define MR_SRS_HASH_MAX 27u  /* ... and all there are */
#define MR_SRS_DAYS     21u  /* how long an address is good, unless the caller says */
#define MR_SRS_DAYS_MAX 365u /* the day's number comes again after 1024 */

struct mr_srs {
	struct mr_arena arena;
	struct mr_str key[MR_SRS_KEYS_MAX]; /* the first signs, all verify */
	size_t key_n;                       /* 0: not opened */
	struct mr_str domain;               /* ours, in lower case */
	/* the caller's to change */
	unsigned hash_min; /* characters of a hash that are taken */
	unsigned days;
};

/* Reads the keys, one a line; empty lines and those with # in front do not count.  `domain`: where the
 * addresses are.  MR_USAGE with a reason: no such file, it is open to others, a key is too short, ...;
 * MR_TEMP: it cannot be read.  After either there is nothing to free. */
enum mr_status
mr_srs_open(struct mr_srs *srs, const char *path, struct mr_str domain, struct mr_err *err);
void mr_srs_free(struct mr_srs *srs);

/* The address that mail of `sender`, a canonical address, is forwarded under at `now_s`, in `arena`: SRS1 for
 * an SRS0 or SRS1 address, else SRS0.  Whether the sender is one to be rewritten is the caller's to know.
 * MR_PERM: it would be too long. */
enum mr_status mr_srs_forward(struct mr_str *to, const struct mr_srs *srs, struct mr_arena *arena,
    struct mr_str sender, int64_t now_s, struct mr_err *err);

enum mr_srs_result {
	MR_SRS_OTHER,  /* another domain, or nothing of the form of SRS */
	MR_SRS_VALID,  /* ours */
	MR_SRS_FORGED, /* never ours, or damaged */
	MR_SRS_EXPIRED /* ours, too old */
};

/* The address that `addr` was made of; *to is set if it is MR_SRS_VALID. */
enum mr_status
mr_srs_reverse(enum mr_srs_result *result, struct mr_str *to, const struct mr_srs *srs,
    struct mr_arena *arena, const struct mr_addr *addr, int64_t now_s, struct mr_err *err);

#endif
