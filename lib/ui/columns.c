#include "ui/columns.h"

#define GAP 2u

void
mr_columns_init(struct mr_columns *c, size_t width, struct mr_arena *arena)
{
	*c = (struct mr_columns){ .arena = arena, .width = width };
}

void
mr_columns_cell(struct mr_columns *c, struct mr_str text, enum mr_colour colour)
{
	if (mr_arena_grow(c->arena, &c->cell, c->n, &c->cap, sizeof *c->cell))
		c->cell[c->n++] = (struct mr_cell){ text, colour };
	else
		c->is_full = true;
}

/* Characters, as a terminal shows them: bytes but those that continue one of UTF-8. */
static size_t
length(struct mr_str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

void
mr_colour_write(struct mr_buf *out, struct mr_str text, enum mr_colour colour, bool has_colour)
{
	static const char *const codes[] = { "", "\033[32m", "\033[33m", "\033[31m", "\033[1m" };

	has_colour &= colour != MR_PLAIN;
	if (has_colour)
		mr_buf_adds(out, codes[colour]);
	while (text.n) {
		unsigned char c = (unsigned char)text.p[0];
		size_t n = c < 0x80 ? 1 : mr_utf8_len(text);

		/* U+0080 to U+009F are control characters, too. */
		if (n == 0 || c < ' ' || c == 0x7f
		    || (c == 0xc2 && (unsigned char)text.p[1] < 0xa0))
			mr_buf_addc(out, '?');
		else
			mr_buf_add(out, (struct mr_str){ text.p, n });
		text = mr_str_from(text, n ? n : 1);
	}
	if (has_colour)
		mr_buf_adds(out, "\033[0m");
}

void
mr_columns_write(struct mr_buf *out, const struct mr_columns *c, bool has_colour)
{
	size_t width[MR_COLUMNS_MAX] = { 0 };

	for (size_t i = 0; i < c->n; i++) {
		size_t n = length(c->cell[i].text);

		if (n > width[i % c->width])
			width[i % c->width] = n;
	}
	for (size_t i = 0; i < c->n; i++) {
		bool is_last = (i + 1) % c->width == 0 || i + 1 == c->n;

		mr_colour_write(out, c->cell[i].text, c->cell[i].colour, has_colour);
		for (size_t k = length(c->cell[i].text); !is_last && k < width[i % c->width] + GAP;
		     k++)
			mr_buf_addc(out, ' ');
		if (is_last)
			mr_buf_addc(out, '\n');
	}
}
