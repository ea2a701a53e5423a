/* fuzz.h - what all fuzz targets need. */
#ifndef MR_TEST_FUZZ_FUZZ_H
#define MR_TEST_FUZZ_FUZZ_H

#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that no input may break. */
#define must(cond)                                                                         \
	do {                                                                               \
		if (!(cond)) {                                                             \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                           \
		}                                                                          \
	} while (0)

/* The bytes in memory of their own, so that one byte beyond them is seen. */
static inline struct mr_str
fuzz_copy(const uint8_t *data, size_t size)
{
	char *p = malloc(size ? size : 1);

	must(p);
	if (size)
		memcpy(p, data, size);
	return (struct mr_str){ p, size };
}

static inline void
fuzz_free(struct mr_str s)
{
	void *p;

	memcpy(&p, &s.p, sizeof p);
	free(p);
}

#endif
