/* The two ways to fill struct mr_dns_conf. */
#include "base/io.h"
#include "dns/dns.h"

#include <net/if.h>
#include <string.h>

#define FILE_MAX      65536u /* bytes of resolv.conf */
#define ATTEMPT_MS    1000u
#define ATTEMPTS      3u
#define ATTEMPT_MAX_S 30u /* libresolv's limits */
#define ATTEMPTS_MAX  5u
#define NO_SERVER     "127.0.0.1"

/* "fe80::1%eth0": the name or number of an interface behind an address. */
static bool
parse_address(struct mr_dns_server *s, struct mr_str text)
{
	ptrdiff_t percent = mr_str_chr(text, '%');
	char name[IF_NAMESIZE] = "";
	struct mr_str zone;
	uint64_t number;

	if (percent < 0)
		return mr_ip_parse(&s->ip, text) == MR_OK;
	zone = mr_str_from(text, (size_t)percent + 1);
	if (zone.n == 0 || zone.n >= sizeof name)
		return false;
	memcpy(name, zone.p, zone.n);
	s->scope = mr_str_num(zone, UINT32_MAX, &number) ? (unsigned)number : if_nametoindex(name);
	return s->scope && mr_ip_parse(&s->ip, (struct mr_str){ text.p, (size_t)percent }) == MR_OK
	    && s->ip.is_v6;
}

/* "192.0.2.1", and with a port: "192.0.2.1:53", "[2001:db8::1]:53", "2001:db8::1#53". */
static bool
parse_server(struct mr_dns_server *s, struct mr_str text)
{
	ptrdiff_t sep = mr_str_rchr(text, '#');
	uint64_t port = MR_DNS_PORT;

	*s = (struct mr_dns_server){ .scope = 0 };
	if (sep < 0
	    && (mr_str_starts(text, "[") || mr_str_chr(text, ':') == mr_str_rchr(text, ':')))
		sep = mr_str_rchr(text, ':');
	if (sep >= 0 && text.n && text.p[0] == '[' && text.p[sep - 1] != ']')
		sep = -1; /* a colon of the address itself */
	if (sep >= 0) {
		if (!mr_str_num(mr_str_from(text, (size_t)sep + 1), 65535, &port) || port == 0)
			return false;
		text.n = (size_t)sep;
	}
	if (text.n > 1 && text.p[0] == '[' && text.p[text.n - 1] == ']')
		text = (struct mr_str){ text.p + 1, text.n - 2 };
	s->port = (unsigned)port;
	return parse_address(s, text);
}

static void
defaults(struct mr_dns_conf *conf)
{
	*conf = (struct mr_dns_conf){ .attempt_ms = ATTEMPT_MS, .attempts = ATTEMPTS };
}

/* "timeout:2": a number over the limit is the limit. */
static void
take_option(struct mr_dns_conf *conf, struct mr_str word)
{
	static const struct {
		const char *name;
		unsigned max;
	} known[] = { { "timeout:", ATTEMPT_MAX_S }, { "attempts:", ATTEMPTS_MAX } };

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		uint64_t n;

		if (!mr_str_starts(word, known[i].name)
		    || !mr_str_num(mr_str_from(word, strlen(known[i].name)), UINT32_MAX, &n)
		    || n == 0)
			continue;
		n = n > known[i].max ? known[i].max : n;
		if (i == 0)
			conf->attempt_ms = (unsigned)n * 1000;
		else
			conf->attempts = (unsigned)n;
	}
}

static void
take_line(struct mr_dns_conf *conf, struct mr_str line)
{
	struct mr_str key = mr_str_word(&line), word;

	if (mr_str_is(key, "nameserver") && conf->server_n < MR_DNS_SERVER_MAX)
		conf->server_n += parse_server(&conf->server[conf->server_n], mr_str_word(&line));
	else if (mr_str_is(key, "options"))
		while ((word = mr_str_word(&line)).n)
			take_option(conf, word);
}

enum mr_status
mr_dns_conf_read(struct mr_dns_conf *conf, const char *path, struct mr_err *err)
{
	struct mr_str rest, line;
	enum mr_status st;
	struct mr_buf b;

	defaults(conf);
	mr_buf_init(&b, FILE_MAX);
	st = mr_io_read_file(path, &b, err);
	rest = mr_buf_str(&b);
	while (st == MR_OK && mr_str_split(&rest, '\n', &line))
		take_line(conf, line);
	mr_buf_free(&b);
	if (st != MR_OK && st != MR_NOTFOUND)
		return MR_TEMP;
	if (conf->server_n == 0)
		conf->server_n += parse_server(&conf->server[0], MR_STR(NO_SERVER));
	return MR_OK;
}

enum mr_status
mr_dns_conf_parse(struct mr_dns_conf *conf, const char *text, struct mr_err *err)
{
	defaults(conf);
	if (mr_str_starts(mr_str(text), "file:")) {
		conf->fixture = text + strlen("file:");
		return MR_OK;
	}
	conf->server_n = 1;
	return parse_server(&conf->server[0], mr_str(text))
	    ? MR_OK
	    : mr_err_set(err, MR_USAGE,
	        "'%s' is not a resolver; write ADDRESS, ADDRESS:PORT or [IPv6]:PORT", text);
}
