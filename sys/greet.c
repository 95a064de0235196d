/*
 * A short dialogue.  The server is ours, or whoever has its place.
 */
#include "sys/greet.h"

#include <sys/socket.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "sys/io.h"

struct talk {
	int fd;
	int64_t deadline_ms;
	size_t n;
	char in[2048];
};

/* A whole reply; its code, 0 at the end, or -ETIMEDOUT. */
static int hear(struct talk *t, struct greet *g)
{
	for (;;) {
		struct str rest = str_at(t->in, t->n), line;
		size_t end = str_find(rest, '\n');
		ssize_t n;

		if (end < rest.n) {
			struct buf b = BUF(g->text);

			line = str_head(rest, end);
			if (line.n > 0 && line.p[line.n - 1] == '\r')
				line.n--;
			buf_escape(&b, line, sizeof(g->text) - 4);
			g->n = b.n;
			t->n -= end + 1;
			memmove(t->in, t->in + end + 1, t->n);
			if (line.n > 3 && line.p[3] == '-')
				continue;
			return line.n >= 3 ? line.p[0] - '0' : 9;
		}
		if (t->n == sizeof(t->in))
			return 9;
		if (io_wait_read(t->fd, t->deadline_ms) == -ETIMEDOUT)
			return -ETIMEDOUT;
		n = read(t->fd, t->in + t->n, sizeof(t->in) - t->n);
		if (n <= 0)
			return 0;
		t->n += (size_t)n;
	}
}

static int ask(struct talk *t, struct greet *g, struct str command)
{
	if (command.n > 0 &&
	    send(t->fd, command.p, command.n, MSG_NOSIGNAL) < 0)
		return 0;
	return hear(t, g);
}

/* Takes the connection. */
static void talk(struct greet *g, int fd)
{
	struct talk t = { .fd = fd,
		.deadline_ms = io_now_ms() + GREET_S * 1000 };
	int class = ask(&t, g, STR(""));

	if (class == 2)
		class = ask(&t, g, STR("EHLO localhost\r\n"));
	g->found = class == 2            ? GREET_GOOD
		   : class == -ETIMEDOUT ? GREET_SILENT
					 : GREET_BAD;
	if (class == 0) {
		struct buf b = BUF(g->text);

		buf_putz(&b, "the connection was closed");
		g->n = b.n;
	}
	if (class == 2)
		(void)ask(&t, &(struct greet){ 0 }, STR("QUIT\r\n"));
	close(fd);
}

static void nobody(struct greet *g, int error)
{
	g->found = GREET_NOBODY;
	g->error = error;
}

void greet_unix(struct greet *g, const char *path)
{
	int fd = io_connect_unix(path, SOCK_STREAM);

	*g = (struct greet){ 0 };
	if (fd < 0)
		nobody(g, -fd);
	else
		talk(g, fd);
}

void greet_loopback(struct greet *g, bool v6, unsigned short port)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*g = (struct greet){ 0 };
	if (fd >= 0 && connect(fd,
			   v6 ? (const struct sockaddr *)&in6
			      : (const struct sockaddr *)&in4,
			   v6 ? sizeof(in6) : sizeof(in4)) == 0) {
		talk(g, fd);
		return;
	}
	nobody(g, errno);
	if (fd >= 0)
		close(fd);
}

int greet_request(const char *path)
{
	int fd = io_connect_unix(path, SOCK_SEQPACKET);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}
