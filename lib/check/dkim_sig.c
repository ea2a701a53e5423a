#include "check/dkim_sig.h"

#include "check/dkim_record.h"
#include "mail/addr.h"
#include "mail/idn.h"
#include "mail/taglist.h"

#define SHOWN_MAX 40 /* bytes of what others wrote, in a reason */

const char *
mr_dkim_word(enum mr_dkim_word word)
{
	static const char *const words[] = { "pass", "temperror", "policy", "fail", "permerror",
		"neutral", "none" };

	return words[word];
}

bool
mr_dkim_sig_next_name(struct mr_str *h, struct mr_str *name)
{
	return mr_taglist_next(h, ':', name);
}

/* The first thing that is wrong counts. */
static void
wrong(struct mr_dkim_sig *sig, enum mr_dkim_word word, struct mr_str why)
{
	if (sig->word == MR_DKIM_PASS) {
		sig->word = word;
		sig->why = why;
	}
}

static void
missing(struct mr_dkim_sig *sig, const char *why)
{
	wrong(sig, MR_DKIM_NEUTRAL, mr_str(why));
}

/* ---- tag by tag --------------------------------------------------------------------------------------- */

static enum mr_status
read_names(struct mr_dkim_sig *sig, const struct mr_taglist *list, struct mr_arena *arena,
    struct mr_err *err)
{
	struct mr_err why;
	enum mr_status st;

	sig->written_domain = mr_taglist_get(list, "d");
	sig->written_selector = mr_taglist_get(list, "s");
	if (!sig->written_domain.n || !sig->written_selector.n) {
		missing(sig, "no d= or no s=");
		return MR_OK;
	}
	st = mr_dkim_owner(&sig->owner, arena, sig->written_selector, sig->written_domain, &why);
	if (st == MR_OK) {
		struct mr_str d, s;

		/* It is their A-labels in lower case with a constant between them. */
		if ((st = mr_domain_to_ascii(&d, arena, sig->written_domain, &why)) == MR_OK
		    && (st = mr_domain_to_ascii(&s, arena, sig->written_selector, &why)) == MR_OK) {
			sig->domain = mr_arena_lower(arena, d);
			sig->selector = mr_arena_lower(arena, s);
			if (!sig->domain.p || !sig->selector.p)
				st = mr_err_set(&why, MR_TEMP, "out of memory");
		}
	}
	if (st == MR_PERM) {
		sig->owner.p = NULL;
		missing(sig, "d= or s= is no domain name");
		return MR_OK;
	}
	return st ? mr_err_set(err, MR_TEMP, "%s", why.text) : MR_OK;
}

static bool
is_token(struct mr_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		int c = mr_lower((unsigned char)s.p[i]);

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-')
			return false;
	}
	return s.n > 0 && s.n <= SHOWN_MAX;
}

/* a=: RFC 8301 3.1 has done with SHA-1. */
static void
read_algorithm(struct mr_dkim_sig *sig, struct mr_str a)
{
	if (is_token(a))
		sig->algorithm = a;
	if (mr_str_caseis(a, "rsa-sha256"))
		sig->kind = MR_PKEY_RSA;
	else if (mr_str_caseis(a, "ed25519-sha256"))
		sig->kind = MR_PKEY_ED25519;
	else if (mr_str_caseis(a, "rsa-sha1"))
		wrong(
		    sig, MR_DKIM_PERMERROR, MR_STR("rsa-sha1 does not count any more (RFC 8301)"));
	else
		missing(sig, a.n ? "unknown algorithm" : "no a=");
}

/* c=: RFC 6376 3.5. */
static void
read_canonicalization(struct mr_dkim_sig *sig, struct mr_str c)
{
	struct mr_str body = c, header;

	if (!c.p)
		return;
	mr_str_split(&body, '/', &header);
	if (!body.p)
		body = MR_STR("simple");
	sig->body = mr_str_caseis(body, "relaxed") ? MR_DKIM_RELAXED : MR_DKIM_SIMPLE;
	sig->header = mr_str_caseis(header, "relaxed") ? MR_DKIM_RELAXED : MR_DKIM_SIMPLE;
	if ((sig->header == MR_DKIM_SIMPLE && !mr_str_caseis(header, "simple"))
	    || (sig->body == MR_DKIM_SIMPLE && !mr_str_caseis(body, "simple")))
		missing(sig, "unknown canonicalization");
}

/* Base64: the `want` octets of it; or, if that is 0, its text without white space. */
static enum mr_status
read_base64(struct mr_dkim_sig *sig, struct mr_str value, size_t want, const char *fault,
    struct mr_str *out, struct mr_arena *arena, struct mr_err *err)
{
	struct mr_buf text, bytes;
	enum mr_status st;

	mr_buf_init(&text, MR_DKIM_SIG_MAX);
	mr_buf_init(&bytes, MR_DKIM_SIG_MAX);
	mr_taglist_join(&text, value);
	st = text.is_full ? mr_err_set(err, MR_TEMP, "out of memory")
	                  : mr_base64_decode(&bytes, mr_buf_str(&text), err);
	if (st == MR_PERM || (st == MR_OK && (bytes.n == 0 || (want && bytes.n != want)))) {
		missing(sig, fault);
		st = MR_OK;
	} else if (st == MR_OK) {
		*out = mr_arena_dup(arena, mr_buf_str(want ? &bytes : &text));
		if (!out->p)
			st = mr_err_set(err, MR_TEMP, "out of memory");
	}
	mr_buf_free(&text);
	mr_buf_free(&bytes);
	return st;
}

static bool
is_field_name(struct mr_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.n > 0;
}

/* h=: RFC 6376 5.4 wants From in it. */
static void
read_h(struct mr_dkim_sig *sig, struct mr_str h)
{
	struct mr_str rest = h, name;
	bool has_from = false;
	size_t n = 0;

	sig->h = h;
	if (!h.n)
		missing(sig, "no h=");
	if (h.n > MR_DKIM_H_MAX) {
		wrong(sig, MR_DKIM_PERMERROR, MR_STR("h= is over 4096 bytes"));
		return;
	}
	for (; mr_dkim_sig_next_name(&rest, &name); n++) {
		if (!is_field_name(name))
			missing(sig, "h= has what is no name of a field");
		has_from |= mr_str_caseis(name, "From");
	}
	if (n > MR_DKIM_H_NAMES_MAX)
		wrong(sig, MR_DKIM_PERMERROR, MR_STR("h= has over 256 names"));
	if (!has_from)
		wrong(sig, MR_DKIM_PERMERROR, MR_STR("From is not signed"));
}

/* i=: its domain is d= or below it (RFC 6376 3.5). */
static enum mr_status
read_identity(struct mr_dkim_sig *sig, struct mr_str i, struct mr_arena *arena, struct mr_err *err)
{
	ptrdiff_t at = mr_str_rchr(i, '@');
	struct mr_str domain;
	enum mr_status st = MR_PERM;
	size_t n;

	if (!i.p || !sig->domain.p)
		return MR_OK;
	domain = mr_str_from(i, (size_t)(at + 1));
	if (at >= 0 && mr_domain_is_valid(domain))
		st = mr_domain_to_ascii(&domain, arena, domain, err);
	if (st == MR_TEMP)
		return st;
	n = sig->domain.n;
	if (st || domain.n < n || !mr_str_caseeq(mr_str_from(domain, domain.n - n), sig->domain)
	    || (domain.n > n && domain.p[domain.n - n - 1] != '.'))
		missing(sig, "the domain of i= is neither d= nor below it");
	sig->is_identity_below = domain.n > n;
	return MR_OK;
}

/* q=: there is one way only to get a key. */
static void
read_query(struct mr_dkim_sig *sig, struct mr_str q)
{
	struct mr_str way;
	bool has_dns = !q.p;

	while (mr_taglist_next(&q, ':', &way))
		has_dns |= mr_str_caseis(way, "dns/txt") || mr_str_caseis(way, "dns");
	if (!has_dns)
		missing(sig, "q= does not have dns/txt");
}

/* A number of at most 15 digits, which no time and no length needs. */
static bool
read_number(struct mr_dkim_sig *sig, struct mr_str value, uint64_t *n, const char *fault)
{
	if (!value.p)
		return false;
	if (mr_str_num(value, UINT64_C(999999999999999), n))
		return true;
	missing(sig, fault);
	return false;
}

static void
read_times(struct mr_dkim_sig *sig, struct mr_str t, struct mr_str x, int64_t now_s)
{
	uint64_t signed_s = 0, end_s = 0, now = now_s > 0 ? (uint64_t)now_s : 0;
	bool has_signed = read_number(sig, t, &signed_s, "t= is no time"),
	     has_end = read_number(sig, x, &end_s, "x= is no time");

	if (has_signed && has_end && end_s <= signed_s)
		missing(sig, "x= is not later than t=");
	if (has_end && end_s + MR_DKIM_DRIFT_S <= now)
		wrong(sig, MR_DKIM_FAIL, MR_STR("the signature has expired"));
	if (has_signed && signed_s > now + MR_DKIM_DRIFT_S)
		wrong(sig, MR_DKIM_FAIL, MR_STR("the signature is of the future"));
}

/* ---- the field ------------------------------------------------------------------------------------------ */

static enum mr_status
read_tags(struct mr_dkim_sig *sig, const struct mr_taglist *list, int64_t now_s,
    struct mr_arena *arena, struct mr_err *err)
{
	struct mr_str v = mr_taglist_get(list, "v");
	enum mr_status st;

	if (!mr_str_is(v, "1"))
		missing(sig, v.p ? "unknown version" : "no v=");
	if ((st = read_names(sig, list, arena, err)))
		return st;
	read_algorithm(sig, mr_taglist_get(list, "a"));
	st =
	    read_base64(sig, mr_taglist_get(list, "b"), 0, "b= is not base64", &sig->b, arena, err);
	if (st == MR_OK)
		st = read_base64(sig, mr_taglist_get(list, "bh"), MR_SHA256_N,
		    "bh= is not base64 of 32 octets", &sig->body_hash, arena, err);
	if (st)
		return st;
	read_canonicalization(sig, mr_taglist_get(list, "c"));
	read_h(sig, mr_taglist_get(list, "h"));
	if ((st = read_identity(sig, mr_taglist_get(list, "i"), arena, err)))
		return st;
	read_number(
	    sig, mr_taglist_get(list, "l"), &sig->length, "l= is no number of at most 15 digits");
	read_query(sig, mr_taglist_get(list, "q"));
	read_times(sig, mr_taglist_get(list, "t"), mr_taglist_get(list, "x"), now_s);
	return MR_OK;
}

static bool
has_8bit(struct mr_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] & 0x80)
			return true;
	return false;
}

enum mr_status
mr_dkim_sig_parse(struct mr_dkim_sig *sig, struct mr_str value, int64_t now_s,
    struct mr_arena *arena, struct mr_err *err)
{
	struct mr_taglist list;
	struct mr_err why;
	enum mr_status st;

	*sig = (struct mr_dkim_sig){ .word = MR_DKIM_PASS, .length = MR_DKIM_WHOLE_BODY };
	if (value.n > MR_DKIM_SIG_MAX) {
		wrong(sig, MR_DKIM_PERMERROR, MR_STR("over 16384 bytes"));
		return MR_OK;
	}
	if (mr_taglist_parse(&list, value, NULL, &why)) {
		struct mr_str reason = mr_arena_dup(arena, mr_str(why.text));

		if (!reason.p)
			return mr_err_set(err, MR_TEMP, "out of memory");
		wrong(sig, MR_DKIM_NEUTRAL, reason);
		/* Whose it is may have been read; if a tag is there twice, nobody knows. */
		if ((st = read_names(sig, &list, arena, err)))
			return st;
		sig->word = MR_DKIM_NEUTRAL;
		sig->why = reason;
		return MR_OK;
	}
	st = read_tags(sig, &list, now_s, arena, err);
	/* RFC 8616 5 allows it; libopendkim does not take the field. */
	if (has_8bit(value))
		missing(sig, "a field with UTF-8 in it cannot be verified here");
	return st;
}
