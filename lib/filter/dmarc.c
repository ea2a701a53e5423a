#include "check/dmarc_local.h"
#include "filter/filter.h"
#include "mail/from.h"
#include "mail/idn.h"

/* RFC 7489 10.3: the reply names the domain whose policy it is. */
static const char policy_refuses[] =
    "%c.7.1 DMARC policy of %.*s: mail in the name of %.*s must pass SPF or DKIM for it";
static const char not_checked[] = "%c.7.1 DMARC %s: %.*s";

#define ROUND_MAX 8u     /* batches of one message; a tree walk needs 4 */
#define SHOWN_MAX 200u   /* octets of what others wrote, in header fields ... */
#define UNSAFE    "\"\\" /* ... and what may not stand there */

struct dmarc {
	const struct mr_filter_conf *conf;
	struct mr_table *table;          /* NULL: none */
	const struct mr_orgdomain *list; /* NULL: -w */
	bool gives_class;                /* -c */
	struct mr_dmarc_local local;
};

/* One author, judged. */
struct author {
	struct mr_str domain; /* n 0: there is none that could be judged */
	struct mr_dmarc d;
	struct mr_dmarc_verdict v;
};

/* One message. */
struct message {
	const struct mr_env *env;
	struct mr_arena *arena;
	struct mr_dmarc_query query; /* but the author */
	struct mr_dmarc_signature signature[MR_DMARC_SIGNATURE_MAX];
	struct mr_str id;
	struct author author[MR_FROM_DOMAIN_MAX + 1];
	size_t n;
	const struct author *worst;
};

/* ---- options ---------------------------------------------------------------------------------- */

static void
dmarc_close(void *state)
{
	struct dmarc *s = state;

	mr_table_close(s->table);
}

/* What a child without rights can load no more: the list, and the library for U-labels. */
static enum mr_status
load(struct dmarc *s, bool is_walk, struct mr_err *err)
{
	struct mr_str domain;
	enum mr_status st =
	    mr_domain_to_ascii(&domain, s->conf->arena, MR_STR("\xc3\xbc.example"), err);

	return st || is_walk ? st : mr_filter_suffixes(s->conf, &s->list, err);
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
			st = mr_dmarc_local_set(&s->local, mr_str(conf->opt[i].arg), err);
	}
	if (st == MR_OK && conf->operand_n > 1)
		st = mr_err_set(err, MR_USAGE, "more than one table");
	if (st == MR_OK && path)
		st = mr_table_load(
		    &s->table, conf->watch, path, MR_TABLE_MAP, mr_dmarc_local_check, NULL, err);
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

			if (m->author[i].domain.n == 0)
				continue;
			m->query.author = m->author[i].domain;
			st = mr_dmarc_check(&m->author[i].d, &m->query, dns, m->arena, err);
			if (st && st != MR_NOTFOUND)
				return st;
			is_asked = is_asked || st == MR_NOTFOUND;
		}
	}
	return is_asked ? mr_err_set(err, MR_TEMP, "the DNS does not keep its answers") : MR_OK;
}

/* True if a message by `a` is worse off than by `b`. */
static bool
is_worse(const struct author *a, const struct author *b)
{
	static const int badness[] = { 1, 0, 4, 3, 2 }; /* none pass fail temperror permerror */

	return a->v.action != b->v.action ? a->v.action > b->v.action
	                                  : badness[a->d.result] > badness[b->d.result];
}

static enum mr_status
judge_all(const struct dmarc *s, struct message *m, int fd, struct mr_err *err)
{
	struct mr_str client = mr_env_get(m->env, "client_address");
	struct mr_from from = { .n = 0 };
	struct mr_err why;
	enum mr_status st = mr_from_read(&from, m->arena, fd, &why);

	if (st == MR_TEMP)
		return mr_err_set(err, MR_TEMP, "%s", why.text);
	for (size_t i = 0; i < from.n; i++)
		m->author[m->n++].domain = from.domain[i];
	if (st) {
		struct author *nobody = &m->author[m->n++];

		nobody->d.result = MR_DMARC_RESULT_PERMERROR;
		nobody->d.problem = mr_arena_dup(m->arena, mr_str(why.text));
	}
	st = check_authors(s, m, err);
	for (size_t i = 0; st == MR_OK && i < m->n; i++) {
		struct author *a = &m->author[i];

		m->query.author = a->domain;
		st = mr_dmarc_local_judge(
		    &a->v, &s->local, s->table, &a->d, &m->query, client, m->id, m->arena, err);
		if (!m->worst || is_worse(a, m->worst))
			m->worst = a;
	}
	return st;
}

/* ---- answering -------------------------------------------------------------------------------- */

static const char *
disposition(const struct author *a)
{
	return a->v.action == MR_DMARC_DO_ACCEPT ? "none" : mr_dmarc_action_word(a->v.action);
}

/* "dmarc=fail header.from=a.example policy.dmarc=reject" (RFC 8601 2.2; RFC 7489 11.1 and 11.2). */
static enum mr_status
add_result(
    const struct message *m, const struct author *a, struct mr_answer *answer, struct mr_err *err)
{
	struct mr_buf b;
	enum mr_status st;

	mr_buf_init(&b, MR_ANSWER_MAX);
	mr_buf_addf(&b, "dmarc=%s", mr_dmarc_result_word(a->d.result));
	if (a->d.problem.p && a->d.result != MR_DMARC_RESULT_NONE) {
		mr_buf_adds(&b, " reason=\"");
		mr_buf_add(&b, mr_arena_shown(m->arena, a->d.problem, SHOWN_MAX, UNSAFE));
		mr_buf_adds(&b, "\"");
	}
	if (a->domain.n) {
		mr_buf_adds(&b, " header.from=");
		mr_buf_add(&b, a->domain);
	}
	if (a->d.policy_domain.p)
		mr_buf_addf(&b, " policy.dmarc=%s", mr_dmarc_policy_word(a->v.policy));
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
tell_log(const struct dmarc *s, const struct message *m, const struct author *a)
{
	const struct mr_dmarc_query *q = &m->query;
	const struct mr_dmarc_record *r = &a->d.record;
	bool has_record = a->d.policy_domain.p;
	struct mr_str sender = mr_env_get(m->env, "sender");

	if (m->env->attrs.n == 0)
		return; /* by hand */
	MR_LOG(s->conf->log,
	    a->d.result == MR_DMARC_RESULT_NONE    ? MR_LOG_DEBUG
	        : !q->spf_result.p || !q->has_dkim ? MR_LOG_WARN
	                                           : MR_LOG_INFO,
	    "dmarc", { "id", m->id }, { "client", mr_env_get(m->env, "client_address") },
	    { "sender", sender }, { "from", a->domain.n ? a->domain : word_if(false, "") },
	    { "result", mr_str(mr_dmarc_result_word(a->d.result)) },
	    { "disposition", mr_str(disposition(a)) },
	    { "dkim_aligned", mr_str(a->d.is_dkim_aligned ? "pass" : "fail") },
	    { "spf_aligned", mr_str(a->d.is_spf_aligned ? "pass" : "fail") },
	    { "reason", mr_str(a->v.reason) }, { "comment", a->v.comment },
	    { "domain", a->d.policy_domain },
	    { "p", word_if(has_record, mr_dmarc_policy_word(r->p)) },
	    { "sp", word_if(has_record && r->has_sp, mr_dmarc_policy_word(r->sp)) },
	    { "np", word_if(has_record && r->has_np, mr_dmarc_policy_word(r->np)) },
	    { "adkim", word_if(has_record, r->is_adkim_strict ? "s" : "r") },
	    { "aspf", word_if(has_record, r->is_aspf_strict ? "s" : "r") },
	    { "pct", has_record ? MR_NUM(r->pct) : word_if(false, "") },
	    { "t", word_if(has_record && r->is_test, "y") }, { "fo", r->fo },
	    { "spf", q->spf_result }, { "spf_domain", q->spf_domain },
	    { "scope", word_if(q->spf_result.p, sender.n ? "mfrom" : "helo") },
	    { "dkim", mr_env_get(m->env, "dkim_signatures") }, { "why", a->d.problem });
}

static void
say(const struct dmarc *s, const struct author *a, struct mr_answer *answer)
{
	enum mr_verdict verdict = a->v.action == MR_DMARC_DO_REJECT ? MR_REFUSE : MR_DEFER;
	char class = a->v.action == MR_DMARC_DO_REJECT ? '5' : '4';
	struct mr_str why = mr_arena_shown(answer->arena, a->d.problem, SHOWN_MAX, UNSAFE);

	if (a->v.action == MR_DMARC_DO_QUARANTINE && s->gives_class)
		answer->verdict = MR_MEMBER;
	if (a->v.action != MR_DMARC_DO_REJECT && a->v.action != MR_DMARC_DO_DEFER)
		return;
	if (a->d.result == MR_DMARC_RESULT_FAIL)
		mr_answer_say(answer, verdict, policy_refuses, class, (int)a->d.policy_domain.n,
		    a->d.policy_domain.p, (int)a->domain.n, a->domain.p);
	else
		mr_answer_say(answer, verdict, not_checked, class,
		    mr_dmarc_result_word(a->d.result), (int)why.n, why.p);
}

/* A field that says what the mailbox's filters cannot know: that this message was let in for the mailbox
 * to put aside. */
static enum mr_status
add_header(const struct author *a, struct mr_answer *answer, struct mr_err *err)
{
	if (a->v.action != MR_DMARC_DO_QUARANTINE)
		return MR_OK;
	answer->headers = mr_arena_fmt(answer->arena, "X-DMARC-Quarantine: %s%s%.*s; policy=%s\n",
	    mr_dmarc_result_word(a->d.result), a->domain.n ? "; header.from=" : "",
	    (int)a->domain.n, a->domain.n ? a->domain.p : "", mr_dmarc_policy_word(a->v.policy));
	return answer->headers.p ? MR_OK : mr_err_set(err, MR_TEMP, "out of memory");
}

/* "fail for a.example, p=reject of a.example; quarantine (sampled_out)" */
static void
add_words(struct mr_buf *b, struct mr_arena *arena, const struct author *a)
{
	const struct mr_dmarc *d = &a->d;

	mr_buf_adds(b, mr_dmarc_result_word(d->result));
	if (a->domain.n)
		mr_buf_addf(b, " for %.*s", (int)a->domain.n, a->domain.p);
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
		mr_buf_add(b, mr_arena_shown(arena, d->problem, SHOWN_MAX, UNSAFE));
	}
	if (a->v.action != MR_DMARC_DO_ACCEPT)
		mr_buf_addf(b, "; %s", mr_dmarc_action_word(a->v.action));
	if (a->v.reason)
		mr_buf_addf(b, " (%s)", a->v.reason);
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
		add_words(&b, m->arena, &m->author[i]);
		mr_buf_addc(&b, '\n');
	}
	answer->report = mr_arena_dup(answer->arena, mr_buf_str(&b));
	mr_buf_free(&b);
	return answer->note.p && answer->report.p ? MR_OK
	                                          : mr_err_set(err, MR_TEMP, "out of memory");
}

static enum mr_status
add_attrs(const struct author *a, struct mr_answer *answer, struct mr_err *err)
{
	const struct mr_field attrs[] = {
		{ "dmarc_result", mr_str(mr_dmarc_result_word(a->d.result)) },
		{ "dmarc_domain", a->domain.n ? a->domain : word_if(false, "") },
		{ "dmarc_policy",
		    word_if(a->d.policy_domain.p, mr_dmarc_policy_word(a->v.policy)) },
		{ "dmarc_disposition", mr_str(disposition(a)) },
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
		if ((st = add_result(m, &m->author[i], answer, err)))
			return st;
	if ((st = add_attrs(m->worst, answer, err)) || (st = add_header(m->worst, answer, err))
	    || (st = add_report(m, answer, err)))
		return st;
	for (size_t i = 0; i < m->n; i++)
		tell_log(s, m, &m->author[i]);
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
