/* dkim_record.h - a published DKIM key: where it stands in the DNS, and what its record says (RFC 6376
 * section 3.6.1, RFC 8301, RFC 8463). */
#ifndef MR_CHECK_DKIM_RECORD_H
#define MR_CHECK_DKIM_RECORD_H

#include "base/arena.h"
#include "base/crypto.h"

#define MR_DKIM_RECORD_MAX 16384u /* bytes of a record that is read */
#define MR_DKIM_OWNER_MAX  253u   /* bytes of a name in the DNS, without its final dot */
#define MR_DKIM_RSA_MIN    1024u  /* RFC 8301 3.2: a shorter key never counts */
#define MR_DKIM_RSA_GOOD   2048u  /* and signers should have at least this */

/* What can be wrong with a record, or odd about it.  Those before MR_DKIM_TESTING make it useless for mail. */
enum mr_dkim_fault {
	MR_DKIM_SYNTAX,  /* no tag list; see mr_dkim_record.syntax */
	MR_DKIM_QUOTES,  /* '"' or '\' in a tag that counts: pasted from a zone file */
	MR_DKIM_VERSION, /* v= is not DKIM1 */
	MR_DKIM_V_LATE,  /* v= is there, but not the first tag */
	MR_DKIM_NO_P,    /* no p= */
	MR_DKIM_REVOKED, /* p= is empty */
	MR_DKIM_KIND,    /* k= is neither rsa nor ed25519 */
	MR_DKIM_BASE64,  /* p= is not base64 (cut off, or stray characters) */
	MR_DKIM_KEY, /* p= is no public key of the kind k= says, or of over MR_RSA_BITS_MAX bits */
	MR_DKIM_ED25519_LEN, /* p= of an ed25519 key has not 32 octets */
	MR_DKIM_RSA_SHORT,   /* under MR_DKIM_RSA_MIN bits */
	MR_DKIM_NO_SHA256,   /* h= without sha256 */
	MR_DKIM_NOT_EMAIL,   /* s= without email or * */

	MR_DKIM_TESTING,  /* t=y: receivers may act as if there were no signature */
	MR_DKIM_STRICT,   /* t=s: i= must have the very domain of d= */
	MR_DKIM_RSA_WEAK, /* under MR_DKIM_RSA_GOOD bits */
	MR_DKIM_NO_V,     /* no v=: allowed, recommended */
	MR_DKIM_FAULTS    /* how many there are */
};

struct mr_dkim_record {
	uint32_t faults;           /* bits 1u << enum mr_dkim_fault */
	struct mr_str syntax;      /* the reason of MR_DKIM_SYNTAX; in the arena */
	struct mr_str kind_word;   /* k=, or "rsa" */
	enum mr_pkey_kind kind;    /* of k=, unless MR_DKIM_KIND */
	struct mr_str hash, flags; /* h=, t= as written; p NULL: not there */
	struct mr_str notes, p;    /* n=, p= as written */
	struct mr_str key;         /* p= decoded: what mr_pkey_from_public reads; in the arena */
	unsigned bits;             /* of an RSA key that can be read */
};

/* Reads a record's text (the strings of the TXT record, joined).  Always fills *record: what is wrong is in
 * its faults.  Views are of `text`, unless said.  MR_TEMP: no memory, no OpenSSL. */
enum mr_status mr_dkim_record_parse(
    struct mr_dkim_record *record, struct mr_str text, struct mr_arena *arena, struct mr_err *err);

/* The same in two steps, of which the second is dear: everything but whether what p= has is a key; and that, of
 * a record that was read. */
enum mr_status mr_dkim_record_read(
    struct mr_dkim_record *record, struct mr_str text, struct mr_arena *arena, struct mr_err *err);
enum mr_status mr_dkim_record_check_key(struct mr_dkim_record *record, struct mr_err *err);

/* The same of an RSA key that somebody else has read. */
void mr_dkim_record_set_bits(struct mr_dkim_record *record, unsigned bits);

bool mr_dkim_record_has(const struct mr_dkim_record *record, enum mr_dkim_fault fault);

/* The first fault that makes it useless, or MR_DKIM_FAULTS: the key can be used. */
enum mr_dkim_fault mr_dkim_record_worst(const struct mr_dkim_record *record);

/* What it means, for people: "the key is revoked (p= is empty)". */
const char *mr_dkim_fault_text(enum mr_dkim_fault fault);

/* True if a receiver that looks for keys at all would take `text` for one: it begins with "v=DKIM1", or has
 * a tag p=. */
bool mr_dkim_record_is_like(struct mr_str text);

/* SELECTOR._domainkey.DOMAIN (RFC 6376 3.6.2.1), in lower case, U-labels as A-labels (RFC 8616 4), in the
 * arena.  MR_PERM: the selector or the domain is no domain name, or the whole is over MR_DKIM_OWNER_MAX. */
enum mr_status mr_dkim_owner(struct mr_str *owner, struct mr_arena *arena, struct mr_str selector,
    struct mr_str domain, struct mr_err *err);

#endif
