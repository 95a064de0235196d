/*
 * Found by where our own file is: an installation runs where it lies.
 */
#include "sys/beside.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/io.h"

enum { PATH_ROOM = 4096 };

int beside_find(const char *name, struct buf *path)
{
	static const char *const ways[] = { "", "../libexec/postern/",
		"../lib/postern/", "../bin/" };
	char self[PATH_ROOM];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self));
	int rc = -ENOENT;

	if (n < 0)
		return -errno;
	while (n > 0 && self[n - 1] != '/')
		n--;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		buf_clear(path);
		buf_put(path, str_at(self, (size_t)n));
		buf_putz(path, ways[i]);
		buf_putz(path, name);
		buf_putc(path, '\0');
		if (path->full)
			return -ENAMETOOLONG;
		if (access(path->p, X_OK) == 0)
			return 0;
		rc = -errno;
	}
	return rc;
}

int beside_become(const char *name, const char *const *argv)
{
	char room[PATH_ROOM];
	struct buf path = BUF(room);
	int rc = beside_find(name, &path);

	if (rc < 0)
		return rc;
	/* execv takes what it does not change without const. */
	execv(path.p, (char *const *)(uintptr_t)argv);
	return -errno;
}

/* In the child. */
static void become_smtpd(const char *path, int fd)
{
	static const char *const argv[] = { "smtpd", NULL };

	dup2(fd, 0);
	dup2(fd, 1);
	dup2(fd, 2); /* as inetd does it: it logs by syslog */
	io_close_range(3, ~0u);
	signal(SIGPIPE, SIG_DFL);
	execv(path, (char *const *)(uintptr_t)argv);
	_exit(75);
}

int beside_start_smtpd(int *pid)
{
	char room[PATH_ROOM];
	struct buf path = BUF(room);
	int pair[2], rc = beside_find("smtpd", &path);

	if (rc == 0 &&
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		rc = -errno;
	if (rc < 0)
		return rc;
	*pid = fork();
	if (*pid == 0)
		become_smtpd(path.p, pair[1]);
	rc = -errno;
	close(pair[1]);
	if (*pid > 0)
		return pair[0];
	close(pair[0]);
	return rc;
}
