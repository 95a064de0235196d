/*
 * One SMTP session.  All of its memory is static; all that it may do stands
 * in smtpd's sandbox policy.  A client who is slow, silent or gone costs a
 * deadline, never more; nothing half received is ever stored.
 */
#include "sys/conversation.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "mail/proxy.h"
#include "mail/session.h"
#include "sys/io.h"
#include "sys/log.h"
#include "sys/reception.h"
#include "sys/sandbox.h"
#include "sys/staff.h"

enum {
	INPUT_MAX = 64 * 1024,
	PAGE = 4096,      /* as most machines have it */
	LINGER_MS = 1000, /* for the last reply to arrive */
	LINGER_OCTETS = 256 * 1024,
	ASK_TLS_MS = 20 * 1000,  /* tls may have to be started */
	HANDSHAKE_MS = 70 * 1000 /* a little more than tls gives */
};

static volatile sig_atomic_t must_stop;

/* The one conversation of this process, in as few pages as it fills. */
static struct talk {
	struct conversation *c;
	bool gone; /* the client can be read or written no more */
	int64_t start_ms;
	int64_t message_ms; /* when the content began, 0: not in content */
	uint64_t message_octets;
	int64_t stop_ms; /* when SIGTERM was seen, 0: not yet */
	size_t in_from, in_to;
	bool encrypted; /* the client's descriptors are no longer his */
	struct reception reception;
	struct session_host host;
	struct session session;
	_Alignas(PAGE) char in_text[INPUT_MAX];
} talk __attribute__((aligned(PAGE)));

static void on_stop(int signo)
{
	(void)signo;
	must_stop = 1;
}

void conversation_prepare(void)
{
	struct sigaction stop = { .sa_handler = on_stop };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;

	/* SIGTERM comes only while we wait, so no window is missed. */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
}

void conversation_attach(const struct conversation *c)
{
	const int on = 1;

	if (c->peer.kind == PEER_PIPE)
		return;
	(void)fcntl(c->in, F_SETFL, O_NONBLOCK);
	if (c->peer.kind == PEER_INET)
		(void)setsockopt(
		    c->out, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* Reading and writing. */

/* RFC 5321 4.5.3.2.7; whoever is turned away unheard gets less. */
static int64_t timeout_ms(const struct talk *t)
{
	if (!t->c->conf)
		return LINGER_MS;
	return (int64_t)t->c->conf->command_timeout_s * 1000;
}

/*
 * Waits for the client: 0, -ETIMEDOUT, or -EINTR when we are asked to stop.
 * SIGTERM is let in only here.
 */
static int wait_client(int fd, short events, int64_t deadline_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left = deadline_ms - io_now_ms();
	struct timespec wait;
	sigset_t none;
	int n;

	/* Also when he is ready: he who never pauses has his end, too. */
	if (left <= 0)
		return -ETIMEDOUT;
	wait.tv_sec = (time_t)(left / 1000);
	wait.tv_nsec = (long)(left % 1000) * 1000000;
	sigemptyset(&none);
	n = ppoll(&p, 1, &wait, &none);
	if (n < 0)
		return -errno;
	return n == 0 ? -ETIMEDOUT : 0;
}

/* Until when octets must come or go, RFC 5321 4.5.3.2 and our own cap. */
static int64_t deadline(struct talk *t, int64_t since_ms)
{
	int64_t by = since_ms + timeout_ms(t);
	int64_t cap = t->start_ms + (t->message_ms ? CONVERSATION_MESSAGE_MAX_S
						   : CONVERSATION_MAX_S) *
					1000LL;

	if (must_stop && !t->stop_ms)
		t->stop_ms = io_now_ms();
	if (cap < by)
		by = cap;
	if (t->stop_ms && t->stop_ms + CONVERSATION_GRACE_S * 1000 < by)
		by = t->stop_ms + CONVERSATION_GRACE_S * 1000;
	return by;
}

/* All replies must go out within one time, however they trickle. */
static void flush(struct talk *t)
{
	struct str out = buf_str(&t->session.out);
	int64_t since_ms = io_now_ms();

	while (out.n > 0 && !t->gone) {
		ssize_t n = write(t->c->out, out.p, out.n);
		int rc = 0;

		if (n > 0)
			out = str_skip(out, (size_t)n);
		else if (n < 0 && errno == EAGAIN)
			rc = wait_client(
			    t->c->out, POLLOUT, deadline(t, since_ms));
		else
			rc = -errno;
		t->gone = rc < 0 && rc != -EINTR;
	}
	buf_clear(&t->session.out);
}

/* Content that trickles holds a process for nothing. */
static bool is_trickle(const struct talk *t)
{
	int64_t ms = io_now_ms() - t->message_ms;
	int64_t after_ms = CONVERSATION_RATE_AFTER_S * 1000;

	if (timeout_ms(t) < after_ms)
		after_ms = timeout_ms(t);
	return t->message_ms && ms > after_ms &&
	       t->message_octets < (uint64_t)ms * CONVERSATION_RATE / 1000;
}

static void take(struct talk *t, size_t used)
{
	t->in_from += used;
	if (t->in_from == t->in_to)
		t->in_from = t->in_to = 0;
	else if (t->in_from > INPUT_MAX / 2) {
		memmove(
		    t->in_text, t->in_text + t->in_from, t->in_to - t->in_from);
		t->in_to -= t->in_from;
		t->in_from = 0;
	}
}

/* Everything that was read goes through the session. */
static void digest(struct talk *t)
{
	struct session *s = &t->session;
	size_t used;

	do {
		bool content =
		    s->phase == SESSION_DATA || s->phase == SESSION_CHUNK;

		if (content && !t->message_ms) {
			t->message_ms = io_now_ms();
			t->message_octets = 0;
		}
		used = session_input(
		    s, str_at(t->in_text + t->in_from, t->in_to - t->in_from));
		if (content)
			t->message_octets += used;
		if (session_is_idle(s))
			t->message_ms = 0;
		take(t, used);
		if (s->out.cap - s->out.n < SESSION_REPLY_MAX)
			flush(t);
	} while (used > 0 && s->phase != SESSION_CLOSED && !t->gone);
}

/* Reads what there is; false when the session has to end. */
static bool read_more(struct talk *t)
{
	ssize_t n = read(t->c->in, t->in_text + t->in_to, INPUT_MAX - t->in_to);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		t->gone = true;
	else
		t->in_to += (size_t)n;
	return !t->gone;
}

/* --- TLS ----------------------------------------------------------------- */

/* From here on his octets come from `plain`, and nobody else has his
 * connection. */
static void switch_over(struct talk *t, int plain)
{
	close(t->c->in);
	if (t->c->out != t->c->in)
		close(t->c->out);
	t->c->in = t->c->out = t->reception.in = plain;
	t->encrypted = true;
}

/* The client has been told, or needs not be: false when he is lost. */
static bool shake_hands(struct talk *t, int plain)
{
	char room[SECURED_OCTETS];
	struct secured how;

	switch_over(t, plain);
	t->gone =
	    handoff_begin(plain, io_now_ms() + HANDSHAKE_MS, room, &how) != 0;
	if (t->gone)
		return false;
	reception_log_tls(&t->reception, &how);
	t->gone = how.why.n > 0;
	if (!t->gone)
		session_secured(&t->session, &how);
	return !t->gone;
}

/* STARTTLS.  What came behind it is not in our buffer: mail/session has seen
 * to that; but what has come since is part of a handshake, or of none. */
static void start_tls(struct talk *t)
{
	int plain;

	if (handoff_ask(
		t->c->in, io_now_ms() + ASK_TLS_MS, &plain, &t->c->tls) != 0) {
		t->reception.set.starttls = false;
		session_tls_refuse(&t->session);
		return;
	}
	session_tls_go(&t->session);
	flush(t);
	if (t->gone || t->in_to != t->in_from) {
		t->gone = true;
		close(plain);
		return;
	}
	(void)shake_hands(t, plain);
}

/* Where TLS comes first, nothing can be said without it. */
static bool begin_tls(struct talk *t)
{
	int plain;

	t->gone = handoff_ask(t->c->in, io_now_ms() + ASK_TLS_MS, &plain,
		      &t->c->tls) != 0;
	return !t->gone && shake_hands(t, plain);
}

/* A command must come whole within its time, not an octet at a time. */
static void serve(struct talk *t)
{
	struct session *s = &t->session;
	int64_t since_ms = io_now_ms();

	while (s->phase != SESSION_CLOSED && !t->gone) {
		size_t before = t->in_to - t->in_from;
		bool content;
		int rc;

		flush(t);
		if (t->gone)
			break;
		if (must_stop && session_is_idle(s)) {
			session_shutdown(s, "4.3.2", "closing, try again");
			break;
		}
		rc = wait_client(t->c->in, POLLIN, deadline(t, since_ms));
		if (rc == -EINTR)
			continue;
		if (rc < 0 || is_trickle(t)) {
			session_shutdown(s, "4.4.2", "timeout, closing");
			break;
		}
		if (!read_more(t))
			break;
		content = t->message_ms != 0;
		digest(t);
		if (s->phase == SESSION_TLS)
			start_tls(t);
		if (content || (s->phase != SESSION_SKIP &&
				   t->in_to - t->in_from <= before))
			since_ms = io_now_ms();
	}
	flush(t);
}

/*
 * A close with input unread would be a reset, and lose our last reply.  Who
 * quits has nothing more to say, unless it is there already.
 */
static void linger(struct talk *t)
{
	int64_t until_ms = io_now_ms() + LINGER_MS;
	size_t octets = 0;

	if (t->gone || t->reception.peer.kind == PEER_PIPE ||
	    (t->session.quit && io_wait_read(t->c->in, 0) < 0) ||
	    shutdown(t->c->out, SHUT_WR) != 0)
		return;
	while (
	    octets < LINGER_OCTETS && io_wait_read(t->c->in, until_ms) == 0) {
		ssize_t n = read(t->c->in, t->in_text, INPUT_MAX);

		if (n <= 0)
			return;
		octets += (size_t)n;
	}
}

/* Reads exactly n octets of a PROXY header; false when they do not come. */
static bool read_exactly(
    struct talk *t, char *to, size_t n, int64_t deadline_ms)
{
	while (n > 0) {
		ssize_t got;

		if (wait_client(t->c->in, POLLIN, deadline_ms) != 0)
			return false;
		got = read(t->c->in, to, n);
		if (got < 0 && errno == EAGAIN)
			continue;
		if (got <= 0)
			return false;
		to += got;
		n -= (size_t)got;
	}
	return true;
}

/* The accept loop counts clients by their address; only we know it yet. */
static bool parent_admits(const struct netaddr *source)
{
	struct str record = str_at((const char *)source->b, sizeof(source->b));
	char verdict = CONVERSATION_DENY;

	if (io_send_record(SANDBOX_PARENT_FD, record, -1) < 0 ||
	    io_wait_read(SANDBOX_PARENT_FD, io_now_ms() + 10000) < 0 ||
	    read(SANDBOX_PARENT_FD, &verdict, 1) != 1)
		return false;
	close(SANDBOX_PARENT_FD);
	return verdict == CONVERSATION_ADMIT;
}

/*
 * The PROXY header says who the client is.  Without one whoever connects here
 * is not the balancer, and gets no session.
 */
static bool learn_client(struct talk *t)
{
	int64_t by = io_now_ms() + timeout_ms(t);
	char text[PROXY_FIXED + PROXY_REST_MAX];
	size_t rest;
	struct proxy p;

	if (!read_exactly(t, text, PROXY_FIXED, by) ||
	    proxy_fixed(str_at(text, PROXY_FIXED), &rest) != 0 ||
	    !read_exactly(t, text + PROXY_FIXED, rest, by) ||
	    proxy_parse(str_at(text, PROXY_FIXED + rest), &p) != 0) {
		session_turn_away(
		    &t->session, "4.7.0", "a PROXY header is needed here");
		return false;
	}
	if (p.local || !p.known)
		return true;
	t->reception.peer.addr = p.source;
	t->reception.peer.here = p.dest;
	t->reception.peer.port = p.source_port;
	t->reception.set.peer = p.source;
	t->reception.set.inside =
	    conf_has_net(&t->c->conf->relay_networks, &p.source);
	t->reception.set.normalize =
	    conf_has_net(&t->c->conf->normalize_networks, &p.source);
	if (t->c->asks_parent && !parent_admits(&p.source)) {
		session_turn_away(&t->session, "4.7.0",
		    "too many connections from your address");
		return false;
	}
	return true;
}

static void set_up(struct talk *t, struct conversation *c)
{
	const struct conf *conf = c->conf;

	t->c = c;
	t->reception.conf = conf;
	t->reception.peer = c->peer;
	t->reception.counted = c->asks_parent && !c->proxied;
	t->reception.in = c->in;
	t->reception.session = &t->session;
	reception_host(&t->reception, &t->host);
	t->start_ms = io_now_ms();
	t->reception.set = (struct session_setup){
		.hostname = conf->hostname,
		.origin = conf->origin,
		.size_limit_bytes = conf->message_size_limit,
		.rcpt_limit = conf->recipient_limit,
		.local = c->peer.kind != PEER_INET,
		.piped = c->peer.kind == PEER_PIPE,
		.peer = c->peer.addr,
		.uid = c->peer.uid,
		.starttls = c->peer.kind == PEER_INET && handoff_is_offered(),
		.require_tls = c->peer.kind == PEER_INET &&
			       (conf->require_tls >> c->service & 1u) != 0,
	};
	if (t->reception.set.local) {
		t->reception.set.inside = true;
		t->reception.set.queue = staff_is_queue(c->peer.uid);
		t->reception.set.queue_helo = staff_is_own(c->peer.uid);
	} else if (!c->proxied) {
		t->reception.set.inside =
		    conf_has_net(&conf->relay_networks, &c->peer.addr);
		t->reception.set.normalize =
		    conf_has_net(&conf->normalize_networks, &c->peer.addr);
	}
}

static void log_closing(const struct talk *t)
{
	struct log l;

	log_begin(&l, LOGL_INFO, "session");
	reception_put_peer(&l, &t->reception);
	log_str(&l, "helo", str_at(t->session.helo, t->session.nhelo));
	if (t->session.secured)
		log_str(
		    &l, "tls", str_at(t->session.version, t->session.nversion));
	log_u64(&l, "accepted", t->session.naccepted);
	log_u64(&l, "rejected", t->session.nrefused);
	log_u64(&l, "seconds", (uint64_t)(io_now_ms() - t->start_ms) / 1000);
	log_end(&l);
}

void conversation_run(struct conversation *c)
{
	struct talk *t = &talk;

	set_up(t, c);
	if ((!c->proxied || learn_client(t)) &&
	    (c->service != SERVICE_SUBMISSIONS || begin_tls(t))) {
		session_init(&t->session, &t->reception.set, &t->host);
		serve(t);
		session_end(&t->session);
		log_closing(t);
	}
	flush(t);
	linger(t);
}

void conversation_deny(
    struct conversation *c, const char *status, const char *text)
{
	struct talk *t = &talk;

	t->c = c;
	t->start_ms = io_now_ms();
	t->reception.peer = c->peer;
	session_turn_away(&t->session, status, text);
	flush(t);
	linger(t);
}
