/*
 * Carriers are forked, so that what they read from strangers dies with them.
 * Each keeps only its socket: a message's lock must not outlive the pass in
 * a process that has nothing to do with it.
 */
#include "sys/crew.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mail/request.h"
#include "sys/io.h"
#include "sys/log.h"
#include "sys/route.h"
#include "sys/sandbox.h"

enum { FIELDS = 6 };

/* In the carrier: the journal's socket is not for somebody who hears
 * strangers. */
static bool send_line(struct str line)
{
	char text[CARRIER_RECORD];
	struct buf b = BUF(text);

	request_begin(&b, 'J');
	request_field(&b, line);
	return !b.full && io_send_record(SANDBOX_FREE_FD, buf_str(&b), -1) == 0;
}

static void become_carrier(
    int sock, const struct conf *conf, struct str key, pid_t pass)
{
	char path[HOP_PATH_MAX + 1];
	struct buf room = BUF(path);
	struct carrier carrier;

	/* with the pass goes whoever would hear of the fates */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGINT, SIG_DFL);
	if (getppid() != pass)
		_exit(0);
	if (dup2(sock, SANDBOX_FREE_FD) < 0)
		_exit(1);
	io_close_range(3, SANDBOX_LOG_FD - 1);
	io_close_range(SANDBOX_LOG_FD + 1, SANDBOX_FREE_FD - 1);
	io_close_range(SANDBOX_FREE_FD + 1, ~0u);
	if (log_fd() != SANDBOX_LOG_FD)
		close(SANDBOX_LOG_FD);
	if (log_is_diverted())
		log_divert(send_line);
	route_carrier(conf, key, &room, &carrier);
	carrier_serve(SANDBOX_FREE_FD, &carrier);
	_exit(0);
}

int crew_start(struct crew *c, const struct conf *conf, struct str key)
{
	int pair[2], rc, i = 0;
	pid_t pass = getpid();
	struct crewman *m;

	while (i < CREW_MAX && c->man[i].state != CREW_FREE)
		i++;
	if (i == CREW_MAX)
		return -EAGAIN;
	m = &c->man[i];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		rc = -errno;
		log_errno("carrier", "socketpair", -rc);
		return rc;
	}
	*m = (struct crewman){ .state = CREW_STARTING,
		.sock = pair[0],
		.message = CREW_NONE,
		.heard_ms = io_now_ms() };
	m->pid = fork();
	if (m->pid == 0)
		become_carrier(pair[1], conf, key, pass);
	rc = -errno;
	close(pair[1]);
	if (m->pid < 0) {
		close(pair[0]);
		m->state = CREW_FREE;
		log_errno("carrier", "fork", -rc);
		return rc;
	}
	c->poll[i] = (struct pollfd){ .fd = m->sock, .events = POLLIN };
	c->n++;
	return i;
}

static void number_field(struct buf *b, uint64_t n)
{
	char text[24];
	struct buf t = BUF(text);

	buf_u64(&t, n);
	request_field(b, buf_str(&t));
}

int crew_send(struct crew *c, int man, const struct queued *q, int fd,
    const uint64_t offset[CREW_JOB])
{
	struct crewman *m = &c->man[man];
	char text[CARRIER_RECORD];
	struct buf b = BUF(text);
	int rc;

	request_begin(&b, 'M');
	request_field(&b, str_of(q->id));
	memcpy(m->id, q->id, sizeof(m->id));
	number_field(&b, m->ntask);
	rc = io_send_record(m->sock, buf_str(&b), fd);
	for (unsigned i = 0; i < m->ntask && rc == 0; i++) {
		buf_clear(&b);
		request_begin(&b, 'R');
		number_field(&b, offset[i]);
		rc = io_send_record(m->sock, buf_str(&b), -1);
	}
	m->state = CREW_BUSY;
	m->heard_ms = io_now_ms();
	return rc;
}

void crew_dismiss(struct crew *c, int man)
{
	c->man[man].state = CREW_LEAVING;
	c->man[man].heard_ms = io_now_ms();
	(void)shutdown(c->man[man].sock, SHUT_WR);
}

void crew_bury(struct crew *c, int man)
{
	struct crewman *m = &c->man[man];

	/* He has nothing to say any more, whatever he is doing. */
	(void)kill(m->pid, SIGKILL);
	while (waitpid(m->pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(m->sock);
	c->poll[man] = (struct pollfd){ .fd = -1 };
	m->state = CREW_FREE;
	c->n--;
}

/* Splits a record into exactly `want` fields; false when it is another. */
static bool split(struct str record, struct str *field, unsigned want)
{
	unsigned n = 0;

	if (record.n == 0)
		return false;
	record = str_skip(record, 1);
	while (record.n > 0 && n < FIELDS) {
		size_t end = str_find(record, '\0');

		if (end == record.n)
			return false;
		field[n++] = str_head(record, end);
		record = str_skip(record, end + 1);
	}
	return n == want && record.n == 0;
}

static enum crew_word take_fate(
    const struct crewman *m, struct str record, struct crew_news *news)
{
	struct str f[FIELDS];
	uint64_t index;

	if (!split(record, f, 6) || m->state != CREW_BUSY ||
	    str_u64(f[0], &index) != 0 || index >= m->ntask ||
	    m->task[index] == CREW_NONE || f[1].n != 1 ||
	    str_find(STR("DWLN"), f[1].p[0]) == 4)
		return CREW_GONE;
	*news = (struct crew_news){ .index = (unsigned)index,
		.fate = f[1].p[0],
		.status = f[2],
		.text = f[3],
		.remote = f[4],
		.tls = f[5] };
	return CREW_FATE;
}

/* He may speak of the message that he has, or had last, and of no other. */
static enum crew_word take_line(const struct crewman *m, struct str record)
{
	struct str f[FIELDS], rest, key, value;

	if (!log_is_diverted() || !split(record, f, 1))
		return CREW_GONE;
	rest = f[0];
	while (log_field(&rest, &key, &value))
		if (str_eq(key, STR("id")) && !str_eq(value, str_of(m->id)))
			return CREW_GONE;
	return log_pass_on(f[0]) ? CREW_QUIET : CREW_GONE;
}

static enum crew_word understand(
    struct crewman *m, struct str record, struct crew_news *news)
{
	struct str f[FIELDS];

	switch (record.n > 0 ? record.p[0] : '\0') {
	case 'A':
		if (!split(record, f, 0) || m->state != CREW_STARTING)
			return m->state == CREW_LEAVING ? CREW_QUIET
							: CREW_GONE;
		m->state = CREW_READY;
		m->served = true;
		return CREW_CALLS;
	case 'V':
		return take_fate(m, record, news);
	case 'E':
		if (!split(record, f, 0) || m->state != CREW_BUSY)
			return CREW_GONE;
		m->state = CREW_STARTING;
		return CREW_TOLD;
	case 'X':
		/* his last word: once more and more would keep us hearing */
		if (!split(record, f, 2) || m->lost)
			return CREW_GONE;
		m->lost = true;
		*news = (struct crew_news){ .status = f[0], .text = f[1] };
		return CREW_LOST;
	case 'J':
		return take_line(m, record);
	default:
		return CREW_GONE;
	}
}

enum crew_word crew_hear(struct crew *c, int man, struct crew_news *news)
{
	static char text[CARRIER_RECORD];
	struct crewman *m = &c->man[man];
	struct buf b = BUF(text);
	enum crew_word word;
	int fd = -1;
	ssize_t n = io_recv_record(m->sock, &b, &fd, MSG_DONTWAIT);
	int64_t limit =
	    m->state == CREW_LEAVING ? CREW_LEAVE_MS : CREW_SILENT_MS;

	if (fd >= 0)
		close(fd);
	if (n == -EAGAIN)
		return io_now_ms() - m->heard_ms > limit ? CREW_GONE
							 : CREW_QUIET;
	if (n <= 0)
		return CREW_GONE;
	m->heard_ms = io_now_ms();
	word = understand(m, buf_str(&b), news);
	if (word == CREW_GONE)
		log_note(LOGL_ERR, "carrier", "not a record of the protocol");
	return word;
}
