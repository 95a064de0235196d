/*
 * Internet addresses and networks.  An IPv4 address is kept as its mapped
 * form ::ffff:a.b.c.d, so that one comparison serves both and a mapped peer
 * of an IPv6 socket is the IPv4 host it is.
 */
#ifndef MAIL_NET_H
#define MAIL_NET_H

#include "mail/str.h"

struct netaddr {
	unsigned char b[16];
};

struct net {
	struct netaddr a;
	unsigned bits; /* 0 to 128; IPv4 prefixes count 96 more */
};

/* RFC 5321 4.1.3: "[192.0.2.1]" and "[IPv6:2001:db8::1]". */
enum { NET_TEXT_MAX = 46 };

/* "192.0.2.1" or "2001:db8::1".  0 or -EINVAL. */
int netaddr_parse(struct str s, struct netaddr *a);

/* "10.0.0.0/8", "2001:db8::/32", or an address alone.  0 or -EINVAL (host
 * bits set beyond the prefix are an error too). */
int net_parse(struct str s, struct net *n);

bool net_has(const struct net *n, const struct netaddr *a);
bool netaddr_is4(const struct netaddr *a);
bool netaddr_eq(const struct netaddr *a, const struct netaddr *b);
struct netaddr netaddr_of4(const unsigned char b[4]);

/* Whom a limit per source counts: the IPv4 address, or the /64 of IPv6. */
struct netaddr netaddr_source(const struct netaddr *a);

/* "192.0.2.1", or "2001:db8::1" as RFC 5952 writes it. */
void netaddr_put(struct buf *b, const struct netaddr *a);

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]", RFC 5321 4.1.3. */
void netaddr_literal(struct buf *b, const struct netaddr *a);

#endif
