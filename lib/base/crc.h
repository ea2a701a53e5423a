/* crc.h - checksums against damage, not against malice. */
#ifndef MR_BASE_CRC_H
#define MR_BASE_CRC_H

#include "base/str.h"

/* The CRC-32 (of zlib, RFC 1952 section 8) of what `crc` covers and then `bytes`; 0 to begin. */
uint32_t mr_crc32(uint32_t crc, struct mr_str bytes);

#endif
