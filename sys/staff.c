/*
 * The workers of the poller: who is free, who owes what to whom, and who has
 * had his time.  A worker that dies, or has to be ended, costs those who wait
 * for it a "later", and nobody else anything.
 */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "sys/cache.h"
#include "sys/io.h"
#include "sys/log.h"
#include "sys/lookup.h"
#include "sys/poller.h"

static void serve_lookups(int sock, const void *arg)
{
	const struct poller *p = arg;

	if (identity_disarm() == 0)
		lookup_serve(sock, p->conf->path, p->store.self);
}

static void serve_messages(int sock, const void *arg)
{
	const struct poller *p = arg;
	struct store s = p->store;

	s.hostname = p->conf->now->hostname;
	store_serve(sock, &s);
}

int staff_start(struct poller *p)
{
	unsigned n = p->single ? 1 : POLLER_LOOKERS;

	for (unsigned i = 0; i < POLLER_LOOKERS; i++)
		p->looker[i].w.fd = -1;
	for (unsigned i = 0; i < POLLER_STORERS; i++)
		p->storer[i].w.fd = p->storer[i].out_fd = -1;
	for (unsigned i = 0; i < n; i++) {
		int rc = pool_fork(&p->looker[i].w, serve_lookups, p);

		if (rc < 0)
			return rc;
	}
	return 0;
}

void staff_watch(struct poller *p)
{
	for (unsigned i = 0; i < POLLER_LOOKERS; i++) {
		unsigned events = POLLER_UNWATCHED;

		if (p->looker[i].w.fd >= 0)
			poller_watch(p, WHAT_LOOKER, i, 0, p->looker[i].w.fd,
			    EPOLLIN, &events);
	}
}

/* --- lookups ------------------------------------------------------------ */

static void looker_lost(struct poller *p, unsigned i)
{
	struct looker *l = &p->looker[i];
	bool waits = l->busy && l->conn >= 0;
	unsigned c = (unsigned)l->conn;

	log_note(LOGL_ERR, "worker-lost", "lookup");
	poller_unwatch(p, l->w.fd);
	pool_kill(&l->w);
	l->busy = false;
	if (waits && p->conn[c].turn == l->turn &&
	    p->conn[c].state == CONN_LOOKUP)
		attend_answer(p, c, str_at(l->question, l->nquestion), STR(""));
}

/* Finds a free worker.  0, or -EAGAIN: all are busy. */
int staff_ask(struct poller *p, unsigned c, struct str question)
{
	for (unsigned i = 0; i < POLLER_LOOKERS; i++) {
		struct looker *l = &p->looker[i];
		struct buf b = BUF(l->question);

		if (l->w.fd < 0 || l->busy)
			continue;
		buf_put(&b, question);
		l->nquestion = b.n;
		l->conn = (int)c;
		l->turn = p->conn[c].turn;
		l->since_ms = p->now_ms;
		l->age = cache_age();
		if (io_send_record(l->w.fd, question, -1) == 0) {
			l->busy = true;
			return 0;
		}
		looker_lost(p, i);
	}
	return -EAGAIN;
}

static void remember(
    struct poller *p, const struct looker *l, struct str answer)
{
	struct request r;
	struct plan plan;

	if (request_parse(str_at(l->question, l->nquestion), &r) == 0 &&
	    r.letter != 'U' && plan_get(str_skip(answer, 1), &plan) == 0 &&
	    plan.lasting)
		cache_put(&r, l->age, p->now_ms, str_skip(answer, 1));
}

void staff_look(struct poller *p, unsigned i)
{
	static char text[PLAN_MAX];
	struct looker *l = &p->looker[i];
	struct buf b = BUF(text);
	int fd;
	ssize_t n = io_recv_record(l->w.fd, &b, &fd, 0);
	unsigned c = (unsigned)l->conn;

	if (n == -EAGAIN)
		return;
	if (fd >= 0)
		close(fd);
	if (n <= 0 || !l->busy) {
		looker_lost(p, i);
		return;
	}
	l->busy = false;
	remember(p, l, buf_str(&b));
	if (l->conn >= 0 && p->conn[c].turn == l->turn &&
	    p->conn[c].state == CONN_LOOKUP) {
		if (p->conn[c].storer >= 0) /* its time starts again */
			p->storer[p->conn[c].storer].since_ms = p->now_ms;
		attend_answer(
		    p, c, str_at(l->question, l->nquestion), buf_str(&b));
	}
}

/* --- stores ------------------------------------------------------------- */

static void storer_free(struct poller *p, struct storer *s)
{
	s->conn = -1;
	s->busy = false;
	s->due = 0;
	s->nback = 0;
	s->since_ms = p->now_ms;
}

static void storer_release(struct poller *p, struct storer *s)
{
	poller_unwatch(p, s->w.fd);
	pool_release(&s->w);
	if (s->out_fd >= 0)
		close(s->out_fd);
	s->out_fd = -1;
	s->nout = 0;
	s->events = 0;
	storer_free(p, s);
}

static void storer_lost(struct poller *p, unsigned i, const char *why)
{
	struct storer *s = &p->storer[i];
	int c = s->conn;

	log_note(LOGL_ERR, "worker-lost", why);
	if (s->w.fd >= 0)
		(void)kill(s->w.pid, SIGKILL);
	storer_release(p, s);
	if (c >= 0)
		attend_lost(p, (unsigned)c);
}

static int storer_hire(struct poller *p, unsigned i)
{
	struct storer *s = &p->storer[i];
	int rc;

	if (!p->conf->now || !p->locked)
		return -EAGAIN;
	rc = pool_fork(&s->w, serve_messages, p);
	if (rc < 0)
		return rc;
	s->nout = 0;
	s->events = POLLER_UNWATCHED;
	s->old = false;
	storer_free(p, s);
	return poller_watch(p, WHAT_STORER, i, 0, s->w.fd, EPOLLIN, &s->events);
}

int staff_bind(struct poller *p, unsigned c)
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
		if (storer_hire(p, (unsigned)vacant) < 0)
			return -EAGAIN;
		free = vacant;
	}
	p->storer[free].busy = true;
	p->storer[free].conn = (int)c;
	p->storer[free].since_ms = p->now_ms;
	p->conn[c].storer = free;
	return 0;
}

/* Sends to worker i now, or keeps the record until it takes it. */
static int storer_send(struct poller *p, unsigned i, struct str record, int fd)
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
		return STAFF_HELD;
	}
	if (fd >= 0)
		close(fd);
	return rc < 0 ? -EPIPE : 0;
}

int staff_send(struct poller *p, unsigned c, struct str record, int fd)
{
	unsigned i = (unsigned)p->conn[c].storer;
	struct storer *s = &p->storer[i];
	int rc;

	if (record.p[0] == 'S') {
		s->due = p->conn[c].nrcpt;
		s->since_ms = p->now_ms;
	}
	rc = storer_send(p, i, record, fd);
	if (rc < 0)
		storer_lost(p, i, "store");
	return rc;
}

/* What was held goes out; 0 when nothing is held any more. */
static int storer_flush(struct poller *p, unsigned i)
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
void staff_unbind(struct poller *p, unsigned c)
{
	int i = p->conn[c].storer;
	struct storer *s = &p->storer[i < 0 ? 0 : i];

	p->conn[c].storer = -1;
	if (i < 0)
		return;
	s->conn = -1;
	if (s->due > 0) {
		s->nback = 0;
		poller_watch(p, WHAT_STORER, (unsigned)i, 0, s->w.fd,
		    EPOLLIN | (s->nout > 0 ? EPOLLOUT : 0u), &s->events);
	} else if (s->nout > 0 ||
		   storer_send(p, (unsigned)i, STR("X"), -1) != 0) {
		storer_release(p, s); /* simpler than to wait for it */
	} else {
		storer_free(p, s);
	}
}

/* All verdicts are in. */
static void storer_done(struct poller *p, unsigned i)
{
	struct storer *s = &p->storer[i];
	int c = s->conn;

	storer_free(p, s);
	if (s->old)
		storer_release(p, s);
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
		storer_done(p, i);
	return true;
}

void staff_resume(struct poller *p, unsigned c)
{
	unsigned i = (unsigned)p->conn[c].storer;
	struct storer *s = &p->storer[i];
	char text[REQUEST_MAX];
	struct buf b = BUF(text);

	if (p->conn[c].storer < 0 || s->nback == 0)
		return;
	buf_put(&b, str_at(s->back, s->nback));
	if (!pass_back(p, i, buf_str(&b)))
		return;
	poller_watch(p, WHAT_STORER, i, 0, s->w.fd, EPOLLIN, &s->events);
}

/* A record of a store worker: a verdict, or "x". */
static void storer_record(struct poller *p, unsigned i, struct str record)
{
	struct storer *s = &p->storer[i];
	struct request r;
	struct verdict v;
	int c = s->conn;

	if (s->due > 0 && str_eq(record, STR("x"))) {
		storer_free(p, s);
		if (c >= 0) {
			p->conn[c].storer = -1;
			poller_end(p, (unsigned)c,
			    "a descriptor that is not the message");
		}
	} else if (s->due > 0 && request_answer(record, 's', 3, &r) == 0 &&
		   verdict_get(&r, &v) == 0) {
		(void)pass_back(p, i, record);
	} else {
		storer_lost(p, i, "store: a record that is not understood");
	}
}

void staff_store(struct poller *p, unsigned i, unsigned events)
{
	struct storer *s = &p->storer[i];
	char text[REQUEST_MAX];
	struct buf b = BUF(text);
	bool held = s->nout > 0;
	ssize_t n;
	int fd, rc;

	if ((events & EPOLLOUT) != 0) {
		rc = storer_flush(p, i);
		if (rc == 0 && held && s->conn >= 0 && s->due == 0)
			attend_flushed(p, (unsigned)s->conn);
		if (rc < 0 && rc != -EAGAIN)
			storer_lost(p, i, "store");
	}
	if (s->w.fd < 0 || (events & ~(unsigned)EPOLLOUT) == 0)
		return;
	n = io_recv_record(s->w.fd, &b, &fd, 0);
	if (n == -EAGAIN)
		return;
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		storer_lost(p, i, "store");
	else
		storer_record(p, i, buf_str(&b));
}

/* --- time --------------------------------------------------------------- */

/* What a store worker's time is for, in milliseconds. */
static int64_t storer_limit(const struct storer *s)
{
	if (!s->busy)
		return POLLER_SPARE_MS;
	return s->due > 0 ? POLLER_STORE_MS : POLLER_OPEN_MS;
}

/* A connection whose recipients wait for a lookup is not late itself. */
static bool storer_excused(const struct poller *p, const struct storer *s)
{
	return s->busy && s->due == 0 && s->conn >= 0 &&
	       p->conn[s->conn].state != CONN_READY;
}

static void storer_late(struct poller *p, unsigned i)
{
	struct storer *s = &p->storer[i];

	if (!s->busy)
		storer_release(p, s);
	else if (s->due > 0)
		storer_lost(p, i, "store: took too long");
	else if (s->conn >= 0)
		poller_end(p, (unsigned)s->conn, "recipients but no message");
}

void staff_clock(struct poller *p)
{
	for (unsigned i = 0; i < POLLER_LOOKERS; i++)
		if (p->looker[i].w.fd >= 0 && p->looker[i].busy &&
		    p->now_ms - p->looker[i].since_ms >= POLLER_LOOKUP_MS)
			looker_lost(p, i);
	for (unsigned i = 0; i < POLLER_STORERS; i++) {
		struct storer *s = &p->storer[i];

		if (s->w.fd < 0)
			continue;
		if ((s->old && !s->busy) ||
		    (!storer_excused(p, s) &&
			p->now_ms - s->since_ms >= storer_limit(s)))
			storer_late(p, i);
	}
}

int64_t staff_next_ms(const struct poller *p)
{
	int64_t next = INT64_MAX;

	for (unsigned i = 0; i < POLLER_LOOKERS; i++)
		if (p->looker[i].w.fd >= 0 && p->looker[i].busy &&
		    p->looker[i].since_ms + POLLER_LOOKUP_MS < next)
			next = p->looker[i].since_ms + POLLER_LOOKUP_MS;
	for (unsigned i = 0; i < POLLER_STORERS; i++) {
		const struct storer *s = &p->storer[i];

		if (s->w.fd >= 0 && !storer_excused(p, s) &&
		    s->since_ms + storer_limit(s) < next)
			next = s->since_ms + storer_limit(s);
	}
	return next;
}

bool staff_stuck(const struct poller *p)
{
	bool lookers = true, storers = true;

	for (unsigned i = 0; i < POLLER_LOOKERS; i++)
		if (p->looker[i].w.fd >= 0 &&
		    (!p->looker[i].busy ||
			p->now_ms - p->looker[i].since_ms < POLLER_STUCK_MS))
			lookers = false;
	for (unsigned i = 0; i < POLLER_STORERS; i++)
		if (p->storer[i].w.fd < 0 || !p->storer[i].busy ||
		    p->now_ms - p->storer[i].since_ms < POLLER_STUCK_MS)
			storers = false;
	return lookers || storers;
}

bool staff_busy(const struct poller *p)
{
	for (unsigned i = 0; i < POLLER_LOOKERS; i++)
		if (p->looker[i].w.fd >= 0 && p->looker[i].busy)
			return true;
	for (unsigned i = 0; i < POLLER_STORERS; i++)
		if (p->storer[i].w.fd >= 0 && p->storer[i].busy)
			return true;
	return false;
}

bool staff_can_look(const struct poller *p)
{
	for (unsigned i = 0; i < POLLER_LOOKERS; i++)
		if (p->looker[i].w.fd >= 0)
			return true;
	return false;
}

void staff_renew(struct poller *p)
{
	for (unsigned i = 0; i < POLLER_STORERS; i++)
		p->storer[i].old = true;
}
