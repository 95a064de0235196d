/*
 * One connection, from connect(2) to QUIT.  Everything is non-blocking and
 * has a deadline; a reply that trickles has the same one as a reply that
 * does not come.
 */
#include "sys/call.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/credentials.h"
#include "sys/dial.h"
#include "sys/io.h"
#include "sys/log.h"
#include "sys/tls-client.h"

enum { BLOCK = 32 * 1024 };

/* --- why it failed ------------------------------------------------------- */

static void keep_reason(struct call *c, struct str status, struct str text)
{
	struct buf s = BUF(c->status), t = BUF(c->text);

	buf_put(&s, status);
	buf_put(&t, str_head(text, sizeof(c->text)));
	c->nstatus = (unsigned char)s.n;
	c->ntext = (unsigned char)t.n;
}

static int failed(struct call *c, struct str status, struct str text)
{
	struct log l;

	keep_reason(c, status, text);
	log_begin(&l, LOGL_NOTICE, "call");
	log_str(&l, "relay", call_remote(c));
	log_str(&l, "status", status);
	log_str(&l, "error", text);
	log_end(&l);
	return CALL_FAILED;
}

static int failed_errno(struct call *c, const char *status, int rc)
{
	return failed(c, str_of(status), str_of(strerror(-rc)));
}

struct str call_status(const struct call *c)
{
	return str_at(c->status, c->nstatus);
}

struct str call_text(const struct call *c)
{
	return str_at(c->text, c->ntext);
}

struct str call_remote(const struct call *c)
{
	return str_at(c->remote, c->nremote);
}

const char *call_level_name(const struct call *c)
{
	/* in the order of enum call_level */
	static const char *const names[] = { "none", "encrypted", "verified",
		"dane" };

	return names[c->level];
}

static void name_remote(struct call *c)
{
	const struct hop *h = &c->way->hop;
	struct buf b = BUF(c->remote);
	struct netaddr literal;

	if (h->unix_socket) {
		buf_put(&b, h->host);
	} else {
		if (!hop_literal(h, &literal))
			buf_put(&b, h->host);
		buf_putc(&b, '[');
		netaddr_put(&b, &c->way->addr);
		buf_putz(&b, "]:");
		buf_u64(&b, h->port);
	}
	c->nremote = b.n;
}

/* --- the socket ---------------------------------------------------------- */

static ssize_t get(struct call *c, char *to, size_t max, short *events)
{
	ssize_t n;

	if (c->over_tls)
		return tls_client_read(to, max, events);
	*events = POLLIN;
	n = read(c->fd, to, max);
	return n < 0 ? -errno : n;
}

static ssize_t put(struct call *c, struct str s, short *events)
{
	ssize_t n;

	if (c->over_tls)
		return tls_client_write(s, events);
	*events = POLLOUT;
	n = send(c->fd, s.p, s.n, MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

static bool is_again(ssize_t n)
{
	return n == -EAGAIN || n == -EINTR;
}

static int wait_for(const struct call *c, short events, int64_t deadline_ms)
{
	struct pollfd p = { .fd = c->fd, .events = events };
	int64_t left = deadline_ms - io_now_ms();
	int n;

	if (left <= 0)
		return -ETIMEDOUT;
	n = poll(&p, 1, (int)left);
	if (n < 0 && errno != EINTR)
		return -errno;
	return n == 0 ? -ETIMEDOUT : 0;
}

static void hang_up(struct call *c)
{
	if (c->over_tls)
		tls_client_end();
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->over_tls = false;
}

static int connect_way(struct call *c)
{
	c->level = CALL_CLEAR;
	c->fd = dial(c->way, CALL_CONNECT_S);
	return c->fd < 0 ? failed_errno(c, "4.4.1", c->fd) : 0;
}

/* --- TLS ----------------------------------------------------------------- */

static enum tls_check check_of(const struct reach_way *w)
{
	if (w->tls == REACH_TLS_DANE)
		return TLS_CHECK_DANE;
	return w->hop.tls == HOP_TLS_MAY ? TLS_CHECK_NONE : TLS_CHECK_NAME;
}

static int secure(struct call *c, struct str domain)
{
	char address[NET_TEXT_MAX];
	struct buf literal = BUF(address);
	struct netaddr a;
	struct tls_wish wish = {
		.check = check_of(c->way),
		.name = c->way->base.n > 0 ? c->way->base : c->way->hop.host,
		.other = domain,
		.tlsa = c->way->tlsa,
		.ntlsa = c->way->ntlsa,
	};
	int rc;

	if (hop_literal(&c->way->hop, &a)) {
		netaddr_put(&literal, &a);
		wish.name = buf_str(&literal);
	}
	rc = tls_client_begin(c->fd, &wish, io_now_ms() + 60 * 1000);
	if (rc < 0)
		return rc;
	c->over_tls = true;
	c->level = wish.check == TLS_CHECK_DANE   ? CALL_DANE
		   : wish.check == TLS_CHECK_NAME ? CALL_VERIFIED
						  : CALL_ENCRYPTED;
	return 0;
}

/* --- talking ------------------------------------------------------------- */

static void lose(struct call *c, const char *status, const char *text)
{
	client_lost(&c->client, str_of(status), str_of(text));
}

static void lose_errno(struct call *c, ssize_t rc)
{
	lose(c, "4.4.2",
	    rc == -ETIMEDOUT ? "no reply in time" : strerror((int)-rc));
}

/* Hears what there is.  True when there was something. */
static bool listen_once(struct call *c, short *events)
{
	char in[4096];
	short more = 0;
	ssize_t n = get(c, in, sizeof(in), &more);

	if (is_again(n)) {
		*events |= more;
		return false;
	}
	if (n > 0)
		client_feed(&c->client, str_at(in, (size_t)n));
	else if (n == 0)
		lose(c, "4.4.2", "the connection was closed");
	else
		lose_errno(c, n);
	return true;
}

static bool speak_once(struct call *c, short *events)
{
	struct str out = client_output(&c->client);
	short more = 0;
	ssize_t n;

	if (out.n == 0)
		return false;
	n = put(c, out, &more);
	if (is_again(n)) {
		*events |= more;
		return false;
	}
	if (n < 0) {
		/* It may have said why before it hung up. */
		while (client_want(&c->client) != CLIENT_END &&
		       listen_once(c, &more))
			;
		lose_errno(c, n);
	} else {
		client_written(&c->client, (size_t)n);
	}
	return true;
}

static int64_t deadline_of(const struct call *c)
{
	int64_t reply =
	    io_now_ms() + (int64_t)client_patience_s(&c->client) * 1000;

	return reply < c->message_deadline_ms ? reply : c->message_deadline_ms;
}

/* Until one more reply is there, or something else is wanted. */
static void exchange(struct call *c)
{
	int64_t deadline_ms = deadline_of(c);
	uint64_t heard = c->client.heard;

	while (client_want(&c->client) == CLIENT_REPLY &&
	       c->client.heard == heard) {
		short events = 0;
		bool spoke = speak_once(c, &events);
		bool listened = client_want(&c->client) == CLIENT_REPLY &&
				listen_once(c, &events);
		int rc;

		if (spoke || listened)
			continue;
		rc = wait_for(c, events, deadline_ms);
		if (rc < 0)
			lose_errno(c, rc);
	}
}

/* A piece of content; false: there is no use in going on. */
static bool push(struct call *c, struct str s)
{
	while (s.n > 0 && client_want(&c->client) == CLIENT_CONTENT) {
		short events = 0, wanted = 0;
		ssize_t n = put(c, s, &wanted);
		int rc;

		if (n > 0) {
			s = str_skip(s, (size_t)n);
			continue;
		}
		while (client_want(&c->client) == CLIENT_CONTENT &&
		       listen_once(c, &events))
			;
		if (!is_again(n)) {
			lose_errno(c, n);
			break;
		}
		if (client_want(&c->client) != CLIENT_CONTENT)
			break;
		rc = wait_for(c, (short)(events | wanted), deadline_of(c));
		if (rc < 0)
			lose_errno(c, rc);
	}
	return client_want(&c->client) == CLIENT_CONTENT;
}

static void send_content(struct call *c, struct parcel *p)
{
	static char block[BLOCK], room[WIRE_TIMES * BLOCK + WIRE_END_OCTETS];
	struct wire w = { 0 };

	parcel_rewind(p);
	for (;;) {
		struct buf out = BUF(room);
		ssize_t n = parcel_read(p, block, sizeof(block));
		short events = 0;

		if (n < 0) {
			log_errno("parcel", "content", (int)-n);
			lose(c, "4.3.0", "the message cannot be read");
			return;
		}
		if (n == 0)
			break;
		wire_put(&w, str_at(block, (size_t)n), &out);
		if (!push(c, buf_str(&out)))
			return;
		/* A refusal may have come meanwhile. */
		(void)listen_once(c, &events);
	}
	if (client_want(&c->client) == CLIENT_CONTENT) {
		struct buf end = BUF(room);

		wire_end(&w, &end);
		if (push(c, buf_str(&end)))
			client_sent(&c->client);
	}
}

static void give_rcpt(struct call *c, struct parcel *p)
{
	struct qfile_rcpt r;

	if (parcel_rcpt(p, client_index(&c->client), &r) == 0)
		client_give_rcpt(&c->client, &r);
	else
		lose(c, "4.3.0", "the message cannot be read");
}

/* Until a message can be given, or the end.  0, or -errno of the handshake. */
static int converse(struct call *c, struct parcel *p, struct str domain)
{
	int rc;

	for (;;) {
		switch (client_want(&c->client)) {
		case CLIENT_REPLY:
			exchange(c);
			break;
		case CLIENT_TLS:
			rc = secure(c, domain);
			if (rc < 0)
				return rc;
			client_secured(&c->client);
			break;
		case CLIENT_RCPT:
		case CLIENT_CONTENT:
			if (p == NULL) /* none was begun */
				return -EINVAL;
			if (client_want(&c->client) == CLIENT_RCPT)
				give_rcpt(c, p);
			else
				send_content(c, p);
			break;
		case CLIENT_READY:
		case CLIENT_END:
			return 0;
		}
	}
}

/* --- the beginning and the end ------------------------------------------- */

static enum client_tls wanted_tls(const struct reach_way *w)
{
	if (w->hop.unix_socket)
		return CLIENT_TLS_NEVER;
	if (w->hop.tls == HOP_TLS_AT_ONCE)
		return CLIENT_TLS_IS;
	if (w->hop.tls == HOP_TLS_MUST || w->tls != REACH_TLS_HOP)
		return CLIENT_TLS_MUST;
	return tls_client_is_there() ? CLIENT_TLS_MAY : CLIENT_TLS_NEVER;
}

static int set_secret(struct call *c)
{
	int rc;

	c->setup.secret = NULL;
	if (c->way->hop.user.n == 0)
		return 0;
	rc = credentials_find(&c->way->hop, &c->secret);
	if (rc == -ENOENT)
		return failed(
		    c, STR("4.7.8"), STR("no password for this user and host"));
	if (rc < 0)
		return failed_errno(c, "4.3.0", rc);
	c->secret.crypto = tls_client_crypto();
	c->setup.secret = &c->secret;
	return 0;
}

/* One attempt.  0, CALL_FAILED, or -errno: the handshake, not logged. */
static int open_once(struct call *c, struct str domain)
{
	int rc = connect_way(c);

	if (rc != 0)
		return rc;
	c->message_deadline_ms = io_now_ms() + CALL_MESSAGE_S * 1000;
	if (c->setup.tls == CLIENT_TLS_IS)
		rc = secure(c, domain);
	if (rc == 0) {
		client_start(&c->client, &c->setup);
		rc = converse(c, NULL, domain);
	}
	if (rc == 0 && client_want(&c->client) == CLIENT_READY)
		return 0;
	hang_up(c);
	if (rc < 0)
		return rc;
	return failed(
	    c, client_end_status(&c->client), client_end_text(&c->client));
}

int call_open(
    struct call *c, const struct reach_way *way, const struct call_party *party)
{
	int rc;

	c->way = way;
	c->fd = -1;
	c->over_tls = false;
	name_remote(c);
	c->setup = (struct client_setup){
		.lmtp = way->hop.kind == HOP_LMTP,
		.tls = wanted_tls(way),
		.hostname = party->hostname,
		.is_exempt = way->hop.unix_socket,
		.tell = party->tell,
		.arg = party->arg,
	};
	if (c->setup.tls != CLIENT_TLS_MAY &&
	    c->setup.tls != CLIENT_TLS_NEVER && !tls_client_is_there())
		return failed(c, STR("4.7.5"), STR("TLS is not built in"));
	rc = set_secret(c);
	if (rc == 0)
		rc = open_once(c, party->domain);
	if (rc < 0 && c->setup.tls == CLIENT_TLS_MAY) {
		(void)failed(c, STR("4.7.5"), tls_client_why());
		c->setup.tls = CLIENT_TLS_NEVER;
		rc = open_once(c, party->domain);
	}
	return rc < 0 ? failed(c, STR("4.7.5"), tls_client_why()) : rc;
}

bool call_is_open(const struct call *c)
{
	return c->fd >= 0;
}

void call_carry(struct call *c, struct parcel *p, const bool *wanted)
{
	struct client_mail mail = {
		.head = &p->guise,
		/* A last line without an end gets one. */
		.size_bytes = p->sum.octets + (p->sum.line > 0 ? 2 : 0),
		.beyond_ascii = p->sum.beyond_ascii,
	};

	c->message_deadline_ms = io_now_ms() + CALL_MESSAGE_S * 1000;
	client_begin(&c->client, &mail, p->nrcpt, wanted);
	(void)converse(c, p, STR(""));
	if (client_want(&c->client) != CLIENT_END)
		return;
	keep_reason(
	    c, client_end_status(&c->client), client_end_text(&c->client));
	hang_up(c);
}

void call_close(struct call *c)
{
	if (c->fd < 0)
		return;
	c->message_deadline_ms = io_now_ms() + CALL_MESSAGE_S * 1000;
	client_quit(&c->client);
	(void)converse(c, NULL, STR(""));
	hang_up(c);
}
