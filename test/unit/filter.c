/* What a runner of several filters does: look ahead in rounds on one resolver, then ask. */
#include "filter/filter.h"

#include "../open_dns.h"
#include "../tap.h"
#include "base/io.h"

static const char world[] = "a.example TXT \"v=spf1 include:b.example include:c.example -all\"\n"
                            "b.example TXT \"v=spf1 a ~all\"\n"
                            "b.example A 198.51.100.1\n"
                            "c.example TXT \"v=spf1 ip4:198.51.100.0/24 ~all\"\n";

static struct mr_filter_shared shared;

static void
open_filter(
    struct mr_filter_run *run, const struct mr_filter *filter, int argc, const char *const *args)
{
	struct mr_err err;
	char *argv[8];

	memcpy(argv, args, (size_t)argc * sizeof *argv);
	if (mr_filter_open(run, filter, argc, argv, NULL, NULL, &shared, &err)) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
}

static void
set_env(struct mr_env *env)
{
	mr_env_set(env, MR_STR("client_address"), MR_STR("192.0.2.1"), NULL);
	mr_env_set(env, MR_STR("helo_name"), MR_STR("h.example"), NULL);
	mr_env_set(env, MR_STR("sender"), MR_STR("bob@a.example"), NULL);
}

static void
test_shared(struct mr_dns *dns, const struct mr_env *env)
{
	static const char *const args[] = { "mr-spf", "-N", "mx.example" };
	struct mr_filter_run run;
	struct mr_answer answer;
	uint64_t batches;

	open_filter(&run, &mr_filter_spf, 3, args);
	mr_filter_share(&run, dns);
	mr_filter_look_ahead(&run, env);
	ok(mr_dns_waiting(dns) == 2, "the records of sender and HELO are asked");
	mr_dns_run(dns, MR_NO_DEADLINE);
	mr_filter_look_ahead(&run, env);
	ok(mr_dns_waiting(dns) == 2, "then both includes");
	mr_dns_run(dns, MR_NO_DEADLINE);
	mr_filter_look_ahead(&run, env);
	ok(mr_dns_waiting(dns) == 1, "then an address");
	mr_dns_run(dns, MR_NO_DEADLINE);
	mr_filter_look_ahead(&run, env);
	ok(mr_dns_waiting(dns) == 0, "then nothing");
	batches = mr_dns_stats(dns).batches;
	mr_answer_init(&answer, env->arena);
	mr_filter_ask(&run, env, &answer);
	ok(answer.verdict == MR_REFUSE && mr_dns_stats(dns).batches == batches,
	    "and the filter answers without waiting");
	mr_filter_close(&run);
}

/* Without anybody who looks ahead, and with a resolver of its own. */
static void
test_own(struct mr_dns *dns, const struct mr_env *env)
{
	static const char zone[] = "a.example TXT \"v=spf1 +all\"\n";
	char path[] = "/tmp/mr-filter.XXXXXX", option[64];
	const char *args[] = { "mr-spf", "-D", option };
	struct mr_filter_run run;
	struct mr_answer answer;
	int fd = mkstemp(path);

	if (fd < 0 || mr_io_write(fd, mr_str(zone), NULL))
		exit(111);
	snprintf(option, sizeof option, "file:%s", path);
	open_filter(&run, &mr_filter_spf, 3, args);
	mr_filter_share(&run, dns);
	mr_filter_look_ahead(&run, env);
	ok(mr_dns_waiting(dns) == 0, "-D: the others' resolver is left alone");
	mr_answer_init(&answer, env->arena);
	mr_filter_ask(&run, env, &answer);
	ok(answer.verdict == MR_DUNNO
	        && mr_str_is(mr_attrs_get(&answer.attrs, "spf_result"), "pass"),
	    "-D: its answers count");
	mr_filter_close(&run);
	unlink(path);
}

static void
test_none(struct mr_dns *dns, const struct mr_env *env)
{
	static const char *const args[] = { "mr-access", "test/tables/access" };
	struct mr_filter_run run;

	open_filter(&run, &mr_filter_access, 2, args);
	mr_filter_look_ahead(&run, env);
	ok(mr_dns_waiting(dns) == 0 && !run.has_begun, "a filter that asks no DNS is left alone");
	mr_filter_close(&run);
}

/* A filter that counts what it was asked. */
static enum mr_status
count_open(void **state, const struct mr_filter_conf *conf, struct mr_err *err)
{
	(void)err;
	memcpy(state, &conf, sizeof conf);
	return MR_OK;
}

static enum mr_status
count_envelope(void *state, const struct mr_env *env, struct mr_answer *answer, struct mr_err *err)
{
	const struct mr_filter_conf *conf = state;
	struct mr_store_op op = {
		.verb = MR_STORE_INCR, .key = MR_STR("c1"), .by = 1, .ttl_s = 60
	};
	enum mr_status st = mr_store_run(conf->store, &op, 1, 1000, err);

	(void)env;
	if (st == MR_OK)
		answer->note = mr_arena_fmt(answer->arena, "%d", (int)op.count);
	return st;
}

static const struct mr_filter count = { .name = "count",
	.letters = "",
	.uses_store = true,
	.open = count_open,
	.envelope = count_envelope };

static void
test_store(const struct mr_env *env)
{
	static const char *const args[] = { "count", "-S", "mem:" },
	                         *const bad[] = { "count", "-S", "no:" },
	                         *const spf[] = { "mr-spf", "-S", "mem:" };
	struct mr_filter_run run[2];
	struct mr_answer answer;
	struct mr_err err;
	char *argv[3];

	for (int i = 0; i < 2; i++)
		open_filter(&run[i], &count, 3, args);
	ok(run[0].conf.store && run[0].conf.store == run[1].conf.store, "-S: one store for both");
	for (int i = 0; i < 2; i++) {
		mr_answer_init(&answer, env->arena);
		mr_filter_ask(&run[i], env, &answer);
		ok(mr_str_is(answer.note, i ? "2" : "1"), "each sees what the other stored");
	}
	for (int i = 0; i < 2; i++)
		mr_filter_close(&run[i]);
	open_filter(&run[0], &count, 1, args);
	ok(!run[0].conf.store, "without -S there is none");
	mr_filter_close(&run[0]);
	memcpy(argv, bad, sizeof argv);
	ok(mr_filter_open(&run[0], &count, 3, argv, NULL, NULL, &shared, &err) == MR_USAGE,
	    "no such store: %s", err.text);
	memcpy(argv, spf, sizeof argv);
	ok(mr_filter_open(&run[0], &mr_filter_spf, 3, argv, NULL, NULL, &shared, &err) == MR_USAGE,
	    "a filter that uses none: %s", err.text);
}

static enum mr_status
open_nothing(void **state, const struct mr_filter_conf *conf, struct mr_err *err)
{
	(void)conf;
	(void)err;
	*state = NULL;
	return MR_OK;
}

static enum mr_status
fail(void *state, const struct mr_env *env, struct mr_answer *answer, struct mr_err *err)
{
	(void)state;
	(void)env;
	(void)answer;
	return mr_err_set(err, MR_TEMP, "on purpose");
}

/* A filter that edits and has a fault: "open" means that nobody gets lost. */
static void
test_edit_fault(struct mr_env *env)
{
	static const struct mr_filter broken = { .name = "mr-broken",
		.letters = "",
		.edits = true,
		.open = open_nothing,
		.envelope = fail };
	static const char *const open_args[] = { "mr-broken", "-e", "open" };
	static const char *const args[] = { "mr-broken" };
	struct mr_filter_run run;
	struct mr_answer answer;

	mr_env_add_rcpt(env, MR_STR("x@y.example"), NULL);
	mr_answer_init(&answer, env->arena);
	open_filter(&run, &broken, 3, open_args);
	mr_filter_ask(&run, env, &answer);
	ok(answer.verdict == MR_DUNNO && answer.edited && answer.edited->rcpt_n == 1
	        && mr_str_is(answer.edited->rcpt[0].addr, "x@y.example"),
	    "-e open of an edit filter: the recipients stay as they are");
	mr_filter_close(&run);
	mr_answer_init(&answer, env->arena);
	open_filter(&run, &broken, 1, args);
	mr_filter_ask(&run, env, &answer);
	ok(answer.verdict == MR_DEFER && !answer.edited, "-e defer: later");
	mr_filter_close(&run);
}

int
main(void)
{
	struct mr_arena arena;
	struct mr_env env;
	struct mr_err err;
	struct mr_dns *dns = open_dns(world, 0, &err);

	if (!ok(dns, "the fixture is read"))
		return 1;
	mr_arena_init(&arena, 1 << 20);
	mr_env_init(&env, &arena);
	set_env(&env);
	test_shared(dns, &env);
	test_own(dns, &env);
	test_none(dns, &env);
	test_store(&env);
	test_edit_fault(&env);
	mr_filter_shared_close(&shared);
	mr_arena_free(&arena);
	mr_dns_close(dns);
	return done_testing();
}
