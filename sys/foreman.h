/*
 * The loop of postern-command(8): takes errands (mail/errand.h) and has each
 * done in a process of its own, a few at a time.
 */
#ifndef SYS_FOREMAN_H
#define SYS_FOREMAN_H

#include "sys/identity.h"
#include "sys/listen.h"
#include "sys/reload.h"

enum {
	FOREMAN_MOST = 20, /* commands at a time ... */
	FOREMAN_USER = 4,  /* ... and of one user */
	FOREMAN_IDLE_S = 60,
	FOREMAN_LEAVE_S = 75 /* after SIGTERM */
};

struct foreman {
	struct reload *conf;
	const struct identity *self;
	struct listeners *listeners;
	uid_t deliver_uid; /* _postern-deliver; (uid_t)-1: there is none */
};

/* Until it is time to leave.  0 or -errno, logged. */
int foreman_run(const struct foreman *f);

#endif
