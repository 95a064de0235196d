/*
 * The FIFO of the queue; never waits, never fails.
 */
#include "sys/wake.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/str.h"
#include "sys/io.h"
#include "sys/sandbox.h"

enum { WAKE_PATH_MAX = 4096 };

void wake_open(const char *run_directory)
{
	char text[WAKE_PATH_MAX];
	struct buf path = BUF(text);
	struct stat st;
	int fd;

	buf_putz(&path, run_directory);
	buf_putz(&path, "/wake");
	buf_putc(&path, '\0');
	if (path.full || fcntl(SANDBOX_WAKE_FD, F_GETFD) >= 0)
		return;
	fd = open(text, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode))
		(void)io_move_fd(fd, SANDBOX_WAKE_FD);
	else
		close(fd);
}

void wake_queue(void)
{
	(void)!write(SANDBOX_WAKE_FD, "w", 1);
}
