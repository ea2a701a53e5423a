#include "smtp/server.h"

#include "base/clock.h"
#include "base/opt.h"
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
#define R_HELO_FIRST   "503 5.5.1 Say HELO or EHLO first"
#define R_NESTED       "503 5.5.1 There is a transaction already; RSET ends it"
#define R_NEED_MAIL    "503 5.5.1 Say MAIL first"
#define R_MAIL_SYNTAX  "501 5.5.4 Syntax: MAIL FROM:<address> [SIZE=n] [BODY=7BIT|8BITMIME]"
#define R_RCPT_SYNTAX  "501 5.5.4 Syntax: RCPT TO:<address>"
#define R_BAD_SENDER   "501 5.1.7 Bad sender address: %s"
#define R_BAD_RCPT     "501 5.1.3 Bad recipient address: %s"
#define R_NO_UTF8_FROM "553 5.6.7 SMTPUTF8 is not offered here"
#define R_NO_UTF8_TO   "553 5.6.7 SMTPUTF8 is not offered here"
#define R_PARAM        "555 5.5.4 Parameter not known"
#define R_BAD_PARAM    "501 5.5.4 Bad value of a parameter"
#define R_TOO_LARGE    "552 5.3.4 Message over the limit of %llu bytes"
#define R_NO_RCPT      "554 5.5.1 No valid recipients"
#define R_EARLY_DATA   "554 5.5.1 Message sent before the reply to DATA"
#define R_ERRORS       "421 4.7.0 Too many errors"
#define R_COMMANDS     "421 4.7.0 Too many commands"
#define R_TIMEOUT      "421 4.4.2 Time-out"
#define R_FAR_TOO_LONG "421 4.5.2 Line far too long"
#define R_OURS         "451 4.3.0 Temporary problem of this host"

/* ---- limits ------------------------------------------------------------------------------------- */

#define LIMIT(field) offsetof(struct mr_smtpd_limit_values, field)

const struct mr_smtpd_limit mr_smtpd_limits[] = {
	{ "size", "bytes of a message", LIMIT(size), 25u << 20, 1024, 1ull << 40 },
	{ "rcpts", "recipients of a message", LIMIT(rcpts), 1000, 1, MR_ENV_RCPT_MAX },
	{ "hops", "Received fields of a message", LIMIT(hops), 50, 1, 1000 },
	{ "errors", "refused commands of a session", LIMIT(errors), 20, 1, 100000 },
	{ "commands", "commands of a session", LIMIT(commands), 100000, 10, 1ull << 40 },
	{ "messages", "messages of a session", LIMIT(messages), 1000, 1, 1ull << 40 },
	{ "idle", "seconds for the next command or piece of data", LIMIT(idle_s), 300, 1, 86400 },
	{ "data", "seconds for a whole message", LIMIT(data_s), 3600, 1, 86400 },
	{ "rate", "bytes a second that a message must reach", LIMIT(rate), 50, 0, 1u << 30 },
	{ "connections", "connections at once", LIMIT(connections), 200, 1, 100000 },
	{ "per-client", "connections at once of one client", LIMIT(per_client), 20, 1, 100000 },
	{ "reuse", "connections that one child serves", LIMIT(reuse), 100, 1, 1000000 },
	{ NULL, NULL, 0, 0, 0, 0 },
};

static void
set_limit(struct mr_smtpd_limit_values *v, const struct mr_smtpd_limit *l, uint64_t value)
{
	memcpy((char *)v + l->offset, &value, sizeof value);
}

void
mr_smtpd_limits_init(struct mr_smtpd_limit_values *v)
{
	for (const struct mr_smtpd_limit *l = mr_smtpd_limits; l->name; l++)
		set_limit(v, l, l->init);
}

enum mr_status
mr_smtpd_limits_set(struct mr_smtpd_limit_values *v, const char *text, struct mr_err *err)
{
	struct mr_str s = mr_str(text);
	ptrdiff_t eq = mr_str_chr(s, '=');
	struct mr_str name = { s.p, eq < 0 ? s.n : (size_t)eq };
	struct mr_buf known;

	for (const struct mr_smtpd_limit *l = mr_smtpd_limits; l->name && eq > 0; l++) {
		bool is_time = l->offset == LIMIT(idle_s) || l->offset == LIMIT(data_s);
		uint64_t value;
		enum mr_status st;

		if (!mr_str_is(name, l->name))
			continue;
		st = (is_time ? mr_opt_span_s : mr_opt_size)(
		    'o', text + eq + 1, l->lo, l->hi, &value, err);
		if (st == MR_OK)
			set_limit(v, l, value);
		return st;
	}
	mr_buf_init(&known, MR_ERR_MAX);
	for (const struct mr_smtpd_limit *l = mr_smtpd_limits; l->name; l++)
		mr_buf_addf(&known, " %s=", l->name);
	mr_buf_addc(&known, '\0');
	mr_err_set(err, MR_USAGE, "-o %s: no such limit; known:%s", text, known.p ? known.p : "");
	mr_buf_free(&known);
	return MR_USAGE;
}

/* ---- replies ------------------------------------------------------------------------------------- */

static void
add_line(struct mr_session *s, struct mr_str line)
{
	if (line.n && (line.p[0] == '4' || line.p[0] == '5'))
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

static void
log_session(const struct mr_session *s, enum mr_log_level level, const char *event, const char *why)
{
	MR_LOG(s->conf->log, level, event, { "client", s->peer->address },
	    { "helo", mr_run_get(&s->run, "helo_name") }, { "why", mr_str(why) },
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
	log_session(s, MR_LOG_INFO, "disconnect", why);
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

/* One parameter of MAIL.  NULL, or the reply that refuses it. */
static const char *
take_mail_param(struct mr_session *s, struct mr_str param, bool *is_8bit)
{
	if (mr_str_casestarts(param, "SIZE="))
		return mr_str_num(mr_str_from(param, 5), INT64_MAX, &s->declared_size)
		    ? NULL
		    : R_BAD_PARAM;
	if (mr_str_casestarts(param, "BODY=")) {
		param = mr_str_from(param, 5);
		*is_8bit = mr_str_caseis(param, "8BITMIME");
		return *is_8bit || mr_str_caseis(param, "7BIT") ? NULL : R_BAD_PARAM;
	}
	return R_PARAM;
}

static const char *
take_mail_params(struct mr_session *s, struct mr_str rest, bool *is_8bit)
{
	const char *refusal = NULL;

	if (rest.n && rest.p[0] != ' ')
		return R_MAIL_SYNTAX;
	for (struct mr_str p = mr_str_word(&rest); p.n && !refusal; p = mr_str_word(&rest))
		refusal = take_mail_param(s, p, is_8bit);
	return refusal;
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

static void
do_mail(struct mr_session *s, struct mr_str arg)
{
	const char *refusal;
	bool is_8bit = false;
	struct mr_addr a;
	struct mr_err err;
	enum mr_status st;

	s->declared_size = 0;
	if (!s->has_helo)
		mr_session_reply(s, R_HELO_FIRST);
	else if (s->has_mail)
		mr_session_reply(s, R_NESTED);
	else if (s->message_n >= s->conf->limit.messages)
		mr_session_hang_up(
		    s, "too many messages", "421 4.7.0 Too many messages in one session");
	else if ((st = take_path(s, &arg, "FROM:", &a, &err)) == MR_USAGE)
		mr_session_reply(s, R_MAIL_SYNTAX);
	else if (st == MR_TEMP)
		mr_session_reply(s, R_OURS);
	else if (st)
		mr_session_reply(s, R_BAD_SENDER, err.text);
	else if (a.is_postmaster)
		mr_session_reply(s, R_BAD_SENDER, "address without a domain");
	else if (a.has_utf8)
		mr_session_reply(s, R_NO_UTF8_FROM);
	else if ((refusal = take_mail_params(s, arg, &is_8bit)))
		mr_session_reply(s, "%s", refusal);
	else if (s->declared_size > s->conf->limit.size)
		mr_session_reply(s, R_TOO_LARGE, (unsigned long long)s->conf->limit.size);
	else if (begin_transaction(s, &a, is_8bit, &err))
		mr_session_reply(s, R_OURS);
	else
		mr_session_reply(s, R_SENDER_OK);
}

static void
do_rcpt(struct mr_session *s, struct mr_str arg)
{
	struct mr_addr a;
	struct mr_err err;
	enum mr_status st;

	if (!s->has_mail)
		mr_session_reply(s, R_NEED_MAIL);
	else if ((st = take_path(s, &arg, "TO:", &a, &err)) == MR_USAGE)
		mr_session_reply(s, R_RCPT_SYNTAX);
	else if (st == MR_TEMP)
		mr_session_reply(s, R_OURS);
	else if (st)
		mr_session_reply(s, R_BAD_RCPT, err.text);
	else if (a.is_null)
		mr_session_reply(s, R_BAD_RCPT, "empty");
	else if (a.has_utf8)
		mr_session_reply(s, R_NO_UTF8_TO);
	else if (mr_str_trim(arg).n)
		mr_session_reply(s, arg.p[0] == ' ' ? R_PARAM : R_RCPT_SYNTAX);
	else
		mr_transaction_rcpt(s, &a);
}

static void
do_data(struct mr_session *s, struct mr_str arg)
{
	if (mr_str_trim(arg).n)
		mr_session_reply(s, R_NO_ARGS);
	else if (!s->has_mail)
		mr_session_reply(s, R_NEED_MAIL);
	else if (s->run.scope[MR_DATA].env.rcpt_n == 0)
		mr_session_reply(s, R_NO_RCPT);
	else if (mr_reader_window(&s->in).n) /* RFC 2920 3.1: DATA ends a group */
		mr_session_hang_up(s, "data before 354", R_EARLY_DATA);
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
	mr_session_flush(s);
	s->is_over = true;
	log_session(s, MR_LOG_DEBUG, "disconnect", "quit");
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

		if (!has_next(s) && !mr_session_flush(s))
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
			mr_session_hang_up(s, err.text, R_OURS);
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
	mr_transaction_end(&s);
	mr_run_free(&s.run);
	mr_arena_free(&s.arena);
	mr_buf_free(&s.out);
	mr_reader_free(&s.in);
}
