/* dkim_keys.h - who signs with which key: a line of a table, and the files of private keys. */
#ifndef MR_CHECK_DKIM_KEYS_H
#define MR_CHECK_DKIM_KEYS_H

#include "check/dkim_sign.h"

#define MR_DKIM_LIFETIME_MAX (366u * 86400u) /* seconds: x= at most */

/* What one line of a table, or the options by hand, say: the signatures of one message. */
struct mr_dkim_plan {
	size_t n;
	struct mr_dkim_signer signer[MR_DKIM_SIGN_MAX]; /* key NULL: not loaded */
	const char *path[MR_DKIM_SIGN_MAX];             /* of its key */
};

/* Adds one signature.  MR_USAGE: selector or domain are none, or there are too many. */
enum mr_status mr_dkim_plan_add(struct mr_dkim_plan *plan, struct mr_arena *arena,
    struct mr_str domain, struct mr_str selector, const char *path, struct mr_err *err);

/* "relaxed/simple" for one signer: header, body. */
enum mr_status
mr_dkim_plan_canon(struct mr_dkim_signer *signer, struct mr_str word, struct mr_err *err);

/* Reads the entry of a table: `key` is example.org, .example.org (d= is example.org, too) or *, the value is
 * words SELECTOR:KEYFILE, d=DOMAIN, c=HEADER/BODY, x=SECONDS; d= must be there for *.  Views of `value`
 * are copied.  MR_USAGE with the reason. */
enum mr_status mr_dkim_plan_read(struct mr_dkim_plan *plan, struct mr_arena *arena,
    struct mr_str key, struct mr_str value, struct mr_err *err);

/* The keys of a plan are loaded, all or none; and wiped. */
enum mr_status mr_dkim_plan_load(struct mr_dkim_plan *plan, struct mr_err *err);
void mr_dkim_plan_unload(struct mr_dkim_plan *plan);

/* A private key's file.  MR_TEMP with the reason: it is not there, no file, others than its owner and group
 * can read it, or others than its owner can write it; no private RSA or Ed25519 key; an RSA key of less than
 * MR_DKIM_RSA_MIN bits.  What was read is wiped. */
enum mr_status mr_dkim_key_load(struct mr_pkey **key, const char *path, struct mr_err *err);

/* The same without reading it. */
enum mr_status mr_dkim_key_stat(const char *path, struct mr_err *err);

/* Makes a key in a new file that its owner alone can read.  MR_USAGE: the file is there already. */
enum mr_status mr_dkim_key_make(struct mr_pkey **key, const char *path, enum mr_pkey_kind kind,
    unsigned bits, struct mr_err *err);

#endif
