/*
 * Maildir.  The data is on the disk before the file gets its name, so that a
 * power cut never shows a torn message.  Where pushing it out is enough for
 * that, the fsync of file and directory that follow share one commit of the
 * journal.
 */
#include "sys/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sys/io.h"
#include "sys/log.h"
#include "sys/sync.h"
#include "sys/walk.h"

enum {
	BLOCK = 256 * 1024, /* octets written at a time */
	TRIES = 3           /* to find a name that is free */
};

static int failed(const char *what)
{
	int err = errno;

	log_errno("maildir", what, err);
	return -err;
}

static int failed_with(const char *what, int rc)
{
	errno = -rc;
	return failed(what);
}

void maildir_init(struct maildir *m)
{
	m->tmp = m->new = m->file = -1;
	m->written = m->named = m->synced = false;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void maildir_close(struct maildir *m)
{
	close_fd(&m->tmp);
	close_fd(&m->new);
	close_fd(&m->file);
}

/* A directory of uid's, named in `dir`, made if it is not there. */
static int open_within(int dir, const char *name, uid_t uid, bool *made)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dir, name, flags);
	struct stat st;

	/* Another worker may make it at the same moment: then it is there. */
	if (fd < 0 && errno == ENOENT &&
	    (mkdirat(dir, name, 0700) == 0 || errno == EEXIST)) {
		*made = true;
		fd = openat(dir, name, flags);
	}
	if (fd < 0)
		return failed(name);
	if (fstat(fd, &st) == 0 && st.st_uid == uid)
		return fd;
	close(fd);
	errno = EPERM;
	return failed(name);
}

/* The Maildir itself; the user may have it elsewhere, by a symbolic link. */
static int open_top(const char *path, uid_t uid, bool walked, bool *made)
{
	struct walk w = { uid, (gid_t)-1, -1 };
	struct stat st;
	int fd, rc;

	if (walked) {
		rc = walk_open(&w, path);
		if (rc != WALK_CLOSED)
			return rc < 0 ? rc : w.fd;
		errno = EACCES;
		return failed(path);
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT &&
	    (mkdir(path, 0700) == 0 || errno == EEXIST)) {
		*made = true;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0)
		return failed(path);
	if (fstat(fd, &st) == 0 && st.st_uid == uid)
		return fd;
	close(fd);
	errno = EPERM;
	return failed(path);
}

static int sync_dir(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0) /* a parent that may be entered but not read */
		return errno == EACCES ? 0 : failed(name);
	if (fsync(fd) != 0)
		rc = failed(name);
	close(fd);
	return rc;
}

int maildir_open(struct maildir *m, const char *path, uid_t uid, bool walked)
{
	bool made_top = false, made = false;
	int top, cur, rc = 0;

	top = open_top(path, uid, walked, &made_top);
	if (top < 0)
		return top;
	m->tmp = open_within(top, "tmp", uid, &made);
	m->new = m->tmp < 0 ? -1 : open_within(top, "new", uid, &made);
	rc = m->tmp < 0 ? m->tmp : m->new < 0 ? m->new : 0;
	if (rc == 0 && made) { /* a new one: readers want cur/ too */
		cur = open_within(top, "cur", uid, &made);
		rc = cur < 0 ? cur : 0;
		close_fd(&cur);
	}
	if (rc == 0 && made)
		rc = sync_dir(top, ".");
	if (rc == 0 && made_top)
		rc = sync_dir(top, "..");
	close(top);
	if (rc < 0)
		maildir_close(m);
	return rc;
}

/* "/" and ":" would mean something else in a name. */
static void put_host(struct buf *b, struct str host)
{
	for (size_t i = 0; i < host.n && i < 64; i++)
		buf_putc(
		    b, host.p[i] == '/' || host.p[i] == ':' ? '_' : host.p[i]);
}

/* time.MmicrosPpidQcount_random.host,S=size */
static void make_name(struct maildir *m, struct str host, uint64_t size)
{
	static uint64_t count;
	struct buf b = BUF(m->name);
	struct timespec t;
	uint64_t random = 0;

	clock_gettime(CLOCK_REALTIME, &t);
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (uint64_t)t.tv_nsec;
	buf_u64(&b, (uint64_t)t.tv_sec);
	buf_putz(&b, ".M");
	buf_u64w(&b, (uint64_t)t.tv_nsec / 1000, 6);
	buf_putc(&b, 'P');
	buf_u64(&b, (uint64_t)getpid());
	buf_putc(&b, 'Q');
	buf_u64(&b, ++count);
	buf_putc(&b, '_');
	buf_hex(&b, random, 16);
	buf_putc(&b, '.');
	put_host(&b, host);
	buf_putz(&b, ",S=");
	buf_u64(&b, size);
	buf_putc(&b, '\0');
}

static int create(struct maildir *m, struct str host, uint64_t size)
{
	for (unsigned i = 0; i < TRIES; i++) {
		make_name(m, host, size);
		m->file = openat(m->tmp, m->name,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (m->file >= 0) {
			m->written = true;
			return 0;
		}
		if (errno != EEXIST)
			break;
	}
	return failed("tmp");
}

/* Head and content in as few writes as the block allows. */
static int copy(int to, struct str head, const struct source *content)
{
	static char block[BLOCK];
	struct buf b = BUF(block);
	uint64_t at = 0;
	int rc;

	buf_put(&b, head);
	while (at < content->size || b.n > 0) {
		ssize_t n = source_read(content, b.p + b.n, b.cap - b.n, at);

		if (n < 0)
			return failed_with("reading the message", (int)n);
		b.n += (size_t)n;
		at += (uint64_t)n;
		if (at < content->size && b.n < b.cap)
			continue;
		rc = io_write_file(to, buf_str(&b));
		if (rc < 0)
			return failed_with("writing", rc);
		b.n = 0;
	}
	return 0;
}

void maildir_push(const struct maildir *m)
{
	(void)sync_file_range(m->file, 0, 0, SYNC_FILE_RANGE_WRITE);
}

int maildir_push_out(struct maildir *m)
{
	int rc = sync_data(m->file, &m->synced);

	return rc < 0 ? failed_with("writing", rc) : 0;
}

int maildir_write(struct maildir *m, struct str head,
    const struct source *content, struct str hostname)
{
	int rc = create(m, hostname, head.n + content->size);

	if (rc == 0)
		rc = copy(m->file, head, content);
	return rc;
}

int maildir_name(struct maildir *m)
{
	int rc = sync_name(m->tmp, m->name, m->new, m->name);

	if (rc < 0)
		return failed_with("new", rc);
	m->named = true;
	m->written = rc == SYNC_BOTH;
	return 0;
}

int maildir_sync(struct maildir *m)
{
	int rc = sync_both(m->file, m->synced, m->new);

	return rc < 0 ? failed_with("fsync", rc) : 0;
}

void maildir_remove(struct maildir *m)
{
	if (m->written)
		(void)unlinkat(m->tmp, m->name, 0);
	if (m->named)
		(void)unlinkat(m->new, m->name, 0);
	m->written = m->named = false;
}
