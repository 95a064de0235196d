/*
 * Events, connections, and the reasons to leave.
 */
#include "sys/poller.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/cache.h"
#include "sys/io.h"
#include "sys/log.h"

enum {
	EVENTS = 64,
	ACCEPTS = 64,          /* in a row */
	PAUSE_MS = 1000,       /* when no more descriptors are to be had */
	TURN_MASK = 0x1fffffff /* what fits beside the kind and the number */
};

static volatile sig_atomic_t terminated, child_ended;

static void on_signal(int number)
{
	if (number == SIGCHLD)
		child_ended = 1;
	else
		terminated = 1;
}

/* Signals come only while we wait. */
static void prepare_signals(void)
{
	struct sigaction a = { .sa_handler = on_signal };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGINT, &a, NULL);
	sigaction(SIGCHLD, &a, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

/* --- what epoll watches ------------------------------------------------- */

int poller_watch(struct poller *p, enum poller_what what, unsigned i,
    uint32_t turn, int fd, unsigned events, unsigned *now)
{
	struct epoll_event e = { .events = events };
	bool fresh = *now == POLLER_UNWATCHED;
	int err;

	if (*now == events)
		return 0;
	e.data.u64 =
	    (uint64_t)what << 61 | (uint64_t)(turn & TURN_MASK) << 32 | i;
	if (epoll_ctl(
		p->epoll, fresh ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &e) == 0) {
		*now = events;
		return 0;
	}
	err = errno;
	log_errno("poller", "epoll_ctl", err);
	return -err;
}

/* Always before close: a worker that was just forked may still hold the
 * description, and its events would go on under a number that is reused. */
void poller_unwatch(struct poller *p, int fd)
{
	struct epoll_event e = { 0 };

	if (fd >= 0)
		(void)epoll_ctl(p->epoll, EPOLL_CTL_DEL, fd, &e);
}

static void watch_listeners(struct poller *p, bool on)
{
	for (unsigned i = 0; i < p->listeners->n; i++) {
		unsigned none = POLLER_UNWATCHED;

		if (on)
			poller_watch(p, WHAT_LISTENER, i, 0,
			    p->listeners->v[i].fd, EPOLLIN, &none);
		else
			poller_unwatch(p, p->listeners->v[i].fd);
	}
}

/* --- connections -------------------------------------------------------- */

static bool is_welcome(const struct poller *p, uid_t uid)
{
	return uid == 0 ||
	       (p->store.smtpd_uid != (uid_t)-1 && uid == p->store.smtpd_uid) ||
	       (!p->store.self->privileged && uid == p->store.self->uid);
}

static int check_peer(const struct poller *p, int fd, uid_t *uid)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);
	struct log l;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) != 0)
		return -errno;
	*uid = cred.uid;
	if (is_welcome(p, cred.uid))
		return 0;
	log_begin(&l, LOGL_WARNING, "peer-refused");
	log_u64(&l, "uid", cred.uid);
	log_u64(&l, "pid", (uint64_t)cred.pid);
	log_end(&l);
	return -EPERM;
}

/* The descriptor is the poller's from here on. */
static int adopt(struct poller *p, int fd)
{
	uid_t uid = (uid_t)-1;
	int rc = check_peer(p, fd, &uid);
	unsigned c = 0;
	struct conn *k;

	while (rc == 0 && p->conn[c].state != CONN_FREE)
		c++;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	k = &p->conn[c];
	*k = (struct conn){ .fd = fd,
		.state = CONN_READY,
		.uid = uid,
		.turn = k->turn + 1,
		.storer = -1,
		.events = POLLER_UNWATCHED };
	p->nconns++;
	rc = poller_watch(p, WHAT_CONN, c, k->turn, fd, EPOLLIN, &k->events);
	if (rc < 0) /* nobody would hear it */
		poller_end(p, c, NULL);
	return rc;
}

void poller_end(struct poller *p, unsigned c, const char *why)
{
	struct conn *k = &p->conn[c];
	struct log l;

	if (why) {
		log_begin(&l, LOGL_WARNING, "peer-ended");
		log_u64(&l, "uid", k->uid);
		log_str(&l, "error", str_of(why));
		log_end(&l);
	}
	poller_unwatch(p, k->fd);
	close(k->fd);
	storer_unbind(p, c);
	k->state = CONN_FREE;
	k->turn++;
	p->nconns--;
	p->idle_since_ms = p->now_ms;
	if (p->accept_ms != 0)
		p->accept_ms = p->now_ms;
}

static void accept_some(struct poller *p, unsigned i)
{
	int fd = 0;

	for (unsigned n = 0; n < ACCEPTS && p->nconns < POLLER_CONNS; n++) {
		fd = accept4(p->listeners->v[i].fd, NULL, NULL,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			break;
		(void)adopt(p, fd);
	}
	if (p->nconns < POLLER_CONNS &&
	    (fd >= 0 || (errno != EMFILE && errno != ENFILE &&
			    errno != ENOMEM && errno != ENOBUFS)))
		return;
	if (p->nconns < POLLER_CONNS)
		log_errno("poller", "accept", errno);
	watch_listeners(p, false);
	p->accept_ms = p->now_ms + PAUSE_MS;
}

static void conn_event(
    struct poller *p, unsigned c, uint32_t turn, unsigned events)
{
	struct conn *k = &p->conn[c];

	if (k->state == CONN_FREE || (k->turn & TURN_MASK) != turn)
		return;
	if ((events & EPOLLOUT) != 0)
		attend_writable(p, c);
	if (k->state == CONN_FREE)
		return;
	if (k->state == CONN_READY && (events & ~(unsigned)EPOLLOUT) != 0)
		attend_readable(p, c);
	else if ((events & (EPOLLHUP | EPOLLERR)) != 0)
		poller_end(p, c, NULL);
	else if ((events & EPOLLIN) != 0) /* not now */
		poller_watch(p, WHAT_CONN, c, k->turn, k->fd, 0, &k->events);
}

/* --- the loop ----------------------------------------------------------- */

/*
 * What a store worker may do depends on the configuration, so we lock
 * ourselves in with the first that is good; until then nothing is stored.
 */
static int lock_in(struct poller *p)
{
	int rc;

	if (p->locked || !p->conf->now)
		return 0;
	p->store.minimum_uid = p->conf->now->minimum_uid;
	rc = store_lock_in(&p->store);
	p->locked = rc == 0;
	return rc;
}

static int configure(struct poller *p)
{
	bool changed = reload_check(p->conf);

	if (changed)
		cache_forget();
	if (p->conf->now)
		cache_check(p->conf->now);
	if (!changed)
		return 0;
	storer_renew(p);
	if (p->locked && p->conf->now->minimum_uid < p->store.minimum_uid)
		log_note(LOGL_WARNING, "configuration",
		    "a lower minimum-uid holds after a restart");
	return lock_in(p);
}

void poller_refresh(struct poller *p)
{
	if (!p->fresh)
		p->fault = configure(p);
	p->fresh = true;
}

static void dispatch(struct poller *p, const struct epoll_event *e)
{
	enum poller_what what = (enum poller_what)(e->data.u64 >> 61);
	uint32_t turn = (uint32_t)(e->data.u64 >> 32) & TURN_MASK;
	unsigned i = (unsigned)e->data.u64;

	switch (what) {
	case WHAT_LISTENER:
		accept_some(p, i);
		break;
	case WHAT_CONN:
		conn_event(p, i, turn, e->events);
		break;
	case WHAT_LOOKER:
		if (p->looker[i].w.fd >= 0)
			looker_event(p, i);
		break;
	case WHAT_STORER:
		if (p->storer[i].w.fd >= 0)
			storer_event(p, i, e->events);
		break;
	case WHAT_HOMER:
		if (p->homer[i].w.fd >= 0)
			homer_event(p, i);
		break;
	}
}

static void earlier(int64_t *next, int64_t ms)
{
	if (ms < *next)
		*next = ms;
}

static int wait_ms(const struct poller *p)
{
	int64_t next = looker_next_ms(p);

	earlier(&next, storer_next_ms(p));
	earlier(&next, homer_next_ms(p));
	if (p->nline > 0)
		earlier(&next, p->now_ms + POLLER_STUCK_MS);
	if (p->accept_ms != 0)
		earlier(&next, p->accept_ms);
	if (p->leaving)
		earlier(&next, p->leave_ms);
	if (p->listeners->activated && p->nconns == 0)
		earlier(&next, p->idle_since_ms + POLLER_SPARE_MS);
	if (next == INT64_MAX)
		return -1;
	next -= p->now_ms;
	return next < 0 ? 0 : next > 3600000 ? 3600000 : (int)next + 1;
}

static void leave(struct poller *p)
{
	if (p->leaving)
		return;
	p->leaving = true;
	p->leave_ms = p->now_ms + POLLER_LEAVE_MS;
	watch_listeners(p, false);
	for (unsigned i = 0; i < p->listeners->n; i++)
		close(p->listeners->v[i].fd);
	p->listeners->n = 0;
	/* A session that has no client yet is not waited for. */
	for (unsigned c = 0; c < POLLER_CONNS; c++)
		if (p->conn[c].state == CONN_READY && !p->conn[c].asked)
			poller_end(p, c, NULL);
}

/* A plain exit loses no connection: what waits in the listening socket is
 * for the next of us. */
static bool is_over(const struct poller *p)
{
	if (p->single)
		return p->nconns == 0;
	if (p->leaving)
		return (p->nconns == 0 && !storer_busy(p)) ||
		       p->now_ms >= p->leave_ms;
	return p->listeners->activated && p->nconns == 0 && !storer_busy(p) &&
	       p->now_ms - p->idle_since_ms >= POLLER_SPARE_MS;
}

static void keep_time(struct poller *p)
{
	p->now_ms = io_now_ms();
	if (child_ended) {
		child_ended = 0;
		pool_reap();
	}
	looker_clock(p);
	storer_clock(p);
	homer_clock(p);
	attend_line(p);
	if (p->accept_ms != 0 && p->now_ms >= p->accept_ms && !p->leaving) {
		p->accept_ms = 0;
		watch_listeners(p, true);
	}
	if (terminated || !looker_any(p))
		leave(p);
}

static void raise_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return;
	r.rlim_cur = r.rlim_max < 65536 ? r.rlim_max : 65536;
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

int poller_prepare(struct poller *p, int single_fd)
{
	int rc;

	p->single = single_fd >= 0;
	prepare_signals();
	raise_files();
	p->now_ms = p->idle_since_ms = io_now_ms();
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (p->epoll < 0) {
		rc = -errno;
		log_errno("poller", "epoll_create1", -rc);
		return rc;
	}
	storer_start(p);
	homer_start(p);
	rc = looker_start(p);
	if (rc < 0)
		return rc;
	watch_listeners(p, true);
	return single_fd < 0 ? 0 : adopt(p, single_fd);
}

int poller_run(struct poller *p)
{
	struct epoll_event events[EVENTS];
	sigset_t none;

	sigemptyset(&none);
	poller_refresh(p);
	while (p->fault == 0 && !is_over(p)) {
		int n =
		    epoll_pwait(p->epoll, events, EVENTS, wait_ms(p), &none);

		p->now_ms = io_now_ms();
		p->fresh = false;
		for (int i = 0; i < n && p->fault == 0; i++)
			dispatch(p, &events[i]);
		keep_time(p);
	}
	return p->fault;
}
