/* mr-dnscheck - whether the DNS of a mail domain is right, and what to publish instead. */
#include "base/clock.h"
#include "base/host.h"
#include "base/io.h"
#include "base/opt.h"
#include "check/dnsrecord.h"
#include "check/dnsreport_show.h"
#include "mail/addr.h"
#include "mail/idn.h"
#include "smtp/probe.h"
#include "ui/columns.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define OPTIONS_MEMORY (4u << 20)  /* bytes */
#define DNS_MEMORY     (16u << 20) /* bytes of answers on one domain */
#define OUT_MAX        (16u << 20) /* bytes of one report */
#define NAMES_MEMORY   4096u       /* bytes of one name, and its A-labels */
#define SMTP_PORT      25u
#define LISTS_MAX      64u
#define STDIN_LINE_MAX 4096u /* bytes of a line of stdin */
#define TIME_S         5u    /* for all that is asked on one domain */
#define ATTEMPT_MS     1400u
#define ATTEMPTS       2u

enum { EXIT_FAIL = 2, EXIT_NO_DOMAIN = 100, EXIT_FAULT = 111 };

static const char usage_text[] =
    "usage: mr-dnscheck [--json | --fix] [--server HOST:PORT] [--ip ADDR]... [--helo NAME]\n"
    "                   [--selector SEL]... [--key SEL=FILE]... [--guess] [--dnsbl ZONE]...\n"
    "                   [--name-list ZONE]... [--profile mailbox|relay|nomail] [--trust-ad]\n"
    "                   [--time SECONDS] [--watch SECONDS] [--zone FILE]\n"
    "                   [--connect] [--port PORT] DOMAIN | - < domains\n"
    "       mr-dnscheck [--server HOST:PORT] [--time SECONDS] a|mx|ptr|spf|dkim|dmarc NAME\n";

static const char letters[] = "jFD:i:h:s:k:gb:B:p:aT:w:z:cP:";

static const struct mr_opt_name names[] = { { "json", 'j' }, { "fix", 'F' }, { "server", 'D' },
	{ "ip", 'i' }, { "helo", 'h' }, { "selector", 's' }, { "key", 'k' }, { "guess", 'g' },
	{ "dnsbl", 'b' }, { "name-list", 'B' }, { "profile", 'p' }, { "trust-ad", 'a' },
	{ "time", 'T' }, { "connect", 'c' }, { "port", 'P' }, { "zone", 'z' }, { "watch", 'w' },
	{ NULL, 0 } };

/* Selectors that providers and programs use when nobody chooses one. */
static const char *const well_known[] = { "default", "dkim", "mail", "google", "selector1",
	"selector2", "s1", "s2", "k1", "k2", "k3", "key1", "key2", "mx", "smtp", "email", "dkim1",
	"dkim2", "sig1", "mandrill", "pm", "zoho", "fm1", "fm2", "fm3", "protonmail", "protonmail2",
	"protonmail3", "everlytickey1", "mxvault", "amazonses", "x" };

enum style { STYLE_TABLE, STYLE_JSON, STYLE_FIX };

struct options {
	enum style style;
	struct mr_arena arena;
	struct mr_dns_conf dns;
	struct mr_dnsreport_query query;
	struct mr_ip ip[MR_DNSREPORT_IP_MAX];
	struct mr_dnsreport_selector selector[MR_DNSREPORT_SELECTOR_MAX];
	struct mr_dnsbl_site list[LISTS_MAX], name_list[LISTS_MAX];
	struct mr_spf_matcher *matcher;
	struct mr_orgdomain *org;
	uint64_t time_s, watch_s;
	const char *zone;
	uint64_t port;
	struct mr_host host;
	bool is_connecting, is_guessing, has_server, is_ad_trusted;
	char chance[32];
};

/* ---- options -------------------------------------------------------------------------------------- */

static enum mr_status
too_many(struct mr_err *err, const char *what)
{
	return mr_err_set(err, MR_USAGE, "too many %s", what);
}

static struct mr_dnsreport_selector *
find_selector(struct options *o, struct mr_str name, struct mr_err *err)
{
	struct mr_str owner;

	if (mr_dkim_owner(&owner, &o->arena, name, MR_STR("example.org"), err))
		return NULL;
	for (size_t i = 0; i < o->query.selector_n; i++)
		if (mr_str_caseeq(o->selector[i].name, name))
			return &o->selector[i];
	if (o->query.selector_n == MR_DNSREPORT_SELECTOR_MAX) {
		too_many(err, "selectors");
		return NULL;
	}
	o->selector[o->query.selector_n] = (struct mr_dnsreport_selector){ .name = name };
	return &o->selector[o->query.selector_n++];
}

/* "SEL=FILE": of the key only the public half is kept. */
static enum mr_status
take_key(struct options *o, const char *arg, struct mr_err *err)
{
	ptrdiff_t eq = mr_str_chr(mr_str(arg), '=');
	struct mr_dnsreport_selector *s;
	struct mr_pkey *key = NULL;
	struct mr_buf text, half;
	enum mr_status st;
	struct mr_err why;

	if (eq <= 0)
		return mr_err_set(err, MR_USAGE, "--key %s: need SELECTOR=FILE", arg);
	if (!(s = find_selector(o, (struct mr_str){ arg, (size_t)eq }, err)))
		return MR_USAGE;
	s->file = arg + eq + 1;
	mr_buf_init(&text, MR_PKEY_FILE_MAX);
	mr_buf_init(&half, MR_PKEY_FILE_MAX);
	st = mr_io_read_file(s->file, &text, &why);
	if (st == MR_OK)
		st = mr_pkey_parse(&key, mr_buf_str(&text), &why);
	if (st == MR_OK)
		st = mr_pkey_public(key, &half, &why);
	if (st == MR_OK) {
		s->kind = mr_pkey_kind(key);
		s->key = mr_arena_dup(&o->arena, mr_buf_str(&half));
	} else
		mr_err_set(err, st, "--key %s: %s", s->file, why.text);
	if (text.cap)
		explicit_bzero(text.p, text.cap);
	mr_pkey_free(key);
	mr_buf_free(&text);
	mr_buf_free(&half);
	return st ? MR_USAGE : MR_OK;
}

static enum mr_status
take_list(struct mr_dnsbl_site *list, size_t *n, const char *arg, struct mr_err *err)
{
	return *n == LISTS_MAX ? too_many(err, "lists")
	                       : mr_dnsbl_site_parse(&list[(*n)++], mr_str(arg), err);
}

static enum mr_status
take_ip(struct options *o, const char *arg, struct mr_err *err)
{
	if (o->query.ip_n == MR_DNSREPORT_IP_MAX)
		return too_many(err, "addresses");
	return mr_ip_parse(&o->ip[o->query.ip_n++], mr_str(arg)) == MR_OK
	    ? MR_OK
	    : mr_err_set(err, MR_USAGE, "--ip %s: not an address", arg);
}

/* A name as the DNS has it: A-labels, lower case, no final dot. */
static enum mr_status
take_name(struct mr_arena *arena, struct mr_str *name, struct mr_str text, struct mr_err *err)
{
	enum mr_status st;

	if (text.n && text.p[text.n - 1] == '.')
		text.n--;
	st = mr_domain_to_ascii(name, arena, text, err);
	if (st == MR_OK && !mr_dnsreport_is_ldh(*name))
		st = mr_err_set(err, MR_PERM, "'%.*s' is not a domain name",
		    (int)(text.n < 300 ? text.n : 300), text.p);
	if (st == MR_OK && !(*name = mr_arena_lower(arena, *name)).p)
		st = mr_err_set(err, MR_TEMP, "out of memory");
	return st;
}

static enum mr_status
take_profile(struct options *o, const char *arg, struct mr_err *err)
{
	static const char *const words[] = { [MR_PROFILE_MAILBOX] = "mailbox",
		[MR_PROFILE_RELAY] = "relay",
		[MR_PROFILE_NOMAIL] = "nomail" };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(arg, words[i]) == 0) {
			o->query.profile = (enum mr_dnsreport_profile)i;
			return MR_OK;
		}
	return mr_err_set(err, MR_USAGE, "--profile %s: need mailbox, relay or nomail", arg);
}

static enum mr_status
take_option(struct options *o, int c, const char *arg, struct mr_err *err)
{
	switch (c) {
	case 'j':
		o->style = STYLE_JSON;
		return MR_OK;
	case 'F':
		o->style = STYLE_FIX;
		return MR_OK;
	case 'D':
		o->has_server = true;
		return mr_dns_conf_parse(&o->dns, arg, err);
	case 'i':
		return take_ip(o, arg, err);
	case 'h':
		return take_name(&o->arena, &o->query.helo, mr_str(arg), err) ? MR_USAGE : MR_OK;
	case 's':
		return find_selector(o, mr_str(arg), err) ? MR_OK : MR_USAGE;
	case 'k':
		return take_key(o, arg, err);
	case 'g':
		o->is_guessing = true;
		return MR_OK;
	case 'b':
		return take_list(o->list, &o->query.list_n, arg, err);
	case 'B':
		return take_list(o->name_list, &o->query.name_list_n, arg, err);
	case 'p':
		return take_profile(o, arg, err);
	case 'a':
		o->is_ad_trusted = true;
		return MR_OK;
	case 'c':
		o->is_connecting = true;
		return MR_OK;
	case 'P':
		return mr_opt_num('P', arg, 1, 65535, &o->port, err);
	case 'z':
		o->zone = arg;
		return MR_OK;
	case 'w':
		return mr_opt_span_s('w', arg, 1, 86400, &o->watch_s, err);
	default:
		return mr_opt_num('T', arg, 1, 600, &o->time_s, err);
	}
}

static void
guess_selectors(struct options *o)
{
	for (size_t i = 0; i < sizeof well_known / sizeof *well_known; i++) {
		size_t n = o->query.selector_n;
		struct mr_dnsreport_selector *s = find_selector(o, mr_str(well_known[i]), NULL);

		if (s && o->query.selector_n > n)
			s->is_guessed = true;
	}
}

/* ---- asking --------------------------------------------------------------------------------------- */

static bool
is_on_this_host(const struct mr_dns_conf *conf)
{
	static const uint8_t loopback_v6[16] = { [15] = 1 };

	for (size_t i = 0; i < conf->server_n; i++) {
		const struct mr_ip *ip = &conf->server[i].ip;

		if (ip->is_v6 ? memcmp(ip->b, loopback_v6, 16) != 0 : ip->b[0] != 127)
			return false;
	}
	return true;
}

/* What all domains need. */
static enum mr_status
prepare(struct options *o, struct mr_err *err)
{
	uint64_t chance;
	enum mr_status st = MR_OK;

	if (!o->has_server)
		st = mr_dns_conf_read(&o->dns, MR_DNS_RESOLV_CONF, err);
	o->dns.attempt_ms = ATTEMPT_MS;
	o->dns.attempts = ATTEMPTS;
	o->dns.memory_max = DNS_MEMORY;
	o->dns.zone = o->zone;
	o->dns.is_ad_trusted = o->is_ad_trusted;
	if (o->is_guessing)
		guess_selectors(o);
	if (getrandom(&chance, sizeof chance, 0) != sizeof chance)
		st = mr_err_sys(err, MR_TEMP, "random bytes");
	snprintf(o->chance, sizeof o->chance, "mr%016llx", (unsigned long long)chance);
	o->query.chance = mr_str(o->chance);
	o->query.ip = o->ip;
	o->query.selector = o->selector;
	o->query.list = o->list;
	o->query.name_list = o->name_list;
	o->query.is_ad_trusted = o->is_ad_trusted || is_on_this_host(&o->dns);
	o->query.now_s = mr_clock_now_s();
	if (st == MR_OK && o->is_connecting)
		st = mr_host_read(&o->host, err);
	if (st == MR_OK)
		st = mr_orgdomain_open(&o->org, err);
	if (st == MR_OK)
		st = mr_spf_matcher_open(&o->matcher, err);
	o->query.org = o->org;
	o->query.matcher = o->matcher;
	return st;
}

/* On a terminal only; an empty text wipes it away. */
static void
show_progress(const struct mr_dns *dns, bool is_over)
{
	struct mr_dns_stats stats = mr_dns_stats(dns);
	struct mr_buf b;

	if (!isatty(2))
		return;
	mr_buf_init(&b, 200);
	mr_buf_adds(&b, "\r\033[K");
	if (!is_over)
		mr_buf_addf(&b, "asking %zu questions, %llu answered ...", mr_dns_waiting(dns),
		    (unsigned long long)stats.questions);
	mr_io_write(2, mr_buf_str(&b), NULL);
	mr_buf_free(&b);
}

/* A round gets 70 % of the time that is left: a server that is away, of a list say, must not take that of what
 * is asked next. */
static void
run_round(struct mr_dns *dns, int64_t deadline_ms)
{
	int64_t now_ms = mr_clock_mono_ms(), left_ms = deadline_ms - now_ms;

	mr_dns_run(dns, left_ms > 0 ? now_ms + left_ms * 7 / 10 : deadline_ms);
}

static enum mr_status
ask(struct options *o, struct mr_dnsreport *report, struct mr_arena *arena, struct mr_err *err)
{
	int64_t deadline_ms = mr_clock_mono_ms() + (int64_t)o->time_s * 1000;
	struct mr_dns *dns;
	enum mr_status st = mr_dns_open(&dns, &o->dns, err);

	if (st)
		return st;
	for (unsigned round = 0; round < MR_DNSREPORT_ROUNDS_MAX; round++) {
		mr_arena_free(arena);
		st = mr_dnsreport_check(report, &o->query, dns, arena, err);
		if (st != MR_NOTFOUND)
			break;
		show_progress(dns, false);
		run_round(dns, deadline_ms);
	}
	show_progress(dns, true);
	if (st == MR_NOTFOUND)
		st = mr_err_set(err, MR_TEMP, "no end of questions");
	if (st == MR_OK && o->is_connecting) {
		struct mr_probe probe = { .domain = o->query.domain,
			.own_name = mr_str(o->host.name),
			.port = (unsigned)o->port };

		st = mr_probe_run(report, &probe, dns, deadline_ms, arena, err);
	}
	mr_dns_close(dns);
	return st;
}

/* ---- one domain ----------------------------------------------------------------------------------- */

static enum mr_status
render(const struct options *o, struct mr_buf *out, const struct mr_dnsreport *report,
    struct mr_str domain, struct mr_arena *arena, struct mr_err *err)
{
	if (o->style == STYLE_JSON)
		mr_dnsreport_json(out, report, domain);
	else if (o->style == STYLE_FIX)
		mr_dnsreport_zone(out, report);
	else
		mr_dnsreport_table(out, report, domain, arena, isatty(1));
	return out->is_full ? mr_err_set(err, MR_TEMP, "out of memory") : MR_OK;
}

/* The report, written to `out`, and the exit code for it. */
static enum mr_status
check_domain(
    struct options *o, struct mr_str text, struct mr_buf *out, int *code, struct mr_err *err)
{
	struct mr_arena arena, name;
	struct mr_str domain = text;
	struct mr_dnsreport report;
	enum mr_status st;

	mr_arena_init(&arena, MR_DNSREPORT_MEMORY_MAX);
	mr_arena_init(&name, NAMES_MEMORY);
	st = take_name(&name, &o->query.domain, text, err);
	if (st == MR_PERM) {
		st = mr_dnsreport_no_domain(&report, text, &arena);
		*code = EXIT_NO_DOMAIN;
	} else if (st == MR_OK) {
		domain = o->query.domain;
		o->dns.zone_origin = domain.p; /* NUL-terminated: of an arena */
		st = ask(o, &report, &arena, err);
		*code = st ? EXIT_FAULT : mr_dnsreport_exit(&report);
	}
	if (st == MR_OK)
		st = render(o, out, &report, domain, &arena, err);
	mr_arena_free(&arena);
	mr_arena_free(&name);
	return st;
}

/* Shows the report; with --watch again whenever it has changed, until nothing is wrong. */
static enum mr_status
check_until_right(struct options *o, struct mr_str text, int *code, struct mr_err *err)
{
	struct mr_buf now, last;
	enum mr_status st;

	mr_buf_init(&now, OUT_MAX);
	mr_buf_init(&last, OUT_MAX);
	while ((st = check_domain(o, text, &now, code, err)) == MR_OK) {
		if (!mr_str_eq(mr_buf_str(&now), mr_buf_str(&last)))
			st = mr_io_write(1, mr_buf_str(&now), err);
		if (st || !o->watch_s || *code == 0 || *code == EXIT_NO_DOMAIN)
			break;
		mr_buf_clear(&last);
		mr_buf_add(&last, mr_buf_str(&now));
		mr_buf_clear(&now);
		sleep((unsigned)o->watch_s);
	}
	mr_buf_free(&now);
	mr_buf_free(&last);
	return st;
}

/* ---- several domains ------------------------------------------------------------------------------- */

/* The exit code of several: a failure, then what is not known, then a warning. */
static int
worse(int a, int b)
{
	static const int order[] = { 0, 1, EXIT_FAULT, EXIT_FAIL };
	size_t rank_a = 0, rank_b = 0;

	a = a == EXIT_NO_DOMAIN ? EXIT_FAIL : a;
	b = b == EXIT_NO_DOMAIN ? EXIT_FAIL : b;
	for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
		rank_a = order[i] == a ? i : rank_a;
		rank_b = order[i] == b ? i : rank_b;
	}
	return rank_a > rank_b ? a : b;
}

/* A domain a line; empty lines and those that begin with '#' are passed over. */
static enum mr_status
check_lines(struct options *o, int *code, struct mr_err *err)
{
	struct mr_reader r;
	struct mr_str line;
	enum mr_status st = mr_reader_init(&r, 0, STDIN_LINE_MAX, err);

	if (st)
		return st;
	*code = 0;
	while ((st = mr_reader_line(&r, &line, MR_NO_DEADLINE, err)) == MR_OK) {
		struct mr_buf out;
		int one = EXIT_FAULT;

		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		line = mr_str_trim(line);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		mr_buf_init(&out, OUT_MAX);
		st = check_domain(o, line, &out, &one, err);
		if (st == MR_OK)
			st = mr_io_write(1, mr_buf_str(&out), err);
		mr_buf_free(&out);
		if (st)
			break;
		*code = worse(*code, one);
	}
	mr_reader_free(&r);
	return st == MR_NOTFOUND ? MR_OK : st;
}

/* ---- one record ------------------------------------------------------------------------------------ */

static enum mr_status
find_record(struct options *o, struct mr_dnsrecord *record, enum mr_dnsrecord_kind kind,
    struct mr_str name, struct mr_dns *dns, struct mr_arena *arena, struct mr_err *err)
{
	int64_t deadline_ms = mr_clock_mono_ms() + (int64_t)o->time_s * 1000;
	enum mr_status st = MR_NOTFOUND;

	for (unsigned round = 0; st == MR_NOTFOUND && round < MR_DNSREPORT_ROUNDS_MAX; round++) {
		run_round(dns, deadline_ms);
		mr_arena_free(arena);
		st = mr_dnsrecord_look_up(record, kind, name, o->org, dns, arena, err);
	}
	return st == MR_NOTFOUND ? mr_err_set(err, MR_TEMP, "no end of questions") : st;
}

/* Lines on fd 1, what is wrong on fd 2. */
static enum mr_status
show_record(const struct mr_dnsrecord *record, int *code, struct mr_err *err)
{
	static const int codes[] = {
		[MR_RECORD_GOOD] = 0, [MR_RECORD_BAD] = EXIT_FAIL, [MR_RECORD_UNKNOWN] = EXIT_FAULT
	};
	struct mr_buf out, why;
	enum mr_status st;

	*code = codes[record->state];
	mr_buf_init(&out, OUT_MAX);
	mr_buf_init(&why, OUT_MAX);
	for (size_t i = 0; i < record->n; i++) {
		mr_colour_write(&out, record->line[i], MR_PLAIN, false);
		mr_buf_addc(&out, '\n');
	}
	if (record->why.p) {
		mr_buf_adds(&why, "mr-dnscheck: ");
		mr_colour_write(&why, record->why, MR_PLAIN, false);
		mr_buf_addc(&why, '\n');
	}
	st = mr_io_write(1, mr_buf_str(&out), err);
	mr_io_write(2, mr_buf_str(&why), NULL);
	mr_buf_free(&out);
	mr_buf_free(&why);
	return st;
}

static enum mr_status
check_record(
    struct options *o, enum mr_dnsrecord_kind kind, const char *arg, int *code, struct mr_err *err)
{
	struct mr_str name = mr_str(arg);
	struct mr_dnsrecord record;
	struct mr_dns *dns = NULL;
	struct mr_arena arena;
	enum mr_status st = mr_dns_open(&dns, &o->dns, err);

	mr_arena_init(&arena, MR_DNSREPORT_MEMORY_MAX);
	if (st == MR_OK && name.n > 1 && name.p[name.n - 1] == '.')
		name.n--;
	if (st == MR_OK && kind != MR_RECORD_PTR && mr_domain_to_ascii(&name, &o->arena, name, err))
		st = MR_USAGE;
	if (st == MR_OK)
		st = find_record(o, &record, kind, name, dns, &arena, err);
	if (st == MR_OK)
		st = show_record(&record, code, err);
	mr_arena_free(&arena);
	mr_dns_close(dns);
	return st;
}

/* ---- the command ----------------------------------------------------------------------------------- */

static enum mr_status
run(struct options *o, int argc, char *const *argv, int *code, struct mr_err *err)
{
	enum mr_dnsrecord_kind kind;
	bool is_list = argc == 1 && strcmp(argv[0], "-") == 0;
	bool is_record = argc == 2 && mr_dnsrecord_kind(&kind, argv[0]);
	enum mr_status st;

	if (argc != 1 && !is_record)
		return mr_err_set(err, MR_USAGE, "need one domain, or - for a list on stdin");
	if (o->watch_s && (is_list || is_record))
		return mr_err_set(err, MR_USAGE, "--watch is for one domain");
	if ((st = prepare(o, err)))
		return MR_TEMP;
	st = is_record ? check_record(o, kind, argv[1], code, err)
	    : is_list  ? check_lines(o, code, err)
	               : check_until_right(o, mr_str(argv[0]), code, err);
	return st;
}

int
main(int argc, char *argv[])
{
	struct options *o = calloc(1, sizeof *o);
	struct mr_opt opt = { .argc = argc, .argv = argv, .letters = letters, .names = names };
	int code = EXIT_FAULT, c;
	struct mr_err err = { "out of memory" };
	enum mr_status st = MR_OK;

	if (!o || mr_io_std_fds(&err)) {
		free(o);
		return EXIT_FAULT;
	}
	mr_arena_init(&o->arena, OPTIONS_MEMORY);
	o->time_s = TIME_S;
	o->port = SMTP_PORT;
	signal(SIGPIPE, SIG_IGN); /* of a server that hangs up while we shake hands */
	while (st == MR_OK && (c = mr_opt_next(&opt, &err)) != 0)
		st = c < 0 ? MR_USAGE : take_option(o, c, opt.arg, &err);
	if (st == MR_OK)
		st = run(o, argc - opt.at, argv + opt.at, &code, &err);
	if (st == MR_USAGE)
		mr_opt_usage("mr-dnscheck", &err, usage_text);
	else if (st)
		fprintf(stderr, "mr-dnscheck: %s\n", err.text);
	mr_spf_matcher_close(o->matcher);
	mr_orgdomain_close(o->org);
	mr_arena_free(&o->arena);
	free(o);
	return st ? EXIT_FAULT : code;
}
