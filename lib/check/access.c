#include "check/access.h"

#include "mail/addr.h"
#include "table/tcprules.h"

/* An entry of one kind. */
struct entry {
	enum mr_rule rule; /* MR_RULE_DAMAGED here: there is none */
	struct mr_str key, comment;
};

static bool
permits(const struct entry *e)
{
	return e->rule == MR_RULE_PERMIT || e->rule == MR_RULE_BOTH;
}

static enum mr_status
damaged(struct mr_err *err)
{
	return mr_err_set(err, MR_TEMP, "access table is damaged; compile it again");
}

/* What a lookup gave, as an entry. */
static enum mr_status
take(struct entry *e, enum mr_status found, struct mr_str key, struct mr_str value,
    struct mr_err *err)
{
	*e = (struct entry){ .rule = MR_RULE_DAMAGED };
	if (found == MR_NOTFOUND)
		return MR_OK;
	if (found == MR_OK)
		e->rule = mr_rule_parse(value, &e->comment);
	e->key = key;
	return e->rule == MR_RULE_DAMAGED ? damaged(err) : MR_OK;
}

static enum mr_status
look_up_ip(struct entry *e, const struct mr_table *table, const struct mr_ip *ip,
    struct mr_arena *arena, struct mr_err *err)
{
	char storage[MR_NET_TEXT_MAX];
	struct mr_str value, key = MR_STR("");
	struct mr_net net;
	enum mr_status found = ip ? mr_table_get_ip(table, ip, &net, &value) : MR_NOTFOUND;

	if (found == MR_OK) {
		bool is_one = net.bits == mr_ip_bits(&net.ip);

		key = mr_arena_dup(
		    arena, is_one ? mr_ip_text(storage, ip) : mr_net_text(storage, &net));
		if (!key.p)
			return mr_err_set(err, MR_TEMP, "out of memory");
	}
	return take(e, found, key, value, err);
}

static enum mr_status
look_up_sender(struct entry *mailbox, struct entry *domain, const struct mr_table *table,
    struct mr_str sender, struct mr_arena *arena, struct mr_err *err)
{
	struct mr_str value, key = MR_STR("");
	struct mr_addr addr;
	enum mr_status st;

	*mailbox = *domain = (struct entry){ .rule = MR_RULE_DAMAGED };
	if (sender.n == 0)
		return MR_OK;
	if ((st = mr_addr_parse_unquoted(&addr, arena, sender, err)))
		return st == MR_PERM ? MR_OK : st;
	st = mr_table_get_mailbox(table, addr.text, &value);
	if ((st = take(mailbox, st, addr.text, value, err)))
		return st;
	st = mr_table_get_domain(table, addr.domain, &key, &value);
	return take(domain, st, key, value, err);
}

static void
decide(struct mr_access *a, enum mr_access_verdict verdict, enum mr_access_by by,
    const struct entry *e)
{
	*a = (struct mr_access){ verdict, by, e->key, e->comment, e->rule == MR_RULE_BOTH,
		{ NULL, 0 } };
}

static enum mr_status
judge_tcprules(const struct mr_table *table, const struct mr_access_query *query,
    struct mr_arena *arena, struct mr_access *a, struct mr_err *err)
{
	struct mr_tcprule rule;
	enum mr_status st = mr_tcprules_find(table, arena, query->ip, query->client_name, &rule);

	if (st == MR_NOTFOUND)
		return MR_OK;
	if (st)
		return damaged(err);
	if (rule.is_deny || rule.is_relayclient) {
		a->verdict = rule.is_deny ? MR_ACCESS_FORBID : MR_ACCESS_PERMIT;
		a->by = MR_ACCESS_BY_IP;
		a->key = rule.key;
	}
	return MR_OK;
}

enum mr_status
mr_access_judge(const struct mr_table *table, const struct mr_access_query *query,
    struct mr_arena *arena, struct mr_access *a, struct mr_err *err)
{
	struct entry ip, mailbox, domain;
	enum mr_status st;

	*a = (struct mr_access){ .verdict = MR_ACCESS_NONE };
	if (mr_table_kind_of(table) == MR_TABLE_FOREIGN)
		return judge_tcprules(table, query, arena, a, err);
	if ((st = look_up_ip(&ip, table, query->ip, arena, err))
	    || (st = look_up_sender(&mailbox, &domain, table, query->sender, arena, err)))
		return st;
	if (ip.rule == MR_RULE_FORBID)
		decide(a, MR_ACCESS_FORBID, MR_ACCESS_BY_IP, &ip);
	else if (mailbox.rule == MR_RULE_FORBID)
		decide(a, MR_ACCESS_FORBID, MR_ACCESS_BY_MAILBOX, &mailbox);
	else if (permits(&mailbox) && query->sender_is_proven)
		decide(a, MR_ACCESS_PERMIT, MR_ACCESS_BY_MAILBOX, &mailbox);
	else if (domain.rule == MR_RULE_FORBID)
		decide(a, MR_ACCESS_FORBID, MR_ACCESS_BY_DOMAIN, &domain);
	else if (permits(&ip))
		decide(a, MR_ACCESS_PERMIT, MR_ACCESS_BY_IP, &ip);
	else if (permits(&domain) && query->sender_is_proven)
		decide(a, MR_ACCESS_PERMIT, MR_ACCESS_BY_DOMAIN, &domain);
	else if (permits(&mailbox) || permits(&domain))
		a->unproven = permits(&mailbox) ? mailbox.key : domain.key;
	return MR_OK;
}

enum mr_status
mr_access_trusts_all(const struct mr_table *table, bool *trusts_all, struct mr_str *key)
{
	bool is_foreign = mr_table_kind_of(table) == MR_TABLE_FOREIGN;
	const struct mr_str all[2][2] = { { MR_STR("0.0.0.0/0"), MR_STR("::/0") },
		{ MR_STR(""), MR_STR("=") } };

	*trusts_all = false;
	for (size_t i = 0; i < 2 && !*trusts_all; i++) {
		struct mr_str value, comment;
		struct mr_tcprule rule;
		enum mr_status st;

		*key = all[is_foreign][i];
		st = is_foreign ? mr_tcprules_get(table, *key, &rule)
		                : mr_table_get(table, *key, &value);
		if (st == MR_OK)
			*trusts_all = is_foreign ? rule.is_relayclient
			                         : mr_rule_parse(value, &comment) != MR_RULE_FORBID;
		if (st == MR_TEMP)
			return st;
	}
	return MR_OK;
}
