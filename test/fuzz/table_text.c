/* table_text.c - a text table of each kind: what compiles is dumped, compiles again, and is the same
 * table.  The first byte chooses the kind. */
#include "../open_table.h"

#define DUMP_MAX (4u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Compiles, and writes the entries as text to `dump`; false if it does not compile. */
static bool
dump_text(struct mr_str text, enum mr_table_kind kind, struct mr_buf *dump)
{
	struct mr_str key, value;
	struct mr_table *t;
	struct mr_err err;
	uint32_t pos = 0;
	enum mr_status st = open_bytes(&t, text, "", kind, &err);

	if (st == MR_PERM)
		return false;
	while (st == MR_OK && (st = mr_table_next(t, &pos, &key, &value)) == MR_OK)
		if (mr_table_write_entry(kind, key, value, dump))
			abort();
	if (st != MR_NOTFOUND || dump->is_full)
		abort();
	mr_table_close(t);
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str text = { (const char *)data, size };
	struct mr_buf first, second;
	enum mr_table_kind kind;

	if (size == 0)
		return 0;
	kind = (enum mr_table_kind)(data[0] % MR_TABLE_FOREIGN);
	mr_buf_init(&first, DUMP_MAX);
	mr_buf_init(&second, DUMP_MAX);
	if (dump_text(mr_str_from(text, 1), kind, &first)
	    && (!dump_text(mr_buf_str(&first), kind, &second)
	        || !mr_str_eq(mr_buf_str(&first), mr_buf_str(&second))))
		abort();
	mr_buf_free(&first);
	mr_buf_free(&second);
	return 0;
}
