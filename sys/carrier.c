/*
 * The process that calls a destination.  It connects before it takes a
 * message, so that a destination out of reach costs one attempt and not one
 * for each message; and what goes wrong within a message is the fate of that
 * message, not of those behind it.
 */
#include "sys/carrier.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "mail/request.h"
#include "sys/call.h"
#include "sys/credentials.h"
#include "sys/dns.h"
#include "sys/guise.h"
#include "sys/io.h"
#include "sys/log.h"
#include "sys/parcel.h"
#include "sys/reach.h"
#include "sys/sandbox.h"
#include "sys/strict.h"
#include "sys/tls-client.h"

enum { ID_MAX = 64 };

static struct {
	int sock;
	const struct carrier *setup;
	struct call_party party;
	struct reach reach;
	struct reach_way way;
	struct call call;
	unsigned ncarried; /* messages over this connection */
	bool doubtful;     /* a way has failed that may not fail later */
	/* the message at hand */
	struct parcel parcel;
	struct buf id;
	char id_text[ID_MAX];
	bool wanted[QFILE_RCPT_MAX]; /* not told yet */
	unsigned nleft;
	struct strict_lack lack; /* of the last way that was not safe enough */
} k;

/* --- to the pass --------------------------------------------------------- */

/* A pass that is gone hears nothing; its messages stay as they were. */
static void send_record(const struct buf *b)
{
	int rc = b->full ? -EMSGSIZE : io_send_record(k.sock, buf_str(b), -1);

	if (rc < 0 && rc != -EPIPE && rc != -ECONNRESET)
		log_errno("carrier", "record", -rc);
}

static void send_letter(char letter)
{
	char text[8];
	struct buf b = BUF(text);

	request_begin(&b, letter);
	send_record(&b);
}

static void send_unreachable(struct str status, struct str text)
{
	char record[CARRIER_RECORD];
	struct buf b = BUF(record);

	request_begin(&b, 'X');
	request_field(&b, status);
	request_field(&b, text);
	send_record(&b);
}

static void log_fate(
    unsigned index, enum client_fate fate, struct str status, struct str text)
{
	struct qfile_rcpt r;
	struct log l;

	log_begin(&l,
	    fate == CLIENT_LATER || fate == CLIENT_NEVER ? LOGL_NOTICE
							 : LOGL_INFO,
	    "relay");
	log_str(&l, "id", buf_str(&k.id));
	if (parcel_rcpt(&k.parcel, index, &r) == 0)
		log_str(&l, "to", r.address);
	log_str(&l, "relay", call_remote(&k.call));
	log_str(&l, "tls", str_of(call_level_name(&k.call)));
	log_str(&l, "status", status);
	log_str(&l, "reply", text);
	log_end(&l);
}

/* The name of the host, for reports. */
static struct str remote(void)
{
	return k.way.hop.unix_socket ? STR("localhost") : k.way.hop.host;
}

static void tell(void *arg, unsigned index, enum client_fate fate,
    struct str status, struct str text, bool said)
{
	static const char letters[] = {
		[CLIENT_DONE] = 'D',
		[CLIENT_RELAYED] = 'W',
		[CLIENT_LATER] = 'L',
		[CLIENT_NEVER] = 'N',
	};
	char record[CARRIER_RECORD], digits[20];
	struct buf b = BUF(record), number = BUF(digits);

	(void)arg;
	if (index >= k.parcel.nrcpt || !k.wanted[index])
		return;
	k.wanted[index] = false;
	k.nleft--;
	buf_u64(&number, index);
	request_begin(&b, 'V');
	request_field(&b, buf_str(&number));
	request_field(&b, str_at(&letters[fate], 1));
	request_field(&b, status);
	request_field(&b, text);
	request_field(&b, said ? remote() : STR(""));
	request_field(&b, str_of(call_level_name(&k.call)));
	send_record(&b);
	log_fate(index, fate, status, text);
}

static void tell_rest(enum client_fate fate, struct str status, struct str text)
{
	for (unsigned i = 0; i < k.parcel.nrcpt; i++)
		tell(NULL, i, fate, status, text, false);
}

/* --- finding somebody who answers ---------------------------------------- */

/* "mx.away.example[192.0.2.1]:25: Connection refused" */
static struct str last_failure(struct buf *b)
{
	buf_put(b, str_head(call_remote(&k.call), QFILE_TEXT_MAX / 2));
	buf_putz(b, ": ");
	buf_put(b, str_head(call_text(&k.call), b->cap - b->n));
	return buf_str(b);
}

/* The next way on which a message can be given.  0 or REACH_END. */
static int connect_next(void)
{
	while (reach_next(&k.reach, &k.way) == 0) {
		k.ncarried = 0;
		if (call_open(&k.call, &k.way, &k.party) == 0)
			return 0;
		k.doubtful = true;
	}
	return REACH_END;
}

static int connect_first(void)
{
	k.doubtful = false;
	if (reach_begin(&k.reach, k.setup) != 0)
		return REACH_END;
	return connect_next();
}

static int connect_again(void)
{
	k.ncarried = 0;
	if (call_open(&k.call, &k.way, &k.party) == 0)
		return 0;
	k.doubtful = true;
	return connect_next();
}

/* --- a message ----------------------------------------------------------- */

/* The rest of the recipients' records, and whether all is well. */
static int receive_rcpts(unsigned n)
{
	int rc = 0;

	for (unsigned i = 0; i < n; i++) {
		char record[CARRIER_RECORD];
		struct buf b = BUF(record);
		struct request r;
		uint64_t at;
		int fd, bad;
		ssize_t got = io_recv_record(k.sock, &b, &fd, 0);

		if (fd >= 0)
			close(fd);
		if (got <= 0)
			return got < 0 ? (int)got : -EPIPE;
		if (request_answer(buf_str(&b), 'R', 1, &r) != 0 ||
		    str_u64(r.field[0], &at) != 0)
			return -EPROTO;
		bad = parcel_add_rcpt(&k.parcel, at);
		if (rc == 0)
			rc = bad;
	}
	return rc;
}

enum { CARRIER_OVER = 1 }; /* no more messages */

/* The message's file and recipients.  0, CARRIER_OVER, or -errno: to be told
 * "later", -EPROTO and -EPIPE excepted, after which nothing can follow. */
static int receive_message(void)
{
	char record[CARRIER_RECORD];
	struct buf b = BUF(record);
	struct request r;
	uint64_t n;
	int fd, opened, rc;
	ssize_t got = io_recv_record(k.sock, &b, &fd, 0);

	k.parcel.fd = -1;
	k.parcel.nrcpt = 0;
	if (got <= 0)
		return got < 0 ? -EPIPE : CARRIER_OVER;
	if (fd < 0 || request_answer(buf_str(&b), 'M', 2, &r) != 0 ||
	    str_u64(r.field[1], &n) != 0 || n > QFILE_RCPT_MAX) {
		if (fd >= 0)
			close(fd);
		return -EPROTO;
	}
	k.id = BUF(k.id_text);
	buf_put(&k.id, str_head(r.field[0], ID_MAX));
	opened = parcel_open(&k.parcel, fd);
	if (opened < 0)
		k.parcel.content_at = 0; /* no recipient is found in it */
	rc = receive_rcpts((unsigned)n);
	return opened < 0 && rc != -EPROTO && rc != -EPIPE ? opened : rc;
}

/* As whom it goes out depends on the hop that is reached. */
static void give(void)
{
	const struct carrier *c = k.setup;
	struct masquerade m;
	bool masked =
	    c->conf && guise_find(c->conf, &k.way.hop, c->smarthost, &m);
	int rc = parcel_dress(&k.parcel, masked ? &m : NULL);

	if (rc == 0) {
		call_carry(&k.call, &k.parcel, k.wanted);
		return;
	}
	log_errno("parcel", "content", -rc);
	tell_rest(
	    CLIENT_LATER, STR("4.3.0"), STR("the message cannot be read"));
}

/* A host that will not do for this message is left. */
static void leave(void)
{
	struct log l;

	log_begin(&l, LOGL_NOTICE, "unsuited");
	log_str(&l, "id", buf_str(&k.id));
	log_str(&l, "relay", call_remote(&k.call));
	log_str(&l, "tls", str_of(call_level_name(&k.call)));
	log_str(&l, "status", str_of(k.lack.status));
	log_str(&l, "error", str_of(k.lack.text));
	log_end(&l);
	call_close(&k.call);
	k.doubtful = k.doubtful || !k.lack.lasting;
}

/* Over the connection at hand, if it is good enough. */
static void carry_here(void)
{
	const struct qfile_head *h = &k.parcel.head;
	bool sure = h->requiretls &&
		    (k.setup->dns.policy == DNS_OFF || dns_is_validating());
	struct strict_lack lack;

	if (!strict_suits(&k.call, h, sure, &lack)) {
		k.lack = lack;
		leave();
		return;
	}
	give();
	if (k.nleft > 0)
		k.doubtful = true;
}

/* Who was told nothing: nobody could, or nobody may, have it.  Only when all
 * hosts have shown that they lack something is that the last word. */
static void tell_others(void)
{
	bool never = !k.doubtful && !k.reach.blind;
	char text[QFILE_TEXT_MAX], status[QFILE_STATUS_MAX];
	struct buf b = BUF(text), s = BUF(status);

	if (k.lack.status == NULL) {
		tell_rest(CLIENT_LATER, call_status(&k.call), last_failure(&b));
		return;
	}
	buf_put(&b, str_head(call_remote(&k.call), sizeof(text) / 2));
	buf_putz(&b, ": ");
	buf_put(&b, str_head(str_of(k.lack.text), b.cap - b.n));
	buf_putc(&s, never ? '5' : '4');
	buf_putz(&s, k.lack.status + 1);
	tell_rest(
	    never ? CLIENT_NEVER : CLIENT_LATER, buf_str(&s), buf_str(&b));
}

/*
 * Over this connection and, when it ends before all are told, over others.  A
 * connection that ends in the midst of a message is a fate of the message:
 * the next one begins with the first way again.  Returns REACH_END when
 * nobody at all could be reached.
 */
static int carry(void)
{
	bool reached = false;
	int rc = 0;

	k.lack.status = NULL;
	while (k.nleft > 0) {
		unsigned before = k.nleft;

		if (!call_is_open(&k.call))
			rc = reached ? connect_next() : connect_first();
		if (rc != 0)
			break;
		reached = true;
		carry_here();
		/* Limited in messages, or left alone for too long. */
		while (k.nleft > 0 && !call_is_open(&k.call) &&
		       (k.nleft < before || k.ncarried > 0)) {
			before = k.nleft;
			if (connect_again() != 0)
				break;
			carry_here();
		}
	}
	k.ncarried++;
	if (k.nleft > 0 && !reached)
		return REACH_END;
	if (k.nleft > 0)
		tell_others();
	return 0;
}

static void explain_unreachable(void)
{
	const struct reach_verdict *v = &k.reach.verdict;
	char text[QFILE_TEXT_MAX];
	struct buf b = BUF(text);

	if (k.reach.given == 0)
		send_unreachable(str_of(v->status), str_of(v->text));
	else
		send_unreachable(call_status(&k.call), last_failure(&b));
}

/* One message from the pass.  0, or CARRIER_OVER. */
static int serve_one(bool never)
{
	int rc;

	send_letter('A');
	rc = receive_message();
	k.nleft = k.parcel.nrcpt;
	for (unsigned i = 0; i < k.parcel.nrcpt; i++)
		k.wanted[i] = true;
	if (rc < 0)
		log_errno("carrier", "message", -rc);
	else if (rc == 0 && never)
		tell_rest(CLIENT_NEVER, str_of(k.reach.verdict.status),
		    str_of(k.reach.verdict.text));
	else if (rc == 0 && carry() != 0) {
		explain_unreachable();
		rc = CARRIER_OVER;
	}
	if (rc == 0 || (rc < 0 && rc != -EPROTO && rc != -EPIPE)) {
		send_letter('E');
		rc = 0;
	}
	if (k.parcel.fd >= 0)
		close(k.parcel.fd);
	return rc == 0 ? 0 : CARRIER_OVER;
}

/* --- the whole ----------------------------------------------------------- */

/* What is read from files, before the lock-down.  What is missing is told by
 * those who need it. */
static void prepare(const struct carrier *c, bool have_passwords)
{
	bool names = c->domain.n > 0, users = false, authorities = false;
	struct netaddr a;

	for (unsigned i = 0; i < c->nhops; i++) {
		const struct hop *h = &c->hop[i];

		names = names || (!h->unix_socket && !hop_literal(h, &a));
		users = users || h->user.n > 0;
		authorities = authorities || h->tls != HOP_TLS_MAY;
	}
	if (users && !have_passwords)
		(void)credentials_load(c->credentials);
	(void)tls_client_start(authorities);
	if (!names)
		return;
	(void)dns_start(&c->dns);
	(void)reach_start();
}

/* What talks to strangers has no files and runs nothing.  A lock-down that
 * fails ends it: the mail waits. */
static int lock_in(void)
{
	struct sandbox_level level;
	int ruleset;
	int rc = sandbox_prepare(SANDBOX_CARRIER, -1, &ruleset, &level);

	if (rc == 0)
		rc = sandbox_enter(SANDBOX_CARRIER, ruleset);
	if (ruleset >= 0)
		close(ruleset);
	return rc;
}

int carrier_prepare(const struct carrier *c, bool have_passwords)
{
	signal(SIGPIPE, SIG_IGN);
	prepare(c, have_passwords);
	return lock_in();
}

void carrier_serve(int sock, const struct carrier *c)
{
	bool never = false;
	int rc;

	k.sock = sock;
	k.setup = c;
	k.party = (struct call_party){ c->hostname, c->domain, tell, NULL };
	k.call.fd = -1;
	if (carrier_prepare(c, false) != 0) {
		send_unreachable(STR("4.3.5"), STR("the sandbox failed"));
		return;
	}
	rc = connect_first();
	if (rc != 0)
		never = k.reach.given == 0 && k.reach.verdict.never;
	if (rc != 0 && !never) {
		explain_unreachable();
		return;
	}
	do
		rc = serve_one(never);
	while (rc == 0);
	call_close(&k.call);
}
