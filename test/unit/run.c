/* run.c - lib/pipe/run: classes and their scopes, refusals that stand, what a stage may say. */
#include "pipe/run.h"

#include "../run_pipe.h"

/* ---- classes (DESIGN.md section 3) ---------------------------------------------------------------- */

static void
scopes(void)
{
	begin("connect c class=con code 99\nhelo h class=hel code 99\nmail m class=mai code 99\n"
	      "mail all only=con,unless=x code 0\nrcpt r class=x if_rcpt one@x.example 99\n"
	      "rcpt r2 only=x code 0\ndata d only=con code 0\ndata e only=hel code 0\n"
	      "data f only=mai code 0\ndata g only=x code 0\n");
	ok(upto(MR_MAIL) == MR_DUNNO && rcpt("one@x.example", 0) == MR_DUNNO
	        && any_data() == MR_DUNNO,
	    "classes refuse nobody");
	ran("c=99 h=99 m=99 all=0 r=99 r2=0 d=0 e=0 f=0 g=0 ",
	    "connect, helo, mail and rcpt give a class that holds in data");
	mr_run_reset(&run, MR_MAIL);
	ok(upto(MR_MAIL) == MR_DUNNO && rcpt("two@x.example", 0) == MR_DUNNO
	        && any_data() == MR_DUNNO,
	    "the next transaction");
	ran("m=99 all=0 r=0 r2- d=0 e=0 f=0 g- ",
	    "that of connect and helo lasts, that of the recipient does not");
	mr_run_reset(&run, MR_HELO);
	upto(MR_MAIL);
	ran("h=99 m=99 all=0 ", "HELO again: helo and mail run again, connect does not");
	end_run();

	begin("connect c only=auth code 0\nmail m only=bounce code 0\n");
	mr_run_give(&run, MR_CONNECT, MR_AUTH);
	mr_run_give(&run, MR_MAIL, MR_BOUNCE);
	upto(MR_MAIL);
	ran("c=0 m=0 ", "classes that the server gives");
	mr_run_reset(&run, MR_MAIL);
	upto(MR_MAIL);
	ran("m- ", "bounce ends with its transaction");
	end_run();
}

static void
null_sender_first(void)
{
	begin("connect c unless=bounce code 100\n");
	mr_run_give(&run, MR_MAIL, MR_BOUNCE);
	ok(upto(MR_MAIL) == MR_REFUSE,
	    "a null sender does not switch off a connect stage, whose word outlives it");
	end_run();
}

static void
other_permit(void)
{
	const char *spec = "rcpt vip class=vip if_rcpt one@x.example 99\n"
	                   "rcpt grey unless=vip if_rcpt two@x.example 111\n"
	                   "data d unless=vip code 100\n";

	begin(spec);
	ok(rcpt("one@x.example", 0) == MR_DUNNO, "a permitted recipient");
	ok(rcpt("two@x.example", 0) == MR_DEFER, "the next one does not profit from its permit");
	ok(any_data() == MR_DUNNO, "data counts accepted recipients only");
	ran("vip=99 grey- vip=0 grey=111 d- ", "and what ran");
	mr_run_reset(&run, MR_MAIL);
	rcpt("one@x.example", 0);
	ok(rcpt("three@x.example", 0) == MR_DUNNO && any_data() == MR_REFUSE,
	    "with one recipient who has not got it, the message has not got the class");
	ran("vip=99 grey- vip=0 grey=0 d=100 ", "and what ran");
	mr_run_reset(&run, MR_MAIL);
	rcpt("three@x.example", 0);
	rcpt("one@x.example", 0);
	ok(any_data() == MR_REFUSE, "in either order");
	mr_run_reset(&run, MR_MAIL);
	rcpt("one@x.example", 0);
	ok(any_data() == MR_DUNNO, "it is forgotten with the transaction");
	end_run();

	begin("rcpt a only=local code 0\ndata b only=local code 0\n");
	rcpt("one@x.example", MR_LOCAL);
	rcpt("two@x.example", 0);
	any_data();
	ran("a=0 a- b- ", "local is a recipient's, too");
	mr_run_reset(&run, MR_MAIL);
	mr_buf_clear(&seen);
	any_data();
	ran("b- ", "without recipients, no recipient's class holds in data");
	end_run();
}

/* ---- verdicts ------------------------------------------------------------------------------------- */

static void
refusals(void)
{
	begin(
	    "connect a - say 0 X\nconnect b - say 100 action=REJECT~5.7.1~No\nconnect c - code 0\n"
	    "mail m - code 0\nrcpt r - code 0\n");
	ok(upto(MR_MAIL) == MR_REFUSE, "refused");
	is(r.text, "5.7.1 No", "with the stage's words");
	is(mr_str(r.stage), "b", "and its name");
	ran("a=0 b=100 ", "the first refusal ends the phase, and those behind it");
	ok(upto(MR_MAIL) == MR_REFUSE && upto(MR_CONNECT) == MR_REFUSE, "it stands");
	mr_run_reset(&run, MR_MAIL);
	mr_run_reset(&run, MR_HELO);
	ok(upto(MR_MAIL) == MR_REFUSE, "for the connection");
	ran("", "and nothing runs again");
	ok(logged("no '=' in an answer's line"), "an answer that is none is logged and ignored");
	end_run();

	begin("mail m - code 111\nrcpt r - if_rcpt no@x 100 action=521~x\n");
	ok(upto(MR_HELO) == MR_DUNNO && upto(MR_MAIL) == MR_DEFER && upto(MR_MAIL) == MR_DEFER,
	    "a mail stage's word stands");
	ok(!r.text.p && !r.hang_up, "without words");
	ran("m=111 ", "and is asked once");
	mr_run_reset(&run, MR_MAIL);
	upto(MR_MAIL);
	ran("m=111 ", "a transaction");
	end_run();

	begin("connect n now say 100 action=521~5.7.1~Go\nconnect c - code 0\n");
	mr_run_now(&run, &r);
	ok(r.verdict == MR_REFUSE && r.hang_up, "now, and hang up");
	ok(upto(MR_MAIL) == MR_REFUSE, "which stands, too");
	ran("n=100 ", "and what ran");
	end_run();
	begin("connect c - code 0\nconnect n now,class=vip code 99\nmail m only=vip code 0\n");
	upto(MR_MAIL);
	ran("n=99 c=0 m=0 ", "now stages run first, even where nobody called for them");
	end_run();

	begin("end a - code 100\nend b - kill_me\nend c - code 0\n");
	mr_run_end(&run);
	ran("a=100 b=-1! c=0 ", "all end stages run, whatever they say");
	end_run();
}

static void
warn_and_fail(void)
{
	begin("mail a warn say 100 action=REJECT~5.7.1~No\nmail b warn,class=vip code 99\n"
	      "mail c warn kill_me\nmail d warn,unless=vip code 0\nrcpt e edit,warn alias\n"
	      "rcpt f edit code 0\n");
	ok(upto(MR_MAIL) == MR_DUNNO, "warn never refuses");
	ran("a=100 b=99 c=-1! d=0 ", "and gives no class");
	ok(logged("event=warn stage=a") && logged("would_say=\"5.7.1 No\"")
	        && logged("event=warn stage=c"),
	    "but tells the log");
	ok(rcpt("all@x.example", 0) == MR_DEFER, "(the edit stage behind prints nothing)");
	ok(run.scope[MR_DATA].env.rcpt_n == 0, "and is no recipient");
	end_run();

	begin("mail a fail=open kill_me\nmail b fail=open code 77\nmail c fail=open,time=1 late x\n"
	      "mail d fail=open code 1\nmail e fail=open code 111\n");
	ok(upto(MR_MAIL) == MR_DEFER, "fail=open passes what is broken, not what defers");
	ran("a=-1! b=77! c=-1! d=1! e=111 ", "broken: signal, unknown code, time-out");
	ok(logged("\"ended by signal 9\"") && logged("\"exit code 77 has no meaning here\"")
	        && logged("\"killed after 1 s\"") && logged("then=open"),
	    "and the log says why");
	end_run();

	begin("mail a - kill_me\nmail b - code 0\n");
	ok(upto(MR_MAIL) == MR_DEFER, "fail=defer is the default");
	is(r.text, "4.3.0 Temporary problem of this host", "with words that tell nothing");
	ran("a=-1! ", "and ends the phase");
	end_run();
}

/* ---- what a stage says ------------------------------------------------------------------------- */

static void
attributes(void)
{
	begin("connect a - say 0 spf_result=pass\n"
	      "connect b - has spf_result=pass\nhelo h - say 99 spf_result=fail n_1=x=y\n"
	      "mail m - has spf_result=fail n_1=x=y client_address=192.0.2.1 "
	      "request=smtpd_access_policy "
	      "protocol_state=MAIL\nrcpt r - say 0 per_rcpt=1\n"
	      "rcpt s - has per_rcpt=1 recipient=one@x.example protocol_state=RCPT\n");
	mr_run_set(&run, MR_CONNECT, "client_address", MR_STR("192.0.2.1"), &err);
	ok(upto(MR_MAIL) == MR_DUNNO, "attributes go to later stages, the newest value counts");
	ok(rcpt("one@x.example", 0) == MR_DUNNO, "in rcpt, too");
	end_run();

	begin("rcpt a - if_rcpt one@x.example 0 mark=1\nrcpt b - has mark=1\n"
	      "data c codes=qmail has_not mark=1\n");
	rcpt("one@x.example", 0);
	ok(rcpt("two@x.example", 0) == MR_REFUSE, "but not to the next recipient");
	ok(any_data() == MR_DUNNO, "nor to the message");
	end_run();
}

static void
bad_attributes(void)
{
	static const char *const bad[] = { "sender=x", "recipient=x", "client_address=x",
		"client_name=x", "sasl_username=x", "encryption_protocol=x", "instance=x",
		"queue_id=x", "class=x", "original_recipient=x", "dsn_notify=x", "size=x", "body=x",
		"request=x", "protocol_state=x", "helo_name=x", "Upper=x", "a-b=x", "=x",
		"ar=x%no~equal~sign%", "%X:y%bad~field", "action=DUNNO", "action=HOLD" };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char spec[300];
		struct mr_str before = MR_STR("a@b");

		snprintf(
		    spec, sizeof spec, "mail a - say 100 good=1 %s\nmail b - code 0\n", bad[i]);
		begin(spec);
		mr_run_set(&run, MR_MAIL, "sender", before, &err);
		ok(upto(MR_MAIL) == MR_REFUSE && !r.text.p && logged("then=answer-ignored")
		        && mr_str_eq(mr_run_get(&run, "sender"), before)
		        && !mr_run_get(&run, "good").p,
		    "ignored as a whole, the verdict stands: %s", bad[i]);
		front("", "and no field");
		end_run();
	}
	begin("mail a - zeros\n");
	ok(upto(MR_MAIL) == MR_DUNNO && logged("more than 65536 bytes"), "an answer too large");
	end_run();
}

static void
fields(void)
{
	begin(
	    "connect a - say 0 ar=iprev=pass %X-A:~1%~folded\nmail b - say 0 ar=spf=pass %X-B:~1\n"
	    "rcpt c - if_rcpt one@x.example 0 ar=x=one\nrcpt d - say 0 ar=x=all %X-D:~1\n"
	    "rcpt e - if_rcpt no@x.example 100\ndata f - with_record\n");
	upto(MR_MAIL);
	rcpt("one@x.example", 0);
	rcpt("two@x.example", 0);
	rcpt("no@x.example", 0);
	any_data();
	front(
	    "Authentication-Results: mx.example;\r\n\tiprev=pass;\r\n\tspf=pass;\r\n\tx=one;\r\n\t"
	    "x=all\r\nX-A: 1\r\n folded\r\nX-B: 1\r\nX-D: 1\r\nX-Record: yes\r\n",
	    "one Authentication-Results field, then fields in stage order, each once");
	mr_run_reset(&run, MR_MAIL);
	front("Authentication-Results: mx.example;\r\n\tiprev=pass\r\nX-A: 1\r\n folded\r\n",
	    "the next transaction has those of the connection only");
	rcpt("no@x.example", 0);
	front("Authentication-Results: mx.example;\r\n\tiprev=pass\r\nX-A: 1\r\n folded\r\n",
	    "a refused recipient adds nothing");
	end_run();

	begin("rcpt a - say 0 %Y-X:~1\nrcpt b - say 0 %X:~1\nrcpt c - if_rcpt two@x.example 0\n");
	rcpt("one@x.example", 0);
	rcpt("two@x.example", 0);
	front("Y-X: 1\r\nX: 1\r\n", "a field is not taken for the end of another");
	end_run();
}

/* ---- DNS ------------------------------------------------------------------------------------------ */

static void
mail_from_a(void)
{
	mr_run_set(&run, MR_CONNECT, "client_address", MR_STR("192.0.2.1"), &err);
	mr_run_set(&run, MR_HELO, "helo_name", MR_STR("h.example"), &err);
	mr_run_set(&run, MR_MAIL, "sender", MR_STR("bob@a.example"), &err);
}

/* Two stages that need the same answers, over one resolver. */
static void
one_resolver(void)
{
	char zone[300];
	size_t memory = 0;

	write_file("zone",
	    "a.example TXT \"v=spf1 include:b.example include:c.example ~all\"\n"
	    "b.example TXT \"v=spf1 a ~all\"\nb.example A 198.51.100.1\n"
	    "c.example TXT \"v=spf1 ip4:198.51.100.0/24 ~all\"\n"
	    "1.2.0.192.in-addr.arpa PTR no.example\n1.2.0.192.in-addr.arpa PTR yes.example\n"
	    "yes.example A 192.0.2.1\n",
	    0600);
	snprintf(zone, sizeof zone, "%s/zone", dir);
	mr_buf_clear(&seen);
	if (open_spec("mail one - mr-spf\nmail two only=auth mr-spf\n"
	              "mail three - mr-spf -a softfail=reject\n"))
		die("spec");
	ok(pl.resolver.server_n > 0 && !pl.dns, "resolv.conf is read, nothing is opened");
	pl.resolver.fixture = zone;
	mr_run_init(&run, &pl);
	run.trace = on_step;
	mail_from_a();
	ok(upto(MR_MAIL) == MR_REFUSE, "softfail is refused by the stage that says so");
	ran("one=0 two- three=100 ", "both have run");
	is(mr_run_get(&run, "client_name"), "yes.example", "the client's name, confirmed");
	is(mr_run_get(&run, "reverse_client_name"), "no.example", "and what it says first");
	ok(mr_dns_stats(pl.dns).batches == 3 && mr_dns_stats(pl.dns).questions == 8,
	    "three round trips for both, no question twice: %d, %d",
	    (int)mr_dns_stats(pl.dns).batches, (int)mr_dns_stats(pl.dns).questions);
	for (int i = 0; i < 1000; i++) {
		mr_run_reset(&run, MR_MAIL);
		mail_from_a();
		upto(MR_MAIL);
		if (i == 0)
			memory = mr_dns_stats(pl.dns).memory;
	}
	ok(r.verdict == MR_REFUSE && mr_dns_stats(pl.dns).memory == memory,
	    "a thousand transactions later no more is kept");
	end_run();
	begin("mail none - code 0\n");
	ok(!pl.dns, "no filter that asks: no resolver");
	end_run();
}

/* A stranger with three lists, a list of names, PTR and a record with an include: how often the answer to
 * RCPT waits for the resolver, and for how many questions.  `more`: lines of the zone. */
static void
stranger(const char *more, enum mr_verdict want, uint64_t questions, const char *name)
{
	char zone[300], text[2000];

	snprintf(text, sizeof text,
	    "a.example TXT \"v=spf1 include:b.example -all\"\n"
	    "b.example TXT \"v=spf1 a ~all\"\nb.example A 192.0.2.1\n"
	    "1.2.0.192.in-addr.arpa PTR host.example\nhost.example A 192.0.2.1\n"
	    "h.example A 192.0.2.1\n%s",
	    more);
	write_file("zone", text, 0600);
	snprintf(zone, sizeof zone, "%s/zone", dir);
	if (open_spec("connect lists - mr-dnsbl -t 3 one.example*2 two.example three.example\n"
	              "mail spf - mr-spf\nmail helo - mr-helo -s 3\n"
	              "rcpt names - mr-dnsbl -d names.example\n"))
		die("spec");
	pl.resolver.fixture = zone;
	mr_run_init(&run, &pl);
	mail_from_a();
	upto(MR_MAIL);
	if (r.verdict == MR_DUNNO)
		rcpt("x@y.example", want);
	ok(r.verdict == want && mr_dns_stats(pl.dns).batches == 3
	        && mr_dns_stats(pl.dns).questions == questions,
	    "%s: %d round trips for %d questions", name, (int)mr_dns_stats(pl.dns).batches,
	    (int)mr_dns_stats(pl.dns).questions);
	end_run();
}

static void
round_trips(void)
{
	stranger("", MR_DUNNO, 15, "a stranger");
	stranger("1.2.0.192.one.example A 127.0.0.2\n2.0.0.127.one.example A 127.0.0.2\n"
	         "1.2.0.192.two.example A 127.0.0.2\n2.0.0.127.two.example A 127.0.0.2\n"
	         "1.2.0.192.one.example TXT \"words\"\n",
	    MR_REFUSE, 20, "a stranger that two lists know: both tested, TXT of one");
	stranger("host.example.names.example A 127.0.0.2\ntest.names.example A 127.0.0.2\n"
	         "host.example.names.example TXT \"words\"\n",
	    MR_REFUSE, 18, "a stranger whose name is listed");
}

int
main(void)
{
	char path[600];

	fixture_begin(path, sizeof path);
	scopes();
	one_resolver();
	round_trips();
	null_sender_first();
	other_permit();
	refusals();
	warn_and_fail();
	attributes();
	bad_attributes();
	fields();
	fixture_end();
	return done_testing();
}
