/* taglist.c - lib/mail/taglist. */
#include "mail/taglist.h"

#include "../tap.h"

static struct mr_taglist list;

static void
good(void)
{
	struct mr_str rest, piece;
	struct mr_buf b;

	ok(mr_taglist_parse(&list, MR_STR("v=1; a = rsa-sha256 ;\r\n\tbh=ab\r\n cd==;x=;"), NULL,
	       NULL) == MR_OK
	        && list.n == 4,
	    "four tags");
	is(list.tag[0].name, "v", "the first one's name");
	is(mr_taglist_get(&list, "a"), "rsa-sha256", "white space around '=' does not count");
	is(mr_taglist_get(&list, "bh"), "ab\r\n cd==", "inside it stays, and '=' is of the value");
	is(mr_taglist_get(&list, "x"), "", "an empty value is there");
	is(mr_taglist_get(&list, "V"), NULL, "case of names counts");
	mr_buf_init(&b, 100);
	mr_taglist_join(&b, mr_taglist_get(&list, "bh"));
	is(mr_buf_str(&b), "abcd==", "joined: without white space");
	mr_buf_free(&b);
	rest = MR_STR("From : To:\r\n Subject:");
	ok(mr_taglist_next(&rest, ':', &piece) && mr_str_is(piece, "From"), "pieces: 1");
	ok(mr_taglist_next(&rest, ':', &piece) && mr_str_is(piece, "To"), "pieces: 2");
	ok(mr_taglist_next(&rest, ':', &piece) && mr_str_is(piece, "Subject"), "pieces: 3");
	ok(mr_taglist_next(&rest, ':', &piece) && piece.n == 0, "pieces: an empty one");
	ok(!mr_taglist_next(&rest, ':', &piece), "pieces: the end");
	ok(mr_taglist_parse(&list, MR_STR("i=b\xc3\xbc@b\xc3\xbc.example"), NULL, NULL) == MR_OK,
	    "UTF-8 in a value (RFC 8616)");
	ok(mr_taglist_parse(&list, MR_STR("v=DKIM1;p=AB CD \t"), NULL, NULL) == MR_OK, "blanks");
	ok(mr_taglist_parse(&list, MR_STR("a=b;\n c=d"), NULL, NULL) == MR_OK,
	    "a fold with LF alone");
}

static void
bad(void)
{
	static const struct {
		const char *text;
		enum mr_taglist_fault fault;
		size_t n; /* tags before it */
	} v[] = {
		{ "", MR_TAGLIST_NO_EQUALS, 0 },
		{ ";", MR_TAGLIST_NO_EQUALS, 0 },
		{ "v=1;;a=b", MR_TAGLIST_NO_EQUALS, 1 },
		{ "v=1;a=b;;", MR_TAGLIST_NO_EQUALS, 2 },
		{ "v=1; word", MR_TAGLIST_NO_EQUALS, 1 },
		{ "v=1; =b", MR_TAGLIST_NAME, 1 },
		{ "1a=b", MR_TAGLIST_NAME, 0 },
		{ "_a=b", MR_TAGLIST_NAME, 0 },
		{ "a-b=c", MR_TAGLIST_NAME, 0 },
		{ "a b=c", MR_TAGLIST_NAME, 0 },
		{ "\"v=1", MR_TAGLIST_NAME, 0 },
		{ "a=b;c=d;a=e", MR_TAGLIST_TWICE, 2 },
		{ "a=b\x01", MR_TAGLIST_VALUE, 0 },
		{ "a=b\x7f", MR_TAGLIST_VALUE, 0 },
		{ "a=\xff", MR_TAGLIST_VALUE, 0 },
		{ "a=b\r c", MR_TAGLIST_VALUE, 0 },
		{ "a=b\nc", MR_TAGLIST_VALUE, 0 },
		{ "a=b\r\n", MR_TAGLIST_VALUE, 0 },
	};
	struct mr_err err;

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		enum mr_taglist_fault fault = MR_TAGLIST_OK;

		ok(mr_taglist_parse(&list, mr_str(v[i].text), &fault, &err) == MR_PERM
		        && fault == v[i].fault && list.n == v[i].n,
		    "case %zu: %s", i, err.text);
	}
	ok(mr_taglist_parse(&list, MR_STR("a=\0b"), NULL, NULL) == MR_PERM, "NUL");
	ok(mr_taglist_parse(&list, (struct mr_str){ NULL, 0 }, NULL, &err) == MR_PERM, "no text");
}

static void
limit(void)
{
	enum mr_taglist_fault fault = MR_TAGLIST_OK;
	struct mr_buf b;

	mr_buf_init(&b, 4096);
	for (unsigned i = 0; i < MR_TAGS_MAX; i++)
		mr_buf_addf(&b, "t%u=x;", i);
	ok(mr_taglist_parse(&list, mr_buf_str(&b), &fault, NULL) == MR_OK && list.n == MR_TAGS_MAX,
	    "as many tags as may be");
	mr_buf_adds(&b, "u=x");
	ok(mr_taglist_parse(&list, mr_buf_str(&b), &fault, NULL) == MR_PERM
	        && fault == MR_TAGLIST_MANY,
	    "one more");
	mr_buf_free(&b);
}

int
main(void)
{
	good();
	bad();
	limit();
	return done_testing();
}
