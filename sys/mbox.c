/*
 * mbox files.  The child is the user and nobody else before it opens what the
 * user controls; it runs no longer than the locks may take and one message
 * needs to be written.
 */
#include "sys/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mail/mboxrd.h"
#include "sys/io.h"
#include "sys/log.h"
#include "sys/pool.h"

enum {
	TALK_FD = 3,
	CONTENT_FD = 4,
	BLOCK = 64 * 1024,
	PAUSE_MS = 50, /* between tries to lock */
	STALE_S = 600, /* a dot-lock nobody has touched since */
	FROM_MAX = 512
};

/* In the child. */
struct file {
	const char *path;
	int fd;
	off_t size; /* before us */
	bool dotted, created;
	char lock[PATH_MAX];
};

static int failed(const char *what)
{
	int err = errno;

	log_errno("mbox", what, err);
	return -err;
}

void mbox_init(struct mbox *m)
{
	m->child = -1;
	m->talk = -1;
}

/* --- the child ---------------------------------------------------------- */

static void pause_ms(long ms)
{
	struct timespec t = { 0, ms * 1000000 };

	(void)nanosleep(&t, NULL);
}

static int open_file(struct file *f, uid_t uid)
{
	const int flags =
	    O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	struct stat st;

	f->fd = open(f->path, flags);
	if (f->fd < 0 && errno == ENOENT) {
		f->fd = open(f->path, flags | O_CREAT | O_EXCL, 0600);
		f->created = f->fd >= 0;
		/* Another worker made it at the same moment. */
		if (f->fd < 0 && errno == EEXIST)
			f->fd = open(f->path, flags);
	}
	if (f->fd < 0 || fstat(f->fd, &st) != 0)
		return failed(f->path);
	if (S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_uid == uid)
		return 0;
	errno = EPERM;
	return failed(f->path);
}

/* A lock that has been left behind long ago is taken away. */
static void break_stale(const char *lock)
{
	struct stat st;

	if (lstat(lock, &st) == 0 && time(NULL) - st.st_mtime > STALE_S)
		(void)unlink(lock);
}

/* PATH.lock, unless the directory is not ours to write. */
static int dot_lock(struct file *f, int64_t until_ms)
{
	struct buf b = BUF(f->lock);

	buf_putz(&b, f->path);
	buf_putz(&b, ".lock");
	buf_putc(&b, '\0');
	if (b.full)
		return -ENAMETOOLONG;
	for (;;) {
		int fd = open(f->lock,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

		if (fd >= 0) {
			close(fd);
			f->dotted = true;
			return 0;
		}
		if (errno == EACCES || errno == EPERM || errno == EROFS)
			return 0;
		if (errno != EEXIST)
			return failed(f->lock);
		if (io_now_ms() >= until_ms) {
			errno = ETIMEDOUT;
			return failed(f->lock);
		}
		break_stale(f->lock);
		pause_ms(PAUSE_MS);
	}
}

static int lock(struct file *f)
{
	int64_t until_ms = io_now_ms() + MBOX_LOCK_S * 1000;
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat here, named;
	int rc;

	while (fcntl(f->fd, F_SETLK, &l) != 0) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return failed(f->path);
		if (io_now_ms() >= until_ms) {
			errno = ETIMEDOUT;
			return failed(f->path);
		}
		pause_ms(PAUSE_MS);
	}
	rc = dot_lock(f, until_ms);
	if (rc < 0)
		return rc;
	/* Whoever held it may have put another file in its place. */
	if (fstat(f->fd, &here) != 0 || lstat(f->path, &named) != 0)
		return failed(f->path);
	if (here.st_ino != named.st_ino || here.st_dev != named.st_dev) {
		errno = EAGAIN;
		return failed(f->path);
	}
	f->size = here.st_size;
	return 0;
}

/* A message begins behind a blank line. */
static int put_gap(struct file *f)
{
	char end[2] = { '\n', '\n' };
	size_t n = f->size < 2 ? (size_t)f->size : 2;

	if (n > 0 &&
	    pread(f->fd, end + 2 - n, n, f->size - (off_t)n) != (ssize_t)n)
		return failed(f->path);
	if (end[1] != '\n')
		return io_write_file(f->fd, STR("\n\n"));
	return f->size > 0 && end[0] != '\n' ? io_write_file(f->fd, STR("\n"))
					     : 0;
}

static int put_content(struct file *f, const struct source *content)
{
	static char block[BLOCK], quoted[BLOCK];
	struct mboxrd m = { 0 };
	struct buf out = BUF(quoted);
	uint64_t at = 0;
	int rc = 0;

	while (at < content->size && rc == 0) {
		ssize_t n = source_read(content, block, sizeof(block), at);
		struct str in;

		if (n < 0) {
			errno = (int)-n;
			return failed("reading the message");
		}
		in = str_at(block, (size_t)n);
		at += in.n;
		while (in.n > 0 && rc == 0) {
			in = str_skip(in, mboxrd_feed(&m, in, &out));
			rc = io_write_file(f->fd, buf_str(&out));
			buf_clear(&out);
		}
	}
	if (rc == 0) {
		mboxrd_finish(&m, &out);
		rc = io_write_file(f->fd, buf_str(&out));
	}
	return rc;
}

static int append(struct file *f, const struct mbox_mail *mail)
{
	char text[FROM_MAX];
	struct buf from = BUF(text);
	int rc = put_gap(f);

	mboxrd_from(&from, mail->sender, (int64_t)time(NULL));
	if (from.full)
		rc = -EMSGSIZE;
	if (rc == 0)
		rc = io_write_file(f->fd, buf_str(&from));
	if (rc == 0)
		rc = io_write_file(f->fd, mail->head);
	if (rc == 0)
		rc = put_content(f, &mail->content);
	if (rc == 0)
		return 0;
	errno = -rc;
	return failed(f->path);
}

/* The name of a new file, too, must last. */
static int sync_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) + 1 : 0;
	char text[PATH_MAX];
	int fd, rc = 0;

	if (n == 0 || n >= sizeof(text))
		return -ENAMETOOLONG;
	memcpy(text, path, n);
	text[n] = '\0';
	fd = open(text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) /* a spool that may be entered but not read */
		return errno == EACCES ? 0 : failed(text);
	if (fsync(fd) != 0)
		rc = failed(text);
	close(fd);
	return rc;
}

static int make_last(const struct file *f)
{
	if (fsync(f->fd) != 0)
		return failed(f->path);
	return f->created ? sync_parent(f->path) : 0;
}

static void take_back(const struct file *f)
{
	if (ftruncate(f->fd, f->size) != 0)
		(void)failed(f->path);
}

static int tell(int rc)
{
	return send(TALK_FD, &rc, sizeof(rc), MSG_NOSIGNAL) ==
		       (ssize_t)sizeof(rc)
		   ? 0
		   : -EPIPE;
}

/* What the child is left with: its socket, and the message if it is a file. */
static int keep_fds(int talk, struct source *content)
{
	if (io_move_fd(talk, TALK_FD) < 0)
		return -errno;
	if (content->fd >= 0) {
		content->fd = io_move_fd(content->fd, CONTENT_FD);
		if (content->fd < 0)
			return content->fd;
	}
	pool_close_from(content->fd < 0 ? CONTENT_FD : CONTENT_FD + 1);
	return 0;
}

/* Everything between the identity and the end. */
static void serve(const char *path, uid_t uid, const struct mbox_mail *mail)
{
	static struct file f;
	bool locked = false;
	char word;
	int rc;

	f.path = path;
	f.fd = -1;
	rc = open_file(&f, uid);
	if (rc == 0)
		rc = lock(&f);
	if (rc == 0) {
		locked = true;
		rc = append(&f, mail);
	}
	if (tell(rc) < 0 || rc < 0 || recv(TALK_FD, &word, 1, 0) != 1) {
		if (locked)
			take_back(&f);
	} else {
		rc = make_last(&f);
		if (rc < 0)
			take_back(&f);
		(void)tell(rc);
	}
	if (f.dotted)
		(void)unlink(f.lock);
}

/* --- the worker --------------------------------------------------------- */

/* Its answer, or what its silence means. */
static int hear(const struct mbox *m)
{
	int rc;
	ssize_t n;

	do
		n = recv(m->talk, &rc, sizeof(rc), 0);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(rc) && rc <= 0 ? rc : -EIO;
}

void mbox_abort(struct mbox *m)
{
	if (m->talk >= 0)
		close(m->talk);
	if (m->child > 0)
		while (waitpid(m->child, NULL, 0) < 0 && errno == EINTR)
			;
	mbox_init(m);
}

int mbox_append(struct mbox *m, const struct identity *self, uid_t uid,
    gid_t gid, const char *path, const struct mbox_mail *mail)
{
	struct mbox_mail ours = *mail;
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return failed("socketpair");
	m->child = fork();
	if (m->child == 0) {
		if (keep_fds(pair[1], &ours.content) < 0)
			_exit(75);
		rc = identity_become(self, uid, gid);
		if (rc < 0)
			log_errno("identity", path, -rc);
		if (rc < 0)
			(void)tell(rc);
		else
			serve(path, uid, &ours);
		_exit(0);
	}
	rc = m->child < 0 ? failed("fork") : 0;
	close(pair[1]);
	m->talk = pair[0];
	if (rc == 0)
		rc = hear(m);
	if (rc < 0)
		mbox_abort(m);
	return rc;
}

int mbox_commit(struct mbox *m)
{
	int rc = -EIO;

	if (m->talk >= 0 && send(m->talk, "C", 1, MSG_NOSIGNAL) == 1)
		rc = hear(m);
	mbox_abort(m);
	return rc;
}
