#include "check/limit.h"

#include "base/clock.h"
#include "base/ip.h"
#include "filter/filter.h"
#include "mail/addr.h"
#include "table/table.h"

#include <inttypes.h>

static const char too_many[] = "4.7.1 Too many %s of %.*s; try again in %" PRIu64 " seconds";
static const char too_large[] = "5.7.1 More %s of %.*s at once than are ever let in";

#define V4_BITS   24u /* a client's network */
#define V6_BITS   64u
#define SHOWN_MAX 100 /* bytes of a subject in a reply */

/* Whose rate it is. */
enum key { BY_IP, BY_NET, BY_USER, BY_SENDER, BY_SENDER_DOMAIN, BY_RCPT, BY_RCPT_DOMAIN };

static const char *const key_words[] = { "ip", "net", "user", "sender", "sender-domain",
	"recipient", "recipient-domain" };

/* What is counted. */
enum unit { TIMES, RECIPIENTS, BYTES, RCPT_UNKNOWN, AUTH_FAILED };

static const char *const unit_words[] = { "times", "recipients", "bytes", "rcpt-unknown",
	"auth-failed" };
static const char *const shown_words[] = { "times", "recipients", "bytes", "unknown recipients",
	"failed logins" };

struct limit {
	const struct mr_filter_conf *conf;
	struct mr_table *table; /* NULL: none */
	enum key key;
	bool has_key, hangs_up;
	enum unit unit;
	struct mr_str name; /* -m */
	struct mr_limit_rates rates;
};

/* ---- options and table ----------------------------------------------------------------------------- */

static bool
find_word(const char *const *words, size_t n, const char *arg, size_t *at)
{
	for (*at = 0; *at < n; ++*at)
		if (mr_str_is(mr_str(arg), words[*at]))
			return true;
	return false;
}

static enum mr_status
take_option(struct limit *l, const struct mr_filter_opt *opt, struct mr_err *err)
{
	size_t at;

	switch (opt->letter) {
	case 'k':
		if (!find_word(key_words, sizeof key_words / sizeof *key_words, opt->arg, &at))
			return mr_err_set(err, MR_USAGE,
			    "-k %s: need ip, net, user, sender, sender-domain, recipient or "
			    "recipient-domain",
			    opt->arg);
		l->key = (enum key)at;
		l->has_key = true;
		return MR_OK;
	case 'c':
		if (!find_word(unit_words, sizeof unit_words / sizeof *unit_words, opt->arg, &at))
			return mr_err_set(err, MR_USAGE,
			    "-c %s: need times, recipients, bytes, rcpt-unknown or auth-failed",
			    opt->arg);
		l->unit = (enum unit)at;
		return MR_OK;
	case 'm':
		l->name = mr_str(opt->arg);
		return MR_OK;
	case 'q':
		l->hangs_up = true;
		return MR_OK;
	default:
		return mr_limit_add_rate(&l->rates, mr_str(opt->arg), err);
	}
}

/* The value of a table's entry: rates instead of those of -a, or "none". */
static enum mr_status
read_rates(struct mr_limit_rates *rates, struct mr_str value, struct mr_err *err)
{
	enum mr_status st = MR_OK;
	struct mr_str word;

	rates->n = 0;
	if (mr_str_is(value, "none"))
		return MR_OK;
	while (st == MR_OK && (word = mr_str_word(&value)).n)
		st = mr_limit_add_rate(rates, word, err);
	return st || rates->n ? st : mr_err_set(err, MR_USAGE, "need rates, or none");
}

static enum mr_status
check_entry(void *ctx, struct mr_str key, struct mr_str value, struct mr_err *err)
{
	struct mr_limit_rates rates;

	(void)ctx;
	(void)key;
	return read_rates(&rates, value, err) ? MR_USAGE : MR_OK;
}

static void
limit_close(void *state)
{
	struct limit *l = state;

	mr_table_close(l->table);
}

static enum mr_status
limit_open(void **state, const struct mr_filter_conf *conf, struct mr_err *err)
{
	struct limit *l = mr_arena_alloc(conf->arena, sizeof *l);
	enum mr_status st;

	if (!l)
		return mr_err_set(err, MR_TEMP, "out of memory");
	l->conf = conf;
	l->name = MR_STR("");
	for (size_t i = 0; i < conf->opt_n; i++)
		if ((st = take_option(l, &conf->opt[i], err)))
			return st;
	if (!conf->store)
		return mr_err_set(err, MR_USAGE, "need -S store");
	if (!l->has_key)
		return mr_err_set(err, MR_USAGE, "need -k: whose rate it is");
	if (!l->rates.n && !conf->operand_n)
		return mr_err_set(err, MR_USAGE, "need -a max/window, or a table of them");
	if (conf->operand_n > 1)
		return mr_err_set(err, MR_USAGE, "more than one table");
	if (conf->operand_n
	    && (st = mr_table_load(&l->table, conf->watch, conf->operand[0], MR_TABLE_MAP,
	            check_entry, NULL, err)))
		return st;
	*state = l;
	return MR_OK;
}

/* ---- one record ------------------------------------------------------------------------------------ */

/* Who is counted; n is 0: nobody. */
struct subject {
	struct mr_str text;
	char storage[MR_NET_TEXT_MAX];
	struct mr_ip ip;
};

static struct mr_str
domain_of(struct mr_str address)
{
	return mr_str_from(address, (size_t)(mr_str_rchr(address, '@') + 1));
}

static void
find_subject(
    const struct limit *l, const struct mr_env *env, struct mr_arena *arena, struct subject *s)
{
	static const char *const names[] = { [BY_USER] = "sasl_username",
		[BY_SENDER] = "sender",
		[BY_SENDER_DOMAIN] = "sender",
		[BY_RCPT] = "recipient",
		[BY_RCPT_DOMAIN] = "recipient" };
	struct mr_net net;

	s->text = MR_STR("");
	if (l->key <= BY_NET) {
		if (mr_ip_parse(&s->ip, mr_env_get(env, "client_address")))
			return;
		/* Who has one IPv6 address has a network of them. */
		net = mr_net_of(&s->ip,
		    s->ip.is_v6            ? V6_BITS
		        : l->key == BY_NET ? V4_BITS
		                           : mr_ip_bits(&s->ip));
		s->text = s->ip.is_v6 || l->key == BY_NET ? mr_net_text(s->storage, &net)
		                                          : mr_ip_text(s->storage, &s->ip);
		return;
	}
	s->text = mr_env_get(env, names[l->key]);
	if (l->key == BY_SENDER_DOMAIN || l->key == BY_RCPT_DOMAIN)
		s->text = domain_of(s->text);
	s->text = s->text.n ? mr_arena_lower(arena, s->text) : MR_STR("");
}

/* The rates of the table for it: of its network, or of mailbox, domain, parents; else of "*". */
static enum mr_status
look_up(const struct limit *l, const struct subject *s, struct mr_limit_rates *rates,
    struct mr_err *err)
{
	struct mr_net net;
	struct mr_str value;
	enum mr_status st;

	*rates = l->rates;
	if (!l->table)
		return MR_OK;
	if (l->key <= BY_NET)
		st = mr_table_get_ip(l->table, &s->ip, &net, &value);
	else {
		st = mr_table_get_mailbox(l->table, s->text, &value);
		if (st == MR_NOTFOUND)
			st = mr_table_get_domain(l->table, domain_of(s->text), NULL, &value);
	}
	if (st == MR_NOTFOUND)
		st = mr_table_get_default(l->table, &value);
	if (st == MR_NOTFOUND)
		return MR_OK;
	return st ? mr_err_set(err, MR_TEMP, "the table is damaged")
	          : read_rates(rates, value, err);
}

static uint64_t
amount_of(const struct limit *l, const struct mr_env *env)
{
	uint64_t n = 0;

	if (l->unit == TIMES)
		return 1;
	if (l->unit >= RCPT_UNKNOWN)
		return mr_str_num(
		           mr_env_get(env, l->unit == AUTH_FAILED ? "auth_failed" : "rcpt_unknown"),
		           MR_LIMIT_MAX, &n)
		    ? n
		    : 0;
	if (l->unit == BYTES)
		return mr_str_num(mr_env_get(env, "size"), MR_LIMIT_MAX, &n) ? n : 0;
	/* Postfix tells the number only where there are several. */
	if (mr_str_num(mr_env_get(env, "recipient_count"), MR_ENV_RCPT_MAX, &n) && n)
		return n;
	return env->rcpt_n;
}

/* True for mail of our own: then class= or Postfix says so. */
static bool
is_outgoing(const struct mr_env *env)
{
	struct mr_str class = mr_env_get(env, "class"), word;

	while (mr_str_split(&class, '+', &word))
		if (mr_str_is(word, "trusted") || mr_str_is(word, "auth"))
			return true;
	return mr_env_get(env, "sasl_username").n > 0;
}

/* Counted apart: outgoing mail never fills what is meant for incoming mail, nor one phase what is meant
 * for another. */
static enum mr_status
count(const struct limit *l, const struct mr_env *env, struct mr_str who,
    const struct mr_limit_rates *rates, struct mr_limit *found, struct mr_err *err)
{
	struct mr_str state = mr_env_get(env, "protocol_state");
	/* What end tells of a transaction is counted there, and judged in any other phase. */
	bool is_of_end = l->unit >= RCPT_UNKNOWN, is_end = mr_str_is(state, "END");
	const struct mr_str subject[] = { l->name, is_of_end ? MR_STR("END") : state,
		!is_of_end && is_outgoing(env) ? MR_STR("out") : MR_STR("in"),
		mr_str(unit_words[l->unit]), mr_str(key_words[l->key]), who };
	uint64_t amount = amount_of(l, env);

	*found = (struct mr_limit){ .used = amount, .fullest = &rates->v[0] };
	if (is_of_end && is_end)
		return amount && !l->conf->is_trial
		    ? mr_limit_add(rates, subject, sizeof subject / sizeof *subject, amount,
		        l->conf->store, mr_clock_now_s(), err)
		    : MR_OK;
	if (is_of_end)
		return mr_limit_count(found, rates, subject, sizeof subject / sizeof *subject, 1,
		    true, l->conf->store, mr_clock_now_s(), err);
	return mr_limit_count(found, rates, subject, sizeof subject / sizeof *subject, amount,
	    l->conf->is_trial, l->conf->store, mr_clock_now_s(), err);
}

static enum mr_status
limit_envelope(void *state, const struct mr_env *env, struct mr_answer *answer, struct mr_err *err)
{
	const struct limit *l = state;
	struct mr_limit_rates rates;
	struct mr_limit found;
	struct subject s;
	enum mr_status st;
	int shown;

	find_subject(l, env, answer->arena, &s);
	if (!s.text.p)
		return mr_err_set(err, MR_TEMP, "out of memory");
	if (!s.text.n) {
		answer->note = mr_arena_fmt(answer->arena, "no %s", key_words[l->key]);
		return MR_OK;
	}
	if ((st = look_up(l, &s, &rates, err)) || (st = count(l, env, s.text, &rates, &found, err)))
		return st;
	shown = (int)(s.text.n < SHOWN_MAX ? s.text.n : SHOWN_MAX);
	answer->note = !rates.n
	    ? mr_arena_fmt(answer->arena, "%.*s has no limit", shown, s.text.p)
	    : mr_arena_fmt(answer->arena, "%.*s: %" PRIu64 " of %" PRIu64 " %s in %" PRIu64 " s",
	        shown, s.text.p, found.used, found.fullest->max, shown_words[l->unit],
	        found.fullest->window_s);
	if (!found.over)
		return MR_OK;
	if (!found.wait_s)
		mr_answer_say(answer, MR_REFUSE, too_large, shown_words[l->unit], shown, s.text.p);
	else
		mr_answer_say(answer, MR_DEFER, too_many, shown_words[l->unit], shown, s.text.p,
		    found.wait_s);
	answer->hang_up = l->hangs_up && found.wait_s;
	return MR_OK;
}

const struct mr_filter mr_filter_limit = {
	.name = "mr-limit",
	.purpose = "rates of clients, users, senders and recipients",
	.synopsis = "-k key [-c unit] [-m name] [-q] [-a max/window]... [table]",
	.letters = "a:c:k:m:q",
	.uses_store = true,
	.open = limit_open,
	.envelope = limit_envelope,
	.close = limit_close,
};
