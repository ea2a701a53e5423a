/* spf.c - a whole check: the first line is the sender, the second the name in HELO, the others are the
 * TXT records of a.example, b.example, ... (an empty line: none).  It ends, within the limits on what
 * is asked; it says the same when all answers are there; and what leaves it is printable. */
#include "check/spf.h"

#include "../open_dns.h"
#include "base/io.h"
#include "fuzz.h"

#define ROUND_MAX    40u
#define QUESTION_MAX 250u /* 20 terms of 11 lookups each, the records, the client's names */
#define RECORD_N     8u

static const char world[] = "a.example A 192.0.2.1\n"
                            "a.example MX 10 a.example\n"
                            "a.example MX 20 c.example\n"
                            "b.example ! servfail A\n"
                            "c.example A 198.51.100.1\n"
                            "c.example AAAA 2001:db8::1\n"
                            "1.2.0.192.in-addr.arpa PTR a.example\n"
                            "1.2.0.192.in-addr.arpa PTR c.example\n";

static void
add_txt(struct mr_buf *b, char name, struct mr_str text)
{
	mr_buf_addf(b, "%c.example TXT", name);
	for (size_t i = 0; i < text.n; i++)
		mr_buf_addf(b, "%s\\%03u%s", i % 60 ? "" : " \"", (unsigned char)text.p[i],
		    i % 60 == 59 || i + 1 == text.n ? "\"" : "");
	mr_buf_addc(b, '\n');
}

static void
check_printable(struct mr_str s)
{
	for (size_t i = 0; i < s.n; i++)
		must(s.p[i] >= ' ' && s.p[i] <= '~');
}

static void
check(struct mr_dns *dns, const struct mr_spf_query *query, struct mr_arena *arena)
{
	struct mr_spf spf, again;
	enum mr_status st;
	struct mr_err err;
	unsigned rounds = 0;

	while ((st = mr_spf_check(&spf, query, dns, arena, &err)) == MR_NOTFOUND) {
		must(mr_dns_waiting(dns) && rounds++ < ROUND_MAX);
		mr_dns_run(dns, MR_NO_DEADLINE);
	}
	must(st == MR_OK && mr_dns_waiting(dns) == 0);
	must(mr_dns_stats(dns).questions <= QUESTION_MAX);
	must(mr_spf_check(&again, query, dns, arena, &err) == MR_OK);
	must(again.result == spf.result && mr_str_eq(again.term, spf.term));
	must(spf.result == MR_SPF_FAIL || !spf.explanation.p);
	must(spf.explanation.n <= MR_SPF_EXPLANATION_MAX);
	check_printable(spf.explanation);
	check_printable(spf.term);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const addresses[] = { "192.0.2.1", "2001:db8::1" };
	struct mr_str rest = fuzz_copy(data, size), all = rest, line;
	struct mr_spf_query query = { .receiver = MR_STR("r.example"),
		.explanation = MR_STR("no %{s} for %{p}") };
	struct mr_arena arena;
	struct mr_buf zone;
	struct mr_err err;
	struct mr_dns *dns;

	mr_buf_init(&zone, 1 << 20);
	mr_buf_adds(&zone, world);
	if (mr_str_split(&rest, '\n', &query.sender))
		mr_str_split(&rest, '\n', &query.helo);
	for (char name = 'a'; name < (char)('a' + RECORD_N) && mr_str_split(&rest, '\n', &line);
	     name++)
		if (line.n)
			add_txt(&zone, name, line);
	mr_buf_addc(&zone, '\0');
	if (!zone.is_full && (dns = open_dns(zone.p, 0, &err))) {
		must(mr_spf_matcher_open(&query.matcher, &err) == MR_OK);
		for (size_t i = 0; i < 2; i++) {
			struct mr_ip ip;

			must(mr_ip_parse(&ip, mr_str(addresses[i])) == MR_OK);
			query.ip = &ip;
			mr_arena_init(&arena, 1 << 20);
			mr_dns_forget(dns);
			check(dns, &query, &arena);
			mr_arena_free(&arena);
		}
		mr_spf_matcher_close(query.matcher);
		mr_dns_close(dns);
	}
	mr_buf_free(&zone);
	fuzz_free(all);
	return 0;
}
