/*
 * What cannot be written is kept, and nothing more is read for it until it is
 * gone: so the slower side sets the pace.
 */
#include "sys/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mail/secured.h"
#include "sys/io.h"
#include "sys/tls-server.h"

enum {
	SCRATCH = 64 * 1024,
	OUT_MAX = 16 * 1024,  /* one record of TLS */
	ROUNDS = 8,           /* of one connection, then others have a turn */
	START_MS = 10 * 1000, /* for smtpd to tell its client */
	LAST_MS = 30 * 1000,  /* for the client to take what smtpd left */
	LINGER_MS = 2000      /* for his answer to our end */
};

static char scratch[SCRATCH];

static bool keep(struct link_rest *r, struct str s)
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

static void drop(struct link_rest *r)
{
	free(r->p);
	r->p = NULL;
}

static struct str rest_str(const struct link_rest *r)
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
		ssize_t got = tls_server_read(k->ssl, scratch + n, SCRATCH - n);

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
	s = str_at(scratch, get_client(k, &end_of_it));
	n = put_or_lose(k, s);
	if (!keep(&k->in, str_skip(s, (size_t)n)))
		end_of_it = -ENOMEM;
	if (end_of_it == 0) {
		k->client_ended = true; /* what comes behind it is nobody's */
	} else if (end_of_it != -EAGAIN) {
		k->stage = LINK_OVER;
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
		k->stage = LINK_OVER;
		return false;
	}
	if (n < 0)
		n = 0;
	if (k->out.p) {
		k->out.from += (size_t)n;
		if (k->out.from == k->out.to)
			drop(&k->out);
	} else if (!keep(&k->out, str_skip(s, (size_t)n))) {
		k->stage = LINK_OVER;
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
		k->stage = LINK_OVER;
		return false;
	}
	k->stage = LINK_SHAKE;
	k->until_ms = io_now_ms() + k->handshake_s * 1000LL;
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
		k->stage = LINK_OPEN;
		k->until_ms = 0;
	} else {
		how = (struct secured){ .why = str_of(why) };
	}
	if (!tell(k, &how) || rc != 0)
		k->stage = LINK_OVER;
	return rc == 0;
}

bool link_pump(struct link *k)
{
	bool moved = true;

	for (unsigned i = 0; moved && k->stage != LINK_OVER; i++) {
		if (i == ROUNDS)
			return true;
		switch (k->stage) {
		case LINK_START:
			moved = start(k);
			break;
		case LINK_SHAKE:
			moved = shake(k);
			break;
		case LINK_OPEN:
			moved = pump_in(k);
			if (k->stage == LINK_OPEN)
				moved = pump_out(k) || moved;
			break;
		case LINK_OVER:
			break;
		}
		if (k->stage == LINK_OPEN && k->client_ended) {
			if (k->plain_ended)
				k->stage = LINK_OVER;
			else if (!k->in.p)
				(void)shutdown(k->plain, SHUT_WR);
		}
	}
	return false;
}

void link_hang_up(struct link *k)
{
	if (k->stage == LINK_SHAKE || k->stage == LINK_START)
		k->stage = LINK_OVER;
	else if (k->until_ms == 0)
		k->until_ms = io_now_ms() + LAST_MS;
}

void link_time_out(struct link *k)
{
	if (k->stage == LINK_SHAKE)
		(void)tell(
		    k, &(struct secured){ .why = STR("it takes too long") });
	k->stage = LINK_OVER;
}

int link_open(struct link *k, const int fd[2], unsigned handshake_s)
{
	k->ssl = tls_server_open(fd[0]);
	if (!k->ssl)
		return -ENOMEM;
	k->client = fd[0];
	k->plain = fd[1];
	k->stage = LINK_START;
	k->handshake_s = handshake_s;
	k->until_ms = io_now_ms() + START_MS;
	return 0;
}

void link_close(struct link *k)
{
	tls_server_free(k->ssl);
	close(k->client);
	close(k->plain);
	free(k->in.p);
	free(k->out.p);
}
