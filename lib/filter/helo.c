#include "check/helo.h"
#include "base/opt.h"
#include "filter/filter.h"
#include "mail/addr.h"

static const char malformed[] = "5.5.2 HELO: what you call yourself is no name of a host";
static const char ours[] = "5.7.1 HELO %.*s: that is this host, not you";
static const char no_name[] = "5.5.2 HELO %.*s: neither a domain name nor an address literal";
static const char other_address[] = "5.7.1 HELO %.*s: that is not your address";
static const char unknown[] = "5.7.1 HELO %.*s: the DNS has neither A, AAAA nor MX for it";
static const char no_reverse[] = "5.7.25 Your address has no name in the DNS that has it, too";
static const char outage[] = "4.4.3 HELO %.*s: the DNS does not answer";

#define OWN_MAX    64u /* operands */
#define TIME_S     20  /* of all lookups */
#define SHOWN_MAX  200 /* octets of the name in a reply */
#define MEMORY_MAX (64u << 10)

struct helo {
	const struct mr_filter_conf *conf;
	unsigned level; /* -s */
	size_t own_n;
	struct mr_str own[OWN_MAX + 2]; /* operands, then room for what is known later */
};

static enum mr_status
helo_open(void **state, const struct mr_filter_conf *conf, struct mr_err *err)
{
	struct helo *h = mr_arena_alloc(conf->arena, sizeof *h);
	uint64_t level = 0;

	if (!h)
		return mr_err_set(err, MR_TEMP, "out of memory");
	for (size_t i = 0; i < conf->opt_n; i++)
		if (mr_opt_num('s', conf->opt[i].arg, 0, MR_HELO_LEVEL_MAX, &level, err))
			return MR_USAGE;
	h->conf = conf;
	h->level = (unsigned)level;
	if (conf->operand_n > OWN_MAX)
		return mr_err_set(err, MR_USAGE, "more than %u names", OWN_MAX);
	for (; h->own_n < conf->operand_n; h->own_n++) {
		struct mr_str own = mr_str(conf->operand[h->own_n]);
		struct mr_ip ip;

		if (!mr_domain_is_valid(own) && mr_ip_parse(&ip, own))
			return mr_err_set(err, MR_USAGE, "%.*s: neither a domain nor an address",
			    (int)own.n, own.p);
		h->own[h->own_n] = own;
	}
	*state = h;
	return MR_OK;
}

/* False: the record has no HELO yet. */
static bool
make_query(const struct helo *given, const struct mr_env *env, struct helo *h, struct mr_ip *ip,
    struct mr_helo_query *q)
{
	struct mr_str name = mr_env_get(env, "client_name");

	*h = *given;
	h->own[h->own_n++] = h->conf->our_name;
	h->own[h->own_n++] = mr_env_get(env, "server_address");
	*q = (struct mr_helo_query){ .helo = mr_env_get(env, "helo_name"),
		.own = h->own,
		.own_n = h->own_n,
		.level = h->level };
	if (mr_ip_parse(ip, mr_env_get(env, "client_address")) == MR_OK)
		q->ip = ip;
	if (!mr_str_is(name, "unknown")) /* Postfix's word for a client without a name */
		q->client_name = name;
	return q->helo.n;
}

static enum mr_status
helo_ask(void *state, const struct mr_env *env, struct mr_err *err)
{
	const struct helo *given = state;
	struct mr_helo_query q;
	struct mr_arena arena;
	enum mr_helo_fault fault;
	struct mr_ip ip;
	struct helo h;

	(void)err;
	mr_arena_init(&arena, MEMORY_MAX);
	if (make_query(given, env, &h, &ip, &q))
		mr_helo_check(&fault, &q, h.conf->dns, &arena);
	mr_arena_free(&arena);
	return MR_OK;
}

static void
say(struct mr_answer *a, enum mr_helo_fault fault, struct mr_str helo, bool outage_is_open)
{
	int n = helo.n < SHOWN_MAX ? (int)helo.n : SHOWN_MAX;

	switch (fault) {
	case MR_HELO_OK:
		break;
	case MR_HELO_MALFORMED:
		mr_answer_say(a, MR_REFUSE, malformed);
		break;
	case MR_HELO_OURS:
		mr_answer_say(a, MR_REFUSE, ours, n, helo.p);
		break;
	case MR_HELO_NO_NAME:
		mr_answer_say(a, MR_REFUSE, no_name, n, helo.p);
		break;
	case MR_HELO_OTHER_ADDRESS:
		mr_answer_say(a, MR_REFUSE, other_address, n, helo.p);
		break;
	case MR_HELO_UNKNOWN:
		mr_answer_say(a, MR_REFUSE, unknown, n, helo.p);
		break;
	case MR_HELO_NO_REVERSE:
		mr_answer_say(a, MR_REFUSE, no_reverse);
		break;
	case MR_HELO_OUTAGE:
		if (!outage_is_open)
			mr_answer_say(a, MR_DEFER, outage, n, helo.p);
		break;
	}
}

static enum mr_status
helo_envelope(void *state, const struct mr_env *env, struct mr_answer *answer, struct mr_err *err)
{
	const struct helo *given = state;
	struct mr_helo_query q;
	enum mr_helo_fault fault;
	struct mr_ip ip;
	struct helo h;

	if (!make_query(given, env, &h, &ip, &q)) {
		answer->note = MR_STR("no HELO");
		return MR_OK;
	}
	if (!mr_helo_check(&fault, &q, h.conf->dns, answer->arena))
		return mr_err_set(err, MR_TEMP, "the DNS was not asked");
	answer->note = mr_str(mr_helo_word(fault));
	say(answer, fault, q.helo, h.conf->outage_is_open);
	return mr_attrs_set(
	    &answer->attrs, answer->arena, MR_STR("helo_result"), answer->note, err);
}

const struct mr_filter mr_filter_helo = {
	.name = "mr-helo",
	.purpose = "whether the client's name for itself can be true",
	.synopsis = "[-s level] [our-name-or-address ...]",
	.letters = "s:",
	.time_s = TIME_S,
	.open = helo_open,
	.ask = helo_ask,
	.envelope = helo_envelope,
};
