/*
 * Front to back in one pass; then what changes is written in place.
 */
#include "sys/entry.h"

#include <errno.h>
#include <unistd.h>

#include "sys/io.h"
#include "sys/log.h"

void entry_init(struct entry *e)
{
	e->fd = -1;
	e->named = false;
}

static int failed(const struct entry *e, int rc)
{
	log_errno("spool-write", e->name, -rc);
	return rc;
}

/* What was put together goes out. */
static int flush(struct entry *e)
{
	int rc =
	    e->out.full ? -EMSGSIZE : io_write_file(e->fd, buf_str(&e->out));

	buf_clear(&e->out);
	return rc < 0 ? failed(e, rc) : 0;
}

int entry_open(struct entry *e, const char *name, const struct qfile_head *h)
{
	struct buf copy = BUF(e->name);

	buf_put(&copy, str_of(name));
	buf_putc(&copy, '\0');
	e->named = false;
	e->sum = (struct qfile_sum){ 0 };
	e->start = 0;
	e->out = BUF(e->out_text);
	e->fd = spool_create(e->name);
	if (e->fd < 0)
		return e->fd;
	qfile_put_head(&e->sum, &e->out, h);
	return 0;
}

int entry_rcpt(struct entry *e, const struct qfile_rcpt *r, uint32_t *at)
{
	int rc = 0;

	if (e->out.cap - e->out.n < QFILE_RCPT_OCTETS)
		rc = flush(e);
	*at = (uint32_t)e->sum.octets;
	qfile_put_rcpt(&e->sum, &e->out, r);
	return rc;
}

int entry_write(struct entry *e, struct str content)
{
	int rc = 0;

	if (e->start == 0) {
		e->start = e->sum.octets;
		rc = flush(e);
	}
	if (rc == 0)
		rc = io_write_file(e->fd, content);
	if (rc < 0)
		return failed(e, rc);
	qfile_add_content(&e->sum, content);
	return 0;
}

int entry_commit(struct entry *e)
{
	int rc = entry_write(e, STR(""));

	if (rc == 0) {
		qfile_put_end(&e->sum, &e->out);
		rc = flush(e);
	}
	if (rc < 0)
		return rc;
	return spool_commit(e->name, e->fd, &e->named);
}

uint64_t entry_size(const struct entry *e)
{
	return e->sum.octets - e->start;
}

static int put_at(struct entry *e, uint64_t at, const struct buf *b)
{
	ssize_t n;

	if (b->full)
		return failed(e, -EMSGSIZE);
	do
		n = pwrite(e->fd, b->p, b->n, (off_t)at);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)b->n)
		return 0;
	return failed(e, n < 0 ? -errno : -ENOSPC);
}

int entry_mark(struct entry *e, uint32_t at, enum qfile_status status,
    struct str code, struct str text)
{
	char slot[QFILE_AT_TEXT + QFILE_TEXT_MAX];
	char letter = (char)status;
	struct buf b = BUF(slot);
	int rc = 0;

	if (code.n > 0) {
		qfile_put_code(&b, code);
		buf_putc(&b, '\n');
		qfile_put_text(&b, text);
		rc = put_at(e, at + QFILE_AT_CODE, &b);
	}
	buf_clear(&b);
	buf_putc(&b, letter);
	return rc < 0 ? rc : put_at(e, at + QFILE_AT_STATUS, &b);
}

void entry_sync(struct entry *e)
{
	if (fdatasync(e->fd) != 0)
		(void)failed(e, -errno);
}

void entry_drop(struct entry *e)
{
	if (e->fd < 0)
		return;
	(void)(e->named ? spool_remove(e->name) : spool_forget(e->name));
	close(e->fd);
	entry_init(e);
}

void entry_close(struct entry *e)
{
	if (e->fd >= 0)
		close(e->fd);
	entry_init(e);
}
