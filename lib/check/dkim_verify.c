#include "check/dkim_verify.h"

#include "check/dkim_record.h"
#include "mail/message.h"
#include "mail/taglist.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KEY_TEXT_MAX 1000u /* bytes of a key record; libopendkim has room for 1024 */
#define RSA_KEY_MAX  600u  /* octets of a key; one of 4096 bits has 550 */

/* A hash of the body that signatures need. */
struct body {
	enum mr_dkim_canon canon;
	uint64_t octets; /* how many of them */
	struct mr_dkim_body *hashing;
	uint8_t hash[MR_SHA256_N];
};

/* A signature on its way. */
struct candidate {
	struct mr_dkim_sig sig;
	struct mr_dkim_record record;
	const struct body *body;
	bool is_test;
};

struct verify {
	const struct mr_dkim_conf *conf;
	struct mr_arena *arena;
	struct candidate *c; /* MR_DKIM_SIGS_MAX */
	size_t n;
	struct mr_opendkim_sig handed[MR_DKIM_SIGS_MAX]; /* those that libopendkim gets */
	size_t of[MR_DKIM_SIGS_MAX];                     /* whose they are */
	size_t handed_n;
	struct body body[MR_DKIM_SIGS_MAX];
	size_t body_n;
	size_t from_n;
};

static enum mr_status
no_memory(struct mr_err *err)
{
	return mr_err_set(err, MR_TEMP, "out of memory");
}

static void
wrong(struct candidate *c, enum mr_dkim_word word, struct mr_str why)
{
	if (c->sig.word == MR_DKIM_PASS) {
		c->sig.word = word;
		c->sig.why = why;
	}
}

/* Nothing of this message can be verified. */
static void
all_wrong(struct verify *v, const char *why)
{
	for (size_t i = 0; i < v->n; i++)
		wrong(&v->c[i], MR_DKIM_PERMERROR, mr_str(why));
}

static bool
has_hope(const struct verify *v)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->c[i].sig.word == MR_DKIM_PASS)
			return true;
	return false;
}

/* ---- before the first message ----------------------------------------------------------------------------- */

enum mr_status
mr_dkim_warm_up(struct mr_err *err)
{
	/* The keys of RFC 8463, appendix A.2, and what is no signature of theirs. */
	static const char *const record[] = {
		"k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
		"p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bd"
		"OKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4h"
		"stT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
	};
	static const char signature[128];
	uint8_t digest[MR_SHA256_N];
	enum mr_status st = mr_sha256(digest, MR_STR(""), err);
	struct mr_arena arena;

	mr_arena_init(&arena, 1u << 20);
	for (size_t i = 0; st == MR_OK && i < sizeof record / sizeof *record; i++) {
		struct mr_dkim_record r;
		struct mr_pkey *key;

		st = mr_dkim_record_parse(&r, mr_str(record[i]), &arena, err);
		if (st || (st = mr_pkey_from_public(&key, r.kind, r.key, err)))
			break;
		st = mr_pkey_verify(key, digest,
		    (struct mr_str){ signature, r.kind == MR_PKEY_RSA ? 128 : 64 }, err);
		mr_pkey_free(key);
		if (st == MR_PERM) /* of course */
			st = MR_OK;
	}
	mr_arena_free(&arena);
	return st;
}

/* ---- the header, for the first time --------------------------------------------------------------------- */

static struct mr_str
value_of(struct mr_str field)
{
	return mr_str_from(field, (size_t)mr_str_chr(field, ':') + 1);
}

/* One signature too many: it is named, if there is room. */
static enum mr_status
ignore(struct verify *v, struct mr_dkim *dkim, const struct mr_message_field *f,
    struct mr_buf *names, struct mr_err *err)
{
	struct mr_dkim_sig sig;
	struct mr_arena arena;
	enum mr_status st;

	dkim->ignored_n++;
	if (f->is_cut || names->is_full)
		return MR_OK;
	mr_arena_init(&arena, 1u << 20);
	st = mr_dkim_sig_parse(&sig, value_of(f->text), v->conf->now_s, &arena, err);
	if (st == MR_OK && sig.domain.p)
		mr_buf_addf(names, "%s%.*s/%.*s", names->n ? " " : "", (int)sig.domain.n,
		    sig.domain.p, (int)sig.selector.n, sig.selector.p);
	mr_arena_free(&arena);
	return st;
}

static enum mr_status
take_signature(struct verify *v, const struct mr_message_field *f, struct mr_err *err)
{
	struct candidate *c = &v->c[v->n++];
	struct mr_str text;

	if (f->is_cut) {
		c->sig = (struct mr_dkim_sig){ .word = MR_DKIM_PERMERROR,
			.why = MR_STR("over 16384 bytes") };
		return MR_OK;
	}
	text = mr_arena_dup(v->arena, f->text);
	if (!text.p)
		return no_memory(err);
	return mr_dkim_sig_parse(&c->sig, value_of(text), v->conf->now_s, v->arena, err);
}

static enum mr_status
take_field(struct verify *v, struct mr_dkim *dkim, const struct mr_message_field *f,
    struct mr_buf *names, struct mr_err *err)
{
	struct mr_str value;

	if (mr_str_caseis(f->name, "DKIM-Signature"))
		return v->n < MR_DKIM_SIGS_MAX ? take_signature(v, f, err)
		                               : ignore(v, dkim, f, names, err);
	if (!mr_str_caseis(f->name, "From"))
		return MR_OK;
	v->from_n++;
	value = value_of(f->text);
	if (value.n > MR_DKIM_FROM_MAX)
		value.n = MR_DKIM_FROM_MAX;
	dkim->from = mr_arena_dup(v->arena, value);
	return dkim->from.p ? MR_OK : no_memory(err);
}

/* Collects signatures and From; what of the header makes verifying impossible counts for all. */
static enum mr_status
read_header(struct verify *v, struct mr_dkim *dkim, int fd, struct mr_err *err)
{
	size_t field_n = 0;
	struct mr_message_field f;
	struct mr_message m;
	struct mr_buf names;
	enum mr_status st;

	mr_buf_init(&names, MR_DKIM_IGNORED_MAX);
	if ((st = mr_message_open(&m, fd, MR_DKIM_SIG_MAX, err)))
		return st;
	while ((st = mr_message_next(&m, &f, err)) == MR_OK) {
		field_n++;
		if (f.name.p && (st = take_field(v, dkim, &f, &names, err)))
			break;
	}
	if (st == MR_NOTFOUND)
		st = MR_OK;
	if (m.has_bad_line)
		all_wrong(v, "a line of the header is no field");
	if (m.has_lone_cr)
		all_wrong(v, "a CR without LF in the header");
	if (field_n > MR_DKIM_FIELDS_MAX
	    || m.in.total - (int64_t)mr_reader_window(&m.in).n > MR_DKIM_HEADER_MAX)
		all_wrong(v, "the header is too large");
	if (v->from_n != 1) {
		all_wrong(v, v->from_n ? "more than one From" : "no From");
		dkim->from.p = NULL;
	}
	if (st == MR_OK && names.n) {
		dkim->ignored = mr_arena_dup(v->arena, mr_buf_str(&names));
		if (!dkim->ignored.p)
			st = no_memory(err);
	}
	mr_buf_free(&names);
	mr_message_close(&m);
	return st;
}

/* ---- keys ------------------------------------------------------------------------------------------------- */

/* All in one batch. */
static void
fetch_keys(struct verify *v)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->c[i].sig.word == MR_DKIM_PASS)
			mr_dns_want(v->conf->dns, v->c[i].sig.owner, MR_DNS_TXT);
	mr_dns_run(v->conf->dns, v->conf->deadline_ms);
}

/* The one record of the answer, or NULL and what is wrong. */
static const struct mr_dns_record *
the_record(struct verify *v, struct candidate *c)
{
	static const char *const outage[] = { [MR_DNS_SERVFAIL] = "the DNS has no key: SERVFAIL",
		[MR_DNS_REFUSED] = "the DNS has no key: REFUSED",
		[MR_DNS_TIMEOUT] = "the DNS has no key: time-out",
		[MR_DNS_BROKEN] = "the DNS has no key: broken answers" };
	const struct mr_dns_answer *a = mr_dns_peek(v->conf->dns, c->sig.owner, MR_DNS_TXT);

	if (!a || a->result >= MR_DNS_SERVFAIL)
		wrong(c, MR_DKIM_TEMPERROR, mr_str(outage[a ? a->result : MR_DNS_TIMEOUT]));
	else if (a->result != MR_DNS_FOUND)
		wrong(c, MR_DKIM_PERMERROR, MR_STR("no key in the DNS"));
	else if (a->n != 1)
		wrong(c, MR_DKIM_PERMERROR, MR_STR("more than one key record"));
	else
		return a->rec;
	return NULL;
}

/* What libopendkim gets instead of the record: the key alone. */
static enum mr_status
write_key(struct verify *v, struct candidate *c, struct mr_err *err)
{
	struct mr_opendkim_sig *h = &v->handed[v->handed_n];
	struct mr_buf b;
	enum mr_status st;

	mr_buf_init(&b, KEY_TEXT_MAX);
	mr_buf_addf(&b, "v=DKIM1; k=%s; p=", mr_pkey_kind_word(c->record.kind));
	mr_taglist_join(&b, c->record.p);
	st = b.is_full ? no_memory(err) : MR_OK;
	if (st == MR_OK) {
		h->key = mr_arena_dup(v->arena, mr_buf_str(&b)).p;
		h->domain = c->sig.written_domain;
		h->selector = c->sig.written_selector;
		v->of[v->handed_n++] = (size_t)(c - v->c);
		if (!h->key)
			st = no_memory(err);
	}
	mr_buf_free(&b);
	return st;
}

/* What is wrong with the record for this signature, as far as it was read. */
static void
judge_record(struct candidate *c)
{
	const struct mr_dkim_record *r = &c->record;
	enum mr_dkim_fault fault = mr_dkim_record_worst(r);

	if (fault == MR_DKIM_RSA_SHORT)
		wrong(c, MR_DKIM_POLICY, mr_str(mr_dkim_fault_text(fault)));
	else if (fault != MR_DKIM_FAULTS)
		wrong(c, MR_DKIM_PERMERROR, mr_str(mr_dkim_fault_text(fault)));
	else if (r->kind != c->sig.kind)
		wrong(c, MR_DKIM_PERMERROR, MR_STR("the key is of another kind than a= says"));
	else if (mr_dkim_record_has(r, MR_DKIM_STRICT) && c->sig.is_identity_below)
		wrong(c, MR_DKIM_PERMERROR, MR_STR("the key is for d= itself, and i= is below it"));
	else if (r->bits > MR_DKIM_VERIFY_BITS_MAX)
		wrong(c, MR_DKIM_PERMERROR, MR_STR("an RSA key over 4096 bits"));
}

/* An RSA key of usual size is left to libopendkim: to read one is half of the work for a small message. */
static enum mr_status
judge_key(struct verify *v, struct candidate *c, struct mr_err *err)
{
	const struct mr_dns_record *rec = the_record(v, c);
	struct mr_dkim_record *r = &c->record;
	enum mr_status st;

	if (!rec)
		return MR_OK;
	st = mr_dkim_record_read(r, rec->text, v->arena, err);
	if (st == MR_OK && (r->kind != MR_PKEY_RSA || r->key.n > RSA_KEY_MAX))
		st = mr_dkim_record_check_key(r, err);
	if (st)
		return st;
	c->is_test = mr_dkim_record_has(r, MR_DKIM_TESTING);
	judge_record(c);
	return c->sig.word == MR_DKIM_PASS ? write_key(v, c, err) : MR_OK;
}

/* ---- the message, for the second time ------------------------------------------------------------------------ */

/* True if some signature that is verified covers fields of this name. */
static bool
is_signed(const struct verify *v, struct mr_str field_name)
{
	for (size_t i = 0; i < v->handed_n; i++) {
		struct mr_str h = v->c[v->of[i]].sig.h, name;

		while (mr_dkim_sig_next_name(&h, &name))
			if (mr_str_caseeq(name, field_name))
				return true;
	}
	return false;
}

/* A DKIM-Signature goes to libopendkim if it is one that is verified; `nth` from the top. */
static bool
is_handed(const struct verify *v, size_t nth)
{
	for (size_t i = 0; i < v->handed_n; i++)
		if (v->of[i] == nth)
			return true;
	return false;
}

/* A field with blanks before its colon (RFC 5322 4.5).  libopendkim takes none, and for relaxed
 * canonicalization they are not there; a simple one will not fit. */
static enum mr_status
hand_obsolete(
    struct verify *v, struct mr_opendkim *d, const struct mr_message_field *f, struct mr_err *err)
{
	struct mr_buf b;
	enum mr_status st;

	for (size_t i = 0; i < v->handed_n; i++)
		if (v->c[v->of[i]].sig.header == MR_DKIM_SIMPLE)
			return MR_OK;
	mr_buf_init(&b, MR_DKIM_FIELD_MAX);
	mr_buf_add(&b, f->name);
	mr_buf_addc(&b, ':');
	mr_buf_add(&b, value_of(f->text));
	st = b.is_full ? no_memory(err) : mr_opendkim_field(d, mr_buf_str(&b), err);
	mr_buf_free(&b);
	return st;
}

/* What libopendkim does not take: the signature `nth` from the top, or a field, and then nothing can be done. */
static void
take_out(struct verify *v, size_t nth)
{
	size_t n = 0;

	if (nth == MR_DKIM_SIGS_MAX)
		all_wrong(v, "libopendkim does not take a signed field");
	else
		wrong(&v->c[nth], MR_DKIM_NEUTRAL, MR_STR("libopendkim does not take it"));
	for (size_t i = 0; i < v->handed_n; i++)
		if (nth != MR_DKIM_SIGS_MAX && v->of[i] != nth) {
			v->handed[n] = v->handed[i];
			v->of[n++] = v->of[i];
		}
	v->handed_n = n;
}

/* A field that no signature covers.  If h= names more fields than there are, and all that are there, the
 * signature's own included, libopendkim writes beyond its list of them. */
static enum mr_status
hand_unsigned(struct verify *v, struct mr_opendkim *d, struct mr_err *err)
{
	struct mr_str field;

	for (unsigned i = 0;; i++) { /* h= has so many names at most */
		char name[16];

		snprintf(name, sizeof name, "X-%u", i);
		if (is_signed(v, mr_str(name)))
			continue;
		field = mr_arena_fmt(v->arena, "%s: x", name);
		return field.p ? mr_opendkim_field(d, field, err) : no_memory(err);
	}
}

static enum mr_status
hand_header(struct verify *v, struct mr_opendkim *d, struct mr_message *m, struct mr_err *err)
{
	struct mr_message_field f;
	enum mr_status st;
	size_t nth = 0;

	while ((st = mr_message_next(m, &f, err)) == MR_OK) {
		if (mr_str_caseis(f.name, "DKIM-Signature") ? !is_handed(v, nth++)
		                                            : !is_signed(v, f.name))
			continue;
		if (f.is_cut || mr_str_chr(f.text, '\0') >= 0) {
			all_wrong(
			    v, f.is_cut ? "a signed field is too long" : "NUL in a signed field");
			return MR_NOTFOUND;
		}
		st = f.text.p[f.name.n] == ':' ? mr_opendkim_field(d, f.text, err)
		                               : hand_obsolete(v, d, &f, err);
		if (st == MR_PERM)
			take_out(v,
			    mr_str_caseis(f.name, "DKIM-Signature") ? nth - 1 : MR_DKIM_SIGS_MAX);
		if (st)
			return st;
	}
	if (st == MR_NOTFOUND)
		st = hand_unsigned(v, d, err);
	return st ? st : mr_opendkim_end(d, err);
}

/* What libopendkim found, and what it lets pass but should not. */
static enum mr_status
judge_signature(struct candidate *c, const struct mr_opendkim_sig *h, struct mr_err *err)
{
	enum mr_status st;

	/* It does not tell a bad key from a bad signature. */
	if (h->why_bad && (st = mr_dkim_record_check_key(&c->record, err)))
		return st;
	if (c->record.kind == MR_PKEY_RSA && !h->why_bad)
		mr_dkim_record_set_bits(&c->record, h->bits);
	judge_record(c);
	if (h->why_bad)
		wrong(c, MR_DKIM_FAIL, mr_str(h->why_bad));
	return MR_OK;
}

/* ---- the body ---------------------------------------------------------------------------------------------- */

/* The signature needs this hash, as others may. */
static enum mr_status
want_body(struct verify *v, struct candidate *c, struct mr_err *err)
{
	struct body *b = v->body;

	while (b < v->body + v->body_n && (b->canon != c->sig.body || b->octets != c->sig.length))
		b++;
	c->body = b;
	if (b < v->body + v->body_n)
		return MR_OK;
	v->body_n++;
	*b = (struct body){ .canon = c->sig.body, .octets = c->sig.length };
	return mr_dkim_body_new(&b->hashing, b->canon, b->octets, err);
}

/* All hashes in one pass over the rest of the message. */
static enum mr_status
hash_bodies(struct verify *v, struct mr_message *m, struct mr_err *err)
{
	struct mr_str piece;
	enum mr_status st;

	while ((st = mr_message_body(m, &piece, err)) == MR_OK)
		for (size_t i = 0; i < v->body_n; i++)
			if ((st = mr_dkim_body_add(v->body[i].hashing, piece, err)))
				return st;
	if (st != MR_NOTFOUND)
		return st;
	for (size_t i = 0; i < v->body_n; i++)
		if ((st = mr_dkim_body_end(v->body[i].hashing, v->body[i].hash, err)))
			return st;
	return MR_OK;
}

static void
judge_body(struct candidate *c)
{
	uint64_t length = mr_dkim_body_length(c->body->hashing);

	if (memcmp(c->body->hash, c->sig.body_hash.p, MR_SHA256_N) != 0)
		wrong(c, MR_DKIM_FAIL, MR_STR("the body hash did not verify"));
	else if (c->sig.length < length)
		wrong(c, MR_DKIM_POLICY, MR_STR("l= leaves a part of the body unsigned"));
	else if (c->sig.length != MR_DKIM_WHOLE_BODY && c->sig.length > length)
		wrong(c, MR_DKIM_FAIL, MR_STR("l= is longer than the body"));
}

/* For the signatures that are good so far; the last thing that is done. */
static enum mr_status
check_bodies(struct verify *v, struct mr_message *m, struct mr_err *err)
{
	enum mr_status st = MR_OK;

	for (size_t i = 0; i < v->n && st == MR_OK; i++)
		if (v->c[i].sig.word == MR_DKIM_PASS)
			st = want_body(v, &v->c[i], err);
	if (st == MR_OK && v->body_n)
		st = hash_bodies(v, m, err);
	if (st == MR_OK && m->has_lone_cr)
		all_wrong(v, "a CR without LF in the body");
	for (size_t i = 0; i < v->n && st == MR_OK; i++)
		if (v->c[i].sig.word == MR_DKIM_PASS)
			judge_body(&v->c[i]);
	for (size_t i = 0; i < v->body_n; i++)
		mr_dkim_body_free(v->body[i].hashing);
	return st;
}

static enum mr_status
check_signatures(struct verify *v, int fd, struct mr_err *err)
{
	struct mr_opendkim *d = NULL;
	struct mr_message m;
	enum mr_status st;

	if ((st = mr_message_open(&m, fd, MR_DKIM_FIELD_MAX, err)))
		return st;
	st = mr_opendkim_open(&d, v->conf->lib, v->handed, v->handed_n, err);
	if (st == MR_OK)
		st = hand_header(v, d, &m, err);
	for (size_t i = 0; st == MR_OK && i < v->handed_n; i++)
		st = judge_signature(&v->c[v->of[i]], &v->handed[i], err);
	if (st == MR_OK)
		st = check_bodies(v, &m, err);
	mr_opendkim_close(d);
	mr_message_close(&m);
	return st == MR_NOTFOUND ? MR_OK : st; /* nothing that could be verified */
}

/* ---- all of it -------------------------------------------------------------------------------------------- */

static enum mr_status
verify(struct verify *v, struct mr_dkim *dkim, int fd, struct mr_err *err)
{
	off_t start = lseek(fd, 0, SEEK_CUR);
	enum mr_status st;

	if (start < 0)
		return mr_err_sys(err, MR_TEMP, "the message is no file");
	if ((st = read_header(v, dkim, fd, err)) || !has_hope(v))
		return st;
	fetch_keys(v);
	for (size_t i = 0; i < v->n && st == MR_OK; i++)
		if (v->c[i].sig.word == MR_DKIM_PASS)
			st = judge_key(v, &v->c[i], err);
	/* Once more without what libopendkim did not take. */
	for (bool again = true; st == MR_OK && again && v->handed_n > 0;) {
		if (lseek(fd, start, SEEK_SET) < 0)
			return mr_err_sys(err, MR_TEMP, "the message is no file");
		st = check_signatures(v, fd, err);
		again = st == MR_PERM;
		st = again ? MR_OK : st;
	}
	return st;
}

enum mr_status
mr_dkim_verify(struct mr_dkim *dkim, const struct mr_dkim_conf *conf, int fd,
    struct mr_arena *arena, struct mr_err *err)
{
	struct verify v = { .conf = conf, .arena = arena };
	enum mr_status st;

	*dkim = (struct mr_dkim){ .n = 0 };
	v.c = mr_arena_alloc(arena, MR_DKIM_SIGS_MAX * sizeof *v.c);
	if (!v.c)
		return no_memory(err);
	if ((st = verify(&v, dkim, fd, err)))
		return st;
	for (size_t i = 0; i < v.n; i++) {
		const struct mr_dkim_sig *s = &v.c[i].sig;

		dkim->sig[i] = (struct mr_dkim_result){ .word = s->word,
			.domain = s->domain,
			.selector = s->selector,
			.algorithm = s->algorithm,
			.b = s->b,
			.why = s->why,
			.is_test = v.c[i].is_test };
	}
	dkim->n = v.n;
	return MR_OK;
}

enum mr_dkim_word
mr_dkim_best(const struct mr_dkim *dkim)
{
	enum mr_dkim_word best = MR_DKIM_NONE;

	for (size_t i = 0; i < dkim->n; i++)
		if (dkim->sig[i].word < best)
			best = dkim->sig[i].word;
	return best;
}
