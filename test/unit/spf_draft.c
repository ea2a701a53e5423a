/* Records that people publish, and what they meant. */
#include "check/spf_draft.h"

#include "../tap.h"

/* What is published, and the record made of it; NULL: nobody knows. */
static const struct {
	const char *text, *want;
} mended[] = {
	{ "v=spf1 mx -all", "v=spf1 mx -all" },
	{ "v=spf1 mx a -all a:behind.example", "v=spf1 mx a -all" },
	{ "v=spf1 MX mx -all", "v=spf1 MX -all" },
	{ "v=spf1", "v=spf1" },
	{ "v=spfl mx -all", "v=spf1 mx -all" },
	{ "v=spf 1 mx -all", "v=spf1 mx -all" },
	{ "v = spf1 mx -all", "v=spf1 mx -all" },
	{ "v=sfp1 mx -all", "v=spf1 mx -all" },
	{ "v=spf1.0 mx -all", "v=spf1 mx -all" },
	{ "v=spf1; mx; -all;", "v=spf1 mx -all" },
	{ "spf1 mx -all", "v=spf1 mx -all" },
	{ "\"v=spf1 mx -all\"", "v=spf1 mx -all" },
	{ "\"v=spf1 include:a.exa\" \"mple -all\"", "v=spf1 include:a.example -all" },
	{ "\\\"v=spf1 mx -all\\\"", "v=spf1 mx -all" },
	{ "v=spf1 ipv4:192.0.2.0/24 ipv6:2001:db8::/32 -all",
	    "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all" },
	{ "v=spf1 ip4:2001:db8::1 192.0.2.1 a:192.0.2.2 -all",
	    "v=spf1 ip6:2001:db8::1 ip4:192.0.2.1 ip4:192.0.2.2 -all" },
	{ "v=spf1 ip4: 192.0.2.1 - all", "v=spf1 ip4:192.0.2.1 -all" },
	{ "v=spf1 inlcude:a.example include=b.example -all",
	    "v=spf1 include:a.example include:b.example -all" },
	{ "v=spf1 redirect:a.example", "v=spf1 redirect=a.example" },
	{ "v=spf1 mx \xe2\x80\x93"
	  "all",
	    "v=spf1 mx -all" },
	{ "v=spf1 mx -all redirect=a.example", "v=spf1 mx -all" },
	{ "v=spf1 mx\xc2\xa0-all", "v=spf1 mx -all" },
	{ "v=spf1 ip4:192.0.2.1/ -all", "v=spf1 ip4:192.0.2.1 -all" },
	{ "v=spf1 exists:%{i}.a.example exp=x.%{d} ?all",
	    "v=spf1 exists:%{i}.a.example exp=x.%{d} ?all" },
	{ "v=spf1 frobnicate:a.example -all", NULL },
	{ "v=spf1 include: -all", NULL },
	{ "v=spf1 a..b -all", NULL },
};

static void
test_mended(struct mr_arena *arena)
{
	for (size_t i = 0; i < sizeof mended / sizeof *mended; i++) {
		struct mr_spf_draft draft = { .n = 0 };
		struct mr_err err;
		enum mr_status st = mr_spf_draft_add(&draft, mr_str(mended[i].text), arena, &err);

		if (mended[i].want)
			is(st ? mr_str(err.text) : mr_spf_draft_text(&draft, arena), mended[i].want,
			    mended[i].text);
		else
			ok(st == MR_PERM, "'%s' cannot be guessed", mended[i].text);
	}
}

/* Several records become one. */
static void
test_merged(struct mr_arena *arena)
{
	static const struct {
		const char *a, *b, *want;
	} pairs[] = { { "v=spf1 mx -all", "v=spf1 a:b.example ~all", "v=spf1 mx a:b.example -all" },
		{ "v=spf1 mx ~all", "v=spf1 mx ?all", "v=spf1 mx ~all" },
		{ "v=spf1 mx ?all", "v=spf1 redirect=b.example",
		    "v=spf1 mx include:b.example ?all" } };

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		struct mr_spf_draft draft = { .n = 0 };

		mr_spf_draft_add(&draft, mr_str(pairs[i].a), arena, NULL);
		mr_spf_draft_add(&draft, mr_str(pairs[i].b), arena, NULL);
		is(mr_spf_draft_text(&draft, arena), pairs[i].want, "merged");
	}
}

static void
test_many(struct mr_arena *arena)
{
	struct mr_spf_draft draft = { .n = 0 };

	for (unsigned i = 0; i <= MR_SPF_DRAFT_MAX; i++)
		mr_spf_draft_term(&draft, mr_arena_fmt(arena, "ip4:192.0.%u.%u", i / 256, i % 256));
	ok(draft.n == MR_SPF_DRAFT_MAX, "a draft holds MR_SPF_DRAFT_MAX terms");
	ok(!mr_spf_draft_insert(&draft, 9, draft.term[3]), "one that is there before stays");
	ok(mr_spf_draft_insert(&draft, 1, draft.term[9]), "one that is there behind moves up");
	is(draft.term[1], "ip4:192.0.0.9", "it");
	is(draft.term[2], "ip4:192.0.0.1", "the others follow");
	is(draft.term[10], "ip4:192.0.0.10", "and it is gone from its place");
	mr_spf_draft_drop(&draft, 1);
	mr_spf_draft_term(&draft, MR_STR("ip4:192.0.0.9"));
	mr_spf_draft_drop(&draft, 0);
	ok(draft.n == MR_SPF_DRAFT_MAX - 1, "and one less when one is dropped");
	is(draft.term[0], "ip4:192.0.0.1", "the others move up");
}

static const struct {
	const char *text;
	bool is_like;
} likes[] = { { "v=spf1 mx -all", false }, { "v=spf1", false }, { "v=spfl mx", true },
	{ "v=spf1mx -all", true }, { "v=spf1; mx", true }, { "V=SPF 1 mx", true },
	{ "\"v=spf1 mx -all\"", true }, { "v=spf1 exp=\\", true }, { "spf1 mx", true },
	{ "spf2.0/pra mx -all", false }, { "spf-verify=1", false }, { "spf1=x", false },
	{ "v=DKIM1; p=", false }, { "v=DMARC1; p=none", false }, { "", false }, { "v=", false },
	{ "x v=spf1", false } };

/* Strings with '|' between, the text, the term that came of it. */
static const struct {
	const char *strings, *text, *joined;
} splits[] = {
	{ "v=spf1 mx -all", "v=spf1 mx -all", NULL },
	{ "v=spf1 a:mx.example|mx -all", "v=spf1 a:mx.example mx -all", "a:mx.examplemx" },
	{ "v=spf1|mx -all", "v=spf1 mx -all", "v=spf1mx" },
	{ "v=spf1 |mx| -all", "v=spf1 mx -all", NULL },
	{ "v=spf1 ip4:192.0|.2.1 -all", "v=spf1 ip4:192.0.2.1 -all", NULL },
	{ "v=spf1 include:a.exa|mple.org -all", "v=spf1 include:a.example.org -all", NULL },
	{ "v=spf1 ip4:192.0.2.0|/24 -all", "v=spf1 ip4:192.0.2.0/24 -all", NULL },
	{ "v=spf1 mx|-all", "v=spf1 mx -all", "mx-all" },
	{ "|v=spf1 mx||-all|", "v=spf1 mx -all", "mx-all" },
};

static void
test_splits(struct mr_arena *arena)
{
	for (size_t i = 0; i < sizeof splits / sizeof *splits; i++) {
		struct mr_str rest = mr_str(splits[i].strings), piece, text, joined;
		struct mr_buf b;

		mr_buf_init(&b, 1000);
		while (mr_str_split(&rest, '|', &piece)) {
			mr_buf_addc(&b, (char)piece.n);
			mr_buf_add(&b, piece);
		}
		ok(mr_spf_join(&text, &joined, mr_buf_str(&b), arena, NULL) == MR_OK, "joined: %s",
		    splits[i].strings);
		is(text, splits[i].text, "its text");
		is(joined, splits[i].joined, "the term that came of a lost blank");
		mr_buf_free(&b);
	}
}

int
main(void)
{
	struct mr_arena arena;

	mr_arena_init(&arena, 1 << 20);
	test_mended(&arena);
	test_merged(&arena);
	test_many(&arena);
	for (size_t i = 0; i < sizeof likes / sizeof *likes; i++)
		ok(mr_spf_is_like(mr_str(likes[i].text)) == likes[i].is_like, "'%s' is %slike one",
		    likes[i].text, likes[i].is_like ? "" : "not ");
	test_splits(&arena);
	mr_arena_free(&arena);
	return done_testing();
}
