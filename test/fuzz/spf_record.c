/* spf_record.c - a record, or an explain-string: terms are views of the text in its order and read the
 * same alone; whatever was accepted can be expanded, and stays within its ceiling. */
#include "check/spf_record.h"

#include "fuzz.h"

#define CEILING 5000u

static void
check_expansion(struct mr_str text)
{
	static const char *const addresses[] = { "192.0.2.1", "2001:db8::1" };

	for (size_t i = 0; i < 2; i++) {
		struct mr_spf_macros m = { .sender = MR_STR("a-b.c+d@x.example"),
			.local = MR_STR("a-b.c+d"),
			.sender_domain = MR_STR("x.example"),
			.domain = MR_STR(""),
			.helo = MR_STR("..\x01\xff%{d}"),
			.validated = MR_STR("unknown"),
			.receiver = { NULL, 0 },
			.now_s = -1 };
		struct mr_ip ip;
		struct mr_buf b;

		must(mr_ip_parse(&ip, mr_str(addresses[i])) == MR_OK);
		m.ip = &ip;
		mr_buf_init(&b, CEILING);
		mr_spf_expand(&b, text, &m);
		must(b.n <= CEILING);
		must(text.n || !b.n);
		mr_buf_free(&b);
	}
}

static void
check_term(const struct mr_spf_term *t, struct mr_str text)
{
	struct mr_str alone = t->text;
	struct mr_spf_term again;

	must(t->text.p >= text.p && t->text.p + t->text.n <= text.p + text.n);
	must(t->text.n && mr_str_chr(t->text, ' ') < 0);
	must(t->bits4 <= 32 && t->bits6 <= 128);
	must(mr_spf_term_next(&alone, &again, NULL) == MR_OK && alone.n == 0);
	must(again.kind == t->kind && again.qualifier == t->qualifier && again.bits4 == t->bits4
	    && again.bits6 == t->bits6 && mr_ip_eq(&again.ip, &t->ip)
	    && mr_str_eq(again.spec, t->spec));
	if (!t->spec.p)
		return;
	must(t->spec.p > t->text.p && t->spec.p + t->spec.n <= t->text.p + t->text.n);
	must(mr_spf_is_explanation(t->spec));
	must(t->kind == MR_SPF_UNKNOWN
	    || (!mr_spf_uses(t->spec, 'c') && !mr_spf_uses(t->spec, 'r')
	        && !mr_spf_uses(t->spec, 't')));
	check_expansion(t->spec);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str s = fuzz_copy(data, size), rest;
	struct mr_spf_record record;
	struct mr_spf_term t;
	unsigned counted_n = 0;

	if (mr_spf_is_explanation(s))
		check_expansion(s);
	if (mr_spf_is_record(s) && mr_spf_record_parse(&record, s, NULL) == MR_OK) {
		must(s.n <= MR_SPF_RECORD_MAX);
		for (rest = record.terms; mr_spf_term_next(&rest, &t, NULL) == MR_OK;) {
			check_term(&t, s);
			counted_n += mr_spf_term_is_counted(&t);
		}
		must(rest.n == 0 || mr_str_trim(rest).n == 0);
		must(counted_n == record.counted_n);
	}
	fuzz_free(s);
	return 0;
}
