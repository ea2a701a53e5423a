/* taglist.c - a tag list, and a key record: what is accepted can be put together again and is the same;
 * names are names and there once; a key that can be used is one. */
#include "mail/taglist.h"
#include "check/dkim_record.h"

#include "fuzz.h"

static void
check_list(struct mr_str s)
{
	enum mr_taglist_fault fault;
	struct mr_taglist list, again;
	bool is_list = mr_taglist_parse(&list, s, &fault, NULL) == MR_OK;
	struct mr_buf b;

	must(is_list == (fault == MR_TAGLIST_OK) && list.n <= MR_TAGS_MAX);
	must(!is_list || list.n > 0);
	mr_buf_init(&b, 4 * s.n + 16);
	for (size_t i = 0; i < list.n; i++) {
		const struct mr_tag *t = &list.tag[i];

		must(t->name.n && t->name.p >= s.p && t->value.p + t->value.n <= s.p + s.n);
		for (size_t j = 0; j < i; j++)
			must(!mr_str_eq(t->name, list.tag[j].name));
		mr_buf_add(&b, t->name);
		mr_buf_addc(&b, '=');
		mr_buf_add(&b, t->value);
		mr_buf_addc(&b, ';');
	}
	if (list.n) {
		must(mr_taglist_parse(&again, mr_buf_str(&b), NULL, NULL) == MR_OK);
		must(again.n == list.n);
		for (size_t i = 0; i < list.n; i++)
			must(mr_str_eq(list.tag[i].name, again.tag[i].name)
			    && mr_str_eq(list.tag[i].value, again.tag[i].value));
	}
	mr_buf_free(&b);
}

static void
check_record(struct mr_str s, struct mr_arena *arena)
{
	struct mr_dkim_record r;
	struct mr_pkey *key;

	must(mr_dkim_record_parse(&r, s, arena, NULL) == MR_OK);
	for (unsigned f = 0; f <= MR_DKIM_FAULTS; f++)
		must(mr_dkim_fault_text((enum mr_dkim_fault)f));
	if (mr_dkim_record_worst(&r) == MR_DKIM_FAULTS) {
		must(mr_dkim_record_is_like(s));
		must(mr_pkey_from_public(&key, r.kind, r.key, NULL) == MR_OK);
		must(mr_pkey_kind(key) == r.kind && !mr_pkey_is_private(key));
		must(r.kind == MR_PKEY_ED25519 || r.bits >= MR_DKIM_RSA_MIN);
		mr_pkey_free(key);
	}
}

static void
check_owner(struct mr_str s, struct mr_arena *arena)
{
	struct mr_str owner, selector, domain = s;

	if (mr_str_split(&domain, ' ', &selector)
	    && mr_dkim_owner(&owner, arena, selector, domain, NULL) == MR_OK) {
		must(owner.n <= MR_DKIM_OWNER_MAX);
		for (size_t i = 0; i < owner.n; i++)
			must(owner.p[i] > ' ' && owner.p[i] < 0x7f && owner.p[i] != ';'
			    && owner.p[i] != '/');
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str s = fuzz_copy(data, size);
	struct mr_pkey *key;
	struct mr_arena arena;

	mr_arena_init(&arena, 1 << 20);
	check_list(s);
	check_record(s, &arena);
	check_owner(s, &arena);
	if (mr_pkey_parse(&key, s, NULL) == MR_OK)
		mr_pkey_free(key);
	mr_arena_free(&arena);
	fuzz_free(s);
	return 0;
}
