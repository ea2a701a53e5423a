/* stage.c - lib/pipe/stage and lib/pipe/pipeline: opening, what exit codes mean, time, edit stages. */
#include "pipe/stage.h"

#include "../run_pipe.h"

/* ---- exit codes --------------------------------------------------------------------------------- */

/* What all codes from 0 to 255 mean: those listed, and the rest. */
static void
codes_mean(enum mr_codes codes, const char *member, const char *refuse, const char *defer,
    const char *rest, const char *name)
{
	unsigned wrong = 0;

	for (int c = 0; c < 256; c++) {
		char text[16];
		enum mr_verdict v, want = MR_DUNNO;
		bool broken = !mr_stage_verdict(codes, c, &v);
		const char *is_what = rest;

		snprintf(text, sizeof text, " %d ", c);
		is_what = c == 0           ? "dunno"
		    : strstr(member, text) ? "member"
		    : strstr(refuse, text) ? "refuse"
		    : strstr(defer, text)  ? "defer"
		                           : rest;
		want = strcmp(is_what, "member") == 0 ? MR_MEMBER
		    : strcmp(is_what, "refuse") == 0  ? MR_REFUSE
		    : strcmp(is_what, "defer") == 0   ? MR_DEFER
		                                      : MR_DUNNO;
		if (strcmp(is_what, "broken") == 0 ? !broken : broken || v != want) {
			printf("# code %d\n", c);
			wrong++;
		}
	}
	ok(wrong == 0, "exit codes of %s", name);
}

static void
codes(void)
{
	codes_mean(MR_CODES_MR, " 99 ", " 100 ", " 111 ", "broken", "mr");
	codes_mean(MR_CODES_QMAIL, " 99 ",
	    " 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 "
	    "39 "
	    "40 64 65 70 76 77 78 100 112 ",
	    "", "defer", "qmail");
	codes_mean(MR_CODES_SYSEXITS, "", " 65 67 68 69 77 ", " 75 ", "broken", "sysexits");
}

/* A stage over its time is killed with all that it started. */
static void
time_out(void)
{
	char path[300], spec[400];
	int64_t start = mr_clock_mono_ms();

	snprintf(path, sizeof path, "%s/late.out", dir);
	snprintf(spec, sizeof spec, "mail a time=1 late %s\n", path);
	begin(spec);
	ok(upto(MR_MAIL) == MR_DEFER && mr_clock_mono_ms() - start >= 1000, "over time");
	start = mr_clock_mono_ms();
	/* Its child would have written after one second, as long as it took to be killed. */
	while (mr_clock_mono_ms() - start < 2000)
		poll(NULL, 0, 100);
	ok(access(path, F_OK) < 0, "its child is gone with it");
	end_run();
}

/* ---- edit ------------------------------------------------------------------------------------------ */

static void
recipients(const char *want, const char *name)
{
	struct mr_arena arena;
	struct mr_buf b;
	struct mr_env env;

	mr_arena_init(&arena, 1 << 20);
	mr_buf_init(&b, 1 << 20);
	if (mr_run_record(&run, &arena, &env, &err))
		die("record");
	env.attrs.n = 0;
	mr_env_write(&env, &b);
	is(mr_buf_str(&b), want, name);
	mr_buf_free(&b);
	mr_arena_free(&arena);
}

static void
edit_rcpt(void)
{
	const char *spec = "rcpt a edit alias\nrcpt b - say 0\n";

	begin(spec);
	ok(rcpt("all@x.example", 0) == MR_DUNNO, "a group");
	recipients("recipient=b@x.example\noriginal_recipient=all@x.example\n"
	           "recipient=c@x.example\noriginal_recipient=all@x.example\n\n",
	    "its members are the recipients, with the address that was given, canonical");
	ok(rcpt("all@x.example", 0) == MR_DUNNO && rcpt("own@x.example", 0) == MR_DUNNO
	        && rcpt("same@x.example", 0) == MR_DUNNO,
	    "more of them");
	recipients("recipient=b@x.example\noriginal_recipient=all@x.example\n"
	           "recipient=c@x.example\noriginal_recipient=all@x.example\n"
	           "recipient=same@x.example\n\n",
	    "each recipient once; what stays the same has no original");
	mr_run_reset(&run, MR_MAIL);
	rcpt("own@x.example", 0);
	recipients("recipient=b@x.example\noriginal_recipient=list@x.example\ndsn_notify=NEVER\n\n",
	    "a stage may say the recipient's attributes, but none of the message");
	ok(!mr_run_get(&run, "original_recipient").p, "really none");
	ok(rcpt("99@x.example", 0) == MR_DUNNO && run.scope[MR_DATA].env.rcpt_n == 2,
	    "99 and 111 of an edit stage are answers");
	ok(rcpt("111@x.example", 0) == MR_DEFER && run.scope[MR_DATA].env.rcpt_n == 2, "as ever");
	mr_buf_clear(&seen);
	ok(rcpt("none@x.example", 0) == MR_DEFER && logged("printed no recipient"),
	    "no recipient: broken, never lost");
	ok(rcpt("bad@x.example", 0) == MR_DEFER && logged("printed a bad recipient"), "a bad one");
	ok(rcpt("junk@x.example", 0) == MR_DEFER && logged("no '=' in the line"), "no record");
	is(mr_str(r.stage), "a", "and the stage is named");
	ran("a=0! a=0! a=0! ", "as broken");
	end_run();

	begin("rcpt a edit,fail=open alias\nrcpt b - has recipient=none@x.example\n");
	ok(rcpt("none@x.example", 0) == MR_DUNNO, "fail=open: an edit that failed changes nothing");
	recipients("recipient=none@x.example\n\n", "and the recipient stays");
	end_run();

	begin("rcpt a edit alias\nrcpt b class=vip code 99\nrcpt c only=vip has "
	      "recipient=b@x.example "
	      "recipient=c@x.example\n");
	ok(rcpt("all@x.example", 0) == MR_DUNNO, "later stages see what became of it");
	end_run();
}

static void
all_or_nothing(void)
{
	begin("rcpt a edit alias\nrcpt b - if_rcpt r1@x 0 ar=x=many\n");
	ok(rcpt("all@x.example", 0) == MR_DUNNO && rcpt("many@x.example", 0) == MR_DEFER,
	    "over MR_ENV_RCPT_MAX with one recipient");
	ok(run.scope[MR_DATA].env.rcpt_n == 2, "which leaves none of its own behind");
	front("", "and no field");
	end_run();
	begin("rcpt a edit alias\n");
	rcpt("many@x.example", 0);
	ok(rcpt("same@x.example", 0) == MR_DUNNO && rcpt("all@x.example", 0) == MR_DEFER
	        && run.scope[MR_DATA].env.rcpt_n == MR_ENV_RCPT_MAX,
	    "MR_ENV_RCPT_MAX recipients");
	end_run();
}

static void
edit_data(void)
{
	char after[200];

	begin("data a edit upper\ndata b codes=sysexits grep -q ^SUBJECT:\ndata c codes=sysexits "
	      "has_size 20\n");
	rcpt("one@x.example", 0);
	mr_run_set(&run, MR_MAIL, "size", MR_STR("9"), &err);
	ok(data("Subject: x\r\n\r\nbody\r\n", after, sizeof after) == MR_DUNNO, "edit");
	is(mr_str(after), "SUBJECT: X\r\n\r\nBODY\r\n", "LF becomes CRLF");
	ok(!logged("event"), "and nothing is worth a line");
	is(mr_run_get(&run, "size"), "20", "size is that of the new message");
	end_run();

	begin("data a edit code 0\n");
	ok(data("A: b\r\n", after, sizeof after) == MR_DEFER && logged("printed no message"),
	    "no message is broken");
	end_run();
	begin("data a edit cr\n");
	ok(data("A: b\r\n", after, sizeof after) == MR_DEFER && logged("bare CR"), "bare CR, too");
	is(mr_str(after), "A: b\r\n", "the message stays");
	is(mr_str(r.stage), "a", "and the stage is named");
	end_run();
	begin("data a edit,fail=open cr\ndata b edit,warn upper\ndata c edit say 100 "
	      "action=REJECT~x\n");
	ok(data("A: b\r\n", after, sizeof after) == MR_REFUSE, "a refusal of an edit stage");
	is(r.text, "x", "has words");
	is(mr_str(after), "A: b\r\n", "fail=open and warn leave the message alone");
	end_run();
}

/* ---- opening ---------------------------------------------------------------------------------- */

static void
cannot_open(const char *spec, const char *want)
{
	enum mr_status st = open_spec(spec);

	if (!ok(st == MR_PERM && strstr(err.text, want), "%s", want))
		printf("# got %d %s\n", st, err.text);
	mr_pipeline_close(&pl);
}

static void
opening(void)
{
	char spec[600];

	cannot_open(
	    "mail a - no_such_program\n", "line 1: stage 'a': no program 'no_such_program'");
	cannot_open("\nmail a - /tmp\n", "line 2: stage 'a': no program '/tmp'");
	for (int i = 0; i < 2; i++) { /* to be executed or not */
		conf.exec_all = i;
		cannot_open("mail a - mr-access\n", "line 1: stage 'a': need exactly one table");
		cannot_open("mail a - mr-access /none\n", "No such file");
		snprintf(spec, sizeof spec, "rcpt a edit mr-access %s/table\n", dir);
		cannot_open(spec, "mr-access does not edit");
		snprintf(spec, sizeof spec, "rcpt a codes=qmail mr-access %s/table\n", dir);
		cannot_open(spec, "mr-access needs codes=mr");
		snprintf(spec, sizeof spec, "rcpt a - mr-access -n %s/table\n", dir);
		cannot_open(spec, "for use by hand; for -n say warn");
		snprintf(spec, sizeof spec, "rcpt a - mr-access -l %s/table\n", dir);
		cannot_open(spec, "for use by hand");
	}
	conf.exec_all = false;
	ok(mr_pipeline_open(&pl, "/none/spec", &conf, &err) == MR_NOTFOUND, "no spec");
	mr_pipeline_close(&pl);
	ok(mr_pipeline_open(&pl, NULL, &conf, &err) == MR_OK && pl.n == 0, "the empty pipeline");
	mr_run_init(&run, &pl);
	ok(upto(MR_MAIL) == MR_DUNNO && rcpt("a@b", 0) == MR_DUNNO && any_data() == MR_DUNNO,
	    "has no objection");
	end_run();
	snprintf(spec, sizeof spec, "mail a class=vip mr-access %s/table\nmail b only=vip code 0\n",
	    dir);
	begin(spec);
	mr_run_set(&run, MR_CONNECT, "client_address", MR_STR("192.0.2.1"), &err);
	upto(MR_MAIL);
	ran("a=99 b=0 ", "an own filter in the process");
	ok(!mr_pipeline_executes(&pl) || pl.step[1].argv, "b is executed");
	end_run();
}

int
main(void)
{
	char path[600];

	fixture_begin(path, sizeof path);
	codes();
	time_out();
	edit_rcpt();
	all_or_nothing();
	edit_data();
	opening();
	fixture_end();
	return done_testing();
}
