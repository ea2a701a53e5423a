/* dkim_verify.h - whether the DKIM signatures of a message are good (RFC 6376, 8301, 8463, 8616). */
#ifndef MR_CHECK_DKIM_VERIFY_H
#define MR_CHECK_DKIM_VERIFY_H

#include "check/dkim_sig.h"
#include "check/opendkim.h"
#include "dns/dns.h"

/* Limits of one message.  Over the first the others are ignored; over the rest no signature can be
 * verified. */
#define MR_DKIM_SIGS_MAX        10u          /* signatures that are looked at, from the top */
#define MR_DKIM_HEADER_MAX      (1u << 20)   /* bytes of the header */
#define MR_DKIM_FIELDS_MAX      5000u        /* fields of the header */
#define MR_DKIM_FIELD_MAX       (256u << 10) /* bytes of a field that is signed */
#define MR_DKIM_VERIFY_BITS_MAX 4096u        /* of an RSA key: RFC 8301 3.2 asks for no more */
#define MR_DKIM_FROM_MAX        8192u        /* bytes of From that come out */
#define MR_DKIM_IGNORED_MAX     160u         /* bytes that name the ignored ones */

/* What became of a signature; views live in the arena. */
struct mr_dkim_result {
	enum mr_dkim_word word;
	struct mr_str domain, selector, algorithm, b; /* as in struct mr_dkim_sig */
	struct mr_str why;                            /* in words; p NULL: a pass */
	bool is_test;                                 /* the signer is trying things out (t=y) */
};

struct mr_dkim {
	struct mr_dkim_result sig[MR_DKIM_SIGS_MAX]; /* in the order of the message */
	size_t n;
	size_t ignored_n; /* more than these */
	struct mr_str
	    ignored; /* whose they are: "a.example/s1 b.example/s2 ...", as far as there is room */
	struct mr_str
	    from; /* the value of From, the only one, cut at MR_DKIM_FROM_MAX; p NULL: none */
};

struct mr_dkim_conf {
	struct mr_opendkim_lib *lib;
	struct mr_dns *dns;
	int64_t deadline_ms; /* of the lookups (mr_clock_mono_ms) */
	int64_t now_s;       /* wall clock */
};

/* Lets OpenSSL find now what verifying a signature of each kind needs, so that processes forked later need
 * not: that is three quarters of the work for a small message. */
enum mr_status mr_dkim_warm_up(struct mr_err *err);

/* The message is read from the present offset of `fd`, a file, twice.  MR_TEMP: it could not be verified
 * because of us; that the DNS is out of order is a result. */
enum mr_status mr_dkim_verify(struct mr_dkim *dkim, const struct mr_dkim_conf *conf, int fd,
    struct mr_arena *arena, struct mr_err *err);

/* The best of its signatures. */
enum mr_dkim_word mr_dkim_best(const struct mr_dkim *dkim);

#endif
