/*
 * The text is mail/report's; here are the file, its names and the order in
 * which it becomes durable.
 */
#include "sys/notice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "mail/report.h"
#include "sys/io.h"
#include "sys/log.h"
#include "sys/sync.h"

enum {
	ROOM = 64 * 1024,
	COPY_BLOCK = 4096,
	COPY_MAX = REPORT_OCTETS_MAX > REPORT_HEADER_MAX ? REPORT_OCTETS_MAX
							 : REPORT_HEADER_MAX
};

/* One report being written. */
struct notice {
	const struct conf *conf;
	const struct qdir *dir;
	const struct queued *q;
	struct queued_reader reader; /* of the cause */
	struct qfile_head head;
	struct report report;
	bool late, to_postmaster;
	unsigned n; /* recipients it tells of */
	enum report_action gravest;
	int fd, rc;
	struct qfile_sum sum;
	struct buf out;
	char sender[ADDR_TEXT_MAX], envid[ENVID_MAX];
	char room[ROOM];
};

/* --- names --------------------------------------------------------------- */

static int put_name(
    struct buf *b, char letter, const char *cause, unsigned attempts)
{
	buf_putc(b, letter);
	buf_putz(b, cause);
	buf_putc(b, '.');
	buf_u64(b, attempts);
	buf_putc(b, '\0');
	return b->full ? -ENAMETOOLONG : 0;
}

/* The message that a name of a report was made of. */
static bool cause_of(const char *id, char cause[QDIR_NAME_MAX], uint64_t *n)
{
	struct str s = str_of(id);
	size_t dot = s.n;

	if (s.n == 0 || (s.p[0] != 'r' && s.p[0] != 'p'))
		return false;
	while (dot > 0 && s.p[dot - 1] != '.')
		dot--;
	if (dot < 3 || str_u64(str_skip(s, dot), n) != 0)
		return false;
	memcpy(cause, s.p + 1, dot - 2);
	cause[dot - 2] = '\0';
	return true;
}

bool notice_is_early(const struct qdir *d, const char *id)
{
	struct queued_reader r;
	struct qfile_head h;
	char cause[QDIR_NAME_MAX];
	struct queued q;
	uint64_t attempts;
	bool early;

	if (!cause_of(id, cause, &attempts) || queued_open(&q, d, cause) != 0)
		return false;
	early = queued_head(&r, &q, &h) == 0 && h.attempts == attempts;
	/* its lock is another's, if any: no queued_close */
	close(q.fd);
	return early;
}

/* --- who is told what ---------------------------------------------------- */

static bool action_of(const struct notice *n, const struct qfile_rcpt *r,
    enum report_action *action)
{
	switch (r->status) {
	case QFILE_FAILED:
		*action = REPORT_FAILED;
		break;
	case QFILE_STORED:
		*action = REPORT_DELIVERED;
		break;
	case QFILE_RELAYED:
		*action = REPORT_RELAYED;
		break;
	case QFILE_NEW:
	case QFILE_TRIED:
		if (!n->late)
			return false;
		*action = REPORT_DELAYED;
		break;
	case QFILE_DONE:
	case QFILE_REPORTED:
		return false;
	}
	if (n->to_postmaster)
		return *action == REPORT_FAILED;
	return report_is_wanted(r->notify, *action);
}

/* "mx.away.example: 550 no" was said by that host, "no route" by us. */
static void split_reply(struct report_rcpt *r, struct str text)
{
	size_t at = 0;

	while (at < text.n && text.p[at] != ' ')
		at++;
	r->text = text;
	if (at < 2 || at + 1 >= text.n || text.p[at - 1] != ':' ||
	    !str_isdigit(text.p[at + 1]))
		return;
	r->remote = str_head(text, at - 1);
	r->text = str_skip(text, at + 1);
}

typedef void put_rcpt(
    struct buf *b, const struct report *r, const struct report_rcpt *rcpt);

static void flush(struct notice *n, size_t reserve)
{
	if (n->rc == 0 && n->out.full)
		n->rc = -EMSGSIZE;
	if (n->rc == 0 && n->out.cap - n->out.n < reserve) {
		n->rc = io_write_file(n->fd, buf_str(&n->out));
		buf_clear(&n->out);
	}
}

/* Counts content that was put behind `from`. */
static void count_from(struct notice *n, size_t from)
{
	qfile_add_content(&n->sum, str_skip(buf_str(&n->out), from));
	flush(n, ROOM / 2);
}

/* Goes through the recipients that the report tells of; put may be NULL. */
static void each_rcpt(struct notice *n, put_rcpt *put)
{
	struct qfile_head h;
	struct qfile_rcpt r;
	uint64_t at;
	int rc = queued_head(&n->reader, n->q, &h);

	n->n = 0;
	n->gravest = REPORT_RELAYED;
	while (rc == 0 && (rc = queued_next(&n->reader, &r, &at)) == 0) {
		struct report_rcpt one = { .address = r.address,
			.orcpt = r.orcpt,
			.code = r.code,
			.last_attempt_s = n->report.now_s };

		if (!action_of(n, &r, &one.action))
			continue;
		split_reply(&one, r.text);
		n->n++;
		if (one.action < n->gravest)
			n->gravest = one.action;
		if (put) {
			size_t from = n->out.n;

			put(&n->out, &n->report, &one);
			count_from(n, from);
		}
	}
	if (n->rc == 0 && rc != QUEUED_END)
		n->rc = rc < 0 ? rc : -EBADMSG;
}

/* --- the original -------------------------------------------------------- */

/* Calls take for the content's first octets, COPY_MAX at most. */
static void each_block(struct notice *n,
    void (*take)(struct notice *, struct str, void *), void *x)
{
	static char block[COPY_BLOCK];
	uint64_t at = queued_content(&n->reader);
	uint64_t left = queued_content_octets(&n->reader, n->q);

	if (left > COPY_MAX)
		left = COPY_MAX;
	while (left > 0 && n->rc == 0) {
		size_t want =
		    left < sizeof(block) ? (size_t)left : sizeof(block);
		ssize_t got = pread(n->q->fd, block, want, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			n->rc = got < 0 ? -errno : -EBADMSG;
			return;
		}
		take(n, str_at(block, (size_t)got), x);
		at += (uint64_t)got;
		left -= (uint64_t)got;
	}
}

struct plain {
	size_t column;
	bool over; /* of the header, unless all of it counts */
	bool line; /* within one */
};

static void look(struct notice *n, struct str s, void *x)
{
	struct plain *p = x;
	size_t end = 0;

	while (!p->over && end < s.n) {
		if (!n->report.full && !p->line && s.p[end] == '\n')
			p->over = true;
		p->line = s.p[end++] != '\n';
	}
	if (!report_is_plain(&p->column, str_head(s, end)))
		n->report.plain = false;
}

static void copy(struct notice *n, struct str s, void *x)
{
	while (s.n > 0 && n->rc == 0) {
		size_t from = n->out.n;
		size_t used = report_copy(x, &n->report, s, &n->out);

		count_from(n, from);
		s = str_skip(s, used);
	}
}

/* --- the message --------------------------------------------------------- */

static void put_envelope(struct notice *n)
{
	struct qfile_head h = { .arrival_s = n->report.now_s,
		.next_s = 0,
		.submitted = true,
		.report = true,
		.requiretls = n->head.requiretls, /* RFC 8689 5 */
		.utf8 = report_is_utf8(&n->report),
		.body = report_is_8bit(&n->report) ? QFILE_8BIT : QFILE_7BIT,
		.nrcpt = 1 };
	struct qfile_rcpt r = { .status = QFILE_NEW,
		.notify = NOTIFY_NEVER,
		.address = n->report.to };

	qfile_put_head(&n->sum, &n->out, &h);
	qfile_put_rcpt(&n->sum, &n->out, &r);
}

static void put_text(struct notice *n)
{
	struct report_copy original = { .over = false };
	struct plain plain = { .column = 0 };
	size_t from;

	n->report.plain = true;
	each_block(n, look, &plain);
	put_envelope(n);
	from = n->out.n;
	report_begin(&n->out, &n->report, n->gravest);
	count_from(n, from);
	each_rcpt(n, report_for_people);
	from = n->out.n;
	report_machine(&n->out, &n->report);
	count_from(n, from);
	each_rcpt(n, report_for_machines);
	from = n->out.n;
	report_original(&n->out, &n->report);
	count_from(n, from);
	each_block(n, copy, &original);
	from = n->out.n;
	report_copy_finish(&original, &n->report, &n->out);
	report_end(&n->out, &n->report);
	count_from(n, from);
	qfile_put_end(&n->sum, &n->out);
	flush(n, ROOM + 1);
}

/* --- the file ------------------------------------------------------------ */

enum { THERE = 1 };

/* Everything but the name, then the name, then all of it for good.  0, THERE
 * or -errno. */
static int commit(struct notice *n, const char *temporary, const char *name)
{
	int dir = n->dir->fd, rc;
	bool synced = false;

	rc = sync_data(n->fd, &synced);
	if (rc < 0)
		return rc;
	rc = sync_name(dir, temporary, dir, name);
	/* written by a pass that was ended before it took note */
	if (rc == -EEXIST)
		return unlinkat(dir, temporary, 0) == 0 ? THERE : -errno;
	if (rc < 0)
		return rc;
	if (rc == SYNC_BOTH)
		(void)unlinkat(dir, temporary, 0);
	rc = sync_both(n->fd, synced, dir);
	if (rc < 0)
		(void)unlinkat(dir, name, 0);
	return rc;
}

static int write_file(struct notice *n, const char *name)
{
	char temporary[QDIR_NAME_MAX];
	struct buf b = BUF(temporary);
	uint64_t random;
	int rc;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	buf_putc(&b, 't');
	buf_hex(&b, random, 16);
	buf_putc(&b, '\0');
	n->fd = openat(n->dir->fd, temporary,
	    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0660);
	if (n->fd < 0)
		return -errno;
	put_text(n);
	rc = n->rc;
	if (rc == 0)
		rc = commit(n, temporary, name);
	if (rc < 0)
		(void)unlinkat(n->dir->fd, temporary, 0);
	close(n->fd);
	return rc;
}

/* Views of the reader's do not live long enough. */
static struct str keep(char *room, size_t max, struct str s)
{
	s = str_head(s, max);
	memcpy(room, s.p, s.n);
	return str_at(room, s.n);
}

static int describe(struct notice *n)
{
	int64_t now = (int64_t)time(NULL);
	time_t t = (time_t)now;
	struct tm tm;
	int rc = queued_head(&n->reader, n->q, &n->head);

	if (rc != 0)
		return rc < 0 ? rc : -EBADMSG;
	n->report = (struct report){ .hostname = n->conf->hostname,
		.id = str_of(n->q->id),
		.to = keep(n->sender, sizeof(n->sender), n->head.sender),
		.envid = keep(n->envid, sizeof(n->envid), n->head.envid),
		.arrival_s = n->head.arrival_s,
		.now_s = now,
		.until_s = n->head.arrival_s + n->conf->retry.lifetime_s,
		.utf8 = n->head.utf8,
		.full = n->head.ret != 'H' && !n->head.requiretls &&
			n->head.body != QFILE_BINARY };
	if (localtime_r(&t, &tm))
		n->report.offset_minutes = (int)(tm.tm_gmtoff / 60);
	n->to_postmaster = report_is_mute(n->report.to);
	if (n->to_postmaster)
		n->report.to = STR("postmaster");
	return 0;
}

static void log_it(const struct notice *n, const char *name)
{
	struct log l;

	log_begin(&l, LOGL_INFO, "report");
	log_str(&l, "id", str_of(n->q->id));
	log_str(&l, "report", str_of(name));
	log_str(&l, "to", n->report.to);
	log_u64(&l, "recipients", n->n);
	log_end(&l);
}

int notice_write(const struct conf *conf, const struct qdir *d,
    const struct queued *q, bool late)
{
	static struct notice n;
	char name[QDIR_NAME_MAX];
	struct buf b = BUF(name);
	int rc;

	memset(&n, 0, offsetof(struct notice, room));
	n.conf = conf;
	n.dir = d;
	n.q = q;
	n.late = late;
	n.out = BUF(n.room);
	rc = describe(&n);
	if (rc == 0)
		each_rcpt(&n, NULL);
	if (rc == 0)
		rc = n.rc;
	if (rc == 0 && n.n == 0)
		return NOTICE_NONE;
	/* what told the postmaster that nobody can be told ends here */
	if (rc == 0 && n.to_postmaster && q->id[0] == 'p') {
		log_note(LOGL_WARNING, "report-lost", q->id);
		return NOTICE_NONE;
	}
	if (rc == 0)
		rc = put_name(
		    &b, n.to_postmaster ? 'p' : 'r', q->id, n.head.attempts);
	if (rc == 0)
		rc = write_file(&n, name);
	if (rc < 0)
		log_errno("report", q->id, -rc);
	else if (rc != THERE)
		log_it(&n, name);
	return rc < 0 ? rc : 0;
}
