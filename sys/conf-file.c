/*
 * Files of configuration, read whole.
 */
#include "sys/conf-file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

int conf_slurp(const char *path, struct buf *b)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n = read(fd, b->p + b->n, b->cap - b->n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			rc = n < 0 ? -errno : 0;
			break;
		}
		b->n += (size_t)n;
		if (b->n == b->cap) {
			rc = -EFBIG;
			break;
		}
	}
	close(fd);
	return rc;
}

bool conf_first_line(const char *path, struct buf *b)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, b->p, b->cap);
	struct str text, line;

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	text = str_at(b->p, (size_t)n);
	str_cut(&text, '\n', &line);
	line = str_trim(line);
	memmove(b->p, line.p, line.n);
	b->n = line.n;
	return line.n > 0;
}
