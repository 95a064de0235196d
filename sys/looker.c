/*
 * Lookup workers: who is free, and whose question is being answered.  One
 * that dies costs whoever waits for it a "later"; it is not replaced, for a
 * worker that is forked now would be locked in like the poller itself.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "sys/cache.h"
#include "sys/io.h"
#include "sys/log.h"
#include "sys/lookup.h"
#include "sys/poller.h"

static void serve(int sock, const void *arg)
{
	const struct poller *p = arg;

	if (identity_disarm() == 0)
		lookup_serve(sock, p->conf->path, p->store.self);
}

int looker_start(struct poller *p)
{
	unsigned n = p->single ? 1 : POLLER_LOOKERS;

	for (unsigned i = 0; i < POLLER_LOOKERS; i++)
		p->looker[i].w.fd = -1;
	for (unsigned i = 0; i < n; i++) {
		unsigned events = POLLER_UNWATCHED;
		int rc = pool_fork(&p->looker[i].w, serve, p);

		if (rc == 0)
			rc = poller_watch(p, WHAT_LOOKER, i, 0,
			    p->looker[i].w.fd, EPOLLIN, &events);
		if (rc < 0)
			return rc;
	}
	return 0;
}

void looker_lost(struct poller *p, unsigned i)
{
	struct looker *l = &p->looker[i];
	bool waits = l->busy && l->conn >= 0;
	unsigned c = (unsigned)l->conn;

	log_note(LOGL_ERR, "worker-lost", "lookup");
	poller_unwatch(p, l->w.fd);
	pool_kill(&l->w);
	homer_excuse(p, i);
	l->busy = false;
	if (waits && p->conn[c].turn == l->turn &&
	    p->conn[c].state == CONN_LOOKUP)
		attend_answer(p, c, str_at(l->question, l->nquestion), STR(""));
}

/* Finds a free worker.  0, or -EAGAIN: all are busy. */
int looker_ask(struct poller *p, unsigned c, struct str question)
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
	    (r.letter == 'L' || r.letter == 'R') &&
	    plan_get(str_skip(answer, 1), &plan) == 0 && plan.lasting)
		cache_put(&r, l->age, p->now_ms, str_skip(answer, 1));
}

void looker_event(struct poller *p, unsigned i)
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
	if (text[0] == 'n') {
		if (homer_ask(p, i, buf_str(&b)) < 0)
			looker_lost(p, i);
		return;
	}
	l->busy = false;
	remember(p, l, buf_str(&b));
	if (l->conn >= 0 && p->conn[c].turn == l->turn &&
	    p->conn[c].state == CONN_LOOKUP) {
		storer_excuse(p, c);
		attend_answer(
		    p, c, str_at(l->question, l->nquestion), buf_str(&b));
	}
}

void looker_clock(struct poller *p)
{
	for (unsigned i = 0; i < POLLER_LOOKERS; i++)
		if (p->looker[i].w.fd >= 0 && p->looker[i].busy &&
		    p->now_ms - p->looker[i].since_ms >= POLLER_LOOKUP_MS)
			looker_lost(p, i);
}

int64_t looker_next_ms(const struct poller *p)
{
	int64_t next = INT64_MAX;

	for (unsigned i = 0; i < POLLER_LOOKERS; i++)
		if (p->looker[i].w.fd >= 0 && p->looker[i].busy &&
		    p->looker[i].since_ms + POLLER_LOOKUP_MS < next)
			next = p->looker[i].since_ms + POLLER_LOOKUP_MS;
	return next;
}

bool looker_stuck(const struct poller *p)
{
	for (unsigned i = 0; i < POLLER_LOOKERS; i++)
		if (p->looker[i].w.fd >= 0 &&
		    (!p->looker[i].busy ||
			p->now_ms - p->looker[i].since_ms < POLLER_STUCK_MS))
			return false;
	return true;
}

bool looker_any(const struct poller *p)
{
	for (unsigned i = 0; i < POLLER_LOOKERS; i++)
		if (p->looker[i].w.fd >= 0)
			return true;
	return false;
}
