#include "smtp/server.h"

#include "base/clock.h"
#include "smtp/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What the world sees of commands; refusals of recipients and messages are in transaction.c. */
#define R_OK           "250 2.0.0 Ok"
#define R_SENDER_OK    "250 2.1.0 Ok"
#define R_BYE          "221 2.0.0 %s closing connection"
#define R_NOOP         "250 2.0.0 Ok"
#define R_VRFY         "252 2.1.5 Cannot verify; try RCPT"
#define R_HELP         "214 2.0.0 EHLO HELO MAIL RCPT DATA RSET NOOP QUIT VRFY HELP; RFC 5321"
#define R_UNKNOWN      "500 5.5.1 Command not known"
#define R_NOT_HERE     "502 5.5.1 Command not implemented"
#define R_BAD_LINE     "500 5.5.2 A command line ends in CR LF and has no other CR, LF or NUL"
#define R_LONG_LINE    "500 5.5.2 Command line too long"
#define R_NO_ARGS      "501 5.5.4 This command takes no argument"
#define R_HELO_ARG     "501 5.5.4 HELO and EHLO need a domain or address literal"
#define R_NEED_MAIL    "503 5.5.1 Say MAIL first"
#define R_NO_RCPT      "554 5.5.1 No valid recipients"
#define R_ERRORS       "421 4.7.0 Too many errors"
#define R_COMMANDS     "421 4.7.0 Too many commands"
#define R_TIMEOUT      "421 4.4.2 Time-out"
#define R_FAR_TOO_LONG "421 4.5.2 Line far too long"
#define R_MESSAGES     "421 4.7.0 Too many messages in one session"
#define R_NOT_SMTP     "421 4.7.0 This is SMTP, not HTTP"
#define R_OURS         "451 4.3.0 Temporary problem of this host"
#define R_OURS_BYE     "421 4.3.0 Temporary problem of this host"

/* The same for MAIL and RCPT, whose refusals are logged; the code stands where they are used. */
#define T_HELO_FIRST  "5.5.1 Say HELO or EHLO first"
#define T_NESTED      "5.5.1 There is a transaction already; RSET ends it"
#define T_NEED_MAIL   "5.5.1 Say MAIL first"
#define T_MAIL_SYNTAX "5.5.4 Syntax: MAIL FROM:<address> [SIZE=n] [BODY=7BIT|8BITMIME]"
#define T_RCPT_SYNTAX "5.5.4 Syntax: RCPT TO:<address>"
#define T_BAD_SENDER  "5.1.7 Bad sender address: "
#define T_BAD_RCPT    "5.1.3 Bad recipient address: "
#define T_NO_UTF8     "5.6.7 SMTPUTF8 is not offered here"
#define T_PARAM       "5.5.4 Parameter not known"
#define T_BAD_PARAM   "5.5.4 Bad value of a parameter"
#define T_TOO_LARGE   "5.3.4 Message over the limit of %llu bytes"
#define T_OURS        "4.3.0 Temporary problem of this host"

/* ---- replies ------------------------------------------------------------------------------------- */

static void
add_line(struct mr_session *s, struct mr_str line)
{
	if (line.n && line.p[0] == '5')
		s->error_n++;
	mr_buf_add(&s->out, line);
	mr_buf_adds(&s->out, "\r\n");
	if (s->out.is_full)
		s->is_over = true;
}

void
mr_session_reply(struct mr_session *s, const char *fmt, ...)
{
	char line[MR_REPLY_MAX + 100]; /* RFC 5321 4.5.3.1.5: 512 with CRLF */
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	for (char *p = line; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	add_line(s, mr_str(line));
}

bool
mr_session_flush(struct mr_session *s)
{
	int64_t deadline = mr_clock_mono_ms() + (int64_t)s->conf->limit.idle_s * 1000;

	if (s->out.n && mr_io_write_by(s->out_fd, mr_buf_str(&s->out), deadline, NULL))
		s->is_over = true;
	mr_buf_clear(&s->out);
	return !s->is_over;
}

#define WHY_QUIT "quit"

/* The session's one last line; id= if it ends within a transaction. */
static void
log_end(const struct mr_session *s)
{
	struct mr_str why = mr_str(s->why);

	MR_LOG(s->conf->log, mr_str_is(why, WHY_QUIT) ? MR_LOG_DEBUG : MR_LOG_INFO, "disconnect",
	    { "id", mr_str(s->id[0] ? s->id : NULL) }, { "client", s->peer->address },
	    { "helo", mr_run_get(&s->run, "helo_name") }, { "why", why },
	    { "commands", MR_NUM(s->command_n) }, { "messages", MR_NUM(s->message_n) },
	    { "errors", MR_NUM(s->error_n) });
}

void
mr_session_hang_up(struct mr_session *s, const char *why, const char *reply)
{
	if (reply)
		mr_session_reply(s, "%s", reply);
	mr_session_flush(s);
	s->is_over = true;
	if (!s->why) {
		s->why = why;
		log_end(s);
	}
}

/* ---- commands -------------------------------------------------------------------------------------- */

static bool
is_helo_name(struct mr_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.n > 0 && s.n <= MR_DOMAIN_MAX;
}

/* HELO and EHLO begin anew (RFC 5321 4.1.4).  False: answered with an error. */
static bool
greet(struct mr_session *s, struct mr_str arg, struct mr_str protocol)
{
	struct mr_err err;

	arg = mr_str_trim(arg);
	if (!is_helo_name(arg)) {
		mr_session_reply(s, R_HELO_ARG);
		return false;
	}
	mr_transaction_end(s);
	mr_run_reset(&s->run, MR_HELO);
	s->has_helo = mr_run_set(&s->run, MR_HELO, "helo_name", arg, &err) == MR_OK
	    && mr_run_set(&s->run, MR_HELO, "protocol_name", protocol, &err) == MR_OK;
	if (!s->has_helo)
		mr_session_reply(s, R_OURS);
	return s->has_helo;
}

static void
do_helo(struct mr_session *s, struct mr_str arg)
{
	if (greet(s, arg, MR_STR("SMTP")))
		mr_session_reply(s, "250 %s", s->conf->host);
}

static void
do_ehlo(struct mr_session *s, struct mr_str arg)
{
	if (!greet(s, arg, MR_STR("ESMTP")))
		return;
	mr_session_reply(s, "250-%s", s->conf->host);
	mr_session_reply(s, "250-PIPELINING");
	mr_session_reply(s, "250-SIZE %llu", (unsigned long long)s->conf->limit.size);
	mr_session_reply(s, "250-8BITMIME");
	mr_session_reply(s, "250 ENHANCEDSTATUSCODES");
}

/* "FROM:" or "TO:" and the path; `rest` is left at the parameters.  RFC 5321 allows no blank behind
 * the colon, but many devices send one. */
static enum mr_status
take_path(struct mr_session *s, struct mr_str *rest, const char *keyword, struct mr_addr *a,
    struct mr_err *err)
{
	if (!mr_str_casestarts(*rest, keyword))
		return MR_USAGE;
	*rest = mr_str_trim(mr_str_from(*rest, strlen(keyword)));
	if (rest->n == 0 || rest->p[0] != '<')
		return MR_USAGE;
	return mr_addr_parse_path(a, &s->arena, rest, err);
}

/* What is wrong with a command, as the reply says it; code NULL: nothing. */
struct fault {
	const char *code;
	struct mr_str text;
};

#define FAULT(c, t) ((struct fault){ .code = (c), .text = MR_STR(t) })
#define NO_FAULT    ((struct fault){ .code = NULL })

/* The path of MAIL or RCPT, which was read with status `st`. */
static struct fault
judge_path(struct mr_session *s, const struct mr_addr *a, enum mr_status st,
    const struct mr_err *err, struct mr_str syntax, const char *bad)
{
	if (st == MR_USAGE)
		return (struct fault){ .code = "501", .text = syntax };
	if (st == MR_TEMP)
		return FAULT("451", T_OURS);
	if (st)
		return (struct fault){ "501", mr_arena_fmt(&s->arena, "%s%s", bad, err->text) };
	return a->has_utf8 ? FAULT("553", T_NO_UTF8) : NO_FAULT;
}

struct mail_params {
	bool has_size, has_body, is_8bit;
};

/* RFC 1870 section 3: up to 20 digits, which may be more than fits into 64 bits. */
static bool
take_size(struct mr_str digits, uint64_t *size)
{
	if (digits.n == 0 || digits.n > 20)
		return false;
	for (size_t i = 0; i < digits.n; i++)
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return false;
	if (!mr_str_num(digits, INT64_MAX, size))
		*size = INT64_MAX;
	return true;
}

static struct fault
take_mail_param(struct mr_session *s, struct mr_str param, struct mail_params *got)
{
	ptrdiff_t eq = mr_str_chr(param, '=');
	struct mr_str name = { param.p, eq < 0 ? param.n : (size_t)eq },
	              value = mr_str_from(param, eq < 0 ? param.n : name.n + 1);
	bool is_size = mr_str_caseis(name, "SIZE"), is_good;
	bool *has = is_size ? &got->has_size : &got->has_body;

	if (!is_size && !mr_str_caseis(name, "BODY"))
		return FAULT("555", T_PARAM); /* RFC 5321 4.1.1.11 */
	if (is_size)
		is_good = take_size(value, &s->declared_size);
	else {
		got->is_8bit = mr_str_caseis(value, "8BITMIME");
		is_good = got->is_8bit || mr_str_caseis(value, "7BIT");
	}
	if (!is_good || *has) /* RFC 5321 4.1.2: each once */
		return FAULT("501", T_BAD_PARAM);
	*has = true;
	return NO_FAULT;
}

static struct fault
take_mail_params(struct mr_session *s, struct mr_str rest, struct mail_params *got)
{
	struct fault f = NO_FAULT;

	if (rest.n && rest.p[0] != ' ')
		return FAULT("501", T_MAIL_SYNTAX);
	for (struct mr_str p = mr_str_word(&rest); p.n && !f.code; p = mr_str_word(&rest))
		f = take_mail_param(s, p, got);
	return f;
}

static enum mr_status
begin_transaction(struct mr_session *s, const struct mr_addr *a, bool is_8bit, struct mr_err *err)
{
	struct mr_run *run = &s->run;
	enum mr_status st;

	mr_run_reset(run, MR_MAIL);
	mr_spool_new_id(s->id);
	s->rcpt_n = 0;
	if ((st = mr_run_set(run, MR_MAIL, "queue_id", mr_str(s->id), err))
	    || (st = mr_run_set(run, MR_MAIL, "instance", mr_str(s->id), err))
	    || (st = mr_run_set(run, MR_MAIL, "sender", a->text, err))
	    || (st = mr_run_set(run, MR_MAIL, "size", MR_NUM(s->declared_size), err))
	    || (st = mr_run_set(
	            run, MR_MAIL, "body", is_8bit ? MR_STR("8BITMIME") : MR_STR("7BIT"), err)))
		return st;
	if (a->is_null)
		mr_run_give(run, MR_MAIL, MR_BOUNCE);
	s->has_mail = true;
	return MR_OK;
}

static struct fault
take_mail(struct mr_session *s, struct mr_str arg)
{
	struct mail_params got = { .is_8bit = false };
	struct mr_addr a;
	struct mr_err err;
	struct fault f;
	enum mr_status st;

	s->declared_size = 0;
	if (!s->has_helo)
		return FAULT("503", T_HELO_FIRST);
	if (s->has_mail)
		return FAULT("503", T_NESTED);
	st = take_path(s, &arg, "FROM:", &a, &err);
	if (st == MR_OK && a.is_postmaster)
		st = mr_err_set(&err, MR_PERM, "address without a domain");
	f = judge_path(s, &a, st, &err, MR_STR(T_MAIL_SYNTAX), T_BAD_SENDER);
	if (!f.code)
		f = take_mail_params(s, arg, &got);
	if (f.code)
		return f;
	if (s->declared_size > s->conf->limit.size)
		return (struct fault){ "552",
			mr_arena_fmt(
			    &s->arena, T_TOO_LARGE, (unsigned long long)s->conf->limit.size) };
	return begin_transaction(s, &a, got.is_8bit, &err) ? FAULT("451", T_OURS) : NO_FAULT;
}

static void
do_mail(struct mr_session *s, struct mr_str arg)
{
	struct fault f;

	if (s->message_n >= s->conf->limit.messages) {
		mr_session_hang_up(s, "too many messages", R_MESSAGES);
		return;
	}
	f = take_mail(s, arg);
	if (f.code)
		mr_transaction_refuse_command(s, "mail", arg, f.code, f.text);
	else
		mr_session_reply(s, R_SENDER_OK);
}

static struct fault
take_rcpt(struct mr_session *s, struct mr_str arg, struct mr_addr *a)
{
	struct mr_err err;
	struct fault f;
	enum mr_status st;

	if (!s->has_mail)
		return FAULT("503", T_NEED_MAIL);
	st = take_path(s, &arg, "TO:", a, &err);
	if (st == MR_OK && a->is_null)
		st = mr_err_set(&err, MR_PERM, "empty");
	f = judge_path(s, a, st, &err, MR_STR(T_RCPT_SYNTAX), T_BAD_RCPT);
	if (!f.code && mr_str_trim(arg).n)
		f = arg.p[0] == ' ' ? FAULT("555", T_PARAM) : FAULT("501", T_RCPT_SYNTAX);
	return f;
}

static void
do_rcpt(struct mr_session *s, struct mr_str arg)
{
	struct mr_addr a;
	struct fault f = take_rcpt(s, arg, &a);

	if (f.code)
		mr_transaction_refuse_command(s, "rcpt", arg, f.code, f.text);
	else
		mr_transaction_rcpt(s, &a);
}

static void
do_data(struct mr_session *s, struct mr_str arg)
{
	if (mr_reader_window(&s->in).n) /* RFC 2920 3.1: DATA ends a group */
		mr_transaction_early_data(s);
	else if (mr_str_trim(arg).n)
		mr_session_reply(s, R_NO_ARGS);
	else if (!s->has_mail)
		mr_session_reply(s, R_NEED_MAIL);
	else if (s->run.scope[MR_DATA].env.rcpt_n == 0)
		mr_session_reply(s, R_NO_RCPT);
	else
		mr_transaction_data(s);
}

static void
do_rset(struct mr_session *s, struct mr_str arg)
{
	if (mr_str_trim(arg).n) {
		mr_session_reply(s, R_NO_ARGS);
		return;
	}
	mr_transaction_end(s);
	mr_session_reply(s, R_OK);
}

static void
do_noop(struct mr_session *s, struct mr_str arg)
{
	(void)arg;
	mr_session_reply(s, R_NOOP);
}

static void
do_vrfy(struct mr_session *s, struct mr_str arg)
{
	mr_session_reply(s, mr_str_trim(arg).n ? R_VRFY : "501 5.5.4 Syntax: VRFY address");
}

static void
do_help(struct mr_session *s, struct mr_str arg)
{
	(void)arg;
	mr_session_reply(s, R_HELP);
}

static void
do_quit(struct mr_session *s, struct mr_str arg)
{
	(void)arg;
	mr_session_reply(s, R_BYE, s->conf->host);
	mr_session_hang_up(s, WHY_QUIT, NULL);
}

/* A browser was talked into posting a form to us: nothing in its body may be taken for a command. */
static void
do_http(struct mr_session *s, struct mr_str arg)
{
	(void)arg;
	mr_session_hang_up(s, "HTTP", R_NOT_SMTP);
}

static void
do_not_here(struct mr_session *s, struct mr_str arg)
{
	(void)arg;
	mr_session_reply(s, R_NOT_HERE);
}

static const struct command {
	const char *verb;
	void (*run)(struct mr_session *s, struct mr_str arg);
} commands[] = {
	{ "EHLO", do_ehlo },
	{ "HELO", do_helo },
	{ "MAIL", do_mail },
	{ "RCPT", do_rcpt },
	{ "DATA", do_data },
	{ "RSET", do_rset },
	{ "NOOP", do_noop },
	{ "QUIT", do_quit },
	{ "VRFY", do_vrfy },
	{ "HELP", do_help },
	{ "EXPN", do_not_here },
	{ "TURN", do_not_here },
	{ "ETRN", do_not_here },
	{ "GET", do_http },
	{ "POST", do_http },
	{ "PUT", do_http },
	{ "CONNECT", do_http },
};

static void
do_line(struct mr_session *s, struct mr_str line)
{
	struct mr_str arg = line, verb;

	if (line.n + 1 > MR_SMTP_LINE_MAX) {
		mr_session_reply(s, R_LONG_LINE);
		return;
	}
	if (line.n == 0 || line.p[line.n - 1] != '\r'
	    || !mr_str_is_line((struct mr_str){ line.p, line.n - 1 })) {
		mr_session_reply(s, R_BAD_LINE);
		return;
	}
	arg.n--;
	verb = mr_str_word(&arg);
	if (arg.n && arg.p[0] == ' ')
		arg = mr_str_from(arg, 1);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (verb.p == line.p && mr_str_caseis(verb, commands[i].verb)) {
			commands[i].run(s, arg);
			return;
		}
	mr_session_reply(s, R_UNKNOWN);
}

/* ---- the session ----------------------------------------------------------------------------------- */

/* True if the next command is there already: replies wait, to go out together (RFC 2920). */
static bool
has_next(const struct mr_session *s)
{
	return mr_str_chr(mr_reader_window(&s->in), '\n') >= 0;
}

static void
converse(struct mr_session *s)
{
	const struct mr_smtpd_limit_values *limit = &s->conf->limit;

	while (!s->is_over) {
		int64_t deadline = mr_clock_mono_ms() + (int64_t)limit->idle_s * 1000;
		struct mr_str line;
		struct mr_err err;
		enum mr_status st;

		if ((!has_next(s) || s->out.n > MR_SMTP_OUT_SEND) && !mr_session_flush(s))
			break;
		st = mr_reader_line(&s->in, &line, deadline, &err);
		if (st == MR_TEMP && mr_clock_left_ms(deadline) == 0)
			mr_session_hang_up(s, "time-out", R_TIMEOUT);
		else if (st == MR_PERM)
			mr_session_hang_up(s, "line far too long", R_FAR_TOO_LONG);
		else if (st)
			mr_session_hang_up(s, "lost connection", NULL);
		else if (++s->command_n > limit->commands)
			mr_session_hang_up(s, "too many commands", R_COMMANDS);
		else {
			do_line(s, line);
			mr_arena_free(&s->arena);
		}
		if (!s->is_over && s->error_n > limit->errors)
			mr_session_hang_up(s, "too many errors", R_ERRORS);
	}
}

/* What is known of the connection, and what the connect stages say at once. */
static void
welcome(struct mr_session *s)
{
	const struct mr_peer *p = s->peer;
	const struct {
		const char *name;
		struct mr_str value;
	} known[] = { { "client_address", p->address }, { "client_port", p->port },
		{ "client_name", p->name.p ? p->name : MR_STR("unknown") },
		{ "server_address", p->server_address }, { "server_port", p->server_port } };
	struct mr_result r = { .verdict = MR_DUNNO };
	struct mr_err err;

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].value.p
		    && mr_run_set(&s->run, MR_CONNECT, known[i].name, known[i].value, &err)) {
			MR_LOG(s->conf->log, MR_LOG_FAULT, "session", { "client", p->address },
			    { "why", mr_str(err.text) });
			mr_session_hang_up(s, "fault", R_OURS_BYE);
			return;
		}
	if (p->is_trusted)
		mr_run_give(&s->run, MR_CONNECT, MR_TRUSTED);
	mr_run_now(&s->run, &r);
	if (r.verdict == MR_DUNNO) {
		mr_session_reply(s, "220 %s ESMTP mr", s->conf->host);
		return;
	}
	MR_LOG(s->conf->log, MR_LOG_INFO, "connect", { "client", p->address },
	    { "stage", mr_str(r.stage) },
	    { "verdict", r.verdict == MR_REFUSE ? MR_STR("reject") : MR_STR("defer") },
	    { "text", r.text });
	r.hang_up = true;
	mr_transaction_refuse(s, &r, "554", "421");
}

void
mr_smtpd_session(
    const struct mr_smtpd_conf *conf, int in_fd, int out_fd, const struct mr_peer *peer)
{
	struct mr_session s = { .conf = conf, .peer = peer, .out_fd = out_fd };
	struct mr_err err;

	if (mr_reader_init(&s.in, in_fd, MR_SMTP_WINDOW, &err)) {
		MR_LOG(conf->log, MR_LOG_FAULT, "session", { "why", mr_str(err.text) });
		return;
	}
	mr_buf_init(&s.out, MR_SMTP_OUT_MAX);
	mr_arena_init(&s.arena, 1 << 20);
	mr_run_init(&s.run, conf->pl);
	welcome(&s);
	converse(&s);
	mr_session_hang_up(&s, "lost connection", NULL); /* unless it is known why it ended */
	mr_transaction_end(&s);
	mr_run_free(&s.run);
	mr_arena_free(&s.arena);
	mr_buf_free(&s.out);
	mr_reader_free(&s.in);
}
