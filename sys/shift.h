/*
 * What the parts of one pass share: the window and the carriers, and how a
 * recipient, a message and a destination leave the window.
 */
#ifndef SYS_SHIFT_H
#define SYS_SHIFT_H

#include "sys/crew.h"
#include "sys/pass.h"
#include "sys/settle.h"
#include "sys/window.h"

struct shift {
	const struct pass *pass;
	struct pass_tally *tally;
	struct window w;
	struct crew crew;
	bool again; /* something new is in the queue: a scan is owed */
	/* messages that were removed, and since when the first of them */
	unsigned nremoved;
	int64_t removed_ms;
	int fault; /* -errno of shift_sync */
};

/* One open thing less of a message; the last one settles it. */
void shift_end_message(struct shift *s, int message);

/* A recipient has its fate; its task is no more. */
void shift_end_task(
    struct shift *s, int task, const struct dest *d, const struct fate *fate);

/* Everything that waits for a destination waits for the next pass. */
void shift_end_dest(struct shift *s, int dest);

/* Messages that were removed stay so after a power cut: from time to time,
 * and when `now`.  What fails is logged, and in s->fault. */
void shift_sync(struct shift *s, bool now);

/* A recipient that had no task has its fate. */
void shift_count(struct shift *s, const struct fate *fate);

/* "Later", as the dead destination's carrier said it. */
struct fate shift_fate_of_dead(const struct dest *d);

#endif
