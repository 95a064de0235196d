/*
 * The keys that say who may send as whom, how much, and as whom it goes out.
 */
#include "sys/conf-key.h"

#include "mail/addr.h"

const char *conf_take_trust(struct conf *c, const struct key *k, struct str v)
{
	struct conf_trust *t = conf_field(c, k);
	struct str word;

	if (str_eq(v, STR("none")))
		return NULL;
	while (str_word(&v, &word)) {
		if (str_eq(word, STR("*")))
			t->everyone = true;
		else if (str_eq(word, STR("system")))
			t->system = true;
		else if (t->n == CONF_LIST_MAX ||
			 !conf_keep(c, word, &t->v[t->n++]))
			return "too many users";
	}
	return NULL;
}

/* "100/1h": a number and the time that it is for. */
static const char *take_quota(
    struct str word, const struct key *k, uint64_t *count, unsigned *seconds)
{
	static const char wrong[] =
	    "a number and a time are needed (100/1h, 50M/1d)";
	static const struct key any = { .min = 1, .max = 1ull << 40 };
	struct str number;
	uint64_t s;

	if (!str_cut(&word, '/', &number) ||
	    conf_number(number, false, &any, count) != NULL ||
	    conf_number(word, true, k, &s) != NULL)
		return wrong;
	*seconds = (unsigned)s;
	return NULL;
}

const char *conf_take_rate(struct conf *c, const struct key *k, struct str v)
{
	struct conf_rate *r = conf_field(c, k);
	const char *wrong;
	struct str word;

	if (str_eq(v, STR("none")))
		return NULL;
	(void)str_word(&v, &word);
	wrong = take_quota(word, k, &r->messages, &r->messages_s);
	if (!wrong && str_word(&v, &word))
		wrong = take_quota(word, k, &r->octets, &r->octets_s);
	if (!wrong && str_trim(v).n > 0)
		wrong = "more than messages and octets";
	return wrong;
}

/* local@domain or @domain, its domain as an A-label. */
static const char *take_pattern(struct conf *c, struct str v, struct str *kept)
{
	char text[ADDR_TEXT_MAX];
	struct buf b = BUF(text);
	struct addr a;

	if (str_starts(v, STR("@"))) {
		char name[DOMAIN_MAX];
		struct buf domain = BUF(name);

		if (domain_ascii(str_skip(v, 1), &domain) != 0)
			return "not a domain name behind @";
		buf_putc(&b, '@');
		buf_put(&b, buf_str(&domain));
	} else {
		if (addr_mailbox(v, ADDR_UTF8_OK, &a) != 0)
			return "an address or @domain is needed";
		addr_put(&b, &a);
	}
	return conf_keep(c, buf_str(&b), kept) ? NULL : "no room";
}

const char *conf_take_masquerade(
    struct conf *c, const struct key *k, struct str v)
{
	struct conf_masquerades *m = conf_field(c, k);
	struct str address, word;
	const char *wrong;

	if (m->n == CONF_MASQUERADES_MAX)
		return "too many masquerades";
	if (!str_word(&v, &address))
		return "an address or @domain is needed";
	wrong = take_pattern(c, address, &m->v[m->n].address);
	if (wrong)
		return wrong;
	m->v[m->n].every = !str_word(&v, &word);
	if (!m->v[m->n].every) {
		struct str hop;

		if (!str_eq(word, STR("for")) || !str_word(&v, &hop) ||
		    str_trim(v).n > 0)
			return "behind the address only \"for HOP\" may stand";
		wrong = conf_hop(c, hop, &m->v[m->n].hop);
	}
	m->n++;
	return wrong;
}

const char *conf_take_sender(struct conf *c, const struct key *k, struct str v)
{
	struct conf_senders *s = conf_field(c, k);
	struct str word, sender;
	const char *wrong;
	unsigned hops = 0;

	if (!str_word(&v, &word) || str_trim(v).n == 0)
		return "a sender and a next hop are needed";
	wrong = take_pattern(c, word, &sender);
	if (wrong)
		return wrong;
	for (unsigned i = 0; i < s->n; i++)
		hops += str_eq(s->v[i].sender, sender);
	while (str_word(&v, &word)) {
		if (s->n == CONF_SENDERS_MAX || hops++ == CONF_HOPS_MAX)
			return "too many next hops";
		s->v[s->n].sender = sender;
		wrong = conf_hop(c, word, &s->v[s->n].hop);
		if (wrong)
			return wrong;
		s->n++;
	}
	return NULL;
}
