/* From text to CDB.  The text is read twice: first every key is entered into an index, which finds
 * errors and keys that come again before anything is written; then the entries are written in the
 * order of the text.  The index holds 8 bytes a key, not the keys: a key that may be the same is
 * parsed again from its line. */
#include "base/log.h"
#include "mail/addr.h"
#include "table/aliases.h"
#include "table/table.h"
#include "table/table_cdb.h"
#include "table/table_meta.h"
#include "table/table_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN  256u
#define LINE_ARENA (128u * MR_TABLE_LINE_MAX) /* bytes for what is made of one line */
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

/* Where the line is that decides a slot in use. */
static size_t
offset_of(const struct making *m, size_t slot)
{
	return (m->slots[slot].at & ~BOTH) - 1;
}

/* The slot of `key`, or the free one where it would stand; MR_NOTFOUND then.  *before: its line, in the
 * arena `again`. */
static enum mr_status
find_slot(struct making *m, struct mr_str key, size_t *at, struct mr_table_line *before)
{
	uint32_t hash = hash_of(key);
	size_t i;

	for (i = hash & (m->slot_n - 1); m->slots[i].at; i = (i + 1) & (m->slot_n - 1)) {
		if (m->slots[i].hash != hash)
			continue;
		mr_arena_free(&m->again);
		if (mr_table_line_parse(
		        before, &m->again, m->kind, line_at(m, offset_of(m, i)), NULL))
			return MR_TEMP;
		if (mr_str_eq(before->key.text, key))
			break;
	}
	*at = i;
	return m->slots[i].at ? MR_OK : MR_NOTFOUND;
}

static enum mr_status
index_line(struct making *m, size_t off, const struct mr_table_line *l)
{
	struct mr_table_line before;
	enum mr_status st;
	size_t i;

	if (!index_grow(m) || (st = find_slot(m, l->key.text, &i, &before)) == MR_TEMP)
		return fail_at(m, off, MR_TEMP, "out of memory");
	if (st == MR_OK)
		return come_again(m, &m->slots[i], off, l->value, before.value);
	m->slots[i] = (struct slot){ hash_of(l->key.text), (uint32_t)off + 1 };
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

/* A rule stands for itself: nothing is looked up, so nothing is indexed. */
static enum mr_status
write_rule(
    struct making *m, struct mr_cdb_maker *maker, size_t off, size_t number, struct mr_str line)
{
	char text[MR_NUM_MAX];
	struct mr_err why = { "" };
	enum mr_status st = MR_OK;

	if (maker)
		st = mr_cdb_add(maker, mr_log_num(text, (int64_t)number), line, &why);
	else
		m->used++;
	return st ? fail_at(m, off, st, why.text) : MR_OK;
}

/* One reading of the whole text: into the index (maker is NULL), or into the CDB. */
static enum mr_status
read_text(struct making *m, struct mr_cdb_maker *maker)
{
	for (size_t off = 0, number = 1; off < m->text.n; number++) {
		struct mr_str line = line_at(m, off);
		struct mr_table_line l;
		struct mr_err why = { "" };
		enum mr_status st;

		mr_arena_free(&m->arena);
		st = mr_table_line_parse(&l, &m->arena, m->kind, line, &why);
		if (st == MR_OK && m->kind == MR_TABLE_ATTACH)
			st = write_rule(m, maker, off, number, l.value);
		else if (st == MR_OK)
			st = maker ? write_line(m, maker, off, &l) : index_line(m, off, &l);
		else if (st != MR_NOTFOUND)
			fail_at(m, off, st, why.text);
		if (st && st != MR_NOTFOUND)
			return st;
		off += line.n + 1;
	}
	return MR_OK;
}

/* ---- aliases of aliases ------------------------------------------------------------------------ */

#define ON_CHAIN 255u

_Static_assert(MR_ALIAS_DEPTH_MAX < ON_CHAIN, "heights fit in a byte");

/* A walk down from each alias.  A local part alone is one in all domains that are ours, which are not
 * known here: chains that only close through such a domain are found when mail comes. */
struct walk {
	struct making *m;
	uint8_t
	    *height; /* of each slot: aliases below it, itself included; 0: not seen; ON_CHAIN */
	size_t chain[MR_ALIAS_DEPTH_MAX]; /* slots from the top */
};

/* The slot of the alias that `target`, in the entry `l`, stands for; MR_NOTFOUND: none. */
static enum mr_status
find_target(struct walk *w, struct mr_arena *arena, const struct mr_table_line *l,
    struct mr_str target, size_t *slot)
{
	ptrdiff_t at = target.p[target.n - 1] == '"' ? -1 : mr_str_rchr(target, '@');
	struct mr_str local = target, domain = { "", 0 }, key;
	bool is_bare = at < 0;
	enum mr_status st = MR_NOTFOUND;
	struct mr_table_line ignored;

	if (at == 0) /* @domain: another one for each who asks */
		return MR_NOTFOUND;
	if (!is_bare) {
		local.n = (size_t)at;
		domain = mr_str_from(target, local.n + 1);
	} else if (l->key.kind == MR_KEY_DOMAIN)
		domain = l->key.text;
	else if (l->key.kind == MR_KEY_MAILBOX)
		domain = mr_str_from(l->key.text, (size_t)mr_str_rchr(l->key.text, '@') + 1);
	for (unsigned i = 0; i < 4 && st == MR_NOTFOUND; i++) { /* the order of mr_alias_find */
		struct mr_str part = i % 2 ? mr_alias_without_tag(local) : local;
		struct mr_str there = i < 2 ? domain : MR_STR("");

		if ((there.n == 0 && (i < 2 || !is_bare)) || (i % 2 && part.n == local.n))
			continue;
		key = mr_arena_fmt(arena, "%.*s@%.*s", (int)part.n, part.p, (int)there.n, there.p);
		key = key.p ? mr_arena_lower(arena, key) : key;
		st = key.p ? find_slot(w->m, key, slot, &ignored) : MR_TEMP;
	}
	return st;
}

/* What is wrong, and the chain from `from` on with `last` at its end. */
static enum mr_status
fail_chain(struct walk *w, const char *what, size_t from, size_t depth, size_t last)
{
	struct making *m = w->m;
	enum mr_status st;
	struct mr_buf b;

	mr_buf_init(&b, MR_TABLE_LINE_MAX);
	mr_buf_adds(&b, what);
	for (size_t i = from; i <= depth + 1; i++) {
		size_t slot = i <= depth ? w->chain[i] : last;
		struct mr_str line = mr_str_trim(line_at(m, offset_of(m, slot)));
		struct mr_str name = mr_str_word(&line);

		mr_buf_addf(&b, "%s%.*s", i > from ? " -> " : "", (int)name.n, name.p);
	}
	mr_buf_addc(&b, '\0');
	st = b.is_full ? fail_at(m, 0, MR_TEMP, "out of memory")
	               : fail_at(m, offset_of(m, w->chain[depth]), MR_PERM, b.p);
	mr_buf_free(&b);
	return st;
}

static enum mr_status walk_down(struct walk *w, size_t slot, size_t depth);

/* From the chain's end at `depth` to `next`. */
static enum mr_status
step_down(struct walk *w, size_t next, size_t depth)
{
	size_t from = 0;

	if (w->height[next] == ON_CHAIN) {
		while (w->chain[from] != next)
			from++;
		return fail_chain(w, "a circle of aliases; take one out: ", from, depth, next);
	}
	if (depth + 1 + (w->height[next] ? w->height[next] : 1) > MR_ALIAS_DEPTH_MAX)
		return fail_chain(
		    w, "too many aliases of aliases; make the chain shorter: ", 0, depth, next);
	return w->height[next] ? MR_OK : walk_down(w, next, depth + 1);
}

/* At most MR_ALIAS_DEPTH_MAX deep. */
static enum mr_status
walk_down(struct walk *w, size_t slot, size_t depth)
{
	struct mr_table_line l;
	struct mr_arena arena;
	struct mr_str target;
	unsigned height = 0;
	enum mr_status st;
	size_t next;

	w->chain[depth] = slot;
	w->height[slot] = ON_CHAIN;
	mr_arena_init(&arena, 2 * LINE_ARENA);
	if (mr_table_line_parse(&l, &arena, w->m->kind, line_at(w->m, offset_of(w->m, slot)), NULL))
		st = fail_at(w->m, 0, MR_TEMP, "out of memory");
	else
		st = MR_OK;
	if (st == MR_OK)
		mr_alias_until(&l.value);
	while (st == MR_OK && (target = mr_alias_next(&l.value)).n) {
		enum mr_status found = find_target(w, &arena, &l, target, &next);

		if (found == MR_TEMP)
			st = fail_at(w->m, 0, MR_TEMP, "out of memory");
		else if (found == MR_OK && next != slot /* else it keeps its mail */
		    && (st = step_down(w, next, depth)) == MR_OK && w->height[next] > height)
			height = w->height[next];
	}
	mr_arena_free(&arena);
	w->height[slot] = (uint8_t)(height + 1);
	return st;
}

static enum mr_status
check_aliases(struct making *m)
{
	struct walk w = { .m = m, .height = calloc(m->slot_n + 1, 1) };
	enum mr_status st = MR_OK;

	if (!w.height)
		return fail_at(m, 0, MR_TEMP, "out of memory");
	for (size_t i = 0; i < m->slot_n && st == MR_OK; i++)
		if (m->slots[i].at && !w.height[i])
			st = walk_down(&w, i, 0);
	free(w.height);
	return st;
}

/* ---- the CDB ----------------------------------------------------------------------------------- */

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
	if (st == MR_OK && kind == MR_TABLE_ALIAS)
		st = check_aliases(&m);
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
