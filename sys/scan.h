/*
 * The scan of a pass: from the directory's names to messages in the window.
 */
#ifndef SYS_SCAN_H
#define SYS_SCAN_H

#include <time.h>

#include "sys/shift.h"

struct scan {
	struct shift *shift;
	bool running;
	bool first;   /* no scan was ended before it */
	bool skipped; /* messages for slow destinations, to come back to */
	unsigned skipped_at;       /* messages in the window then */
	char name[QDIR_NAME_MAX];  /* one that had no room, or "" */
	struct timespec start;     /* of the pass */
	int64_t spent_ms, next_ms; /* in this scan; when the next may begin */
};

void scan_start(struct scan *s, struct shift *shift);

/* Goes on until there is no room or no name, and begins again when that is
 * due.  0 or -errno, logged. */
int scan_go_on(struct scan *s);

/* Milliseconds until scan_go_on can do something for no other reason than
 * the time; -1: never. */
int scan_due_in_ms(const struct scan *s);

#endif
