/*
 * Who may write to a directory may exchange what is in it; so the right to a
 * mailbox is decided by every directory above it.
 */
#include "sys/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/log.h"

enum { OTHERS = S_IWGRP | S_IWOTH };

static int broken(const char *path, const char *rule)
{
	struct log l;

	log_begin(&l, LOGL_ERR, "untrusted");
	log_str(&l, "path", str_of(path));
	log_str(&l, "error", str_of(rule));
	log_end(&l);
	return -EPERM;
}

/* The rules for one directory. */
static int judge(
    struct walk *w, const struct stat *st, bool last, const char *path)
{
	if (st->st_uid != 0 && w->owner == (uid_t)-1)
		w->owner = st->st_uid;
	if (st->st_uid != 0 && st->st_uid != w->owner)
		return broken(path, "a directory belongs to another user");
	if (st->st_uid != 0)
		w->group = st->st_gid;
	if (last && st->st_uid == 0)
		return broken(path, "the mailbox belongs to root");
	if (last && (st->st_mode & S_IWOTH) != 0)
		return broken(path, "the mailbox is writable by others");
	if (!last && (st->st_mode & OTHERS) != 0 &&
	    !(st->st_uid == 0 && (st->st_mode & S_ISVTX) != 0))
		return broken(path, "others can write to a directory above it");
	return 0;
}

/* Opens `name` in w->fd (closed then) and judges it. */
static int step(struct walk *w, const char *name, bool last, const char *path)
{
	int fd =
	    openat(w->fd, name, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
	int err = errno;
	struct stat st;

	if (w->fd >= 0)
		close(w->fd);
	w->fd = fd;
	if (fd < 0 && err == EACCES && w->owner != (uid_t)-1)
		return WALK_CLOSED;
	if (fd < 0 || fstat(fd, &st) != 0) {
		if (fd >= 0)
			err = errno;
		log_errno("untrusted", path, err);
		return -err;
	}
	return judge(w, &st, last, path);
}

static int is_plain(struct str s)
{
	struct str part;

	if (s.n < 2 || s.n >= PATH_MAX || s.p[0] != '/')
		return 0;
	s = str_skip(s, 1);
	while (str_cut(&s, '/', &part))
		if (part.n > NAME_MAX || str_eq(part, STR(".")) ||
		    str_eq(part, STR("..")))
			return 0;
	return 1;
}

int walk_open(struct walk *w, const char *path)
{
	struct str part, rest = str_of(path);
	char name[NAME_MAX + 1];
	int rc;

	w->fd = -1;
	if (!is_plain(rest)) {
		broken(path, "not a plain absolute path");
		return -EINVAL;
	}
	while (rest.n > 0 && rest.p[rest.n - 1] == '/')
		rest.n--;
	rest = str_skip(rest, 1);
	rc = step(w, "/", rest.n == 0, path);
	while (rc == 0 && str_cut(&rest, '/', &part)) {
		if (part.n == 0)
			continue;
		memcpy(name, part.p, part.n);
		name[part.n] = '\0';
		rc = step(w, name, rest.n == 0, path);
	}
	if (rc != 0 && w->fd >= 0) {
		close(w->fd);
		w->fd = -1;
	}
	return rc;
}
