#include "pipe/relay.h"

#define T_RELAY       "5.7.1 Relaying denied"
#define T_NO_DELIVERY "4.3.5 The domain is local here, but mail for it cannot be delivered yet"
#define T_OURS        "4.3.0 Temporary problem of this host"

static struct mr_result
refusal(enum mr_verdict verdict, const char *stage, const char *text)
{
	return (struct mr_result){ .verdict = verdict, .stage = stage, .text = mr_str(text) };
}

static void
control(
    struct mr_run *run, const struct mr_table *routes, const struct mr_addr *a, struct mr_result *r)
{
	const struct mr_log *log = run->pl->conf.log;
	struct mr_str id = mr_run_get(run, "queue_id");
	struct mr_route route;
	struct mr_err err;

	if (mr_route_find(routes, a->domain, &route, &err)) {
		MR_LOG(log, MR_LOG_FAULT, "routes", { "id", id }, { "why", mr_str(err.text) });
		*r = refusal(MR_DEFER, "routes", T_OURS);
	} else if (mr_route_is_ours(&route)) {
		mr_run_give(run, MR_RCPT, MR_LOCAL);
		if (route.kind != MR_ROUTE_LOCAL)
			return;
		MR_LOG(log, MR_LOG_FAULT, "routes", { "id", id }, { "domain", a->domain },
		    { "why", MR_STR("domain is local, but there is no delivery route for it") });
		*r = refusal(MR_DEFER, "delivery", T_NO_DELIVERY);
	} else if (!(mr_run_classes(run) & (MR_TRUSTED | MR_AUTH)))
		*r = refusal(MR_REFUSE, "relay", T_RELAY);
}

void
mr_relay_rcpt(
    struct mr_run *run, const struct mr_table *routes, const struct mr_addr *a, struct mr_result *r)
{
	bool is_unknown = false;

	mr_run_begin_rcpt(run);
	mr_run_upto(run, MR_CONNECT, r);
	if (r->verdict == MR_DUNNO) {
		control(run, routes, a, r);
		is_unknown = r->verdict == MR_REFUSE;
	}
	if (r->verdict == MR_DUNNO)
		mr_run_upto(run, MR_MAIL, r);
	if (r->verdict == MR_DUNNO) {
		mr_run_rcpt(run, a->text, r);
		is_unknown = r->verdict == MR_REFUSE;
	}
	run->rcpt_unknown += is_unknown;
}
