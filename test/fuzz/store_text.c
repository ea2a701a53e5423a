/* store_text.c - lines of a dump of the state store: what is read is within the limits, and is written and
 * read as the same. */
#include "store/text.h"

#include "fuzz.h"

#define NOW 1000000

static void
round_trip(const struct mr_store_entry *entry)
{
	struct mr_store_entry back;
	struct mr_buf line, bytes;
	struct mr_str rest, first;

	mr_buf_init(&line, MR_STORE_LINE_MAX + 1);
	mr_buf_init(&bytes, MR_STORE_LINE_MAX);
	mr_store_line_add(&line, entry, NOW);
	must(!line.is_full);
	rest = mr_buf_str(&line);
	must(mr_str_split(&rest, '\n', &first) && rest.n == 0);
	for (size_t i = 0; i < first.n; i++)
		must(first.p[i] == '\t' || (first.p[i] >= ' ' && first.p[i] <= '~'));
	must(mr_store_line_read(&back, &bytes, first, NOW, NULL) == MR_OK);
	must(mr_str_eq(back.key, entry->key) && mr_str_eq(back.value, entry->value));
	must(back.left_s == entry->left_s);
	mr_buf_free(&line);
	mr_buf_free(&bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str all = fuzz_copy(data, size), rest = all, line;
	struct mr_store_entry entry;
	struct mr_buf bytes;

	mr_buf_init(&bytes, MR_STORE_LINE_MAX);
	while (mr_str_split(&rest, '\n', &line))
		if (mr_store_line_read(&entry, &bytes, line, NOW, NULL) == MR_OK) {
			must(entry.key.n && entry.key.n <= MR_STORE_KEY_MAX);
			must(entry.value.n <= MR_STORE_VALUE_MAX);
			must(entry.left_s <= MR_STORE_TTL_MAX_S);
			round_trip(&entry);
		}
	if (size && size <= MR_STORE_KEY_MAX)
		round_trip(&(struct mr_store_entry){ .key = all,
		    .value = { all.p, size < MR_STORE_VALUE_MAX ? size : MR_STORE_VALUE_MAX } });
	mr_buf_free(&bytes);
	fuzz_free(all);
	return 0;
}
