/*
 * Addresses: what is one, and which, is what inet_pton(3) says; text leads
 * back to the address; a network has its own address.
 */
#include "tests/fuzz/fuzz.h"

#include "mail/addr.h"
#include "mail/net.h"

#include <arpa/inet.h>

/* The address that the C library reads, in our form. */
static bool library(struct str s, struct netaddr *a)
{
	char text[64] = "";
	unsigned char four[4];

	if (s.n >= sizeof(text) || str_find(s, '\0') < s.n)
		return false;
	if (s.n > 0)
		memcpy(text, s.p, s.n);
	if (inet_pton(AF_INET, text, four) == 1) {
		*a = netaddr_of4(four);
		return true;
	}
	return inet_pton(AF_INET6, text, a->b) == 1;
}

static void address(struct str s)
{
	char room[NET_TEXT_MAX + 8];
	struct netaddr a, b;
	struct buf t = BUF(room);
	bool good = netaddr_parse(s, &a) == 0;

	HOLDS(good == library(s, &b));
	if (!good)
		return;
	HOLDS(netaddr_eq(&a, &b));
	netaddr_put(&t, &a);
	HOLDS(t.n < NET_TEXT_MAX && netaddr_parse(buf_str(&t), &b) == 0);
	HOLDS(netaddr_eq(&a, &b));
	buf_clear(&t);
	netaddr_literal(&t, &a);
	HOLDS(!t.full && literal_valid(buf_str(&t)));
	b = netaddr_source(&a);
	HOLDS(netaddr_is4(&a) ? netaddr_eq(&a, &b) : memcmp(a.b, b.b, 8) == 0);
}

static void network(struct str s)
{
	struct net n;
	struct netaddr a;

	if (net_parse(s, &n) != 0)
		return;
	HOLDS(n.bits <= 128 && net_has(&n, &n.a));
	for (unsigned bit = 0; bit < 128; bit++) {
		a = n.a;
		a.b[bit / 8] ^= (unsigned char)(0x80 >> bit % 8);
		HOLDS(net_has(&n, &a) == (bit >= n.bits));
	}
	HOLDS(netaddr_parse(str_head(s, str_find(s, '/')), &a) == 0);
	HOLDS(netaddr_eq(&a, &n.a));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct str s = fuzz_str(input, size);

	address(s);
	network(s);
	return 0;
}
