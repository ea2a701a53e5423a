/* What lists in the DNS say of the sending addresses, and of the domain (RFC 5782). */
#include "check/dnsreport_pass.h"

/* What a list that is of no use says. */
static const char *
what_is_wrong(enum mr_dnsbl_said said)
{
	switch (said) {
	case MR_DNSBL_LATE:
		return "no answer";
	case MR_DNSBL_REFUSES:
		return "it refuses to serve this resolver";
	case MR_DNSBL_NO_LIST:
		return "its answers are not in 127.0.0.0/8";
	case MR_DNSBL_LISTS_ALL:
		return "it lists what no list may list";
	case MR_DNSBL_LISTS_NOBODY:
		return "it does not list its own test entry";
	default:
		return NULL;
	}
}

static void
ask_list(struct mr_dnsreport_pass *p, const struct mr_dnsbl_site *site, bool of_names,
    const struct mr_dnsbl_subject *subject, struct mr_str about)
{
	enum mr_dnsreport_check check = of_names ? MR_CHECK_DNSBL_NAME : MR_CHECK_DNSBL_LISTED;
	struct mr_str zone = site->zone, why = { NULL, 0 };
	const struct mr_dns_answer *txt;
	struct mr_dnsbl_finding f;

	if (!mr_dnsreport_has_room(p, MR_DNSREPORT_LIST_ASKS))
		return;
	if (!mr_dnsbl_check(&f, site, of_names, subject, true, p->dns, p->arena)) {
		p->is_pending = true;
		return;
	}
	if (what_is_wrong(f.said)) {
		mr_dnsreport_say(p, MR_CHECK_DNSBL_WORKS, MR_LEVEL_INFO, zone, NULL,
		    "%.*s is not usable: %s", (int)zone.n, zone.p, what_is_wrong(f.said));
		return;
	}
	if (f.said != MR_DNSBL_LISTED) {
		mr_dnsreport_say(p, check, MR_LEVEL_OK, about, NULL, "%.*s is not in %.*s",
		    (int)about.n, about.p, (int)zone.n, zone.p);
		return;
	}
	txt = mr_dnsreport_ask(p, f.asked, MR_DNS_TXT);
	if (mr_is_found(txt))
		why = txt->rec[0].text;
	mr_dnsreport_say(p, check, MR_LEVEL_FAIL, about, NULL, "%.*s is listed in %.*s%s%.*s",
	    (int)about.n, about.p, (int)zone.n, zone.p, why.n ? ": " : "",
	    (int)(why.n < 200 ? why.n : 200), why.n ? why.p : "");
}

void
mr_dnsreport_dnsbl(struct mr_dnsreport_pass *p)
{
	struct mr_dnsbl_subject names = { .name = { p->domain }, .name_n = 1 };

	for (size_t l = 0; l < p->q->list_n; l++)
		for (size_t i = 0; i < p->sender_n; i++) {
			struct mr_dnsbl_subject address = { .ip = &p->sender[i].ip };

			ask_list(p, &p->q->list[l], false, &address, p->sender[i].text);
		}
	for (size_t l = 0; l < p->q->name_list_n; l++)
		ask_list(p, &p->q->name_list[l], true, &names, p->domain);
}
