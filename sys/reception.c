/*
 * What a session asks of the world: who a recipient is (deliver knows), where
 * content goes (to deliver, by way of a file in the spool when it is long),
 * what time it is, and who is told (the log).
 */
#include "sys/reception.h"

#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mail/content.h"
#include "sys/courier.h"
#include "sys/io.h"

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

static void host_lookup(void *self, const struct addr *to, struct verdict *v)
{
	const struct reception *r = self;

	courier_lookup(to, r->set.local ? REQUEST_LOCAL : 0, v);
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

/* Received names the user of a local client; he is asked for but once. */
static void learn_user(struct reception *r)
{
	struct str name;

	if (!r->set.local || r->set.user.n > 0)
		return;
	name = str_head(courier_user(r->set.uid), RECEPTION_USER_MAX);
	memcpy(r->user, name.p, name.n);
	r->set.user = str_at(r->user, name.n);
}

static int host_open(void *self, struct str *id)
{
	struct reception *r = self;
	int rc = spool_name(r->name);

	if (rc < 0)
		return rc;
	learn_user(r);
	*id = str_skip(str_of(r->name), 1);
	return 0;
}

/* Only deliver wants the file, and by descriptor: nothing can be left. */
static int make_file(struct reception *r)
{
	int fd = spool_create(r->name);

	if (fd < 0)
		return fd;
	(void)spool_remove(r->name);
	r->message_fd = fd;
	return 0;
}

static int host_write(void *self, struct str content)
{
	struct reception *r = self;
	int rc = r->message_fd < 0 ? make_file(r) : 0;

	if (rc < 0)
		return rc;
	rc = io_write_file(r->message_fd, content);
	if (rc < 0)
		log_errno("spool-write", r->name, -rc);
	return rc;
}

static void log_rcpt(void *self, unsigned rcpt, const struct verdict *v)
{
	static const char *const fates[] = { "stored", "deferred", "refused",
		"deferred" };
	const struct reception *r = self;
	const struct session *s = r->session;
	char text[ADDR_TEXT_MAX + DOMAIN_MAX];
	struct buf b = BUF(text);
	struct log l;

	log_begin(&l, LOGL_INFO, fates[v->kind]);
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
	int rc = 0;

	if (r->message_fd >= 0 || rest.n > courier_content_max())
		rc = host_write(r, rest);
	if (rc < 0) {
		*v = content_fault(rc);
		return;
	}
	courier_store(s, r->set.local ? REQUEST_LOCAL : 0, r->message_fd, rest,
	    log_rcpt, r, v);
	if (v->kind == VERDICT_DONE) {
		v->status = STR("2.0.0");
		v->text = str_of(s->id_text);
	}
}

static void host_close(void *self)
{
	struct reception *r = self;

	if (r->message_fd >= 0)
		close(r->message_fd);
	r->message_fd = -1;
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
	r->message_fd = -1;
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
	};
}
