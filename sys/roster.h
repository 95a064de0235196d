/*
 * The sessions of an accept loop: who has how many of them.
 */
#ifndef SYS_ROSTER_H
#define SYS_ROSTER_H

#include <stdbool.h>
#include <sys/types.h>

#include "mail/net.h"
#include "sys/peer.h"

enum {
	ROSTER_MAX = 2 * 16384,
	ROSTER_UNKNOWN_MAX = 1024 /* proxied, and not known yet whose */
};

/* A session that runs. */
struct member {
	pid_t pid;
	bool local;
	bool unknown; /* behind a proxy, its address not told yet */
	int ask_fd;   /* the socket it asks us on, or -1 */
	uid_t uid;    /* if local */
	struct netaddr source;
};

struct roster {
	unsigned n, nlocal, nunknown, nasking;
	struct member member[ROSTER_MAX];
};

/* There is room (n < ROSTER_MAX).  `ask_fd` >= 0: it has something to ask;
 * whose it is, when it came by a proxy. */
void roster_add(struct roster *r, pid_t pid, const struct peer *p, int ask_fd);

/* The one that asks on this socket, or NULL. */
struct member *roster_asking(struct roster *r, int ask_fd);

/* The process has ended; one that is not here is not missed. */
void roster_remove(struct roster *r, pid_t pid);

/* It has nothing more to ask: its socket is closed. */
void roster_answered(struct roster *r, struct member *m);

/* Sessions of this source (as netaddr_source gives it), of this user. */
unsigned roster_of_source(const struct roster *r, const struct netaddr *source);
unsigned roster_of_user(const struct roster *r, uid_t uid);

#endif
