/*
 * Mail exchangers, addresses and TLSA records: what the answers to questions
 * mean.  A record that cannot be read is passed over; a set of which none can
 * be read is "later", never "there is none".
 */
#include "sys/dns.h"

#include <sys/random.h>
#include <arpa/nameser.h>
#include <string.h>

#include "mail/mx.h"
#include "sys/unbound.h"

enum { TYPE_TLSA = 52, FAMILIES = 2 };

int dns_start(const struct dns_setup *setup)
{
	return unbound_start(setup);
}

void dns_end(void)
{
	unbound_end();
}

bool dns_is_validating(void)
{
	return unbound_is_validating();
}

/* Makes room for one more in its place; a full set loses its last. */
static void rank(struct mx_ranking *r, uint16_t preference, struct str host,
    struct dns_mx *mx)
{
	uint32_t lot = 0;
	unsigned at, was = r->n;
	char *room = mx->text + (size_t)was * DOMAIN_MAX;

	if (getrandom(&lot, sizeof(lot), 0) != (ssize_t)sizeof(lot))
		lot = 0;
	at = mx_rank(r, preference, lot);
	if (at == r->max)
		return;
	if (r->n == was) {
		was--;
		room = mx->text + (mx->v[was].host.p - mx->text);
	}
	memmove(&mx->v[at + 1], &mx->v[at], (was - at) * sizeof(mx->v[0]));
	memcpy(room, host.p, host.n);
	mx->v[at].preference = preference;
	mx->v[at].host = str_at(room, host.n);
}

/* A null MX beside others is a mistake (RFC 7505 3): they are meant. */
static enum dns_answer read_mx(const struct unbound *q, struct dns_mx *mx)
{
	struct mx_ranking r = { .max = DNS_MX_MAX };
	bool null = false;
	struct str data;

	for (unsigned i = 0; unbound_record(q, i, &data); i++) {
		char room[DOMAIN_MAX];
		struct buf host = BUF(room);
		uint16_t preference;

		if (rdata_mx(data, &preference, &host) != 0)
			continue;
		if (host.n == 0)
			null = true;
		else
			rank(&r, preference, buf_str(&host), mx);
	}
	mx->n = r.n;
	if (mx->n > 0)
		return DNS_OK;
	return null ? DNS_NULL : DNS_LATER;
}

enum dns_answer dns_mx(struct str domain, struct dns_mx *mx)
{
	struct unbound q = unbound_question("", domain, ns_t_mx);
	enum dns_answer answer;

	unbound_ask(&q, 1);
	answer = q.answer;
	mx->secure = q.secure;
	mx->n = 0;
	if (answer == DNS_OK)
		answer = read_mx(&q, mx);
	unbound_forget(&q, 1);
	return answer;
}

static void read_addrs(const struct unbound *q, struct dns_addrs *a)
{
	unsigned max = a->n + DNS_ADDR_MAX / FAMILIES; /* none takes all */
	struct str data;

	for (unsigned i = 0; a->n < max && unbound_record(q, i, &data); i++) {
		int e = q->type == ns_t_a ? rdata_a(data, &a->v[a->n])
					  : rdata_aaaa(data, &a->v[a->n]);

		if (e == 0)
			a->n++;
	}
}

static void read_canon(
    const struct unbound *q, struct str host, struct dns_addrs *a)
{
	struct buf b = BUF(a->text);
	struct str canon = unbound_canon(q);

	if (canon.n > 1 && canon.p[canon.n - 1] == '.')
		canon.n--;
	if (canon.n == 0 || domain_ascii(canon, &b) != 0)
		buf_put(&b, host);
	a->canon = buf_str(&b);
}

/*
 * One family's answer does for both; a failure of the other must not make
 * the host look insecure, or whoever suppresses it would switch DANE off.
 */
static enum dns_answer merge(
    const struct unbound *q, struct str host, struct dns_addrs *a)
{
	a->secure = q[0].secure || q[1].secure;
	for (int i = 0; i < FAMILIES; i++) {
		if (q[i].answer != DNS_LATER)
			a->secure &= q[i].secure;
		if (q[i].answer != DNS_OK)
			continue;
		read_addrs(&q[i], a);
		read_canon(&q[i], host, a);
	}
	if (a->n > 0)
		return DNS_OK;
	/* DNS_OK: there are records, but none could be read */
	for (int i = 0; i < FAMILIES; i++)
		if (q[i].answer == DNS_LATER || q[i].answer == DNS_OK)
			return DNS_LATER;
	return q[0].answer == q[1].answer ? q[0].answer : DNS_NONE;
}

enum dns_answer dns_addrs(struct str host, struct dns_addrs *a)
{
	struct unbound q[FAMILIES] = { unbound_question("", host, ns_t_aaaa),
		unbound_question("", host, ns_t_a) };
	enum dns_answer answer;

	unbound_ask(q, FAMILIES);
	a->n = 0;
	a->canon = str_at("", 0);
	answer = merge(q, host, a);
	mx_take_turns(a->v, a->n);
	unbound_forget(q, FAMILIES);
	return answer;
}

enum dns_answer dns_tlsa(struct str host, unsigned port, struct dns_tlsa *t)
{
	char label[UNBOUND_LABELS];
	struct buf b = BUF(label);
	struct unbound q;
	enum dns_answer answer;
	struct str data;

	buf_putc(&b, '_');
	buf_u64(&b, port & 0xffff);
	buf_putz(&b, "._tcp.");
	buf_putc(&b, '\0');
	q = unbound_question(label, host, TYPE_TLSA);
	unbound_ask(&q, 1);
	answer = q.answer;
	t->secure = q.secure;
	t->n = 0;
	if (answer == DNS_OK && !t->secure)
		answer = DNS_NONE;
	for (unsigned i = 0; answer == DNS_OK && t->n < DNS_TLSA_MAX &&
			     unbound_record(&q, i, &data);
	     i++)
		if (rdata_tlsa(data, &t->v[t->n]) == 0 &&
		    rdata_tlsa_usable(&t->v[t->n]))
			t->n++;
	unbound_forget(&q, 1);
	return answer;
}
