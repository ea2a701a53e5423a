/* greylist_key.h - what stays the same when a message is tried again: the client behind its addresses, the
 * sender behind what varies in it. */
#ifndef MR_CHECK_GREYLIST_KEY_H
#define MR_CHECK_GREYLIST_KEY_H

#include "base/arena.h"
#include "base/ip.h"

#define MR_GREYLIST_V4_BITS 24u
#define MR_GREYLIST_V6_BITS 64u

/* The sender in lower case, without what changes from message to message: hash and time of an SRS address,
 * tag of a BATV address (prvs=), the recipient in a VERP address, what is behind a '+', numbers, and ids of
 * letters and digits.  Any bytes; p is NULL when there is no memory. */
struct mr_str mr_greylist_sender(struct mr_arena *arena, struct mr_str sender);

/* True if a host name was made from its address (at least two of its octets, or its last 32 bits in hex), or has
 * a word of dial-up pools in it: such a name tells the network, not who sends.  `host`: the part before
 * the organisational domain, may be empty. */
bool mr_greylist_is_generic(struct mr_str host, const struct mr_ip *ip);

#endif
