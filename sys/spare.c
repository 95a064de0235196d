/*
 * Both ends of a record that makes a spare process a session.
 */
#include "sys/spare.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/io.h"
#include "sys/log.h"
#include "sys/sandbox.h"

/* From one image of the program to itself: as it lies in memory. */
struct call {
	struct peer peer;
	bool asks;
	enum conf_service service;
};

/* --- the accept loop ---------------------------------------------------- */

/* What stands above the fixed numbers is the loop's: its listeners, and its
 * ends of other sessions; and so would be what stands below them. */
static void become_child(int fd)
{
	if (dup3(fd, SANDBOX_PARENT_FD, O_CLOEXEC) < 0)
		_exit(75);
	close(0); /* the client will be 0 */
	io_close_range(3, SANDBOX_SPOOL_FD - 1);
	io_close_range(SANDBOX_FREE_FD, ~0u);
}

/* Numbers below SANDBOX_FREE_FD have a meaning in the children, who close the
 * others: the loop leaves them alone. */
static int make_pair(int pair[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, pair) != 0)
		return -errno;
	pair[0] = io_raise_fd(pair[0], SANDBOX_FREE_FD);
	pair[1] = io_raise_fd(pair[1], SANDBOX_FREE_FD);
	if (pair[0] >= 0 && pair[1] >= 0)
		return 0;
	for (unsigned i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
	return -EMFILE;
}

int spare_start(struct spare *s, const struct conf *conf,
    void (*serve)(struct conversation *c))
{
	struct conversation talk = { .conf = conf };
	int pair[2], err, rc = make_pair(pair);

	s->pid = 0;
	if (rc < 0) {
		log_errno("session", "socketpair", -rc);
		return rc;
	}
	/* Not fork(2) of libc: it writes to pages that we would share. */
	s->pid = _Fork();
	if (s->pid == 0) {
		become_child(pair[1]);
		serve(&talk);
		_exit((int)talk.tls);
	}
	err = errno;
	close(pair[1]);
	s->fd = pair[0];
	if (s->pid > 0)
		return 0;
	log_errno("session", "fork", err);
	spare_end(s);
	return -err;
}

void spare_end(struct spare *s)
{
	close(s->fd);
	s->pid = 0;
}

int spare_give(struct spare *s, const struct peer *p, bool asks,
    enum conf_service service, int client)
{
	struct call call;
	int rc;

	memset(&call, 0, sizeof(call));
	call.peer = *p;
	call.asks = asks;
	call.service = service;
	rc = io_send_record(
	    s->fd, str_at((const char *)&call, sizeof(call)), client);
	if (rc < 0)
		spare_end(s);
	else if (!asks)
		close(s->fd);
	return rc;
}

/* --- the spare ---------------------------------------------------------- */

bool spare_is_called(int wait_ms)
{
	struct pollfd p = { .fd = SANDBOX_PARENT_FD, .events = POLLIN };

	return poll(&p, 1, wait_ms) != 0;
}

static int take(struct conversation *c)
{
	struct call call;
	char text[sizeof(call)];
	struct buf b = BUF(text);
	ssize_t n = io_recv_record(SANDBOX_PARENT_FD, &b, &c->in, 0);

	if (n < 0)
		return (int)n;
	if (n != (ssize_t)sizeof(call) || c->in < 0)
		return -EPIPE; /* 0: the loop has ended, or thought better */
	memcpy(&call, text, sizeof(call));
	c->out = c->in;
	c->peer = call.peer;
	c->asks_parent = call.asks;
	c->proxied = call.asks && call.peer.kind == PEER_INET;
	c->service = call.service;
	if (!call.asks)
		close(SANDBOX_PARENT_FD);
	return 0;
}

int spare_await(struct conversation *c)
{
	struct pollfd p[] = { { .fd = SANDBOX_PARENT_FD, .events = POLLIN },
		{ .fd = SANDBOX_DELIVER_FD, .events = POLLIN } };

	while (poll(p, 2, -1) < 0 || p[0].revents == 0) {
		if (p[1].revents == 0)
			continue;
		/* deliver has gone.  No client is sent to us from here on;
		 * one that is on his way already is heard. */
		if ((p[1].revents & POLLNVAL) == 0)
			(void)shutdown(SANDBOX_PARENT_FD, SHUT_RD);
		p[1].fd = -1;
	}
	return take(c);
}
