/*
 * A next hop as the configuration names it:
 *
 *	smtp://host[:port]		STARTTLS when it is offered
 *	smtp+tls://[user@]host[:port]	STARTTLS or not at all, verified
 *	smtps://[user@]host[:port]	TLS from the first octet, verified
 *	lmtp://host[:port]
 *	lmtp:/path, lmtp:unix:/path	a unix socket
 *	smtp:unix:/path			likewise (how local mail comes back)
 */
#ifndef MAIL_HOP_H
#define MAIL_HOP_H

#include "mail/domain.h"
#include "mail/net.h"
#include "mail/str.h"

enum {
	HOP_USER_MAX = 128,
	HOP_PATH_MAX = 107,
	HOP_TEXT_MAX = HOP_USER_MAX + DOMAIN_MAX + 32
};

enum hop_kind { HOP_SMTP, HOP_LMTP };
enum hop_tls {
	HOP_TLS_MAY,    /* opportunistic, unless DANE says more */
	HOP_TLS_MUST,   /* STARTTLS, the certificate verified */
	HOP_TLS_AT_ONCE /* implicit, the certificate verified */
};

struct hop {
	enum hop_kind kind;
	enum hop_tls tls;
	unsigned short port; /* 25, 587 with a user, 465 at once, 24 LMTP */
	bool unix_socket;    /* host is a path */
	struct str user;     /* empty: no AUTH.  All views into the text */
	struct str host;     /* A-label, address (in [] or not) or path */
};

/* 0 or HOP_BAD with *why a constant text.  The whole slice. */
enum { HOP_BAD = 1 };
int hop_parse(struct str s, struct hop *h, const char **why);

/* The host is an address: "192.0.2.1", "[192.0.2.1]", "[2001:db8::1]" or
 * "[IPv6:2001:db8::1]". */
bool hop_literal(const struct hop *h, struct netaddr *a);

/* As a text that tells one hop from another, for logs and for grouping. */
void hop_put(struct buf *b, const struct hop *h);

#endif
