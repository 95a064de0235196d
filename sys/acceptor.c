/*
 * The accept loop.  It reads not one octet of a client: it counts, forks and
 * reaps.  Clients beyond a limit are told so by the loop itself.
 */
#include "sys/acceptor.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/io.h"
#include "sys/log.h"
#include "sys/quota.h"
#include "sys/reception.h"
#include "sys/roster.h"
#include "sys/spare.h"
#include "sys/sandbox.h"
#include "sys/staff.h"

enum { FD_MARGIN = 256 };

static volatile sig_atomic_t must_stop, must_reap;

/*
 * What is the loop's alone.  No session inherits these pages: it learns
 * nothing of the others, and a change here copies no page for each of them.
 */
static struct own {
	struct roster sessions;
	struct quota quota;
	struct pollfd polled[LISTEN_MAX + ROSTER_MAX];
} * own;

static struct {
	const struct conf *conf; /* NULL: broken */
	struct stat seen;        /* of its file, when it was read */
	unsigned next;           /* of rooms[] */
	struct spare spare;
	struct conf rooms[2];
} state;

static void on_signal(int signo)
{
	if (signo == SIGCHLD)
		must_reap = 1;
	else
		must_stop = 1;
}

/* Signals come in only while the loop waits. */
static void take_signals(sigset_t *while_waiting)
{
	static const int all[] = { SIGTERM, SIGINT, SIGCHLD };
	struct sigaction act = { .sa_handler = on_signal };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t block;

	sigemptyset(&block);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		sigaddset(&block, all[i]);
		sigaction(all[i], &act, NULL);
	}
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGHUP, &ignore, NULL);
	sigprocmask(SIG_BLOCK, &block, while_waiting);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		sigdelset(while_waiting, all[i]);
}

/* The next session must know; the spare does not. */
static void tls_ended(int code)
{
	handoff_ended(state.conf, code);
	if (state.spare.pid > 0)
		spare_end(&state.spare);
}

static void reap(void)
{
	pid_t pid;
	int status;

	must_reap = 0;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (WIFSIGNALED(status))
			log_errno("session-killed", strsignal(WTERMSIG(status)),
			    EINTR);
		else if (status != 0 && state.conf)
			tls_ended(WEXITSTATUS(status));
		roster_remove(&own->sessions, pid);
		if (pid == state.spare.pid)
			spare_end(&state.spare);
	}
}

/*
 * One user, root excepted, leaves a quarter of the places to others: what
 * they send now may never be sent again.
 */
static bool local_full(uid_t uid, unsigned limit)
{
	return own->sessions.nlocal >= limit ||
	       (uid != 0 &&
		   roster_of_user(&own->sessions, uid) >= limit - limit / 4);
}

/* Says why and hangs up; he who does not listen is not waited for. */
static void turn_away(
    int fd, const char *text, const struct peer *p, enum conf_service service)
{
	struct log l;
	char name[NET_TEXT_MAX];
	struct buf b = BUF(name);
	char drain[512];

	if (service != SERVICE_SUBMISSIONS) /* who would not hear it */
		(void)send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)shutdown(fd, SHUT_WR);
	while (recv(fd, drain, sizeof(drain), MSG_DONTWAIT) > 0)
		;
	close(fd);
	log_begin(&l, LOGL_WARNING, "turned-away");
	if (p->kind == PEER_INET) {
		netaddr_put(&b, &p->addr);
		log_str(&l, "peer", buf_str(&b));
	} else
		log_u64(&l, "uid", p->uid);
	log_str(
	    &l, "reply", str_head(str_of(text), str_find(str_of(text), '\r')));
	log_end(&l);
}

/* The limit that stands in the way of one more, as a reply; or NULL. */
static const char *limit_hit(
    const struct conf *c, const struct peer *p, bool proxied)
{
	const struct roster *all = &own->sessions;
	struct netaddr source = netaddr_source(&p->addr);

	if (!c)
		return "421 4.3.5 configuration error here, try later\r\n";
	if (p->kind != PEER_INET)
		return local_full(p->uid, c->local_connection_limit)
			   ? "421 4.3.2 too many local connections, try "
			     "later\r\n"
			   : NULL;
	if (all->n - all->nlocal >= c->connection_limit)
		return "421 4.3.2 too many connections, try later\r\n";
	if (proxied)
		return all->nunknown < ROSTER_UNKNOWN_MAX
			   ? NULL
			   : "421 4.3.2 too many connections, try later\r\n";
	if (roster_of_source(all, &source) >= c->source_limit)
		return "421 4.7.0 too many connections from your address\r\n";
	return NULL;
}

/* A user whose messages have a limit. */
static bool is_counted(const struct peer *p)
{
	const struct conf_rate *r = &state.conf->submission_rate;

	return p->kind != PEER_INET && (r->messages > 0 || r->octets > 0) &&
	       !staff_is_own(p->uid);
}

/* To the spare, or to one made now: there may be none, or it has just died. */
static void start_session(struct acceptor *a, int client, const struct peer *p,
    bool proxied, enum conf_service service)
{
	bool asks = proxied || is_counted(p);
	struct spare *s = &state.spare;

	for (unsigned i = 0; i < 2; i++) {
		if (s->pid == 0 && spare_start(s, state.conf, a->serve) < 0)
			break;
		if (spare_give(s, p, asks, service, client) < 0)
			continue;
		roster_add(&own->sessions, s->pid, p, asks ? s->fd : -1);
		s->pid = 0;
		close(client);
		return;
	}
	turn_away(
	    client, "421 4.3.2 out of resources, try later\r\n", p, service);
}

/* A proxied session knows its client now: is there room for him? */
static void admit(struct member *k)
{
	char verdict = CONVERSATION_DENY;
	struct netaddr source;
	ssize_t n = recv(k->ask_fd, source.b, sizeof(source.b), MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n == (ssize_t)sizeof(source.b) && state.conf) {
		source = netaddr_source(&source);
		if (roster_of_source(&own->sessions, &source) <
		    state.conf->source_limit)
			verdict = CONVERSATION_ADMIT;
		k->source = source;
		k->unknown = false;
		(void)send(k->ask_fd, &verdict, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	roster_answered(&own->sessions, k);
}

/* A local session begins a message, and asks, or tells how large it was. */
static void count(struct member *k)
{
	static const struct conf_rate none;
	const struct conf_rate *r =
	    state.conf ? &state.conf->submission_rate : &none;
	int64_t now_us = io_now_ms() * 1000;
	char answer = RECEPTION_GO;
	uint64_t octets;
	ssize_t n = recv(k->ask_fd, &octets, sizeof(octets), MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n == (ssize_t)sizeof(octets)) {
		quota_pay(&own->quota, r, k->uid, octets, now_us);
		return;
	}
	if (n != 1) {
		roster_answered(&own->sessions, k);
		return;
	}
	switch (quota_begin(&own->quota, r, k->uid, now_us)) {
	case QUOTA_MESSAGES:
		answer = RECEPTION_MESSAGES;
		break;
	case QUOTA_OCTETS:
		answer = RECEPTION_OCTETS;
		break;
	default:
		break;
	}
	(void)send(k->ask_fd, &answer, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* What tells one state of a file from another. */
static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
	       a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* A changed configuration holds from the next connection on. */
static void refresh(struct acceptor *a)
{
	char text[512];
	struct buf why = BUF(text);
	struct conf *fresh = &state.rooms[state.next];
	struct stat now;
	struct log l;

	memset(&now, 0, sizeof(now));
	(void)stat(conf_path(a->conf_path), &now);
	if (state.conf && same_file(&now, &state.seen))
		return;
	state.seen = now;
	if (conf_read(fresh, a->conf_path, &why) == 0 &&
	    a->prepare(fresh) == 0) {
		state.conf = fresh;
		state.next = !state.next;
		if (state.spare.pid > 0)
			spare_end(&state.spare);
		log_note(LOGL_NOTICE, "configuration", "read again");
		return;
	}
	log_begin(&l, LOGL_ERR, "configuration");
	log_str(&l, "error", buf_str(&why));
	log_str(&l, "holds", state.conf ? STR("the old one") : STR("none"));
	log_end(&l);
}

static void accept_one(struct acceptor *a, const struct listener *l)
{
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	const char *reply;
	struct peer p;
	bool proxied;

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
			log_errno("accept", "connection", errno);
			(void)poll(NULL, 0, 100);
		}
		return;
	}
	refresh(a);
	if (state.conf && handoff_renew(state.conf) && state.spare.pid > 0)
		spare_end(&state.spare);
	if (peer_of(fd, &p) < 0) {
		close(fd);
		return;
	}
	proxied = state.conf && p.kind == PEER_INET &&
		  conf_has_net(&state.conf->proxy_networks, &p.addr);
	reply = limit_hit(state.conf, &p, proxied);
	if (!reply && own->sessions.n == ROSTER_MAX)
		reply = "421 4.3.2 too many connections, try later\r\n";
	if (reply)
		turn_away(fd, reply, &p, l->service);
	else
		start_session(a, fd, &p, proxied, l->service);
}

/* One turn: waits, then serves whoever is there.  False after a silence. */
static bool turn(struct acceptor *a, const sigset_t *while_waiting, int wait_s)
{
	struct timespec wait = { .tv_sec = wait_s };
	struct roster *all = &own->sessions;
	struct pollfd *p = own->polled;
	unsigned n = 0, nlisten, served;
	bool came = false;
	int ready;

	for (; n < a->listeners->n; n++)
		p[n] = (struct pollfd){ .fd = a->listeners->v[n].fd,
			.events = POLLIN };
	nlisten = n;
	for (unsigned i = 0; all->nasking > 0 && i < all->n; i++)
		if (all->member[i].ask_fd >= 0)
			p[n++] = (struct pollfd){ .fd = all->member[i].ask_fd,
				.events = POLLIN };
	ready = ppoll(p, n, wait_s < 0 ? NULL : &wait, while_waiting);
	served = ready > 0 ? (unsigned)ready : 0;
	if (must_reap)
		reap();
	for (unsigned i = nlisten; i < n && ready > 0; i++) {
		struct member *k = roster_asking(all, p[i].fd);

		if (p[i].revents != 0 && k && k->local)
			count(k);
		else if (p[i].revents != 0 && k)
			admit(k);
	}
	for (unsigned i = 0; i < nlisten && served > 0; i++)
		if (p[i].revents != 0) {
			accept_one(a, &a->listeners->v[i]);
			came = true;
		}
	/* Whoever came last is served by now; another one may follow. */
	if (came && state.spare.pid == 0 && state.conf)
		(void)spare_start(&state.spare, state.conf, a->serve);
	return ready != 0;
}

/* No new sessions; those that run end after the message at hand. */
static void wind_up(struct acceptor *a, const sigset_t *while_waiting)
{
	for (unsigned i = 0; i < a->listeners->n; i++)
		close(a->listeners->v[i].fd);
	a->listeners->n = 0;
	if (state.spare.pid > 0)
		spare_end(&state.spare);
	for (unsigned i = 0; i < own->sessions.n; i++)
		kill(own->sessions.member[i].pid, SIGTERM);
	while (own->sessions.n > 0) {
		(void)turn(a, while_waiting, 1);
		reap();
	}
}

/* Accepted sockets inherit it.  A unix socket does not know it. */
static void never_delay(const struct listeners *l)
{
	const int on = 1;

	for (unsigned i = 0; i < l->n; i++)
		(void)setsockopt(
		    l->v[i].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/*
 * Descriptors in flight to deliver are counted per user against the sender's
 * limit: children inherit one that suffices for all of them at once.
 */
static void raise_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return;
	r.rlim_cur = r.rlim_max < ROSTER_MAX + FD_MARGIN
			 ? r.rlim_max
			 : ROSTER_MAX + FD_MARGIN;
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

/* Seconds of silence until something changes, or -1. */
static int patience(const struct acceptor *a)
{
	if (state.spare.pid > 0)
		return ACCEPTOR_SPARE_S;
	return a->listeners->activated ? ACCEPTOR_IDLE_S - ACCEPTOR_SPARE_S
				       : -1;
}

static int make_own(void)
{
	void *p = mmap(NULL, sizeof(*own), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || madvise(p, sizeof(*own), MADV_DONTFORK) != 0)
		return -errno;
	own = p;
	return 0;
}

int acceptor_run(struct acceptor *a, const struct conf *conf)
{
	sigset_t while_waiting;
	int rc = make_own();

	if (rc < 0) {
		log_errno("acceptor", "memory", -rc);
		return rc;
	}
	state.conf = conf;
	memset(&state.seen, 0, sizeof(state.seen));
	(void)stat(conf_path(a->conf_path), &state.seen);
	raise_limit();
	never_delay(a->listeners);
	take_signals(&while_waiting);
	while (!must_stop) {
		if (turn(a, &while_waiting, patience(a)))
			continue;
		if (state.spare.pid > 0)
			spare_end(&state.spare);
		else if (own->sessions.n == 0 &&
			 quota_is_clear(&own->quota, io_now_ms() * 1000))
			return 0;
	}
	wind_up(a, &while_waiting);
	return 0;
}
