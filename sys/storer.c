/*
 * Store workers: forked when they are needed, bound to a connection from its
 * first recipient to its last verdict.  One that dies, or that has to be
 * ended, costs those who wait for it a "later", and nobody else anything.
 */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "sys/cache.h"
#include "sys/io.h"
#include "sys/log.h"
#include "sys/poller.h"
#include "sys/share.h"

static void serve(int sock, const void *arg)
{
	const struct poller *p = arg;
	struct store s = p->store;

	s.hostname = p->conf->now->hostname;
	s.run_directory = p->conf->now->run_directory;
	store_serve(sock, &s);
}

void storer_start(struct poller *p)
{
	int rc = share_start();

	if (rc < 0)
		log_errno("worker", "shared memory", -rc);
	for (unsigned i = 0; i < POLLER_STORERS; i++)
		p->storer[i].w.fd = p->storer[i].out_fd = -1;
}

static void set_free(struct poller *p, struct storer *s)
{
	s->conn = -1;
	s->busy = false;
	s->due = 0;
	s->nback = 0;
	s->since_ms = p->now_ms;
}

static void release(struct poller *p, struct storer *s)
{
	share_end((int)(s - p->storer));
	poller_unwatch(p, s->w.fd);
	pool_release(&s->w);
	if (s->out_fd >= 0)
		close(s->out_fd);
	s->out_fd = -1;
	s->nout = 0;
	s->events = 0;
	set_free(p, s);
}

/* For the next one, unless the configuration has changed since. */
static void done_with(struct poller *p, struct storer *s)
{
	if (s->old)
		release(p, s);
	else
		set_free(p, s);
}

static void lost(struct poller *p, unsigned i, const char *why)
{
	struct storer *s = &p->storer[i];
	int c = s->conn;

	log_note(LOGL_ERR, "worker-lost", why);
	if (s->w.fd >= 0)
		(void)kill(s->w.pid, SIGKILL);
	release(p, s);
	if (c >= 0)
		attend_lost(p, (unsigned)c);
}

static int hire(struct poller *p, unsigned i)
{
	struct storer *s = &p->storer[i];
	int rc;

	if (!p->conf->now || !p->locked)
		return -EAGAIN;
	p->store.slot = (int)i;
	rc = pool_fork(&s->w, serve, p);
	if (rc < 0)
		return rc;
	s->nout = 0;
	s->events = POLLER_UNWATCHED;
	s->old = false;
	set_free(p, s);
	rc = poller_watch(p, WHAT_STORER, i, 0, s->w.fd, EPOLLIN, &s->events);
	if (rc < 0) /* its verdicts would not be heard */
		release(p, s);
	return rc;
}

int storer_bind(struct poller *p, unsigned c)
{
	int vacant = -1, free = -1;

	for (int i = 0; i < POLLER_STORERS && free < 0; i++) {
		if (p->storer[i].w.fd < 0)
			vacant = i;
		else if (!p->storer[i].busy && p->storer[i].nout == 0)
			free = i;
	}
	if (free < 0 && vacant < 0)
		return -EAGAIN;
	if (free < 0) {
		if (hire(p, (unsigned)vacant) < 0)
			return -EAGAIN;
		free = vacant;
	}
	p->storer[free].busy = true;
	p->storer[free].conn = (int)c;
	p->storer[free].since_ms = p->storer[free].bound_ms = p->now_ms;
	p->conn[c].storer = free;
	return 0;
}

/* Sends to worker i now, or keeps the record until it takes it. */
static int send_to(struct poller *p, unsigned i, struct str record, int fd)
{
	struct storer *s = &p->storer[i];
	int rc = io_send_record(s->w.fd, record, fd);
	struct buf b = BUF(s->out);

	if (rc == -EAGAIN) {
		buf_put(&b, record);
		s->nout = b.n;
		s->out_fd = fd;
		poller_watch(p, WHAT_STORER, i, 0, s->w.fd, EPOLLIN | EPOLLOUT,
		    &s->events);
		return STORER_HELD;
	}
	if (fd >= 0)
		close(fd);
	return rc < 0 ? -EPIPE : 0;
}

int storer_pass(struct poller *p, unsigned c, struct str record, int fd)
{
	unsigned i = (unsigned)p->conn[c].storer;
	struct storer *s = &p->storer[i];
	int rc;

	if (record.p[0] == 'S' || record.p[0] == 'M') {
		s->due = p->conn[c].nrcpt;
		s->since_ms = p->now_ms;
	}
	rc = send_to(p, i, record, fd);
	if (rc < 0)
		lost(p, i, "store");
	return rc;
}

/* What was held goes out; 0 when nothing is held any more. */
static int flush(struct poller *p, unsigned i)
{
	struct storer *s = &p->storer[i];
	int rc;

	if (s->nout == 0)
		return 0;
	rc = io_send_record(s->w.fd, str_at(s->out, s->nout), s->out_fd);
	if (rc < 0)
		return rc;
	if (s->out_fd >= 0)
		close(s->out_fd);
	s->out_fd = -1;
	s->nout = 0;
	return poller_watch(p, WHAT_STORER, i, 0, s->w.fd, EPOLLIN, &s->events);
}

/*
 * The connection ends.  A message that is being stored is stored; recipients
 * without one are forgotten.
 */
void storer_unbind(struct poller *p, unsigned c)
{
	int i = p->conn[c].storer;
	struct storer *s = &p->storer[i < 0 ? 0 : i];

	p->conn[c].storer = -1;
	if (i < 0)
		return;
	s->conn = -1;
	if (s->nback > 0) { /* that verdict is nobody's now */
		s->nback = 0;
		s->due--;
	}
	if (s->due > 0) {
		poller_watch(p, WHAT_STORER, (unsigned)i, 0, s->w.fd,
		    EPOLLIN | (s->nout > 0 ? EPOLLOUT : 0u), &s->events);
	} else if (s->nout > 0 || send_to(p, (unsigned)i, STR("X"), -1) != 0) {
		/* It does not even read; with nothing stored yet it can go. */
		(void)kill(s->w.pid, SIGKILL);
		release(p, s);
	} else {
		done_with(p, s);
	}
}

/* All verdicts are in. */
static void finish(struct poller *p, unsigned i)
{
	struct storer *s = &p->storer[i];
	int c = s->conn;

	done_with(p, s);
	if (c >= 0) {
		p->conn[c].storer = -1;
		attend_done(p, (unsigned)c);
	}
}

/* One verdict on its way to smtpd; false when it has to wait. */
static bool pass_back(struct poller *p, unsigned i, struct str record)
{
	struct storer *s = &p->storer[i];
	unsigned c = (unsigned)s->conn;
	struct buf b = BUF(s->back);
	int rc = 0;

	if (s->conn >= 0)
		rc = io_send_record(p->conn[c].fd, record, -1);
	if (rc == -EAGAIN) {
		buf_put(&b, record);
		s->nback = b.n;
		s->stuck_ms = p->now_ms;
		poller_watch(p, WHAT_STORER, i, 0, s->w.fd, 0, &s->events);
		poller_watch(p, WHAT_CONN, c, p->conn[c].turn, p->conn[c].fd,
		    EPOLLOUT, &p->conn[c].events);
		return false;
	}
	s->nback = 0;
	s->due--;
	if (rc < 0)
		poller_end(p, c, NULL);
	else if (s->conn >= 0)
		p->conn[c].nanswered++;
	if (s->due == 0)
		finish(p, i);
	return true;
}

void storer_resume(struct poller *p, unsigned c)
{
	unsigned i = (unsigned)p->conn[c].storer;
	struct storer *s = &p->storer[i];
	char text[REQUEST_MAX];
	struct buf b = BUF(text);

	if (p->conn[c].storer < 0 || s->nback == 0)
		return;
	buf_put(&b, str_at(s->back, s->nback));
	if (!pass_back(p, i, buf_str(&b)) || s->w.fd < 0)
		return;
	poller_watch(p, WHAT_STORER, i, 0, s->w.fd, EPOLLIN, &s->events);
}

/* A record of a store worker: a verdict, "f" or "x". */
static void take_record(struct poller *p, unsigned i, struct str record)
{
	struct storer *s = &p->storer[i];
	struct request r;
	struct verdict v;
	int c = s->conn;

	if (s->due > 0 && str_eq(record, STR("f"))) {
		cache_forget();
	} else if (s->due > 0 && str_eq(record, STR("x"))) {
		done_with(p, s);
		if (c >= 0) {
			p->conn[c].storer = -1;
			poller_end(p, (unsigned)c,
			    "a descriptor that is not the message");
		}
	} else if (s->due > 0 && request_answer(record, 's', 3, &r) == 0 &&
		   verdict_get(&r, &v) == 0) {
		(void)pass_back(p, i, record);
	} else {
		lost(p, i, "store: a record that is not understood");
	}
}

void storer_event(struct poller *p, unsigned i, unsigned events)
{
	struct storer *s = &p->storer[i];
	char text[REQUEST_MAX];
	struct buf b = BUF(text);
	bool held = s->nout > 0;
	ssize_t n;
	int fd, rc;

	if ((events & EPOLLOUT) != 0) {
		rc = flush(p, i);
		if (rc == 0 && held && s->conn >= 0 && s->due == 0)
			attend_flushed(p, (unsigned)s->conn);
		if (rc < 0 && rc != -EAGAIN)
			lost(p, i, "store");
	}
	if (s->w.fd < 0 || (events & ~(unsigned)EPOLLOUT) == 0)
		return;
	n = io_recv_record(s->w.fd, &b, &fd, 0);
	if (n == -EAGAIN)
		return;
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		lost(p, i, "store");
	else
		take_record(p, i, buf_str(&b));
}

/* --- time --------------------------------------------------------------- */

/* A connection whose recipients wait for a lookup is not late itself. */
static bool is_excused(const struct poller *p, const struct storer *s)
{
	return s->conn >= 0 && p->conn[s->conn].state != CONN_READY;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* When the time of a store worker is over. */
static int64_t end_ms(const struct poller *p, const struct storer *s)
{
	int64_t by;

	if (!s->busy)
		return s->since_ms + POLLER_SPARE_MS;
	if (s->due > 0) {
		by = s->since_ms + POLLER_STORE_MS;
		return s->nback > 0 ? sooner(by, s->stuck_ms + POLLER_DEAF_MS)
				    : by;
	}
	by = s->bound_ms + POLLER_STORE_MS;
	return is_excused(p, s) ? by : sooner(by, s->since_ms + POLLER_OPEN_MS);
}

static void late(struct poller *p, unsigned i)
{
	struct storer *s = &p->storer[i];

	if (!s->busy)
		release(p, s);
	else if (s->nback > 0)
		poller_end(p, (unsigned)s->conn, "does not take its answers");
	else if (s->due > 0)
		lost(p, i, "store: took too long");
	else if (s->conn >= 0)
		poller_end(p, (unsigned)s->conn, "recipients but no message");
}

void storer_clock(struct poller *p)
{
	for (unsigned i = 0; i < POLLER_STORERS; i++) {
		struct storer *s = &p->storer[i];

		if (s->w.fd >= 0 && p->now_ms >= end_ms(p, s))
			late(p, i);
	}
}

int64_t storer_next_ms(const struct poller *p)
{
	int64_t next = INT64_MAX;

	for (unsigned i = 0; i < POLLER_STORERS; i++) {
		const struct storer *s = &p->storer[i];

		if (s->w.fd >= 0)
			next = sooner(next, end_ms(p, s));
	}
	return next;
}

void storer_excuse(struct poller *p, unsigned c)
{
	if (p->conn[c].storer >= 0)
		p->storer[p->conn[c].storer].since_ms = p->now_ms;
}

bool storer_stuck(const struct poller *p)
{
	for (unsigned i = 0; i < POLLER_STORERS; i++)
		if (p->storer[i].w.fd < 0 || !p->storer[i].busy ||
		    p->now_ms - p->storer[i].since_ms < POLLER_STUCK_MS)
			return false;
	return true;
}

bool storer_busy(const struct poller *p)
{
	for (unsigned i = 0; i < POLLER_STORERS; i++)
		if (p->storer[i].w.fd >= 0 && p->storer[i].busy)
			return true;
	return false;
}

void storer_renew(struct poller *p)
{
	for (unsigned i = 0; i < POLLER_STORERS; i++) {
		struct storer *s = &p->storer[i];

		if (s->w.fd >= 0 && !s->busy)
			release(p, s);
		else
			s->old = true;
	}
}
