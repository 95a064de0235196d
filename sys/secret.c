/*
 * A secret is made under a name of its own and then linked, which fails when
 * somebody was faster: nobody ever reads half of it, and nobody replaces one
 * that was used.  It is on the disk before it is used.
 */
#include "sys/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/log.h"

enum { OCTETS = 32, NAME_OCTETS = 8, SECRET_PATH_MAX = 4096 };

/* As hexadecimal digits.  0 or -errno. */
static int put_random(struct buf *b, size_t n)
{
	unsigned char octets[OCTETS];

	if (getrandom(octets, n, 0) != (ssize_t)n)
		return -EIO;
	for (size_t i = 0; i < n; i++) {
		buf_putc(b, "0123456789abcdef"[octets[i] >> 4]);
		buf_putc(b, "0123456789abcdef"[octets[i] & 15]);
	}
	return 0;
}

static int sync_parent(const char *path)
{
	char text[SECRET_PATH_MAX];
	struct buf b = BUF(text);
	const char *slash = strrchr(path, '/');
	int fd, rc = 0;

	buf_put(&b, str_at(path, (size_t)(slash - path)));
	buf_putz(&b, "/.");
	buf_putc(&b, '\0');
	fd = open(text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		rc = -errno;
	if (fd >= 0)
		close(fd);
	return rc;
}

static int fill(const char *name)
{
	char text[2 * OCTETS + 1];
	struct buf b = BUF(text);
	int fd, rc = put_random(&b, OCTETS);

	if (rc < 0)
		return rc;
	buf_putc(&b, '\n');
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	errno = EIO;
	if (write(fd, b.p, b.n) != (ssize_t)b.n || fsync(fd) != 0)
		rc = -errno;
	close(fd);
	return rc;
}

static int make_file(const char *path)
{
	char name[SECRET_PATH_MAX];
	struct buf b = BUF(name);
	int rc;

	buf_putz(&b, path);
	buf_putc(&b, '.');
	rc = put_random(&b, NAME_OCTETS);
	buf_putc(&b, '\0');
	if (b.full)
		return -ENAMETOOLONG;
	if (rc == 0)
		rc = fill(name);
	if (rc == 0 && link(name, path) != 0 && errno != EEXIST)
		rc = -errno;
	(void)unlink(name);
	return rc == 0 ? sync_parent(path) : rc;
}

static int judge(const struct identity *self, int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (st.st_mode & (S_IRWXG | S_IRWXO)) != 0 ||
	    (st.st_uid != 0 && st.st_uid != self->uid))
		return -EPERM;
	return 0;
}

static int read_file(int fd, struct buf *b)
{
	ssize_t n = read(fd, b->p, b->cap);
	struct str lines, line;

	if (n < 0)
		return -errno;
	if ((size_t)n == b->cap)
		return -EINVAL;
	b->n = (size_t)n;
	lines = buf_str(b);
	if (!secret_next(&lines, &line))
		return -ENODATA;
	do
		if (line.n < SECRET_MIN)
			return -EINVAL;
	while (secret_next(&lines, &line));
	return 0;
}

bool secret_next(struct str *lines, struct str *line)
{
	while (str_cut(lines, '\n', line)) {
		*line = str_trim(*line);
		if (line->n > 0)
			return true;
	}
	return false;
}

int secret_read(
    const struct identity *self, const char *path, bool make, struct buf *b)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	int fd = open(path, flags), rc = fd < 0 ? -errno : 0;

	if (rc == -ENOENT && !make)
		return rc;
	if (rc == -ENOENT) {
		rc = make_file(path);
		fd = rc == 0 ? open(path, flags) : -1;
		if (rc == 0 && fd < 0)
			rc = -errno;
	}
	if (rc == 0)
		rc = judge(self, fd);
	if (rc == 0)
		rc = read_file(fd, b);
	if (fd >= 0)
		close(fd);
	if (rc < 0)
		log_errno("secret", path, -rc);
	return rc;
}
