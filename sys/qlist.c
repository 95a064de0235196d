/*
 * Listing: addresses and replies come from strangers, so a terminal gets
 * printable ASCII alone and JSON strings are escaped.
 */
#include "sys/qlist.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "mail/json.h"
#include "sys/io.h"
#include "sys/locks.h"
#include "sys/queued.h"

enum { ROOM = 64 * 1024, ENTRY = 4096, FIELD = 400 };

struct list {
	bool json;
	int64_t now_s;
	uint64_t messages, octets;
	int rc;
	struct buf out;
	char room[ROOM];
};

static void flush(struct list *l)
{
	if (l->rc == 0)
		l->rc = io_write_all(1, buf_str(&l->out), INT64_MAX);
	buf_clear(&l->out);
}

static void make_room(struct list *l)
{
	if (l->out.cap - l->out.n < ENTRY)
		flush(l);
}

/* --- JSON --------------------------------------------------------------- */

static void json_key(struct buf *b, const char *name)
{
	buf_putz(b, ", \"");
	buf_putz(b, name);
	buf_putz(b, "\": ");
}

static const char *queue_of(const struct qfile_head *h, bool active)
{
	if (active)
		return "active";
	if (h->held)
		return "hold";
	return h->attempts > 0 ? "deferred" : "incoming";
}

static void json_head(struct list *l, const struct queued *q,
    const struct qfile_head *h, uint64_t octets)
{
	struct buf *b = &l->out;

	buf_putz(b, "{\"queue_name\": \"");
	buf_putz(b, queue_of(h, locks_has(q->fd)));
	buf_putz(b, "\"");
	json_key(b, "queue_id");
	json_put(b, str_of(q->id));
	json_key(b, "arrival_time");
	buf_u64(b, (uint64_t)h->arrival_s);
	json_key(b, "message_size");
	buf_u64(b, octets);
	json_key(b, "attempts");
	buf_u64(b, h->attempts);
	json_key(b, "next_attempt");
	buf_u64(b, (uint64_t)h->next_s);
	json_key(b, "sender");
	json_put(b, h->sender);
	json_key(b, "recipients");
	buf_putc(b, '[');
}

static const char *const state_names[][2] = {
	{ "N", "waiting" },
	{ "T", "trying" },
	{ "S", "stored" },
	{ "R", "relayed" },
	{ "F", "failed" },
};

static const char *state_of(enum qfile_status s)
{
	for (size_t i = 0; i < sizeof(state_names) / sizeof(*state_names); i++)
		if (state_names[i][0][0] == (char)s)
			return state_names[i][1];
	return "done";
}

/* "4.4.1 mx.away.example: ..." */
static void put_reason(struct buf *b, const struct qfile_rcpt *r)
{
	buf_put(b, r->code);
	if (r->code.n > 0 && r->text.n > 0)
		buf_putc(b, ' ');
	buf_put(b, r->text);
}

static void json_rcpt(struct list *l, const struct qfile_rcpt *r, bool first)
{
	char text[QFILE_STATUS_MAX + QFILE_TEXT_MAX + 1];
	struct buf reason = BUF(text);
	struct buf *b = &l->out;

	buf_putz(b, first ? "{\"address\": " : ", {\"address\": ");
	json_put(b, r->address);
	json_key(b, "status");
	json_put(b, str_of(state_of(r->status)));
	put_reason(&reason, r);
	if (reason.n > 0) {
		json_key(b, "delay_reason");
		json_put(b, buf_str(&reason));
	}
	buf_putc(b, '}');
}

/* --- for people ---------------------------------------------------------- */

/* 59s, 59m, 47h, 99d. */
static void put_age(struct buf *b, int64_t s)
{
	static const struct {
		int64_t seconds, below;
		char unit;
	} rows[] = {
		{ 1, 60, 's' },
		{ 60, 60 * 60, 'm' },
		{ 3600, 48 * 3600, 'h' },
		{ 86400, INT64_MAX, 'd' },
	};
	size_t i = 0;

	if (s < 0)
		s = 0;
	while (s >= rows[i].below)
		i++;
	buf_u64(b, (uint64_t)(s / rows[i].seconds));
	buf_putc(b, rows[i].unit);
}

static void put_padded(struct buf *b, struct str s, size_t width)
{
	buf_put(b, s);
	for (size_t n = s.n; n < width; n++)
		buf_putc(b, ' ');
}

static void put_next(struct list *l, const struct qfile_head *h, bool active)
{
	struct buf *b = &l->out;

	if (active) {
		buf_putz(b, "active");
	} else if (h->held) {
		buf_putz(b, "held");
	} else if (h->next_s <= l->now_s) {
		buf_putz(b, "due");
	} else {
		buf_putz(b, "in ");
		put_age(b, h->next_s - l->now_s);
	}
}

static void plain_head(struct list *l, const struct queued *q,
    const struct qfile_head *h, uint64_t octets)
{
	char text[32];
	struct buf *b = &l->out, age = BUF(text);

	put_padded(b, str_of(q->id), 20);
	buf_putc(b, ' ');
	buf_u64(&age, octets);
	buf_putc(&age, ' ');
	put_age(&age, l->now_s - h->arrival_s);
	put_padded(b, buf_str(&age), 14);
	buf_putc(b, ' ');
	put_next(l, h, locks_has(q->fd));
	buf_putz(b, " <");
	buf_escape(b, h->sender, FIELD);
	buf_putz(b, ">\n");
}

static void plain_rcpt(struct list *l, const struct qfile_rcpt *r)
{
	char text[QFILE_STATUS_MAX + QFILE_TEXT_MAX + 1];
	struct buf *b = &l->out, reason = BUF(text);

	buf_putz(b, "        ");
	put_padded(b, str_of(state_of(r->status)), 8);
	buf_escape(b, r->address, FIELD);
	buf_putc(b, '\n');
	put_reason(&reason, r);
	if (reason.n > 0) {
		buf_putz(b, "                (");
		buf_escape(b, buf_str(&reason), FIELD);
		buf_putz(b, ")\n");
	}
}

/* --- one message --------------------------------------------------------- */

/* What is settled is no longer of interest. */
static bool is_shown(const struct qfile_rcpt *r)
{
	return r->status != QFILE_DONE && r->status != QFILE_REPORTED;
}

/* The recipients are read once for the size, once to be shown. */
static int measure(const struct queued *q, uint64_t *octets)
{
	struct queued_reader reader;
	struct qfile_head h;
	struct qfile_rcpt r;
	uint64_t at;
	int rc = queued_head(&reader, q, &h);

	while (rc == 0)
		rc = queued_next(&reader, &r, &at);
	*octets = queued_content_octets(&reader, q);
	return rc == QUEUED_END ? 0 : rc;
}

static void show(struct list *l, const struct queued *q)
{
	struct queued_reader reader;
	struct qfile_head h;
	struct qfile_rcpt r;
	uint64_t at, octets;
	bool first = true;

	if (measure(q, &octets) != 0 || queued_head(&reader, q, &h) != 0)
		return;
	make_room(l);
	if (l->json)
		json_head(l, q, &h, octets);
	else
		plain_head(l, q, &h, octets);
	while (queued_next(&reader, &r, &at) == 0) {
		if (!is_shown(&r))
			continue;
		make_room(l);
		if (l->json)
			json_rcpt(l, &r, first);
		else
			plain_rcpt(l, &r);
		first = false;
	}
	if (l->json)
		buf_putz(&l->out, "]}\n");
	l->messages++;
	l->octets += octets;
}

static void sum_up(struct list *l)
{
	make_room(l);
	if (l->messages == 0) {
		buf_putz(&l->out, "The queue is empty.\n");
		return;
	}
	buf_putz(&l->out, "-- ");
	buf_u64(&l->out, l->messages);
	buf_putz(&l->out, l->messages == 1 ? " message, " : " messages, ");
	buf_u64(&l->out, (l->octets + 1023) / 1024);
	buf_putz(&l->out, " KiB\n");
}

int qlist_print(struct qdir *d, bool json)
{
	static struct list l;
	char name[QDIR_NAME_MAX];
	int rc = 0;

	l.json = json;
	l.now_s = (int64_t)time(NULL);
	l.out = BUF(l.room);
	locks_read();
	qdir_rewind(d);
	while (l.rc == 0 && (rc = qdir_next(d, name)) == 0) {
		struct queued q;

		if (queued_open(&q, d, name) != 0)
			continue;
		show(&l, &q);
		close(q.fd); /* not unlocked: it was not locked */
	}
	if (!json)
		sum_up(&l);
	flush(&l);
	return l.rc < 0 ? l.rc : rc < 0 ? rc : 0;
}
