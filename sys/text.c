/*
 * Files read whole.  A file that changes while it is read is read again the
 * next time, since the mark was taken before.
 */
#include "sys/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/log.h"

static void mark_of(struct text_mark *m, const struct stat *st)
{
	*m = (struct text_mark){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = st->st_size,
		.mtime = st->st_mtim,
		.ctime = st->st_ctim,
	};
}

void text_mark(struct text_mark *m, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0)
		mark_of(m, &st);
	else
		*m = (struct text_mark){ .err = errno };
}

static bool time_eq(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool text_mark_eq(const struct text_mark *a, const struct text_mark *b)
{
	return a->err == b->err && a->dev == b->dev && a->ino == b->ino &&
	       a->size == b->size && time_eq(&a->mtime, &b->mtime) &&
	       time_eq(&a->ctime, &b->ctime);
}

static int read_all(int fd, struct buf *b)
{
	b->n = 0;
	for (;;) {
		ssize_t n = read(fd, b->p + b->n, b->cap - b->n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		b->n += (size_t)n;
		if (b->n == b->cap)
			return -EFBIG;
	}
}

static int load(struct text *t, const char *path)
{
	struct stat st;
	int rc, fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = -EINVAL;
	else
		rc = read_all(fd, &t->b);
	if (rc == 0)
		mark_of(&t->mark, &st);
	close(fd);
	return rc;
}

int text_refresh(struct text *t, const char *path)
{
	struct text_mark now;
	int rc;

	text_mark(&now, path);
	if (t->read && text_mark_eq(&now, &t->mark))
		return 0;
	t->read = false;
	rc = load(t, path);
	if (rc == 0) {
		t->read = true;
		return TEXT_NEW;
	}
	t->b.n = 0;
	if (rc != -ENOENT)
		log_errno("unreadable", path, -rc);
	return rc;
}
