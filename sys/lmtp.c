/*
 * An LMTP client that says one thing at a time: the server is on this
 * machine, and a round trip costs a few microseconds.
 */
#include "sys/lmtp.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mail/addr.h"
#include "mail/reply.h"
#include "sys/failure.h"
#include "sys/io.h"
#include "sys/log.h"

enum {
	BLOCK = 64 * 1024,
	COMMAND_MAX = 1024,
	ROOM = LMTP_USERS * 64 /* for what the server says, on the whole */
};

struct session {
	int fd;
	int64_t deadline_ms;
	const char *path;
	struct str left; /* received, not looked at yet */
	char in[4096];
};

struct delivery {
	const struct lmtp_mail *mail;
	unsigned n;
	const struct str *user;
	struct verdict *outcome;
	bool taken[LMTP_USERS];
	struct buf room;
	char text[ROOM];
};

/* Logged once, where it is seen. */
static int failed(const struct session *s, const char *what, int rc)
{
	struct log l;

	log_begin(&l, LOGL_ERR, "lmtp");
	log_str(&l, "path", str_of(s->path));
	log_str(&l, "what", str_of(what));
	log_str(&l, "error", str_of(strerror(-rc)));
	log_end(&l);
	return rc;
}

static int receive(struct session *s, struct reply *r)
{
	*r = (struct reply){ 0 };
	for (;;) {
		int rc = reply_feed(r, &s->left);
		ssize_t n;

		if (rc == REPLY_DONE)
			return 0;
		if (rc != 0)
			return failed(s, "reply", -EPROTO);
		rc = io_wait_read(s->fd, s->deadline_ms);
		if (rc == -EINTR)
			continue;
		if (rc < 0)
			return failed(s, "reply", rc);
		n = read(s->fd, s->in, sizeof(s->in));
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return failed(s, "reply", n < 0 ? -errno : -EPROTO);
		s->left = str_at(s->in, (size_t)n);
	}
}

static int say(struct session *s, struct str text)
{
	int rc = io_write_all(s->fd, text, s->deadline_ms);

	return rc < 0 ? failed(s, "command", rc) : 0;
}

/* One command and its reply. */
static int ask(struct session *s, struct buf *command, struct reply *r)
{
	int rc;

	buf_putz(command, "\r\n");
	if (command->full)
		return failed(s, "command", -EMSGSIZE);
	rc = say(s, buf_str(command));
	return rc < 0 ? rc : receive(s, r);
}

static struct str keep(struct buf *room, struct str s)
{
	buf_put(room, s);
	return str_at(room->p + room->n - s.n, s.n);
}

/* What a final reply means, with texts kept in the room while it lasts. */
static struct verdict verdict_of(const struct reply *r, struct buf *room)
{
	struct verdict v = { VERDICT_LATER, STR("4.0.0"), STR("") };

	if (r->code >= 300 && r->code < 400)
		return failure_verdict(-EPROTO);
	if (r->code < 300)
		v = (struct verdict){ VERDICT_DONE, STR("2.0.0"), STR("") };
	else if (r->code >= 500)
		v = (struct verdict){ VERDICT_NEVER, STR("5.0.0"), STR("") };
	if (room->cap - room->n > REPLY_STATUS_MAX + REPLY_TEXT_MAX) {
		v.status = keep(room, reply_status(r));
		v.text = keep(room, reply_text(r));
	}
	return v;
}

/* Lines that end in CR LF, a dot doubled that begins one, and the end. */
struct stuffing {
	bool line_start;
};

static void stuff(struct stuffing *t, struct str text, struct buf *out)
{
	while (text.n > 0) {
		size_t end = str_find(text, '\n');

		if (t->line_start && text.p[0] == '.')
			buf_putc(out, '.');
		buf_put(out, str_head(text, end));
		t->line_start = end < text.n;
		if (t->line_start)
			buf_put(out, STR("\r\n"));
		text = str_skip(text, end + 1);
	}
}

static int send_content(struct session *s, const struct lmtp_mail *mail)
{
	/* Every octet can become two, and the end takes five. */
	static char block[BLOCK], stuffed[2 * BLOCK + 8];
	struct stuffing t = { true };
	uint64_t at = 0;
	int rc;

	while (at < mail->content.size) {
		ssize_t n =
		    source_read(&mail->content, block, sizeof(block), at);
		struct buf out = BUF(stuffed);

		if (n < 0)
			return failed(s, "reading the message", (int)n);
		stuff(&t, str_at(block, (size_t)n), &out);
		at += (uint64_t)n;
		rc = say(s, buf_str(&out));
		if (rc < 0)
			return rc;
	}
	return say(s, t.line_start ? STR(".\r\n") : STR("\r\n.\r\n"));
}

static bool is_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > '~')
			return false;
	return true;
}

/* Greeting, LHLO and MAIL.  0; LMTP_REFUSED with what was said in *r; or
 * -errno. */
enum { LMTP_REFUSED = 1 };

static int begin(
    struct session *s, const struct lmtp_mail *mail, struct reply *r)
{
	char text[COMMAND_MAX];
	struct buf b = BUF(text);
	int rc = receive(s, r);

	if (rc == 0 && r->code < 300) {
		buf_putz(&b, "LHLO localhost");
		rc = ask(s, &b, r);
	}
	if (rc == 0 && r->code < 300) {
		buf_clear(&b);
		buf_putz(&b, "MAIL FROM:<");
		buf_put(&b, mail->sender);
		buf_putz(&b, is_ascii(mail->sender) ? ">" : "> SMTPUTF8");
		rc = ask(s, &b, r);
	}
	return rc < 0 ? rc : r->code < 300 ? 0 : LMTP_REFUSED;
}

static int rcpt(struct session *s, struct str user, struct reply *r)
{
	struct addr a = { .host = HOST_NONE };
	struct buf local = BUF(a.local);
	char text[COMMAND_MAX];
	struct buf b = BUF(text);

	buf_put(&local, user);
	a.nlocal = (unsigned char)local.n;
	buf_putz(&b, "RCPT TO:<");
	addr_put(&b, &a);
	buf_putz(&b, ">");
	b.full = b.full || local.full;
	return ask(s, &b, r);
}

/* Who of them is taken; the others have their outcome. */
static int offer(struct session *s, struct delivery *d, unsigned *ntaken)
{
	struct reply r;

	for (unsigned i = 0; i < d->n; i++) {
		int rc = rcpt(s, d->user[i], &r);

		if (rc < 0)
			return rc;
		d->taken[i] = r.code < 300;
		*ntaken += d->taken[i];
		if (!d->taken[i])
			d->outcome[i] = verdict_of(&r, &d->room);
	}
	return 0;
}

/* DATA, the content, and a reply for each that was taken (RFC 2033 4.2). */
static int transfer(struct session *s, struct delivery *d)
{
	char text[16];
	struct buf b = BUF(text);
	struct reply r;
	bool refused;
	int rc;

	buf_putz(&b, "DATA");
	rc = ask(s, &b, &r);
	refused = rc == 0 && r.code != 354;
	if (rc == 0 && !refused)
		rc = send_content(s, d->mail);
	for (unsigned i = 0; i < d->n && rc == 0; i++) {
		if (!d->taken[i])
			continue;
		if (!refused)
			rc = receive(s, &r);
		if (rc == 0)
			d->outcome[i] = verdict_of(&r, &d->room);
		/* A success here would not be one of the message. */
		if (refused && d->outcome[i].kind == VERDICT_DONE)
			d->outcome[i] = failure_verdict(-EPROTO);
	}
	return rc;
}

static int converse(struct session *s, struct delivery *d)
{
	struct reply r;
	unsigned ntaken = 0;
	int rc = begin(s, d->mail, &r);

	if (rc == LMTP_REFUSED) {
		struct verdict all = verdict_of(&r, &d->room);

		for (unsigned i = 0; i < d->n; i++)
			d->outcome[i] = all;
	}
	if (rc == 0)
		rc = offer(s, d, &ntaken);
	if (rc == 0 && ntaken > 0)
		rc = transfer(s, d);
	if (rc >= 0) /* nobody waits for the answer */
		(void)io_write_all(s->fd, STR("QUIT\r\n"), io_now_ms());
	return rc;
}

void lmtp_deliver(const char *path, const struct lmtp_mail *mail, unsigned n,
    const struct str *user, struct verdict *outcome)
{
	static struct session s;
	static struct delivery d;
	int rc;

	s.path = path;
	s.left = STR("");
	s.deadline_ms = io_now_ms() + LMTP_DEADLINE_S * 1000;
	d.mail = mail;
	d.n = n < LMTP_USERS ? n : LMTP_USERS;
	d.user = user;
	d.outcome = outcome;
	d.room = BUF(d.text);
	/* What was not answered is unknown. */
	for (unsigned i = 0; i < n; i++)
		outcome[i] = failure_verdict(-ECONNREFUSED);
	s.fd = io_connect_unix(path, SOCK_STREAM);
	if (s.fd < 0) {
		(void)failed(&s, "connect", s.fd);
		return;
	}
	rc = fcntl(s.fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
	if (rc == 0)
		(void)converse(&s, &d);
	close(s.fd);
}
