/*
 * A linear search in memory: a name is looked for once in some seconds, since
 * answers are remembered, and a megabyte is searched in about a millisecond.
 */
#include "sys/aliases.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/alias.h"
#include "sys/log.h"

static void complain(const char *path, unsigned line)
{
	struct log l;

	log_begin(&l, LOGL_ERR, "alias");
	log_str(&l, "file", str_of(path));
	log_u64(&l, "line", line);
	log_str(&l, "error", STR("not understood, skipped"));
	log_end(&l);
}

int aliases_refresh(struct text *file, const char *path)
{
	int rc = text_refresh(file, path);
	struct alias_entry e;
	unsigned line = 1;
	struct str text;

	if (rc == -ENOENT)
		return 0;
	if (rc != TEXT_NEW)
		return rc;
	text = buf_str(&file->b);
	while ((rc = alias_next(&text, &line, &e)) != ALIAS_END)
		if (rc == ALIAS_BAD)
			complain(path, e.line);
	return 0;
}

int aliases_find(const struct text *file, struct str name, struct str *targets)
{
	struct str text = buf_str(&file->b);
	struct alias_entry e;
	unsigned line = 1;
	int rc;

	while ((rc = alias_next(&text, &line, &e)) != ALIAS_END)
		if (rc == 0 && alias_is(&e, name)) {
			*targets = e.targets;
			return 0;
		}
	return ALIASES_NONE;
}

static int judge(const struct identity *self, int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return -EPERM;
	if (st.st_uid != 0 && (self->privileged || st.st_uid != self->uid))
		return -EPERM;
	return 0;
}

static int append(int fd, struct buf *b)
{
	for (;;) {
		ssize_t n = read(fd, b->p + b->n, b->cap - b->n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		b->n += (size_t)n;
		if (b->n == b->cap)
			return -EFBIG;
	}
}

int aliases_include(const struct identity *self, struct str path, struct buf *b)
{
	char z[ALIAS_TARGET_MAX + 1];
	int fd, rc;

	if (path.n > ALIAS_TARGET_MAX)
		return -ENAMETOOLONG;
	memcpy(z, path.p, path.n);
	z[path.n] = '\0';
	fd = open(z, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	rc = fd < 0 ? -errno : judge(self, fd);
	if (rc == 0)
		rc = append(fd, b);
	if (fd >= 0)
		close(fd);
	if (rc < 0)
		log_errno("include", z, -rc);
	return rc;
}
