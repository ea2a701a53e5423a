/* Names that a client or a record made up, and lines of a fixture: what is a name has one wire form,
 * within its length, and one way to be written. */
#include "dns/dns_wire.h"

#include "fuzz.h"

#define ARENA_MAX (1u << 20)

static struct mr_ldns *ldns;

static void
check(struct mr_arena *arena, const struct mr_dns_name *name)
{
	struct mr_dns_name again;
	size_t at = 0;
	struct mr_str text;

	must(name->n >= 1 && name->n <= MR_DNS_NAME_MAX);
	while (name->wire[at]) {
		must(name->wire[at] <= 63);
		at += 1u + name->wire[at];
		must(at < name->n);
	}
	must(at + 1 == name->n);
	text = mr_dns_name_text(ldns, arena, (struct mr_str){ (const char *)name->wire, name->n });
	must(text.p);
	if (text.n == 0)
		text = MR_STR(".");
	must(mr_dns_name_parse(ldns, &again, text));
	must(again.n == name->n && memcmp(again.wire, name->wire, name->n) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str text = fuzz_copy(data, size);
	struct mr_dns_name name;
	struct mr_dns_line line;
	struct mr_arena arena;

	must(ldns || mr_ldns_open(&ldns, NULL) == MR_OK);
	mr_arena_init(&arena, ARENA_MAX);
	if (mr_dns_name_parse(ldns, &name, text))
		check(&arena, &name);
	if (mr_dns_line_parse(ldns, &line, &arena, text, NULL) == MR_OK)
		check(&arena, &line.owner);
	mr_arena_free(&arena);
	fuzz_free(text);
	return 0;
}
