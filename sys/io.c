/*
 * Deadlines and whole transfers over read(2), write(2) and poll(2), and
 * records with a descriptor over a SEQPACKET socket.
 */
#include "sys/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <sysexits.h>
#include <unistd.h>

enum { CONNECT_S = 5 };

int64_t io_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left = deadline_ms - io_now_ms();
	int n;

	if (left < 0)
		left = 0;
	if (left > 3600 * 1000)
		left = 3600 * 1000;
	n = poll(&p, 1, (int)left);
	if (n < 0)
		return -errno;
	return n == 0 ? -ETIMEDOUT : 0;
}

int io_wait_read(int fd, int64_t deadline_ms)
{
	return wait_for(fd, POLLIN, deadline_ms);
}

int io_wait_write(int fd, int64_t deadline_ms)
{
	return wait_for(fd, POLLOUT, deadline_ms);
}

int io_write_all(int fd, struct str s, int64_t deadline_ms)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);
		int rc;

		if (n > 0) {
			s = str_skip(s, (size_t)n);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		rc = io_wait_write(fd, deadline_ms);
		if (rc < 0 && rc != -EINTR)
			return rc;
	}
	return 0;
}

int io_write_file(int fd, struct str s)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENOSPC;
		s = str_skip(s, (size_t)n);
	}
	return 0;
}

/* Room for a few descriptors, so that one too many is seen and closed. */
union control {
	char text[CMSG_SPACE(4 * sizeof(int))];
	struct cmsghdr align;
};

/* The descriptors of a record: the first into *fd, the others closed. */
static unsigned take_fds(struct msghdr *m, int *fd)
{
	unsigned n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t len;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		len = c->cmsg_len - CMSG_LEN(0);
		for (size_t i = 0; i < len / sizeof(int); i++) {
			int one;

			memcpy(
			    &one, CMSG_DATA(c) + i * sizeof(int), sizeof(one));
			if (n++ == 0)
				*fd = one;
			else
				close(one);
		}
	}
	return n;
}

ssize_t io_recv_record(int sock, struct buf *b, int *fd, int flags)
{
	union control control;
	struct iovec v = { .iov_base = b->p, .iov_len = b->cap };
	struct msghdr m = {
		.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = control.text,
		.msg_controllen = sizeof(control.text),
	};
	ssize_t n;

	*fd = -1;
	b->n = 0;
	do
		n = recvmsg(sock, &m, flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (take_fds(&m, fd) > 1 ||
	    (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
		n = -EMSGSIZE;
	if (n <= 0) { /* an empty record is the end, whatever came with it */
		if (*fd >= 0)
			close(*fd);
		*fd = -1;
		return n;
	}
	b->n = (size_t)n;
	return n;
}

/* sendmsg does not write there. */
static struct iovec part(struct str s)
{
	return (struct iovec){ (char *)(uintptr_t)s.p, s.n };
}

int io_send_record(int sock, struct str s, int fd)
{
	return io_send_parts(sock, s, STR(""), fd);
}

int io_send_parts(int sock, struct str s, struct str more, int fd)
{
	union control control;
	struct iovec v[] = { part(s), part(more) };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = more.n > 0 ? 2 : 1 };
	ssize_t n;

	if (fd >= 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		m.msg_control = control.text;
		m.msg_controllen = CMSG_SPACE(sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	do
		n = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int io_connect_unix(const char *path, int type)
{
	const struct timeval wait = { .tv_sec = CONNECT_S };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t n = strlen(path);
	int fd, rc;

	if (n >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	memcpy(a.sun_path, path, n);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* A server that hangs, its queue full, must not hang us. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

void io_fill_standard(void)
{
	while (fcntl(2, F_GETFD) < 0 || fcntl(1, F_GETFD) < 0 ||
	       fcntl(0, F_GETFD) < 0)
		if (open("/dev/null", O_RDWR) < 0)
			_exit(EX_OSERR);
}

int io_move_fd(int fd, int to)
{
	int rc;

	if (fd == to)
		return fd;
	rc = dup3(fd, to, O_CLOEXEC) < 0 ? -errno : to;
	close(fd);
	return rc;
}

int io_raise_fd(int fd, int min)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, min);
	int err = errno;

	close(fd);
	return high < 0 ? -err : high;
}

void io_close_range(unsigned first, unsigned last)
{
	if (syscall(SYS_close_range, first, last, 0) == 0)
		return;
	/* Before Linux 5.9. */
	if (last > 65536)
		last = 65536;
	for (unsigned fd = first; fd <= last; fd++)
		close((int)fd);
}
