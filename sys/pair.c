/*
 * SCM_RIGHTS, unix(7).  The record has one octet, the version of this.
 */
#include "sys/pair.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { VERSION = '1', ROOM = 8 };

/* Room for more than two, so that those are seen and closed. */
union control {
	char text[CMSG_SPACE(ROOM * sizeof(int))];
	struct cmsghdr align;
};

int pair_send(int sock, const int fd[2])
{
	union control control;
	char version = VERSION;
	struct iovec v = { &version, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	struct cmsghdr *c;
	ssize_t n;

	memset(&control, 0, sizeof(control));
	m.msg_control = control.text;
	m.msg_controllen = CMSG_SPACE(2 * sizeof(int));
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(c), fd, 2 * sizeof(int));
	do
		n = sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static unsigned take_all(struct msghdr *m, int fd[ROOM])
{
	unsigned n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t len = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < len / sizeof(int) && n < ROOM; i++)
			memcpy(&fd[n++], CMSG_DATA(c) + i * sizeof(int),
			    sizeof(int));
	}
	return n;
}

int pair_recv(int sock, int fd[2])
{
	union control control;
	char text[2];
	struct iovec v = { text, sizeof(text) };
	struct msghdr m = { .msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = control.text,
		.msg_controllen = sizeof(control.text) };
	int all[ROOM];
	unsigned nfd;
	ssize_t n;

	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	nfd = take_all(&m, all);
	if (n == 1 && nfd == 2 && text[0] == VERSION &&
	    (m.msg_flags & MSG_CTRUNC) == 0) {
		memcpy(fd, all, 2 * sizeof(int));
		return 1;
	}
	while (nfd > 0)
		close(all[--nfd]);
	return n == 0 ? 0 : -EBADMSG;
}
