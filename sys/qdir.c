/*
 * The queue's directory by getdents64(2).  Nothing is sorted: whoever is due
 * has its turn in every pass, so the order of the directory is as good as any
 * and costs no memory.
 */
#include "sys/qdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sys/log.h"
#include "sys/sync.h"

enum { QDIR_PATH_MAX = 4096, TRIES = 100 };

/* spool/name as a path in room. */
static int path_of(const char *spool, const char *name, struct buf *b)
{
	buf_putz(b, spool);
	buf_putc(b, '/');
	buf_putz(b, name);
	buf_putc(b, '\0');
	return b->full ? -ENAMETOOLONG : 0;
}

/* As tmpfiles.d would have made it. */
static void make(const char *path, mode_t mode)
{
	const struct passwd *queue;
	const struct group *smtpd;
	uid_t uid;

	if (mkdir(path, 0700) != 0 || geteuid() != 0)
		return;
	queue = getpwnam("_postern-queue");
	uid = queue ? queue->pw_uid : 0;
	smtpd = getgrnam("_postern");
	if (chown(path, uid, smtpd ? smtpd->gr_gid : 0) != 0 ||
	    chmod(path, mode) != 0)
		log_errno("spool-mode", path, errno);
}

void qdir_make(const char *spool)
{
	static const struct {
		const char *name;
		mode_t mode;
	} rows[] = { { "queue", 03770 }, { "bad", 0700 } };

	(void)mkdir(spool, 0755);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[QDIR_PATH_MAX];
		struct buf path = BUF(text);

		if (path_of(spool, rows[i].name, &path) == 0)
			make(text, rows[i].mode);
	}
}

int qdir_open(struct qdir *d, const char *spool)
{
	char text[QDIR_PATH_MAX];
	struct buf path = BUF(text);
	int rc = path_of(spool, "queue", &path);

	d->spool = spool;
	d->at = d->n = 0;
	if (rc == 0) {
		d->fd = open(text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rc = d->fd < 0 ? -errno : 0;
	}
	if (rc < 0)
		log_errno("spool", spool, -rc);
	return rc;
}

bool qdir_is_ours(const char *spool)
{
	char text[QDIR_PATH_MAX];
	struct buf path = BUF(text);
	struct stat st;

	if (geteuid() == 0 || path_of(spool, "queue", &path) < 0)
		return true;
	return stat(text, &st) != 0 ? errno != EACCES : st.st_uid == geteuid();
}

void qdir_rewind(struct qdir *d)
{
	d->at = d->n = 0;
	d->strange = 0;
	(void)lseek(d->fd, 0, SEEK_SET);
}

/* As sys/spool names what is not yet a message. */
static bool is_temporary(struct str name)
{
	return name.n > 0 && name.p[0] == 't';
}

bool qdir_is_name(struct str name)
{
	if (name.n == 0 || name.n >= QDIR_NAME_MAX || name.p[0] == '.' ||
	    is_temporary(name))
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!str_isalpha(name.p[i]) && !str_isdigit(name.p[i]) &&
		    name.p[i] != '.')
			return false;
	return true;
}

static void sweep(struct qdir *d, const char *name)
{
	struct stat st;

	if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) &&
	    st.st_mtime < time(NULL) - QDIR_TEMPORARY_S &&
	    unlinkat(d->fd, name, 0) == 0)
		log_note(LOGL_NOTICE, "temporary-removed", name);
}

static int fill(struct qdir *d)
{
	long n = syscall(SYS_getdents64, d->fd, d->block, sizeof(d->block));

	d->at = 0;
	d->n = n < 0 ? 0 : (size_t)n;
	if (n < 0) {
		int rc = -errno;

		log_errno("spool", "getdents64", -rc);
		return rc;
	}
	return n == 0 ? QDIR_END : 0;
}

int qdir_next(struct qdir *d, char name[QDIR_NAME_MAX])
{
	for (;;) {
		const struct dirent64 *e;
		struct str s;
		int rc = d->at < d->n ? 0 : fill(d);

		if (rc != 0)
			return rc;
		/* dirent64 is what getdents64(2) writes */
		e = (const void *)(d->block + d->at);
		d->at += e->d_reclen;
		s = str_of(e->d_name);
		if (qdir_is_name(s)) {
			memcpy(name, s.p, s.n + 1);
			return 0;
		}
		if (is_temporary(s))
			sweep(d, e->d_name);
		else if (s.p[0] != '.' && d->strange++ == 0)
			log_note(LOGL_WARNING, "strange-name", e->d_name);
	}
}

void qdir_reject(struct qdir *d, const char *name, const char *why)
{
	char text[QDIR_PATH_MAX];
	int rc = -EEXIST;
	struct log l;

	for (unsigned i = 0; i < TRIES && rc == -EEXIST; i++) {
		struct buf to = BUF(text);

		(void)path_of(d->spool, "bad/", &to);
		to.n--; /* its NUL */
		buf_putz(&to, name);
		if (i > 0) {
			buf_putc(&to, '.');
			buf_u64(&to, i);
		}
		buf_putc(&to, '\0');
		rc = to.full ? -ENAMETOOLONG : 0;
		if (rc == 0)
			rc = sync_name(d->fd, name, AT_FDCWD, text);
		if (rc == SYNC_BOTH)
			rc = unlinkat(d->fd, name, 0) == 0 ? 0 : -errno;
	}
	log_begin(&l, LOGL_ERR, "bad-file");
	log_str(&l, "id", str_of(name));
	log_str(&l, "why", str_of(why));
	if (rc < 0)
		log_str(&l, "not-moved", str_of(strerror(-rc)));
	else
		log_str(&l, "moved-to", str_of(text));
	log_end(&l);
}

int qdir_remove(struct qdir *d, const char *name)
{
	if (unlinkat(d->fd, name, 0) != 0 && errno != ENOENT) {
		int rc = -errno;

		log_errno("spool-remove", name, -rc);
		return rc;
	}
	return 0;
}

int qdir_sync(struct qdir *d)
{
	if (fsync(d->fd) != 0) {
		int rc = -errno;

		log_errno("spool", "fsync", -rc);
		return rc;
	}
	return 0;
}
