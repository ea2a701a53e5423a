/* header.c - header fields: a block stays one with CRLF; an authserv-id is one word that does not
 * change when more follows. */
#include "mail/header.h"

#include "fuzz.h"

static void
blocks(struct mr_str s)
{
	struct mr_str name = mr_header_name(s);
	struct mr_buf out;

	for (size_t i = 0; i < name.n; i++)
		must(name.p[i] > ' ' && name.p[i] <= '~' && name.p[i] != ':');
	must(!name.p || name.n > 0);
	mr_buf_init(&out, 2 * s.n + 1);
	mr_header_to_crlf(s, &out);
	must(!out.is_full);
	for (size_t i = 0; i < out.n; i++)
		must(out.p[i] != '\n' || (i > 0 && out.p[i - 1] == '\r'));
	must(mr_header_is_block(s, NULL) == mr_header_is_block(mr_buf_str(&out), NULL));
	if (s.n && mr_header_is_block(s, NULL))
		must(name.p && !memchr(s.p, '\0', s.n));
	mr_buf_free(&out);
}

static void
authserv_ids(struct mr_str s)
{
	struct mr_buf id, again;

	mr_buf_init(&id, 255);
	mr_buf_init(&again, 255);
	if (mr_header_authserv_id(s, &id) == MR_OK) {
		must(id.n > 0 && !id.is_full);
		/* A field that arrives in pieces: more may be needed, but never another id. */
		for (size_t n = 0; n < s.n && n < 600; n++) {
			enum mr_status st =
			    mr_header_authserv_id((struct mr_str){ s.p, n }, &again);

			must(st == MR_NOTFOUND
			    || (st == MR_OK && mr_str_eq(mr_buf_str(&id), mr_buf_str(&again))));
		}
	}
	mr_buf_free(&id);
	mr_buf_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str s = fuzz_copy(data, size);

	blocks(s);
	authserv_ids(s);
	fuzz_free(s);
	return 0;
}
