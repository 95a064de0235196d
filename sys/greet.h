/*
 * Is somebody there, and does he speak SMTP?  For who looks after sockets.
 */
#ifndef SYS_GREET_H
#define SYS_GREET_H

#include "mail/str.h"

enum { GREET_S = 15, GREET_TEXT = 200 };

enum greeting {
	GREET_GOOD,   /* 220, 250 to EHLO, 221 */
	GREET_NOBODY, /* nobody listens */
	GREET_SILENT, /* no reply in time */
	GREET_BAD     /* another reply, or the end */
};

struct greet {
	enum greeting found;
	int error; /* errno of connecting, with GREET_NOBODY */
	/* what was said last, escaped */
	size_t n;
	char text[GREET_TEXT];
};

/* A unix socket, or 127.0.0.1 (v6: ::1) and a port. */
void greet_unix(struct greet *g, const char *path);
void greet_loopback(struct greet *g, bool v6, unsigned short port);

/* A SEQPACKET socket: 0 when it can be connected to, else -errno. */
int greet_request(const char *path);

#endif
