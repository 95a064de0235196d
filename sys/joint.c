/*
 * A poll over both, one block at a time.
 */
#include "sys/joint.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/io.h"

enum { BLOCK = 64 * 1024, FOR_EVER_MS = 3600 * 1000 };

/* What one read gives, to the other side.  1 at the end, 0 or -errno. */
static int pass(int from, int to)
{
	static char block[BLOCK];
	ssize_t n = read(from, block, sizeof(block));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0)
		return n == 0 ? 1 : -errno;
	return io_write_all(
	    to, str_at(block, (size_t)n), io_now_ms() + FOR_EVER_MS);
}

int joint_run(int sock)
{
	/* A client that is piped in does not wait for the greeting: we do. */
	struct pollfd p[] = { { sock, POLLIN, 0 }, { -1, POLLIN, 0 } };
	bool greeted = false;
	int rc = 0;

	while (rc == 0) {
		if (poll(p, 2, -1) < 0) {
			rc = errno == EINTR ? 0 : -errno;
			continue;
		}
		/* Replies first: whoever hears them may be gone soon. */
		if (p[0].revents != 0) {
			rc = pass(sock, 1);
			if (!greeted)
				p[1].fd = 0;
			greeted = true;
			continue;
		}
		/* The caller has no more to say; or the server hears no more,
		 * and has perhaps said why. */
		if (p[1].revents != 0 && pass(0, sock) != 0) {
			(void)shutdown(sock, SHUT_WR);
			p[1].fd = -1;
		}
	}
	return rc > 0 ? 0 : rc;
}
