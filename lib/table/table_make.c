/* From text to CDB.  The text is read twice: first every key is entered into an index, which finds
 * errors and keys that come again before anything is written; then the entries are written in the
 * order of the text.  The index holds 8 bytes a key, not the keys: a key that may be the same is
 * parsed again from its line. */
#include "table/table.h"
#include "table/table_cdb.h"
#include "table/table_meta.h"
#include "table/table_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN  256u
#define LINE_ARENA (4u * MR_TABLE_LINE_MAX) /* bytes for what is made of one line */
#define BOTH       0x80000000u

_Static_assert(MR_TABLE_TEXT_MAX < BOTH, "an offset and a flag fit in 32 bits");

struct slot {
	uint32_t hash;
	uint32_t at; /* offset of the deciding line plus 1, and perhaps BOTH; 0: free */
};

struct making {
	struct mr_str text;
	const char *name;
	enum mr_table_kind kind;
	struct slot *slots;
	size_t slot_n, used; /* slot_n is a power of 2 */
	struct mr_arena arena, again;
	bool has_bits[2][129]; /* prefix lengths in use: IPv4, IPv6 */
	struct mr_err *err;
};

/* The line at `off` without its LF. */
static struct mr_str
line_at(const struct making *m, size_t off)
{
	struct mr_str line = mr_str_from(m->text, off);
	ptrdiff_t lf = mr_str_chr(line, '\n');

	if (lf >= 0)
		line.n = (size_t)lf;
	return line;
}

static size_t
number_of(const struct making *m, size_t off)
{
	size_t n = 1;

	for (size_t i = 0; i < off; i++)
		n += m->text.p[i] == '\n';
	return n;
}

static enum mr_status
fail_at(const struct making *m, size_t off, enum mr_status st, const char *why)
{
	if (st != MR_PERM)
		return mr_err_set(m->err, st, "%s: %s", m->name, why);
	return mr_err_set(m->err, st, "%s:%zu: %s", m->name, number_of(m, off), why);
}

/* FNV-1a. */
static uint32_t
hash_of(struct mr_str key)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < key.n; i++)
		h = (h ^ (unsigned char)key.p[i]) * 16777619u;
	return h ^ h >> 15;
}

static bool
index_grow(struct making *m)
{
	size_t new_n = m->slot_n ? m->slot_n * 2 : SLOTS_MIN;
	struct slot *new;

	if (m->used < m->slot_n / 4 * 3)
		return true;
	if (!(new = calloc(new_n, sizeof *new)))
		return false;
	for (size_t i = 0; i < m->slot_n; i++) {
		size_t to = m->slots[i].hash & (new_n - 1);

		if (!m->slots[i].at)
			continue;
		while (new[to].at)
			to = (to + 1) & (new_n - 1);
		new[to] = m->slots[i];
	}
	free(m->slots);
	m->slots = new;
	m->slot_n = new_n;
	return true;
}

/* The key on the line at `off` has come before, in `slot`. */
static enum mr_status
come_again(struct making *m, struct slot *slot, size_t off, struct mr_str now, struct mr_str before)
{
	struct mr_str ignored;
	enum mr_rule rule = mr_rule_parse(now, &ignored);
	char why[160];

	if (m->kind != MR_TABLE_ACCESS) {
		snprintf(why, sizeof why,
		    "the same key as in line %zu; remove one of the two lines",
		    number_of(m, slot->at - 1));
		return fail_at(m, off, MR_PERM, why);
	}
	if (rule != mr_rule_parse(before, &ignored)) {
		if (rule == MR_RULE_PERMIT)
			slot->at = (uint32_t)off + 1;
		slot->at |= BOTH;
	}
	return MR_OK;
}

static enum mr_status
index_line(struct making *m, size_t off, const struct mr_table_line *l)
{
	uint32_t hash = hash_of(l->key.text);
	size_t i;

	if (!index_grow(m))
		return fail_at(m, off, MR_TEMP, "out of memory");
	for (i = hash & (m->slot_n - 1); m->slots[i].at; i = (i + 1) & (m->slot_n - 1)) {
		struct mr_table_line before;
		enum mr_status st;

		if (m->slots[i].hash != hash)
			continue;
		mr_arena_free(&m->again);
		st = mr_table_line_parse(
		    &before, &m->again, m->kind, line_at(m, (m->slots[i].at & ~BOTH) - 1), NULL);
		if (st)
			return fail_at(m, off, MR_TEMP, "out of memory");
		if (mr_str_eq(before.key.text, l->key.text))
			return come_again(m, &m->slots[i], off, l->value, before.value);
	}
	m->slots[i] = (struct slot){ hash, (uint32_t)off + 1 };
	m->used++;
	if (l->key.kind == MR_KEY_NET)
		m->has_bits[l->key.net.ip.is_v6][l->key.net.bits] = true;
	return MR_OK;
}

/* The slot that the line at `off` decides, or NULL. */
static const struct slot *
slot_of(const struct making *m, size_t off, struct mr_str key)
{
	size_t i = hash_of(key) & (m->slot_n - 1);

	for (; m->slots[i].at; i = (i + 1) & (m->slot_n - 1))
		if ((m->slots[i].at & ~BOTH) == off + 1)
			return &m->slots[i];
	return NULL;
}

static enum mr_status
write_line(struct making *m, struct mr_cdb_maker *maker, size_t off, const struct mr_table_line *l)
{
	const struct slot *slot = slot_of(m, off, l->key.text);
	struct mr_str value = l->value;
	struct mr_err why = { "" };
	enum mr_status st;

	if (!slot)
		return MR_OK;
	if (slot->at & BOTH) {
		struct mr_str words = mr_str_from(value, strlen("permit"));

		value = mr_arena_fmt(&m->arena, "both%.*s", (int)words.n, words.p);
		if (!value.p)
			return fail_at(m, off, MR_TEMP, "out of memory");
	}
	st = mr_cdb_add(maker, l->key.text, value, &why);
	return st ? fail_at(m, off, st, why.text) : MR_OK;
}

/* One reading of the whole text: into the index (maker is NULL), or into the CDB. */
static enum mr_status
read_text(struct making *m, struct mr_cdb_maker *maker)
{
	for (size_t off = 0; off < m->text.n;) {
		struct mr_str line = line_at(m, off);
		struct mr_table_line l;
		struct mr_err why = { "" };
		enum mr_status st;

		mr_arena_free(&m->arena);
		st = mr_table_line_parse(&l, &m->arena, m->kind, line, &why);
		if (st == MR_OK)
			st = maker ? write_line(m, maker, off, &l) : index_line(m, off, &l);
		else if (st != MR_NOTFOUND)
			fail_at(m, off, st, why.text);
		if (st && st != MR_NOTFOUND)
			return st;
		off += line.n + 1;
	}
	return MR_OK;
}

static enum mr_status
write_meta(const struct making *m, struct mr_cdb_maker *maker)
{
	const struct mr_str keys[] = { MR_TABLE_META_V4, MR_TABLE_META_V6 };
	enum mr_status st;

	if ((st = mr_cdb_add(
	         maker, MR_TABLE_META_KIND, mr_str(mr_table_kind_word(m->kind)), m->err))
	    || (st = mr_cdb_add(maker, MR_TABLE_META_VERSION, MR_TABLE_VERSION, m->err)))
		return st;
	for (int family = 0; family < 2; family++) {
		char bits[129];
		size_t n = 0;

		for (int b = 128; b >= 0; b--)
			if (m->has_bits[family][b])
				bits[n++] = (char)b;
		if ((st = mr_cdb_add(maker, keys[family], (struct mr_str){ bits, n }, m->err)))
			return st;
	}
	return MR_OK;
}

enum mr_status
mr_table_compile(int fd, struct mr_str text, const char *name, enum mr_table_kind kind,
    size_t *entry_n, struct mr_err *err)
{
	struct making m = { .text = text, .name = name, .kind = kind, .err = err };
	struct mr_cdb_maker *maker = NULL;
	enum mr_status st, end;

	if (text.n > MR_TABLE_TEXT_MAX)
		return mr_err_set(
		    err, MR_PERM, "%s: over %u bytes; split it", name, MR_TABLE_TEXT_MAX);
	mr_arena_init(&m.arena, LINE_ARENA);
	mr_arena_init(&m.again, LINE_ARENA);
	st = read_text(&m, NULL);
	if (st == MR_OK && fd >= 0) {
		if ((st = mr_cdb_make(&maker, fd, err)) == MR_OK
		    && (st = write_meta(&m, maker)) == MR_OK)
			st = read_text(&m, maker);
		end = mr_cdb_finish(maker, st ? NULL : err);
		st = st ? st : end;
	}
	if (entry_n)
		*entry_n = m.used;
	mr_arena_free(&m.arena);
	mr_arena_free(&m.again);
	free(m.slots);
	return st;
}
