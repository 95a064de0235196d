/*
 * Files of the queue directory, by its descriptor alone, so that the filter
 * can tell this directory from every other.
 */
#include "sys/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "sys/io.h"
#include "sys/log.h"
#include "sys/sandbox.h"
#include "sys/sync.h"

enum {
	SPOOL_PATH_MAX = 4096,
	RESERVE = 1024 * 1024, /* octets */
	RESERVE_INODES = 1000,
	NAME_DIGITS = 12
};

#define NAME_SECONDS 1000000000000u /* what NAME_DIGITS can tell apart */

/* As tmpfiles.d would have made it. */
static void make(const char *path)
{
	const struct passwd *queue;
	const struct group *smtpd;
	uid_t uid;

	if (mkdir(path, 0700) != 0 || geteuid() != 0)
		return;
	queue = getpwnam("_postern-queue");
	uid = queue ? queue->pw_uid : 0;
	smtpd = getgrnam("_postern");
	if (smtpd && chown(path, uid, smtpd->gr_gid) == 0 &&
	    chmod(path, 03770) != 0)
		log_errno("spool-mode", path, errno);
}

int spool_open(const char *spool, int fd)
{
	char text[SPOOL_PATH_MAX];
	struct buf path = BUF(text);
	int dir, rc;

	buf_putz(&path, spool);
	buf_putz(&path, "/queue");
	buf_putc(&path, '\0');
	if (path.full)
		return -ENAMETOOLONG;
	dir = open(text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 && errno == ENOENT) {
		if (mkdir(spool, 0755) != 0 && errno != EEXIST)
			log_errno("spool", spool, errno);
		make(text);
		dir = open(text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (dir < 0) {
		rc = -errno;
		log_errno("spool", text, errno);
		return rc;
	}
	return io_move_fd(dir, fd) < 0 ? -errno : 0;
}

int spool_name(char name[SPOOL_NAME_MAX], int64_t now_s)
{
	struct buf b = { .p = name, .cap = SPOOL_NAME_MAX };
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random)) {
		log_errno("spool-name", "getrandom", EIO);
		return -EIO;
	}
	buf_putc(&b, 'q');
	buf_u64w(&b, (uint64_t)now_s % NAME_SECONDS, NAME_DIGITS);
	buf_hex(&b, random, 16);
	buf_putc(&b, '\0');
	return 0;
}

/* Where it is before it may be seen. */
static const char *temporary(const char *name, char room[SPOOL_NAME_MAX])
{
	struct buf b = { .p = room, .cap = SPOOL_NAME_MAX };

	buf_putc(&b, 't');
	buf_putz(&b, name + 1);
	buf_putc(&b, '\0');
	return room;
}

static int failed(const char *event, const char *name, int error)
{
	log_errno(event, name, error);
	return -error;
}

int spool_create(const char *name)
{
	char room[SPOOL_NAME_MAX];
	int fd = openat(SANDBOX_SPOOL_FD, temporary(name, room),
	    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0660);

	return fd < 0 ? failed("spool-create", name, errno) : fd;
}

int spool_commit(const char *name, int fd, bool *named)
{
	char room[SPOOL_NAME_MAX];
	bool synced;
	int rc = sync_data(fd, &synced);

	*named = false;
	if (rc < 0)
		return failed("spool-write", name, -rc);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return failed("spool-lock", name, errno);
	rc = sync_name(
	    SANDBOX_SPOOL_FD, temporary(name, room), SANDBOX_SPOOL_FD, name);
	if (rc < 0)
		return failed("spool-name", name, -rc);
	*named = true;
	rc = sync_both(fd, synced, SANDBOX_SPOOL_FD);
	return rc < 0 ? failed("spool-sync", name, -rc) : 0;
}

static int take_away(const char *name)
{
	if (unlinkat(SANDBOX_SPOOL_FD, name, 0) == 0)
		return 0;
	return failed("spool-remove", name, errno);
}

int spool_forget(const char *name)
{
	char room[SPOOL_NAME_MAX];

	return take_away(temporary(name, room));
}

int spool_remove(const char *name)
{
	return take_away(name);
}

bool spool_has_room(uint64_t size_bytes)
{
	uint64_t need = size_bytes > RESERVE / 2 ? 2 * size_bytes : RESERVE;
	struct statfs fs;

	/* What is made as it is needed, or is nobody's business, counts as 0. */
	if (fstatfs(SANDBOX_SPOOL_FD, &fs) != 0 || fs.f_blocks == 0)
		return true;
	return (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >= need &&
	       (fs.f_files == 0 || fs.f_ffree >= RESERVE_INODES);
}
