/*
 * Being woken.  The FIFO is opened for reading and writing, so that it never
 * ends when the last smtpd has closed it.
 */
#include "sys/bell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/str.h"
#include "sys/log.h"

enum { BELL_PATH_MAX = 4096, BELL_FD = 3 };

static bool is_fifo(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* As sd_listen_fds(3) has it: for this process, the first of them. */
static int inherited(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t n, m;

	if (!pid || !fds || str_u64(str_of(pid), &n) != 0 ||
	    n != (uint64_t)getpid() || str_u64(str_of(fds), &m) != 0 ||
	    m == 0 || !is_fifo(BELL_FD))
		return BELL_NONE;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return BELL_FD;
}

static int by_path(const char *run_directory)
{
	char text[BELL_PATH_MAX];
	struct buf path = BUF(text);
	int fd;

	buf_putz(&path, run_directory);
	buf_putz(&path, "/wake");
	buf_putc(&path, '\0');
	if (path.full)
		return BELL_NONE;
	fd = open(text, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno != ENOENT && errno != EACCES)
		log_errno("wake", text, errno);
	if (fd >= 0 && !is_fifo(fd)) {
		close(fd);
		return BELL_NONE;
	}
	return fd < 0 ? BELL_NONE : fd;
}

int bell_open(const char *run_directory)
{
	int fd = inherited();

	if (fd < 0)
		fd = by_path(run_directory);
	if (fd >= 0) {
		(void)fcntl(fd, F_SETFL, O_NONBLOCK);
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
		(void)bell_drain(fd);
	}
	return fd;
}

bool bell_drain(int fd)
{
	char block[4096];
	bool any = false;

	while (fd >= 0) {
		ssize_t n = read(fd, block, sizeof(block));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		any = true;
	}
	return any;
}
