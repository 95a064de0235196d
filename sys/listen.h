/*
 * Listening sockets: inherited by LISTEN_FDS (sd_listen_fds(3)) or made from
 * addresses on the command line.
 */
#ifndef SYS_LISTEN_H
#define SYS_LISTEN_H

#include "mail/str.h"

enum { LISTEN_MAX = 32 };

struct listener {
	int fd;     /* non-blocking, close-on-exec */
	bool local; /* a unix socket */
};

struct listeners {
	unsigned n;
	bool activated; /* by LISTEN_FDS */
	struct listener v[LISTEN_MAX];
};

/* Takes over what LISTEN_FDS and LISTEN_PID give, and unsets them.  Nobody
 * asked for anything else above 2: it is closed, but for the log.  To be called
 * before anything is opened.  0 or -errno (something that is no listening
 * socket: -EINVAL). */
int listen_inherit(struct listeners *l);

/*
 * "host:port", "[v6]:port" (host may be empty: all) or "unix:/path"; a unix
 * socket gets `mode`, and a file left by a dead server is replaced.
 * `type` is SOCK_STREAM or SOCK_SEQPACKET.  0 or -errno; `why` names what
 * failed.
 */
int listen_add(struct listeners *l, const char *address, int type,
    unsigned mode, struct buf *why);

#endif
