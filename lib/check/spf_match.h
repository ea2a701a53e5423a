/* spf_match.h - which networks of a record hold the client, as libspf2 judges it. */
#ifndef MR_CHECK_SPF_MATCH_H
#define MR_CHECK_SPF_MATCH_H

#include "base/ip.h"

struct mr_spf_matcher;

/* Before any fork.  MR_TEMP: no memory, no library. */
enum mr_status mr_spf_matcher_open(struct mr_spf_matcher **matcher, struct mr_err *err);
void mr_spf_matcher_close(struct mr_spf_matcher *matcher); /* NULL is nothing to close */

/* *at: the first of `net`[0 .. n) that holds `client`; networks of the other family never do, and
 * host bits do not count.  MR_OK, MR_NOTFOUND: none, MR_TEMP: the library failed. */
enum mr_status mr_spf_match(struct mr_spf_matcher *matcher, const struct mr_ip *client,
    const struct mr_net *net, size_t n, size_t *at, struct mr_err *err);

#endif
