/*
 * A process with the descriptors of smtpd, to be locked in as smtpd.
 * Included once by each program that needs one.
 */
#ifndef TESTS_SANDBOX_SMTPD_H
#define TESTS_SANDBOX_SMTPD_H

#include "probe.h"

enum { NEW = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC };

/* The other ends of its sockets; a directory it has no business with. */
enum { CLIENT_SIDE = 20, DELIVER_SIDE, PARENT_SIDE, OTHER_FD };

static int ruleset;
static struct sandbox_level level;
static char outside[96]; /* a path that is not in the queue */

static inline int lock(void)
{
	return sandbox_enter(SANDBOX_SMTPD, ruleset);
}

/* The descriptors as smtpd has them. */
static inline void set_up(void)
{
	int v[2];

	must_be(
	    mkdir("queue", 0700) == 0 && mkdir("other", 0700) == 0, "mkdir");
	make_file("queue/existing");
	make_file("other/secret");
	snprintf(outside, sizeof(outside), "%s/other/new", work);
	must_be(socketpair(AF_UNIX, SOCK_STREAM, 0, v) == 0, "socketpair");
	at_number(v[0], 0);
	at_number(v[1], CLIENT_SIDE);
	must_be(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, v) == 0, "socketpair");
	at_number(v[0], SANDBOX_DELIVER_FD);
	at_number(v[1], DELIVER_SIDE);
	must_be(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, v) == 0, "socketpair");
	at_number(v[0], SANDBOX_PARENT_FD);
	at_number(v[1], PARENT_SIDE);
	at_number(open("other", O_RDONLY | O_DIRECTORY), OTHER_FD);
	at_number(open("queue", O_RDONLY | O_DIRECTORY), SANDBOX_SPOOL_FD);
}

static inline int sends(int fd, int passed)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} u = { .space = { 0 } };
	struct iovec v = { (char[]){ "S" }, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (passed >= 0) {
		m.msg_control = u.space;
		m.msg_controllen = sizeof(u.space);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &passed, sizeof(int));
	}
	return result(sendmsg(fd, &m, MSG_NOSIGNAL));
}

static inline int receives(int fd)
{
	char b[16];
	struct iovec v = { b, sizeof(b) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	return result(recvmsg(fd, &m, MSG_DONTWAIT));
}

static inline int prepare(void)
{
	return sandbox_prepare(
	    SANDBOX_SMTPD, SANDBOX_SPOOL_FD, &ruleset, &level);
}

/* What it is for. */
static inline int message(void)
{
	int fd = openat(SANDBOX_SPOOL_FD, "tmp", NEW, 0660);
	char b[8];

	STEP(fd);
	STEP(write(fd, "message\n", 8));
	STEP(pwrite(fd, "M", 1, 0));
	STEP(lseek(fd, 0, SEEK_SET));
	if (read(fd, b, 8) != 8 || memcmp(b, "Message\n", 8) != 0)
		return WRONG;
	STEP(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
	STEP(flock(fd, LOCK_EX | LOCK_NB));
	STEP(linkat(SANDBOX_SPOOL_FD, "tmp", SANDBOX_SPOOL_FD, "final", 0));
	STEP(unlinkat(SANDBOX_SPOOL_FD, "tmp", 0));
	STEP(syscall(SYS_renameat2, SANDBOX_SPOOL_FD, "final", SANDBOX_SPOOL_FD,
	    "named", 1));
	STEP(fsync(fd));
	STEP(fsync(SANDBOX_SPOOL_FD));
	STEP(fdatasync(fd));
	STEP(unlinkat(SANDBOX_SPOOL_FD, "named", 0));
	if (sends(SANDBOX_DELIVER_FD, fd) != OK)
		return WRONG;
	return result(close(fd));
}

#endif
