/* What comes over the socket of a child that strangers may have taken over: any bytes are questions, some of
 * them answered; and any bytes are answers, the rest of them an outage. */
#include "dns/dns_carry.h"

#include "../open_dns.h"
#include "fuzz.h"

static struct mr_str given;

static enum mr_status
carry(void *ctx, struct mr_str questions, struct mr_str *answers, struct mr_err *err)
{
	(void)ctx;
	(void)questions;
	(void)err;
	*answers = given;
	return MR_OK;
}

static void
ask(struct mr_str answers)
{
	struct mr_dns_carrier carrier = { carry, NULL };
	struct mr_dns_conf conf = { .carrier = &carrier };
	const struct mr_dns_answer *a;
	struct mr_dns *dns;

	given = answers;
	must(mr_dns_open(&dns, &conf, NULL) == MR_OK);
	mr_dns_add(dns, MR_STR("a.example"), MR_DNS_A);
	mr_dns_add(dns, MR_STR("b.example"), MR_DNS_TXT);
	mr_dns_run(dns, INT64_MAX);
	a = mr_dns_peek(dns, MR_STR("b.example"), MR_DNS_TXT);
	must(a && a->n <= MR_DNS_RECORD_MAX && (unsigned)a->result <= MR_DNS_BROKEN);
	for (size_t i = 0; i < a->n; i++)
		must(a->rec[i].text.p);
	mr_dns_close(dns);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mr_dns *there;
	struct mr_str text = fuzz_copy(data, size);
	struct mr_buf answers;

	if (!there)
		there = open_dns("a.example A 192.0.2.1\na.example TXT \"x\"\n", 0, NULL);
	must(there);
	mr_buf_init(&answers, 4096);
	mr_dns_serve(there, text, 0, &answers);
	must(mr_dns_waiting(there) == 0 && answers.n <= 4096);
	mr_dns_forget(there);
	mr_buf_free(&answers);
	ask(text);
	fuzz_free(text);
	return 0;
}
