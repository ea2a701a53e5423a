/* columns.h - rows of cells for people: each column as wide as its widest cell, colours on a terminal. */
#ifndef MR_UI_COLUMNS_H
#define MR_UI_COLUMNS_H

#include "base/arena.h"
#include "base/buf.h"

enum mr_colour { MR_PLAIN, MR_GREEN, MR_YELLOW, MR_RED, MR_BOLD };

struct mr_cell {
	struct mr_str text;
	enum mr_colour colour;
};

struct mr_columns {
	struct mr_arena *arena; /* of the caller */
	size_t width;           /* cells of a row, up to MR_COLUMNS_MAX */
	struct mr_cell *cell;
	size_t n, cap;
	bool is_full; /* no memory: something is lacking */
};

#define MR_COLUMNS_MAX 8u

void mr_columns_init(struct mr_columns *c, size_t width, struct mr_arena *arena);

/* The next cell, from left to right, row by row; `text` is not copied. */
void mr_columns_cell(struct mr_columns *c, struct mr_str text, enum mr_colour colour);

/* Appends all rows, two blanks between columns, none at the end of a line.  Control characters, which no
 * terminal may get, become '?'. */
void mr_columns_write(struct mr_buf *out, const struct mr_columns *c, bool has_colour);

/* The text in its colour, made safe like a cell. */
void
mr_colour_write(struct mr_buf *out, struct mr_str text, enum mr_colour colour, bool has_colour);

#endif
