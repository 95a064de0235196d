/*
 * The accept loop of a listening smtpd: a child for each connection, limits
 * in total and per source, configuration that may change while it runs.
 */
#ifndef SYS_ACCEPTOR_H
#define SYS_ACCEPTOR_H

#include "sys/conf.h"
#include "sys/conversation.h"
#include "sys/listen.h"

enum {
	ACCEPTOR_IDLE_S = 60, /* when socket-activated: then exit */
	ACCEPTOR_SPARE_S = 10 /* and so long a process waits for the next */
};

struct acceptor {
	struct listeners *listeners; /* from SANDBOX_FREE_FD on */
	const char *conf_path;
	/*
	 * In the parent, whenever a configuration begins to hold: prepares
	 * what children need.  0, or <0 and the old one stays.
	 */
	int (*prepare)(const struct conf *c);
	/* In the child: waits for a client (sys/spare.h) and serves him; then
	 * the child exits. */
	void (*serve)(struct conversation *c);
};

/*
 * Runs until SIGTERM or SIGINT and the end of the last session, or idle when
 * socket-activated.  `conf` is what holds at first, NULL when it is broken:
 * then everybody hears 421 4.3.5 until it is mended.  0, or -errno (logged)
 * when it could not begin.
 */
int acceptor_run(struct acceptor *a, const struct conf *conf);

#endif
