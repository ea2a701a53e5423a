/* dkim_sig.h - what a DKIM-Signature field says (RFC 6376 section 3.5, RFC 8301, 8463, 8616). */
#ifndef MR_CHECK_DKIM_SIG_H
#define MR_CHECK_DKIM_SIG_H

#include "base/arena.h"
#include "base/crypto.h"
#include "check/dkim_canon.h"

#define MR_DKIM_SIG_MAX     16384u /* bytes of a signature field that is looked at */
#define MR_DKIM_H_MAX       4096u  /* bytes of h= */
#define MR_DKIM_H_NAMES_MAX 256u   /* names in it */
#define MR_DKIM_DRIFT_S     300    /* how far a signer's clock may be wrong */

/* RFC 8601 2.7.1, from the best to the worst. */
enum mr_dkim_word {
	MR_DKIM_PASS,
	MR_DKIM_TEMPERROR, /* no key because of the DNS: it may be better later */
	MR_DKIM_POLICY,    /* good, and yet not to be trusted */
	MR_DKIM_FAIL,      /* it does not fit the message, or is not valid now */
	MR_DKIM_PERMERROR, /* no key that could be used, or a message that cannot be verified */
	MR_DKIM_NEUTRAL,   /* the field itself is wrong */
	MR_DKIM_NONE       /* no signature */
};

/* "pass", "temperror", ... */
const char *mr_dkim_word(enum mr_dkim_word word);

struct mr_dkim_sig {
	struct mr_str domain,
	    selector;            /* d=, s=: A-labels, lower case; p NULL: none that is valid */
	struct mr_str owner;     /* name of the key's record; p NULL as before */
	struct mr_str algorithm; /* a= as written; p NULL: none of safe characters */
	struct mr_str b;         /* b= without white space; n 0: none of safe characters */

	enum mr_dkim_word word; /* MR_DKIM_PASS: it can be verified; else what is wrong: ... */
	struct mr_str why;      /* ... in words */

	/* If it can be verified: */
	enum mr_pkey_kind kind;                         /* of the key that it needs */
	struct mr_str written_domain, written_selector; /* views of the field */
	struct mr_str h;         /* h=, names joined by ':' with white space */
	struct mr_str body_hash; /* bh=: MR_SHA256_N bytes, in the arena */
	enum mr_dkim_canon header, body;
	uint64_t length;        /* l=: octets of the canonical body; or MR_DKIM_WHOLE_BODY */
	bool is_identity_below; /* the domain of i= is below d=: not allowed with t=s of the key */
};

/* Reads the value of a DKIM-Signature field (what is behind the colon) at the time `now_s`; what is not a
 * view of it is in the arena.  Always fills *sig.  MR_TEMP: no memory, no OpenSSL. */
enum mr_status mr_dkim_sig_parse(struct mr_dkim_sig *sig, struct mr_str value, int64_t now_s,
    struct mr_arena *arena, struct mr_err *err);

/* Takes the next name off *h; false: that was the last. */
bool mr_dkim_sig_next_name(struct mr_str *h, struct mr_str *name);

#endif
