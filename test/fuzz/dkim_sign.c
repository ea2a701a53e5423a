/* dkim_sign.c - a message is signed, or refused: what comes out is whole fields that say what they should;
 * LF or CRLF, and the size of pieces, make no difference; canonical forms are their own. */
#include "check/dkim_sign.h"
#include "mail/header.h"
#include "mail/taglist.h"

#include "base/child.h"
#include "fuzz.h"

#include <unistd.h>

static enum mr_status
sign(struct mr_arena *arena, struct mr_str message, enum mr_dkim_canon canon,
    const struct mr_dkim_signer *s, struct mr_str *fields)
{
	struct mr_dkim_signer signer[2] = { *s, *s };
	int fd = mr_child_memfile(message);
	struct mr_dkim_draft *draft;
	enum mr_status st;

	must(fd >= 0);
	signer[1].header = signer[1].body = canon;
	st = mr_dkim_draft_begin(&draft, arena, fd, NULL);
	if (st == MR_OK) {
		must(mr_dkim_draft_from(draft).p);
		st = mr_dkim_draft_sign(draft, signer, 2, 1700000000, fields, NULL);
	}
	must(st == MR_OK || st == MR_PERM);
	mr_dkim_draft_end(draft);
	close(fd);
	return st;
}

/* One field, and what its tags are. */
static void
check_field(struct mr_str field)
{
	struct mr_taglist list;
	struct mr_str names, name;
	size_t from_n = 0;

	must(mr_str_starts(field, "DKIM-Signature: "));
	field = mr_str_from(field, sizeof "DKIM-Signature:" - 1);
	field.n -= 2; /* CRLF */
	must(mr_taglist_parse(&list, field, NULL, NULL) == MR_OK);
	must(mr_str_is(mr_taglist_get(&list, "v"), "1"));
	must(mr_str_is(mr_taglist_get(&list, "d"), "example.org"));
	must(mr_taglist_get(&list, "b").n >= 88);
	must(!mr_taglist_get(&list, "l").p && !mr_taglist_get(&list, "z").p);
	names = mr_taglist_get(&list, "h");
	while (mr_taglist_next(&names, ':', &name))
		from_n += mr_str_is(name, "From");
	must(from_n == 2);
}

static void
check_canon(struct mr_str s)
{
	struct mr_buf once, twice;

	mr_buf_init(&once, s.n + 16);
	mr_buf_init(&twice, s.n + 16);
	mr_dkim_canon_field(&once, MR_DKIM_RELAXED, s);
	mr_dkim_canon_field(&twice, MR_DKIM_RELAXED, mr_buf_str(&once));
	must(!once.is_full && mr_str_eq(mr_buf_str(&once), mr_buf_str(&twice)));
	must(mr_str_chr(mr_buf_str(&once), '\n') < 0);
	mr_buf_free(&once);
	mr_buf_free(&twice);
}

static void
check_pieces(struct mr_str s, enum mr_dkim_canon canon)
{
	uint8_t hash[2][MR_SHA256_N];

	for (size_t way = 0; way < 2; way++) {
		struct mr_dkim_body *b;
		struct mr_str rest = s;

		must(mr_dkim_body_new(&b, canon, MR_DKIM_WHOLE_BODY, NULL) == MR_OK);
		while (rest.n) {
			size_t n = way ? 1 : rest.n;

			while (rest.p[n - 1] == '\r' && n < rest.n)
				n++;
			must(mr_dkim_body_add(b, (struct mr_str){ rest.p, n }, NULL) == MR_OK);
			rest = mr_str_from(rest, n);
		}
		must(mr_dkim_body_end(b, hash[way], NULL) == MR_OK);
		mr_dkim_body_free(b);
	}
	must(memcmp(hash[0], hash[1], MR_SHA256_N) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_dkim_signer signer = { MR_STR("example.org"), MR_STR("s"), NULL, MR_DKIM_RELAXED,
		MR_DKIM_RELAXED, 0 };
	struct mr_str s = fuzz_copy(data, size), fields, again;
	enum mr_dkim_canon canon = size % 2 ? MR_DKIM_SIMPLE : MR_DKIM_RELAXED;
	struct mr_arena arena;
	struct mr_buf crlf;

	mr_arena_init(&arena, 8 << 20);
	mr_buf_init(&crlf, 2 * size + 1);
	must(
	    mr_pkey_parse(&signer.key, MR_STR("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="), NULL)
	    == MR_OK);
	if (sign(&arena, s, canon, &signer, &fields) == MR_OK) {
		struct mr_str second = mr_str_from(fields, 1);
		const char *at;

		must(mr_header_is_block(fields, NULL));
		at = memmem(second.p, second.n, "DKIM-Signature:", 15);
		must(at);
		check_field((struct mr_str){ fields.p, (size_t)(at - fields.p) });
		check_field((struct mr_str){ at, fields.n - (size_t)(at - fields.p) });
		mr_header_to_crlf(s, &crlf);
		must(sign(&arena, mr_buf_str(&crlf), canon, &signer, &again) == MR_OK);
		must(mr_str_eq(fields, again));
	}
	check_canon(s);
	check_pieces(s, canon);
	mr_pkey_free(signer.key);
	mr_buf_free(&crlf);
	mr_arena_free(&arena);
	fuzz_free(s);
	return 0;
}
