/* spec.c - lib/pipe/spec. */
#include "pipe/spec.h"

#include "../tap.h"

#include <stdlib.h>

static struct mr_spec spec;
static struct mr_err err;

static enum mr_status
parse(struct mr_str text)
{
	mr_spec_free(&spec);
	err.text[0] = '\0';
	return mr_spec_parse(&spec, text, &err);
}

/* ---- what is wrong, and in which line ---- */

static const struct {
	const char *text, *want; /* the start of the first error, "" if there is none */
	const char *warning;     /* a part of the first warning, or NULL */
} cases[] = {
	/* what is right */
	{ "", "", NULL },
	{ "\n\r\n# comment\n   # another\n \t \n", "", NULL },
	{ "mail a - cmd\n", "", NULL },
	{ "mail a - cmd", "", NULL },
	{ "mail\ta\t-\tcmd\r\n", "", NULL },
	{ "connect a now,warn,time=3600,fail=open,class=x_y-9 cmd", "", NULL },
	{ "rcpt a edit,fail=defer,codes=qmail cmd", "", NULL },
	{ "data a edit,codes=sysexits cmd\nend b - cmd\nhelo c - cmd", "", NULL },
	{ "mail a codes=policy unix:/x", "", NULL },
	{ "mail a codes=policy inet:h:65535", "", NULL },
	{ "mail a codes=policy inet:[::1]:1", "", NULL },
	/* columns */
	{ "mial a - cmd", "line 1: unknown phase 'mial'; known: connect", NULL },
	{ "Mail a - cmd", "line 1: unknown phase 'Mail'", NULL },
	{ "mail", "line 1: stage name ''", NULL },
	{ "mail a", "line 1: no command; a line is: phase name options command", NULL },
	{ "mail a -", "line 1: no command", NULL },
	{ "mail a - # cmd", "line 1: no command", NULL },
	{ "mail A - cmd", "line 1: stage name 'A'", NULL },
	{ "mail abcdefghijklmnopqrstuvwxyz0123456 - cmd", "line 1: stage name 'abc", NULL },
	{ "mail abcdefghijklmnopqrstuvwxyz012345 - cmd", "", NULL },
	{ "mail a - x\n\nrcpt a - x", "line 3: stage name 'a' is also in line 1", NULL },
	{ "mail a - cmd\rfoo\n", "line 1: NUL or lone CR", NULL },
	{ "mail \033[2J - cmd\n", "line 1: stage name '?[2J'", NULL },
	/* options */
	{ "mail a cmd", "line 1: unknown option 'cmd'; known: unless=", NULL },
	{ "mail a warn,,warn cmd", "line 1: an empty option", NULL },
	{ "mail a warn, cmd", "line 1: an empty option", NULL },
	{ "mail a warn=1 cmd", "line 1: unknown option 'warn=1'", NULL },
	{ "mail a time cmd", "line 1: unknown option 'time'", NULL },
	{ "mail a -,warn cmd", "line 1: unknown option '-'", NULL },
	{ "mail a warn,warn cmd", "line 1: warn is given twice", NULL },
	{ "mail a unless=auth,unless=tls cmd", "line 1: unless is given twice", NULL },
	{ "mail a only=auth,only=tls cmd", "line 1: only is given twice", NULL },
	{ "mail a fail=open,fail=defer cmd", "line 1: fail is given twice", NULL },
	{ "mail a time=0 cmd", "line 1: time=0: need seconds from 1 to 3600", NULL },
	{ "mail a time=3601 cmd", "line 1: time=3601: need", NULL },
	{ "mail a time=-1 cmd", "line 1: time=-1: need", NULL },
	{ "mail a time=1s cmd", "line 1: time=1s: need", NULL },
	{ "mail a time= cmd", "line 1: time=: need", NULL },
	{ "mail a fail=close cmd", "line 1: fail=close: need open or defer", NULL },
	{ "mail a codes=bsd cmd", "line 1: codes=bsd: need mr, qmail, sysexits or policy", NULL },
	{ "mail a now cmd", "line 1: now is not for phase mail", NULL },
	{ "connect a edit cmd", "line 1: edit is not for phase connect", NULL },
	{ "mail a edit cmd", "line 1: edit is not for phase mail", NULL },
	{ "end a edit cmd", "line 1: edit is not for phase end", NULL },
	/* policy servers */
	{ "mail a codes=policy cmd", "line 1: codes=policy: the command is one word", NULL },
	{ "mail a codes=policy unix:", "line 1: codes=policy", NULL },
	{ "mail a codes=policy unix:/x y", "line 1: codes=policy", NULL },
	{ "mail a codes=policy inet:h", "line 1: codes=policy", NULL },
	{ "mail a codes=policy inet:25", "line 1: codes=policy", NULL },
	{ "mail a codes=policy inet::25", "line 1: codes=policy", NULL },
	{ "mail a codes=policy inet:h:0", "line 1: codes=policy", NULL },
	{ "mail a codes=policy inet:h:65536", "line 1: codes=policy", NULL },
	{ "rcpt a edit,codes=policy unix:/x", "line 1: edit: a policy server prints no", NULL },
	/* classes */
	{ "connect a class=trusted x", "", NULL },
	{ "mail a class=trusted x", "line 1: class=trusted: only a connect stage", NULL },
	{ "rcpt a class=trusted x", "line 1: class=trusted: only a connect stage", NULL },
	{ "connect a class=auth x", "line 1: class=auth: no stage may give", NULL },
	{ "connect a class=tls x", "line 1: class=tls: no stage may give", NULL },
	{ "connect a class=bounce x", "line 1: class=bounce: no stage may give", NULL },
	{ "connect a class=local x", "line 1: class=local: no stage may give", NULL },
	{ "connect a class=permitted x", "", NULL },
	{ "connect a class= x", "line 1: class=: a class is named by", NULL },
	{ "connect a class=a+b x", "line 1: class=a+b: a class is named by", NULL },
	{ "connect a class=abcdefghijklmnopqrstuvwxyz0123456 x", "line 1: class=abc", NULL },
	{ "mail a unless=vip x", "line 1: unless=vip: unknown class", NULL },
	{ "mail a only=auth+vip x", "line 1: only=vip: unknown class", NULL },
	{ "mail a unless= x", "line 1: unless=: unknown class", NULL },
	{ "mail a unless=auth+ x", "line 1: unless=: unknown class", NULL },
	{ "mail a unless=vip x\nconnect b class=vip x", "", NULL },
	{ "mail a unless=auth+tls+bounce+trusted x", "", NULL },
	/* what can be reached */
	{ "mail a only=vip x\nmail b class=vip x", "line 1: stage 'a' is never reached: no class",
	    NULL },
	{ "mail a class=vip x\nmail b only=vip x", "", NULL },
	{ "mail a class=vip,warn x\nmail b only=vip x", "line 2: stage 'b' is never reached",
	    NULL },
	{ "connect a class=vip x\nconnect b now,only=vip x", "line 2: stage 'b' is never reached",
	    NULL },
	{ "connect a now,class=vip x\nconnect b now,only=vip x", "", NULL },
	{ "connect a now,only=auth x", "line 1: stage 'a' is never reached", NULL },
	{ "connect a only=auth x", "", NULL },
	{ "connect a only=bounce x", "line 1: stage 'a' is never reached", NULL },
	{ "helo a only=bounce x", "line 1: stage 'a' is never reached", NULL },
	{ "mail a only=bounce x", "", NULL },
	{ "mail a only=local x", "line 1: stage 'a' is never reached", NULL },
	{ "rcpt a only=local x", "", NULL },
	{ "data a only=local x", "", NULL },
	{ "mail a only=auth,unless=auth x", "line 1: stage 'a' is never reached: unless=", NULL },
	{ "mail a only=auth+tls,unless=auth x", "", NULL },
	{ "mail a unless=permitted x", "", "can never hold before it" },
	{ "mail a unless=permitted x\nconnect b - y", "", NULL },
	{ "connect a unless=bounce x", "", "can never hold before it" },
	{ "mail a unless=local x", "", "can never hold before it" },
	{ "connect a now,unless=trusted x", "", NULL },
	{ "connect n class=trusted x\nconnect a now,unless=trusted x", "",
	    "runs before the stage that gives trusted" },
	{ "connect a unless=trusted x\nconnect n class=trusted x", "",
	    "runs before the stage that gives trusted" },
	{ "connect n now,class=trusted x\nconnect a now,unless=trusted x", "", NULL },
	/* continuation */
	{ "mail a -\n cmd x\n", "", NULL },
	{ "mail\n a\n\n# comment\n\t-\r\n  # comment\n cmd", "", NULL },
	{ " mail a - cmd", "line 1: begins with a blank", NULL },
	{ "# c\n mail a - cmd", "line 2: begins with a blank", NULL },
	{ "mail a -\nmail b - cmd", "line 1: no command", NULL },
	{ "mail a - x\nmail\n b\n time=0\n x", "line 2: time=0", NULL },
};

static bool
has_warning(const char *part)
{
	for (size_t i = 0; i < spec.problem_n; i++)
		if (spec.problem[i].is_warning)
			return part && strstr(spec.problem[i].text, part);
	return !part;
}

static void
problems(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *want = cases[i].want;
		enum mr_status st = parse(mr_str(cases[i].text));
		bool same = *want ? st == MR_PERM && strncmp(err.text, want, strlen(want)) == 0
		                  : st == MR_OK;

		if (!ok(same && has_warning(cases[i].warning), "case %zu: %s", i,
		        *want ? want : "right"))
			printf("#  got: %d '%s', %zu problems%s%s\n", st, err.text, spec.problem_n,
			    spec.problem_n ? ": " : "", spec.problem_n ? spec.problem[0].text : "");
	}
	ok(parse(MR_STR("mail a - x\0y\n")) == MR_PERM, "NUL");
	is(mr_str(err.text), "line 1: NUL or lone CR in the line", "and the reason");
	ok(parse(MR_STR("mail a - x\nmail b time=0 x\nmail c - x\nfoo\n")) == MR_PERM && spec.n == 2
	        && spec.problem_n == 2 && spec.problem[0].line == 2 && spec.problem[1].line == 4,
	    "all problems are told, the lines concerned are left out");
}

/* ---- what is read ---- */

static void
stages(void)
{
	struct mr_buf names;
	const struct mr_stage *s;

	ok(parse(MR_STR(
	       "data d edit cmd\nrcpt r1 - r one # two\nconnect c - c\nend e - e\n"
	       "connect n now,class=vip,unless=trusted,only=trusted+tls,fail=open,time=7,warn n\n"
	       "rcpt r2 codes=policy unix:/a#b\nhelo h codes=sysexits h\nmail m class=vip -x #\n"))
	        == MR_OK,
	    "a whole spec");
	mr_buf_init(&names, 100);
	for (size_t i = 0; i < spec.n; i++)
		mr_buf_addf(
		    &names, "%s:%s ", mr_phase_name(spec.stage[i].phase), spec.stage[i].name);
	is(mr_buf_str(&names), "connect:n connect:c helo:h mail:m rcpt:r1 rcpt:r2 data:d end:e ",
	    "in the order in which they run");
	s = &spec.stage[0];
	ok(s->is_now && s->is_warn && s->fail_open && s->time_s == 7 && s->line == 5
	        && s->gives == 1u << 6 && s->unless == MR_TRUSTED
	        && s->only == (MR_TRUSTED | MR_TLS) && s->codes == MR_CODES_MR && !s->is_edit,
	    "all options");
	s = &spec.stage[1];
	ok(!s->is_now && !s->is_warn && !s->fail_open && s->time_s == MR_STAGE_TIME_S
	        && s->gives == MR_PERMITTED && !s->unless && !s->only,
	    "no options");
	ok(spec.stage[2].codes == MR_CODES_SYSEXITS, "codes=");
	ok(spec.stage[3].argc == 1 && strcmp(spec.stage[3].argv[0], "-x") == 0
	        && spec.stage[3].gives == 1u << 6,
	    "a class has one bit");
	s = &spec.stage[4];
	ok(s->argc == 2 && strcmp(s->argv[0], "r") == 0 && strcmp(s->argv[1], "one") == 0
	        && !s->argv[2],
	    "the command's words end at the comment");
	is(mr_str(spec.stage[5].argv[0]), "unix:/a#b", "# within a word is no comment");
	ok(spec.stage[6].is_edit, "edit");
	mr_buf_clear(&names);
	mr_spec_class_names(&spec, MR_TRUSTED | MR_PERMITTED | 1u << 6, &names);
	is(mr_buf_str(&names), "trusted+permitted+vip", "names of classes");
	mr_buf_free(&names);
	parse(MR_STR("mail\r\n a\n - \n cmd\n\n\targ # c\n# c\n arg2\r\nrcpt b - x"));
	s = &spec.stage[0];
	ok(spec.n == 2 && s->argc == 3 && strcmp(s->argv[2], "arg2") == 0 && s->line == 1
	        && spec.stage[1].line == 9,
	    "a continued line");
}

/* ---- limits, by name ---- */

/* `n` times `fmt` with the number, and the end. */
static enum mr_status
repeat(const char *start, unsigned n, const char *word, const char *end)
{
	struct mr_buf b;
	enum mr_status st;

	mr_buf_init(&b, 2 * MR_SPEC_MAX);
	mr_buf_adds(&b, start);
	for (unsigned i = 0; i < n; i++)
		for (const char *p = word; *p; p++)
			if (*p == '%')
				mr_buf_addf(&b, "%u", i);
			else
				mr_buf_addc(&b, *p);
	mr_buf_adds(&b, end);
	if (b.is_full) {
		printf("Bail out! test text too long\n");
		exit(1);
	}
	st = parse(mr_buf_str(&b));
	mr_buf_free(&b);
	return st;
}

static void
limits(void)
{
	ok(repeat("", MR_STAGE_MAX, "mail s% - x\n", "") == MR_OK && spec.n == MR_STAGE_MAX,
	    "MR_STAGE_MAX stages");
	ok(repeat("", MR_STAGE_MAX + 1, "mail s% - x\n", "") == MR_PERM, "one more");
	is(mr_str(err.text), "line 201: more than 200 stages", "and the reason");
	ok(repeat("mail a -", MR_STAGE_WORD_MAX, " x", "\n") == MR_OK
	        && spec.stage[0].argc == (int)MR_STAGE_WORD_MAX,
	    "MR_STAGE_WORD_MAX words");
	ok(repeat("mail a -", MR_STAGE_WORD_MAX + 1, " x", "\n") == MR_PERM, "one more");
	is(mr_str(err.text), "line 1: command of 101 words, more than 100", "and the reason");
	ok(repeat("", MR_CLASS_MAX - 6, "mail s% class=c% x\n", "") == MR_OK, "MR_CLASS_MAX");
	ok(repeat("", MR_CLASS_MAX - 5, "mail s% class=c% x\n", "") == MR_PERM, "one more");
	ok(strstr(err.text, "line 27: class=c26: ") && strstr(err.text, "at most 32"),
	    "and the reason");
	ok(repeat("", MR_SPEC_MAX, "\n", "") == MR_OK, "MR_SPEC_MAX bytes");
	ok(repeat("", MR_SPEC_MAX, "\n", " ") == MR_PERM, "one more");
	is(mr_str(err.text), "line 1: spec over 262144 bytes", "and the reason");
	ok(repeat("mail a - ", MR_SPEC_MAX - 10, "x", "\n") == MR_OK, "a word as long as it gets");
	ok(repeat("mail a ", MR_SPEC_MAX - 12, "x", " y\n") == MR_PERM && strlen(err.text) < 300,
	    "a long wrong word is cut in the reason");
	ok(repeat("", MR_SPEC_MAX / 2, "x\n", "") == MR_PERM && spec.problem_n == MR_PROBLEM_MAX,
	    "a spec of nothing but errors has MR_PROBLEM_MAX");
	is(mr_str(err.text), "line 1: unknown phase 'x'; known: connect helo mail rcpt data end",
	    "and still the first");
}

int
main(void)
{
	problems();
	stages();
	limits();
	mr_spec_free(&spec);
	return done_testing();
}
