/*
 * The keys that take networks.  Whoever may relay, or may say who a client
 * is, must be somebody in particular: there is no way to write an open relay.
 */
#include "sys/conf-key.h"

enum { V4_BITS = 96, V4_LEAST = 8, V6_LEAST = 16 };

const char *conf_take_nets(struct conf *c, const struct key *k, struct str v)
{
	struct conf_nets *n = conf_field(c, k);
	struct str word;

	if (str_eq(v, STR("none")))
		return NULL;
	while (str_word(&v, &word)) {
		if (n->n == CONF_LIST_MAX)
			return "too many networks";
		if (net_parse(word, &n->v[n->n]) != 0)
			return "not an address or network (host bits must be "
			       "0)";
		n->n++;
	}
	return NULL;
}

/* Larger than anybody's own: a large part of the Internet, or all of it. */
static bool is_everybody(const struct net *n)
{
	static const unsigned char zero[4];
	struct netaddr first4 = netaddr_of4(zero);

	if (n->bits <= V4_BITS && net_has(n, &first4))
		return true;
	if (netaddr_is4(&n->a))
		return n->bits < V4_BITS + V4_LEAST;
	/* 2000::/3 is what the Internet uses. */
	return (n->a.b[0] & 0xe0) == 0x20 && n->bits < V6_LEAST;
}

const char *conf_take_trusted_nets(
    struct conf *c, const struct key *k, struct str v)
{
	const struct conf_nets *n = conf_field(c, k);
	unsigned before = n->n;
	const char *wrong = conf_take_nets(c, k, v);

	for (unsigned i = before; i < n->n && !wrong; i++)
		if (is_everybody(&n->v[i]))
			wrong = "an open relay: a network so large is "
				"everybody's";
	return wrong;
}
