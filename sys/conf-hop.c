/*
 * The keys that say where mail for other hosts goes, and how often it is
 * tried.
 */
#include "sys/conf-key.h"

const char *conf_hop(struct conf *c, struct str v, struct hop *hop)
{
	const char *why = NULL;
	struct str kept;

	if (!conf_keep(c, v, &kept))
		return "no room";
	return hop_parse(kept, hop, &why) == 0 ? NULL : why;
}

const char *conf_take_hops(struct conf *c, const struct key *k, struct str v)
{
	struct conf_hops *h = conf_field(c, k);
	struct str word;

	if (str_eq(v, STR("none")))
		return NULL;
	while (str_word(&v, &word)) {
		const char *wrong;

		if (h->n == CONF_HOPS_MAX)
			return "too many next hops";
		wrong = conf_hop(c, word, &h->v[h->n]);
		if (wrong)
			return wrong;
		h->n++;
	}
	return NULL;
}

const char *conf_take_route(struct conf *c, const struct key *k, struct str v)
{
	struct conf_routes *r = conf_field(c, k);
	char text[DOMAIN_MAX];
	struct buf b = BUF(text);
	struct str word;
	const char *wrong;
	unsigned hops = 0;

	if (!str_word(&v, &word) || str_trim(v).n == 0)
		return "a domain and a next hop are needed";
	if (domain_ascii(word, &b) != 0)
		return "not a domain name";
	for (unsigned i = 0; i < r->n; i++)
		if (str_eq(r->v[i].domain, buf_str(&b)))
			hops++;
	while (str_word(&v, &word)) {
		if (r->n == CONF_ROUTES_MAX || hops++ == CONF_HOPS_MAX)
			return "too many next hops";
		if (!conf_keep(c, buf_str(&b), &r->v[r->n].domain))
			return "no room";
		wrong = conf_hop(c, word, &r->v[r->n].hop);
		if (wrong)
			return wrong;
		r->n++;
	}
	return NULL;
}

const char *conf_take_retry(struct conf *c, const struct key *k, struct str v)
{
	struct retry *r = conf_field(c, k);
	struct str first, longest;
	uint64_t n, m;
	const char *wrong;

	if (!str_word(&v, &first) || !str_word(&v, &longest) ||
	    str_trim(v).n != 0)
		return "the first and the longest interval are needed (5m 4h)";
	wrong = conf_number(first, true, k, &n);
	if (!wrong)
		wrong = conf_number(longest, true, k, &m);
	if (wrong)
		return wrong;
	if (m < n)
		return "the longest interval is shorter than the first";
	r->first_s = (unsigned)n;
	r->longest_s = (unsigned)m;
	return NULL;
}

const char *conf_take_dnssec(struct conf *c, const struct key *k, struct str v)
{
	static const struct {
		struct str word;
		enum dns_policy policy;
	} rows[] = {
		{ { "auto", 4 }, DNS_AUTO },
		{ { "require", 7 }, DNS_REQUIRE },
		{ { "off", 3 }, DNS_OFF },
	};
	enum dns_policy *policy = conf_field(c, k);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_eq(v, rows[i].word)) {
			*policy = rows[i].policy;
			return NULL;
		}
	return "auto, require or off is needed";
}

/* ADDRESS:PORT, [ADDRESS]:PORT or an address alone. */
const char *conf_take_server(struct conf *c, const struct key *k, struct str v)
{
	static const char wrong[] = "an address is needed (192.0.2.1:53, "
				    "[2001:db8::1]:53)";
	const char **server = conf_field(c, k);
	struct str host = v, port = STR(""), kept;
	struct netaddr a;
	uint64_t n = 53;

	if (v.n > 0 && v.p[0] == '[') {
		size_t end = str_find(v, ']');

		host = str_head(str_skip(v, 1), end - 1);
		port = str_skip(v, end + 1);
		if (end == v.n)
			return wrong;
	} else if (str_find(v, ':') < v.n && netaddr_parse(v, &a) != 0) {
		host = str_head(v, str_find(v, ':'));
		port = str_skip(v, host.n);
	}
	if (netaddr_parse(host, &a) != 0)
		return wrong;
	if (port.n > 0 &&
	    (port.p[0] != ':' || str_u64(str_skip(port, 1), &n) != 0 ||
		n == 0 || n > 65535))
		return wrong;
	if (!conf_keep(c, v, &kept))
		return "no room";
	*server = kept.p;
	return NULL;
}
