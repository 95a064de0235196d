/*
 * One scan after another while the pass lasts, each as soon as something new
 * is in the queue, but a long queue is not scanned all the time.
 */
#include "sys/scan.h"

#include <string.h>

#include "mail/retry.h"
#include "sys/io.h"
#include "sys/log.h"
#include "sys/notice.h"

enum {
	PAUSE_TIMES = 10, /* as long as the last scan took */
	PAUSE_MAX_MS = 30 * 1000
};

enum loaded { LOADED, PASSED_BY, NO_ROOM };

/* Nothing was written into it since the pass began. */
static bool is_untouched(const struct scan *s, const struct queued *q)
{
	const struct timespec *a = &q->mtime, *b = &s->start;

	return a->tv_sec < b->tv_sec ||
	       (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

static bool is_due(
    const struct scan *s, const struct queued *q, const struct qfile_head *h)
{
	const struct pass *p = s->shift->pass;

	if (p->only)
		return true;
	if (h->held)
		return false;
	if (p->all && (s->first || is_untouched(s, q)))
		return true;
	return retry_is_due(&p->conf->retry, h->next_s, (int64_t)time(NULL));
}

/* Where r goes: its destination, WINDOW_NONE without room for a new one. */
static int dest_of(
    struct scan *s, struct str sender, const struct qfile_rcpt *r, bool *bad)
{
	const struct conf *conf = s->shift->pass->conf;
	struct window *w = &s->shift->w;
	char text[ROUTE_KEY_MAX];
	struct buf key = BUF(text);
	int i;

	*bad = route_key(conf, sender, r->address, &key) != 0;
	if (*bad)
		return WINDOW_NONE;
	i = window_dest(w, buf_str(&key));
	if (i != WINDOW_NONE && w->dest[i].messages == 0)
		w->dest[i].final = route_is_final(conf, buf_str(&key));
	return i;
}

static bool is_open(const struct qfile_rcpt *r)
{
	return r->status == QFILE_NEW || r->status == QFILE_TRIED;
}

/* The next use of a reader takes its views away. */
static struct str keep(char text[ADDR_TEXT_MAX], struct str s)
{
	s = str_head(s, ADDR_TEXT_MAX);
	memcpy(text, s.p, s.n);
	return str_at(text, s.n);
}

/* May all destinations of q take one more message? */
static enum loaded look_ahead(struct scan *s, const struct queued *q)
{
	struct window *w = &s->shift->w;
	struct queued_reader reader;
	struct qfile_head h;
	struct qfile_rcpt r;
	uint64_t at;
	int64_t now = io_now_ms();
	char text[ADDR_TEXT_MAX];
	struct str sender;

	if (queued_head(&reader, q, &h) != 0)
		return PASSED_BY;
	sender = keep(text, h.sender);
	if (!window_has_room(w, h.nrcpt))
		return NO_ROOM;
	while (queued_next(&reader, &r, &at) == 0) {
		bool bad;
		int i;

		if (!is_open(&r))
			continue;
		i = dest_of(s, sender, &r, &bad);
		if (bad)
			continue;
		if (i == WINDOW_NONE)
			return NO_ROOM;
		switch (window_share(w, &w->dest[i], now)) {
		case WINDOW_OK:
			break;
		case WINDOW_PAUSE:
			return NO_ROOM;
		case WINDOW_SKIP:
			s->skipped = true;
			s->skipped_at = w->nmessages;
			return PASSED_BY;
		}
	}
	return LOADED;
}

static void load_rcpt(struct scan *s, int message, struct str sender,
    uint64_t at, const struct qfile_rcpt *r)
{
	static const struct fate unroutable = { .letter = 'N',
		.status = { "5.1.3", 5 },
		.text = { "not an address", 14 } };
	static const struct fate crowded = { .letter = 'L',
		.status = { "4.3.2", 5 },
		.text = { "too many destinations at once", 29 } };
	struct window *w = &s->shift->w;
	struct fate fate;
	bool bad;
	int i = dest_of(s, sender, r, &bad);

	if (i != WINDOW_NONE && !w->dest[i].dead) {
		window_wait(w, i, message, at, r);
		return;
	}
	if (i != WINDOW_NONE)
		fate = shift_fate_of_dead(&w->dest[i]);
	else
		fate = bad ? unroutable : crowded;
	(void)settle_rcpt(
	    &w->message[message].q, at, r->status, r->notify, &fate);
	shift_count(s->shift, &fate);
}

static void load(struct scan *s, const struct queued *q)
{
	int message = window_add(&s->shift->w, q);
	struct queued_reader reader;
	struct qfile_head h;
	struct qfile_rcpt r;
	uint64_t at;
	int rc = queued_head(&reader, q, &h);
	char text[ADDR_TEXT_MAX];
	struct str sender = rc == 0 ? keep(text, h.sender) : STR("");

	s->shift->w.message[message].attempts = h.attempts;
	while (rc == 0 && (rc = queued_next(&reader, &r, &at)) == 0) {
		if (r.status != QFILE_DONE && r.status != QFILE_REPORTED)
			s->shift->w.message[message].left++;
		if (is_open(&r))
			load_rcpt(s, message, sender, at, &r);
	}
	shift_end_message(s->shift, message);
}

/* What is wrong with a file is said once for the pass. */
static void refuse(const struct scan *s, const char *name, int rc)
{
	if (rc == QUEUED_BAD)
		qdir_reject(s->shift->pass->dir, name, "not a whole message");
	else if (rc == QUEUED_VERSION && s->first)
		log_note(LOGL_WARNING, "unknown-version", name);
	else if (rc < 0 && s->first)
		log_errno("spool-read", name, -rc);
}

/* Opens and locks a file that is due.  0, or nothing is to be done. */
static int look_at(struct scan *s, struct queued *q, const char *name)
{
	struct queued_reader reader;
	struct qfile_head h;
	int rc = queued_open(q, s->shift->pass->dir, name);
	int locked;

	if (rc != 0)
		return rc;
	rc = queued_head(&reader, q, &h);
	if (rc == 0 && !is_due(s, q, &h))
		return QUEUED_END;
	if (rc != 0 && rc != QUEUED_BAD)
		return rc;
	/* whoever has it locked is still at it, or moves it away */
	locked = queued_lock(q);
	if (locked != 0 || rc != 0)
		return locked != 0 ? locked : rc;
	rc = queued_head(&reader, q, &h);
	return rc == 0 && !is_due(s, q, &h) ? QUEUED_END : rc;
}

static enum loaded take_name(struct scan *s, const char *name)
{
	const struct qdir *dir = s->shift->pass->dir;
	enum loaded loaded = PASSED_BY;
	struct queued q;
	int rc;

	if (!window_has_room(&s->shift->w, 1))
		return NO_ROOM;
	rc = look_at(s, &q, name);
	s->shift->tally->busy = rc == QUEUED_BUSY;
	s->shift->tally->found = rc != QUEUED_GONE;
	if (rc == 0 && !notice_is_early(dir, name))
		loaded = look_ahead(s, &q);
	if (loaded == LOADED)
		rc = queued_verify(&q);
	refuse(s, name, rc);
	if (loaded == LOADED && rc == 0)
		load(s, &q);
	else
		queued_close(&q);
	return loaded == NO_ROOM ? NO_ROOM : PASSED_BY;
}

static int next_name(struct scan *s)
{
	const struct pass *p = s->shift->pass;

	if (s->name[0] != '\0')
		return 0;
	if (!p->only)
		return qdir_next(p->dir, s->name);
	if (!s->first)
		return QDIR_END;
	s->first = false;
	memcpy(s->name, p->only, strlen(p->only) + 1);
	return 0;
}

void scan_start(struct scan *s, struct shift *shift)
{
	memset(s, 0, sizeof(*s));
	s->shift = shift;
	s->running = s->first = true;
	/* the clock that files are stamped with */
	clock_gettime(CLOCK_REALTIME_COARSE, &s->start);
	qdir_rewind(shift->pass->dir);
}

static void end(struct scan *s)
{
	int64_t now = io_now_ms();
	int64_t pause = s->spent_ms * PAUSE_TIMES;

	s->running = s->first = false;
	s->next_ms = now + (pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS);
}

/* Another scan is owed, and it may begin when its time has come. */
static bool is_owed(const struct scan *s)
{
	if (s->shift->pass->only)
		return false;
	return s->shift->again ||
	       (s->skipped && s->shift->w.nmessages <= s->skipped_at / 2);
}

int scan_due_in_ms(const struct scan *s)
{
	int64_t left = s->next_ms - io_now_ms();

	if (s->running || !is_owed(s))
		return -1;
	return left > 0 ? (int)left : 0;
}

static void begin_again(struct scan *s)
{
	s->shift->again = s->skipped = false;
	s->running = true;
	s->spent_ms = 0;
	qdir_rewind(s->shift->pass->dir);
}

int scan_go_on(struct scan *s)
{
	int64_t began = io_now_ms();
	bool full = false;
	int rc = 0;

	if (scan_due_in_ms(s) == 0)
		begin_again(s);
	while (s->running && !full && (rc = next_name(s)) == 0) {
		full = take_name(s, s->name) == NO_ROOM;
		if (!full)
			s->name[0] = '\0';
	}
	s->spent_ms += io_now_ms() - began;
	if (s->running && !full)
		end(s);
	return rc < 0 ? rc : 0;
}
