/*
 * A worker of tls: takes connections that smtpd hands over, makes them TLS and
 * passes octets on, both ways.  It knows nothing of what they mean.
 *
 * One process holds many connections: 14 kB each, where a process for each
 * would cost twenty times as much and hold the same key, so that its walls
 * would protect sessions from each other but not the key.
 */
#ifndef SYS_RELAY_H
#define SYS_RELAY_H

#include "sys/listen.h"

/* What a worker tells the program that has forked it, in shared memory. */
struct relay_state {
	_Atomic unsigned sessions; /* at the moment */
	_Atomic unsigned taken;    /* so far */
};

struct relay {
	const struct listeners *from; /* where connections come from */
	struct relay_state *state;
	int more_fd;    /* an octet here: another worker would have work */
	unsigned limit; /* connections at once */
	unsigned handshake_s;
};

enum { RELAY_BUSY = 4 }; /* connections, then another worker is of use */

/* Before the lock-down.  0 or -errno, logged. */
int relay_prepare(const struct relay *r);

/* After it: until SIGTERM, or until nobody can hand anything over, and then
 * until the last connection has ended. */
void relay_run(const struct relay *r);

#endif
