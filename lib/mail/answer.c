#include "mail/answer.h"

#include "mail/authres.h"
#include "mail/header.h"

#include <stdarg.h>
#include <stdio.h>

void
mr_answer_init(struct mr_answer *a, struct mr_arena *arena)
{
	*a = (struct mr_answer){ .arena = arena };
}

/* A copy of at most MR_REPLY_MAX bytes of printable ASCII, else '?'. */
static struct mr_str
reply_words(struct mr_arena *arena, struct mr_str s)
{
	s = mr_str_trim(s);
	if (s.n > MR_REPLY_MAX)
		s = mr_str_trim((struct mr_str){ s.p, MR_REPLY_MAX });
	return mr_arena_shown(arena, s, MR_REPLY_MAX, "");
}

void
mr_answer_say(struct mr_answer *a, enum mr_verdict verdict, const char *fmt, ...)
{
	char words[MR_REPLY_MAX + 1];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	a->verdict = verdict;
	a->text = reply_words(a->arena, mr_str(words));
}

enum mr_status
mr_answer_add_ar(struct mr_answer *a, struct mr_str result, struct mr_err *err)
{
	struct mr_str copy;

	if (mr_authres_check(result, err))
		return MR_PERM;
	copy = mr_arena_dup(a->arena, result);
	if (!copy.p || !mr_arena_grow(a->arena, &a->ar.v, a->ar.n, &a->ar.cap, sizeof *a->ar.v))
		return mr_err_set(err, MR_TEMP, "out of memory");
	a->ar.v[a->ar.n++] = (struct mr_attr){ .name = MR_STR("ar"), .value = copy };
	return MR_OK;
}

bool
mr_answer_is_free_name(struct mr_str name)
{
	static const char *const ours[] = { "action", "ar", "request", "protocol_state",
		"protocol_name", "sender", "recipient", "recipient_count", "size", "instance",
		"queue_id", "class", "body", "smtputf8", "original_recipient", "helo_name",
		"stress", "policy_context", "etrn_domain", "compatibility_level", "mail_version",
		"auth_failed", "rcpt_unknown" };
	static const char *const families[] = { "client_", "reverse_client_", "server_", "sasl_",
		"encryption_", "ccert_", "dsn_" };

	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		if (mr_str_is(name, ours[i]))
			return false;
	for (size_t i = 0; i < sizeof families / sizeof *families; i++)
		if (mr_str_starts(name, families[i]))
			return false;
	return true;
}

/* ---- access(5) actions ------------------------------------------------------------------------ */

static bool
is_code(struct mr_str word, char first)
{
	return word.n == 3 && word.p[0] == first && word.p[1] >= '0' && word.p[1] <= '9'
	    && word.p[2] >= '0' && word.p[2] <= '9';
}

static enum mr_status
prepend(struct mr_answer *a, struct mr_str text, struct mr_err *err)
{
	struct mr_str field;

	if (!mr_str_is_line(text))
		return mr_err_set(err, MR_PERM, "NUL, CR or LF in a header field");
	field = mr_arena_fmt(a->arena, "%.*s\n", (int)text.n, text.p);
	if (!field.p)
		return mr_err_set(err, MR_TEMP, "out of memory");
	if (!mr_header_is_block(field, err))
		return MR_PERM;
	a->headers = field;
	a->verdict = MR_DUNNO;
	return MR_OK;
}

enum mr_status
mr_answer_from_policy(struct mr_answer *a, struct mr_str action, struct mr_err *err)
{
	static const struct {
		const char *word;
		enum mr_verdict verdict;
	} known[] = { { "DUNNO", MR_DUNNO }, { "OK", MR_MEMBER }, { "PERMIT", MR_MEMBER },
		{ "REJECT", MR_REFUSE }, { "DEFER", MR_DEFER }, { "DEFER_IF_PERMIT", MR_DEFER },
		{ "DEFER_IF_REJECT", MR_DEFER } };
	struct mr_str rest = action, word = mr_str_word(&rest);

	rest = mr_str_trim(rest);
	if (mr_str_caseis(word, "PREPEND"))
		return prepend(a, rest, err);
	if (is_code(word, '4') || is_code(word, '5')) {
		a->verdict = word.p[0] == '4' ? MR_DEFER : MR_REFUSE;
	} else {
		size_t i = 0;

		while (i < sizeof known / sizeof *known && !mr_str_caseis(word, known[i].word))
			i++;
		if (i == sizeof known / sizeof *known)
			return mr_err_set(err, MR_PERM, "unknown action '%.*s'",
			    (int)(word.n < 40 ? word.n : 40), word.p);
		a->verdict = known[i].verdict;
	}
	a->text = rest.n ? reply_words(a->arena, rest) : (struct mr_str){ NULL, 0 };
	a->hang_up = mr_str_is(word, "421") || mr_str_is(word, "521");
	return MR_OK;
}

void
mr_answer_to_policy(const struct mr_answer *a, struct mr_buf *out)
{
	switch (a->verdict) {
	case MR_REFUSE:
		mr_buf_adds(out, a->hang_up ? "521" : "REJECT");
		break;
	case MR_DEFER:
		mr_buf_adds(out, a->hang_up ? "421" : "DEFER_IF_PERMIT");
		break;
	default:
		if (!a->headers.n) {
			mr_buf_adds(out, "DUNNO");
			return;
		}
		/* Postfix takes one field on one line. */
		mr_buf_adds(out, "PREPEND ");
		for (size_t i = 0; i < a->headers.n; i++) {
			bool is_end = a->headers.p[i] == '\n';

			if (is_end && i + 1 < a->headers.n
			    && (a->headers.p[i + 1] == ' ' || a->headers.p[i + 1] == '\t'))
				continue;
			if (is_end)
				break;
			if (a->headers.p[i] != '\r')
				mr_buf_addc(out, a->headers.p[i]);
		}
		return;
	}
	if (a->text.n) {
		mr_buf_addc(out, ' ');
		mr_buf_add(out, a->text);
	}
}

/* ---- the text form ------------------------------------------------------------------------------ */

static const char *
action_word(const struct mr_answer *a)
{
	return a->verdict == MR_REFUSE ? a->hang_up ? "521" : "REJECT"
	    : a->verdict == MR_DEFER   ? a->hang_up ? "421" : "DEFER"
	                               : "DUNNO";
}

void
mr_answer_write(const struct mr_answer *a, struct mr_buf *out)
{
	mr_buf_addf(out, "action=%s", action_word(a));
	if (a->text.n) {
		mr_buf_addc(out, ' ');
		mr_buf_add(out, a->text);
	}
	mr_buf_addc(out, '\n');
	for (size_t i = 0; i < a->ar.n; i++) {
		mr_buf_adds(out, "ar=");
		mr_buf_add(out, a->ar.v[i].value);
		mr_buf_addc(out, '\n');
	}
	for (size_t i = 0; i < a->attrs.n; i++) {
		mr_buf_add(out, a->attrs.v[i].name);
		mr_buf_addc(out, '=');
		mr_buf_add(out, a->attrs.v[i].value);
		mr_buf_addc(out, '\n');
	}
	mr_buf_addc(out, '\n');
	mr_buf_add(out, a->headers);
}

static bool
fits(enum mr_verdict said, enum mr_verdict exited)
{
	return said == exited || (said != MR_REFUSE && said != MR_DEFER && exited == MR_MEMBER);
}

static enum mr_status
take_line(struct mr_answer *a, struct mr_str line, struct mr_err *err)
{
	ptrdiff_t eq = mr_str_chr(line, '=');
	struct mr_str name = { line.p, eq < 0 ? 0 : (size_t)eq },
	              value = mr_str_from(line, name.n + (eq >= 0));
	struct mr_answer said;
	enum mr_status st;

	if (eq < 0)
		return mr_err_set(err, MR_PERM, "no '=' in an answer's line");
	if (mr_str_is(name, "ar"))
		return mr_answer_add_ar(a, value, err);
	if (mr_str_is(name, "action")) {
		mr_answer_init(&said, a->arena);
		if ((st = mr_answer_from_policy(&said, value, err)))
			return st;
		if (said.headers.p)
			return mr_err_set(err, MR_PERM, "fields stand behind the empty line");
		if (!fits(said.verdict, a->verdict))
			return mr_err_set(err, MR_PERM, "exit code %d does not fit action '%.*s'",
			    (int)a->verdict, (int)(value.n < 40 ? value.n : 40), value.p);
		a->text = said.text;
		a->hang_up = said.hang_up;
		return MR_OK;
	}
	if (!mr_answer_is_free_name(name))
		return mr_err_set(err, MR_PERM, "a stage may not set '%.*s'",
		    (int)(name.n < 40 ? name.n : 40), name.p);
	return mr_attrs_set(&a->attrs, a->arena, name, value, err);
}

enum mr_status
mr_answer_parse(
    struct mr_answer *a, enum mr_verdict verdict, struct mr_str text, struct mr_err *err)
{
	struct mr_str rest = text, line;
	enum mr_status st = MR_OK;

	a->verdict = verdict;
	if (text.n > MR_ANSWER_MAX)
		return mr_err_set(err, MR_PERM, "answer over %u bytes", MR_ANSWER_MAX);
	while (st == MR_OK && mr_str_split(&rest, '\n', &line)) {
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0)
			break;
		st = take_line(a, line, err);
	}
	if (st == MR_OK && rest.p && rest.n) {
		if (!mr_header_is_block(rest, err))
			st = MR_PERM;
		else if (!(a->headers = mr_arena_dup(a->arena, rest)).p)
			st = mr_err_set(err, MR_TEMP, "out of memory");
	}
	if (st) {
		struct mr_arena *arena = a->arena;

		mr_answer_init(a, arena);
		a->verdict = verdict;
	}
	return st;
}
