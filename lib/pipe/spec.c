#include "pipe/spec.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPEC_MEMORY_MAX (8u << 20)

/* As much of a word as a complaint repeats. */
#define WORD(s) (int)((s).n < 60 ? (s).n : 60), (s).p

static const char *const phase_names[] = { "connect", "helo", "mail", "rcpt", "data", "end" };
static const char *const built_in[] = { "trusted", "auth", "tls", "bounce", "local", "permitted" };

#define BUILT_IN_N (sizeof built_in / sizeof *built_in)
/* What only the server itself may say of a transaction. */
#define SERVER_ONLY (MR_AUTH | MR_TLS | MR_BOUNCE | MR_LOCAL)

const char *
mr_phase_name(enum mr_phase phase)
{
	return phase_names[phase];
}

void
mr_spec_complain(struct mr_spec *spec, unsigned line, bool is_warning, const char *fmt, ...)
{
	char text[MR_ERR_MAX];
	struct mr_str copy;
	va_list ap;
	size_t at;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (spec->problem_n == MR_PROBLEM_MAX)
		return;
	for (char *p = text; *p; p++) /* words of the spec may hold anything */
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	copy = mr_arena_dup(&spec->arena, mr_str(text));
	if (!copy.p
	    || !mr_arena_grow(&spec->arena, &spec->problem, spec->problem_n, &spec->problem_cap,
	        sizeof *spec->problem)) {
		spec->is_out_of_memory = true;
		return;
	}
	for (at = spec->problem_n++; at > 0 && spec->problem[at - 1].line > line; at--)
		spec->problem[at] = spec->problem[at - 1];
	spec->problem[at] =
	    (struct mr_problem){ .line = line, .is_warning = is_warning, .text = copy.p };
}

void
mr_spec_free(struct mr_spec *spec)
{
	mr_arena_free(&spec->arena);
}

void
mr_spec_class_names(const struct mr_spec *spec, uint32_t mask, struct mr_buf *out)
{
	const char *plus = "";

	for (size_t i = 0; i < spec->class_n; i++)
		if (mask & 1u << i) {
			mr_buf_adds(out, plus);
			mr_buf_adds(out, spec->class_name[i]);
			plus = "+";
		}
}

/* ---- classes ------------------------------------------------------------------------------------ */

static bool
is_name(struct mr_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9')
		        || s.p[i] == '-' || s.p[i] == '_'))
			return false;
	return s.n > 0 && s.n <= MR_SPEC_NAME_MAX;
}

static uint32_t
find_class(const struct mr_spec *spec, struct mr_str name)
{
	for (size_t i = 0; i < spec->class_n; i++)
		if (mr_str_is(name, spec->class_name[i]))
			return 1u << i;
	return 0;
}

/* The bit of a class that a stage gives; a new name is a new class.  0: no such class can be. */
static uint32_t
make_class(struct mr_spec *spec, struct mr_str name)
{
	uint32_t bit = find_class(spec, name);
	struct mr_str copy;

	if (bit || !is_name(name) || spec->class_n == MR_CLASS_MAX)
		return bit;
	copy = mr_arena_dup(&spec->arena, name);
	if (!copy.p) {
		spec->is_out_of_memory = true;
		return 0;
	}
	spec->class_name[spec->class_n++] = copy.p;
	return 1u << (spec->class_n - 1);
}

/* ---- one line ------------------------------------------------------------------------------------ */

/* The text of unless= and only=, kept until all classes are known. */
struct conditions {
	struct mr_str unless, only;
};

struct reader {
	struct mr_spec *spec;
	struct conditions *cond; /* of spec->stage[i] */
	size_t cond_cap;
};

static bool
take_class(struct mr_spec *spec, struct mr_stage *st, struct mr_str value)
{
	st->gives = make_class(spec, value);
	if (!st->gives)
		mr_spec_complain(spec, st->line, false,
		    "class=%.*s: a class is named by up to %u of a-z 0-9 - _, and a spec has at "
		    "most %u",
		    WORD(value), MR_SPEC_NAME_MAX, MR_CLASS_MAX);
	else if (st->gives & SERVER_ONLY)
		mr_spec_complain(spec, st->line, false,
		    "class=%.*s: no stage may give this class; only the server knows it",
		    WORD(value));
	else if (st->gives == MR_TRUSTED && st->phase != MR_CONNECT)
		mr_spec_complain(
		    spec, st->line, false, "class=trusted: only a connect stage may give it");
	else
		return true;
	return false;
}

static bool
take_codes(struct mr_spec *spec, struct mr_stage *st, struct mr_str value)
{
	static const char *const names[] = { "mr", "qmail", "sysexits", "policy" };

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (mr_str_is(value, names[i])) {
			st->codes = (enum mr_codes)i;
			return true;
		}
	mr_spec_complain(
	    spec, st->line, false, "codes=%.*s: need mr, qmail, sysexits or policy", WORD(value));
	return false;
}

static bool
take_time(struct mr_spec *spec, struct mr_stage *st, struct mr_str value)
{
	if (mr_str_num(value, MR_STAGE_TIME_MAX_S, &st->time_s) && st->time_s > 0)
		return true;
	mr_spec_complain(spec, st->line, false, "time=%.*s: need seconds from 1 to %u", WORD(value),
	    MR_STAGE_TIME_MAX_S);
	return false;
}

static bool
take_fail(struct mr_spec *spec, struct mr_stage *st, struct mr_str value)
{
	st->fail_open = mr_str_is(value, "open");
	if (st->fail_open || mr_str_is(value, "defer"))
		return true;
	mr_spec_complain(spec, st->line, false, "fail=%.*s: need open or defer", WORD(value));
	return false;
}

/* now and edit, which not all phases have. */
static bool
take_flag(struct mr_spec *spec, struct mr_stage *st, bool *flag, bool is_allowed, const char *name)
{
	*flag = is_allowed;
	if (!is_allowed)
		mr_spec_complain(
		    spec, st->line, false, "%s is not for phase %s", name, phase_names[st->phase]);
	return is_allowed;
}

static bool
take_condition(struct mr_spec *spec, struct mr_str *names, struct mr_str value)
{
	*names = mr_arena_dup(&spec->arena, value);
	return names->p || !(spec->is_out_of_memory = true);
}

enum option { UNLESS, ONLY, CLASS, FAIL, TIME, CODES, NOW, WARN, EDIT, OPTION_N };

/* One option; `seen` has a bit for each that was there before. */
static bool
take_option(struct mr_spec *spec, struct mr_stage *st, struct conditions *cond,
    struct mr_str option, unsigned *seen)
{
	static const char *const names[] = { "unless", "only", "class", "fail", "time", "codes",
		"now", "warn", "edit" };
	ptrdiff_t eq = mr_str_chr(option, '=');
	struct mr_str name = { option.p, eq < 0 ? option.n : (size_t)eq },
	              value = mr_str_from(option, eq < 0 ? option.n : (size_t)eq + 1);
	unsigned o = 0;

	if (option.n == 0) {
		mr_spec_complain(
		    spec, st->line, false, "an empty option; the list has commas and no blanks");
		return false;
	}
	while (o < OPTION_N && !mr_str_is(name, names[o]))
		o++;
	if (o == OPTION_N || (o < NOW) != (eq >= 0)) {
		mr_spec_complain(spec, st->line, false,
		    "unknown option '%.*s'; known: unless= only= class= fail=open|defer time= "
		    "codes= now warn edit",
		    WORD(option));
		return false;
	}
	if (*seen & 1u << o) {
		mr_spec_complain(spec, st->line, false, "%s is given twice", names[o]);
		return false;
	}
	*seen |= 1u << o;
	switch ((enum option)o) {
	case UNLESS:
		return take_condition(spec, &cond->unless, value);
	case ONLY:
		return take_condition(spec, &cond->only, value);
	case CLASS:
		return take_class(spec, st, value);
	case FAIL:
		return take_fail(spec, st, value);
	case TIME:
		return take_time(spec, st, value);
	case CODES:
		return take_codes(spec, st, value);
	case NOW:
		return take_flag(spec, st, &st->is_now, st->phase == MR_CONNECT, names[o]);
	case EDIT:
		return take_flag(
		    spec, st, &st->is_edit, st->phase == MR_RCPT || st->phase == MR_DATA, names[o]);
	default:
		return st->is_warn = true;
	}
}

static bool
take_command(struct mr_spec *spec, struct mr_stage *st, struct mr_str words)
{
	struct mr_str rest = words;
	size_t n = 0;

	while (mr_str_word(&rest).n)
		n++;
	if (n == 0 || n > MR_STAGE_WORD_MAX) {
		mr_spec_complain(spec, st->line, false,
		    n ? "command of %zu words, more than %u"
		      : "no command; a line is: phase name options command (options may be -)",
		    n, MR_STAGE_WORD_MAX);
		return false;
	}
	if (!(st->argv = mr_arena_alloc(&spec->arena, (n + 1) * sizeof *st->argv)))
		return !(spec->is_out_of_memory = true);
	while ((size_t)st->argc < n) {
		struct mr_str copy = mr_arena_dup(&spec->arena, mr_str_word(&words));

		if (!copy.p)
			return !(spec->is_out_of_memory = true);
		/* argv is not const, and the arena is ours */
		memcpy(&st->argv[st->argc++], &copy.p, sizeof copy.p);
	}
	return true;
}

static bool
take_phase(struct mr_stage *st, struct mr_str word)
{
	for (unsigned i = 0; i < MR_PHASE_N; i++)
		if (mr_str_is(word, phase_names[i])) {
			st->phase = (enum mr_phase)i;
			return true;
		}
	return false;
}

static bool
take_name(struct mr_spec *spec, struct mr_stage *st, struct mr_str word)
{
	struct mr_str copy;

	if (!is_name(word)) {
		mr_spec_complain(spec, st->line, false,
		    "stage name '%.*s': need up to %u of a-z 0-9 - _", WORD(word),
		    MR_SPEC_NAME_MAX);
		return false;
	}
	for (size_t i = 0; i < spec->n; i++)
		if (mr_str_is(word, spec->stage[i].name)) {
			mr_spec_complain(spec, st->line, false,
			    "stage name '%.*s' is also in line %u", (int)word.n, word.p,
			    spec->stage[i].line);
			return false;
		}
	copy = mr_arena_dup(&spec->arena, word);
	st->name = copy.p;
	return copy.p || !(spec->is_out_of_memory = true);
}

static void
take_line(struct reader *r, struct mr_str line, unsigned line_no)
{
	struct mr_spec *spec = r->spec;
	struct mr_stage st = { .line = line_no, .gives = MR_PERMITTED, .time_s = MR_STAGE_TIME_S };
	struct conditions cond = { { NULL, 0 }, { NULL, 0 } };
	struct mr_str phase = mr_str_word(&line), name = mr_str_word(&line),
	              options = mr_str_word(&line), option;
	unsigned seen = 0;

	if (!take_phase(&st, phase)) {
		mr_spec_complain(spec, line_no, false,
		    "unknown phase '%.*s'; known: connect helo mail rcpt data end", WORD(phase));
		return;
	}
	if (!take_name(spec, &st, name))
		return;
	if (options.n && !mr_str_is(options, "-"))
		while (mr_str_split(&options, ',', &option))
			if (!take_option(spec, &st, &cond, option, &seen))
				return;
	if (!take_command(spec, &st, line))
		return;
	if (spec->n == MR_STAGE_MAX) {
		mr_spec_complain(spec, line_no, false, "more than %u stages", MR_STAGE_MAX);
		return;
	}
	if (!mr_arena_grow(&spec->arena, &spec->stage, spec->n, &spec->cap, sizeof *spec->stage)
	    || !mr_arena_grow(&spec->arena, &r->cond, spec->n, &r->cond_cap, sizeof *r->cond)) {
		spec->is_out_of_memory = true;
		return;
	}
	r->cond[spec->n] = cond;
	spec->stage[spec->n++] = st;
}

/* ---- conditions --------------------------------------------------------------------------------- */

static uint32_t
resolve(struct mr_spec *spec, const struct mr_stage *st, const char *what, struct mr_str names)
{
	uint32_t mask = 0;
	struct mr_str name;

	while (mr_str_split(&names, '+', &name)) {
		uint32_t bit = find_class(spec, name);

		if (!bit)
			mr_spec_complain(spec, st->line, false,
			    "%s=%.*s: unknown class; it is neither built in (trusted auth tls "
			    "bounce "
			    "local permitted) nor given by a stage (class=)",
			    what, WORD(name));
		mask |= bit;
	}
	return mask;
}

/* The classes that can hold when stage `at` is judged: by the server in that phase, or by a stage that
 * runs before it. */
static uint32_t
possible(const struct mr_spec *spec, const struct mr_stage *at)
{
	uint32_t mask = MR_TRUSTED | MR_TLS;

	if (!at->is_now)
		mask |= MR_AUTH;
	if (at->phase >= MR_MAIL)
		mask |= MR_BOUNCE;
	if (at->phase >= MR_RCPT)
		mask |= MR_LOCAL;
	for (const struct mr_stage *st = spec->stage; st != at; st++)
		mask |= st->is_warn ? 0 : st->gives;
	return mask;
}

/* True if some stage gives `trusted`, but none before `at`. */
static bool
is_trusted_later(const struct mr_spec *spec, const struct mr_stage *at)
{
	const struct mr_stage *st = spec->stage, *end = spec->stage + spec->n;

	while (st != end && st->gives != MR_TRUSTED)
		st++;
	return st != end && st >= at;
}

static void
check_reach(struct mr_spec *spec, const struct mr_stage *st)
{
	uint32_t can = possible(spec, st);

	if (st->only && !(st->only & can))
		mr_spec_complain(spec, st->line, false,
		    "stage '%s' is never reached: no class of its only= can hold before it",
		    st->name);
	else if (st->only && !(st->only & can & ~st->unless))
		mr_spec_complain(spec, st->line, false,
		    "stage '%s' is never reached: unless= excludes what only= asks for", st->name);
	else if (st->unless & ~can)
		mr_spec_complain(spec, st->line, true,
		    "stage '%s': a class of its unless= can never hold before it", st->name);
	else if ((st->unless | st->only) & MR_TRUSTED && is_trusted_later(spec, st))
		mr_spec_complain(spec, st->line, true,
		    "stage '%s' runs before the stage that gives trusted; only RELAYCLIENT counts "
		    "here%s",
		    st->name, st->is_now ? ", unless that stage is marked now, too" : "");
}

static void
check_policy_address(struct mr_spec *spec, const struct mr_stage *st)
{
	struct mr_str s = mr_str(st->argv[0]), port;
	uint64_t n;

	if (st->argc == 1 && mr_str_starts(s, "unix:") && s.n > 5)
		return;
	port = mr_str_from(s, (size_t)(mr_str_rchr(s, ':') + 1));
	if (st->argc == 1 && mr_str_starts(s, "inet:") && s.n > port.n + 6
	    && mr_str_num(port, 65535, &n) && n > 0)
		return;
	mr_spec_complain(spec, st->line, false,
	    "codes=policy: the command is one word, inet:HOST:PORT or unix:PATH");
}

static void
check_codes(struct mr_spec *spec, const struct mr_stage *st)
{
	if (st->codes != MR_CODES_POLICY)
		return;
	check_policy_address(spec, st);
	if (st->is_edit)
		mr_spec_complain(
		    spec, st->line, false, "edit: a policy server prints no record or message");
}

/* The order in which they run. */
static int
by_run(const void *a, const void *b)
{
	const struct mr_stage *x = a, *y = b;

	return x->phase != y->phase  ? (x->phase < y->phase ? -1 : 1)
	    : x->is_now != y->is_now ? (x->is_now ? -1 : 1)
	    : x->line != y->line     ? (x->line < y->line ? -1 : 1)
	                             : 0;
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static struct mr_str
without_comment(struct mr_str line)
{
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] == '#' && (i == 0 || line.p[i - 1] == ' ' || line.p[i - 1] == '\t'))
			line.n = i;
	return line;
}

/* Joins continued lines and takes each. */
static void
take_text(struct reader *r, struct mr_str text)
{
	struct mr_buf whole;
	struct mr_str line;
	unsigned line_no = 0, first = 0;
	bool more = true;

	mr_buf_init(&whole, MR_SPEC_MAX);
	while (more) {
		more = mr_str_split(&text, '\n', &line);
		line_no++;
		line = more ? without_comment(line) : MR_STR("");
		if (!mr_str_is_line(line)) {
			mr_spec_complain(r->spec, line_no, false, "NUL or lone CR in the line");
			continue;
		}
		if (more && mr_str_trim(line).n == 0)
			continue;
		if (more && (line.p[0] == ' ' || line.p[0] == '\t')) {
			if (whole.n == 0)
				mr_spec_complain(r->spec, line_no, false,
				    "begins with a blank, but there is no line to continue");
			else
				mr_buf_add(&whole, line);
			r->spec->is_out_of_memory |= whole.is_full;
			continue;
		}
		if (whole.n)
			take_line(r, mr_buf_str(&whole), first);
		mr_buf_clear(&whole);
		mr_buf_add(&whole, line);
		r->spec->is_out_of_memory |= whole.is_full;
		first = line_no;
	}
	mr_buf_free(&whole);
}

enum mr_status
mr_spec_parse(struct mr_spec *spec, struct mr_str text, struct mr_err *err)
{
	struct reader r = { .spec = spec };

	*spec = (struct mr_spec){ .n = 0 };
	mr_arena_init(&spec->arena, SPEC_MEMORY_MAX);
	for (; spec->class_n < BUILT_IN_N; spec->class_n++)
		spec->class_name[spec->class_n] = built_in[spec->class_n];
	if (text.n > MR_SPEC_MAX)
		mr_spec_complain(spec, 1, false, "spec over %u bytes", MR_SPEC_MAX);
	else
		take_text(&r, text);
	for (size_t i = 0; i < spec->n; i++) {
		struct mr_stage *st = &spec->stage[i];

		st->unless = resolve(spec, st, "unless", r.cond[i].unless);
		st->only = resolve(spec, st, "only", r.cond[i].only);
		check_codes(spec, st);
	}
	if (spec->n)
		qsort(spec->stage, spec->n, sizeof *spec->stage, by_run);
	for (size_t i = 0; i < spec->n; i++)
		check_reach(spec, &spec->stage[i]);
	if (spec->is_out_of_memory)
		return mr_err_set(err, MR_TEMP, "out of memory");
	for (size_t i = 0; i < spec->problem_n; i++)
		if (!spec->problem[i].is_warning)
			return mr_err_set(err, MR_PERM, "line %u: %s", spec->problem[i].line,
			    spec->problem[i].text);
	return MR_OK;
}
