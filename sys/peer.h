/*
 * Who is at the other end of a descriptor.
 */
#ifndef SYS_PEER_H
#define SYS_PEER_H

#include <sys/socket.h>
#include <sys/types.h>

#include "mail/net.h"

enum peer_kind {
	PEER_INET, /* TCP; IPv4-mapped addresses are IPv4 */
	PEER_UNIX, /* a unix socket; uid by SO_PEERCRED */
	PEER_PIPE  /* no socket: whoever started us; uid is our real uid */
};

struct peer {
	enum peer_kind kind;
	struct netaddr addr, here; /* PEER_INET: theirs and ours */
	unsigned short port;       /* theirs */
	unsigned short here_port;
	uid_t uid; /* unless PEER_INET */
};

/* 0 or -errno (-ENOTCONN: a socket that is not connected). */
int peer_of(int fd, struct peer *p);

/* An internet address of the kernel's; false for another family. */
bool peer_netaddr(
    const struct sockaddr_storage *ss, struct netaddr *a, unsigned short *port);

#endif
