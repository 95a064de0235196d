/*
 * The scheduler: a scan of the directory fills a window of messages, carriers
 * take them from there, and the scan goes on as messages leave.  Nothing is
 * waited for but the next word of a carrier, so one destination that hangs
 * holds up its own mail alone.
 */
#include "sys/pass.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "sys/io.h"
#include "sys/log.h"
#include "sys/scan.h"
#include "sys/bell.h"

enum { TURN_MS = 500, PROGRESS_MS = 1000, STOP_MS = 30 * 1000 };

struct state {
	struct shift shift;
	struct scan scan;
	int wake_fd; /* BELL_NONE, too, when nobody is left to ring */
	int64_t told_ms;
	int64_t stop_ms; /* when a pass that must stop is over, 0: none must */
};

static volatile sig_atomic_t must_stop;

static void on_signal(int signo)
{
	must_stop = signo;
}

/* --- carriers ------------------------------------------------------------ */

/* Without a single process nothing can be tried: later. */
static void give_up(struct shift *s, int dest)
{
	window_kill(&s->w.dest[dest], STR("4.3.2"),
	    STR("no process for it can be started"));
	shift_end_dest(s, dest);
}

static void start_carriers(struct shift *s)
{
	const struct conf *conf = s->pass->conf;
	int i = window_hungry(&s->w);

	for (; i != WINDOW_NONE && s->crew.n < conf->concurrency;
	     i = window_hungry_next(&s->w, i)) {
		struct dest *d = &s->w.dest[i];

		while (s->crew.n < conf->concurrency &&
		       d->carriers < conf->destination_concurrency &&
		       d->starting < d->waiting) {
			int man = crew_start(&s->crew, conf, window_key(d));

			if (man < 0 && s->crew.n == 0)
				give_up(s, i);
			if (man < 0)
				return;
			s->crew.man[man].dest = i;
			d->carriers++;
			d->starting++;
		}
	}
}

/* His job is over: what he told nothing of is for later. */
static void end_job(struct shift *s, int man, struct str text)
{
	struct crewman *m = &s->crew.man[man];
	struct dest *d = &s->w.dest[m->dest];
	struct fate fate = {
		.letter = 'L', .status = STR("4.4.2"), .text = text
	};

	if (m->message == CREW_NONE)
		return;
	m->message = CREW_NONE;
	d->messages--;
	for (unsigned i = 0; i < m->ntask; i++)
		if (m->task[i] != CREW_NONE)
			shift_end_task(s, m->task[i], d, &fate);
	m->ntask = 0;
}

static void bury(struct shift *s, int man)
{
	struct crewman *m = &s->crew.man[man];
	struct dest *d = &s->w.dest[m->dest];
	bool starting = m->state == CREW_STARTING || m->state == CREW_READY;

	end_job(s, man, STR("the carrier was lost"));
	crew_bury(&s->crew, man);
	d->carriers--;
	d->starting -= starting;
	/* one that never asks for work would be replaced for ever */
	if (!m->served && !d->dead && d->carriers == 0) {
		log_note(LOGL_ERR, "carrier", "ended before it began");
		window_kill(d, STR("4.3.0"), STR("internal error"));
		shift_end_dest(s, m->dest);
	}
}

/* A message for one who is ready, or his leave. */
static void feed(struct shift *s, int man, bool more_to_come)
{
	struct crewman *m = &s->crew.man[man];
	struct dest *d = &s->w.dest[m->dest];
	uint64_t offset[CREW_JOB];
	const struct queued *q;
	int fd;

	m->ntask = window_take(&s->w, m->dest, m->task, CREW_JOB);
	if (m->ntask == 0) {
		if (more_to_come && !d->dead &&
		    s->crew.n < s->pass->conf->concurrency)
			return;
		d->starting--;
		crew_dismiss(&s->crew, man);
		return;
	}
	d->starting--;
	m->message = s->w.task[m->task[0]].message;
	for (unsigned i = 0; i < m->ntask; i++)
		offset[i] = s->w.task[m->task[i]].offset;
	q = &s->w.message[m->message].q;
	fd = queued_share(q, s->pass->dir);
	if (fd < 0) { /* no fault of his: he is as ready as before */
		end_job(s, man, STR("the message cannot be opened"));
		d->starting++;
		return;
	}
	if (crew_send(&s->crew, man, q, fd, offset) < 0)
		bury(s, man);
	close(fd);
}

static void take_fate(struct shift *s, int man, const struct crew_news *news)
{
	struct crewman *m = &s->crew.man[man];
	struct fate fate = { .letter = news->fate,
		.logged = true,
		.status = news->status,
		.text = news->text,
		.remote = news->remote,
		.tls = news->tls };
	int task = m->task[news->index];

	m->task[news->index] = CREW_NONE;
	shift_end_task(s, task, &s->w.dest[m->dest], &fate);
}

/* Everything that one carrier has to say. */
static void hear(struct shift *s, int man)
{
	struct crewman *m = &s->crew.man[man];
	struct dest *d = &s->w.dest[m->dest];
	struct crew_news news;

	for (;;) {
		switch (crew_hear(&s->crew, man, &news)) {
		case CREW_QUIET:
			return;
		case CREW_CALLS:
			break;
		case CREW_FATE:
			take_fate(s, man, &news);
			break;
		case CREW_TOLD:
			end_job(s, man, STR("nothing was said of it"));
			d->starting++;
			break;
		case CREW_LOST:
			window_kill(d, news.status, news.text);
			end_job(s, man, news.text);
			shift_end_dest(s, m->dest);
			break;
		case CREW_GONE:
			bury(s, man);
			return;
		}
		d->progress_ms = io_now_ms();
	}
}

/* --- the loop ------------------------------------------------------------ */

static void feed_all(struct state *s)
{
	for (int i = 0; i < CREW_MAX; i++)
		if (s->shift.crew.man[i].state == CREW_READY)
			feed(&s->shift, i, s->scan.running);
}

static void listen_to_all(struct state *s, int timeout_ms)
{
	struct crew *c = &s->shift.crew;
	struct pollfd p[CREW_MAX + 1];
	int man[CREW_MAX];
	nfds_t n = 0;

	for (int i = 0; i < CREW_MAX; i++)
		if (c->man[i].state != CREW_FREE) {
			man[n] = i;
			p[n++] = c->poll[i];
		}
	p[n] = (struct pollfd){ .fd = s->wake_fd, .events = POLLIN };
	if (poll(p, n + 1, timeout_ms) < 0 && errno != EINTR)
		log_errno("poll", "carriers", errno);
	for (nfds_t i = 0; i < n; i++)
		hear(&s->shift, man[i]);
	if ((p[n].revents & (POLLHUP | POLLIN)) == POLLHUP)
		s->wake_fd = BELL_NONE;
}

static void tell_progress(struct state *s, bool end)
{
	const struct pass_tally *t = s->shift.tally;
	char text[160];
	struct buf b = BUF(text);

	if (!s->shift.pass->progress ||
	    (!end && io_now_ms() - s->told_ms < PROGRESS_MS))
		return;
	s->told_ms = io_now_ms();
	buf_putz(&b, "\rsent ");
	buf_u64(&b, t->sent);
	buf_putz(&b, ", later ");
	buf_u64(&b, t->deferred);
	buf_putz(&b, ", failed ");
	buf_u64(&b, t->failed);
	buf_putz(&b, end ? "  \n" : "  ");
	(void)!write(2, b.p, b.n);
}

/*
 * Told to stop: whoever carries a message may end it, nobody gets another.
 * What was not begun stays in the queue as it is.  True while it lasts.
 */
static bool stop(struct state *s)
{
	struct crew *c = &s->shift.crew;
	bool busy = false;

	if (s->stop_ms == 0)
		s->stop_ms = io_now_ms() + STOP_MS;
	for (int i = 0; i < CREW_MAX; i++) {
		if (c->man[i].state == CREW_READY)
			crew_dismiss(c, i);
		busy = busy || c->man[i].state == CREW_BUSY;
	}
	if (!busy || io_now_ms() > s->stop_ms)
		return false;
	listen_to_all(s, TURN_MS);
	return true;
}

/* One turn.  True while there is more to do. */
static bool turn(struct state *s, int *rc)
{
	const struct shift *sh = &s->shift;
	int timeout_ms;

	if (must_stop)
		return stop(s);
	*rc = scan_go_on(&s->scan);
	feed_all(s);
	start_carriers(&s->shift);
	tell_progress(s, false);
	shift_sync(&s->shift, false);
	if (bell_drain(s->wake_fd))
		s->shift.again = true;
	timeout_ms = scan_due_in_ms(&s->scan);
	if (sh->crew.n == 0 && sh->w.nmessages == 0 && !s->scan.running &&
	    timeout_ms < 0)
		return false;
	if (timeout_ms < 0 || timeout_ms > TURN_MS)
		timeout_ms = TURN_MS;
	if (sh->crew.n == 0 && sh->w.nmessages == 0 && s->scan.running)
		timeout_ms = 0;
	listen_to_all(s, timeout_ms);
	return *rc == 0;
}

int pass_run(const struct pass *p, struct pass_tally *t)
{
	static struct state s; /* all zero: what is not used costs nothing */
	int rc = 0;

	*t = (struct pass_tally){ .messages = 0 };
	s.shift.pass = p;
	s.shift.tally = t;
	s.wake_fd = p->wake_fd;
	(void)signal(SIGTERM, on_signal);
	(void)signal(SIGINT, on_signal);
	window_start(&s.shift.w);
	scan_start(&s.scan, &s.shift);
	s.told_ms = io_now_ms();
	while (turn(&s, &rc))
		;
	for (int i = 0; i < CREW_MAX; i++)
		if (s.shift.crew.man[i].state != CREW_FREE)
			bury(&s.shift, i);
	tell_progress(&s, true);
	shift_sync(&s.shift, true);
	return rc == 0 ? s.shift.fault : rc;
}
