/*
 * What a user may have put at ~/.forward: a link, a pipe, a file without an
 * end, somebody else's file.  It is opened without following links and
 * without waiting, and judged by its descriptor before a word of it is read.
 */
#include "sys/home.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/io.h"
#include "sys/log.h"
#include "sys/plan.h"

#define NAME ".forward"

enum {
	OTHERS = S_IWGRP | S_IWOTH,
	TRIES = 3 /* for a file that changes while it is read */
};

/* --- records ------------------------------------------------------------ */

static void put_number(struct buf *b, uint64_t n)
{
	buf_u64(b, n);
	buf_putc(b, '\0');
}

void home_put(struct buf *b, const struct home *h)
{
	request_begin(b, 'n');
	put_number(b, h->uid);
	put_number(b, h->gid);
	put_number(b, h->borrowed);
	request_field(b, h->path);
}

int home_get(struct str record, struct home *h)
{
	uint64_t uid, gid, borrowed;

	if (record.n == 0 || record.p[0] != 'n')
		return REQUEST_BAD;
	record = str_skip(record, 1);
	if (plan_number(&record, UINT32_MAX - 1, &uid) != 0 ||
	    plan_number(&record, UINT32_MAX - 1, &gid) != 0 ||
	    plan_number(&record, 1, &borrowed) != 0 ||
	    plan_field(&record, &h->path) != 0 || record.n > 0)
		return REQUEST_BAD;
	h->uid = (uint32_t)uid;
	h->gid = (uint32_t)gid;
	h->borrowed = borrowed == 1;
	return uid == 0 || h->path.n == 0 || h->path.p[0] != '/' ? REQUEST_BAD
								 : 0;
}

void home_put_answer(struct buf *b, const struct home_answer *a)
{
	request_begin(b, 'h');
	put_number(b, a->state);
	request_field(b, a->why);
	buf_put(b, a->text);
}

int home_get_answer(struct str record, struct home_answer *a)
{
	uint64_t state;

	if (record.n == 0 || record.p[0] != 'h')
		return REQUEST_BAD;
	record = str_skip(record, 1);
	if (plan_number(&record, HOME_LATER, &state) != 0 ||
	    plan_field(&record, &a->why) != 0 || a->why.n > REQUEST_TEXT_MAX ||
	    record.n > DOTFORWARD_TEXT_MAX)
		return REQUEST_BAD;
	a->state = (enum home_state)state;
	a->text = record;
	return 0;
}

/* --- the child, who is the user ----------------------------------------- */

struct reading {
	int home, file;
	struct buf b;
	char text[DOTFORWARD_TEXT_MAX + 1];
};

static struct home_answer fault(const char *why)
{
	return (struct home_answer){ HOME_FAULT, str_of(why), STR("") };
}

static struct home_answer later(int rc)
{
	return (
	    struct home_answer){ HOME_LATER, str_of(strerror(-rc)), STR("") };
}

/* What is wrong with the file, or with the home it lies in; NULL: nothing. */
static const char *judge(
    const struct stat *home, const struct stat *file, uid_t uid)
{
	if (home->st_uid != 0 && home->st_uid != uid)
		return "the home belongs to another user";
	if ((home->st_mode & OTHERS) != 0)
		return "others can write to the home";
	if (!S_ISREG(file->st_mode))
		return "not a regular file";
	if (file->st_uid != 0 && file->st_uid != uid)
		return "the file belongs to another user";
	if ((file->st_mode & OTHERS) != 0)
		return "others can write to the file";
	if (file->st_nlink != 1)
		return "the file has several names";
	if (file->st_size > DOTFORWARD_TEXT_MAX)
		return "the file is too large";
	return NULL;
}

static int read_text(struct reading *r)
{
	buf_clear(&r->b);
	for (;;) {
		ssize_t n = pread(
		    r->file, r->b.p + r->b.n, r->b.cap - r->b.n, (off_t)r->b.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		r->b.n += (size_t)n;
		if (n == 0 || r->b.n == r->b.cap)
			return 0;
	}
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* As it is from the first look at it to the last. */
static struct home_answer read_whole(struct reading *r, uid_t uid)
{
	struct stat home, before, after;
	const char *wrong;
	int rc;

	for (unsigned i = 0; i < TRIES; i++) {
		if (fstat(r->home, &home) != 0 || fstat(r->file, &before) != 0)
			return later(-errno);
		wrong = judge(&home, &before, uid);
		if (wrong)
			return fault(wrong);
		rc = read_text(r);
		if (rc < 0)
			return later(rc);
		if (fstat(r->file, &after) != 0)
			return later(-errno);
		if (!is_same(&before, &after))
			continue;
		if (r->b.n > DOTFORWARD_TEXT_MAX)
			return fault("the file is too large");
		return (
		    struct home_answer){ HOME_TEXT, STR(""), buf_str(&r->b) };
	}
	return (struct home_answer){ HOME_LATER, STR("it is being changed"),
		STR("") };
}

static struct home_answer read_forward(
    struct reading *r, const char *path, uid_t uid)
{
	const int flags =
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

	r->b = BUF(r->text);
	r->home = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r->home < 0)
		return later(-errno);
	r->file = openat(r->home, NAME, flags);
	if (r->file < 0 && errno == ENOENT)
		return (struct home_answer){ HOME_NONE, STR(""), STR("") };
	if (r->file < 0 && errno == ELOOP)
		return fault("a symbolic link");
	if (r->file < 0 && (errno == ENXIO || errno == ENODEV))
		return fault("not a regular file");
	return r->file < 0 ? later(-errno) : read_whole(r, uid);
}

static void log_trouble(const struct home *h, const struct home_answer *a)
{
	struct log l;

	log_begin(&l, LOGL_ERR, "forward");
	log_u64(&l, "uid", h->uid);
	log_str(&l, "home", h->path);
	log_str(&l, "error", a->why);
	log_end(&l);
}

static int answer(int sock, const struct home *h, const struct home_answer *a)
{
	static char text[REQUEST_WHOLE_MAX];
	struct buf b = BUF(text);

	if (a->state >= HOME_FAULT)
		log_trouble(h, a);
	home_put_answer(&b, a);
	return b.full ? -EMSGSIZE : io_send_record(sock, buf_str(&b), -1);
}

/* --- the worker --------------------------------------------------------- */

/* In a child, which answers; 0 when it did. */
static int read_apart(int sock, const struct identity *self,
    const struct home *h, const char *path, gid_t gid)
{
	static struct reading r;
	struct home_answer a;
	pid_t child = fork();
	int status, rc;

	if (child < 0)
		return -errno;
	if (child == 0) {
		/* Nobody else may end what runs as the user. */
		alarm(HOME_READ_S);
		rc = identity_become(self, h->uid, gid);
		a = rc < 0 ? later(rc) : read_forward(&r, path, h->uid);
		_exit(answer(sock, h, &a) < 0);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status == 0 ? 0 : -EIO;
}

/* Is there one at all?  What speaks for reading it is HOME_TEXT. */
static struct home_answer look(const struct home *h, const char *path)
{
	struct home_answer a = { HOME_TEXT, STR(""), STR("") };
	int home = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (home < 0)
		return later(-errno);
	if (h->borrowed && fstat(home, &st) != 0)
		a = later(-errno);
	else if (h->borrowed && st.st_uid != h->uid)
		a.state = HOME_NOT_HIS;
	else if (fstatat(home, NAME, &st, AT_SYMLINK_NOFOLLOW) != 0 &&
		 errno == ENOENT)
		a.state = HOME_NONE;
	close(home);
	return a;
}

/* 0 when the answer is out. */
static int serve(int sock, const struct identity *self, uint32_t minimum_uid,
    const struct home *h)
{
	gid_t gid = h->gid >= minimum_uid ? h->gid : self->gid;
	char path[PATH_MAX];
	struct buf b = BUF(path);
	struct home_answer a;
	int rc = 0;

	buf_put(&b, h->path);
	buf_putc(&b, '\0');
	if (b.full)
		rc = -ENAMETOOLONG;
	else if (h->uid != self->uid && h->uid < minimum_uid)
		rc = -EPERM;
	else
		rc = identity_assume(self, h->uid, gid);
	a = rc < 0 ? later(rc) : look(h, path);
	(void)identity_assume(self, self->uid, self->gid);
	if (a.state != HOME_TEXT)
		return answer(sock, h, &a);
	rc = read_apart(sock, self, h, path, gid);
	if (rc == 0)
		return 0;
	a = later(rc);
	return answer(sock, h, &a);
}

void home_serve(int sock, const struct identity *self, uint32_t minimum_uid)
{
	char question[REQUEST_MAX + PATH_MAX];
	struct buf in = BUF(question);
	struct home h;
	int fd;

	(void)prctl(PR_SET_NAME, "deliver-homes", 0, 0, 0);
	while (io_recv_record(sock, &in, &fd, 0) > 0 && fd < 0)
		if (home_get(buf_str(&in), &h) != 0 ||
		    serve(sock, self, minimum_uid, &h) < 0)
			return;
}

int home_recheck(struct str path)
{
	char z[PATH_MAX + sizeof(HOME_FORWARD)];
	struct buf b = BUF(z);
	struct stat st;

	buf_put(&b, path);
	buf_putz(&b, HOME_FORWARD);
	buf_putc(&b, '\0');
	if (b.full)
		return -ENAMETOOLONG;
	if (lstat(z, &st) == 0)
		return HOME_CHANGED;
	return errno == ENOENT ? 0 : -errno;
}
