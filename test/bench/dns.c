/* dns - asks questions in one batch, prints an answer a line, then the time and the packets:
 *
 *	dns [-1] [-T MS] [-F FILES] (-D SERVER | -R RESOLV.CONF) [-A] [-M BYTES] NAME TYPE ...
 *
 * -1: a batch for each question; -A: AD is trusted; -M: memory for answers; -F: descriptors that this process may have (RLIMIT_NOFILE). */
#include "dns/dns.h"
#include "base/clock.h"
#include "base/opt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const char *const results[] = { "found", "nodata", "nxdomain", "servfail", "refused",
	"timeout", "broken" };

static const struct {
	const char *word;
	enum mr_dns_type type;
} types[] = { { "A", MR_DNS_A }, { "NS", MR_DNS_NS }, { "CNAME", MR_DNS_CNAME },
	{ "SOA", MR_DNS_SOA }, { "PTR", MR_DNS_PTR }, { "MX", MR_DNS_MX }, { "TXT", MR_DNS_TXT },
	{ "AAAA", MR_DNS_AAAA }, { "TLSA", MR_DNS_TLSA }, { "SPF", MR_DNS_SPF },
	{ "SOA_UNCHECKED", MR_DNS_SOA_UNCHECKED } };

static enum mr_dns_type
type_of(const char *word)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strcmp(word, types[i].word) == 0)
			return types[i].type;
	fprintf(stderr, "dns: no type %s\n", word);
	exit(111);
}

static void
print_record(enum mr_dns_type type, const struct mr_dns_record *r)
{
	char storage[MR_IP_TEXT_MAX];

	printf(" ");
	if (type == MR_DNS_A || type == MR_DNS_AAAA) {
		printf("%s", mr_ip_text(storage, &r->ip).p);
		return;
	}
	if (type == MR_DNS_MX)
		printf("%u:", r->preference);
	for (size_t i = 0; i < r->text.n; i++) {
		unsigned char c = (unsigned char)r->text.p[i];

		if (c < ' ' || c > '~')
			printf("\\%03u", c);
		else
			putchar(c);
	}
}

static void
print_answer(const char *name, const char *type, const struct mr_dns_answer *a)
{
	printf("%s %s:%s %s%s", name, type, a && a->is_truncated ? " cut" : "",
	    a ? results[a->result] : "not asked", a && a->is_authentic ? " ad" : "");
	for (size_t i = 0; a && i < a->n; i++)
		print_record(type_of(type), &a->rec[i]);
	if (a && a->canonical.n && !mr_str_caseis(a->canonical, name))
		printf(" (%.*s)", (int)a->canonical.n, a->canonical.p);
	printf("\n");
}

static enum mr_status
take_option(int letter, const char *arg, struct mr_dns_conf *conf, uint64_t *wait_ms,
    struct rlimit *files, struct mr_err *err)
{
	uint64_t n = 0;
	enum mr_status st = MR_OK;

	switch (letter) {
	case 'A':
		conf->is_ad_trusted = true;
		return MR_OK;
	case 'T':
		return mr_opt_num('T', arg, 1, 600000, wait_ms, err);
	case 'M':
		st = mr_opt_size('M', arg, 1, 1u << 30, &n, err);
		conf->memory_max = n;
		return st;
	case 'F':
		st = mr_opt_num('F', arg, 3, 4096, &n, err);
		files->rlim_cur = n;
		return st;
	case 'D':
		return mr_dns_conf_parse(conf, arg, err);
	default:
		return mr_dns_conf_read(conf, arg, err);
	}
}

int
main(int argc, char *argv[])
{
	struct mr_opt o = { .argc = argc, .argv = argv, .letters = "1AT:M:F:D:R:" };
	struct mr_dns_conf conf = { .server_n = 0 };
	uint64_t wait_ms = 10000;
	struct mr_dns_stats stats;
	struct rlimit files;
	struct mr_dns *dns = NULL;
	struct mr_err err = { "dns: NAME TYPE ..." };
	int64_t start_ms;
	bool is_one_by_one = false;
	int letter;

	getrlimit(RLIMIT_NOFILE, &files);
	while ((letter = mr_opt_next(&o, &err)) > 0)
		if (letter == '1')
			is_one_by_one = true;
		else if (take_option(letter, o.arg, &conf, &wait_ms, &files, &err))
			break;
	if (letter || (argc - o.at) % 2 || mr_dns_open(&dns, &conf, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 111;
	}
	setrlimit(RLIMIT_NOFILE, &files);
	start_ms = mr_clock_mono_ms();
	for (int i = o.at; i < argc; i += 2) {
		mr_dns_add(dns, mr_str(argv[i]), type_of(argv[i + 1]));
		if (is_one_by_one)
			mr_dns_run(dns, start_ms + (int64_t)wait_ms);
	}
	mr_dns_run(dns, start_ms + (int64_t)wait_ms);
	start_ms = mr_clock_mono_ms() - start_ms;
	files.rlim_cur = files.rlim_max; /* a sanitizer needs some at the end */
	setrlimit(RLIMIT_NOFILE, &files);
	for (int i = o.at; i < argc; i += 2)
		print_answer(
		    argv[i], argv[i + 1], mr_dns_peek(dns, mr_str(argv[i]), type_of(argv[i + 1])));
	stats = mr_dns_stats(dns);
	printf("ms=%lld batches=%llu questions=%llu packets=%llu tcp=%llu foreign=%llu\n",
	    (long long)start_ms, (unsigned long long)stats.batches,
	    (unsigned long long)stats.questions, (unsigned long long)stats.packets,
	    (unsigned long long)stats.tcp, (unsigned long long)stats.foreign);
	mr_dns_close(dns);
	return 0;
}
