#include "check/dkim_publish.h"

#include "mail/taglist.h"

/* ---- writing it --------------------------------------------------------------------------------- */

/* p= */
static enum mr_status
add_p(struct mr_buf *out, const struct mr_pkey *key, struct mr_err *err)
{
	struct mr_buf raw;
	enum mr_status st;

	mr_buf_init(&raw, MR_DKIM_PUBLISH_MAX);
	st = mr_pkey_public(key, &raw, err);
	if (st == MR_OK)
		st = mr_base64_encode(out, mr_buf_str(&raw), err);
	mr_buf_free(&raw);
	return st;
}

enum mr_status
mr_dkim_publish_text(struct mr_buf *out, const struct mr_pkey *key, struct mr_err *err)
{
	mr_buf_addf(out, "v=DKIM1; k=%s; p=", mr_pkey_kind_word(mr_pkey_kind(key)));
	return add_p(out, key, err);
}

void
mr_dkim_publish_strings(struct mr_buf *out, struct mr_str text)
{
	for (bool is_first = true; text.n; is_first = false) {
		size_t n = text.n < MR_DNS_STRING_MAX ? text.n : MR_DNS_STRING_MAX;

		mr_buf_adds(out, is_first ? "\"" : " \"");
		mr_buf_add(out, (struct mr_str){ text.p, n });
		mr_buf_addc(out, '"');
		text = mr_str_from(text, n);
	}
}

enum mr_status
mr_dkim_publish_zone(
    struct mr_buf *out, struct mr_str owner, const struct mr_pkey *key, struct mr_err *err)
{
	struct mr_buf text;
	enum mr_status st;

	mr_buf_init(&text, MR_DKIM_PUBLISH_MAX);
	if ((st = mr_dkim_publish_text(&text, key, err)) == MR_OK) {
		mr_buf_add(out, owner);
		mr_buf_addf(out, ". %u IN TXT ( ", MR_DKIM_TTL_S);
		mr_dkim_publish_strings(out, mr_buf_str(&text));
		mr_buf_adds(out, " )\n");
		st = out->is_full ? mr_err_set(err, MR_TEMP, "out of memory") : MR_OK;
	}
	mr_buf_free(&text);
	return st;
}

/* ---- checking it -------------------------------------------------------------------------------- */

struct check {
	struct mr_buf *out;
	struct mr_str owner;
	const struct mr_pkey *key;
	struct mr_arena *arena;
	bool is_wrong;
};

static void
say(struct check *c, const char *what)
{
	mr_buf_add(c->out, c->owner);
	mr_buf_adds(c->out, ": ");
	mr_buf_adds(c->out, what);
	mr_buf_addc(c->out, '\n');
}

static void
fault(struct check *c, const char *what)
{
	c->is_wrong = true;
	say(c, what);
}

/* What happens to a key's own p= on its way into the DNS. */
struct damage {
	size_t
	    cut_at; /* so much of it is there, the rest was cut off; 0: it is whole, or another key */
	bool has_blanks;    /* it is whole, with white space in it */
	bool has_lost_plus; /* a blank stands where there was '+': of a web form */
};

static enum mr_status
find_damage(
    const struct check *c, const struct mr_dkim_record *r, struct damage *d, struct mr_err *err)
{
	struct mr_buf want, got, plus;
	enum mr_status st;

	*d = (struct damage){ .cut_at = 0 };
	mr_buf_init(&want, MR_DKIM_PUBLISH_MAX);
	mr_buf_init(&got, MR_DKIM_RECORD_MAX);
	mr_buf_init(&plus, MR_DKIM_RECORD_MAX);
	mr_taglist_join(&got, r->p);
	for (size_t i = 0; i < r->p.n; i++)
		mr_buf_addc(&plus, r->p.p[i] == ' ' ? '+' : r->p.p[i]);
	if ((st = add_p(&want, c->key, err)) == MR_OK) {
		/* Every key of a kind begins with the same octets; 60 characters are beyond them. */
		if (got.n > 60 && got.n < want.n
		    && mr_str_eq(mr_buf_str(&got), (struct mr_str){ want.p, got.n }))
			d->cut_at = got.n;
		d->has_blanks = got.n != r->p.n && mr_str_eq(mr_buf_str(&got), mr_buf_str(&want));
		d->has_lost_plus =
		    got.n != r->p.n && mr_str_eq(mr_buf_str(&plus), mr_buf_str(&want));
	}
	mr_buf_free(&want);
	mr_buf_free(&got);
	mr_buf_free(&plus);
	return st;
}

/* Tells it; true if it explains why p= is no key, or another. */
static bool
tell_damage(struct check *c, const struct damage *d, size_t text_n)
{
	struct mr_str line;

	if (d->has_lost_plus)
		fault(c, "blanks stand in p= where there must be '+'");
	else if (d->has_blanks)
		say(c, "note: white space stands in p=, which is allowed");
	if (d->cut_at) {
		line = mr_arena_fmt(c->arena,
		    "cut: the record ends after %zu octets, within p=; a string of a TXT record "
		    "holds %u, so it must be published as several",
		    text_n, MR_DNS_STRING_MAX);
		fault(c, line.p ? line.p : "cut");
	}
	return d->has_lost_plus || d->cut_at;
}

/* The key of a record in which nothing is wrong. */
static enum mr_status
compare(struct check *c, const struct mr_dkim_record *r, struct mr_err *err)
{
	struct mr_pkey *published;
	enum mr_status st = mr_pkey_from_public(&published, r->kind, r->key, err);

	if (st)
		return MR_TEMP; /* it could be read a moment ago */
	if (mr_pkey_kind(c->key) != r->kind)
		fault(c,
		    mr_pkey_kind(c->key) == MR_PKEY_RSA
		        ? "wrong type: it has an ed25519 key, the private key is an RSA key"
		        : "wrong type: it has an RSA key, the private key is an ed25519 key");
	else if (!mr_pkey_is_same(c->key, published))
		fault(c, "another key: its key does not belong to the private key");
	mr_pkey_free(published);
	return MR_OK;
}

static enum mr_status
judge(struct check *c, struct mr_str text, struct mr_err *err)
{
	struct mr_dkim_record r;
	struct damage damage;
	struct mr_str line;
	bool is_explained;
	enum mr_status st = mr_dkim_record_parse(&r, text, c->arena, err);

	if (st || (st = find_damage(c, &r, &damage, err)))
		return st;
	is_explained = tell_damage(c, &damage, text.n);
	for (unsigned f = 0; f < MR_DKIM_FAULTS; f++) {
		bool is_note = f > MR_DKIM_TESTING;
		const char *what = mr_dkim_fault_text((enum mr_dkim_fault)f);

		if (!mr_dkim_record_has(&r, (enum mr_dkim_fault)f)
		    || (is_explained && (f == MR_DKIM_BASE64 || f == MR_DKIM_KEY)))
			continue;
		line = f == MR_DKIM_SYNTAX
		    ? mr_arena_fmt(c->arena, "%s: %s", what, r.syntax.p)
		    : mr_arena_fmt(c->arena, "%s%s", is_note ? "note: " : "", what);
		if (!line.p)
			return mr_err_set(err, MR_TEMP, "out of memory");
		if (is_note)
			say(c, line.p);
		else
			fault(c, line.p);
	}
	return mr_dkim_record_worst(&r) == MR_DKIM_FAULTS && !is_explained ? compare(c, &r, err)
	                                                                   : MR_OK;
}

/* Whether somebody forgot the final dot in a zone file: the record stands at OWNER.ZONE. */
static void
look_below(struct check *c, struct mr_dns *dns, int64_t deadline_ms)
{
	ptrdiff_t at = 0;
	struct mr_str rest = c->owner;

	while ((at = mr_str_chr(rest, '.')) >= 0) {
		struct mr_str zone = mr_str_from(rest, (size_t)at + 1), twice, line;
		const struct mr_dns_answer *a;

		rest = zone;
		if (mr_str_starts(zone, "_domainkey."))
			continue;
		twice = mr_arena_fmt(
		    c->arena, "%.*s.%.*s", (int)c->owner.n, c->owner.p, (int)zone.n, zone.p);
		if (!twice.p || twice.n > MR_DKIM_OWNER_MAX || mr_str_chr(zone, '.') < 0)
			continue;
		a = mr_dns_get(dns, twice, MR_DNS_TXT, deadline_ms);
		if (a->result == MR_DNS_FOUND && a->n && mr_dkim_record_is_like(a->rec[0].text)) {
			line = mr_arena_fmt(c->arena,
			    "but %.*s has one: the name lacks its final dot in the zone file",
			    (int)twice.n, twice.p);
			say(c, line.p ? line.p : "");
			return;
		}
	}
}

static enum mr_status
check(struct check *c, struct mr_dns *dns, int64_t deadline_ms, struct mr_err *err)
{
	const struct mr_dns_answer *a = mr_dns_get(dns, c->owner, MR_DNS_TXT, deadline_ms);
	enum mr_status st = MR_OK;

	if (a->result >= MR_DNS_SERVFAIL)
		return mr_err_set(err, MR_TEMP, "%.*s: the DNS gives no answer%s", (int)c->owner.n,
		    c->owner.p, a->result == MR_DNS_TIMEOUT ? " (time-out)" : "");
	if (a->result != MR_DNS_FOUND || a->n == 0) {
		fault(c, "missing: there is no TXT record");
		look_below(c, dns, deadline_ms);
		return MR_OK;
	}
	if (a->n > 1)
		fault(c, "several TXT records: which one counts is not defined (RFC 6376 3.6.2.2)");
	for (size_t i = 0; i < a->n && st == MR_OK; i++)
		st = judge(c, a->rec[i].text, err);
	return st;
}

enum mr_status
mr_dkim_publish_check(struct mr_buf *out, struct mr_str owner, const struct mr_pkey *key,
    struct mr_dns *dns, int64_t deadline_ms, struct mr_err *err)
{
	struct mr_arena arena;
	struct check c = { .out = out, .owner = owner, .key = key, .arena = &arena };
	enum mr_status st;

	mr_arena_init(&arena, 1 << 20);
	st = check(&c, dns, deadline_ms, err);
	if (st == MR_OK && !c.is_wrong)
		say(&c, "fits the private key");
	if (st == MR_OK && out->is_full)
		st = mr_err_set(err, MR_TEMP, "out of memory");
	mr_arena_free(&arena);
	return st ? st : c.is_wrong ? MR_PERM : MR_OK;
}
