/* In memory, for tests of one process: an unsorted array. */
#include "store/backend.h"

#include <stdlib.h>
#include <string.h>

struct entry {
	char key[MR_STORE_KEY_MAX], value[MR_STORE_VALUE_MAX];
	size_t key_n;
	struct mr_store_item item;
};

struct mem {
	struct entry **v;
	size_t n, cap;
};

static struct mr_str
key_of(const struct entry *e)
{
	return (struct mr_str){ e->key, e->key_n };
}

static struct entry **
find(struct mem *m, struct mr_str key)
{
	for (size_t i = 0; i < m->n; i++)
		if (mr_str_eq(key_of(m->v[i]), key))
			return &m->v[i];
	return NULL;
}

static enum mr_status
mem_get(void *state, struct mr_str key, struct mr_store_item *item, struct mr_err *err)
{
	struct entry **e = find(state, key);

	(void)err;
	if (!e)
		return MR_NOTFOUND;
	*item = (*e)->item;
	return MR_OK;
}

static enum mr_status
mem_set(void *state, struct mr_str key, const struct mr_store_item *item, struct mr_err *err)
{
	struct mem *m = state;
	struct entry **e = find(m, key), **v, *new;

	if (!e && m->n == m->cap) {
		if (!(v = realloc(m->v, (2 * m->cap + 1) * sizeof(struct entry *))))
			return mr_err_set(err, MR_TEMP, "out of memory");
		m->v = v;
		m->cap = 2 * m->cap + 1;
	}
	if (!e) {
		if (!(new = calloc(1, sizeof *new)))
			return mr_err_set(err, MR_TEMP, "out of memory");
		memcpy(new->key, key.p, key.n);
		new->key_n = key.n;
		e = &m->v[m->n++];
		*e = new;
	}
	if (item->value.n)
		memmove((*e)->value, item->value.p, item->value.n);
	(*e)->item = *item;
	(*e)->item.value.p = (*e)->value;
	return MR_OK;
}

static enum mr_status
mem_del(void *state, struct mr_str key, struct mr_err *err)
{
	struct mem *m = state;
	struct entry **e = find(m, key);

	(void)err;
	free(*e);
	*e = m->v[--m->n];
	return MR_OK;
}

static enum mr_status
mem_open(void **state, const struct mr_store_where *where, struct mr_err *err)
{
	(void)where;
	*state = calloc(1, sizeof(struct mem));
	return *state ? MR_OK : mr_err_set(err, MR_TEMP, "out of memory");
}

static void
mem_close(void *state)
{
	struct mem *m = state;

	while (m->n)
		free(m->v[--m->n]);
	free(m->v);
	free(m);
}

static const struct mr_store_kv kv = { mem_get, mem_set, mem_del };

static enum mr_status
mem_run(void *state, struct mr_store_op *ops, size_t n, int64_t now_s, struct mr_err *err)
{
	enum mr_status st = MR_OK;

	for (size_t i = 0; st == MR_OK && i < n; i++)
		st = mr_store_apply(&kv, state, &ops[i], now_s, err);
	return st;
}

static int
compare(struct mr_str a, struct mr_str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* One entry a page: the next key in order, so that the walk may change what it walks over. */
static enum mr_status
mem_page(void *state, struct mr_str prefix, struct mr_store_pos *pos, struct mr_store_page *page,
    int64_t now_s, struct mr_err *err)
{
	struct mem *m = state;
	struct entry *next = NULL;

	for (size_t i = 0; i < m->n; i++) {
		struct mr_str key = key_of(m->v[i]), start = key;

		start.n = key.n < prefix.n ? key.n : prefix.n;
		if (mr_str_eq(start, prefix) && !mr_store_is_dead(&m->v[i]->item, now_s)
		    && compare(key, (struct mr_str){ pos->bytes, pos->n }) > 0
		    && (!next || compare(key, key_of(next)) < 0))
			next = m->v[i];
	}
	if (!next) {
		pos->is_end = true;
		return MR_OK;
	}
	memcpy(pos->bytes, next->key, next->key_n);
	pos->n = next->key_n;
	return mr_store_page_add(
	    page, key_of(next), next->item.value, mr_store_left_s(&next->item, now_s), err);
}

static enum mr_status
mem_expire(void *state, int64_t now_s, uint64_t *n, struct mr_err *err)
{
	struct mem *m = state;

	for (size_t i = m->n; i-- > 0;)
		if (mr_store_is_dead(&m->v[i]->item, now_s)) {
			mem_del(m, key_of(m->v[i]), err);
			++*n;
		}
	return MR_OK;
}

static enum mr_status
mem_size(void *state, uint64_t *used, uint64_t *max, struct mr_err *err)
{
	struct mem *m = state;

	(void)err;
	*used = m->n * sizeof(struct entry);
	*max = 0;
	return MR_OK;
}

const struct mr_store_backend mr_store_mem = { .open = mem_open,
	.close = mem_close,
	.run = mem_run,
	.page = mem_page,
	.expire = mem_expire,
	.size = mem_size };
