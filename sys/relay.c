/*
 * Both sockets of a connection are watched for edges, and whenever one comes
 * everything is tried that could go on.  What cannot be written is kept, and
 * nothing more is read for it until it is gone: so the slower side sets the
 * pace.
 */
#include "sys/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mail/secured.h"
#include "sys/io.h"
#include "sys/log.h"
#include "sys/pair.h"
#include "sys/tls-certs.h"
#include "sys/tls-server.h"

enum {
	EVENTS = 64,
	SCRATCH = 64 * 1024,
	OUT_MAX = 16 * 1024,  /* one record of TLS */
	ROUNDS = 8,           /* of one connection, then others have a turn */
	TAKE = 8,             /* connections taken at a time, likewise */
	START_MS = 10 * 1000, /* for smtpd to tell its client */
	LAST_MS = 30 * 1000,  /* for the client to take what smtpd left */
	LINGER_MS = 2000,     /* for his answer to our end */
	SWEEP_MS = 250
};

enum stage { STAGE_START, STAGE_SHAKE, STAGE_OPEN, STAGE_OVER };

/* Octets that could not be written yet. */
struct rest {
	char *p; /* NULL: none */
	size_t from, to;
};

struct link {
	int client, plain;
	struct ssl_st *ssl;
	enum stage stage;
	bool client_ended, plain_ended, plain_gone;
	bool again;          /* in the list of those who have more to do */
	struct rest in, out; /* to plain, to the client */
	int64_t until_ms;    /* 0: no deadline here, smtpd has its own */
	struct link *next_again, *prev, *next;
};

static struct {
	const struct relay *r;
	int epoll;
	bool closing; /* no more connections */
	unsigned n;
	struct link *first, *again, *over;
	int64_t swept_ms;
	char scratch[SCRATCH];
} relay;

static volatile sig_atomic_t must_stop;

static void on_stop(int signo)
{
	(void)signo;
	must_stop = 1;
}

/* --- a connection -------------------------------------------------------- */

/* It is freed when no event can name it any more. */
static void end(struct link *k)
{
	if (k->stage == STAGE_OVER)
		return;
	k->stage = STAGE_OVER;
	/* smtpd may still have his connection, which would be watched on */
	(void)epoll_ctl(relay.epoll, EPOLL_CTL_DEL, k->client, NULL);
	(void)epoll_ctl(relay.epoll, EPOLL_CTL_DEL, k->plain, NULL);
	tls_server_free(k->ssl);
	close(k->client);
	close(k->plain);
	free(k->in.p);
	free(k->out.p);
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

	while ((k = *at) != NULL)
		if (k->stage == STAGE_OVER)
			*at = k->next_again;
		else
			at = &k->next_again;
	while ((k = relay.over) != NULL) {
		relay.over = k->next;
		free(k);
	}
}

static bool keep(struct rest *r, struct str s)
{
	if (s.n == 0)
		return true;
	r->p = malloc(s.n);
	if (!r->p)
		return false;
	memcpy(r->p, s.p, s.n);
	r->from = 0;
	r->to = s.n;
	return true;
}

static void drop(struct rest *r)
{
	free(r->p);
	r->p = NULL;
}

static struct str rest_str(const struct rest *r)
{
	return str_at(r->p + r->from, r->to - r->from);
}

/* As much as goes; how much, or -errno.  -EAGAIN is 0. */
static ssize_t put_plain(struct link *k, struct str s)
{
	size_t done = 0;

	while (done < s.n) {
		ssize_t n = write(k->plain, s.p + done, s.n - done);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* smtpd hears no more: what the client says goes nowhere. */
static ssize_t put_or_lose(struct link *k, struct str s)
{
	ssize_t n = k->plain_gone ? (ssize_t)s.n : put_plain(k, s);

	if (n < 0) {
		k->plain_gone = true;
		n = (ssize_t)s.n;
	}
	return n;
}

/* Everything that is there, as far as there is room.  *end is 0 or -errno of
 * what came after it. */
static size_t get_client(struct link *k, int *end)
{
	size_t n = 0;

	*end = -EAGAIN;
	while (n < SCRATCH) {
		ssize_t got =
		    tls_server_read(k->ssl, relay.scratch + n, SCRATCH - n);

		if (got <= 0) {
			*end = (int)got;
			break;
		}
		n += (size_t)got;
	}
	return n;
}

/* From the client to smtpd.  True when something has moved. */
static bool pump_in(struct link *k)
{
	struct str s;
	ssize_t n;
	int end_of_it = -EAGAIN;

	if (k->in.p) {
		s = rest_str(&k->in);
		n = put_or_lose(k, s);
		k->in.from += (size_t)n;
		if (k->in.from == k->in.to)
			drop(&k->in);
		return n > 0;
	}
	if (k->client_ended)
		return false;
	s = str_at(relay.scratch, get_client(k, &end_of_it));
	n = put_or_lose(k, s);
	if (!keep(&k->in, str_skip(s, (size_t)n)))
		end_of_it = -ENOMEM;
	if (end_of_it == 0) {
		k->client_ended = true; /* what comes behind it is nobody's */
	} else if (end_of_it != -EAGAIN) {
		end(k);
		return false;
	}
	return s.n > 0;
}

/* smtpd has said all: so do we, and wait a little for the client's end. */
static void part(struct link *k)
{
	k->plain_ended = true;
	(void)tls_server_bye(k->ssl);
	(void)shutdown(k->client, SHUT_WR);
	k->until_ms = io_now_ms() + LINGER_MS;
}

/* From smtpd to the client. */
static bool pump_out(struct link *k)
{
	char text[OUT_MAX];
	struct str s;
	ssize_t n;

	if (k->out.p) {
		s = rest_str(&k->out);
	} else {
		if (k->plain_ended)
			return false;
		n = read(k->plain, text, sizeof(text));
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n <= 0) {
			part(k);
			return true;
		}
		s = str_at(text, (size_t)n);
	}
	n = tls_server_write(k->ssl, s);
	if (n < 0 && n != -EAGAIN) {
		end(k);
		return false;
	}
	if (n < 0)
		n = 0;
	if (k->out.p) {
		k->out.from += (size_t)n;
		if (k->out.from == k->out.to)
			drop(&k->out);
	} else if (!keep(&k->out, str_skip(s, (size_t)n))) {
		end(k);
		return false;
	}
	return n > 0;
}

/* smtpd says that its client knows; if it has gone, the client is its own. */
static bool start(struct link *k)
{
	char word;
	ssize_t n = read(k->plain, &word, 1);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n != 1 || word != SECURED_START) {
		end(k);
		return false;
	}
	k->stage = STAGE_SHAKE;
	k->until_ms = io_now_ms() + relay.r->handshake_s * 1000LL;
	return true;
}

static bool tell(struct link *k, const struct secured *how)
{
	char text[SECURED_OCTETS];
	struct buf b = BUF(text);

	secured_put(&b, how);
	return put_plain(k, buf_str(&b)) == SECURED_OCTETS;
}

static bool shake(struct link *k)
{
	char room[SECURED_CLIENT_MAX];
	struct secured how;
	const char *why;
	int rc = tls_server_shake(k->ssl, &why);

	if (rc == -EAGAIN)
		return false;
	if (rc == 0) {
		tls_server_tell(k->ssl, room, &how);
		k->stage = STAGE_OPEN;
		k->until_ms = 0;
	} else {
		how = (struct secured){ .why = str_of(why) };
	}
	if (!tell(k, &how) || rc != 0)
		end(k);
	return rc == 0;
}

/* Everything that could go on. */
static void pump(struct link *k)
{
	bool moved = true;

	for (unsigned i = 0; moved && k->stage != STAGE_OVER; i++) {
		if (i == ROUNDS) {
			if (!k->again) {
				k->again = true;
				k->next_again = relay.again;
				relay.again = k;
			}
			return;
		}
		switch (k->stage) {
		case STAGE_START:
			moved = start(k);
			break;
		case STAGE_SHAKE:
			moved = shake(k);
			break;
		case STAGE_OPEN:
			moved = pump_in(k);
			if (k->stage == STAGE_OPEN)
				moved = pump_out(k) || moved;
			break;
		case STAGE_OVER:
			break;
		}
		if (k->stage == STAGE_OPEN && k->client_ended) {
			if (k->plain_ended)
				end(k);
			else if (!k->in.p)
				(void)shutdown(k->plain, SHUT_WR);
		}
	}
}

/* --- all of them --------------------------------------------------------- */

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

static void answer(int plain, char word)
{
	ssize_t ignored = write(plain, &word, 1);

	(void)ignored;
}

static void refuse(const int fd[2])
{
	answer(fd[1], tls_certs_context() ? SECURED_NO : SECURED_NEVER);
	close(fd[0]);
	close(fd[1]);
}

static void add(const int fd[2])
{
	struct link *k =
	    relay.n < relay.r->limit ? calloc(1, sizeof(*k)) : NULL;
	char one = 1;
	ssize_t ignored;

	if (k)
		k->ssl = tls_server_open(fd[0]);
	if (!k || !k->ssl) {
		free(k);
		refuse(fd);
		return;
	}
	k->client = fd[0];
	k->plain = fd[1];
	k->until_ms = io_now_ms() + START_MS;
	k->next = relay.first;
	if (k->next)
		k->next->prev = k;
	relay.first = k;
	relay.r->state->sessions = ++relay.n;
	if (!watch(k)) {
		end(k);
		return;
	}
	answer(k->plain, SECURED_GO);
	if (relay.n == RELAY_BUSY) {
		ignored = write(relay.r->more_fd, &one, 1);
		(void)ignored;
	}
}

/* Who is in the middle of something goes on; others take what comes now. */
static void stop_taking(void)
{
	if (relay.closing)
		return;
	relay.closing = true;
	for (unsigned i = 0; i < relay.r->from->n; i++)
		(void)epoll_ctl(
		    relay.epoll, EPOLL_CTL_DEL, relay.r->from->v[i].fd, NULL);
}

static void take(int sock)
{
	int fd[2], rc = 1;

	for (unsigned i = 0; i < TAKE && (rc == 1 || rc == -EBADMSG); i++) {
		rc = pair_recv(sock, fd);
		if (rc == 0 && relay.r->from->type == SOCK_DGRAM)
			rc = -EBADMSG; /* empty: it has no end */
		if (rc == 1) {
			relay.r->state->taken++;
			add(fd);
		}
	}
	if (rc == 0)
		stop_taking();
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
		if (k->stage == STAGE_SHAKE)
			(void)tell(k, &(struct secured){
					  .why = STR("it takes too long") });
		end(k);
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
		pump(k);
	}
}

static void on_event(const struct epoll_event *e)
{
	struct link *k = e->data.ptr;

	if (k == NULL) { /* one of the sockets of requests: all are looked at */
		for (unsigned i = 0; i < relay.r->from->n && !relay.closing;
		     i++)
			take(relay.r->from->v[i].fd);
		return;
	}
	if (k->stage == STAGE_OVER)
		return;
	/* smtpd is gone: its last words have so long to get out */
	if ((e->events & EPOLLHUP) && k->until_ms == 0)
		k->until_ms = io_now_ms() + LAST_MS;
	pump(k);
	if ((e->events & EPOLLHUP) && k->stage == STAGE_SHAKE)
		end(k);
}

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
