/*
 * The file is made in $TMPDIR, /var/tmp or /tmp, with O_TMPFILE: it never has
 * a name that another could find.  Where that is not to be had, or is full,
 * it is one in memory.
 */
#include "sys/draft.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sys/io.h"

void draft_init(struct draft *d)
{
	d->fd = -1;
	d->size = 0;
}

void draft_close(struct draft *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

static int open_file(void)
{
	const char *const dirs[] = { getenv("TMPDIR"), "/var/tmp", "/tmp" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		int fd = dirs[i] ? open(dirs[i], O_TMPFILE | O_RDWR | O_CLOEXEC,
				       0600)
				 : -1;

		if (fd >= 0)
			return fd;
	}
	return memfd_create("draft", MFD_CLOEXEC);
}

/* From memory into a file; where the disk is full, into one in memory. */
static int spill(struct draft *d)
{
	struct str all = str_at(d->memory, (size_t)d->size);
	int rc;

	d->fd = open_file();
	if (d->fd < 0)
		return -errno;
	rc = io_write_file(d->fd, all);
	if (rc == 0)
		return 0;
	close(d->fd);
	d->fd = memfd_create("draft", MFD_CLOEXEC);
	return d->fd < 0 ? -errno : io_write_file(d->fd, all);
}

/* The disk is full: what it holds goes into memory after all. */
static int move(struct draft *d)
{
	int to = memfd_create("draft", MFD_CLOEXEC);
	int from = d->fd, rc = 0;

	if (to < 0)
		return -errno;
	d->fd = to;
	for (uint64_t at = 0; rc == 0 && at < d->size;) {
		ssize_t n = pread(from, d->memory, DRAFT_BLOCK, (off_t)at);
		uint64_t left = d->size - at;

		if (n <= 0) {
			rc = n < 0 ? -errno : -EIO;
			break;
		}
		if ((uint64_t)n > left)
			n = (ssize_t)left;
		rc = io_write_file(to, str_at(d->memory, (size_t)n));
		at += (uint64_t)n;
	}
	close(from);
	return rc;
}

int draft_add(struct draft *d, struct str s)
{
	int rc = 0;

	if (d->fd < 0 && s.n <= sizeof(d->memory) - d->size) {
		memcpy(d->memory + d->size, s.p, s.n);
		d->size += s.n;
		return 0;
	}
	if (d->fd < 0)
		rc = spill(d);
	if (rc == 0)
		rc = io_write_file(d->fd, s);
	if (rc == -ENOSPC || rc == -EDQUOT || rc == -EFBIG) {
		rc = move(d);
		if (rc == 0)
			rc = io_write_file(d->fd, s);
	}
	d->size += s.n;
	return rc;
}

int draft_get(struct draft *d, uint64_t at, struct str *piece)
{
	ssize_t n;

	*piece = STR("");
	if (at >= d->size)
		return 0;
	if (d->fd < 0) {
		*piece = str_at(d->memory + at, (size_t)(d->size - at));
		return 0;
	}
	do
		n = pread(d->fd, d->memory, DRAFT_BLOCK, (off_t)at);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -EIO;
	*piece = str_at(d->memory, (size_t)n);
	return 0;
}
