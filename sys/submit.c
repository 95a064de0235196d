/*
 * mail/client.h says what is next; the socket is ours.  Content is sent while
 * replies are listened for: a server may refuse it in its midst.
 */
#include "sys/submit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "sys/beside.h"
#include "sys/io.h"

enum { HEARD = 16 * 1024, BLOCK = 16 * 1024, PAUSE_MS = 20, PAUSE_MOST = 500 };

static struct {
	struct submit *s;
	struct client client;
	struct client_setup setup;
	struct client_mail mail;
	struct wire wire;
	int fd;
	int smtpd; /* one of our own */
} k = { .fd = -1 };

static void explain(struct submit *s, struct str what, struct str why)
{
	s->why = BUF(s->why_text);
	buf_escape(&s->why, what, SUBMIT_WHY_MAX / 2);
	buf_putz(&s->why, ": ");
	buf_escape(&s->why, why, SUBMIT_WHY_MAX / 2 - 4);
}

/* --- fates --------------------------------------------------------------- */

/* What a refusal means to the caller, sysexits(3); the first that fits. */
static int code_of(struct str status)
{
	static const struct {
		struct str status;
		int code;
	} rows[] = {
		{ { "5.1.1", 5 }, EX_NOUSER },
		{ { "5.1.6", 5 }, EX_NOUSER },
		{ { "5.1.2", 5 }, EX_NOHOST },
		{ { "5.1.", 4 }, EX_DATAERR },
		{ { "5.5.", 4 }, EX_PROTOCOL },
		{ { "5.6.", 4 }, EX_DATAERR },
		{ { "5.7.", 4 }, EX_NOPERM },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_starts(status, rows[i].status))
			return rows[i].code;
	return EX_UNAVAILABLE;
}

static void say(FILE *to, struct str who, struct str text)
{
	char room[4 * ADDR_TEXT_MAX];
	struct buf b = BUF(room);

	buf_escape(&b, who, sizeof(room));
	fprintf(
	    to, "sendmail: %.*s: %.*s\n", (int)b.n, b.p, (int)text.n, text.p);
}

static void tell(void *arg, unsigned index, enum client_fate fate,
    struct str status, struct str text, bool said)
{
	struct submit *s = arg;
	struct str who = s->letter->envelope.rcpt[index];

	(void)said;
	if (!s->is_open[index])
		return;
	if (fate == CLIENT_LATER) {
		explain(s, who, text);
		return;
	}
	s->is_open[index] = false;
	s->nleft--;
	if (fate == CLIENT_NEVER) {
		s->nrefused++;
		if (s->code == 0)
			s->code = code_of(status);
		say(stderr, who, text);
		return;
	}
	s->ndone++;
	if (s->verbose)
		say(stdout, who, text);
}

/* --- the connection ------------------------------------------------------ */

static void lose(const char *why)
{
	client_lost(&k.client, STR("4.4.2"), str_of(why));
}

static int64_t deadline(void)
{
	unsigned patience_s = client_patience_s(&k.client);
	enum client_at at = k.client.at;

	if (at == CLIENT_AT_GREETING || at == CLIENT_AT_EHLO ||
	    at == CLIENT_AT_HELO)
		patience_s = SUBMIT_GREETING_S;
	return io_now_ms() + (int64_t)patience_s * 1000;
}

static void hear(void)
{
	char text[HEARD];
	ssize_t n = recv(k.fd, text, sizeof(text), MSG_DONTWAIT);

	if (n > 0)
		client_feed(&k.client, str_at(text, (size_t)n));
	else if (n == 0)
		lose("the connection was closed");
	else if (errno != EAGAIN && errno != EINTR)
		lose(strerror(errno));
}

/* Sends and hears until all of it is out, or there is no use. */
static void push(struct str s, enum client_want while_wanted)
{
	while (s.n > 0 && client_want(&k.client) == while_wanted) {
		struct pollfd p = { k.fd, POLLIN | POLLOUT, 0 };
		int rc = poll(&p, 1, (int)(deadline() - io_now_ms()));
		bool broken = false;
		ssize_t n;

		if (rc < 0 && errno == EINTR)
			continue;
		if (rc <= 0) {
			lose(rc == 0 ? "no answer in time" : strerror(errno));
			return;
		}
		if ((p.revents & POLLOUT) != 0) {
			n = send(k.fd, s.p, s.n, MSG_NOSIGNAL | MSG_DONTWAIT);
			if (n > 0)
				s = str_skip(s, (size_t)n);
			else if (errno != EAGAIN && errno != EINTR)
				broken = true;
		}
		if (broken || (p.revents & ~POLLOUT) != 0)
			hear(); /* perhaps why */
		if (broken)
			lose("the connection was closed");
	}
}

/* Until one more reply is there. */
static void exchange(void)
{
	uint64_t heard = k.client.heard;
	int64_t by = deadline();
	int rc;

	while (
	    client_want(&k.client) == CLIENT_REPLY && k.client.heard == heard) {
		struct str out = client_output(&k.client);

		if (out.n > 0) {
			/* A few kB at most, and replies to them fit, too. */
			rc = io_write_all(k.fd, out, by);
			client_written(&k.client, out.n);
			if (rc < 0)
				hear();
			continue;
		}
		rc = io_wait_read(k.fd, by);
		if (rc == 0)
			hear();
		else if (rc != -EINTR)
			lose(rc == -ETIMEDOUT ? "no answer in time"
					      : strerror(-rc));
	}
}

static void put_content(void *arg, struct str s)
{
	static char room[WIRE_TIMES * BLOCK];

	(void)arg;
	while (s.n > 0) {
		struct buf out = BUF(room);

		wire_put(&k.wire, str_head(s, BLOCK), &out);
		push(buf_str(&out), CLIENT_CONTENT);
		s = str_skip(s, BLOCK);
	}
}

static void send_content(void)
{
	char text[WIRE_END_OCTETS];
	struct buf end = BUF(text);
	int rc;

	k.wire = (struct wire){ 0 };
	rc = letter_write(k.s->letter, put_content, NULL);
	if (rc < 0)
		lose(strerror(-rc));
	wire_end(&k.wire, &end);
	push(buf_str(&end), CLIENT_CONTENT);
	client_sent(&k.client);
}

static void give_rcpt(void)
{
	unsigned i = client_index(&k.client);
	struct qfile_rcpt r = { .status = QFILE_NEW,
		.notify = k.s->notify,
		.address = k.s->letter->envelope.rcpt[i] };

	client_give_rcpt(&k.client, &r);
}

static void converse(void)
{
	bool begun = false;

	for (;;) {
		switch (client_want(&k.client)) {
		case CLIENT_REPLY:
			exchange();
			break;
		case CLIENT_RCPT:
			give_rcpt();
			break;
		case CLIENT_CONTENT:
			send_content();
			break;
		case CLIENT_READY:
			if (begun)
				client_quit(&k.client);
			else
				client_begin(&k.client, &k.mail,
				    k.s->letter->envelope.nrcpt, k.s->is_open);
			begun = true;
			break;
		case CLIENT_TLS: /* never on this socket */
		case CLIENT_END:
			return;
		}
	}
}

/* --- finding somebody ---------------------------------------------------- */

void submit_reap(void)
{
	while (k.smtpd > 0 && waitpid(k.smtpd, NULL, 0) < 0 && errno == EINTR)
		;
	k.smtpd = 0;
}

static int connect_once(struct submit *s)
{
	int fd = -ENOENT;

	for (unsigned i = 0; i < SUBMIT_PATHS_MAX && s->path[i]; i++) {
		fd = io_connect_unix(s->path[i], SOCK_STREAM);
		if (fd >= 0)
			return fd;
		explain(s, str_of(s->path[i]), str_of(strerror(-fd)));
	}
	if (!s->may_start || (fd != -ENOENT && fd != -ECONNREFUSED))
		return fd;
	fd = beside_start_smtpd(&k.smtpd);
	if (fd < 0)
		explain(s, STR("starting smtpd"), str_of(strerror(-fd)));
	return fd;
}

/* False when the time is over. */
static bool wait_a_little(int64_t by_ms, int *pause_ms)
{
	if (io_now_ms() >= by_ms)
		return false;
	(void)poll(NULL, 0, *pause_ms);
	*pause_ms = *pause_ms * 2 < PAUSE_MOST ? *pause_ms * 2 : PAUSE_MOST;
	return true;
}

int submit_connect(struct submit *s)
{
	int64_t by_ms = io_now_ms() + SUBMIT_PATIENCE_MS;
	int fd, pause_ms = PAUSE_MS;

	do
		fd = connect_once(s);
	while (fd < 0 && wait_a_little(by_ms, &pause_ms));
	return fd;
}

static void attempt(struct submit *s)
{
	k.fd = connect_once(s);
	if (k.fd < 0)
		return;
	client_start(&k.client, &k.setup);
	converse();
	if (s->nleft > 0 && !k.client.end.quit)
		explain(s, str_of(s->path[0]), client_end_text(&k.client));
	close(k.fd);
	k.fd = -1;
	submit_reap();
}

void submit_run(struct submit *s)
{
	const struct letter *l = s->letter;
	int64_t by_ms = io_now_ms() + SUBMIT_PATIENCE_MS;
	int pause_ms = PAUSE_MS;

	k.s = s;
	s->why = BUF(s->why_text);
	s->head.sender = l->envelope.sender;
	s->head.utf8 = l->utf8;
	s->head.body = l->sum.beyond_ascii ? QFILE_8BIT : QFILE_7BIT;
	s->nleft = l->envelope.nrcpt;
	for (unsigned i = 0; i < s->nleft; i++)
		s->is_open[i] = true;
	k.setup = (struct client_setup){ .tls = CLIENT_TLS_NEVER,
		.hostname = s->hostname,
		.is_exempt = true,
		.tell = tell,
		.arg = s };
	k.mail = (struct client_mail){ &s->head, l->sum.octets,
		l->sum.beyond_ascii };
	do
		attempt(s);
	while (s->nleft > 0 && wait_a_little(by_ms, &pause_ms));
}
