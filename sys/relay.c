/*
 * One epoll for the sockets that work comes from and for all connections.
 */
#include "sys/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mail/secured.h"
#include "sys/io.h"
#include "sys/link.h"
#include "sys/log.h"
#include "sys/pair.h"
#include "sys/tls-certs.h"

enum {
	EVENTS = 64,
	TAKE = 8, /* connections taken at a time, then others have a turn */
	SWEEP_MS = 250
};

static struct {
	const struct relay *r;
	int epoll;
	bool closing; /* no more connections */
	unsigned n;
	struct link *first, *again, *over;
	int64_t swept_ms;
} relay;

static volatile sig_atomic_t must_stop;

static void on_stop(int signo)
{
	(void)signo;
	must_stop = 1;
}

/* --- connections ---------------------------------------------------------- */

/* It is freed when no event of this turn can name it any more. */
static void end(struct link *k)
{
	/* smtpd may still have his connection, which would be watched on */
	(void)epoll_ctl(relay.epoll, EPOLL_CTL_DEL, k->client, NULL);
	(void)epoll_ctl(relay.epoll, EPOLL_CTL_DEL, k->plain, NULL);
	link_close(k);
	if (k->prev)
		k->prev->next = k->next;
	else
		relay.first = k->next;
	if (k->next)
		k->next->prev = k->prev;
	k->next = relay.over;
	relay.over = k;
	relay.r->state->sessions = --relay.n;
}

static void bury(void)
{
	struct link *k, **at = &relay.again;

	if (!relay.over)
		return;
	while ((k = *at) != NULL)
		if (k->stage == LINK_OVER)
			*at = k->next_again;
		else
			at = &k->next_again;
	while ((k = relay.over) != NULL) {
		relay.over = k->next;
		free(k);
	}
}

static void pump(struct link *k)
{
	bool more = link_pump(k);

	if (k->stage == LINK_OVER) {
		end(k);
	} else if (more && !k->again) {
		k->again = true;
		k->next_again = relay.again;
		relay.again = k;
	}
}

/* Those who had more to do than was their turn. */
static void go_on(void)
{
	struct link *k, *list = relay.again;

	relay.again = NULL;
	while ((k = list) != NULL) {
		list = k->next_again;
		k->again = false;
		if (k->stage != LINK_OVER)
			pump(k);
	}
}

/* Connections whose time is over. */
static void sweep(void)
{
	int64_t now_ms = io_now_ms();
	struct link *k, *next;

	if (now_ms - relay.swept_ms < SWEEP_MS)
		return;
	relay.swept_ms = now_ms;
	for (k = relay.first; k; k = next) {
		next = k->next;
		if (k->until_ms == 0 || now_ms < k->until_ms)
			continue;
		link_time_out(k);
		end(k);
	}
}

/* --- new ones ------------------------------------------------------------- */

static bool watch(struct link *k)
{
	struct epoll_event e = { .events =
				     EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.ptr = k };

	return fcntl(k->client, F_SETFL, O_NONBLOCK) == 0 &&
	       fcntl(k->plain, F_SETFL, O_NONBLOCK) == 0 &&
	       epoll_ctl(relay.epoll, EPOLL_CTL_ADD, k->client, &e) == 0 &&
	       epoll_ctl(relay.epoll, EPOLL_CTL_ADD, k->plain, &e) == 0;
}

static void write_word(int fd, char word)
{
	ssize_t ignored = write(fd, &word, 1);

	(void)ignored;
}

static void refuse(const int fd[2])
{
	(void)fcntl(fd[1], F_SETFL, O_NONBLOCK);
	write_word(fd[1], tls_certs_context() ? SECURED_NO : SECURED_NEVER);
	close(fd[0]);
	close(fd[1]);
}

/* Room for one more.  A connection whose session is over is not counted for
 * its source any more, so it goes when its place is wanted: the oldest. */
static bool make_room(void)
{
	struct link *oldest = NULL;

	if (relay.n < relay.r->limit)
		return true;
	for (struct link *k = relay.first; k; k = k->next)
		if (k->stage == LINK_OPEN && k->until_ms != 0)
			oldest = k;
	if (!oldest)
		return false;
	oldest->stage = LINK_OVER;
	end(oldest);
	return true;
}

static void add(const int fd[2])
{
	struct link *k = make_room() ? calloc(1, sizeof(*k)) : NULL;

	if (!k || link_open(k, fd, relay.r->handshake_s) < 0) {
		free(k);
		refuse(fd);
		return;
	}
	k->next = relay.first;
	if (k->next)
		k->next->prev = k;
	relay.first = k;
	relay.r->state->sessions = ++relay.n;
	if (!watch(k)) {
		k->stage = LINK_OVER;
		end(k);
		return;
	}
	write_word(k->plain, SECURED_GO);
	if (relay.n == RELAY_BUSY)
		write_word(relay.r->more_fd, 1);
}

/* Who is in the middle of something goes on; others take what comes now. */
static void stop_taking(void)
{
	for (unsigned i = 0; i < relay.r->from->n && !relay.closing; i++) {
		int fd = relay.r->from->v[i].fd;

		(void)epoll_ctl(relay.epoll, EPOLL_CTL_DEL, fd, NULL);
		/* what nobody reads any more must not seem to be read */
		close(fd);
	}
	relay.closing = true;
}

/* A record without an octet looks like the end, which `over` tells. */
static void take(int sock, bool over)
{
	int fd[2], rc = 1;

	for (unsigned i = 0; i < TAKE && (rc == 1 || rc == -EBADMSG); i++) {
		rc = pair_recv(sock, fd);
		if (rc == 0 && !over)
			rc = -EBADMSG;
		if (rc == 1) {
			relay.r->state->taken++;
			add(fd);
		}
	}
	if (rc == 0)
		stop_taking();
}

static void on_event(const struct epoll_event *e)
{
	struct link *k = e->data.ptr;

	if (k == NULL) { /* one of the sockets of requests: all are looked at */
		for (unsigned i = 0; i < relay.r->from->n && !relay.closing;
		     i++)
			take(relay.r->from->v[i].fd,
			    relay.r->from->type != SOCK_DGRAM &&
				(e->events & EPOLLHUP) != 0);
		return;
	}
	if (k->stage == LINK_OVER)
		return;
	pump(k);
	if ((e->events & EPOLLHUP) && k->stage != LINK_OVER) {
		link_hang_up(k);
		if (k->stage == LINK_OVER)
			end(k);
	}
}

/* --- the loop ------------------------------------------------------------- */

int relay_prepare(const struct relay *r)
{
	struct sigaction stop = { .sa_handler = on_stop };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct epoll_event e = { .events = EPOLLIN | EPOLLEXCLUSIVE };

	relay.r = r;
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	relay.epoll = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned i = 0; relay.epoll >= 0 && i < r->from->n; i++)
		if (epoll_ctl(relay.epoll, EPOLL_CTL_ADD, r->from->v[i].fd,
			&e) != 0) {
			close(relay.epoll);
			relay.epoll = -1;
		}
	if (relay.epoll >= 0)
		return 0;
	log_errno("relay", "epoll", errno);
	return -errno;
}

void relay_run(const struct relay *r)
{
	struct epoll_event events[EVENTS];
	sigset_t none;

	(void)r;
	sigemptyset(&none);
	while (!relay.closing || relay.n > 0) {
		int wait_ms = relay.again ? 0 : relay.n > 0 ? SWEEP_MS * 4 : -1;
		int n =
		    epoll_pwait(relay.epoll, events, EVENTS, wait_ms, &none);

		if (must_stop)
			stop_taking();
		for (int i = 0; i < n; i++)
			on_event(&events[i]);
		go_on();
		sweep();
		bury();
	}
}
