/*
 * Connecting a stream socket, TCP or in the file system.
 */
#include "sys/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/io.h"

static int dial_unix(const struct hop *h)
{
	char path[HOP_PATH_MAX + 1] = "";
	int fd;

	if (h->host.n > HOP_PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(path, h->host.p, h->host.n);
	fd = io_connect_unix(path, SOCK_STREAM);
	if (fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

static int dial_tcp(const struct reach_way *w)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET,
		.sin_port = htons(w->hop.port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(w->hop.port) };
	bool is4 = netaddr_is4(&w->addr);
	const int on = 1;
	int fd, rc;

	memcpy(&in4.sin_addr, w->addr.b + 12, 4);
	memcpy(&in6.sin6_addr, w->addr.b, 16);
	fd = socket(is4 ? AF_INET : AF_INET6,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Commands and the end of content are small, and waited for. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	rc = is4 ? connect(fd, (const struct sockaddr *)&in4, sizeof(in4))
		 : connect(fd, (const struct sockaddr *)&in6, sizeof(in6));
	if (rc == 0 || errno == EINPROGRESS || errno == EINTR)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

/* The connection is there, or why not. */
static int await(int fd, int64_t deadline_ms)
{
	socklen_t size = sizeof(int);
	int error = 0, rc;

	do
		rc = io_wait_write(fd, deadline_ms);
	while (rc == -EINTR);
	if (rc < 0)
		return rc;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		return -errno;
	return -error;
}

int dial(const struct reach_way *w, unsigned patience_s)
{
	int64_t deadline_ms = io_now_ms() + (int64_t)patience_s * 1000;
	int fd = w->hop.unix_socket ? dial_unix(&w->hop) : dial_tcp(w);
	int rc = fd < 0 ? fd : await(fd, deadline_ms);

	if (rc == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return rc;
}
