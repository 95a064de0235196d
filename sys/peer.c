/*
 * The kernel's word on who is connected.
 */
#include "sys/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

bool peer_netaddr(
    const struct sockaddr_storage *ss, struct netaddr *a, unsigned short *port)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	unsigned char four[4];

	if (ss->ss_family == AF_INET) {
		memcpy(&in, ss, sizeof(in));
		memcpy(four, &in.sin_addr, sizeof(four));
		*a = netaddr_of4(four);
		*port = ntohs(in.sin_port);
		return true;
	}
	if (ss->ss_family == AF_INET6) {
		memcpy(&in6, ss, sizeof(in6));
		memcpy(a->b, &in6.sin6_addr, sizeof(a->b));
		*port = ntohs(in6.sin6_port);
		return true;
	}
	return false;
}

int peer_of(int fd, struct peer *p)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);
	struct ucred cred;

	memset(p, 0, sizeof(*p));
	memset(&ss, 0, sizeof(ss));
	if (getpeername(fd, (struct sockaddr *)&ss, &n) != 0) {
		if (errno != ENOTSOCK)
			return -errno;
		p->kind = PEER_PIPE;
		p->uid = getuid();
		return 0;
	}
	if (peer_netaddr(&ss, &p->addr, &p->port)) {
		p->kind = PEER_INET;
		n = sizeof(ss);
		if (getsockname(fd, (struct sockaddr *)&ss, &n) != 0 ||
		    !peer_netaddr(&ss, &p->here, &p->here_port))
			return -EPROTO;
		return 0;
	}
	n = sizeof(cred);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) != 0)
		return -errno;
	p->kind = PEER_UNIX;
	p->uid = cred.uid;
	return 0;
}
