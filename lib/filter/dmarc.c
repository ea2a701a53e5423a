#include "check/dmarc.h"
#include "base/clock.h"
#include "filter/filter.h"
#include "mail/addr.h"
#include "mail/from.h"
#include "mail/idn.h"
#include "table/table.h"

/* RFC 7489 10.3: the reply names the domain whose policy it is. */
static const char policy_refuses[] =
    "%c.7.1 DMARC policy of %.*s: mail in the name of %.*s must pass SPF or DKIM for it";
static const char not_checked[] = "%c.7.1 DMARC %s: %.*s";

#define ROUND_MAX 8u   /* batches of one message; a tree walk needs 4 */
#define SHOWN_MAX 200u /* octets of what others wrote, in header fields */

/* From the mildest on: of several authors the strictest counts. */
enum action { ACCEPT, QUARANTINE, DEFER, REJECT, ACTION_N };

static const char *const action_words[] = { "accept", "quarantine", "defer", "reject" };

/* What is done with mail that fails under a policy, or cannot be judged. */
enum occasion { ON_REJECT, ON_QUARANTINE, ON_PERMERROR, ON_TEMPERROR, OCCASION_N };

static const char *const occasion_words[] = { "reject", "quarantine", "permerror", "temperror" };

struct policy {
	enum action on[OCCASION_N];
};

struct dmarc {
	const struct mr_filter_conf *conf;
	struct mr_table *table;    /* NULL: none */
	struct mr_orgdomain *list; /* NULL: -w */
	bool gives_class;          /* -c */
	struct policy policy;
};

/* One author, judged. */
struct verdict {
	struct mr_str author; /* n 0: there is none that could be judged */
	struct mr_dmarc d;
	enum mr_dmarc_policy policy; /* after pct and t */
	enum action action;
	const char *
	    reason; /* why the action is not that of the record (RFC 7489 appendix C); NULL: it is */
	struct mr_str comment; /* of the table; p NULL: none */
};

/* One message. */
struct message {
	const struct mr_env *env;
	struct mr_arena *arena;
	struct mr_dmarc_query query; /* but the author */
	struct mr_dmarc_signature signature[MR_DMARC_SIGNATURE_MAX];
	struct mr_str id;
	struct verdict verdict[MR_FROM_DOMAIN_MAX + 1];
	size_t n;
	const struct verdict *worst;
};

/* ---- options and table ------------------------------------------------------------------------ */

/* "reject=quarantine" and the like. */
static enum mr_status
set_action(struct policy *policy, struct mr_str word, struct mr_err *err)
{
	struct mr_str action = word, name;
	size_t o = 0, a = 0;

	mr_str_split(&action, '=', &name);
	while (o < OCCASION_N && !mr_str_is(name, occasion_words[o]))
		o++;
	while (a < ACTION_N && !mr_str_is(action, action_words[a]))
		a++;
	if (o == OCCASION_N || a == ACTION_N)
		return mr_err_set(err, MR_USAGE,
		    "'%.*s': need reject, quarantine, permerror or temperror, '=', and accept, "
		    "quarantine, defer or reject",
		    (int)word.n, word.p);
	if (o == ON_TEMPERROR && a == REJECT)
		return mr_err_set(
		    err, MR_USAGE, "temperror=reject would bounce mail on an outage of the DNS");
	policy->on[o] = (enum action)a;
	return MR_OK;
}

/* The reason that an entry for who sends gives; NULL: it is one for authors. */
static const char *
sender_reason(struct mr_str value)
{
	static const char *const reasons[] = { "forwarded", "trusted_forwarder", "mailing_list" };
	struct mr_str word = mr_str_word(&value);

	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (mr_str_is(word, reasons[i]))
			return reasons[i];
	return NULL;
}

/* The value of an entry for authors: words as of -a. */
static enum mr_status
apply(struct policy *policy, struct mr_str value, struct mr_err *err)
{
	struct mr_str word;
	enum mr_status st = MR_OK;

	while (st == MR_OK && (word = mr_str_word(&value)).n)
		st = set_action(policy, word, err);
	return st;
}

/* All entries of the table must have a meaning, before the first mail comes. */
static enum mr_status
check_table(const struct mr_table *table, const char *path, struct mr_err *err)
{
	struct policy policy = { { ACCEPT } };
	struct mr_str key, value;
	enum mr_status st;
	uint32_t pos = 0;

	while ((st = mr_table_next(table, &pos, &key, &value)) == MR_OK) {
		struct mr_err why;

		if (!sender_reason(value) && apply(&policy, value, &why))
			return mr_err_set(err, MR_USAGE,
			    "%s: %.*s: %s; or forwarded, trusted_forwarder, mailing_list", path,
			    (int)key.n, key.p, why.text);
	}
	return st == MR_NOTFOUND ? MR_OK : mr_err_set(err, st, "%s: damaged", path);
}

static void
dmarc_close(void *state)
{
	struct dmarc *s = state;

	mr_table_close(s->table);
	mr_orgdomain_close(s->list);
}

/* What a child without rights can load no more: the list, and the library for U-labels. */
static enum mr_status
load(struct dmarc *s, bool is_walk, struct mr_err *err)
{
	struct mr_str domain;
	enum mr_status st = mr_domain_to_ascii(&domain, s->conf->arena,
	    MR_STR("b\xc3\xbc"
	           "cher.example"),
	    err);

	return st || is_walk ? st : mr_orgdomain_open(&s->list, err);
}

static enum mr_status
dmarc_open(void **state, const struct mr_filter_conf *conf, struct mr_err *err)
{
	struct dmarc *s = mr_arena_alloc(conf->arena, sizeof *s);
	const char *path = conf->operand_n ? conf->operand[0] : NULL;
	bool is_walk = false;
	enum mr_status st = MR_OK;

	if (!s)
		return mr_err_set(err, MR_TEMP, "out of memory");
	*state = s;
	s->conf = conf;
	for (size_t i = 0; st == MR_OK && i < conf->opt_n; i++) {
		is_walk = is_walk || conf->opt[i].letter == 'w';
		s->gives_class = s->gives_class || conf->opt[i].letter == 'c';
		if (conf->opt[i].letter == 'a')
			st = set_action(&s->policy, mr_str(conf->opt[i].arg), err);
	}
	if (st == MR_OK && conf->operand_n > 1)
		st = mr_err_set(err, MR_USAGE, "more than one table");
	if (st == MR_OK && path && (st = mr_watch_add(conf->watch, path, err)) == MR_OK
	    && (st = mr_table_open(&s->table, path, MR_TABLE_MAP, err)) == MR_OK)
		st = check_table(s->table, path, err);
	if (st == MR_OK)
		st = load(s, is_walk, err);
	if (st)
		dmarc_close(s);
	return st;
}

/* ---- what the record knows -------------------------------------------------------------------- */

/* dkim_signatures: DOMAIN/SELECTOR/RESULT, blanks between them. */
static void
read_signatures(struct message *m, struct mr_str text)
{
	struct mr_str word;
	size_t n = 0;

	while (n < MR_DMARC_SIGNATURE_MAX && (word = mr_str_word(&text)).n) {
		struct mr_dmarc_signature *s = &m->signature[n];

		if (!mr_str_split(&word, '/', &s->domain) || !mr_str_split(&word, '/', &s->selector)
		    || !word.p)
			continue;
		s->result = word;
		n++;
	}
	m->query.signature = m->signature;
	m->query.signature_n = n;
}

static void
read_env(const struct dmarc *s, struct message *m)
{
	struct mr_str dkim = mr_env_get(m->env, "dkim_result");

	m->query.list = s->list;
	m->query.spf_result = mr_env_get(m->env, "spf_result");
	m->query.spf_domain = mr_env_get(m->env, "spf_domain");
	read_signatures(m, mr_env_get(m->env, "dkim_signatures"));
	/* A pass or an outage of nobody knows whose signature is no result. */
	m->query.has_dkim = m->query.signature_n
	    || (dkim.p && !mr_str_is(dkim, "pass") && !mr_str_is(dkim, "temperror"));
	m->id = mr_env_get(m->env, "queue_id");
	if (!m->id.p)
		m->id = mr_env_get(m->env, "instance");
}

/* ---- judging ---------------------------------------------------------------------------------- */

/* All authors, with as few round trips as the slowest needs. */
static enum mr_status
check_authors(const struct dmarc *s, struct message *m, struct mr_err *err)
{
	struct mr_dns *dns = s->conf->dns;
	bool is_asked = true;

	for (unsigned round = 0; is_asked && round < ROUND_MAX; round++) {
		if (round)
			mr_dns_run(dns, s->conf->dns_deadline_ms);
		is_asked = false;
		for (size_t i = 0; i < m->n; i++) {
			enum mr_status st;

			if (m->verdict[i].author.n == 0)
				continue;
			m->query.author = m->verdict[i].author;
			st = mr_dmarc_check(&m->verdict[i].d, &m->query, dns, m->arena, err);
			if (st && st != MR_NOTFOUND)
				return st;
			is_asked = is_asked || st == MR_NOTFOUND;
		}
	}
	return is_asked ? mr_err_set(err, MR_TEMP, "the DNS does not keep its answers") : MR_OK;
}

/* The table's entry for who sends: the client's network, or a domain that SPF or DKIM vouches for.  What
 * anybody can write (List-Id, an envelope without SPF) opens nothing. */
static enum mr_status
find_sender(const struct dmarc *s, const struct message *m, struct mr_str *value)
{
	const struct mr_dmarc_query *q = &m->query;
	enum mr_status st = MR_NOTFOUND;
	struct mr_net net;
	struct mr_ip ip;

	if (mr_ip_parse(&ip, mr_env_get(m->env, "client_address")) == MR_OK)
		st = mr_table_get_ip(s->table, &ip, &net, value);
	if (st == MR_OK && !sender_reason(*value))
		st = MR_NOTFOUND;
	for (size_t i = 0; st == MR_NOTFOUND && i <= q->signature_n; i++) {
		bool is_spf = i == q->signature_n;
		struct mr_str result = is_spf ? q->spf_result : q->signature[i].result,
		              domain = is_spf ? q->spf_domain : q->signature[i].domain;

		if (!mr_str_is(result, "pass"))
			continue;
		domain = mr_arena_lower(m->arena, domain);
		if (domain.p)
			st = mr_table_get_domain(s->table, domain, NULL, value);
		if (st == MR_OK && !sender_reason(*value))
			st = MR_NOTFOUND;
	}
	return st;
}

/* What the table has for the author's domain, else for "*". */
static enum mr_status
find_author(const struct dmarc *s, struct mr_str author, struct policy *policy)
{
	struct mr_str value;
	enum mr_status st = mr_table_get_domain(s->table, author, NULL, &value);

	if (st == MR_OK && sender_reason(value))
		st = MR_NOTFOUND;
	if (st == MR_NOTFOUND)
		st = mr_table_get_default(s->table, &value);
	if (st == MR_OK && !sender_reason(value))
		return apply(policy, value, NULL);
	return st == MR_NOTFOUND ? MR_OK : st;
}

/* True if this message is one of the pct in a hundred.  By its id here, which no sender chooses; the same
 * message is always the same. */
static bool
is_sampled(const struct message *m, unsigned pct)
{
	return !m->id.p || mr_str_hash(m->id) % 100 < pct;
}

/* The policy, one step milder for a message that is not to feel it (RFC 7489 6.6.4, RFC 9989 4.7 t). */
static void
weaken(const struct dmarc *s, const struct message *m, struct verdict *v)
{
	v->policy = v->d.policy;
	if (v->d.result != MR_DMARC_RESULT_FAIL || v->policy == MR_DMARC_NONE)
		return;
	if (v->d.record.is_test)
		v->reason = "policy_test_mode";
	else if (s->list && !is_sampled(m, v->d.record.pct))
		v->reason = "sampled_out";
	if (v->reason)
		v->policy = (enum mr_dmarc_policy)(v->policy - 1);
}

/* What these results mean here. */
static enum action
action_of(const struct verdict *v, const struct policy *policy)
{
	switch (v->d.result) {
	case MR_DMARC_RESULT_FAIL:
		return v->policy == MR_DMARC_REJECT    ? policy->on[ON_REJECT]
		    : v->policy == MR_DMARC_QUARANTINE ? policy->on[ON_QUARANTINE]
		                                       : ACCEPT;
	case MR_DMARC_RESULT_PERMERROR:
		return policy->on[ON_PERMERROR];
	case MR_DMARC_RESULT_TEMPERROR:
		return policy->on[ON_TEMPERROR];
	default:
		return ACCEPT;
	}
}

static enum mr_status
judge(const struct dmarc *s, const struct message *m, struct verdict *v, struct mr_err *err)
{
	static const enum action wanted[] = { ACCEPT, QUARANTINE, REJECT };
	struct policy policy = s->policy;
	struct mr_str value;
	enum mr_status st = MR_OK;

	weaken(s, m, v);
	if (s->table && v->author.n)
		st = find_author(s, v->author, &policy);
	v->action = action_of(v, &policy);
	if (v->d.result == MR_DMARC_RESULT_FAIL && v->action != wanted[v->policy])
		v->reason = "local_policy";
	if (st == MR_OK && s->table && v->action != ACCEPT
	    && (st = find_sender(s, m, &value)) == MR_OK) {
		v->action = ACCEPT;
		v->reason = sender_reason(value);
		mr_str_word(&value);
		value = mr_str_trim(value);
		v->comment = value.n ? value : (struct mr_str){ NULL, 0 };
	}
	return st && st != MR_NOTFOUND ? mr_err_set(err, MR_TEMP, "the table is damaged") : MR_OK;
}

/* True if a message with `v` is worse off than with `w`. */
static bool
is_worse(const struct verdict *v, const struct verdict *w)
{
	static const int badness[] = { 1, 0, 4, 3, 2 }; /* none pass fail temperror permerror */

	return v->action != w->action ? v->action > w->action
	                              : badness[v->d.result] > badness[w->d.result];
}

static enum mr_status
judge_all(const struct dmarc *s, struct message *m, int fd, struct mr_err *err)
{
	struct mr_from from = { .n = 0 };
	struct mr_err why;
	enum mr_status st = mr_from_read(&from, m->arena, fd, &why);

	if (st == MR_TEMP)
		return mr_err_set(err, MR_TEMP, "%s", why.text);
	for (size_t i = 0; i < from.n; i++)
		m->verdict[m->n++].author = from.domain[i];
	if (st) {
		struct verdict *v = &m->verdict[m->n++];

		v->d.result = MR_DMARC_RESULT_PERMERROR;
		v->d.problem = mr_arena_dup(m->arena, mr_str(why.text));
	}
	st = check_authors(s, m, err);
	for (size_t i = 0; st == MR_OK && i < m->n; i++) {
		st = judge(s, m, &m->verdict[i], err);
		if (!m->worst || is_worse(&m->verdict[i], m->worst))
			m->worst = &m->verdict[i];
	}
	return st;
}

/* ---- answering -------------------------------------------------------------------------------- */

/* What others wrote, in safe characters. */
static struct mr_str
shown(struct mr_arena *arena, struct mr_str s)
{
	size_t n = s.n < SHOWN_MAX ? s.n : SHOWN_MAX;
	char *p = mr_arena_alloc(arena, n + 1);

	for (size_t i = 0; p && i < n; i++)
		p[i] = s.p[i] >= ' ' && s.p[i] <= '~' && s.p[i] != '"' && s.p[i] != '\\' ? s.p[i]
		                                                                         : '?';
	return p ? (struct mr_str){ p, n } : MR_STR("");
}

static const char *
disposition(const struct verdict *v)
{
	return v->action == ACCEPT ? "none" : action_words[v->action];
}

/* "dmarc=fail header.from=a.example policy.dmarc=reject" (RFC 8601 2.2; RFC 7489 11.1 and 11.2). */
static enum mr_status
add_result(
    const struct message *m, const struct verdict *v, struct mr_answer *answer, struct mr_err *err)
{
	struct mr_buf b;
	enum mr_status st;

	mr_buf_init(&b, MR_ANSWER_MAX);
	mr_buf_addf(&b, "dmarc=%s", mr_dmarc_result_word(v->d.result));
	if (v->d.problem.p && v->d.result != MR_DMARC_RESULT_NONE) {
		mr_buf_adds(&b, " reason=\"");
		mr_buf_add(&b, shown(m->arena, v->d.problem));
		mr_buf_adds(&b, "\"");
	}
	if (v->author.n) {
		mr_buf_adds(&b, " header.from=");
		mr_buf_add(&b, v->author);
	}
	if (v->d.policy_domain.p)
		mr_buf_addf(&b, " policy.dmarc=%s", mr_dmarc_policy_word(v->policy));
	st = b.is_full ? mr_err_set(err, MR_TEMP, "out of memory")
	               : mr_answer_add_ar(answer, mr_buf_str(&b), err);
	mr_buf_free(&b);
	return st;
}

static struct mr_str
word_if(bool is_there, const char *word)
{
	return is_there ? mr_str(word) : (struct mr_str){ NULL, 0 };
}

/* All that a row of an aggregate report has (RFC 7489 appendix C). */
static void
tell_log(const struct dmarc *s, const struct message *m, const struct verdict *v)
{
	const struct mr_dmarc_query *q = &m->query;
	const struct mr_dmarc_record *r = &v->d.record;
	bool has_record = v->d.policy_domain.p;
	struct mr_str sender = mr_env_get(m->env, "sender");

	if (m->env->attrs.n == 0)
		return; /* by hand */
	MR_LOG(s->conf->log,
	    v->d.result == MR_DMARC_RESULT_NONE    ? MR_LOG_DEBUG
	        : !q->spf_result.p || !q->has_dkim ? MR_LOG_WARN
	                                           : MR_LOG_INFO,
	    "dmarc", { "id", m->id }, { "client", mr_env_get(m->env, "client_address") },
	    { "sender", sender }, { "from", v->author.n ? v->author : word_if(false, "") },
	    { "result", mr_str(mr_dmarc_result_word(v->d.result)) },
	    { "disposition", mr_str(disposition(v)) },
	    { "dkim_aligned", mr_str(v->d.is_dkim_aligned ? "pass" : "fail") },
	    { "spf_aligned", mr_str(v->d.is_spf_aligned ? "pass" : "fail") },
	    { "reason", mr_str(v->reason) }, { "comment", v->comment },
	    { "domain", v->d.policy_domain },
	    { "p", word_if(has_record, mr_dmarc_policy_word(r->p)) },
	    { "sp", word_if(has_record && r->has_sp, mr_dmarc_policy_word(r->sp)) },
	    { "np", word_if(has_record && r->has_np, mr_dmarc_policy_word(r->np)) },
	    { "adkim", word_if(has_record, r->is_adkim_strict ? "s" : "r") },
	    { "aspf", word_if(has_record, r->is_aspf_strict ? "s" : "r") },
	    { "pct", has_record ? MR_NUM(r->pct) : word_if(false, "") },
	    { "t", word_if(has_record && r->is_test, "y") }, { "fo", r->fo },
	    { "spf", q->spf_result }, { "spf_domain", q->spf_domain },
	    { "scope", word_if(q->spf_result.p, sender.n ? "mfrom" : "helo") },
	    { "dkim", mr_env_get(m->env, "dkim_signatures") }, { "why", v->d.problem });
}

static void
say(const struct dmarc *s, const struct verdict *v, struct mr_answer *answer)
{
	enum mr_verdict verdict = v->action == REJECT ? MR_REFUSE : MR_DEFER;
	char class = v->action == REJECT ? '5' : '4';
	struct mr_str why = shown(answer->arena, v->d.problem);

	if (v->action == QUARANTINE && s->gives_class)
		answer->verdict = MR_MEMBER;
	if (v->action != REJECT && v->action != DEFER)
		return;
	if (v->d.result == MR_DMARC_RESULT_FAIL)
		mr_answer_say(answer, verdict, policy_refuses, class, (int)v->d.policy_domain.n,
		    v->d.policy_domain.p, (int)v->author.n, v->author.p);
	else
		mr_answer_say(answer, verdict, not_checked, class,
		    mr_dmarc_result_word(v->d.result), (int)why.n, why.p);
}

/* A field that says what the mailbox's filters cannot know: that this message was let in for the mailbox
 * to put aside. */
static enum mr_status
add_header(const struct verdict *v, struct mr_answer *answer, struct mr_err *err)
{
	if (v->action != QUARANTINE)
		return MR_OK;
	answer->headers = mr_arena_fmt(answer->arena, "X-DMARC-Quarantine: %s%s%.*s; policy=%s\n",
	    mr_dmarc_result_word(v->d.result), v->author.n ? "; header.from=" : "",
	    (int)v->author.n, v->author.n ? v->author.p : "", mr_dmarc_policy_word(v->policy));
	return answer->headers.p ? MR_OK : mr_err_set(err, MR_TEMP, "out of memory");
}

/* "fail for a.example by p=reject of a.example: quarantine (sampled_out)" */
static void
add_words(struct mr_buf *b, struct mr_arena *arena, const struct verdict *v)
{
	const struct mr_dmarc *d = &v->d;

	mr_buf_adds(b, mr_dmarc_result_word(d->result));
	if (v->author.n)
		mr_buf_addf(b, " for %.*s", (int)v->author.n, v->author.p);
	if (d->result == MR_DMARC_RESULT_PASS)
		mr_buf_adds(b,
		    d->is_spf_aligned && d->is_dkim_aligned ? ", SPF and DKIM"
		        : d->is_spf_aligned                 ? ", SPF"
		                                            : ", DKIM");
	if (d->policy_domain.p)
		mr_buf_addf(b, ", %s=%s of %.*s", d->policy_tag, mr_dmarc_policy_word(d->policy),
		    (int)d->policy_domain.n, d->policy_domain.p);
	if (d->problem.p) {
		mr_buf_adds(b, ": ");
		mr_buf_add(b, shown(arena, d->problem));
	}
	if (v->action != ACCEPT)
		mr_buf_addf(b, "; %s", action_words[v->action]);
	if (v->reason)
		mr_buf_addf(b, " (%s)", v->reason);
}

static enum mr_status
add_report(const struct message *m, struct mr_answer *answer, struct mr_err *err)
{
	struct mr_buf b;

	mr_buf_init(&b, MR_ANSWER_MAX);
	add_words(&b, m->arena, m->worst);
	answer->note = mr_arena_dup(answer->arena, mr_buf_str(&b));
	mr_buf_clear(&b);
	for (size_t i = 0; i < m->n; i++) {
		add_words(&b, m->arena, &m->verdict[i]);
		mr_buf_addc(&b, '\n');
	}
	answer->report = mr_arena_dup(answer->arena, mr_buf_str(&b));
	mr_buf_free(&b);
	return answer->note.p && answer->report.p ? MR_OK
	                                          : mr_err_set(err, MR_TEMP, "out of memory");
}

static enum mr_status
add_attrs(const struct verdict *v, struct mr_answer *answer, struct mr_err *err)
{
	const struct mr_field attrs[] = {
		{ "dmarc_result", mr_str(mr_dmarc_result_word(v->d.result)) },
		{ "dmarc_domain", v->author.n ? v->author : word_if(false, "") },
		{ "dmarc_policy", word_if(v->d.policy_domain.p, mr_dmarc_policy_word(v->policy)) },
		{ "dmarc_disposition", mr_str(disposition(v)) },
	};
	enum mr_status st = MR_OK;

	for (size_t i = 0; st == MR_OK && i < sizeof attrs / sizeof *attrs; i++)
		if (attrs[i].value.p)
			st = mr_attrs_set(&answer->attrs, answer->arena, mr_str(attrs[i].name),
			    attrs[i].value, err);
	return st;
}

static enum mr_status
dmarc_message(
    void *state, int fd, const struct mr_env *env, struct mr_answer *answer, struct mr_err *err)
{
	const struct dmarc *s = state;
	struct message *m = mr_arena_alloc(answer->arena, sizeof *m);
	enum mr_status st;

	if (!m)
		return mr_err_set(err, MR_TEMP, "out of memory");
	m->env = env;
	m->arena = answer->arena;
	read_env(s, m);
	if ((st = judge_all(s, m, fd, err)))
		return st;
	for (size_t i = 0; i < m->n; i++)
		if ((st = add_result(m, &m->verdict[i], answer, err)))
			return st;
	if ((st = add_attrs(m->worst, answer, err)) || (st = add_header(m->worst, answer, err))
	    || (st = add_report(m, answer, err)))
		return st;
	for (size_t i = 0; i < m->n; i++)
		tell_log(s, m, &m->verdict[i]);
	say(s, m->worst, answer);
	return MR_OK;
}

static const char *const reads[] = { "mr-spf", "mr-dkimverify", NULL };

const struct mr_filter mr_filter_dmarc = {
	.name = "mr-dmarc",
	.purpose = "whether the author's domain stands by the message, and what it wants if not",
	.synopsis = "[-cw] [-a case=action]... [table]",
	.letters = "ca:w",
	.uses_dns = true,
	.time_s = MR_DMARC_TIME_S,
	.reads = reads,
	.marks = 'c',
	.open = dmarc_open,
	.message = dmarc_message,
	.close = dmarc_close,
};
