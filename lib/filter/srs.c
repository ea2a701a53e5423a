#include "mail/srs.h"
#include "base/clock.h"
#include "base/opt.h"
#include "filter/filter.h"

static const char not_ours[] =
    "5.1.1 No such address: it was not made here, or was changed on the way";
static const char too_old[] = "5.1.1 This address was for bounces and is no longer valid";
static const char no_address[] = "5.1.3 Bad recipient address";

static enum mr_status
take_options(const struct mr_filter_conf *conf, const char **keys, uint64_t *hash_min,
    uint64_t *days, struct mr_err *err)
{
	enum mr_status st = MR_OK;

	for (size_t i = 0; i < conf->opt_n && st == MR_OK; i++) {
		const char *arg = conf->opt[i].arg;

		if (conf->opt[i].letter == 'k')
			*keys = arg;
		else if (conf->opt[i].letter == 'c')
			st = mr_opt_num('c', arg, MR_SRS_HASH_MIN, MR_SRS_HASH_MAX, hash_min, err);
		else
			st = mr_opt_num('d', arg, 1, MR_SRS_DAYS_MAX, days, err);
	}
	if (st == MR_OK && !*keys)
		st = mr_err_set(err, MR_USAGE, "need -k keys: the file of the keys");
	if (st == MR_OK && conf->operand_n != 1)
		st = mr_err_set(err, MR_USAGE, "need exactly one domain, that of the addresses");
	return st;
}

static enum mr_status
srs_open(void **state, const struct mr_filter_conf *conf, struct mr_err *err)
{
	struct mr_srs *srs = mr_arena_alloc(conf->arena, sizeof *srs);
	uint64_t hash_min = MR_SRS_HASH, days = MR_SRS_DAYS;
	const char *keys = NULL;
	enum mr_status st;

	if (!srs)
		return mr_err_set(err, MR_TEMP, "out of memory");
	if ((st = take_options(conf, &keys, &hash_min, &days, err))
	    || (st = mr_watch_add(conf->watch, keys, err))
	    || (st = mr_srs_open(srs, keys, mr_str(conf->operand[0]), err)))
		return st;
	srs->hash_min = (unsigned)hash_min;
	srs->days = (unsigned)days;
	*state = srs;
	return MR_OK;
}

static void
srs_close(void *state)
{
	mr_srs_free(state);
}

/* One recipient into `edited`: the address behind it, or itself.  An answer other than MR_DUNNO: it is none. */
static enum mr_status
take_recipient(const struct mr_srs *srs, struct mr_env *edited, const struct mr_rcpt *rcpt,
    struct mr_answer *answer, struct mr_err *err)
{
	enum mr_srs_result result;
	struct mr_str to = rcpt->addr;
	struct mr_addr addr;
	enum mr_status st = mr_addr_parse_unquoted(&addr, edited->arena, rcpt->addr, err);

	if (st == MR_PERM) {
		mr_answer_say(answer, MR_REFUSE, "%s", no_address);
		return MR_OK;
	}
	if (st == MR_OK)
		st = mr_srs_reverse(&result, &to, srs, edited->arena, &addr, mr_clock_now_s(), err);
	if (st)
		return st;
	if (result == MR_SRS_FORGED || result == MR_SRS_EXPIRED) {
		mr_answer_say(
		    answer, MR_REFUSE, "%s", result == MR_SRS_FORGED ? not_ours : too_old);
		return MR_OK;
	}
	if (mr_env_has_rcpt(edited, to))
		return MR_OK;
	st = mr_env_copy_rcpt(edited, to, rcpt, err);
	if (st == MR_OK && result == MR_SRS_VALID) {
		struct mr_attrs *attrs = &edited->rcpt[edited->rcpt_n - 1].attrs;

		if (!mr_attrs_get(attrs, "original_recipient").p)
			st = mr_attrs_set(
			    attrs, edited->arena, MR_STR("original_recipient"), addr.text, err);
	}
	return st;
}

/* For people: the recipients as they are then; without any, what the sender's mail would be forwarded under. */
static enum mr_status
add_report(const struct mr_srs *srs, const struct mr_env *edited, struct mr_answer *answer,
    struct mr_err *err)
{
	struct mr_arena *arena = edited->arena;
	struct mr_str sender = mr_env_get(edited, "sender");
	enum mr_status st = MR_OK;
	struct mr_addr addr;
	struct mr_buf b;

	mr_buf_init(&b, MR_ENV_MAX);
	for (size_t i = 0; i < edited->rcpt_n; i++) {
		mr_buf_add(&b, edited->rcpt[i].addr);
		mr_buf_addc(&b, '\n');
	}
	if (!edited->rcpt_n && sender.n
	    && (st = mr_addr_parse_unquoted(&addr, arena, sender, err)) == MR_OK
	    && (st = mr_srs_forward(&sender, srs, arena, addr.text, mr_clock_now_s(), err))
	        == MR_OK) {
		mr_buf_add(&b, sender);
		mr_buf_addc(&b, '\n');
	}
	if (st == MR_PERM) {
		mr_answer_say(answer, MR_REFUSE, "5.1.7 Bad sender address: %s", err->text);
		st = MR_OK;
	} else if (st == MR_OK && b.n) {
		answer->report = mr_arena_dup(arena, mr_buf_str(&b));
		if (b.is_full || !answer->report.p)
			st = mr_err_set(err, MR_TEMP, "out of memory");
	}
	mr_buf_free(&b);
	return st;
}

static enum mr_status
srs_envelope(void *state, const struct mr_env *env, struct mr_answer *answer, struct mr_err *err)
{
	const struct mr_srs *srs = state;
	struct mr_env *edited = mr_arena_alloc(answer->arena, sizeof *edited);
	enum mr_status st;

	if (!edited)
		return mr_err_set(err, MR_TEMP, "out of memory");
	mr_env_init(edited, answer->arena);
	st = mr_env_join(edited, env, err);
	for (size_t i = 0; i < env->rcpt_n && st == MR_OK && answer->verdict == MR_DUNNO; i++)
		st = take_recipient(srs, edited, &env->rcpt[i], answer, err);
	if (st || answer->verdict != MR_DUNNO)
		return st;
	answer->edited = edited;
	return add_report(srs, edited, answer, err);
}

const struct mr_filter mr_filter_srs = {
	.name = "mr-srs",
	.purpose = "bounces of forwarded mail go back to its sender",
	.synopsis = "[-c characters] [-d days] -k keys domain",
	.letters = "c:d:k:",
	.edits = true,
	.open = srs_open,
	.envelope = srs_envelope,
	.close = srs_close,
};
