#include "store/text.h"

#include <inttypes.h>

static const char digits[] = "0123456789abcdef";

void
mr_store_text_add(struct mr_buf *out, struct mr_str bytes)
{
	for (size_t i = 0; i < bytes.n; i++) {
		unsigned char c = (unsigned char)bytes.p[i];

		if (c < ' ' || c > '~')
			mr_buf_add(out,
			    (struct mr_str){
			        (char[]){ '\\', 'x', digits[c >> 4], digits[c & 15] }, 4 });
		else if (c == '\\')
			mr_buf_adds(out, "\\\\");
		else
			mr_buf_addc(out, (char)c);
	}
}

static int
hex(char c)
{
	ptrdiff_t at = mr_str_chr(MR_STR("0123456789abcdef"), (char)mr_lower((unsigned char)c));

	return (int)at;
}

enum mr_status
mr_store_text_read(struct mr_buf *out, struct mr_str text, struct mr_err *err)
{
	for (size_t i = 0; i < text.n; i++) {
		struct mr_str rest = mr_str_from(text, i);

		if (text.p[i] != '\\')
			mr_buf_addc(out, text.p[i]);
		else if (mr_str_starts(rest, "\\\\")) {
			mr_buf_addc(out, '\\');
			i++;
		} else if (mr_str_starts(rest, "\\x") && rest.n > 3 && hex(rest.p[2]) >= 0
		    && hex(rest.p[3]) >= 0) {
			mr_buf_addc(out, (char)(hex(rest.p[2]) << 4 | hex(rest.p[3])));
			i += 3;
		} else
			return mr_err_set(err, MR_PERM, "a backslash without \\\\ or \\xHH");
	}
	return out->is_full ? mr_err_set(err, MR_PERM, "too long") : MR_OK;
}

void
mr_store_line_add(struct mr_buf *out, const struct mr_store_entry *entry, int64_t now_s)
{
	mr_buf_addf(out, "%" PRId64 "\t", now_s + entry->left_s);
	mr_store_text_add(out, entry->key);
	mr_buf_addc(out, '\t');
	mr_store_text_add(out, entry->value);
	mr_buf_addc(out, '\n');
}

enum mr_status
mr_store_line_read(struct mr_store_entry *entry, struct mr_buf *bytes, struct mr_str line,
    int64_t now_s, struct mr_err *err)
{
	struct mr_str word[3] = { { NULL, 0 }, { NULL, 0 }, { NULL, 0 } }, rest = line;
	uint64_t expires_s;
	size_t n = 0, key_n;
	enum mr_status st;

	while (n < 3 && mr_str_split(&rest, '\t', &word[n]))
		n++;
	if (n != 3 || rest.p)
		return mr_err_set(err, MR_PERM, "need three words between tabs");
	if (!mr_str_num(word[0], INT64_MAX / 2, &expires_s))
		return mr_err_set(err, MR_PERM, "need the second when it ends");
	mr_buf_clear(bytes);
	if ((st = mr_store_text_read(bytes, word[1], err)))
		return st;
	key_n = bytes->n;
	if ((st = mr_store_text_read(bytes, word[2], err)))
		return st;
	entry->left_s = (int64_t)expires_s - now_s;
	entry->key = (struct mr_str){ bytes->p, key_n };
	entry->value = mr_str_from(mr_buf_str(bytes), key_n);
	if (!key_n || key_n > MR_STORE_KEY_MAX || entry->value.n > MR_STORE_VALUE_MAX
	    || entry->left_s > MR_STORE_TTL_MAX_S)
		return mr_err_set(err, MR_PERM,
		    "need a key of 1 to %u bytes, a value of at most %u, an end within %d days",
		    MR_STORE_KEY_MAX, MR_STORE_VALUE_MAX, MR_STORE_TTL_MAX_S / 86400);
	return MR_OK;
}
