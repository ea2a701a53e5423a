#include "mail/authres.h"

#include "base/arena.h"
#include "mail/idn.h"

#define ID_MEMORY_MAX 65536u

void
mr_authres_add_value(struct mr_buf *out, struct mr_str value, size_t max)
{
	bool is_plain = value.n > 0;

	if (value.n > max)
		value.n = max;
	for (size_t i = 0; i < value.n; i++)
		is_plain &= (value.p[i] >= '0' && value.p[i] <= '9')
		    || (value.p[i] >= 'a' && value.p[i] <= 'z')
		    || (value.p[i] >= 'A' && value.p[i] <= 'Z')
		    || mr_str_chr(MR_STR("-_.:"), value.p[i]) >= 0;
	if (is_plain) {
		mr_buf_add(out, value);
		return;
	}
	mr_buf_addc(out, '"');
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '"' || value.p[i] == '\\')
			mr_buf_addc(out, '\\');
		mr_buf_addc(out, value.p[i] >= ' ' && value.p[i] <= '~' ? value.p[i] : '?');
	}
	mr_buf_addc(out, '"');
}

/* "method=" or "method/1=" at the start (section 2.2). */
static bool
has_method(struct mr_str s)
{
	size_t i = 0;

	for (; i < s.n && s.p[i] != '='; i++) {
		int c = mr_lower((unsigned char)s.p[i]);

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && (c != '-' || i == 0)
		    && (c != '/' || i == 0))
			return false;
	}
	return i > 0 && i + 1 < s.n && s.p[i + 1] > ' ' && s.p[i + 1] != ';';
}

enum mr_status
mr_authres_check(struct mr_str result, struct mr_err *err)
{
	bool is_quoted = false;
	unsigned depth = 0;

	if (result.n > MR_AUTHRES_RESULT_MAX)
		return mr_err_set(
		    err, MR_PERM, "a result of over %u octets", MR_AUTHRES_RESULT_MAX);
	if (!has_method(result))
		return mr_err_set(err, MR_PERM, "a result that does not begin with method=result");
	for (size_t i = 0; i < result.n; i++) {
		char c = result.p[i];

		if ((c < ' ' && c != '\t') || c > '~')
			return mr_err_set(err, MR_PERM, "a result that is not printable ASCII");
		if (c == '\\' && (is_quoted || depth)) {
			if (++i == result.n || result.p[i] < ' ' || result.p[i] > '~')
				return mr_err_set(err, MR_PERM, "a result with a lone '\\'");
		} else if (c == '"' && !depth)
			is_quoted = !is_quoted;
		else if (c == '(' && !is_quoted)
			depth++;
		else if (c == ')' && !is_quoted && depth-- == 0)
			return mr_err_set(err, MR_PERM, "a result with a ')' too many");
		else if (c == ';' && !is_quoted && !depth)
			return mr_err_set(err, MR_PERM, "a result with a ';'");
		if (depth > MR_AUTHRES_DEPTH_MAX)
			return mr_err_set(err, MR_PERM, "a result with too many '('");
	}
	return is_quoted || depth
	    ? mr_err_set(err, MR_PERM, "a result whose quotes or comments do not end")
	    : MR_OK;
}

void
mr_authres_add(struct mr_buf *out, struct mr_str our_name, struct mr_str result, bool is_first)
{
	if (is_first) {
		mr_buf_adds(out, "Authentication-Results: ");
		mr_buf_add(out, our_name);
	}
	mr_buf_adds(out, ";\r\n\t");
	mr_buf_add(out, result);
}

bool
mr_authres_is_ours(struct mr_str id, const char *our_name)
{
	struct mr_str ours = mr_str(our_name);
	struct mr_arena arena;
	bool is_ours = mr_str_caseeq(id, ours);
	size_t i = 0;

	while (i < id.n && !((unsigned char)id.p[i] & 0x80))
		i++;
	if (is_ours || i == id.n)
		return is_ours;
	mr_arena_init(&arena, ID_MEMORY_MAX);
	switch (mr_domain_to_ascii(&id, &arena, id, NULL)) {
	case MR_OK:
		is_ours = mr_str_caseeq(id, ours);
		break;
	case MR_PERM: /* no domain name, thus not ours */
		break;
	default:
		is_ours = true; /* nobody can say */
	}
	mr_arena_free(&arena);
	return is_ours;
}
