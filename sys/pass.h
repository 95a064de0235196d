/*
 * One pass: everything in the queue that is due has its turn, and what comes
 * while it lasts too.  Any number of passes may run at once.
 */
#ifndef SYS_PASS_H
#define SYS_PASS_H

#include "sys/conf.h"
#include "sys/qdir.h"

struct pass {
	const struct conf *conf;
	struct qdir *dir;
	bool all;         /* due or not */
	const char *only; /* this message alone, due or not; NULL: all */
	int wake_fd;      /* BELL_NONE: nobody wakes us */
	bool progress;    /* told on a terminal */
};

/* What came of it. */
struct pass_tally {
	uint64_t messages, sent, deferred, failed;
	bool found; /* the one that was asked for */
	bool busy;  /* ... but another pass has it */
};

/* 0 or -errno, logged: the queue could not be read to its end. */
int pass_run(const struct pass *p, struct pass_tally *t);

#endif
