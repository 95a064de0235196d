/*
 * What the fuzz targets share: a property that does not hold stops the
 * process with its text, and the input is taken apart from the front.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "mail/str.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLDS(property)                                               \
	do {                                                          \
		if (!(property)) {                                    \
			fprintf(stderr, "%s:%d: does not hold: %s\n", \
			    __FILE__, __LINE__, #property);           \
			abort();                                      \
		}                                                     \
	} while (0)

static inline struct str fuzz_str(const uint8_t *data, size_t size)
{
	return str_at((const char *)data, size);
}

/* One octet off the front, 0 when there is none. */
static inline unsigned char fuzz_octet(struct str *s)
{
	unsigned char c = s->n > 0 ? (unsigned char)s->p[0] : 0;

	*s = str_skip(*s, 1);
	return c;
}

/* Room of exactly n octets, so that the sanitizer sees a step too far. */
static inline char *fuzz_room(size_t n)
{
	char *p = malloc(n > 0 ? n : 1);

	if (p == NULL)
		abort();
	return p;
}

#endif
