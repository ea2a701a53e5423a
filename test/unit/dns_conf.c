#include "dns/dns.h"

#include "../tap.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* "192.0.2.1#53 2001:db8::1#5353%1": the servers; and the times. */
static const char *
words(const struct mr_dns_conf *conf)
{
	static char out[512];
	size_t n = 0;

	for (size_t i = 0; i < conf->server_n; i++) {
		const struct mr_dns_server *s = &conf->server[i];
		char storage[MR_IP_TEXT_MAX];

		n += (size_t)snprintf(out + n, sizeof out - n, "%s#%u%s ",
		    mr_ip_text(storage, &s->ip).p, s->port, s->scope ? "%" : "");
	}
	snprintf(out + n, sizeof out - n, "%ums*%u", conf->attempt_ms, conf->attempts);
	return out;
}

static const struct {
	const char *text, *want; /* NULL: refused */
} options[] = {
	{ "192.0.2.1", "192.0.2.1#53 1000ms*3" },
	{ "192.0.2.1:5353", "192.0.2.1#5353 1000ms*3" },
	{ "192.0.2.1#5353", "192.0.2.1#5353 1000ms*3" },
	{ "2001:db8::1", "2001:db8::1#53 1000ms*3" },
	{ "[2001:db8::1]", "2001:db8::1#53 1000ms*3" },
	{ "[2001:db8::1]:5353", "2001:db8::1#5353 1000ms*3" },
	{ "2001:db8::1#5353", "2001:db8::1#5353 1000ms*3" },
	{ "::1", "::1#53 1000ms*3" },
	{ "fe80::1%lo", "fe80::1#53% 1000ms*3" },
	{ "fe80::1%1#5353", "fe80::1#5353% 1000ms*3" },
	{ "", NULL },
	{ "host.example", NULL },
	{ "192.0.2.1:", NULL },
	{ "192.0.2.1:0", NULL },
	{ "192.0.2.1:65536", NULL },
	{ "192.0.2.1:+5", NULL },
	{ "192.0.2.1%lo", NULL },
	{ "192.0.2", NULL },
	{ "[2001:db8::1", NULL },
	{ "[2001:db8::1]5353", NULL },
	{ "[]:53", NULL },
	{ "[", NULL },
	{ ":53", NULL },
	{ "#53", NULL },
	{ "fe80::1%", NULL },
	{ "fe80::1%a-name-that-no-interface-can-have", NULL },
};

static const struct {
	const char *lines, *want;
} files[] = {
	{ "nameserver 192.0.2.1\n", "192.0.2.1#53 1000ms*3" },
	{ "nameserver\t192.0.2.1 \nnameserver ::1", "192.0.2.1#53 ::1#53 1000ms*3" },
	{ "; x\n# nameserver 192.0.2.9\nnameserver 192.0.2.1#5353\n", "192.0.2.1#5353 1000ms*3" },
	{ "nameserver nonsense\nnameserver 192.0.2.2\n", "192.0.2.2#53 1000ms*3" },
	{ "nameserver 127.0.0.1\nnameserver 127.0.0.2\nnameserver 127.0.0.3\n"
	  "nameserver 127.0.0.4\nnameserver 127.0.0.5\n",
	    "127.0.0.1#53 127.0.0.2#53 127.0.0.3#53 127.0.0.4#53 1000ms*3" },
	{ "options ndots:2 timeout:5 rotate attempts:2 edns0\nnameserver 192.0.2.1\n",
	    "192.0.2.1#53 5000ms*2" },
	{ "options timeout:99999 attempts:99999\n", "127.0.0.1#53 30000ms*5" },
	{ "options timeout:0 attempts:-1\noptions timeout:x\n", "127.0.0.1#53 1000ms*3" },
	{ "search example\n", "127.0.0.1#53 1000ms*3" },
	{ "", "127.0.0.1#53 1000ms*3" },
};

static void
test_files(void)
{
	char path[] = "/tmp/mr-resolv.XXXXXX";
	struct mr_dns_conf conf;
	struct mr_err err;

	close(mkstemp(path));
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		FILE *f = fopen(path, "w");

		fputs(files[i].lines, f);
		fclose(f);
		ok(mr_dns_conf_read(&conf, path, &err) == MR_OK, "resolv.conf %zu", i);
		is(mr_str(words(&conf)), files[i].want, "its servers and times");
	}
	unlink(path);
	ok(mr_dns_conf_read(&conf, path, &err) == MR_OK, "no resolv.conf");
	is(mr_str(words(&conf)), "127.0.0.1#53 1000ms*3", "is this machine");
	mkdir(path, 0700);
	ok(mr_dns_conf_read(&conf, path, &err) == MR_TEMP, "one that cannot be read is an outage");
	rmdir(path);
}

int
main(void)
{
	struct mr_dns_conf conf;
	struct mr_err err;

	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		bool is_ok = mr_dns_conf_parse(&conf, options[i].text, &err) == MR_OK;

		is(mr_str(is_ok ? words(&conf) : NULL), options[i].want, options[i].text);
	}
	ok(mr_dns_conf_parse(&conf, "file:/x/y", &err) == MR_OK && conf.server_n == 0,
	    "a fixture asks no server");
	is(mr_str(conf.fixture), "/x/y", "its path");
	test_files();
	return done_testing();
}
