/*
 * PROXY protocol version 2: a fixed head, addresses, and type-length-values
 * that nobody here needs.  What the protocol does not define is refused.
 */
#include "mail/proxy.h"

enum {
	/* Offsets in the head. */
	AT_COMMAND = 12,
	AT_FAMILY = 13,
	AT_LENGTH = 14,
	/* Version 2 and a command. */
	LOCAL = 0x20,
	PROXY = 0x21,
	/* Address family and transport. */
	TCP4 = 0x11,
	TCP6 = 0x21,
	FAMILY_MAX = 3,   /* unspecified, IPv4, IPv6, unix */
	TRANSPORT_MAX = 2 /* unspecified, stream, datagram */
};

static const struct str signature = { "\r\n\r\n\0\r\nQUIT\n", 12 };

static unsigned octet(struct str s, size_t at)
{
	return (unsigned char)s.p[at];
}

static unsigned short word(struct str s, size_t at)
{
	return (unsigned short)(octet(s, at) << 8 | octet(s, at + 1));
}

int proxy_fixed(struct str s, size_t *rest)
{
	size_t n;

	if (s.n != PROXY_FIXED || !str_starts(s, signature))
		return PROXY_BAD;
	if (octet(s, AT_COMMAND) != LOCAL && octet(s, AT_COMMAND) != PROXY)
		return PROXY_BAD;
	n = word(s, AT_LENGTH);
	if (n > PROXY_REST_MAX)
		return PROXY_BAD;
	*rest = n;
	return 0;
}

static struct netaddr address(struct str s, size_t at, size_t width)
{
	unsigned char b[16] = { 0 };
	struct netaddr a;

	for (size_t i = 0; i < width; i++)
		b[i] = (unsigned char)octet(s, at + i);
	if (width == 4)
		return netaddr_of4(b);
	for (size_t i = 0; i < sizeof(a.b); i++)
		a.b[i] = b[i];
	return a;
}

/* Two addresses and two ports at the front of the rest. */
static int addresses(struct str rest, size_t width, struct proxy *p)
{
	if (rest.n < 2 * width + 4)
		return PROXY_BAD;
	p->known = true;
	p->source = address(rest, 0, width);
	p->dest = address(rest, width, width);
	p->source_port = word(rest, 2 * width);
	p->dest_port = word(rest, 2 * width + 2);
	return 0;
}

int proxy_parse(struct str s, struct proxy *p)
{
	struct proxy found = { .local = false };
	unsigned family;
	size_t rest;
	int rc = 0;

	if (proxy_fixed(str_head(s, PROXY_FIXED), &rest) != 0 ||
	    s.n - PROXY_FIXED != rest)
		return PROXY_BAD;
	family = octet(s, AT_FAMILY);
	if (octet(s, AT_COMMAND) == LOCAL)
		found.local = true; /* the rest means nothing then */
	else if (family >> 4 > FAMILY_MAX || (family & 15) > TRANSPORT_MAX)
		rc = PROXY_BAD;
	else if (family == TCP4)
		rc = addresses(str_skip(s, PROXY_FIXED), 4, &found);
	else if (family == TCP6)
		rc = addresses(str_skip(s, PROXY_FIXED), 16, &found);
	if (rc == 0)
		*p = found;
	return rc;
}
