/*
 * From a destination to hosts and addresses.  "Do not know" is never "there
 * is none": NXDOMAIN, a null MX, and a domain without any address are
 * reasons to give up, a failure to look one of them up is not.
 */
#include "sys/reach.h"

#include <sys/socket.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>

#include "mail/mx.h"
#include "sys/log.h"

enum { OWN_MAX = 256, SMTP_PORT = 25 };

enum why {
	WHY_NO_NAME,
	WHY_NULL_MX,
	WHY_NO_ADDRESS,
	WHY_OURSELVES,
	WHY_LITERAL,
	WHY_NO_HOP,
	WHY_BLIND,
	WHY_HOP_BLIND
};

/* clang-format off */
static const struct reach_verdict verdicts[] = {
	[WHY_NO_NAME]    = { true, "5.1.2", "the domain does not exist" },
	[WHY_NULL_MX]    = { true, "5.1.10",
			     "the domain takes no mail (null MX)" },
	[WHY_NO_ADDRESS] = { true, "5.4.4",
			     "no mail exchanger of the domain has an address" },
	[WHY_OURSELVES]  = { true, "5.4.6",
			     "mail for the domain leads back to this host" },
	[WHY_LITERAL]    = { true, "5.1.2", "not an address of a host" },
	[WHY_NO_HOP]     = { false, "4.4.4",
			     "the configured next hop has no address" },
	[WHY_BLIND]      = { false, "4.4.3",
			     "the domain could not be looked up" },
	[WHY_HOP_BLIND]  = { false, "4.4.3",
			     "the configured next hop could not be looked up" },
};
/* clang-format on */

static struct {
	unsigned n;
	struct netaddr v[OWN_MAX];
} own;

static bool take_own(const struct sockaddr *sa)
{
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
	unsigned char four[4];

	if (own.n == OWN_MAX)
		return false;
	if (sa->sa_family == AF_INET) {
		memcpy(&in4, sa, sizeof(in4));
		memcpy(four, &in4.sin_addr, sizeof(four));
		own.v[own.n++] = netaddr_of4(four);
	} else if (sa->sa_family == AF_INET6) {
		memcpy(&in6, sa, sizeof(in6));
		memcpy(own.v[own.n++].b, &in6.sin6_addr, 16);
	}
	return true;
}

int reach_start(void)
{
	struct ifaddrs *all;
	bool room = true;

	own.n = 0;
	if (getifaddrs(&all) != 0) {
		int e = errno;

		log_errno("reach", "own addresses", e);
		return -e;
	}
	for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next)
		if (i->ifa_addr != NULL)
			room &= take_own(i->ifa_addr);
	freeifaddrs(all);
	if (!room)
		log_note(LOGL_WARNING, "reach", "too many own addresses");
	return 0;
}

static bool is_own(const struct netaddr *a)
{
	for (unsigned i = 0; i < own.n; i++)
		if (netaddr_eq(&own.v[i], a))
			return true;
	return false;
}

static int end(struct reach *r, enum why why)
{
	r->end = r->host = 0;
	r->verdict = verdicts[why];
	return REACH_END;
}

/* --- the hosts of a domain ----------------------------------------------- */

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]" as the only address.  0 or -EINVAL. */
static int take_literal(struct str s, struct dns_addrs *a)
{
	struct str text = str_skip(s, 1);

	if (text.n == 0 || text.p[text.n - 1] != ']')
		return -EINVAL;
	text.n--;
	if (str_startscase(text, STR("IPv6:")))
		text = str_skip(text, 5);
	a->n = 1;
	a->secure = false;
	a->canon = s;
	return netaddr_parse(text, &a->v[0]);
}

static int begin_literal(struct reach *r, struct str domain)
{
	const struct netaddr *a = &r->addrs[0].v[0];

	if (take_literal(domain, &r->addrs[0]) != 0)
		return end(r, WHY_LITERAL);
	if (mx_addr_is_nowhere(a) || is_own(a))
		return end(r, WHY_OURSELVES);
	r->found[0] = DNS_OK;
	r->end = r->group_end = 1;
	return 0;
}

/* A host that is in the list as the domain itself, when it has no MX. */
static void implicit_mx(struct reach *r, struct str domain)
{
	r->mx.n = 1;
	r->mx.v[0].preference = 0;
	r->mx.v[0].host = domain;
}

static void preferences(const struct reach *r, uint16_t *v)
{
	for (unsigned i = 0; i < r->mx.n; i++)
		v[i] = r->mx.v[i].preference;
}

/* Drops the host `us` and whatever is not better. */
static void cut(struct reach *r, unsigned us)
{
	uint16_t preference[DNS_MX_MAX];
	unsigned n;

	preferences(r, preference);
	n = mx_before(preference, r->mx.n, us);
	if (r->end > n)
		r->end = n;
	if (r->group_end > n)
		r->group_end = n;
	r->refused = true;
}

static int begin_domain(struct reach *r, struct str domain)
{
	switch (dns_mx(domain, &r->mx)) {
	case DNS_OK:
		break;
	case DNS_NONE:
		implicit_mx(r, domain);
		break;
	case DNS_NO_NAME:
		return end(r, WHY_NO_NAME);
	case DNS_NULL:
		return end(r, WHY_NULL_MX);
	case DNS_LATER:
		return end(r, WHY_BLIND);
	}
	r->end = r->mx.n;
	for (unsigned i = 0; i < r->end; i++)
		if (str_eqcase(r->mx.v[i].host, r->carrier->hostname))
			cut(r, i);
	return r->end > 0 ? 0 : end(r, WHY_OURSELVES);
}

/* Keeps the addresses that may be connected to; true: one of them is ours. */
static bool sift(struct reach *r, struct dns_addrs *a)
{
	unsigned n = 0;

	for (unsigned i = 0; i < a->n; i++) {
		if (mx_addr_is_nowhere(&a->v[i]))
			r->refused = true;
		else if (is_own(&a->v[i]))
			return true;
		else
			a->v[n++] = a->v[i];
	}
	a->n = n;
	return false;
}

/* Looks up all equals before the first is used: one may be ourselves. */
static void look_up_group(struct reach *r)
{
	uint16_t preference[DNS_MX_MAX];

	preferences(r, preference);
	r->group_end = mx_group_end(preference, r->end, r->host);
	for (unsigned i = r->host; i < r->group_end; i++) {
		r->found[i] = dns_addrs(r->mx.v[i].host, &r->addrs[i]);
		if (r->found[i] == DNS_OK && sift(r, &r->addrs[i]))
			cut(r, i);
	}
}

/* --- one host ------------------------------------------------------------ */

/*
 * DANE of RFC 7672 2.2: the end of aliases first, then the name itself.  A
 * set that cannot be got where names are secure makes the host unusable for
 * now: somebody may hide it.  0, or DNS_LATER.
 */
static int take_tlsa(struct reach *r, const struct dns_addrs *a)
{
	struct reach_way *w = &r->way;
	enum dns_answer found;

	w->tls = REACH_TLS_HOP;
	w->base = w->hop.host;
	if (!w->secure || w->hop.kind != HOP_SMTP || w->hop.tls != HOP_TLS_MAY)
		return 0;
	w->base = a->canon;
	found = dns_tlsa(w->base, w->hop.port, &r->tlsa);
	if (found != DNS_OK && found != DNS_LATER &&
	    !str_eqcase(a->canon, w->hop.host)) {
		w->base = w->hop.host;
		found = dns_tlsa(w->base, w->hop.port, &r->tlsa);
	}
	if (found == DNS_LATER)
		return DNS_LATER;
	if (found != DNS_OK) {
		w->base = w->hop.host;
		return 0;
	}
	w->tls = r->tlsa.n > 0 ? REACH_TLS_DANE : REACH_TLS_ANY;
	w->tlsa = r->tlsa.v;
	w->ntlsa = r->tlsa.n;
	return 0;
}

/* The host at hand becomes the way, without an address yet; its addresses,
 * or NULL when it has none that can be used. */
static const struct dns_addrs *take_host(struct reach *r, enum dns_answer found,
    const struct dns_addrs *a, bool secure)
{
	r->way.secure = secure && a->secure;
	if (found == DNS_LATER)
		r->blind = true;
	if (found != DNS_OK || a->n == 0)
		return NULL;
	if (take_tlsa(r, a) != 0) {
		r->blind = true;
		return NULL;
	}
	return a;
}

static const struct dns_addrs *take_mx(struct reach *r)
{
	unsigned i = r->host;

	memset(&r->way, 0, sizeof(r->way));
	/* the domain's own name needs no answer that says so */
	r->way.named =
	    r->mx.secure || str_eqcase(r->mx.v[i].host, r->carrier->domain);
	r->way.hop.kind = HOP_SMTP;
	r->way.hop.tls = HOP_TLS_MAY;
	r->way.hop.port = SMTP_PORT;
	r->way.hop.host = str_starts(r->carrier->domain, STR("["))
			      ? r->carrier->domain
			      : r->mx.v[i].host;
	return take_host(r, r->found[i], &r->addrs[i], r->mx.secure);
}

/* A configured hop may be anywhere, on this machine too. */
static const struct dns_addrs *take_hop(struct reach *r)
{
	struct dns_addrs *a = &r->addrs[0];
	struct str host;
	enum dns_answer found = DNS_OK;

	memset(&r->way, 0, sizeof(r->way));
	r->way.named = true;
	r->way.hop = r->carrier->hop[r->host];
	host = r->way.hop.host;
	if (r->way.hop.unix_socket) {
		memset(&a->v[0], 0, sizeof(a->v[0]));
		a->n = 1;
		a->secure = false;
		a->canon = host;
	} else if (hop_literal(&r->way.hop, &a->v[0])) {
		a->n = 1;
		a->secure = false;
		a->canon = host;
	} else {
		found = dns_addrs(host, a);
	}
	return take_host(r, found, a, true);
}

/* --- the whole ----------------------------------------------------------- */

int reach_begin(struct reach *r, const struct carrier *c)
{
	memset(r, 0, sizeof(*r));
	r->carrier = c;
	if (c->domain.n == 0) {
		r->end = r->group_end = c->nhops;
		return r->end > 0 ? 0 : end(r, WHY_NO_HOP);
	}
	if (str_starts(c->domain, STR("[")))
		return begin_literal(r, c->domain);
	return begin_domain(r, c->domain);
}

/* What to say of a destination of which no way was found. */
static enum why conclude(const struct reach *r)
{
	if (r->carrier->domain.n == 0)
		return r->blind ? WHY_HOP_BLIND : WHY_NO_HOP;
	if (r->blind)
		return WHY_BLIND;
	return r->refused ? WHY_OURSELVES : WHY_NO_ADDRESS;
}

/* Takes the next host; false: there is none. */
static bool next_host(struct reach *r)
{
	bool names = r->carrier->domain.n > 0;

	if (r->host >= r->group_end && r->host < r->end)
		look_up_group(r);
	if (r->host >= r->end)
		return false;
	r->addr = 0;
	r->at = names ? take_mx(r) : take_hop(r);
	r->host++;
	return true;
}

int reach_next(struct reach *r, struct reach_way *way)
{
	while (r->at == NULL || r->addr == r->at->n)
		if (!next_host(r)) {
			if (r->given == 0 && r->verdict.status == NULL)
				r->verdict = verdicts[conclude(r)];
			return REACH_END;
		}
	*way = r->way;
	way->addr = r->at->v[r->addr++];
	r->given++;
	return 0;
}
