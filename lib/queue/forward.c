#include "queue/state.h"

static struct mr_str
domain_of(struct mr_str addr)
{
	return mr_str_from(addr, (size_t)(mr_str_rchr(addr, '@') + 1));
}

/* Bounces to the rewritten senders must come to us. */
static enum mr_status
check_domain(const struct mr_table *routes, struct mr_str domain, struct mr_err *err)
{
	struct mr_route route;
	enum mr_status st = mr_route_find(routes, domain, &route, err);

	return st                      ? st
	    : mr_route_is_ours(&route) ? MR_OK
	                               : mr_err_set(err, MR_USAGE,
	                                   "domain %.*s is not ours by the routes: bounces "
	                                   "would not come back",
	                                   (int)domain.n, domain.p);
}

enum mr_status
mr_queue_open_files(const struct mr_sched_conf *conf, struct mr_table **routes, struct mr_srs *srs,
    struct mr_err *err)
{
	enum mr_status st = MR_OK;

	*routes = NULL;
	*srs = (struct mr_srs){ .key_n = 0 };
	if (conf->routes && (st = mr_table_open(routes, conf->routes, MR_TABLE_ROUTES, err)))
		return st;
	if (conf->srs_keys
	    && ((st = mr_srs_open(srs, conf->srs_keys, mr_str(conf->srs_domain), err))
	        || (st = check_domain(*routes, srs->domain, err)))) {
		mr_srs_free(srs);
		mr_table_close(*routes);
		*routes = NULL;
	}
	return st;
}

enum mr_status
mr_queue_is_forwarded(bool *is, const struct mr_sched *s, struct mr_str sender,
    const struct mr_rcpt *rcpt, const struct mr_route *route, struct mr_err *err)
{
	struct mr_str original = mr_attrs_get(&rcpt->attrs, "original_recipient");
	struct mr_route from;
	enum mr_status st;

	*is = false;
	if (s->srs.key_n == 0 || !sender.n || !original.n || mr_route_is_ours(route)
	    || mr_str_caseeq(domain_of(original), domain_of(rcpt->addr)))
		return MR_OK;
	st = mr_route_find(s->routes, domain_of(sender), &from, err);
	*is = st == MR_OK && !mr_route_is_ours(&from);
	return st;
}
