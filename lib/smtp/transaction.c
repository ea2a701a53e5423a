#include "base/clock.h"
#include "mail/received.h"
#include "pipe/relay.h"
#include "smtp/body.h"
#include "smtp/session.h"

#include <stdio.h>

/* What the world sees of recipients and messages.  refuse() puts the reply code in front and the id, by
 * which the log is found, behind. */
#define R_RCPT_OK "250 2.1.5 Ok"
#define R_START   "354 End data with <CR><LF>.<CR><LF>"
#define R_QUEUED  "250 2.0.0 Ok: queued as %s"

#define T_RCPTS     "4.5.3 Too many recipients"
#define T_BARE      "5.6.0 Bare CR or LF in the message; lines end in CR LF"
#define T_TOO_LARGE "5.3.4 Message over the limit of %llu bytes"
#define T_LOOP      "5.4.6 More than %llu Received fields: a mail loop"
#define T_SPOOL     "4.3.1 Cannot store the message now"
#define T_OURS      "4.3.0 Temporary problem of this host"
#define T_EARLY     "5.5.1 Message sent before the reply to DATA"
#define T_TIMEOUT   "4.4.2 Time-out while waiting for the message"
#define T_SLOW      "4.4.2 Message comes in too slowly"
#define T_REFUSED   "Refused by policy"
#define T_LATER     "Try again later"

/* ---- refusals ------------------------------------------------------------------------------------ */

/* What a refusal tells client and log. */
struct words {
	char code[sizeof "5.999.999"]; /* enhanced, RFC 3463 */
	struct mr_str text;
};

/* True if `s` is class "." 1*3digit "." 1*3digit. */
static bool
is_enhanced(struct mr_str s)
{
	struct mr_str part;
	uint64_t n;

	if (s.n < 2 || (s.p[0] != '4' && s.p[0] != '5') || s.p[1] != '.')
		return false;
	s = mr_str_from(s, 2);
	for (int i = 0; i < 2; i++)
		if (!mr_str_split(&s, '.', &part) || part.n > 3 || !mr_str_num(part, 999, &n))
			return false;
	return !s.p;
}

/* Splits "5.7.1 words".  The class must be that of the reply (RFC 2034 section 4). */
static struct words
words_of(const struct mr_result *r)
{
	bool is_final = r->verdict == MR_REFUSE;
	struct mr_str rest = r->text, code = mr_str_word(&rest);
	struct words w = { .text = mr_str_trim(r->text) };

	if (is_enhanced(code))
		w.text = mr_str_trim(rest);
	else
		code = MR_STR("5.7.1");
	snprintf(
	    w.code, sizeof w.code, "%c%.*s", is_final ? '5' : '4', (int)code.n - 1, code.p + 1);
	if (w.text.n == 0)
		w.text = is_final ? MR_STR(T_REFUSED) : MR_STR(T_LATER);
	return w;
}

void
mr_transaction_refuse(
    struct mr_session *s, const struct mr_result *r, const char *for_good, const char *for_now)
{
	bool is_final = r->verdict == MR_REFUSE;
	struct words w = words_of(r);
	const char *reply = is_final ? (r->hang_up ? "521" : for_good)
	    : r->hang_up             ? "421"
	                             : for_now;

	mr_session_reply(s, "%s %s %.*s%s%s%s", reply, w.code, (int)w.text.n, w.text.p,
	    s->id[0] ? " (" : "", s->id, s->id[0] ? ")" : "");
	if (r->hang_up)
		mr_session_hang_up(s, "refused", NULL);
}

/* The one line that says why a recipient, or a MAIL (rcpt is not there), was refused. */
static void
log_refusal(const struct mr_session *s, const char *event, struct mr_str sender, struct mr_str rcpt,
    const struct mr_result *r, int64_t start_us)
{
	struct words w = words_of(r);

	MR_LOG(s->conf->log, MR_LOG_INFO, event, { "id", mr_str(s->id[0] ? s->id : NULL) },
	    { "client", s->peer->address }, { "helo", mr_run_get(&s->run, "helo_name") },
	    { "sender", sender }, { "rcpt", rcpt }, { "stage", mr_str(r->stage) },
	    { "verdict", r->verdict == MR_REFUSE ? MR_STR("reject") : MR_STR("defer") },
	    { "code", mr_str(w.code) }, { "text", w.text },
	    { "ms", MR_NUM((mr_clock_now_us() - start_us) / 1000) });
}

static struct mr_result
refusal(enum mr_verdict verdict, const char *stage, const char *text)
{
	return (struct mr_result){ .verdict = verdict, .stage = stage, .text = mr_str(text) };
}

void
mr_transaction_refuse_command(struct mr_session *s, const char *event, struct mr_str arg,
    const char *code, struct mr_str text)
{
	struct mr_result r = {
		.verdict = code[0] == '4' ? MR_DEFER : MR_REFUSE, .stage = "protocol", .text = text
	};
	bool is_mail = mr_str_is(mr_str(event), "mail");
	struct mr_str none = { NULL, 0 };

	log_refusal(s, event, is_mail ? arg : mr_run_get(&s->run, "sender"), is_mail ? none : arg,
	    &r, mr_clock_now_us());
	mr_transaction_refuse(s, &r, code, code);
}

/* ---- recipients ---------------------------------------------------------------------------------- */

void
mr_transaction_rcpt(struct mr_session *s, const struct mr_addr *a)
{
	int64_t start = mr_clock_now_us();
	struct mr_addr rcpt = *a;
	struct mr_result r;

	if (++s->rcpt_n > s->conf->limit.rcpts) {
		r = refusal(MR_DEFER, "rcpts", T_RCPTS);
		log_refusal(s, "rcpt", mr_run_get(&s->run, "sender"), a->text, &r, start);
		mr_transaction_refuse(s, &r, "550", "452");
		return;
	}
	if (a->is_postmaster) { /* RFC 5321 4.5.1 */
		rcpt.domain = mr_arena_lower(&s->arena, mr_str(s->conf->host));
		rcpt.text = mr_arena_fmt(&s->arena, "postmaster@%.*s", (int)rcpt.domain.n,
		    rcpt.domain.p ? rcpt.domain.p : "");
	}
	if (rcpt.domain.p && rcpt.text.p)
		mr_relay_rcpt(&s->run, s->conf->routes, &rcpt, &r);
	else
		r = refusal(MR_DEFER, "memory", T_OURS);
	if (r.verdict == MR_DUNNO) {
		mr_session_reply(s, R_RCPT_OK);
		return;
	}
	log_refusal(s, "rcpt", mr_run_get(&s->run, "sender"), rcpt.text, &r, start);
	mr_transaction_refuse(s, &r, "550", "451");
}

/* ---- the message --------------------------------------------------------------------------------- */

struct sink {
	struct mr_spool_msg msg;
	struct mr_err err; /* why a byte could not be put */
};

static enum mr_status
put(void *ctx, struct mr_str bytes)
{
	struct sink *sink = ctx;

	return mr_spool_append(&sink->msg, bytes, &sink->err);
}

static bool
is_too_slow(const struct mr_smtpd_limit_values *limit, int64_t begin_ms, uint64_t bytes)
{
	int64_t s = (mr_clock_mono_ms() - begin_ms) / 1000;

	return s >= (int64_t)limit->rate_after_s && bytes / (uint64_t)s < limit->rate;
}

/* Each accepted recipient is refused now: a line for each. */
static void
refuse_message(
    struct mr_session *s, const struct mr_result *r, const char *for_good, const char *for_now)
{
	int64_t start = mr_clock_now_us();
	const struct mr_env *all = &s->run.scope[MR_DATA].env;

	for (size_t i = 0; i < all->rcpt_n; i++)
		log_refusal(s, "data", mr_run_get(&s->run, "sender"), all->rcpt[i].addr, r, start);
	mr_transaction_refuse(s, r, for_good, for_now);
}

/* The same, and the session is over. */
static void
give_up(struct mr_session *s, enum mr_verdict verdict, const char *text, const char *why)
{
	struct mr_result r = refusal(verdict, "protocol", text);

	refuse_message(s, &r, "554", "421");
	mr_session_hang_up(s, why, NULL);
}

void
mr_transaction_early_data(struct mr_session *s)
{
	give_up(s, MR_REFUSE, T_EARLY, "data before 354");
}

/* Reads until the final dot.  False: the client is gone or was sent away. */
static bool
receive(struct mr_session *s, struct mr_body *body)
{
	const struct mr_smtpd_limit_values *limit = &s->conf->limit;
	int64_t begin = mr_clock_mono_ms(), end = begin + (int64_t)limit->data_s * 1000;
	int64_t before = s->in.total;

	for (;;) {
		struct mr_str window = mr_reader_window(&s->in);
		int64_t deadline = mr_clock_mono_ms() + (int64_t)limit->idle_s * 1000;
		size_t used;
		bool is_end = mr_body_feed(body, window, window.n == s->in.cap, &used);
		struct mr_err err;
		enum mr_status st;

		mr_reader_take(&s->in, used);
		if (is_end)
			return true;
		if (body->intake.put_failed == MR_OK && body->intake.len > limit->size)
			body->intake.put_failed =
			    MR_PERM; /* the rest is read, and told at the end */
		st = mr_reader_fill(&s->in, deadline < end ? deadline : end, &err);
		if (st == MR_TEMP && mr_clock_left_ms(deadline < end ? deadline : end) == 0)
			give_up(s, MR_DEFER, T_TIMEOUT, "time-out in DATA");
		else if (st)
			mr_session_hang_up(s, "lost connection in DATA", NULL);
		else if (is_too_slow(limit, begin, (uint64_t)(s->in.total - before)))
			give_up(s, MR_DEFER, T_SLOW, "too slow in DATA");
		if (s->is_over)
			return false;
	}
}

/* A fault of the spool: the log says why, the client may come again. */
static void
refuse_spool(struct mr_session *s, const struct mr_err *why)
{
	struct mr_result r = refusal(MR_DEFER, "spool", T_SPOOL);

	MR_LOG(s->conf->log, MR_LOG_FAULT, "spool", { "id", mr_str(s->id) },
	    { "why", mr_str(why->text) });
	refuse_message(s, &r, "552", "452");
}

/* Only a data stage reads the message before it is committed, which writes what is left. */
static bool
has_data_stage(const struct mr_pipeline *pl)
{
	for (size_t i = 0; i < pl->n; i++)
		if (pl->step[i].stage->phase == MR_DATA)
			return true;
	return false;
}

/* The built-in checks of the message.  False: refused and answered. */
static bool
check_message(struct mr_session *s, struct sink *sink, const struct mr_body *body)
{
	const struct mr_smtpd_limit_values *limit = &s->conf->limit;
	struct mr_result r;

	if (body->has_bare) {
		r = refusal(MR_REFUSE, "protocol", T_BARE);
		refuse_message(s, &r, "554", "451");
	} else if (body->intake.len > limit->size) {
		r = refusal(MR_REFUSE, "size", NULL);
		r.text = mr_arena_fmt(&s->arena, T_TOO_LARGE, (unsigned long long)limit->size);
		refuse_message(s, &r, "552", "452");
	} else if (body->intake.hops > limit->hops) {
		r = refusal(MR_REFUSE, "hops", NULL);
		r.text = mr_arena_fmt(&s->arena, T_LOOP, (unsigned long long)limit->hops);
		refuse_message(s, &r, "554", "451");
	} else if (body->intake.put_failed
	    || (has_data_stage(s->conf->pl) && mr_spool_flush(&sink->msg, &sink->err)))
		refuse_spool(s, &sink->err);
	else
		return true;
	return false;
}

/* Record, front and commit: MR_OK means that the message is safe. */
static enum mr_status
store(struct mr_session *s, struct mr_spool_msg *msg, struct mr_err *err)
{
	struct mr_buf front;
	struct mr_env env;
	enum mr_status st;

	mr_buf_init(&front, 2 * MR_FIELDS_MAX);
	st = mr_run_record(&s->run, &s->arena, &env, err);
	if (st == MR_OK) {
		mr_run_front(&s->run, &front);
		mr_received_write(&front, &env, mr_str(s->conf->host), mr_clock_now_s());
		st = front.is_full
		    ? mr_err_set(err, MR_TEMP, "front header fields too large")
		    : mr_spool_commit(s->conf->spool, msg, s->id, mr_buf_str(&front), &env, err);
	}
	mr_buf_free(&front);
	return st;
}

static void
finish_message(
    struct mr_session *s, struct mr_spool_msg *msg, const struct mr_body *body, int64_t start_us)
{
	const struct mr_env *all = &s->run.scope[MR_DATA].env;
	uint64_t size = msg->len;
	struct mr_result r;
	struct mr_err err;

	/* What it is, not what was declared: the next hop must be asked for what it needs. */
	if (mr_run_set(&s->run, MR_MAIL, "size", MR_NUM(size), &err)
	    || mr_run_set(&s->run, MR_MAIL, "body",
	        body->intake.has_8bit ? MR_STR("8BITMIME") : MR_STR("7BIT"), &err))
		r = refusal(MR_DEFER, "memory", T_OURS);
	else
		mr_run_data(&s->run, msg, s->conf->spool, &r);
	if (r.verdict != MR_DUNNO) {
		refuse_message(s, &r, "554", "451");
		return;
	}
	if (store(s, msg, &err)) {
		refuse_spool(s, &err);
		return;
	}
	s->message_n++;
	s->error_n = 0;
	mr_session_reply(s, R_QUEUED, s->id);
	mr_session_flush(s);
	MR_LOG(s->conf->log, MR_LOG_INFO, "queued", { "id", mr_str(s->id) },
	    { "client", s->peer->address }, { "helo", mr_run_get(&s->run, "helo_name") },
	    { "sender", mr_run_get(&s->run, "sender") }, { "rcpt", all->rcpt[0].addr },
	    { "rcpts", MR_NUM(all->rcpt_n) }, { "size", MR_NUM(size) },
	    { "ms", MR_NUM((mr_clock_now_us() - start_us) / 1000) });
}

void
mr_transaction_data(struct mr_session *s)
{
	int64_t start = mr_clock_now_us();
	struct sink sink;
	struct mr_body body;

	if (mr_spool_begin(s->conf->spool, &sink.msg, &sink.err)) {
		refuse_spool(s, &sink.err);
		mr_transaction_end(s);
		return;
	}
	mr_body_init(&body, s->conf->host, put, &sink);
	mr_session_reply(s, R_START);
	if (mr_session_flush(s) && receive(s, &body) && check_message(s, &sink, &body))
		finish_message(s, &sink.msg, &body, start);
	mr_body_free(&body);
	mr_spool_abort(&sink.msg);
	mr_transaction_end(s);
}

void
mr_transaction_end(struct mr_session *s)
{
	if (!s->has_mail)
		return;
	mr_run_end(&s->run);
	mr_run_reset(&s->run, MR_MAIL);
	s->has_mail = false;
	s->id[0] = '\0';
}
