/*
 * The directory is opened first and looked at, and the file below it without
 * following a link: whatever else the user, or somebody with a foot in his
 * home, has put there is left alone.
 */
#include "sys/deadletter.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mail/mboxrd.h"
#include "sys/io.h"

static const char file_name[] = "dead.letter";

enum { BLOCK = 16 * 1024, FOLD = 70, LOCK_MS = 5000 };

static int open_home(struct str home)
{
	char path[4096];
	struct buf b = BUF(path);
	struct stat st;
	int fd, rc = 0;

	buf_put(&b, home);
	buf_putc(&b, '\0');
	if (b.full)
		return -ENAMETOOLONG;
	if (home.n == 0 || home.p[0] != '/')
		return -ENOENT;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0)
		rc = -errno;
	else if (st.st_uid != geteuid())
		rc = -EPERM;
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

/* O_NONBLOCK: of a FIFO that somebody has put there we are not the writer. */
static int open_file(int home_fd, struct stat *st)
{
	int fd = openat(home_fd, file_name,
	    O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
		O_CLOEXEC,
	    0600);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, st) != 0)
		rc = -errno;
	else if (!S_ISREG(st->st_mode) || st->st_uid != geteuid() ||
		 st->st_nlink != 1)
		rc = -EPERM;
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

/* Others who write there wait as well; not for ever. */
static int lock(int fd)
{
	int64_t by_ms = io_now_ms() + LOCK_MS;
	const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };

	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (io_now_ms() >= by_ms)
			return -EWOULDBLOCK;
		nanosleep(&pause, NULL);
	}
	return 0;
}

struct writer {
	int fd, rc; /* the first error stays */
	struct mboxrd quote;
};

static void write_out(struct writer *w, struct str s)
{
	if (w->rc == 0)
		w->rc = io_write_file(w->fd, s);
}

static void put(void *arg, struct str s)
{
	static char room[BLOCK];
	struct writer *w = arg;

	while (s.n > 0 && w->rc == 0) {
		struct buf out = BUF(room);

		s = str_skip(s, mboxrd_feed(&w->quote, s, &out));
		write_out(w, buf_str(&out));
	}
}

static void put_recipients(
    struct writer *w, const struct envelope *e, const bool *wanted)
{
	size_t column = 0;

	put(w, STR("X-Dead-Letter-To:"));
	for (unsigned i = 0; i < e->nrcpt; i++) {
		if (!wanted[i])
			continue;
		if (column > 0)
			put(w, STR(","));
		if (column > 0 && column + e->rcpt[i].n > FOLD) {
			put(w, STR("\n"));
			column = 0;
		}
		put(w, STR(" "));
		put(w, e->rcpt[i]);
		column += e->rcpt[i].n + 2;
	}
	put(w, STR("\n"));
}

static int append(int fd, struct letter *l, const bool *wanted)
{
	struct writer w = { .fd = fd };
	char text[ADDR_TEXT_MAX + 64];
	struct buf b = BUF(text), end = BUF(text);
	int rc;

	mboxrd_from(&b, l->envelope.sender, (int64_t)time(NULL));
	write_out(&w, buf_str(&b));
	put_recipients(&w, &l->envelope, wanted);
	rc = letter_write(l, put, &w);
	mboxrd_finish(&w.quote, &end);
	write_out(&w, buf_str(&end));
	if (rc == 0)
		rc = w.rc;
	if (rc == 0 && fsync(fd) != 0)
		rc = -errno;
	return rc;
}

static int save(int home_fd, struct letter *l, const bool *wanted)
{
	struct stat st;
	int fd = open_file(home_fd, &st), rc;

	if (fd < 0)
		return fd;
	rc = lock(fd);
	if (rc == 0 && fstat(fd, &st) != 0)
		rc = -errno;
	if (rc == 0) {
		rc = append(fd, l, wanted);
		if (rc < 0 && ftruncate(fd, st.st_size) != 0)
			rc = -errno;
	}
	if (rc == 0 && fsync(home_fd) != 0)
		rc = -errno;
	close(fd);
	return rc;
}

int deadletter_save(
    struct letter *l, struct str home, const bool *wanted, struct buf *path)
{
	int home_fd = open_home(home), rc;

	if (home_fd < 0)
		return home_fd;
	rc = save(home_fd, l, wanted);
	close(home_fd);
	buf_put(path, home);
	buf_putc(path, '/');
	buf_putz(path, file_name);
	return rc;
}
