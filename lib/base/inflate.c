#include "base/inflate.h"

#include "base/crc.h"

#include <stdlib.h>
#include <zlib.h>

#define OUT_MAX 16384u

struct mr_inflate {
	z_stream z;
	unsigned char out[OUT_MAX];
};

uint32_t
mr_crc32(uint32_t crc, struct mr_str bytes)
{
	const char *p = bytes.n ? bytes.p : "";

	return (uint32_t)crc32_z(crc, (const unsigned char *)p, bytes.n);
}

struct mr_inflate *
mr_inflate_new(bool is_gzip)
{
	struct mr_inflate *z = calloc(1, sizeof *z);

	/* 15: the largest window; 32 finds out about gzip or zlib by itself. */
	if (z && inflateInit2(&z->z, is_gzip ? 15 + 32 : -15) != Z_OK) {
		free(z);
		z = NULL;
	}
	return z;
}

void
mr_inflate_free(struct mr_inflate *z)
{
	if (z)
		inflateEnd(&z->z);
	free(z);
}

enum mr_status
mr_inflate(struct mr_inflate *z, struct mr_str in, size_t *used,
    bool (*emit)(void *ctx, struct mr_str bytes), void *ctx)
{
	int code = Z_OK;
	size_t n;

	z->z.next_in = (z_const Bytef *)(uintptr_t)in.p;
	z->z.avail_in = (uInt)in.n;
	do {
		z->z.next_out = z->out;
		z->z.avail_out = sizeof z->out;
		code = inflate(&z->z, Z_NO_FLUSH);
		n = sizeof z->out - z->z.avail_out;
		if (n && !emit(ctx, (struct mr_str){ (const char *)z->out, n }))
			code = Z_DATA_ERROR;
	} while (code == Z_OK && (z->z.avail_in || z->z.avail_out == 0));
	*used = in.n - z->z.avail_in;
	return code == Z_STREAM_END               ? MR_NOTFOUND
	    : code == Z_OK || code == Z_BUF_ERROR ? MR_OK
	    : code == Z_MEM_ERROR                 ? MR_TEMP
	                                          : MR_PERM;
}
