/* dkim_verify.c - a whole message: every result can be printed, at most ten signatures are looked at, names hold
 * no blank and no '/', and it says the same the second time. */
#include "check/dkim_verify.h"

#include "../open_dns.h"
#include "base/child.h"
#include "base/clock.h"
#include "fuzz.h"
#include "mail/authres.h"

#include <unistd.h>

static const char zone[] =
    "brisbane._domainkey.football.example.com TXT \"v=DKIM1; k=ed25519; "
    "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n"
    "test._domainkey.football.example.com TXT \"v=DKIM1; k=rsa; t=y; "
    "p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCB"
    "iQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3Fut\" "
    "\"ACDfzwQ/BC/"
    "e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB\"\n"
    "brisbane._domainkey.example.com TXT \"v=DKIM1; "
    "p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBs"
    "EmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBIt\" "
    "\"La7od+v/RtdC2UzJ1lWT947qR+R"
    "cac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB\"\n"
    "a._domainkey.a TXT \"v=DKIM1; p=AAAA\"\n"
    "b._domainkey.a ! servfail\n";

static void
check_text(struct mr_str s)
{
	for (size_t i = 0; i < s.n; i++)
		must(s.p[i] > ' ' && s.p[i] <= '~' && s.p[i] != '/');
}

static void
check_result(const struct mr_dkim_result *r)
{
	char line[MR_AUTHRES_RESULT_MAX + 1];
	struct mr_buf b;

	must(r->word <= MR_DKIM_NEUTRAL && !r->domain.p == !r->selector.p);
	must((r->word == MR_DKIM_PASS) == !r->why.p);
	check_text(r->domain);
	check_text(r->selector);
	check_text(r->algorithm);
	must(r->domain.n + r->selector.n < 254 && r->algorithm.n < 64);
	mr_buf_init(&b, sizeof line);
	mr_buf_addf(&b, "dkim=%s reason=", mr_dkim_word(r->word));
	mr_authres_add_value(&b, r->why.p ? r->why : MR_STR("-"), 200);
	must(!b.is_full && mr_authres_check(mr_buf_str(&b), NULL) == MR_OK);
	mr_buf_free(&b);
}

static void
verify(struct mr_dkim *dkim, struct mr_str message, struct mr_arena *arena)
{
	static struct mr_dkim_conf conf;
	int fd = mr_child_memfile(message);
	struct mr_err err;

	if (!conf.lib) {
		must(mr_opendkim_load(&conf.lib, &err) == MR_OK);
		conf.dns = open_dns(zone, 0, &err);
		must(conf.dns);
		conf.now_s = 1800000000;
	}
	conf.deadline_ms = mr_clock_mono_ms() + 10000;
	mr_dns_forget(conf.dns);
	must(fd >= 0 && mr_dkim_verify(dkim, &conf, fd, arena, &err) == MR_OK);
	close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mr_str s = fuzz_copy(data, size);
	struct mr_dkim one, two;
	struct mr_arena arena;

	mr_arena_init(&arena, 32u << 20);
	verify(&one, s, &arena);
	must(one.n <= MR_DKIM_SIGS_MAX && one.ignored.n <= MR_DKIM_IGNORED_MAX);
	must(!one.ignored_n || one.n == MR_DKIM_SIGS_MAX);
	for (size_t i = 0; i < one.n; i++)
		check_result(&one.sig[i]);
	verify(&two, s, &arena);
	must(one.n == two.n && mr_dkim_best(&one) == mr_dkim_best(&two));
	for (size_t i = 0; i < one.n; i++)
		must(one.sig[i].word == two.sig[i].word);
	mr_arena_free(&arena);
	fuzz_free(s);
	return 0;
}
