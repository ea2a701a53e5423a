#include "check/dkim_record.h"

#include "mail/addr.h"
#include "mail/idn.h"
#include "mail/taglist.h"

static void
add(struct mr_dkim_record *r, enum mr_dkim_fault fault)
{
	r->faults |= 1u << fault;
}

static enum mr_status
no_memory(struct mr_err *err)
{
	return mr_err_set(err, MR_TEMP, "out of memory");
}

/* True if `word` is one of the values of a list joined by ':'. */
static bool
lists(struct mr_str value, const char *word)
{
	struct mr_str piece;

	while (mr_taglist_next(&value, ':', &piece))
		if (mr_str_caseis(piece, word))
			return true;
	return false;
}

void
mr_dkim_record_set_bits(struct mr_dkim_record *record, unsigned bits)
{
	record->bits = bits;
	if (bits < MR_DKIM_RSA_MIN)
		add(record, MR_DKIM_RSA_SHORT);
	else if (bits < MR_DKIM_RSA_GOOD)
		add(record, MR_DKIM_RSA_WEAK);
}

enum mr_status
mr_dkim_record_check_key(struct mr_dkim_record *r, struct mr_err *err)
{
	struct mr_pkey *key;
	struct mr_err why;
	enum mr_status st;

	if (!r->key.p || mr_dkim_record_has(r, MR_DKIM_KIND))
		return MR_OK;
	if (r->kind == MR_PKEY_ED25519) { /* any octets of this number are one */
		if (r->key.n != MR_ED25519_N)
			add(r, MR_DKIM_ED25519_LEN);
		return MR_OK;
	}
	st = mr_pkey_from_public(&key, r->kind, r->key, &why);
	if (st == MR_TEMP)
		return mr_err_set(err, st, "%s", why.text);
	if (st) {
		add(r, MR_DKIM_KEY);
		return MR_OK;
	}
	mr_dkim_record_set_bits(r, mr_pkey_bits(key));
	mr_pkey_free(key);
	return MR_OK;
}

static enum mr_status
read_p(struct mr_dkim_record *r, struct mr_arena *arena, struct mr_err *err)
{
	struct mr_buf text, bytes;
	enum mr_status st;

	mr_buf_init(&text, MR_DKIM_RECORD_MAX);
	mr_buf_init(&bytes, MR_DKIM_RECORD_MAX);
	mr_taglist_join(&text, r->p);
	st = text.is_full ? no_memory(err) : mr_base64_decode(&bytes, mr_buf_str(&text), err);
	if (st == MR_OK) {
		r->key = mr_arena_dup(arena, mr_buf_str(&bytes));
		st = r->key.p ? MR_OK : no_memory(err);
	} else if (st == MR_PERM) {
		add(r, MR_DKIM_BASE64);
		st = MR_OK;
	}
	mr_buf_free(&text);
	mr_buf_free(&bytes);
	return st;
}

/* '"' and '\' may stand in notes; in a tag that counts they come from a zone file. */
static bool
has_quotes(const struct mr_taglist *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct mr_tag *t = &list->tag[i];

		if (!mr_str_is(t->name, "n")
		    && (mr_str_chr(t->value, '"') >= 0 || mr_str_chr(t->value, '\\') >= 0))
			return true;
	}
	return false;
}

/* RFC 6376 3.6.1, tag by tag but p=. */
static void
read_tags(struct mr_dkim_record *r, const struct mr_taglist *list)
{
	struct mr_str v = mr_taglist_get(list, "v"), k = mr_taglist_get(list, "k"),
	              s = mr_taglist_get(list, "s");

	r->hash = mr_taglist_get(list, "h");
	r->flags = mr_taglist_get(list, "t");
	r->notes = mr_taglist_get(list, "n");
	if (has_quotes(list))
		add(r, MR_DKIM_QUOTES);
	if (!v.p)
		add(r, MR_DKIM_NO_V);
	else if (!mr_str_is(v, "DKIM1"))
		add(r, MR_DKIM_VERSION);
	else if (!mr_str_is(list->tag[0].name, "v"))
		add(r, MR_DKIM_V_LATE);
	if (k.p)
		r->kind_word = k;
	if (mr_str_caseis(r->kind_word, "ed25519"))
		r->kind = MR_PKEY_ED25519;
	else if (!mr_str_caseis(r->kind_word, "rsa"))
		add(r, MR_DKIM_KIND);
	if (r->hash.p && !lists(r->hash, "sha256"))
		add(r, MR_DKIM_NO_SHA256);
	if (s.p && !lists(s, "*") && !lists(s, "email"))
		add(r, MR_DKIM_NOT_EMAIL);
	if (lists(r->flags, "y"))
		add(r, MR_DKIM_TESTING);
	if (lists(r->flags, "s"))
		add(r, MR_DKIM_STRICT);
}

enum mr_status
mr_dkim_record_read(
    struct mr_dkim_record *record, struct mr_str text, struct mr_arena *arena, struct mr_err *err)
{
	struct mr_taglist list;
	struct mr_err why;
	enum mr_status st;

	*record = (struct mr_dkim_record){ .kind_word = MR_STR("rsa") };
	if (text.n > MR_DKIM_RECORD_MAX)
		st = mr_err_set(&why, MR_PERM, "over %u bytes", MR_DKIM_RECORD_MAX);
	else
		st = mr_taglist_parse(&list, text, NULL, &why);
	if (st) {
		add(record, MR_DKIM_SYNTAX);
		if (text.n && (text.p[0] == '"' || mr_str_chr(text, '\\') >= 0))
			add(record, MR_DKIM_QUOTES);
		record->syntax = mr_arena_dup(arena, mr_str(why.text));
		return record->syntax.p ? MR_OK : no_memory(err);
	}
	read_tags(record, &list);
	record->p = mr_taglist_get(&list, "p");
	if (!record->p.p)
		add(record, MR_DKIM_NO_P);
	else if (!record->p.n)
		add(record, MR_DKIM_REVOKED);
	else
		return read_p(record, arena, err);
	return MR_OK;
}

enum mr_status
mr_dkim_record_parse(
    struct mr_dkim_record *record, struct mr_str text, struct mr_arena *arena, struct mr_err *err)
{
	enum mr_status st = mr_dkim_record_read(record, text, arena, err);

	return st ? st : mr_dkim_record_check_key(record, err);
}

bool
mr_dkim_record_has(const struct mr_dkim_record *record, enum mr_dkim_fault fault)
{
	return (record->faults & 1u << fault) != 0;
}

enum mr_dkim_fault
mr_dkim_record_worst(const struct mr_dkim_record *record)
{
	for (unsigned f = 0; f < MR_DKIM_TESTING; f++)
		if (mr_dkim_record_has(record, (enum mr_dkim_fault)f))
			return (enum mr_dkim_fault)f;
	return MR_DKIM_FAULTS;
}

const char *
mr_dkim_fault_text(enum mr_dkim_fault fault)
{
	static const char *const text[MR_DKIM_FAULTS + 1] = {
		[MR_DKIM_SYNTAX] = "the record is no list of tags",
		[MR_DKIM_QUOTES] =
		    "quotes or backslashes of a zone file stand in the record itself",
		[MR_DKIM_VERSION] = "v= is not DKIM1",
		[MR_DKIM_V_LATE] = "v= is not the first tag",
		[MR_DKIM_NO_P] = "no key in the record (no p=)",
		[MR_DKIM_REVOKED] = "the key is revoked (p= is empty)",
		[MR_DKIM_KIND] = "k= is neither rsa nor ed25519",
		[MR_DKIM_BASE64] = "p= is not base64: cut off, or with stray characters",
		[MR_DKIM_KEY] = "p= is no public key of the kind that k= says",
		[MR_DKIM_ED25519_LEN] = "p= of an ed25519 key has not 32 octets",
		[MR_DKIM_RSA_SHORT] = "an RSA key under 1024 bits, which no receiver accepts",
		[MR_DKIM_NO_SHA256] = "h= does not allow sha256",
		[MR_DKIM_NOT_EMAIL] = "s= does not allow email",
		[MR_DKIM_TESTING] = "the record is marked as a test (t=y)",
		[MR_DKIM_STRICT] = "the key is for the very domain only (t=s)",
		[MR_DKIM_RSA_WEAK] = "an RSA key under 2048 bits",
		[MR_DKIM_NO_V] = "no v=DKIM1 in front",
		[MR_DKIM_FAULTS] = "the key can be used",
	};

	return text[fault];
}

bool
mr_dkim_record_is_like(struct mr_str text)
{
	struct mr_taglist list;

	/* What comes before the fault of a faulty list is there. */
	mr_taglist_parse(&list, text, NULL, NULL);
	return mr_taglist_get(&list, "p").p || mr_str_is(mr_taglist_get(&list, "v"), "DKIM1");
}

enum mr_status
mr_dkim_owner(struct mr_str *owner, struct mr_arena *arena, struct mr_str selector,
    struct mr_str domain, struct mr_err *err)
{
	struct mr_str sel, dom, name;
	enum mr_status st;

	if (!mr_domain_is_valid(selector))
		return mr_err_set(err, MR_PERM, "the selector '%.*s' is no name in the DNS",
		    (int)(selector.n < 80 ? selector.n : 80), selector.n ? selector.p : "");
	if (!mr_domain_is_valid(domain))
		return mr_err_set(err, MR_PERM, "'%.*s' is no domain name",
		    (int)(domain.n < 80 ? domain.n : 80), domain.n ? domain.p : "");
	if ((st = mr_domain_to_ascii(&sel, arena, selector, err))
	    || (st = mr_domain_to_ascii(&dom, arena, domain, err)))
		return st;
	if (sel.n + sizeof "._domainkey." - 1 + dom.n > MR_DKIM_OWNER_MAX)
		return mr_err_set(err, MR_PERM, "selector and domain are too long for a name");
	name = mr_arena_fmt(arena, "%.*s._domainkey.%.*s", (int)sel.n, sel.p, (int)dom.n, dom.p);
	*owner = name.p ? mr_arena_lower(arena, name) : name;
	return owner->p ? MR_OK : no_memory(err);
}
