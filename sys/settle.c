/*
 * The order in which a message ends: statuses, the report, that it is
 * reported, stable storage, and only then the next attempt or the removal.
 *
 * A message that is simply done is removed, and that is all: whether the
 * removal is on stable storage matters only to those who would hear of it
 * twice after a power cut, and sys/shift sees to it for many at once.
 */
#include "sys/settle.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include "mail/retry.h"
#include "sys/log.h"
#include "sys/notice.h"

/* --- one recipient ------------------------------------------------------- */

enum qfile_status settle_status(
    enum qfile_status from, unsigned notify, const struct fate *f)
{
	switch (f->letter) {
	case 'D':
		return QFILE_DONE;
	case 'W':
		if (!(notify & NOTIFY_SUCCESS))
			return QFILE_DONE;
		return f->final ? QFILE_STORED : QFILE_RELAYED;
	case 'N':
		return QFILE_FAILED;
	default:
		return from;
	}
}

/* "5.1.1", of the class that the fate has; otherwise that class alone. */
static struct str code_of(const struct fate *f)
{
	struct str s = f->status;
	char class = f->letter == 'N' ? '5' : f->letter == 'L' ? '4' : '2';

	if (s.n >= 5 && s.n <= QFILE_STATUS_MAX && s.p[0] == class &&
	    s.p[1] == '.')
		return s;
	return class == '5'   ? STR("5.0.0")
	       : class == '4' ? STR("4.0.0")
			      : STR("2.0.0");
}

static void log_fate(
    const struct queued *q, uint64_t offset, const struct fate *f)
{
	struct queued_reader r;
	struct qfile_rcpt rcpt;
	struct log l;

	log_begin(&l, f->letter == 'N' ? LOGL_NOTICE : LOGL_INFO,
	    f->letter == 'N'   ? "failed"
	    : f->letter == 'L' ? "deferred"
			       : "sent");
	log_str(&l, "id", str_of(q->id));
	if (queued_rcpt(&r, q, offset, &rcpt) == 0)
		log_str(&l, "to", rcpt.address);
	log_str(&l, "via", f->via);
	if (f->remote.n > 0)
		log_str(&l, "remote", f->remote);
	if (f->tls.n > 0)
		log_str(&l, "tls", f->tls);
	log_str(&l, "status", code_of(f));
	log_str(&l, "text", f->text);
	log_end(&l);
}

int settle_rcpt(struct queued *q, uint64_t offset, enum qfile_status from,
    unsigned notify, const struct fate *f)
{
	enum qfile_status to = settle_status(from, notify, f);
	char room[QFILE_TEXT_MAX];
	struct buf text = BUF(room);
	int rc = 0;

	if (to != QFILE_DONE) {
		/* who said it is told in a report, too: sys/notice */
		if (f->remote.n > 0 && f->remote.n < sizeof(room) / 2) {
			buf_put(&text, f->remote);
			buf_putz(&text, ": ");
		}
		buf_put(&text, str_head(f->text, sizeof(room) - text.n));
		rc = queued_set_reply(q, offset, code_of(f), buf_str(&text));
	}
	if (rc == 0)
		rc = queued_set_status(q, offset, from, to);
	if (!f->logged)
		log_fate(q, offset, f);
	return rc;
}

/* --- the message --------------------------------------------------------- */

struct tally {
	unsigned open, owed, failed;
};

/* Counts; gives up what is open when `over`; what is owed becomes reported
 * when `told`. */
static int go_through(struct queued *q, bool over, bool told, struct tally *t)
{
	static const struct str expired = { "not delivered in time", 21 };
	struct queued_reader reader;
	struct qfile_head h;
	struct qfile_rcpt r;
	uint64_t at;
	int rc = queued_head(&reader, q, &h);

	*t = (struct tally){ 0 };
	while (rc == 0 && (rc = queued_next(&reader, &r, &at)) == 0) {
		bool open = r.status == QFILE_NEW || r.status == QFILE_TRIED;
		bool owed = r.status == QFILE_FAILED ||
			    r.status == QFILE_STORED ||
			    r.status == QFILE_RELAYED;

		if (open && over) {
			if (r.code.n == 0)
				rc = queued_set_reply(
				    q, at, STR("4.4.7"), expired);
			if (rc == 0)
				rc = queued_set_status(
				    q, at, r.status, QFILE_FAILED);
			open = false;
			owed = true;
			r.status = QFILE_FAILED;
		}
		t->failed += r.status == QFILE_FAILED;
		if (owed && told && rc == 0)
			rc = queued_set_status(q, at, r.status, QFILE_REPORTED);
		t->open += open;
		t->owed += owed;
	}
	return rc == QUEUED_END ? 0 : rc < 0 ? rc : -EBADMSG;
}

static int put_off(
    const struct conf *conf, struct queued *q, unsigned attempts, int64_t now_s)
{
	uint64_t random = 0;

	if (getrandom(&random, sizeof(random), 0) < 0)
		random = (uint64_t)now_s;
	return queued_set_attempts(q, attempts,
	    now_s + retry_interval_s(&conf->retry, attempts, random));
}

static void log_end_of(const struct queued *q, const char *what, unsigned n)
{
	struct log l;

	log_begin(&l, LOGL_INFO, what);
	log_str(&l, "id", str_of(q->id));
	log_u64(&l, "attempts", n);
	log_end(&l);
}

int settle_last(struct qdir *d, struct queued *q, uint64_t offset,
    unsigned attempts, const struct fate *f)
{
	int rc = qdir_remove(d, q->id);

	if (rc < 0)
		return rc;
	if (!f->logged)
		log_fate(q, offset, f);
	log_end_of(q, "removed", attempts);
	return 0;
}

/* Writes what is owed and takes note of it.  NOTICE_NONE: nothing was. */
static int report(const struct conf *conf, const struct qdir *d,
    struct queued *q, struct tally *t, bool late)
{
	int rc =
	    t->owed > 0 || late ? notice_write(conf, d, q, late) : NOTICE_NONE;
	int marked = rc < 0 ? rc : 0;

	if (marked == 0 && t->owed > 0)
		marked = go_through(q, false, true, t);
	if (marked == 0 && late)
		marked = queued_set_warned(q);
	return marked < 0 ? marked : rc;
}

int settle_message(const struct conf *conf, struct qdir *d, struct queued *q)
{
	int64_t now = (int64_t)time(NULL);
	struct queued_reader reader;
	struct qfile_head h;
	struct tally t;
	bool over, late;
	int told, rc = queued_head(&reader, q, &h);

	if (rc != 0)
		return rc < 0 ? rc : -EBADMSG;
	over = retry_is_over(&conf->retry, h.arrival_s, h.attempts + 1, now);
	rc = go_through(q, over, false, &t);
	if (rc < 0)
		return rc;
	late = t.open > 0 && !h.warned &&
	       retry_is_late(&conf->retry, h.arrival_s, now);
	told = report(conf, d, q, &t, late);
	rc = told < 0 ? told : queued_sync(q);
	if (rc == 0 && t.open > 0) {
		rc = put_off(conf, q, h.attempts + 1, now);
		log_end_of(q, "put-off", h.attempts + 1);
	} else if (rc == 0) {
		rc = qdir_remove(d, q->id);
		log_end_of(q, "removed", h.attempts + 1);
	}
	if (rc < 0)
		return rc;
	return (t.open == 0 ? SETTLE_GONE : 0) |
	       (told == 0 ? SETTLE_REPORTED : 0);
}
