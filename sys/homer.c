/*
 * Workers that look into homes on behalf of lookup workers, forked when they
 * are needed.  A home may be on a server that is gone, or its user may hold up
 * whoever looks: then the lookup worker is told "later", and for a while so is
 * every other one that asks about this user.
 */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "sys/home.h"
#include "sys/io.h"
#include "sys/log.h"
#include "sys/poller.h"

static void serve(int sock, const void *arg)
{
	const struct poller *p = arg;

	home_serve(sock, p->store.self, p->store.minimum_uid);
}

void homer_start(struct poller *p)
{
	for (unsigned i = 0; i < POLLER_HOMERS; i++)
		p->homer[i].w.fd = p->homer[i].looker = -1;
}

/* A lookup worker that cannot be told would wait. */
static void tell(struct poller *p, int looker, struct str answer)
{
	if (looker >= 0 &&
	    io_send_record(p->looker[looker].w.fd, answer, -1) < 0)
		looker_lost(p, (unsigned)looker);
}

static void tell_later(struct poller *p, int looker, struct str why)
{
	struct home_answer a = { HOME_LATER, why, STR("") };
	char text[REQUEST_MAX];
	struct buf b = BUF(text);

	home_put_answer(&b, &a);
	tell(p, looker, buf_str(&b));
}

/* --- users whose homes are slow ----------------------------------------- */

static bool is_slow(const struct poller *p, uint32_t uid)
{
	for (unsigned i = 0; i < POLLER_SLOW; i++)
		if (p->slow[i].uid == uid)
			return p->now_ms < p->slow[i].until_ms;
	return false;
}

/* In the place of himself, or of whoever is soonest forgotten. */
static void set_slow(struct poller *p, uint32_t uid, int64_t until_ms)
{
	struct slow *s = &p->slow[0];

	for (unsigned i = 0; i < POLLER_SLOW && s->uid != uid; i++)
		if (p->slow[i].uid == uid || p->slow[i].until_ms < s->until_ms)
			s = &p->slow[i];
	*s = (struct slow){ uid, until_ms };
}

static void forget_slow(struct poller *p, uint32_t uid)
{
	for (unsigned i = 0; i < POLLER_SLOW; i++)
		if (p->slow[i].uid == uid)
			p->slow[i] = (struct slow){ 0, 0 };
}

/* --- workers ------------------------------------------------------------ */

static void release(struct poller *p, unsigned i)
{
	struct homer *h = &p->homer[i];

	poller_unwatch(p, h->w.fd);
	pool_release(&h->w);
	h->busy = false;
	h->looker = -1;
}

static void lost(struct poller *p, unsigned i)
{
	struct homer *h = &p->homer[i];
	int looker = h->looker;

	log_note(LOGL_ERR, "worker-lost", "home");
	if (h->w.fd >= 0)
		(void)kill(h->w.pid, SIGKILL);
	release(p, i);
	tell_later(p, looker, STR("the look was lost"));
}

static int hire(struct poller *p, unsigned i)
{
	struct homer *h = &p->homer[i];
	unsigned events = POLLER_UNWATCHED;
	int rc = p->locked ? pool_fork(&h->w, serve, p) : -EAGAIN;

	if (rc < 0)
		return rc;
	rc = poller_watch(p, WHAT_HOMER, i, 0, h->w.fd, EPOLLIN, &events);
	if (rc < 0)
		release(p, i);
	return rc;
}

/* One that is free; -EAGAIN: there is none. */
static int find(struct poller *p)
{
	int vacant = -1;

	for (int i = 0; i < POLLER_HOMERS; i++)
		if (p->homer[i].w.fd < 0)
			vacant = i;
		else if (!p->homer[i].busy)
			return i;
	if (vacant < 0 || hire(p, (unsigned)vacant) < 0)
		return -EAGAIN;
	return vacant;
}

int homer_ask(struct poller *p, unsigned looker, struct str question)
{
	struct homer *h;
	struct home home;
	int i;

	if (home_get(question, &home) != 0)
		return -EBADMSG;
	i = is_slow(p, home.uid) ? -ETIMEDOUT : find(p);
	if (i < 0) {
		tell_later(p, (int)looker, STR("homes do not answer"));
		return 0;
	}
	h = &p->homer[i];
	h->busy = true;
	h->looker = (int)looker;
	h->uid = home.uid;
	h->since_ms = p->now_ms;
	if (io_send_record(h->w.fd, question, -1) < 0)
		lost(p, (unsigned)i);
	return 0;
}

void homer_event(struct poller *p, unsigned i)
{
	static char text[REQUEST_WHOLE_MAX];
	struct homer *h = &p->homer[i];
	struct buf b = BUF(text);
	struct home_answer a;
	int fd;
	ssize_t n = io_recv_record(h->w.fd, &b, &fd, 0);

	if (n == -EAGAIN)
		return;
	if (fd >= 0)
		close(fd);
	if (n <= 0 || !h->busy || home_get_answer(buf_str(&b), &a) != 0) {
		lost(p, i);
		return;
	}
	forget_slow(p, h->uid);
	tell(p, h->looker, buf_str(&b));
	h->busy = false;
	h->looker = -1;
	h->since_ms = p->now_ms;
}

void homer_excuse(struct poller *p, unsigned looker)
{
	for (unsigned i = 0; i < POLLER_HOMERS; i++)
		if (p->homer[i].looker == (int)looker)
			p->homer[i].looker = -1;
}

/* --- time --------------------------------------------------------------- */

static int64_t end_ms(const struct homer *h)
{
	if (!h->busy)
		return h->since_ms + POLLER_SPARE_MS;
	return h->since_ms + (h->looker >= 0 ? POLLER_HOME_MS : POLLER_LOST_MS);
}

static void late(struct poller *p, unsigned i)
{
	struct homer *h = &p->homer[i];
	struct log l;

	if (!h->busy) {
		release(p, i);
	} else if (h->looker >= 0) {
		log_begin(&l, LOGL_ERR, "forward");
		log_u64(&l, "uid", h->uid);
		log_str(&l, "error", STR("the home does not answer"));
		log_end(&l);
		set_slow(p, h->uid, p->now_ms + POLLER_SLOW_MS);
		tell_later(p, h->looker, STR("the home does not answer"));
		h->looker = -1;
	} else {
		lost(p, i);
	}
}

void homer_clock(struct poller *p)
{
	for (unsigned i = 0; i < POLLER_HOMERS; i++)
		if (p->homer[i].w.fd >= 0 && p->now_ms >= end_ms(&p->homer[i]))
			late(p, i);
}

int64_t homer_next_ms(const struct poller *p)
{
	int64_t next = INT64_MAX;

	for (unsigned i = 0; i < POLLER_HOMERS; i++)
		if (p->homer[i].w.fd >= 0 && end_ms(&p->homer[i]) < next)
			next = end_ms(&p->homer[i]);
	return next;
}
