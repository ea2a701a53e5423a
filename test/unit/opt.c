/* opt.c - lib/base/opt. */
#include "base/opt.h"

#include "../tap.h"
#include "argv.h"

static struct mr_err err;

/* All that is read, as text: "l T=5 | a b". */
static struct mr_str
all(const char *letters, const char *line)
{
	static char got[200];
	static const struct mr_opt_name names[] = { { "loop", 'l' }, { "time", 'T' }, { NULL, 0 } };
	static struct argv a;
	struct mr_opt o = { .letters = letters, .names = names };
	int c;

	o.argv = argv_set(&a, line);
	o.argc = a.n;
	got[0] = '\0';
#define ADD(...) snprintf(got + strlen(got), sizeof got - strlen(got), __VA_ARGS__)
	while ((c = mr_opt_next(&o, &err)) > 0) {
		ADD("%c", c);
		if (o.arg)
			ADD("=%s", o.arg);
		ADD(" ");
	}
	ADD(c < 0 ? "!" : "|");
	for (; c == 0 && o.at < o.argc; o.at++)
		ADD(" %s", o.argv[o.at]);
	return mr_str(got);
}

static void
numbers(void)
{
	static const struct {
		char kind;
		const char *arg;
		bool is_ok;
		uint64_t want;
	} t[] = { { 'n', "5", true, 5 }, { 'n', "1", true, 1 }, { 'n', "0", false, 0 },
		{ 'n', "100000", true, 100000 }, { 'n', "100001", false, 0 }, { 'n', "", false, 0 },
		{ 'n', "5s", false, 0 }, { 'n', "-5", false, 0 }, { 's', "30", true, 30 },
		{ 's', "30s", true, 30 }, { 's', "5m", true, 300 }, { 's', "4H", true, 14400 },
		{ 's', "1d", true, 86400 }, { 's', "2d", false, 0 }, { 's', "m", false, 0 },
		{ 's', "5mm", false, 0 }, { 's', "1k", false, 0 },
		{ 's', "213503982334602d", false, 0 }, { 'b', "64k", true, 65536 },
		{ 'b', "97K", true, 99328 }, { 'b', "98k", false, 0 }, { 'b', "1m", false, 0 },
		{ 'b', "17179869184g", false, 0 }, { 'b', "18446744073709551616", false, 0 } };

	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		uint64_t got = 0;
		enum mr_status st = t[i].kind == 'n'
		    ? mr_opt_num('x', t[i].arg, 1, 100000, &got, &err)
		    : t[i].kind == 's' ? mr_opt_span_s('x', t[i].arg, 1, 100000, &got, &err)
		                       : mr_opt_size('x', t[i].arg, 1, 100000, &got, &err);

		ok(st == (t[i].is_ok ? MR_OK : MR_USAGE) && got == t[i].want, "%c '%s'", t[i].kind,
		    t[i].arg);
	}
	ok(strncmp(err.text, "-x 18446744073709551616: ", 25) == 0, "the reason: %s", err.text);
}

int
main(void)
{
	struct argv empty;
	struct mr_opt none = { .argv = argv_set(&empty, ""), .argc = 0, .letters = "l" };

	is(all("lnT:", "mr-x|-l|-T|5|a|-n"), "l T=5 | a -n", "operands end options");
	is(all("lnT:", "mr-x|-lnT5|a"), "l n T=5 | a", "a cluster");
	is(all("lnT:", "mr-x|-lT|-n"), "l T=-n |", "an argument may look like an option");
	is(all("lnT:", "mr-x|-l|--|-n"), "l | -n", "-- ends options");
	is(all("lnT:", "mr-x|-|-l"), "| - -l", "- is an operand");
	is(all("lnT:", "mr-x"), "|", "nothing");
	is(all("lnT:", "mr-x||-l"), "|  -l", "an empty word is an operand");
	is(all("lnT:", "mr-x|-lx"), "l !", "unknown letter");
	is(mr_str(err.text), "unknown option -x", "the reason");
	is(all("lnT:", "mr-x|-:"), "!", "the colon is no letter");
	is(all("lnT:", "mr-x|--long"), "!", "an unknown name");
	is(all("lnT:", "mr-x|-T"), "!", "missing argument");
	is(mr_str(err.text), "option -T needs an argument", "the reason");
	is(all("T:", "mr-x|-T|"), "T= |", "an empty argument is one");
	is(all("lnT:", "mr-x|--loop|--time=5|--time|6|-n|a|--loop"), "l T=5 T=6 n | a --loop",
	    "long names");
	is(all("lnT:", "mr-x|--time=|-l"), "T= l |", "an empty value is one");
	is(all("lnT:", "mr-x|--time=a=b|--|--loop"), "T=a=b | --loop", "a value with =");
	is(all("lnT:", "mr-x|--time"), "!", "missing value");
	is(mr_str(err.text), "option --time needs a value", "the reason");
	is(all("lnT:", "mr-x|--loop=n"), "!", "a value too many");
	is(mr_str(err.text), "option --loop takes no value", "the reason");
	is(all("lnT:", "mr-x|--loops"), "!", "unknown name");
	is(mr_str(err.text), "unknown option --loops", "the reason");
	is(all("lnT:", "mr-x|--loo"), "!", "no abbreviations");
	is(all("lnT:", "mr-x|-l-"), "l !", "no name in a cluster");
	ok(mr_opt_next(&none, &err) == 0 && none.at == 0, "an empty argv has no operands");
	numbers();
	return done_testing();
}
