/*
 * Where pushing the data out is enough before the name, the fsync of file and
 * directory that follow share one commit of the journal.
 */
#include "sys/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { NOREPLACE = 1 }; /* RENAME_NOREPLACE of the kernel */

/*
 * One journal for names and sizes, and a size is in it only when the data is
 * on the disk: whoever commits a name commits the size that belongs to it.
 * Others need not.  btrfs, when somebody syncs the directory, makes the names
 * in it last, and for a file that was not synced itself that is an empty one.
 */
static bool is_ordered(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 &&
	       (fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC);
}

/* Its data will be there wherever its name is. */
int sync_data(int fd, bool *synced)
{
	const unsigned all = SYNC_FILE_RANGE_WAIT_BEFORE |
			     SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;

	*synced = false;
	if (is_ordered(fd)) {
		if (sync_file_range(fd, 0, 0, all) == 0)
			return 0;
		if (errno != ENOSYS) /* errors of writing count */
			return -errno;
	}
	if (fsync(fd) != 0)
		return -errno;
	*synced = true;
	return 0;
}

int sync_name(int from_dir, const char *from, int to_dir, const char *to)
{
	/* By number: musl has no function for it. */
	if (syscall(SYS_renameat2, from_dir, from, to_dir, to, NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
		return -errno;
	if (linkat(from_dir, from, to_dir, to, 0) != 0)
		return -errno;
	return unlinkat(from_dir, from, 0) == 0 ? 0 : SYNC_BOTH;
}

int sync_both(int fd, bool synced, int dir)
{
	if ((!synced && fsync(fd) != 0) || fsync(dir) != 0)
		return -errno;
	return 0;
}
