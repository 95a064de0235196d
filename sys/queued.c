/*
 * A queue file: opened, locked, checked, read by pread(2) (a message has one
 * descriptor and many readers, so its position is nobody's), written by
 * pwrite(2).
 */
#include "sys/queued.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/log.h"

enum { CHECK_BLOCK = 64 * 1024 };

int queued_open(struct queued *q, const struct qdir *d, const char *name)
{
	struct stat st;
	int rc;

	memset(q, 0, sizeof(*q));
	memcpy(q->id, name, strlen(name) + 1);
	q->fd =
	    openat(d->fd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (q->fd < 0 && errno == ENOENT)
		return QUEUED_GONE;
	if (q->fd < 0 && (errno == EISDIR || errno == ELOOP || errno == ENXIO))
		return QUEUED_BAD;
	if (q->fd < 0 || fstat(q->fd, &st) != 0) {
		rc = -errno;
		log_errno("spool-open", name, -rc);
		queued_close(q);
		return rc;
	}
	q->size = (uint64_t)st.st_size;
	q->mtime = st.st_mtim;
	if (S_ISREG(st.st_mode))
		return 0;
	queued_close(q);
	return QUEUED_BAD;
}

int queued_lock(struct queued *q)
{
	struct stat st;

	if (flock(q->fd, LOCK_EX | LOCK_NB) != 0)
		return QUEUED_BUSY;
	if (fstat(q->fd, &st) != 0 || st.st_nlink == 0)
		return QUEUED_GONE;
	q->size = (uint64_t)st.st_size;
	q->mtime = st.st_mtim;
	return 0;
}

int queued_share(const struct queued *q, const struct qdir *d)
{
	int fd = openat(
	    d->fd, q->id, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat ours, there;
	int rc = 0;

	if (fd < 0 || fstat(fd, &there) != 0 || fstat(q->fd, &ours) != 0)
		rc = -errno;
	else if (ours.st_ino != there.st_ino || ours.st_dev != there.st_dev)
		rc = -ESTALE;
	if (rc == 0)
		return fd;
	log_errno("spool-open", q->id, -rc);
	if (fd >= 0)
		close(fd);
	return rc;
}

void queued_close(struct queued *q)
{
	if (q->fd < 0)
		return;
	(void)flock(q->fd, LOCK_UN);
	close(q->fd);
	q->fd = -1;
}

/* --- reading ------------------------------------------------------------- */

static void reader_start(
    struct queued_reader *r, const struct queued *q, uint64_t at)
{
	r->fd = q->fd;
	r->left = 0;
	r->at = at;
	r->used = r->have = 0;
	r->sum = (struct qfile_sum){ 0 };
}

/* More behind what is there.  1, 0 at the file's end, or -errno. */
static int reader_fill(struct queued_reader *r)
{
	ssize_t n;

	memmove(r->room, r->room + r->used, r->have - r->used);
	r->have -= r->used;
	r->used = 0;
	do
		n = pread(r->fd, r->room + r->have, sizeof(r->room) - r->have,
		    (off_t)(r->at + r->have));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	r->have += (size_t)n;
	return n > 0;
}

static struct str reader_rest(const struct queued_reader *r)
{
	return str_at(r->room + r->used, r->have - r->used);
}

static void reader_take(struct queued_reader *r, size_t used)
{
	r->used += used;
	r->at += used;
}

static int answer_of(int rc)
{
	if (rc == QFILE_VERSION)
		return QUEUED_VERSION;
	return rc == 0 ? 0 : QUEUED_BAD;
}

int queued_head(
    struct queued_reader *r, const struct queued *q, struct qfile_head *h)
{
	size_t used = 0;
	int rc, more;

	reader_start(r, q, 0);
	do {
		more = reader_fill(r);
		if (more < 0)
			return more;
		rc = qfile_get_head(reader_rest(r), h, &used, &r->sum);
	} while (rc == QFILE_MORE && more > 0);
	if (rc == 0) {
		reader_take(r, used);
		r->left = h->nrcpt;
	}
	return answer_of(rc);
}

int queued_next(
    struct queued_reader *r, struct qfile_rcpt *rcpt, uint64_t *offset)
{
	size_t used = 0;
	int rc, more = 1;

	if (r->left == 0)
		return QUEUED_END;
	for (;;) {
		struct qfile_sum sum = r->sum;

		rc = qfile_get_rcpt(reader_rest(r), rcpt, &used, &sum);
		if (rc != QFILE_MORE || more == 0) {
			r->sum = sum;
			break;
		}
		more = reader_fill(r);
		if (more < 0)
			return more;
	}
	if (rc != 0)
		return QUEUED_BAD;
	*offset = r->at;
	reader_take(r, used);
	r->left--;
	return 0;
}

int queued_rcpt(struct queued_reader *r, const struct queued *q,
    uint64_t offset, struct qfile_rcpt *rcpt)
{
	uint64_t at;

	reader_start(r, q, offset);
	r->left = 1;
	return queued_next(r, rcpt, &at);
}

uint64_t queued_content(const struct queued_reader *r)
{
	return r->at;
}

uint64_t queued_content_octets(
    const struct queued_reader *r, const struct queued *q)
{
	uint64_t end = q->size - QFILE_END_OCTETS;

	return end > r->at ? end - r->at : 0;
}

/* --- checking ------------------------------------------------------------ */

/* The last line, and whether it is where it says. */
static int check_end(const struct queued *q, uint32_t *crc)
{
	char text[QFILE_END_OCTETS];
	uint64_t octets;
	ssize_t n;

	if (q->size < sizeof(text))
		return QUEUED_BAD;
	do
		n = pread(
		    q->fd, text, sizeof(text), (off_t)(q->size - sizeof(text)));
	while (n < 0 && errno == EINTR);
	/* what cannot be read now is not damaged for that */
	if (n < 0)
		return -errno;
	if (n != (ssize_t)sizeof(text))
		return QUEUED_BAD;
	if (qfile_get_end(str_at(text, sizeof(text)), &octets, crc) != 0 ||
	    octets != q->size - sizeof(text))
		return QUEUED_BAD;
	return 0;
}

static int check_content(
    const struct queued *q, uint64_t at, struct qfile_sum *sum)
{
	static char block[CHECK_BLOCK];
	uint64_t left = q->size - QFILE_END_OCTETS;

	if (at > left)
		return QUEUED_BAD;
	for (left -= at; left > 0;) {
		size_t want =
		    left < sizeof(block) ? (size_t)left : sizeof(block);
		ssize_t n = pread(q->fd, block, want, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : QUEUED_BAD;
		qfile_add_content(sum, str_at(block, (size_t)n));
		at += (uint64_t)n;
		left -= (uint64_t)n;
	}
	return 0;
}

int queued_verify(const struct queued *q)
{
	struct queued_reader r;
	struct qfile_rcpt rcpt;
	struct qfile_head h;
	uint64_t at;
	uint32_t crc = 0;
	int rc = queued_head(&r, q, &h);

	if (rc == 0)
		rc = check_end(q, &crc);
	while (rc == 0)
		rc = queued_next(&r, &rcpt, &at);
	if (rc != QUEUED_END)
		return rc;
	rc = check_content(q, queued_content(&r), &r.sum);
	if (rc == 0 && r.sum.crc != crc)
		rc = QUEUED_BAD;
	return rc;
}

/* --- changing ------------------------------------------------------------ */

static int put(struct queued *q, uint64_t at, struct str s)
{
	ssize_t n;

	do
		n = pwrite(q->fd, s.p, s.n, (off_t)at);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)s.n)
		return 0;
	n = n < 0 ? -errno : -ENOSPC;
	log_errno("spool-write", q->id, (int)-n);
	return (int)n;
}

int queued_set_status(struct queued *q, uint64_t offset, enum qfile_status from,
    enum qfile_status to)
{
	char c = (char)to;
	int rc;

	if (from == to)
		return 0;
	if (!qfile_may_become(from, to)) {
		log_note(LOGL_ERR, "status-backwards", q->id);
		return -EINVAL;
	}
	rc = put(q, offset + QFILE_AT_STATUS, str_at(&c, 1));
	if (rc == 0)
		q->changed = true;
	return rc;
}

int queued_set_reply(
    struct queued *q, uint64_t offset, struct str code, struct str text)
{
	char room[QFILE_TEXT_MAX + QFILE_STATUS_MAX];
	struct buf b = BUF(room);
	int rc;

	qfile_put_code(&b, code);
	rc = put(q, offset + QFILE_AT_CODE, buf_str(&b));
	if (rc < 0)
		return rc;
	buf_clear(&b);
	qfile_put_text(&b, text);
	return put(q, offset + QFILE_AT_TEXT, buf_str(&b));
}

int queued_set_attempts(struct queued *q, unsigned attempts, int64_t next_s)
{
	char room[32];
	struct buf b = BUF(room);
	int rc;

	qfile_put_attempts(&b, attempts);
	rc = put(q, QFILE_AT_ATTEMPTS, buf_str(&b));
	if (rc < 0)
		return rc;
	buf_clear(&b);
	qfile_put_next(&b, next_s);
	return put(q, QFILE_AT_NEXT, buf_str(&b));
}

int queued_set_held(struct queued *q, bool held)
{
	q->changed = true;
	return put(q, QFILE_AT_HELD, held ? STR("H") : STR("-"));
}

int queued_set_warned(struct queued *q)
{
	q->changed = true;
	return put(q, QFILE_AT_WARNED, STR("W"));
}

int queued_sync(struct queued *q)
{
	if (!q->changed)
		return 0;
	if (fdatasync(q->fd) != 0) {
		int rc = -errno;

		log_errno("spool-sync", q->id, -rc);
		return rc;
	}
	q->changed = false;
	return 0;
}
