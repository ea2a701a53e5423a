#include "base/opt.h"

#include <inttypes.h>
#include <string.h>

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

enum mr_status
mr_opt_shorten(
    char **argv, const struct mr_opt_name *names, struct mr_arena *arena, struct mr_err *err)
{
	for (; *argv && strcmp(*argv, "--") != 0; argv++) {
		const struct mr_opt_name *n = names;
		struct mr_str word = mr_str(*argv), name, value, new;
		ptrdiff_t eq;

		if (!mr_str_starts(word, "--"))
			continue;
		eq = mr_str_chr(word, '=');
		name = (struct mr_str){ word.p + 2, (eq < 0 ? word.n : (size_t)eq) - 2 };
		value = eq < 0 ? MR_STR("") : mr_str_from(word, (size_t)eq + 1);
		while (n->name && !mr_str_is(name, n->name))
			n++;
		if (!n->name)
			return mr_err_set(err, MR_USAGE, "unknown option %s", *argv);
		new = mr_arena_fmt(arena, "-%c%.*s", n->letter, (int)value.n, value.p);
		if (!new.p)
			return mr_err_set(err, MR_TEMP, "out of memory");
		memcpy(argv, &new.p, sizeof *argv); /* argv's words are not const, ours are ours */
	}
	return MR_OK;
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
