/*
 * One descriptor for all sessions of a listener, and what the listener knows
 * of the program behind it.
 */
#include "sys/handoff.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/io.h"
#include "sys/log.h"
#include "sys/pair.h"
#include "sys/sandbox.h"

enum {
	PATH_ROOM = 108,
	AGAIN_MS = 60 * 1000, /* until TLS is offered again */
	LOOK_MS = 3000,       /* ... when it is being restarted, maybe */
	PAUSE_MS = 10
};

static struct {
	bool own;     /* the other end is a tls that we start */
	bool open;    /* SANDBOX_TLS_FD is ours */
	bool offered; /* to clients */
	bool told;    /* why not */
	int64_t again_ms;
} handoff;

void handoff_use(int fd)
{
	handoff.own = handoff.open = io_move_fd(fd, SANDBOX_TLS_FD) >= 0;
}

int handoff_find(const char *run_directory)
{
	char text[PATH_ROOM];
	struct buf path = BUF(text);
	int fd;

	if (handoff.open)
		return 0;
	buf_putz(&path, run_directory);
	buf_putz(&path, "/tls");
	buf_putc(&path, '\0');
	if (path.full)
		return -ENAMETOOLONG;
	fd = io_connect_unix(text, SOCK_DGRAM);
	if (fd >= 0)
		fd = io_move_fd(fd, SANDBOX_TLS_FD);
	handoff.open = fd >= 0;
	return fd < 0 ? fd : 0;
}

/* A file that is certainly not there; what we may not see may be. */
static const char *missing(const struct conf_files *f)
{
	struct stat st;

	for (unsigned i = 0; i < f->n; i++)
		if (f->v[i][0] == '/' && stat(f->v[i], &st) != 0 &&
		    errno != EACCES)
			return f->v[i];
	return NULL;
}

static void not_offered(const char *what, int error, int64_t pause_ms)
{
	if (!handoff.told)
		log_errno("tls-not-offered", what, error);
	handoff.told = true;
	handoff.offered = false;
	handoff.again_ms = io_now_ms() + pause_ms;
}

void handoff_prepare(const struct conf *c)
{
	const char *file;
	int rc;

	handoff.again_ms = 0;
	handoff.offered = false;
	if (!conf_offers_tls(c))
		return;
	file = missing(&c->tls_certificates);
	if (!file)
		file = missing(&c->tls_keys);
	if (file) {
		not_offered(file, ENOENT, LOOK_MS);
		return;
	}
	rc = handoff_find(c->run_directory);
	if (rc < 0) {
		not_offered("RUN/tls", -rc, LOOK_MS);
		return;
	}
	handoff.offered = true;
	handoff.told = false;
}

bool handoff_is_offered(void)
{
	return handoff.offered;
}

void handoff_ended(const struct conf *c, int code)
{
	if (!handoff.offered)
		return;
	if (code == HANDOFF_GONE) {
		if (handoff.own) /* it is started again */
			return;
		close(SANDBOX_TLS_FD);
		handoff.open = false;
		handoff_prepare(c);
		return;
	}
	handoff.offered = false;
	handoff.again_ms = io_now_ms() + AGAIN_MS;
	log_note(LOGL_WARNING, "tls-not-offered", "for a minute");
}

bool handoff_renew(const struct conf *c)
{
	if (handoff.again_ms == 0 || io_now_ms() < handoff.again_ms)
		return false;
	handoff_prepare(c);
	return handoff.offered;
}

/* --- in a session -------------------------------------------------------- */

static int failed(const char *what, int rc)
{
	log_errno("tls-connection", what, -rc);
	return rc;
}

/* Descriptors in flight are counted per user, and so are datagrams: both may
 * need a little patience. */
static int send_pair(const int fd[2], int64_t deadline_ms)
{
	int rc;

	while ((rc = pair_send(SANDBOX_TLS_FD, fd)) == -EAGAIN ||
	       rc == -ETOOMANYREFS || rc == -ENOBUFS) {
		if (io_now_ms() >= deadline_ms)
			return -ETIMEDOUT;
		if (rc == -EAGAIN)
			(void)io_wait_write(SANDBOX_TLS_FD, deadline_ms);
		else /* nothing comes there: a pause */
			(void)io_wait_read(fd[1], io_now_ms() + PAUSE_MS);
	}
	return rc;
}

static int read_all(int fd, char *to, size_t n, int64_t deadline_ms)
{
	while (n > 0) {
		ssize_t got = read(fd, to, n);
		int rc;

		if (got == 0)
			return -EPIPE;
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (got < 0) {
			rc = io_wait_read(fd, deadline_ms);
			if (rc < 0 && rc != -EINTR)
				return rc;
			continue;
		}
		to += got;
		n -= (size_t)got;
	}
	return 0;
}

int handoff_ask(
    int client, int64_t deadline_ms, int *plain, enum handoff_end *end)
{
	int pair[2], out[2], rc;
	char answer;

	*end = HANDOFF_NEVER;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		pair) != 0)
		return failed("socketpair", -errno);
	out[0] = client;
	out[1] = pair[1];
	rc = send_pair(out, deadline_ms);
	close(pair[1]);
	if (rc == 0)
		rc = read_all(pair[0], &answer, 1, deadline_ms);
	if (rc < 0 && rc != -ETIMEDOUT)
		*end = HANDOFF_GONE;
	if (rc == 0 && answer != SECURED_NEVER)
		*end = HANDOFF_GOOD;
	if (rc == 0 && answer == SECURED_GO) {
		*plain = pair[0];
		return 0;
	}
	if (rc == 0)
		rc = answer == SECURED_NO ? -EBUSY : -ENOENT;
	close(pair[0]);
	return failed("ask", rc);
}

int handoff_begin(
    int plain, int64_t deadline_ms, char *room, struct secured *how)
{
	const char start = SECURED_START;
	int rc = io_write_all(plain, str_at(&start, 1), deadline_ms);

	if (rc == 0)
		rc = read_all(plain, room, SECURED_OCTETS, deadline_ms);
	if (rc == 0 && secured_parse(str_at(room, SECURED_OCTETS), how) != 0)
		rc = -EBADMSG;
	if (rc < 0)
		return failed("handshake", rc);
	return 0;
}
