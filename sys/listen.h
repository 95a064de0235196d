/*
 * Listening sockets: inherited by LISTEN_FDS (sd_listen_fds(3)) or made from
 * addresses on the command line.
 */
#ifndef SYS_LISTEN_H
#define SYS_LISTEN_H

#include "mail/str.h"
#include "sys/conf.h"

enum { LISTEN_MAX = 32 };

struct listener {
	int fd;                    /* non-blocking, close-on-exec */
	bool local;                /* a unix socket */
	enum conf_service service; /* by its name, or by its port */
};

struct listeners {
	unsigned n;
	bool activated; /* by LISTEN_FDS */
	int type;       /* SOCK_DGRAM: nobody connects; 0: all others */
	struct listener v[LISTEN_MAX];
};

/* Takes over what LISTEN_FDS and LISTEN_PID give, and unsets them.  Nobody
 * asked for anything else above 2: it is closed, but for the log.  To be called
 * before anything is opened.  0 or -errno (something that is no listening
 * socket: -EINVAL). */
int listen_inherit(struct listeners *l);

/*
 * "host:port", "[v6]:port" (host may be empty: all) or "unix:/path"; a unix
 * socket gets `mode`, and a file left by a dead server is replaced.  NAME=
 * before it (smtp, submission, submissions) tells what it is for, whatever the
 * port.  `type` is SOCK_STREAM, SOCK_SEQPACKET or, with l->type, SOCK_DGRAM.
 * 0 or -errno; `why` names what failed.
 */
int listen_add(struct listeners *l, const char *address, int type,
    unsigned mode, struct buf *why);

/*
 * -l of a program that only another one may ask: "unix:/path", mode 0600, and
 * as root given to `user`.  0 or an exit code, told on standard error.
 */
int listen_private(struct listeners *l, const char *program,
    const char *address, int type, const char *user);

/* Moves them all to numbers from `min` on. */
void listen_raise(struct listeners *l, int min);

#endif
