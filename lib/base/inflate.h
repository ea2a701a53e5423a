/* inflate.h - deflated bytes, streaming (RFC 1951, 1952). */
#ifndef MR_BASE_INFLATE_H
#define MR_BASE_INFLATE_H

#include "base/err.h"
#include "base/str.h"

struct mr_inflate;

/* `is_gzip`: with gzip's header and trailer, or zlib's; else bare.  NULL: no memory. */
struct mr_inflate *mr_inflate_new(bool is_gzip);
void mr_inflate_free(struct mr_inflate *z); /* NULL is nothing to free */

/* Takes the next piece; `emit` gets what it holds, in pieces valid during the call, and says whether to go
 * on.  MR_OK: more may come; MR_NOTFOUND: that was the end (*used bytes of `in` are before it);
 * MR_PERM: the bytes are no such stream, or emit did not want more; MR_TEMP: no memory. */
enum mr_status mr_inflate(struct mr_inflate *z, struct mr_str in, size_t *used,
    bool (*emit)(void *ctx, struct mr_str bytes), void *ctx);

#endif
