#include "check/dkim_sign.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define LINE_MAX_COLUMNS 76u         /* of the field, RFC 5322 2.1.1 recommends 78 */
#define SIGNATURE_MAX    (32u << 10) /* octets of one field */

/* What is signed where it is there: RFC 6376 5.4.1; the fields of MIME (RFC 2045) for what they make of a body;
 * RFC 8058 4 for List-Unsubscribe-Post.  Not Return-Path, Received, comments, and results of others.  What
 * decides how a message is shown is oversigned: one more than there are, so that none can be added (5.4.2). */
static const struct {
	const char *name;
	bool is_oversigned;
} wanted[] = {
	{ "From", true },
	{ "To", true },
	{ "Cc", true },
	{ "Subject", true },
	{ "Date", true },
	{ "Reply-To", true },
	{ "Message-ID", false },
	{ "In-Reply-To", false },
	{ "References", false },
	{ "Sender", false },
	{ "MIME-Version", true },
	{ "Content-Type", true },
	{ "Content-Transfer-Encoding", true },
	{ "Content-ID", false },
	{ "Content-Description", false },
	{ "Content-Disposition", false },
	{ "Resent-Date", false },
	{ "Resent-From", false },
	{ "Resent-Sender", false },
	{ "Resent-To", false },
	{ "Resent-Cc", false },
	{ "Resent-Message-ID", false },
	{ "List-Id", false },
	{ "List-Help", false },
	{ "List-Unsubscribe", false },
	{ "List-Unsubscribe-Post", false },
	{ "List-Subscribe", false },
	{ "List-Post", false },
	{ "List-Owner", false },
	{ "List-Archive", false },
};
#define WANTED (sizeof wanted / sizeof *wanted)

/* One field that is signed. */
struct field {
	size_t which; /* index of wanted[] */
	struct mr_str text;
};

struct mr_dkim_draft {
	struct mr_message message;
	struct mr_arena *arena;
	struct field *field; /* in the order of the message */
	size_t n, cap, len;
	size_t count[WANTED];
};

static enum mr_status
no_memory(struct mr_err *err)
{
	return mr_err_set(err, MR_TEMP, "out of memory");
}

/* ---- the header of the message ------------------------------------------------------------------ */

static enum mr_status
add_field(struct mr_dkim_draft *d, const struct mr_message_field *f, struct mr_err *err)
{
	size_t which = 0;

	while (which < WANTED && !mr_str_caseis(f->name, wanted[which].name))
		which++;
	if (which == WANTED)
		return MR_OK;
	if (f->is_cut)
		return mr_err_set(err, MR_PERM, "a field %s of over %u octets", wanted[which].name,
		    MR_DKIM_SIGN_FIELD_MAX);
	if (d->count[which] == MR_DKIM_SIGN_REPEAT_MAX)
		return mr_err_set(err, MR_PERM, "more than %u fields %s", MR_DKIM_SIGN_REPEAT_MAX,
		    wanted[which].name);
	if ((d->len += f->text.n) > MR_DKIM_SIGN_HEADER_MAX)
		return mr_err_set(
		    err, MR_PERM, "a header of over %u octets", MR_DKIM_SIGN_HEADER_MAX);
	if (!mr_arena_grow(d->arena, &d->field, d->n, &d->cap, sizeof *d->field))
		return no_memory(err);
	d->field[d->n] = (struct field){ which, mr_arena_dup(d->arena, f->text) };
	if (!d->field[d->n].text.p)
		return no_memory(err);
	d->n++;
	d->count[which]++;
	return MR_OK;
}

static enum mr_status
read_header(struct mr_dkim_draft *d, struct mr_err *err)
{
	struct mr_message_field f;
	enum mr_status st;

	while ((st = mr_message_next(&d->message, &f, err)) == MR_OK)
		if ((st = add_field(d, &f, err)))
			return st;
	if (st != MR_NOTFOUND)
		return st;
	/* Passed over by who reads mailboxes, and not by others; a field in front would break both. */
	if (d->message.has_from_line)
		return mr_err_set(err, MR_PERM, "it begins with the From line of a mailbox");
	if (d->message.has_bad_line)
		return mr_err_set(err, MR_PERM, "a line of the header is no field");
	if (d->message.has_lone_cr)
		return mr_err_set(err, MR_PERM, "a CR without LF");
	if (d->count[0] != 1)
		return mr_err_set(
		    err, MR_PERM, d->count[0] ? "more than one From field" : "no From field");
	return MR_OK;
}

enum mr_status
mr_dkim_draft_begin(
    struct mr_dkim_draft **draft, struct mr_arena *arena, int fd, struct mr_err *err)
{
	struct mr_dkim_draft *d = mr_arena_alloc(arena, sizeof *d);
	enum mr_status st;

	*draft = NULL;
	if (!d)
		return no_memory(err);
	d->arena = arena;
	if ((st = mr_message_open(&d->message, fd, MR_DKIM_SIGN_FIELD_MAX, err)))
		return st;
	if ((st = read_header(d, err)))
		mr_message_close(&d->message);
	else
		*draft = d;
	return st;
}

void
mr_dkim_draft_end(struct mr_dkim_draft *draft)
{
	if (draft)
		mr_message_close(&draft->message);
}

struct mr_str
mr_dkim_draft_from(const struct mr_dkim_draft *draft)
{
	size_t i = 0;

	while (draft->field[i].which != 0) /* there is one */
		i++;
	return mr_str_from(draft->field[i].text, (size_t)mr_str_chr(draft->field[i].text, ':') + 1);
}

/* ---- the body ----------------------------------------------------------------------------------- */

/* The hashes that the signatures need, of both forms: one pass. */
static enum mr_status
hash_body(struct mr_dkim_draft *d, const struct mr_dkim_signer *signer, size_t n,
    uint8_t hash[2][MR_SHA256_N], struct mr_err *err)
{
	struct mr_dkim_body *body[2] = { NULL, NULL };
	struct mr_str piece;
	enum mr_status st = MR_OK, read_st;

	for (size_t i = 0; i < n && st == MR_OK; i++)
		if (!body[signer[i].body])
			st = mr_dkim_body_new(
			    &body[signer[i].body], signer[i].body, MR_DKIM_WHOLE_BODY, err);
	while (
	    st == MR_OK && (read_st = mr_message_body(&d->message, &piece, err)) != MR_NOTFOUND) {
		st = read_st;
		for (size_t c = 0; c < 2 && st == MR_OK; c++)
			if (body[c])
				st = mr_dkim_body_add(body[c], piece, err);
	}
	for (size_t c = 0; c < 2; c++) {
		if (st == MR_OK && body[c])
			st = mr_dkim_body_end(body[c], hash[c], err);
		mr_dkim_body_free(body[c]);
	}
	if (st == MR_OK && d->message.has_lone_cr)
		st = mr_err_set(err, MR_PERM, "a CR without LF");
	return st;
}

/* ---- a signature -------------------------------------------------------------------------------- */

/* Adds a tag, on a new line if it does not fit into this one. */
static void
add_tag(struct mr_buf *b, size_t *line, const char *name, struct mr_str value)
{
	size_t len = strlen(name) + value.n + 3;

	if (*line + len > LINE_MAX_COLUMNS) {
		mr_buf_adds(b, "\r\n\t");
		*line = 8;
	} else {
		mr_buf_addc(b, ' ');
	}
	mr_buf_adds(b, name);
	mr_buf_addc(b, '=');
	mr_buf_add(b, value);
	mr_buf_addc(b, ';');
	*line += len;
}

/* h=: each name as often as it is there, and once more. */
static void
add_names(const struct mr_dkim_draft *d, struct mr_buf *b)
{
	size_t line = 8 + 2;
	bool is_first = true;

	mr_buf_adds(b, "\r\n\th=");
	for (size_t w = 0; w < WANTED; w++) {
		size_t len = strlen(wanted[w].name);

		for (size_t i = 0; i < d->count[w] + wanted[w].is_oversigned; i++) {
			if (!is_first)
				mr_buf_addc(b, ':');
			if (line + len + 1 > LINE_MAX_COLUMNS) {
				mr_buf_adds(b, "\r\n\t ");
				line = 9;
			}
			mr_buf_adds(b, wanted[w].name);
			line += len + 1;
			is_first = false;
		}
	}
	mr_buf_addc(b, ';');
}

/* The field up to and with "b=". */
static enum mr_status
add_start(const struct mr_dkim_draft *d, struct mr_buf *b, const struct mr_dkim_signer *s,
    const uint8_t *body_hash, int64_t now_s, struct mr_err *err)
{
	struct mr_str hash = { (const char *)body_hash, MR_SHA256_N };
	char canon[24], num[MR_NUM_MAX];
	size_t line = sizeof "DKIM-Signature:" - 1;
	uint64_t now = now_s > 0 ? (uint64_t)now_s : 0;

	snprintf(canon, sizeof canon, "%s/%s", mr_dkim_canon_word(s->header),
	    mr_dkim_canon_word(s->body));
	mr_buf_adds(b, "DKIM-Signature:");
	add_tag(b, &line, "v", MR_STR("1"));
	add_tag(b, &line, "a",
	    mr_pkey_kind(s->key) == MR_PKEY_RSA ? MR_STR("rsa-sha256") : MR_STR("ed25519-sha256"));
	add_tag(b, &line, "c", mr_str(canon));
	add_tag(b, &line, "d", s->domain);
	add_tag(b, &line, "s", s->selector);
	add_tag(b, &line, "t", mr_log_num(num, (int64_t)now));
	if (s->lifetime_s)
		add_tag(b, &line, "x", mr_log_num(num, (int64_t)(now + s->lifetime_s)));
	add_names(d, b);
	mr_buf_adds(b, "\r\n\tbh=");
	if (mr_base64_encode(b, hash, err))
		return MR_TEMP;
	mr_buf_adds(b, ";\r\n\tb=");
	return b->is_full ? no_memory(err) : MR_OK;
}

/* The hash of the header fields, each name from the bottom up (5.4.2), and of the signature's own start. */
static enum mr_status
hash_header(const struct mr_dkim_draft *d, enum mr_dkim_canon canon, struct mr_str start,
    uint8_t *hash, struct mr_err *err)
{
	struct mr_buf b;
	enum mr_status st;

	mr_buf_init(&b, MR_DKIM_SIGN_HEADER_MAX + 2 * d->n + SIGNATURE_MAX);
	for (size_t w = 0; w < WANTED; w++) {
		for (size_t i = d->count[w] ? d->n : 0; i > 0; i--) {
			if (d->field[i - 1].which != w)
				continue;
			mr_dkim_canon_field(&b, canon, d->field[i - 1].text);
			mr_buf_adds(&b, "\r\n");
		}
	}
	mr_dkim_canon_field(&b, canon, start);
	st = b.is_full ? no_memory(err) : mr_sha256(hash, mr_buf_str(&b), err);
	mr_buf_free(&b);
	return st;
}

/* b=, in lines. */
static enum mr_status
add_signature(struct mr_buf *b, const struct mr_pkey *key, const uint8_t *hash, struct mr_err *err)
{
	struct mr_buf raw, text;
	struct mr_str rest;
	size_t line = 8 + 2;
	enum mr_status st;

	mr_buf_init(&raw, SIGNATURE_MAX);
	mr_buf_init(&text, SIGNATURE_MAX);
	if ((st = mr_pkey_sign(key, hash, &raw, err)) == MR_OK)
		st = mr_base64_encode(&text, mr_buf_str(&raw), err);
	rest = mr_buf_str(&text);
	while (st == MR_OK && rest.n) {
		size_t n = rest.n < LINE_MAX_COLUMNS - line ? rest.n : LINE_MAX_COLUMNS - line;

		mr_buf_add(b, (struct mr_str){ rest.p, n });
		rest = mr_str_from(rest, n);
		if (rest.n)
			mr_buf_adds(b, "\r\n\t ");
		line = 9;
	}
	mr_buf_adds(b, "\r\n");
	mr_buf_free(&raw);
	mr_buf_free(&text);
	return st;
}

static enum mr_status
sign_one(const struct mr_dkim_draft *d, struct mr_buf *out, const struct mr_dkim_signer *s,
    const uint8_t *body_hash, int64_t now_s, struct mr_err *err)
{
	uint8_t hash[MR_SHA256_N];
	size_t from = out->n;
	enum mr_status st = add_start(d, out, s, body_hash, now_s, err);

	if (st == MR_OK)
		st = hash_header(
		    d, s->header, (struct mr_str){ out->p + from, out->n - from }, hash, err);
	return st ? st : add_signature(out, s->key, hash, err);
}

enum mr_status
mr_dkim_draft_sign(struct mr_dkim_draft *draft, const struct mr_dkim_signer *signer, size_t n,
    int64_t now_s, struct mr_str *fields, struct mr_err *err)
{
	uint8_t hash[2][MR_SHA256_N];
	enum mr_status st = hash_body(draft, signer, n, hash, err);
	struct mr_buf out;

	mr_buf_init(&out, n * SIGNATURE_MAX);
	for (size_t i = 0; i < n && st == MR_OK; i++)
		st = sign_one(draft, &out, &signer[i], hash[signer[i].body], now_s, err);
	if (st == MR_OK) {
		*fields = mr_arena_dup(draft->arena, mr_buf_str(&out));
		if (out.is_full || !fields->p)
			st = no_memory(err);
	}
	mr_buf_free(&out);
	return st;
}
