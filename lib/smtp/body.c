#include "smtp/body.h"

void
mr_body_init(struct mr_body *b, const char *authserv_id,
    enum mr_status (*put)(void *ctx, struct mr_str bytes), void *ctx)
{
	*b = (struct mr_body){ .has_bare = false };
	mr_intake_init(&b->intake, authserv_id, put, ctx);
}

void
mr_body_free(struct mr_body *b)
{
	mr_intake_free(&b->intake);
}

static bool
has_bare(struct mr_str line)
{
	/* `line` is without its end: any CR or LF in it is bare. */
	return mr_str_chr(line, '\r') >= 0 || mr_str_chr(line, '\n') >= 0;
}

bool
mr_body_feed(struct mr_body *b, struct mr_str window, bool is_full, size_t *used)
{
	struct mr_str rest = window;

	*used = 0;
	while (rest.n) {
		ptrdiff_t lf = mr_str_chr(rest, '\n');
		struct mr_str piece = { rest.p, (size_t)(lf + 1) };
		bool is_start = !b->is_in_line, is_crlf = lf > 0 && rest.p[lf - 1] == '\r';

		if (lf < 0) {
			/* Not the last byte: it may be the CR of a CRLF. */
			if (!is_full || rest.n < 2 || *used > 0)
				return false;
			piece.n = rest.n - 1;
			b->has_bare |= has_bare(piece);
		} else
			b->has_bare |=
			    !is_crlf || has_bare((struct mr_str){ piece.p, (size_t)lf - 1 });
		*used += piece.n;
		rest = mr_str_from(rest, piece.n);
		b->is_in_line =
		    !is_crlf; /* only CRLF ends a line: what follows a bare LF is no start */
		if (is_start && piece.p[0] == '.') {
			if (piece.n == 3 && is_crlf) {
				mr_intake_end(&b->intake);
				return true;
			}
			piece = mr_str_from(piece, 1);
		}
		mr_intake_take(&b->intake, piece, is_start);
	}
	return false;
}
