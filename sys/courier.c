/*
 * Requests to deliver over SANDBOX_DELIVER_FD, see mail/request.h.  deliver
 * answers each before the next is sent; a deadline or a broken record ends
 * the connection for this session.
 */
#include "sys/courier.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mail/answer.h"
#include "sys/io.h"
#include "sys/log.h"
#include "sys/sandbox.h"

enum {
	LOOKUP_MS = 60 * 1000,
	STORE_MS = 330 * 1000, /* a little more than deliver takes */
	OVERHEAD = 4096,       /* of the kernel's, in what a socket may hold */
	COURIER_PATH_MAX = 108
};

static bool connected;
static size_t content_max;
static char record[REQUEST_MAX];

static const struct verdict unreachable = { VERDICT_LATER, { "4.3.0", 5 },
	{ "local delivery is not available, try again later", 48 } };

int courier_connect(const char *run_directory)
{
	char text[COURIER_PATH_MAX];
	struct buf path = BUF(text);
	int fd;

	connected = false;
	buf_putz(&path, run_directory);
	buf_putz(&path, "/deliver");
	buf_putc(&path, '\0');
	if (path.full)
		return -ENAMETOOLONG;
	fd = io_connect_unix(text, SOCK_SEQPACKET);
	if (fd < 0)
		return fd;
	courier_use(fd);
	return 0;
}

/* A record is never larger than the buffer of the socket that sends it. */
static size_t record_room(int fd)
{
	socklen_t n = sizeof(int);
	int size = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &n) != 0 ||
	    size < REQUEST_MAX + OVERHEAD)
		return 0;
	size -= REQUEST_MAX + OVERHEAD;
	return size < REQUEST_CONTENT_MAX ? (size_t)size : REQUEST_CONTENT_MAX;
}

size_t courier_content_max(void)
{
	return content_max;
}

void courier_use(int fd)
{
	content_max = record_room(fd);
	if (io_move_fd(fd, SANDBOX_DELIVER_FD) < 0)
		return;
	/* Reads and writes wait in poll(2), where a deadline holds. */
	(void)fcntl(SANDBOX_DELIVER_FD, F_SETFL, O_NONBLOCK);
	connected = true;
}

static int broken(const char *what, int error)
{
	log_errno("deliver-connection", what, error);
	close(SANDBOX_DELIVER_FD);
	connected = false;
	return -error;
}

/* `more` comes behind what is in b. */
static int send_record(
    const struct buf *b, struct str more, int fd, int64_t deadline_ms)
{
	if (!connected)
		return -ENOTCONN;
	if (b->full)
		return -EMSGSIZE;
	for (;;) {
		int rc =
		    io_send_parts(SANDBOX_DELIVER_FD, buf_str(b), more, fd);

		if (rc == 0)
			return 0;
		/* Descriptors in flight are counted per user: wait a little. */
		if (rc != -EAGAIN && rc != -ETOOMANYREFS)
			return broken("send", -rc);
		if (io_now_ms() >= deadline_ms)
			return broken("send", ETIMEDOUT);
		if (rc == -EAGAIN)
			(void)io_wait_write(SANDBOX_DELIVER_FD, deadline_ms);
		else /* nothing comes before our next record: a pause */
			(void)io_wait_read(
			    SANDBOX_DELIVER_FD, io_now_ms() + 10);
	}
}

/* The next record.  0 or -errno. */
static int receive_record(struct buf *b, int64_t deadline_ms)
{
	ssize_t n;
	int fd;

	while ((n = io_recv_record(SANDBOX_DELIVER_FD, b, &fd, 0)) == -EAGAIN) {
		int rc = io_wait_read(SANDBOX_DELIVER_FD, deadline_ms);

		if (rc < 0 && rc != -EINTR)
			return broken("receive", -rc);
	}
	if (fd >= 0)
		close(fd);
	return n > 0 ? 0 : broken("receive", n < 0 ? (int)-n : EPIPE);
}

static int receive(
    char letter, unsigned nfields, struct request *r, int64_t deadline_ms)
{
	struct buf b = BUF(record);
	int rc = receive_record(&b, deadline_ms);

	if (rc < 0)
		return rc;
	if (request_answer(buf_str(&b), letter, nfields, r) != 0)
		return broken("answer", EBADMSG);
	return 0;
}

/* False when there is none, and *v says "later". */
static bool receive_verdict(char letter, struct verdict *v, int64_t deadline_ms)
{
	struct request r;

	if (receive(letter, 3, &r, deadline_ms) == 0 && verdict_get(&r, v) == 0)
		return true;
	*v = unreachable;
	return false;
}

static void put_number(struct buf *b, uint64_t n)
{
	char text[24];
	struct buf digits = BUF(text);

	buf_u64(&digits, n);
	request_field(b, buf_str(&digits));
}

/* The answer to L: l, or g and then l. */
static void receive_lookup(
    struct verdict *v, struct forwards *f, int64_t deadline_ms)
{
	static char told[REQUEST_MAX + REQUEST_FORWARDS_MAX];
	struct buf b = BUF(told);
	struct request r;

	*v = unreachable;
	if (receive_record(&b, deadline_ms) < 0)
		return;
	if (request_answer(buf_str(&b), 'l', 3, &r) == 0) {
		if (verdict_get(&r, v) == 0 && v->kind != VERDICT_FORWARD)
			return;
		*v = unreachable;
		(void)broken("answer", EBADMSG);
	} else if (request_forwards(buf_str(&b), f) != 0) {
		(void)broken("answer", EBADMSG);
	} else if (receive_verdict('l', v, deadline_ms) &&
		   v->kind != VERDICT_FORWARD) {
		*v = unreachable;
		(void)broken("answer", EBADMSG);
	}
}

void courier_lookup(const struct addr *to, struct str from, unsigned flags,
    struct verdict *v, struct forwards *f)
{
	struct buf b = BUF(record);
	int64_t deadline_ms = io_now_ms() + LOOKUP_MS;

	request_begin(&b, 'L');
	put_number(&b, flags);
	request_field(&b, addr_local(to));
	request_field(&b, addr_domain(to));
	request_field(&b, from);
	if (send_record(&b, STR(""), -1, deadline_ms) == 0)
		receive_lookup(v, f, deadline_ms);
	else
		*v = unreachable;
}

static int send_rcpt(
    const struct session *s, unsigned i, uint64_t flags, int64_t deadline_ms)
{
	char text[ADDR_TEXT_MAX + DOMAIN_MAX];
	struct buf address = BUF(text), b = BUF(record);

	session_rcpt_put(s, i, &address);
	if (s->rcpt[i].forwarded)
		flags |= REQUEST_FORWARDED | (uint64_t)s->rcpt[i].sum
						 << REQUEST_SUM_SHIFT;
	request_begin(&b, 'R');
	put_number(&b, flags);
	request_field(&b, session_rcpt_local(s, i));
	request_field(&b, session_rcpt_domain(s, i));
	request_field(&b, buf_str(&address));
	return send_record(&b, STR(""), -1, deadline_ms);
}

static int send_message(const struct session *s,
    const struct courier_message *m, int64_t deadline_ms)
{
	char text[ADDR_TEXT_MAX + DOMAIN_MAX];
	struct buf from = BUF(text), b = BUF(record);

	session_from_put(s, &from);
	request_begin(&b, m->fd < 0 ? 'M' : 'S');
	if (m->fd >= 0) {
		put_number(&b, m->start);
		put_number(&b, m->size);
	}
	request_field(&b, buf_str(&from));
	return send_record(
	    &b, m->fd < 0 ? m->content : STR(""), m->fd, deadline_ms);
}

/* A copy in `room`; s may already be there. */
static struct str keep(char *room, size_t max, struct str s)
{
	s = str_head(s, max);
	memmove(room, s.p, s.n);
	return str_at(room, s.n);
}

static bool is_local(const struct session *s, unsigned i)
{
	return s->rcpt[i].route == SESSION_LOCAL;
}

void courier_store(const struct session *s, unsigned flags,
    const struct courier_message *m,
    void (*each)(void *self, unsigned rcpt, const struct verdict *v, bool lost),
    void *self, struct verdict *v)
{
	int64_t deadline_ms = io_now_ms() + STORE_MS;
	static char text[REQUEST_TEXT_MAX], status[16];
	unsigned n = 0;
	int rc = 0;

	for (unsigned i = 0; i < s->nrcpt && rc == 0; i++)
		if (is_local(s, i))
			rc = send_rcpt(s, i, flags, deadline_ms);
	if (rc == 0)
		rc = send_message(s, m, deadline_ms);
	*v = unreachable;
	for (unsigned i = 0; i < s->nrcpt; i++) {
		struct verdict one = unreachable;
		bool told = false;

		if (!is_local(s, i))
			continue;
		if (rc == 0 && connected)
			told = receive_verdict('s', &one, deadline_ms);
		each(self, i, &one, rc == 0 && !told);
		answer_join(v, n++, &one);
		/* The next record overwrites what the verdict points to. */
		v->text = keep(text, sizeof(text), v->text);
		v->status = keep(status, sizeof(status), v->status);
	}
}

struct str courier_user(uint32_t uid)
{
	struct buf b = BUF(record);
	int64_t deadline_ms = io_now_ms() + LOOKUP_MS;
	struct request r;

	request_begin(&b, 'U');
	put_number(&b, uid);
	if (send_record(&b, STR(""), -1, deadline_ms) != 0 ||
	    receive('u', 1, &r, deadline_ms) != 0)
		return STR("");
	return r.field[0];
}

void courier_sender(
    uint32_t uid, struct str from, struct verdict *v, struct str *name)
{
	static const struct verdict unknown = { VERDICT_LATER, { "4.3.0", 5 },
		{ "who you are cannot be looked up now, try again later",
		    52 } };
	struct buf b = BUF(record);
	int64_t deadline_ms = io_now_ms() + LOOKUP_MS;
	struct request r;

	*v = unknown;
	*name = STR("");
	request_begin(&b, 'A');
	put_number(&b, uid);
	request_field(&b, from);
	if (send_record(&b, STR(""), -1, deadline_ms) != 0 ||
	    receive('a', 4, &r, deadline_ms) != 0)
		return;
	if (verdict_get(&r, v) == 0 && v->kind != VERDICT_FORWARD) {
		*name = r.field[3];
		return;
	}
	*v = unknown;
	(void)broken("answer", EBADMSG);
}
