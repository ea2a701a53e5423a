/* forward.c - lib/queue/forward: which recipients are forwarded, and the files for it. */
#include "queue/state.h"

#include "../open_table.h"
#include "../tap.h"

static struct mr_arena arena;
static struct mr_err err;
static struct mr_sched sched;

static const char routes[] = "ours.example 127.0.0.1:1\nlocal.example local\n.sub.example local\n";

/* True if `sender`'s mail for `rcpt`, first called `original`, leaves under another sender. */
static bool
is_forwarded(const char *sender, const char *rcpt, const char *original)
{
	struct mr_rcpt r = { .addr = mr_str(rcpt) };
	struct mr_route route;
	bool is;

	if (original)
		mr_attrs_set(
		    &r.attrs, &arena, MR_STR("original_recipient"), mr_str(original), &err);
	if (mr_route_find(sched.routes, mr_str_from(r.addr, (size_t)mr_str_rchr(r.addr, '@') + 1),
	        &route, &err)
	    || mr_queue_is_forwarded(&is, &sched, mr_str(sender), &r, &route, &err)) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
	return is;
}

static void
test_who(void)
{
#define FAR   "eve@provider.example"
#define ALIAS "team@ours.example"
	ok(is_forwarded("a@far.example", FAR, ALIAS), "forwarded elsewhere for a stranger");
	ok(is_forwarded("a@far.example", FAR, "x@local.example"), "for another domain of ours");
	ok(!is_forwarded("a@far.example", FAR, NULL), "not forwarded");
	ok(!is_forwarded("", FAR, ALIAS), "the null sender");
	ok(!is_forwarded("a@ours.example", FAR, ALIAS), "a sender of ours");
	ok(!is_forwarded("a@local.example", FAR, ALIAS), "a local one");
	ok(!is_forwarded("a@x.sub.example", FAR, ALIAS), "one below a domain of ours");
	ok(!is_forwarded("a@far.example", "bob@ours.example", ALIAS), "within a domain");
	ok(!is_forwarded("a@far.example", "bob@local.example", ALIAS), "between ours");
	ok(!is_forwarded("a@far.example", FAR, "other@Provider.example"), "within one far away");
}

static void
test_files(const char *keys)
{
	char name[] = "/tmp/mr-forward.XXXXXX";
	struct mr_sched_conf conf = {
		.routes = name, .srs_keys = keys, .srs_domain = "ours.example"
	};
	struct mr_table *table;
	struct mr_srs srs;
	int fd = mkstemp(name);

	ok(fd >= 0 && mr_io_write(fd, mr_str(routes), &err) == MR_OK, "routes");
	close(fd);
	ok(mr_queue_open_files(&conf, &table, &srs, &err) == MR_OK && table && srs.key_n == 1,
	    "both files");
	mr_table_close(table);
	mr_srs_free(&srs);
	conf.srs_domain = "far.example";
	ok(mr_queue_open_files(&conf, &table, &srs, &err) == MR_USAGE && !table && !srs.key_n,
	    "a domain that is not ours");
	is(mr_str(err.text),
	    "domain far.example is not ours by the routes: bounces would not come back", "says so");
	conf.srs_domain = "ours.example";
	conf.srs_keys = "/nonexistent";
	ok(mr_queue_open_files(&conf, &table, &srs, &err) == MR_USAGE && !table, "no keys");
	conf = (struct mr_sched_conf){ .srs_keys = keys, .srs_domain = "ours.example" };
	ok(mr_queue_open_files(&conf, &table, &srs, &err) == MR_USAGE, "no routes");
	conf.srs_keys = NULL;
	ok(mr_queue_open_files(&conf, &table, &srs, &err) == MR_OK && !table && !srs.key_n,
	    "neither");
	unlink(name);
}

int
main(void)
{
	char keys[] = "/tmp/mr-forward.XXXXXX";
	int fd = mkstemp(keys);

	mr_arena_init(&arena, 1 << 20);
	if (fd < 0 || mr_io_write(fd, MR_STR("0123456789abcdef\n"), &err)
	    || mr_srs_open(&sched.srs, keys, MR_STR("ours.example"), &err))
		return 1;
	close(fd);
	sched.routes = open_text(routes, MR_TABLE_ROUTES);
	test_who();
	test_files(keys);
	unlink(keys);
	mr_srs_free(&sched.srs);
	ok(!is_forwarded("a@far.example", FAR, ALIAS), "without keys all stay");
	mr_table_close(sched.routes);
	mr_arena_free(&arena);
	return done_testing();
}
