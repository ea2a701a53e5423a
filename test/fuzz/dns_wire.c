/* A hostile server: whatever packet comes, only an answer to our question is read, within the limits.
 * The first byte says what was asked and how; with its lowest bit, id and question are made right. */
#include "dns/dns_wire.h"

#include "fuzz.h"

#define ARENA_MAX (4u << 20)

static struct mr_ldns *ldns;

static const enum mr_dns_type types[] = { MR_DNS_A, MR_DNS_MX, MR_DNS_TXT, MR_DNS_PTR, MR_DNS_AAAA,
	MR_DNS_SOA, MR_DNS_CNAME, MR_DNS_NS };

static void
check_name(struct mr_str name)
{
	struct mr_dns_name again;

	must(name.p);
	for (size_t i = 0; i < name.n; i++)
		must(
		    name.p[i] > ' ' && name.p[i] <= '~' && !(name.p[i] >= 'A' && name.p[i] <= 'Z'));
	must(name.n == 0 || mr_dns_name_parse(ldns, &again, name));
}

static void
check_answer(const struct mr_dns_answer *a, enum mr_dns_type type)
{
	must((a->result == MR_DNS_FOUND) == (a->n > 0));
	must(a->n <= MR_DNS_RECORD_MAX);
	if (a->result < MR_DNS_SERVFAIL)
		check_name(a->canonical);
	for (size_t i = 0; i < a->n; i++) {
		const struct mr_dns_record *r = &a->rec[i];
		char storage[MR_IP_TEXT_MAX];

		if (type == MR_DNS_A || type == MR_DNS_AAAA)
			must(r->ip.is_v6 == (type == MR_DNS_AAAA)
			    && mr_ip_text(storage, &r->ip).n > 0);
		else if (type == MR_DNS_TXT)
			must(r->text.p && r->text.n <= MR_DNS_TCP_MAX);
		else if (type == MR_DNS_SOA)
			must(r->text.p);
		else
			check_name(r->text);
		must(r->preference <= 65535);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum mr_dns_type type;
	struct mr_dns_query q;
	struct mr_dns_name name;
	struct mr_dns_answer a;
	struct mr_arena arena;
	struct mr_str packet;
	bool is_tcp;

	if (size < 1 || size > MR_DNS_TCP_MAX)
		return 0;
	must(ldns || mr_ldns_open(&ldns, NULL) == MR_OK);
	type = types[data[0] >> 1 & 7];
	is_tcp = data[0] & 0x10;
	must(mr_dns_name_parse(ldns, &name, MR_STR("a.example")));
	must(mr_dns_query_make(
	    &q, (struct mr_str){ (const char *)name.wire, name.n }, type, data[0] & 0x20));
	/* What is random is made the same for each run. */
	q.wire[0] = q.wire[1] = 0;
	memcpy(q.wire + 12, name.wire, name.n);
	packet = fuzz_copy(data + 1, size - 1);
	if (data[0] & 1 && packet.n >= 12 + q.question_n) {
		uint8_t *p;

		memcpy(&p, &packet.p, sizeof p);
		p[0] = p[1] = 0;
		p[2] = (uint8_t)((p[2] & 0x07) | 0x80);
		p[4] = 0;
		p[5] = 1;
		memcpy(p + 12, q.wire + 12, q.question_n);
	}
	mr_arena_init(&arena, ARENA_MAX);
	if (mr_dns_wire_read(ldns, &a, &arena, &q, type, is_tcp, packet) == MR_DNS_READ) {
		must(packet.n >= 12 + q.question_n && packet.p[0] == 0 && packet.p[1] == 0
		    && packet.p[2] & 0x80);
		check_answer(&a, type);
	}
	mr_arena_free(&arena);
	fuzz_free(packet);
	return 0;
}
