/* Published DKIM keys (RFC 6376 section 3.6, RFC 8301, RFC 8463). */
#include "check/dnsreport_pass.h"
#include "mail/taglist.h"

#include <string.h>

#define BITS_HIGH  4096u
#define RECORD_MAX 16384u /* bytes of a record that is written */

struct selector {
	const struct mr_dnsreport_selector *given;
	struct mr_str owner; /* of the record */
	const struct mr_dns_answer *txt;
	struct mr_dnsreport_fix *fix;
};

/* ---- the record as it should be ------------------------------------------------------------------- */

/* Without what a zone file has around strings. */
static struct mr_str
unquote(struct mr_dnsreport_pass *p, struct mr_str text)
{
	struct mr_str out = mr_arena_dup(p->arena, text);
	size_t n = 0;
	char *z;

	memcpy(&z, &out.p, sizeof z);
	for (size_t i = 0; z && i < text.n; i++)
		if (text.p[i] != '"' && text.p[i] != '\\')
			z[n++] = text.p[i];
	out.n = n;
	return out;
}

/* True if the record's key can be written down again. */
static bool
has_key(const struct mr_dkim_record *r)
{
	static const enum mr_dkim_fault without[] = { MR_DKIM_SYNTAX, MR_DKIM_NO_P, MR_DKIM_REVOKED,
		MR_DKIM_KIND, MR_DKIM_BASE64, MR_DKIM_KEY, MR_DKIM_ED25519_LEN };

	for (size_t i = 0; i < sizeof without / sizeof *without; i++)
		if (mr_dkim_record_has(r, without[i]))
			return false;
	return r->key.n > 0;
}

static void
add_tag(struct mr_buf *b, const char *name, struct mr_str value)
{
	if (value.n)
		mr_buf_addf(b, " %s=%.*s;", name, (int)value.n, value.p);
}

/* The text with the local key, or else the published one; what the record may have besides stays.  p NULL:
 * there is no key to write. */
static struct mr_str
compose(struct mr_dnsreport_pass *p, const struct selector *s, struct mr_str published)
{
	struct mr_str text = unquote(p, published), key = s->given->key, out = { NULL, 0 };
	struct mr_taglist *tags = mr_arena_alloc(p->arena, sizeof *tags);
	struct mr_dkim_record r;
	enum mr_pkey_kind kind = s->given->kind;
	struct mr_buf b;

	if (!tags || !text.p || mr_dkim_record_parse(&r, text, p->arena, p->err)) {
		p->fault = MR_TEMP;
		return out;
	}
	mr_taglist_parse(tags, text, NULL, NULL);
	if (!key.p && has_key(&r)) {
		key = r.key;
		kind = r.kind;
	}
	if (!key.p)
		return out;
	mr_buf_init(&b, RECORD_MAX);
	mr_buf_addf(&b, "v=DKIM1; k=%s;", mr_pkey_kind_word(kind));
	if (!mr_dkim_record_has(&r, MR_DKIM_NO_SHA256))
		add_tag(&b, "h", mr_taglist_get(tags, "h"));
	if (!mr_dkim_record_has(&r, MR_DKIM_NOT_EMAIL))
		add_tag(&b, "s", mr_taglist_get(tags, "s"));
	if (mr_dkim_record_has(&r, MR_DKIM_STRICT))
		add_tag(&b, "t", MR_STR("s"));
	add_tag(&b, "n", mr_taglist_get(tags, "n"));
	mr_buf_adds(&b, " p=");
	if (mr_base64_encode(&b, key, p->err) || b.is_full)
		p->fault = MR_TEMP;
	else
		out = mr_arena_dup(p->arena, mr_buf_str(&b));
	mr_buf_free(&b);
	return out;
}

/* In the domain's own zone only. */
static void
plan(struct mr_dnsreport_pass *p, struct selector *s, const struct mr_dns_answer *published,
    struct mr_str text)
{
	struct mr_str owner = s->owner, good;

	if (published && published->links)
		owner = published->canonical;
	if (!mr_domain_is_below(owner, p->domain) || !(good = compose(p, s, text)).p)
		return;
	for (size_t i = 0; mr_is_found(published) && i < published->n; i++)
		mr_dnsreport_line(
		    p, &s->fix->remove, mr_dnsreport_strings(p, owner, "TXT", &published->rec[i]));
	mr_dnsreport_line(p, &s->fix->add, mr_dnsreport_txt(p, owner, good));
}

/* ---- what is wrong -------------------------------------------------------------------------------- */

static void
say(struct mr_dnsreport_pass *p, const struct selector *s, enum mr_dnsreport_check check,
    enum mr_dnsreport_level level, const char *what)
{
	mr_dnsreport_say(
	    p, check, level, s->owner, s->fix, "%.*s: %s", (int)s->owner.n, s->owner.p, what);
}

static void
check_bits(struct mr_dnsreport_pass *p, const struct selector *s, const struct mr_dkim_record *r)
{
	if (r->kind != MR_PKEY_RSA || (r->bits >= MR_DKIM_RSA_GOOD && r->bits <= BITS_HIGH))
		return;
	mr_dnsreport_say(p, MR_CHECK_DKIM_BITS,
	    r->bits < MR_DKIM_RSA_MIN        ? MR_LEVEL_FAIL
	        : r->bits < MR_DKIM_RSA_GOOD ? MR_LEVEL_WARN
	                                     : MR_LEVEL_INFO,
	    s->owner, NULL, "%.*s: RSA key has %u bits: %s", (int)s->owner.n, s->owner.p, r->bits,
	    r->bits > BITS_HIGH ? "some receivers cannot use it" : "make one of 2048");
}

/* Each with its check; what comes of another fault is not said twice. */
static void
check_faults(struct mr_dnsreport_pass *p, const struct selector *s, const struct mr_dkim_record *r)
{
	static const struct {
		enum mr_dkim_fault fault;
		enum mr_dnsreport_check check;
	} useless[] = { { MR_DKIM_QUOTES, MR_CHECK_DKIM_QUOTES },
		{ MR_DKIM_SYNTAX, MR_CHECK_DKIM_SYNTAX }, { MR_DKIM_VERSION, MR_CHECK_DKIM_SYNTAX },
		{ MR_DKIM_V_LATE, MR_CHECK_DKIM_SYNTAX }, { MR_DKIM_NO_P, MR_CHECK_DKIM_SYNTAX },
		{ MR_DKIM_KIND, MR_CHECK_DKIM_SYNTAX }, { MR_DKIM_REVOKED, MR_CHECK_DKIM_REVOKED },
		{ MR_DKIM_BASE64, MR_CHECK_DKIM_KEY }, { MR_DKIM_KEY, MR_CHECK_DKIM_KEY },
		{ MR_DKIM_ED25519_LEN, MR_CHECK_DKIM_KEY } };
	bool is_useless = false;

	for (size_t i = 0; !is_useless && i < sizeof useless / sizeof *useless; i++)
		if (mr_dkim_record_has(r, useless[i].fault)) {
			is_useless = true;
			say(p, s, useless[i].check, MR_LEVEL_FAIL,
			    useless[i].fault == MR_DKIM_SYNTAX && r->syntax.p
			        ? r->syntax.p
			        : mr_dkim_fault_text(useless[i].fault));
		}
	if (mr_dkim_record_has(r, MR_DKIM_NO_SHA256))
		say(p, s, MR_CHECK_DKIM_HASH, MR_LEVEL_FAIL, mr_dkim_fault_text(MR_DKIM_NO_SHA256));
	if (mr_dkim_record_has(r, MR_DKIM_NOT_EMAIL))
		say(p, s, MR_CHECK_DKIM_SERVICE, MR_LEVEL_FAIL,
		    mr_dkim_fault_text(MR_DKIM_NOT_EMAIL));
	if (mr_dkim_record_has(r, MR_DKIM_TESTING))
		say(p, s, MR_CHECK_DKIM_TEST, MR_LEVEL_WARN, mr_dkim_fault_text(MR_DKIM_TESTING));
	if (is_useless)
		return;
	check_bits(p, s, r);
	if (s->given->key.p && (r->kind != s->given->kind || !mr_str_eq(r->key, s->given->key)))
		mr_dnsreport_say(p, MR_CHECK_DKIM_MATCH, MR_LEVEL_FAIL, s->owner, s->fix,
		    "%.*s does not match %s", (int)s->owner.n, s->owner.p, s->given->file);
	else if (s->given->key.p)
		mr_dnsreport_say(p, MR_CHECK_DKIM_MATCH, MR_LEVEL_OK, s->owner, NULL,
		    "%.*s is the key of %s", (int)s->owner.n, s->owner.p, s->given->file);
	else
		mr_dnsreport_say(p, MR_CHECK_DKIM_KEY, MR_LEVEL_OK, s->owner, NULL, "%.*s: %s key",
		    (int)s->owner.n, s->owner.p, mr_pkey_kind_word(r->kind));
}

/* Only a wildcard's text, which is no key, stands there. */
static bool
is_wildcard(const struct mr_dnsreport_pass *p, const struct mr_dns_answer *txt)
{
	for (size_t i = 0; i < txt->n; i++)
		if (mr_dkim_record_is_like(txt->rec[i].text))
			return false;
	return mr_is_found(p->wildcard) && txt->n == p->wildcard->n
	    && mr_str_eq(txt->rec[0].text, p->wildcard->rec[0].text);
}

/* The zone's name was written behind the whole name. */
static void
check_absent(struct mr_dnsreport_pass *p, struct selector *s, struct mr_str doubled,
    const struct mr_dns_answer *there)
{
	const struct mr_dns_record *found = NULL;

	if (s->given->is_guessed)
		return;
	for (size_t i = 0; mr_is_found(there) && i < there->n && !found; i++)
		if (mr_dkim_record_is_like(there->rec[i].text))
			found = &there->rec[i];
	plan(p, s, NULL, found ? found->text : MR_STR("v=DKIM1"));
	if (found) {
		if (there->links == 0)
			mr_dnsreport_line(
			    p, &s->fix->remove, mr_dnsreport_strings(p, doubled, "TXT", found));
		mr_dnsreport_say(p, MR_CHECK_DKIM_DOUBLED, MR_LEVEL_FAIL, s->owner, s->fix,
		    "key is at %.*s: the zone's name is there twice", (int)doubled.n, doubled.p);
	}
	mr_dnsreport_say(p, MR_CHECK_DKIM_PRESENT, MR_LEVEL_FAIL, s->owner, s->fix,
	    "no DKIM key at %.*s", (int)s->owner.n, s->owner.p);
}

/* One of several that could be meant: the local key's, else the first that is of use. */
static struct mr_str
choose(struct mr_dnsreport_pass *p, const struct mr_dns_answer *txt)
{
	for (size_t i = 0; i < txt->n; i++) {
		struct mr_dkim_record r;

		if (mr_dkim_record_parse(&r, txt->rec[i].text, p->arena, p->err) == MR_OK
		    && mr_dkim_record_worst(&r) == MR_DKIM_FAULTS)
			return txt->rec[i].text;
	}
	return txt->rec[0].text;
}

static void
check_found(struct mr_dnsreport_pass *p, struct selector *s)
{
	const struct mr_dns_answer *txt = s->txt;
	struct mr_dkim_record r;

	plan(p, s, txt, choose(p, txt));
	if (txt->links)
		mr_dnsreport_say(p, MR_CHECK_DKIM_CNAME, MR_LEVEL_INFO, s->owner, NULL,
		    "%.*s is an alias of %.*s", (int)s->owner.n, s->owner.p, (int)txt->canonical.n,
		    txt->canonical.p);
	if (txt->n > 1) {
		mr_dnsreport_say(p, MR_CHECK_DKIM_MULTIPLE, MR_LEVEL_FAIL, s->owner, s->fix,
		    "%zu records at %.*s: keep one", txt->n, (int)s->owner.n, s->owner.p);
		return;
	}
	if (mr_dkim_record_parse(&r, txt->rec[0].text, p->arena, p->err))
		p->fault = MR_TEMP;
	else
		check_faults(p, s, &r);
}

static void
check_selector(struct mr_dnsreport_pass *p, const struct mr_dnsreport_selector *given)
{
	struct selector s = { .given = given, .fix = mr_dnsreport_fix(p) };
	const struct mr_dns_answer *there = NULL;
	struct mr_str doubled;

	if (!s.fix || mr_dkim_owner(&s.owner, p->arena, given->name, p->domain, p->err) != MR_OK)
		return; /* the command looked at the name */
	doubled = mr_arena_fmt(
	    p->arena, "%.*s.%.*s", (int)s.owner.n, s.owner.p, (int)p->domain.n, p->domain.p);
	s.txt = mr_dnsreport_ask(p, s.owner, MR_DNS_TXT);
	if (!given->is_guessed && doubled.p && doubled.n <= MR_DKIM_OWNER_MAX)
		there = mr_dnsreport_ask(p, doubled, MR_DNS_TXT);
	if (!given->is_guessed || mr_is_found(s.txt))
		mr_dnsreport_chain(p, s.owner, s.txt);
	if (mr_is_outage(s.txt) && !given->is_guessed)
		mr_dnsreport_say(p, MR_CHECK_DKIM_PRESENT, MR_LEVEL_ERROR, s.owner, NULL,
		    "key at %.*s: %s", (int)s.owner.n, s.owner.p, mr_dnsreport_outage_word(s.txt));
	else if (mr_is_none(s.txt) || (mr_is_found(s.txt) && is_wildcard(p, s.txt)))
		check_absent(p, &s, doubled, there);
	else if (mr_is_found(s.txt))
		check_found(p, &s);
}

void
mr_dnsreport_dkim(struct mr_dnsreport_pass *p)
{
	if (p->q->selector_n == 0 && p->mx && !p->is_null_mx && p->q->profile != MR_PROFILE_NOMAIL)
		mr_dnsreport_say(p, MR_CHECK_DKIM_PRESENT, MR_LEVEL_INFO, p->domain, NULL,
		    "no selector is known: keys were not looked at (--selector, --guess)");
	for (size_t i = 0; i < p->q->selector_n && i < MR_DNSREPORT_SELECTOR_MAX; i++)
		check_selector(p, &p->q->selector[i]);
}
