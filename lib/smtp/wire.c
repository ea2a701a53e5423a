#include "smtp/wire.h"

bool
mr_wire_add(struct mr_wire *w, struct mr_str bytes, struct mr_buf *out)
{
	while (bytes.n) {
		ptrdiff_t lf = mr_str_chr(bytes, '\n'), cr;
		struct mr_str piece = { bytes.p, lf < 0 ? bytes.n : (size_t)lf + 1 };

		if (w->after_cr && lf != 0)
			return false;
		cr = mr_str_chr(piece, '\r');
		if (lf >= 0 ? (lf == 0 ? !w->after_cr : cr != lf - 1)
		            : cr >= 0 && (size_t)cr != piece.n - 1)
			return false;
		if (!w->in_line && piece.p[0] == '.')
			mr_buf_addc(out, '.');
		mr_buf_add(out, piece);
		w->in_line = lf < 0;
		w->after_cr = lf < 0 && cr >= 0;
		bytes = mr_str_from(bytes, piece.n);
	}
	return true;
}

bool
mr_wire_end(struct mr_wire *w, struct mr_buf *out)
{
	if (w->after_cr)
		return false;
	if (w->in_line)
		mr_buf_adds(out, "\r\n");
	mr_buf_adds(out, ".\r\n");
	return true;
}
