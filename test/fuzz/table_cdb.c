/* table_cdb.c - the bytes of a compiled table, perhaps damaged: every lookup ends, within the file. */
#include "../open_table.h"
#include "check/access.h"
#include "table/routes.h"
#include "table/tcprules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
ask_all(const struct mr_table *t, struct mr_arena *arena)
{
	static const char *const ips[] = { "10.20.30.40", "2001:db8::1" };
	struct mr_buf out;
	struct mr_str key, value;
	uint32_t pos = 0;

	for (size_t i = 0; i < 2; i++) {
		struct mr_access_query q = { .sender = MR_STR("bob@sub.example.org"),
			.client_name = MR_STR("host.example.org"),
			.sender_is_proven = true };
		struct mr_access a;
		struct mr_err err;
		struct mr_ip ip;

		mr_ip_parse(&ip, mr_str(ips[i]));
		q.ip = &ip;
		mr_access_judge(t, &q, arena, &a, &err);
	}
	mr_table_get_default(t, &value);
	mr_buf_init(&out, 1 << 20);
	while (mr_table_next(t, &pos, &key, &value) == MR_OK) {
		mr_buf_clear(&out);
		mr_table_write_entry(mr_table_kind_of(t), key, value, &out);
	}
	mr_buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str bytes = { (const char *)data, size }, all;
	struct mr_arena arena;
	struct mr_route route;
	struct mr_table *t;
	struct mr_err err;
	bool trusts_all;

	if (open_bytes(&t, bytes, ".cdb", MR_TABLE_ANY, &err))
		return 0;
	mr_arena_init(&arena, 1 << 20);
	ask_all(t, &arena);
	mr_route_find(t, MR_STR("sub.example.org"), &route, &err);
	mr_access_trusts_all(t, &trusts_all, &all);
	mr_arena_free(&arena);
	mr_table_close(t);
	return 0;
}
