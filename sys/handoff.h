/*
 * smtpd's side of TLS: the client's connection goes to tls(8), and what he
 * says comes back in clear, mail/secured.h.
 *
 * The way there must cost a session without TLS nothing, and must be open in
 * one that is locked in.  A socket of each session's own would be a system
 * call in all of them, and connect(2) there a way to every socket of the
 * machine, for no filter sees the path.  So there is one socket for all, which
 * the listener connects before the lock-down and every session inherits:
 * datagrams, or records of a socket pair, with the two descriptors in each.
 * Nobody is started by a connected datagram socket, only by a datagram.
 */
#ifndef SYS_HANDOFF_H
#define SYS_HANDOFF_H

#include "mail/secured.h"
#include "sys/conf.h"

/* What became of asking, as the exit code of a session. */
enum handoff_end {
	HANDOFF_GOOD = 0,
	HANDOFF_GONE = 1, /* nobody is at the other end any more */
	HANDOFF_NEVER = 2 /* it cannot, or does not answer */
};

/*
 * Before the lock-down, whenever a configuration begins to hold: connects
 * SANDBOX_TLS_FD to RUN/tls unless it is connected.  Logs why TLS is not
 * offered when it was configured and is not; it is tried again from time to
 * time (handoff_renew).
 */
void handoff_prepare(const struct conf *c);

/* Uses a socket that leads to a tls of our own; moves it to SANDBOX_TLS_FD. */
void handoff_use(int fd);

/* Connects to RUN/tls.  0 or -errno, not logged: it may have to be started. */
int handoff_find(const char *run_directory);

bool handoff_is_offered(void);

/* In the listener: a session ended so; TLS may have to wait. */
void handoff_ended(const struct conf *c, int code);

/* In the listener, now and then: true when it is offered again. */
bool handoff_renew(const struct conf *c);

/*
 * In a session: asks for the client's connection to be taken.  0, and *plain
 * is where he will be heard; the caller still owns the connection.  Or
 * -errno, logged, and *end tells whose fault it is.
 */
int handoff_ask(
    int client, int64_t deadline_ms, int *plain, enum handoff_end *end);

/*
 * The client knows, and the caller has closed his connection: 0 when the
 * handshake is done.  `how` tells of it, or of its failure, with views into
 * `room` (SECURED_OCTETS).  -errno when nothing can be told.
 */
int handoff_begin(
    int plain, int64_t deadline_ms, char *room, struct secured *how);

#endif
