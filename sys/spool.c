/*
 * Files of the queue directory, by its descriptor alone, so that the filter
 * can tell this directory from every other.
 */
#include "sys/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "sys/io.h"
#include "sys/log.h"
#include "sys/sandbox.h"

enum {
	SPOOL_PATH_MAX = 4096,
	RESERVE = 1024 * 1024, /* octets */
	RESERVE_INODES = 1000
};

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

int spool_name(char name[SPOOL_NAME_MAX])
{
	struct buf b = { .p = name, .cap = SPOOL_NAME_MAX };
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random)) {
		log_errno("spool-name", "getrandom", EIO);
		return -EIO;
	}
	buf_putc(&b, 't');
	buf_hex(&b, random, 16);
	buf_putc(&b, '\0');
	return 0;
}

int spool_create(const char *name)
{
	int fd = openat(SANDBOX_SPOOL_FD, name,
	    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0660);

	if (fd < 0) {
		fd = -errno;
		log_errno("spool-create", name, -fd);
	}
	return fd;
}

int spool_remove(const char *name)
{
	int rc = unlinkat(SANDBOX_SPOOL_FD, name, 0) == 0 ? 0 : -errno;

	if (rc < 0)
		log_errno("spool-remove", name, -rc);
	return rc;
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
