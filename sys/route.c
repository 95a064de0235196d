/*
 * Destinations.  A key is a letter and a text:
 *
 *	L local		RUN/smtp, ordinary SMTP into the mailboxes here
 *	S smarthost	the key smarthost
 *	F sender	the hops of `smarthost-for sender`
 *	R domain	the hops of `route domain`
 *	D domain	MX look-up
 *	A [literal]	that address
 */
#include "sys/route.h"

#include "mail/addr.h"
#include "mail/session.h"

/* Hops alike mean one destination, so the first domain with them names it. */
static unsigned hops_of(const struct conf_routes *r, struct str domain,
    struct hop *hop, unsigned max)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n && n < max; i++)
		if (str_eq(r->v[i].domain, domain))
			hop[n++] = r->v[i].hop;
	return n;
}

static bool has_route(const struct conf_routes *r, struct str domain)
{
	for (unsigned i = 0; i < r->n; i++)
		if (str_eq(r->v[i].domain, domain))
			return true;
	return false;
}

static bool same_hops(
    const struct conf_routes *r, struct str one, struct str other)
{
	struct hop a[CONF_HOPS_MAX], b[CONF_HOPS_MAX];
	unsigned n = hops_of(r, one, a, CONF_HOPS_MAX);

	if (n != hops_of(r, other, b, CONF_HOPS_MAX))
		return false;
	for (unsigned i = 0; i < n; i++) {
		char left[HOP_TEXT_MAX], right[HOP_TEXT_MAX];
		struct buf l = BUF(left), m = BUF(right);

		hop_put(&l, &a[i]);
		hop_put(&m, &b[i]);
		if (!str_eq(buf_str(&l), buf_str(&m)))
			return false;
	}
	return n > 0;
}

static int put_key(struct buf *key, char letter, struct str text)
{
	buf_putc(key, letter);
	buf_put(key, text);
	return key->full ? ROUTE_BAD : 0;
}

/* What smarthost-for says of him: his address, else his domain. */
static struct str sender_rule(const struct conf *c, struct str sender)
{
	const struct conf_senders *s = &c->senders;
	struct str domain = str_skip(sender, sender.n);

	for (size_t i = 0; i < sender.n; i++)
		if (sender.p[i] == '@')
			domain = str_skip(sender, i);
	for (unsigned i = 0; i < s->n && sender.n > 0; i++)
		if (str_eqcase(s->v[i].sender, sender))
			return s->v[i].sender;
	for (unsigned i = 0; i < s->n && domain.n > 0; i++)
		if (str_eqcase(s->v[i].sender, domain))
			return s->v[i].sender;
	return STR("");
}

int route_key(const struct conf *c, struct str sender, struct str address,
    struct buf *key)
{
	const struct conf_routes *r = &c->routes;
	struct addr a;
	struct str domain, rule;

	if (addr_mailbox(address, ADDR_BARE_OK | ADDR_UTF8_OK, &a) != 0)
		return ROUTE_BAD;
	domain = addr_domain(&a);
	if (a.host == HOST_NONE || conf_has_domain(&c->local_domains, domain))
		return put_key(key, 'L', STR("local"));
	if (has_route(r, domain))
		for (unsigned i = 0; i < r->n; i++)
			if (same_hops(r, r->v[i].domain, domain))
				return put_key(key, 'R', r->v[i].domain);
	rule = sender_rule(c, sender);
	if (rule.n > 0)
		return put_key(key, 'F', rule);
	if (c->smarthost.n > 0)
		return put_key(key, 'S', STR("smarthost"));
	return put_key(key, 'D', domain);
}

static void local_hop(const struct conf *c, struct buf *room, struct hop *hop)
{
	struct str path;

	buf_putz(room, c->run_directory);
	buf_putz(room, "/smtp");
	path = buf_str(room);
	*hop = (struct hop){ .kind = HOP_SMTP,
		.tls = HOP_TLS_MAY,
		.unix_socket = true,
		.host = path };
}

void route_carrier(const struct conf *c, struct str key, struct buf *room,
    struct carrier *carrier)
{
	struct str text = str_skip(key, 1);

	*carrier = (struct carrier){ .hostname = c->hostname,
		.dns = { c->resolver, c->trust_anchor, c->dnssec },
		.credentials = c->credentials,
		.conf = c };
	switch (key.n > 0 ? key.p[0] : 'D') {
	case 'L':
		/* What smtpd cannot settle now it shall leave with us. */
		carrier->hostname = STR(SESSION_QUEUE_HELO);
		local_hop(c, room, &carrier->hop[0]);
		carrier->nhops = 1;
		break;
	case 'F':
		carrier->smarthost = true;
		for (unsigned i = 0; i < c->senders.n; i++)
			if (str_eq(c->senders.v[i].sender, text))
				carrier->hop[carrier->nhops++] =
				    c->senders.v[i].hop;
		break;
	case 'S':
		carrier->smarthost = true;
		carrier->nhops = c->smarthost.n;
		for (unsigned i = 0; i < c->smarthost.n; i++)
			carrier->hop[i] = c->smarthost.v[i];
		break;
	case 'R':
		carrier->nhops =
		    hops_of(&c->routes, text, carrier->hop, CARRIER_HOPS);
		break;
	default: /* an address literal too: sys/reach knows them */
		carrier->domain = text;
	}
}

bool route_is_final(const struct conf *c, struct str key)
{
	struct carrier carrier;
	char text[HOP_PATH_MAX];
	struct buf room = BUF(text);

	route_carrier(c, key, &room, &carrier);
	return carrier.nhops > 0 && carrier.hop[0].kind == HOP_LMTP;
}

struct str route_name(struct str key)
{
	return str_skip(key, 1);
}
