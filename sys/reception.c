/*
 * What a session asks of the world: who a recipient is (deliver knows), where
 * content goes (sys/custody knows), what time it is, and who is told (the
 * log).
 */
#include "sys/reception.h"

#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sys/courier.h"
#include "sys/io.h"
#include "sys/sandbox.h"
#include "sys/staff.h"
#include "sys/trust.h"

enum { COUNT_MS = 10 * 1000 }; /* for the accept loop to answer */

void reception_put_peer(struct log *l, const struct reception *r)
{
	char text[NET_TEXT_MAX];
	struct buf b = BUF(text);

	if (r->set.local) {
		log_u64(l, "uid", r->set.uid);
		return;
	}
	netaddr_put(&b, &r->set.peer);
	log_str(l, "peer", buf_str(&b));
}

void reception_log_tls(const struct reception *r, const struct secured *how)
{
	struct log l;

	log_begin(&l, LOGL_INFO, how->why.n > 0 ? "tls-failed" : "tls");
	reception_put_peer(&l, r);
	if (how->why.n > 0) {
		log_str(&l, "why", how->why);
	} else {
		log_str(&l, "version", how->version);
		log_str(&l, "cipher", how->cipher);
		if (how->client.n > 0)
			log_str(&l, "certificate", how->client);
	}
	log_end(&l);
}

/* Our own address as a literal is a local domain, RFC 5321 4.1.3. */
static bool is_our_literal(const struct reception *r, struct str literal)
{
	static const struct str tag = { "ipv6:", 5 };
	struct netaddr a;

	if (r->peer.kind != PEER_INET || literal.n < 2)
		return false;
	literal = str_at(literal.p + 1, literal.n - 2);
	if (str_startscase(literal, tag))
		literal = str_skip(literal, tag.n);
	return netaddr_parse(literal, &a) == 0 && netaddr_eq(&a, &r->peer.here);
}

static bool host_is_local(void *self, const struct addr *to)
{
	const struct reception *r = self;

	if (to->host == HOST_LITERAL)
		return is_our_literal(r, addr_domain(to));
	return conf_has_domain(&r->conf->local_domains, addr_domain(to));
}

static bool host_is_relayed(void *self, const struct addr *to)
{
	const struct reception *r = self;

	return to->host == HOST_NAME &&
	       conf_has_domain(&r->conf->relay_domains, addr_domain(to));
}

/* Whoever is not local is one of those that we forward for. */
static void host_lookup(
    void *self, const struct addr *to, struct verdict *v, struct forwards *f)
{
	const struct reception *r = self;
	unsigned flags = r->set.local ? REQUEST_LOCAL : 0;
	char text[ADDR_TEXT_MAX + DOMAIN_MAX];
	struct buf from = BUF(text);

	session_from_put(r->session, &from);
	if (to->host == HOST_NONE || host_is_local(self, to))
		courier_lookup(to, buf_str(&from), flags, v, f);
	else if (r->conf->relay_recipients)
		courier_lookup(to, buf_str(&from), flags | REQUEST_RELAY, v, f);
	else
		*v = (struct verdict){ VERDICT_DONE, STR("2.1.5"), STR("") };
}

/* Received names the user of a local client; he is asked for but once. */
static void keep_user(struct reception *r, struct str name)
{
	name = str_head(name, RECEPTION_USER_MAX);
	memcpy(r->user, name.p, name.n);
	r->set.user = str_at(r->user, name.n);
	r->knows_user = true;
}

static void learn_user(struct reception *r)
{
	if (r->set.local && !r->knows_user)
		keep_user(r, courier_user(r->set.uid));
}

static bool is_granted(const struct reception *r, struct str from)
{
	return from.n == 0 || staff_is_own(r->set.uid) ||
	       trust_uid(r->conf, r->set.uid) ||
	       str_eq(from, str_at(r->granted, r->ngranted));
}

/* "4.7.1 alice has sent as much as submission-rate 100/3600s allows" */
static void refuse_more(
    struct reception *r, enum reception_count why, struct verdict *v)
{
	static char text[REQUEST_TEXT_MAX];
	const struct conf_rate *rate = &r->conf->submission_rate;
	bool messages = why == RECEPTION_MESSAGES;
	struct buf b = BUF(text);

	buf_putz(&b, "uid ");
	buf_u64(&b, r->set.uid);
	buf_putz(&b, " has reached submission-rate: ");
	buf_u64(&b, messages ? rate->messages : rate->octets);
	buf_putz(&b, messages ? " messages in " : " octets in ");
	buf_u64(&b, messages ? rate->messages_s : rate->octets_s);
	buf_putz(&b, " seconds; try again later");
	*v = (struct verdict){ VERDICT_LATER, STR("4.7.1"), buf_str(&b) };
}

/* The accept loop counts for all sessions of a user. */
static void ask_to_begin(struct reception *r, struct verdict *v)
{
	char answer = RECEPTION_GO;

	if (io_send_record(SANDBOX_PARENT_FD, str_at(&answer, 1), -1) < 0 ||
	    io_wait_read(SANDBOX_PARENT_FD, io_now_ms() + COUNT_MS) < 0 ||
	    read(SANDBOX_PARENT_FD, &answer, 1) != 1) {
		*v = (struct verdict){ VERDICT_LATER, STR("4.3.0"),
			STR("your messages cannot be counted now") };
		return;
	}
	if (answer != RECEPTION_GO)
		refuse_more(r, (enum reception_count)answer, v);
}

static void tell_size(const struct session *s)
{
	uint64_t octets = s->size_bytes;

	(void)io_send_record(SANDBOX_PARENT_FD,
	    str_at((const char *)&octets, sizeof(octets)), -1);
}

/* Deliver is asked about those alone whom their number does not tell, and
 * once for mail after mail of the same sender. */
static void may_send_as(
    struct reception *r, const struct addr *from, struct verdict *v)
{
	char text[ADDR_TEXT_MAX];
	struct buf b = BUF(text);
	struct str name;

	*v = (struct verdict){ VERDICT_DONE, STR("2.1.0"), STR("") };
	addr_put(&b, from);
	if (is_granted(r, buf_str(&b)))
		return;
	courier_sender(r->set.uid, buf_str(&b), v, &name);
	if (v->kind != VERDICT_LATER && !r->knows_user)
		keep_user(r, name);
	if (v->kind != VERDICT_DONE)
		return;
	memcpy(r->granted, b.p, b.n);
	r->ngranted = b.n;
}

static void host_may_send(
    void *self, const struct addr *from, struct verdict *v)
{
	struct reception *r = self;

	may_send_as(r, from, v);
	if (v->kind == VERDICT_DONE && r->counted)
		ask_to_begin(r, v);
}

static int host_open(void *self, struct str *id)
{
	struct reception *r = self;
	int rc = custody_open(&r->custody, (int64_t)time(NULL));

	if (rc < 0)
		return rc;
	learn_user(r);
	*id = str_of(r->custody.name);
	return 0;
}

static int host_write(void *self, struct str content)
{
	struct reception *r = self;

	return custody_write(&r->custody, r->session, content);
}

static void log_rcpt(
    void *self, unsigned rcpt, const char *event, const struct verdict *v)
{
	const struct reception *r = self;
	const struct session *s = r->session;
	char text[ADDR_TEXT_MAX + DOMAIN_MAX];
	struct buf b = BUF(text);
	struct log l;

	log_begin(&l, LOGL_INFO, event);
	log_str(&l, "id", str_of(s->id_text));
	session_from_put(s, &b);
	log_str(&l, "from", buf_str(&b));
	buf_clear(&b);
	session_rcpt_put(s, rcpt, &b);
	log_str(&l, "to", buf_str(&b));
	reception_put_peer(&l, r);
	log_str(&l, "helo", str_at(s->helo, s->nhelo));
	log_u64(&l, "size", s->size_bytes);
	log_str(&l, "status", v->status);
	if (v->kind != VERDICT_DONE)
		log_str(&l, "why", v->text);
	log_end(&l);
}

static void host_commit(
    void *self, const struct session *s, struct str rest, struct verdict *v)
{
	struct reception *r = self;

	custody_commit(&r->custody, s, rest, v);
	if (v->kind == VERDICT_DONE && r->counted)
		tell_size(s);
}

static void host_close(void *self)
{
	struct reception *r = self;

	custody_close(&r->custody);
}

/* Octets in the socket that we have not read. */
static bool host_pending(void *self)
{
	const struct reception *r = self;
	struct pollfd p = { .fd = r->in, .events = POLLIN };

	return r->peer.kind != PEER_PIPE && poll(&p, 1, 0) > 0 &&
	       (p.revents & POLLIN) != 0;
}

static int64_t host_now(void *self, int *offset_minutes)
{
	time_t now = time(NULL);
	struct tm tm;

	(void)self;
	/* localtime_r reads no file after tzset. */
	*offset_minutes = localtime_r(&now, &tm) ? (int)(tm.tm_gmtoff / 60) : 0;
	return (int64_t)now;
}

static void host_refused(void *self, struct str line, struct str reply)
{
	const struct reception *r = self;
	struct log l;

	log_begin(&l, LOGL_INFO, "rejected");
	reception_put_peer(&l, r);
	log_str(&l, "helo", str_at(r->session->helo, r->session->nhelo));
	log_str(&l, "command", line);
	log_str(&l, "reply", reply);
	log_end(&l);
}

static bool host_has_room(void *self, uint64_t size_bytes)
{
	(void)self;
	return spool_has_room(size_bytes);
}

void reception_host(struct reception *r, struct session_host *h)
{
	custody_init(&r->custody);
	r->custody.tell = log_rcpt;
	r->custody.self = r;
	*h = (struct session_host){
		.self = r,
		.lookup = host_lookup,
		.is_local = host_is_local,
		.is_relayed = host_is_relayed,
		.open = host_open,
		.write = host_write,
		.commit = host_commit,
		.close = host_close,
		.pending = host_pending,
		.now = host_now,
		.refused = host_refused,
		.has_room = host_has_room,
		.may_send = host_may_send,
	};
}
