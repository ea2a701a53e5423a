/* str.c - lib/base/str. */
#include "base/str.h"

#include "../tap.h"

static const struct mr_str none;

static void
compare(void)
{
	ok(!mr_str(NULL).p && mr_str(NULL).n == 0, "NULL is not there");
	ok(mr_str_eq(MR_STR("a\0b"), MR_STR("a\0b")), "equal with NUL inside");
	ok(!mr_str_eq(MR_STR("a\0b"), MR_STR("a\0c")), "bytes behind a NUL count");
	ok(!mr_str_is(MR_STR("a\0"), "a"), "longer is not equal");
	ok(mr_str_is(MR_STR(""), "") && mr_str_eq(none, MR_STR("")), "empty is empty");
	ok(mr_str_caseis(MR_STR("PostMaster"), "postmaster"), "case folds");
	ok(!mr_str_caseis(MR_STR("@[`{"), "`{@["), "signs do not fold");
	ok(!mr_str_caseeq(MR_STR("\xc4"), MR_STR("\xe4")), "only ASCII folds");
	ok(mr_str_starts(MR_STR("client_name"), "client_"), "starts");
	ok(!mr_str_starts(MR_STR("cli"), "client_"), "shorter than the prefix");
	ok(mr_str_casestarts(MR_STR("ipV6:x"), "IPv6:"), "starts, any case");
	ok(!mr_str_casestarts(none, "a"), "not there starts with nothing");
	ok(mr_str_caseholds(MR_STR("a <x<SCRipt>"), "<script"), "holds, any case");
	ok(mr_str_caseholds(MR_STR("wwScript"), "wscript"), "holds, after a false start");
	ok(!mr_str_caseholds(MR_STR("<scrip"), "<script"), "cut off");
	ok(!mr_str_caseholds(none, "a") && !mr_str_caseholds(none, "<"), "not there holds nothing");
	ok(mr_str_caseholds(none, ""), "but the empty word");
}

static void
search(void)
{
	struct mr_str s = MR_STR("a.b.c");

	ok(mr_str_chr(s, '.') == 1 && mr_str_rchr(s, '.') == 3, "first and last");
	ok(mr_str_chr(s, 'x') == -1 && mr_str_rchr(s, 'x') == -1, "absent");
	ok(mr_str_chr(none, 'x') == -1 && mr_str_rchr(none, 'x') == -1, "in nothing");
	ok(mr_str_chr(s, '\0') == -1, "the NUL behind is not part");
	is(mr_str_from(s, 5), "", "from the end");
	is(mr_str_from(s, 0), "a.b.c", "from the start");
	ok(!mr_str_from(none, 0).p, "from nothing");
	is(mr_str_trim(MR_STR(" \t a b\t ")), "a b", "trim");
	is(mr_str_trim(MR_STR(" \t ")), "", "trim to nothing");
	is(mr_str_trim(MR_STR("\ra\n")), "\ra\n", "CR and LF are no blanks");
}

static void
pieces(void)
{
	static const struct {
		const char *text, *want;
	} t[] = { { "", "[]" }, { "a", "[a]" }, { "a,,b", "[a][][b]" }, { ",", "[][]" },
		{ "a,", "[a][]" }, { ",a", "[][a]" } };

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct mr_str rest = mr_str(t[i].text), piece;
		char got[64] = "";

		while (mr_str_split(&rest, ',', &piece))
			snprintf(got + strlen(got), sizeof got - strlen(got), "[%.*s]",
			    (int)piece.n, piece.p);
		is(mr_str(got), t[i].want, t[i].text);
		ok(!rest.p, "nothing is left of '%s'", t[i].text);
	}
	struct mr_str rest = none, piece;

	ok(!mr_str_split(&rest, ',', &piece), "not there has no piece");
	rest = MR_STR("  a\tbc ");
	is(mr_str_word(&rest), "a", "word");
	is(mr_str_word(&rest), "bc", "next word");
	is(mr_str_word(&rest), "", "no more words");
	ok(rest.n == 0, "blanks are taken, too");
}

static void
numbers(void)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool is_ok;
		uint64_t want;
	} t[] = { { "0", 0, true, 0 }, { "10", 10, true, 10 }, { "11", 10, false, 0 },
		{ "007", 10, true, 7 }, { "", 10, false, 0 }, { "-1", 10, false, 0 },
		{ "+1", 10, false, 0 }, { " 1", 10, false, 0 }, { "1 ", 10, false, 0 },
		{ "0x1", 99, false, 0 }, { "1e1", 99, false, 0 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "18446744073709551620", UINT64_MAX, false, 0 },
		{ "99999999999999999999999", UINT64_MAX, false, 0 } };

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		uint64_t got = 0;

		ok(mr_str_num(mr_str(t[i].text), t[i].max, &got) == t[i].is_ok && got == t[i].want,
		    "number '%s'", t[i].text);
	}
	uint64_t got = 5;

	ok(!mr_str_num(MR_STR("1\0"), 10, &got) && got == 5, "NUL is no digit; out stays");
	ok(!mr_str_num(none, 10, &got), "not there is no number");
}

int
main(void)
{
	compare();
	search();
	pieces();
	numbers();
	ok(mr_str_is_line(MR_STR("a \t\xff")) && mr_str_is_line(none), "a line");
	ok(!mr_str_is_line(MR_STR("a\0b")), "NUL is not for a line");
	ok(!mr_str_is_line(MR_STR("a\r")), "CR is not for a line");
	ok(!mr_str_is_line(MR_STR("\na")), "LF is not for a line");
	ok(mr_lower('Z') == 'z' && mr_lower('[') == '[' && mr_lower(0xc4) == 0xc4, "lower");
	return done_testing();
}
