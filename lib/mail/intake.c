#include "mail/intake.h"

#include "mail/authres.h"
#include "mail/header.h"

#include <string.h>

void
mr_intake_init(struct mr_intake *in, const char *authserv_id,
    enum mr_status (*put)(void *ctx, struct mr_str bytes), void *ctx)
{
	*in = (struct mr_intake){ .authserv_id = authserv_id, .put = put, .ctx = ctx };
	mr_buf_init(&in->held, MR_INTAKE_HOLD_MAX);
}

void
mr_intake_free(struct mr_intake *in)
{
	mr_buf_free(&in->held);
}

static void
put(struct mr_intake *in, struct mr_str bytes)
{
	in->len += bytes.n;
	if (in->put_failed == MR_OK && bytes.n)
		in->put_failed = in->put(in->ctx, bytes);
}

static bool
has_8bit(struct mr_str s)
{
	size_t i = 0;
	uint64_t word;

	for (; i + sizeof word <= s.n; i += sizeof word) {
		memcpy(&word, s.p + i, sizeof word);
		if (word & 0x8080808080808080u)
			return true;
	}
	for (; i < s.n; i++)
		if ((unsigned char)s.p[i] & 0x80)
			return true;
	return false;
}

/* ---- Authentication-Results ---------------------------------------------------------------------- */

/* Judges the field that is held, of which all (is_whole) or the beginning is there. */
static void
judge_held(struct mr_intake *in, bool is_whole)
{
	struct mr_str field = mr_buf_str(&in->held);
	ptrdiff_t colon = mr_str_chr(field, ':');
	enum mr_status st;
	struct mr_buf id;
	bool is_ours;

	if (field.n == 0)
		return;
	if (!mr_header_name(field).p) {
		if (!is_whole && mr_str_chr(field, '\n') < 0)
			return; /* its colon may still come */
		put(in, field); /* no field after all */
		mr_buf_clear(&in->held);
		return;
	}
	mr_buf_init(&id, 1024);
	st = in->held.is_full ? MR_PERM
	                      : mr_header_authserv_id(mr_str_from(field, (size_t)colon + 1), &id);
	is_ours = st == MR_OK && mr_authres_is_ours(mr_buf_str(&id), in->authserv_id);
	mr_buf_free(&id);
	if (st == MR_NOTFOUND && !is_whole)
		return;
	/* A field that nobody can read, by mistake or design, says nothing that is worth keeping. */
	in->is_dropping = is_ours || st != MR_OK;
	if (!in->is_dropping)
		put(in, field);
	mr_buf_clear(&in->held);
}

/* A line (or its beginning) in the header block.  True if it was put into `held`. */
static bool
look_at_header(struct mr_intake *in, struct mr_str line)
{
	struct mr_str name;

	if (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
		return false; /* belongs to the field before it */
	judge_held(in, true);
	in->is_dropping = false;
	name = mr_header_name(line);
	/* A piece of a line: so many blanks may stand before the colon that it is not there yet. */
	if (!name.p && mr_str_chr(line, ':') < 0)
		name = mr_str_trim(line);
	if (mr_str_is(line, "\r\n") || mr_str_is(line, "\n"))
		in->is_in_body = true;
	else if (mr_str_caseis(name, "Received"))
		in->hops++;
	else if (in->authserv_id && mr_str_caseis(name, "Authentication-Results")) {
		mr_buf_add(&in->held, line);
		in->is_dropping = in->held.is_full;
		in->held.is_full = false;
	}
	/* A line that is no field passes, and the header goes on: others may read it so. */
	return in->held.n > 0;
}

void
mr_intake_take(struct mr_intake *in, struct mr_str piece, bool is_start)
{
	bool starts_field = false;

	if (!in->has_8bit)
		in->has_8bit = has_8bit(piece);
	if (in->is_in_body) {
		put(in, piece);
		return;
	}
	if (is_start)
		starts_field = look_at_header(in, piece);
	if (in->held.n && !starts_field)
		mr_buf_add(&in->held, piece);
	else if (!in->held.n && !in->is_dropping)
		put(in, piece);
	judge_held(in, false);
}

void
mr_intake_end(struct mr_intake *in)
{
	if (!in->is_in_body)
		judge_held(in, true);
}
