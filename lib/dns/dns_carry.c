#include "dns/dns_carry.h"

#include <string.h>

/* Numbers are in the machine's own order: both ends are on it. */
struct question_head {
	uint32_t type, name_len;
};

struct answer_head {
	uint32_t result, ms, record_n, canonical_len, is_authentic, is_truncated, links;
	uint64_t size;
};

struct record_head {
	uint32_t ttl_s, preference, text_len, strings_len;
	struct mr_ip ip;
};

static void
put(struct mr_buf *out, const void *p, size_t n)
{
	mr_buf_add(out, (struct mr_str){ p, n });
}

/* The next n bytes, or NULL. */
static const char *
take(struct mr_str *text, size_t n)
{
	const char *p = text->p;

	if (text->n < n)
		return NULL;
	*text = (struct mr_str){ text->p + n, text->n - n };
	return p;
}

static bool
take_head(struct mr_str *text, void *head, size_t n)
{
	const char *p = take(text, n);

	if (p)
		memcpy(head, p, n);
	return p;
}

static bool
take_text(struct mr_str *text, size_t n, struct mr_arena *arena, struct mr_str *out)
{
	const char *p = take(text, n);

	*out = (struct mr_str){ NULL, 0 };
	if (p)
		*out = mr_arena_dup(arena, (struct mr_str){ p, n });
	return out->p;
}

void
mr_dns_carry_questions(struct mr_buf *out, const struct mr_ldns *ldns,
    struct mr_dns_question *const *q, size_t n, int64_t deadline_ms)
{
	struct mr_arena arena;

	mr_arena_init(&arena, MR_DNS_CARRIED_MAX);
	put(out, &deadline_ms, sizeof deadline_ms);
	for (size_t i = 0; i < n; i++) {
		struct mr_str name = mr_dns_name_text(ldns, &arena, q[i]->name);
		struct question_head head;

		if (name.n == 0)
			name = MR_STR("."); /* the root, to the parser */
		head = (struct question_head){ (uint32_t)q[i]->type, (uint32_t)name.n };
		put(out, &head, sizeof head);
		mr_buf_add(out, name);
	}
	mr_arena_free(&arena);
}

bool
mr_dns_carry_deadline(struct mr_str *text, int64_t *deadline_ms)
{
	return take_head(text, deadline_ms, sizeof *deadline_ms);
}

bool
mr_dns_carry_question(struct mr_str *text, struct mr_str *name, enum mr_dns_type *type)
{
	struct question_head head;
	const char *p;

	if (!take_head(text, &head, sizeof head)
	    || (head.type > UINT16_MAX && head.type != MR_DNS_SOA_UNCHECKED)
	    || !(p = take(text, head.name_len)))
		return false;
	*name = (struct mr_str){ p, head.name_len };
	*type = (enum mr_dns_type)head.type;
	return true;
}

void
mr_dns_carry_answer(struct mr_buf *out, const struct mr_dns_answer *a)
{
	struct answer_head head;

	memset(&head, 0, sizeof head); /* no byte of ours goes out unset */
	head.result = (uint32_t)a->result;
	head.ms = a->ms;
	head.record_n = (uint32_t)a->n;
	head.canonical_len = (uint32_t)a->canonical.n;
	head.is_authentic = a->is_authentic;
	head.is_truncated = a->is_truncated;
	head.links = a->links;
	head.size = a->size;
	put(out, &head, sizeof head);
	mr_buf_add(out, a->canonical);
	for (size_t i = 0; i < a->n; i++) {
		struct record_head rec;

		memset(&rec, 0, sizeof rec);
		rec.ttl_s = a->rec[i].ttl_s;
		rec.preference = a->rec[i].preference;
		rec.text_len = (uint32_t)a->rec[i].text.n;
		rec.strings_len = (uint32_t)a->rec[i].strings.n;
		rec.ip = a->rec[i].ip;
		put(out, &rec, sizeof rec);
		mr_buf_add(out, a->rec[i].text);
		mr_buf_add(out, a->rec[i].strings);
	}
}

static bool
read_answer(struct mr_dns_answer *a, struct mr_arena *arena, struct mr_str *text)
{
	struct mr_dns_record *rec = NULL;
	struct answer_head head;

	if (!take_head(text, &head, sizeof head) || head.result > MR_DNS_BROKEN
	    || head.record_n > MR_DNS_RECORD_MAX)
		return false;
	if (head.canonical_len && !take_text(text, head.canonical_len, arena, &a->canonical))
		return false;
	if (head.record_n && !(rec = mr_arena_alloc(arena, head.record_n * sizeof *rec)))
		return false;
	for (size_t i = 0; i < head.record_n; i++) {
		struct record_head r;

		if (!take_head(text, &r, sizeof r)
		    || !take_text(text, r.text_len, arena, &rec[i].text)
		    || (r.strings_len && !take_text(text, r.strings_len, arena, &rec[i].strings)))
			return false;
		rec[i].ttl_s = r.ttl_s;
		rec[i].preference = r.preference;
		rec[i].ip = r.ip;
	}
	a->result = (enum mr_dns_result)head.result;
	a->is_authentic = head.is_authentic;
	a->is_truncated = head.is_truncated;
	a->links = head.links;
	a->size = head.size;
	a->ms = head.ms;
	a->rec = rec;
	a->n = head.record_n;
	return true;
}

void
mr_dns_carry_read(struct mr_str text, struct mr_dns_question **q, size_t n, struct mr_arena *arena)
{
	bool is_whole = true;

	for (size_t i = 0; i < n; i++) {
		q[i]->answer = (struct mr_dns_answer){ .result = MR_DNS_BROKEN };
		is_whole = is_whole && read_answer(&q[i]->answer, arena, &text);
		if (!is_whole)
			q[i]->answer = (struct mr_dns_answer){ .result = MR_DNS_BROKEN };
		q[i]->is_answered = true;
	}
}
