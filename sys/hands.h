/*
 * The processes that do the work of tls, and the one that starts them.
 *
 * That one has the keys and the way to their files, and hears no stranger.
 * It reads the certificates again when they change, and the configuration,
 * and then starts workers anew; those there were end with their last
 * connection.  So no worker can open a file, and no connection notices.
 */
#ifndef SYS_HANDS_H
#define SYS_HANDS_H

#include "sys/listen.h"
#include "sys/reload.h"

enum {
	HANDS_MAX = 8,      /* that take connections */
	HANDS_ALL_MAX = 64, /* ... and those that end */
	HANDS_IDLE_S = 60,  /* then it ends, when it can be started again */
	HANDS_TICK_S = 3,   /* how often files are looked at */
	HANDS_TICKET_S = 2 * 3600 /* then tickets have a new key */
};

struct hands {
	struct reload *conf;
	const struct listeners *from;
	bool transient; /* whoever has started it does so again */
};

/*
 * Runs until SIGTERM, or idle, or until nobody can send work.  Workers that
 * have connections outlive it.  0 or -errno, logged.
 */
int hands_run(struct hands *h);

#endif
