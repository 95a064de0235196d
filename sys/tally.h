/*
 * The queue in figures.
 */
#ifndef SYS_TALLY_H
#define SYS_TALLY_H

#include "sys/qdir.h"
#include "sys/queued.h"

enum {
	TALLY_REASONS = 64, /* that are told apart */
	TALLY_TEXT = QFILE_STATUS_MAX + QFILE_TEXT_MAX + 1
};

struct tally_reason {
	uint64_t times; /* recipients */
	size_t n;
	char text[TALLY_TEXT];
};

struct tally {
	uint64_t messages, held, recipients, octets;
	uint64_t unreadable;      /* files that are no message */
	int64_t oldest_s, next_s; /* 0: none; next of what is not held */
	unsigned nreasons;        /* the last errors, most frequent first */
	struct tally_reason reason[TALLY_REASONS];
};

/* Counts what waits.  0 or -errno. */
int tally_queue(struct tally *t, struct qdir *d);

#endif
