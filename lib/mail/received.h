/* received.h - the Received field that this host adds (RFC 5321 section 4.4). */
#ifndef MR_MAIL_RECEIVED_H
#define MR_MAIL_RECEIVED_H

#include "mail/envelope.h"

/* Appends the field with CRLF, for the message that `env` tells of: client_address, client_name,
 * helo_name, protocol_name (SMTP, ESMTP, ...), queue_id, and the recipient if it is the only one.
 * `host`: our name.  Everything a client chose is reduced to safe characters and cut at
 * MR_DOMAIN_MAX octets.  Without a client_address it begins with "by". */
void
mr_received_write(struct mr_buf *out, const struct mr_env *env, struct mr_str host, int64_t now_s);

#endif
