#include "base/opt.h"

#include "base/io.h"

#include <inttypes.h>
#include <string.h>

#define USAGE_MAX 8192u /* bytes that a command says of its usage */

/* "--name", "--name=value", "--name value". */
static int
long_name(struct mr_opt *o, struct mr_err *err)
{
	struct mr_str word = mr_str(o->argv[o->at] + 2);
	ptrdiff_t eq = mr_str_chr(word, '=');
	struct mr_str name = { word.p, eq < 0 ? word.n : (size_t)eq };
	const struct mr_opt_name *n = o->names;
	bool takes_arg;

	while (n && n->name && !mr_str_is(name, n->name))
		n++;
	if (!n || !n->name) {
		mr_err_set(err, MR_USAGE, "unknown option --%.*s", (int)name.n, name.p);
		return -1;
	}
	takes_arg = strchr(o->letters, n->letter)[1] == ':';
	if (eq >= 0)
		o->arg = word.p + eq + 1;
	else if (takes_arg)
		o->arg = o->argv[++o->at];
	if (takes_arg != (o->arg != NULL)) {
		mr_err_set(err, MR_USAGE, "option --%s %s", n->name,
		    takes_arg ? "needs a value" : "takes no value");
		return -1;
	}
	o->at++;
	return n->letter;
}

int
mr_opt_next(struct mr_opt *o, struct mr_err *err)
{
	const char *word, *known;
	char c;

	if (o->at == 0 && o->argc > 0)
		o->at = 1;
	o->arg = NULL;
	if (o->at >= o->argc)
		return 0;
	word = o->argv[o->at];
	if (o->in_word == 0) {
		if (word[0] != '-' || word[1] == '\0')
			return 0;
		if (strcmp(word, "--") == 0) {
			o->at++;
			return 0;
		}
		if (word[1] == '-')
			return long_name(o, err);
		o->in_word = 1;
	}
	c = word[o->in_word++];
	known = c == ':' ? NULL : strchr(o->letters, c);
	if (!known) {
		mr_err_set(err, MR_USAGE, "unknown option -%c", c);
		return -1;
	}
	if (known[1] == ':') {
		o->arg = word[o->in_word] ? word + o->in_word : o->argv[++o->at];
		if (!o->arg) {
			mr_err_set(err, MR_USAGE, "option -%c needs an argument", c);
			return -1;
		}
		o->at++;
		o->in_word = 0;
	} else if (word[o->in_word] == '\0') {
		o->at++;
		o->in_word = 0;
	}
	return c;
}

void
mr_opt_usage(const char *prog, const struct mr_err *why, const char *usage)
{
	struct mr_buf text;

	mr_buf_init(&text, USAGE_MAX);
	mr_buf_addf(&text, "%s: %s\n%s", prog, why->text, usage);
	mr_io_write(2, mr_buf_str(&text), NULL);
	mr_buf_free(&text);
}

struct unit {
	char letter;
	uint64_t factor;
};

static enum mr_status
number(char letter, const char *arg, const struct unit *units, const char *what, uint64_t lo,
    uint64_t hi, uint64_t *out, struct mr_err *err)
{
	struct mr_str s = mr_str(arg);
	uint64_t v, factor = 1;

	for (; units->letter && s.n; units++)
		if (mr_lower((unsigned char)s.p[s.n - 1]) == units->letter) {
			factor = units->factor;
			s.n--;
			break;
		}
	if (!mr_str_num(s, UINT64_MAX / factor, &v) || v * factor < lo || v * factor > hi)
		return mr_err_set(err, MR_USAGE, "-%c %s: need %s from %" PRIu64 " to %" PRIu64,
		    letter, arg, what, lo, hi);
	*out = v * factor;
	return MR_OK;
}

enum mr_status
mr_opt_num(
    char letter, const char *arg, uint64_t lo, uint64_t hi, uint64_t *out, struct mr_err *err)
{
	return number(letter, arg, &(const struct unit){ 0, 0 }, "a number", lo, hi, out, err);
}

enum mr_status
mr_opt_span_s(
    char letter, const char *arg, uint64_t lo, uint64_t hi, uint64_t *out_s, struct mr_err *err)
{
	static const struct unit units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
		{ 0, 0 } };

	return number(letter, arg, units, "seconds (or 5m, 4h, 2d)", lo, hi, out_s, err);
}

enum mr_status
mr_opt_size(
    char letter, const char *arg, uint64_t lo, uint64_t hi, uint64_t *out, struct mr_err *err)
{
	static const struct unit units[] = { { 'k', 1 << 10 }, { 'm', 1 << 20 }, { 'g', 1 << 30 },
		{ 0, 0 } };

	return number(letter, arg, units, "bytes (or 64k, 25m, 1g)", lo, hi, out, err);
}
