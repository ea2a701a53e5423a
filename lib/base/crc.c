#include "base/crc.h"

#include <zlib.h>

uint32_t
mr_crc32(uint32_t crc, struct mr_str bytes)
{
	const char *p = bytes.n ? bytes.p : "";

	return (uint32_t)crc32_z(crc, (const unsigned char *)p, bytes.n);
}
