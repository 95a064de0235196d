/*
 * PROXY protocol version 2, the header that a load balancer sends before the
 * client's first octet.
 */
#ifndef MAIL_PROXY_H
#define MAIL_PROXY_H

#include "mail/net.h"
#include "mail/str.h"

enum {
	PROXY_FIXED = 16,     /* octets that tell the length of the rest */
	PROXY_REST_MAX = 1024 /* addresses and TLVs we are willing to read */
};

enum proxy_answer { PROXY_BAD = 1 };

struct proxy {
	bool local; /* LOCAL command: the balancer's own check */
	bool known; /* addresses of TCP over IPv4 or IPv6 follow */
	struct netaddr source, dest;
	unsigned short source_port, dest_port;
};

/*
 * The length of the rest from the PROXY_FIXED first octets (s.n ==
 * PROXY_FIXED): 0 and *rest, or PROXY_BAD (wrong signature, version, command
 * or a rest above PROXY_REST_MAX).
 */
int proxy_fixed(struct str s, size_t *rest);

/* The whole header, PROXY_FIXED and rest.  0 or PROXY_BAD. */
int proxy_parse(struct str s, struct proxy *p);

#endif
