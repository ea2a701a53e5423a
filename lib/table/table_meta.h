/* table_meta.h - what a compiled table says of itself: keys that begin with a NUL byte. */
#ifndef MR_TABLE_TABLE_META_H
#define MR_TABLE_TABLE_META_H

#include "base/str.h"

#define MR_TABLE_META_KIND    MR_STR("\0kind")    /* "map", "access", "routes" */
#define MR_TABLE_META_VERSION MR_STR("\0version") /* MR_TABLE_VERSION */
#define MR_TABLE_META_V4      MR_STR("\0v4") /* prefix lengths in use, a byte each, longest first */
#define MR_TABLE_META_V6      MR_STR("\0v6")

#define MR_TABLE_VERSION MR_STR("1")

#endif
