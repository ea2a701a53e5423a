#include "mail/received.h"

#include "mail/addr.h"
#include "mail/date.h"

/* Letters, digits and what names, addresses and literals need; nothing that could end a comment,
 * fold a line or start a quoted string. */
static void
add_safe(struct mr_buf *out, struct mr_str s)
{
	/* No longer than a domain, so that lines stay under 998 octets (RFC 5322 2.1.1). */
	for (size_t i = 0; i < s.n && i < MR_DOMAIN_MAX; i++) {
		unsigned char c = (unsigned char)s.p[i];

		mr_buf_addc(out,
		    c > ' ' && c < 0x7f && mr_str_chr(MR_STR("()<>\\\";,"), (char)c) < 0 ? (char)c
		                                                                         : '?');
	}
}

static void
add_literal(struct mr_buf *out, struct mr_str ip)
{
	mr_buf_adds(out, mr_str_chr(ip, ':') >= 0 ? "[IPv6:" : "[");
	add_safe(out, ip);
	mr_buf_adds(out, "]");
}

void
mr_received_write(struct mr_buf *out, const struct mr_env *env, struct mr_str host, int64_t now_s)
{
	struct mr_str ip = mr_env_get(env, "client_address"), name = mr_env_get(env, "client_name"),
	              helo = mr_env_get(env, "helo_name"), proto = mr_env_get(env, "protocol_name"),
	              id = mr_env_get(env, "queue_id");
	char date[MR_DATE_MAX];

	mr_buf_adds(out, "Received: ");
	if (ip.n) {
		mr_buf_adds(out, "from ");
		if (helo.n)
			add_safe(out, helo);
		else
			add_literal(out, ip);
		mr_buf_adds(out, " (");
		add_safe(out, name.n ? name : MR_STR("unknown"));
		mr_buf_adds(out, " ");
		add_literal(out, ip);
		mr_buf_adds(out, ")\r\n\t");
	}
	mr_buf_adds(out, "by ");
	add_safe(out, host);
	if (proto.n) {
		mr_buf_adds(out, " with ");
		add_safe(out, proto);
	}
	if (id.n) {
		mr_buf_adds(out, " id ");
		add_safe(out, id);
	}
	if (env->rcpt_n == 1) {
		mr_buf_adds(out, "\r\n\tfor <");
		add_safe(out, env->rcpt[0].addr);
		mr_buf_adds(out, ">");
	}
	mr_buf_adds(out, "; ");
	mr_buf_add(out, mr_date_text(date, now_s));
	mr_buf_adds(out, "\r\n");
}
