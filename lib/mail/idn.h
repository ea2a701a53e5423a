/* idn.h - internationalised domain names as the DNS knows them. */
#ifndef MR_MAIL_IDN_H
#define MR_MAIL_IDN_H

#include "base/arena.h"
#include "base/err.h"

/* `domain` with its U-labels as A-labels (IDNA2008, RFC 5891 section 5), in the arena; one that is
 * ASCII is given back as it is.  MR_PERM: there are none, or it is longer than MR_DOMAIN_MAX;
 * MR_TEMP: no memory. */
enum mr_status mr_domain_to_ascii(
    struct mr_str *out, struct mr_arena *arena, struct mr_str domain, struct mr_err *err);

#endif
