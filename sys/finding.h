/*
 * What a check found: one line each, counted.
 */
#ifndef SYS_FINDING_H
#define SYS_FINDING_H

#include <stdbool.h>

enum finding {
	FINDING_OK,
	FINDING_WARNING,
	FINDING_FAULT,
	FINDING_UNREACHABLE /* a fault too, but perhaps not of ours */
};

/* From now on FINDING_OK is not printed. */
void finding_be_quiet(void);

/*
 * Prints "fault: WHERE: text"; where may be NULL.  What comes from outside
 * has been escaped by the caller.
 */
__attribute__((format(printf, 3, 4))) void finding(
    enum finding f, const char *where, const char *format, ...);

/* How many there have been. */
unsigned finding_count(enum finding f);

/* 0, EX_CONFIG or EX_UNAVAILABLE: the gravest of them. */
int finding_exit_code(void);

#endif
