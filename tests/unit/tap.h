/*
 * TAP for unit tests.  A test file has one main that runs its tables and
 * returns tap_done().  A check is one line of TAP; what a table row was
 * called goes into its name.
 */
#ifndef TESTS_UNIT_TAP_H
#define TESTS_UNIT_TAP_H

#include "mail/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	unsigned count, failed;
} tap;

/* Octets for a reader, on standard output. */
static inline void tap_show(const char *what, struct str s)
{
	printf("#   %s (%zu): \"", what, s.n);
	for (size_t i = 0; i < s.n && i < 400; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x20 && c < 0x7f && c != '\\')
			putchar(c);
		else
			printf("\\x%02x", c);
	}
	printf("\"\n");
}

__attribute__((format(printf, 2, 3))) static inline bool tap_ok(
    bool good, const char *format, ...)
{
	va_list args;

	tap.count++;
	if (!good)
		tap.failed++;
	printf("%sok %u - ", good ? "" : "not ", tap.count);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	return good;
}

/* Octets equal; shows both when they are not. */
__attribute__((format(printf, 3, 4))) static inline bool tap_same(
    struct str got, struct str want, const char *format, ...)
{
	char name[200];
	va_list args;
	bool good = str_eq(got, want);

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	tap_ok(good, "%s", name);
	if (!good) {
		tap_show("got ", got);
		tap_show("want", want);
	}
	return good;
}

static inline int tap_done(void)
{
	printf("1..%u\n", tap.count);
	return tap.failed > 0 || tap.count == 0;
}

/* `n` octets c: for limits at n-1, n and n+1; the last result of four. */
static inline struct str tap_run(char c, size_t n)
{
	static char *room[4];
	static unsigned at;

	at = (at + 1) % 4;
	free(room[at]);
	room[at] = malloc(n + 1);
	if (room[at] == NULL)
		abort();
	memset(room[at], c, n);
	return str_at(room[at], n);
}

/* The octets in memory of exactly their size, so that the sanitizer sees a
 * step too far; free() it. */
static inline char *tap_exact(struct str s)
{
	char *p = malloc(s.n > 0 ? s.n : 1);

	if (p == NULL)
		abort();
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return p;
}

/* A slice in a static table, where STR is no constant. */
/* clang-format off */
#define S(literal) { "" literal, sizeof(literal) - 1 }
/* clang-format on */

#define TAP_N(array) (sizeof(array) / sizeof((array)[0]))

#endif
